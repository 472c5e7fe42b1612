//! A bound on deletions that nobody asked for: rows that go only because a complete delivery lacks them.
//!
//! A source that reads as empty, by a filter, a policy or a mistake, looks like one whose rows were all
//! deleted. So a run that would delete a large share of a table for that reason alone stops and asks.

use icehost_lake::{AbsenceGuard, Absent, LakeError};

use crate::SyncError;

/// Tables with no more rows than this are not guarded: a few rows are soon most of them.
const SMALL_TABLE: u64 = 1_000;
/// By default the largest share of a table's rows that may go, in percent.
const DEFAULT_LIMIT: u8 = 50;

/// How many rows may go because they are absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionGuard {
    /// The largest share of a table of more than 1,000 rows that may go, in percent; from 100 on any may.
    pub limit: u8,
    /// This run may delete as many as it likes.
    pub allow: bool,
}

impl Default for DeletionGuard {
    fn default() -> Self {
        DeletionGuard {
            limit: DEFAULT_LIMIT,
            allow: false,
        }
    }
}

impl DeletionGuard {
    /// Refuses a run that would delete too many of a table's rows because they are absent. `table` is what the
    /// error calls it, for example `target table dbo.Rates`.
    ///
    /// # Errors
    /// [`SyncError::Deletions`], with the counts and the switch that lets the run through.
    pub fn check(&self, table: &str, absent: Absent) -> Result<(), SyncError> {
        if self.lets_through(absent) {
            return Ok(());
        }
        Err(SyncError::Deletions {
            message: self.refusal(table, absent),
            hint: HINT.to_owned(),
        })
    }

    /// The same for a commit to a lake table.
    pub(crate) fn of_lake(self, table: String) -> AbsenceGuard {
        Box::new(move |absent| match self.lets_through(absent) {
            true => Ok(()),
            false => {
                let message = self.refusal(&format!("lake table {table}"), absent);
                Err(LakeError::guard(message).with_hint(HINT))
            }
        })
    }

    /// Whether so many rows may go.
    pub(crate) fn lets_through(self, absent: Absent) -> bool {
        let share = u128::from(absent.rows) * 100;
        self.allow
            || absent.of <= SMALL_TABLE
            || share <= u128::from(self.limit) * u128::from(absent.of)
    }

    fn refusal(self, table: &str, Absent { rows, of }: Absent) -> String {
        format!(
            "{rows} of the {of} rows of {table} would be deleted only because a complete read did not find them, which is more than {} %",
            self.limit
        )
    }
}

/// What to do when rows were kept.
const HINT: &str = "see whether the source is complete; if those rows are to go, run once with --allow-deletes, or set --delete-limit for every run";

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(limit: u8, allow: bool, rows: u64, of: u64) -> bool {
        DeletionGuard { limit, allow }
            .check("lake table a.b", Absent { rows, of })
            .is_ok()
    }

    #[test]
    fn a_large_share_of_a_large_table_is_refused() {
        assert!(passes(50, false, 1_000, 1_000), "a small table");
        assert!(passes(50, false, 1_001, 2_002), "just half");
        assert!(!passes(50, false, 1_002, 2_002));
        assert!(!passes(50, false, 1_001, 1_001));
        assert!(!passes(0, false, 1, u64::MAX));
        assert!(passes(100, false, u64::MAX, u64::MAX));
        assert!(passes(0, true, u64::MAX, u64::MAX));
    }

    #[test]
    fn the_refusal_says_what_was_found_and_what_lets_it_through() {
        let absent = Absent {
            rows: 1_991,
            of: 2_001,
        };
        let refused = DeletionGuard::default().check("target table dbo.Rates", absent);
        let error = refused.err().map(|e| (e.to_string(), e.hint()));
        let (message, hint) = error.unwrap_or_default();
        assert!(message.contains("1991 of the 2001 rows of target table dbo.Rates"));
        assert!(message.ends_with("more than 50 %"), "{message}");
        assert!(hint.is_some_and(|hint| hint.contains("--allow-deletes")));
    }
}
