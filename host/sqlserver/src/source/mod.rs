//! Where changes are read from.
//!
//! Each way to find them is one module, whose [`Way`] says all that it needs of the rooms around it: the SELECT, what its
//! rows mean, what the session has to see and what the login has to be allowed. [`Way::of`] alone tells ways apart, and
//! the compiler asks it about every one that a plan can name. Its statements are lowered in `lower`, as all are. What is
//! asked before a read is a probe, which belongs to no way: a strategy names it, and `lower::probes` has an arm for each.

mod consistency;
mod probing;
mod rows;

use icehost_plan::{ChangeSource, ValidExtractionPlan};

pub use consistency::ReadConsistency;

use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::permissions::Permission;
use crate::statement::Statement;

/// What a row of the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowMeaning {
    /// A row of the table, as it is when it is read; each comes once.
    Row,
}

/// A way to find what changed in a table.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// What its rows are.
    pub meaning: RowMeaning,
    /// What the login needs on the table.
    pub permissions: &'static [Permission],
    /// It holds only where the whole read sees one state of the database: what it asks and what it reads belong
    /// together. Another one reads without, and says so.
    needs_snapshot: bool,
    select: fn(&SqlTable, &ValidExtractionPlan) -> Result<Statement>,
}

impl Way {
    /// Changes from the table's rows.
    pub const ROWS: Way = rows::WAY;

    /// The way that a plan takes.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for one that is not read from.
    pub fn of(source: &ChangeSource) -> Result<Way> {
        let what = match source {
            ChangeSource::Rows => return Ok(Way::ROWS),
            ChangeSource::ChangeTracking(_) => "Change Tracking",
            ChangeSource::CaptureAll(_) | ChangeSource::CaptureNet(_) => "Change Data Capture",
            ChangeSource::SystemVersioned(_) => "history tables",
            ChangeSource::Snapshots(_) => "Iceberg snapshots",
        };
        Err(SqlServerError::unsupported(format!(
            "changes can be read from the table's rows only, not from {what}"
        ))
        .with_hint("use a strategy that reads rows, timestamp for example"))
    }

    /// The statement that reads what the plan asks for.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a plan that cannot be lowered.
    pub(crate) fn select(&self, table: &SqlTable, plan: &ValidExtractionPlan) -> Result<Statement> {
        (self.select)(table, plan)
    }

    /// That a session which sees one state of the database, or does not, can read this way.
    pub(crate) fn check_session(&self, in_snapshot: bool) -> Result<()> {
        if in_snapshot || !self.needs_snapshot {
            return Ok(());
        }
        Err(SqlServerError::unsupported(
            "these changes are read under SNAPSHOT isolation only, which the database does not allow",
        )
        .with_hint(
            "allow it: ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON; or use a strategy that reads rows, timestamp \
             for example",
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use icehost_plan::Window;

    use super::*;

    #[test]
    fn every_other_way_is_refused_by_name() {
        let window = || Window {
            after: None,
            through: None,
        };
        assert_eq!(
            Way::of(&ChangeSource::Rows).unwrap().meaning,
            RowMeaning::Row
        );
        for (source, name) in [
            (ChangeSource::ChangeTracking(window()), "Change Tracking"),
            (ChangeSource::CaptureAll(window()), "Change Data Capture"),
            (ChangeSource::CaptureNet(window()), "Change Data Capture"),
            (ChangeSource::SystemVersioned(window()), "history tables"),
            (ChangeSource::Snapshots(window()), "Iceberg snapshots"),
        ] {
            let error = Way::of(&source).unwrap_err().to_string();
            assert!(error.ends_with(&format!("not from {name}")), "{error}");
        }
    }

    #[test]
    fn a_way_that_needs_one_state_of_the_database_is_not_read_without() {
        assert!(Way::ROWS.check_session(false).is_ok());
        let strict = Way {
            needs_snapshot: true,
            ..Way::ROWS
        };
        assert!(strict.check_session(true).is_ok());
        let error = strict.check_session(false).unwrap_err();
        assert!(error.hint().unwrap().contains("ALLOW_SNAPSHOT_ISOLATION"));
    }
}
