//! What is said of keys that are two in the lake and one for the target.

use icehost_lake::LakeTable;
use icehost_plan::{KeyPair, LogicalType, ValidMergePlan};
use icehost_sqlserver::lower::Spelling;
use icehost_sqlserver::{Collision, SqlTable};

use crate::SyncError;

/// Whose keys they are.
pub(crate) struct Collided<'a> {
    /// Of the plan's keys, in their order, how the lake tells values apart that may be one for the target.
    pub(crate) spellings: &'a [Option<Spelling>],
    pub(crate) lake: &'a LakeTable,
    pub(crate) target: &'a SqlTable,
    pub(crate) plan: &'a ValidMergePlan,
}

impl Collided<'_> {
    /// Rows of the lake have both.
    pub(crate) fn both(&self, collision: &Collision) -> SyncError {
        let ends = |values: &[String]| -> Vec<String> {
            let trimmed = values.iter().map(|v| v.trim_end_matches(' ').to_owned());
            trimmed.collect()
        };
        let hint = match ends(&collision.one) == ends(&collision.other) {
            true => {
                "change one of the two keys: SQL Server takes texts for one that differ in blanks at their end"
                    .to_owned()
            }
            false => self.way_on(),
        };
        SyncError::schema(
            format!(
                "rows of lake table {} have the keys ({}) and ({}), which target table {} takes for one: only one of \
                 the rows would stay",
                self.lake.name(),
                shown(&collision.one),
                shown(&collision.other),
                self.target.name
            ),
            hint,
        )
    }

    /// A row with this one is yet to come.
    pub(crate) fn to_come(&self, key: &[String]) -> SyncError {
        SyncError::schema(
            format!(
                "the row that is to come with the key ({}) and one of lake table {} have keys that target table {} takes for \
                 one: only one of the rows would stay",
                shown(key),
                self.lake.name(),
                self.target.name
            ),
            self.way_on(),
        )
    }

    fn way_on(&self) -> String {
        let binary = |key: &KeyPair| {
            let column = self.target.columns.get(key.target as usize);
            column.is_some_and(|column| column.sql_type.logical() == LogicalType::Binary)
        };
        if self.plan.keys.iter().any(binary) {
            return "change one of the two keys: SQL Server takes binary values for one that differ in zeros at their end"
                .to_owned();
        }
        let mut collations = self.spellings.iter().flatten().filter_map(named);
        let example = match collations.next() {
            Some(collation) => format!("the source has {collation}"),
            None => "one with CS and AS, or BIN2, in its name".to_owned(),
        };
        format!(
            "change one of the two keys, or give the key column of the target table a collation that tells them \
             apart: {example}"
        )
    }
}

fn shown(values: &[String]) -> String {
    let quoted = values.iter().map(|value| format!("'{value}'"));
    quoted.collect::<Vec<_>>().join(", ")
}

fn named(spelling: &Spelling) -> Option<&str> {
    match spelling {
        Spelling::Compared { collation, .. } => Some(collation),
        Spelling::Exact => None,
    }
}
