//! How rows land at the target, and whether they may: what would be there twice, or go though others brought it.

use icehost_lake::LakeTable;
use icehost_plan::{Action, Delta, MergePlan, Occasion, Table, ValidMergePlan};
use icehost_sqlserver::{SqlTable, lower};

use crate::SyncError;
use crate::delivery::own_key::each_is_its_own;
use crate::delivery::start::{Situation, Start, Why};
use crate::error::Doing;
use crate::failpoint::{self, stands};

/// A delta and how it lands.
pub(crate) struct Landing {
    /// The delta, but for its rows.
    pub(crate) delta: Delta,
    pub(crate) plan: ValidMergePlan,
    /// The rows come as a snapshot and go on as changes; the target adds the deletions of those that are absent.
    pub(crate) delete_absent: bool,
    /// The target must have no row, since rows that are there would come a second time.
    pub(crate) into_empty: bool,
    /// What the user should know.
    pub(crate) warnings: Vec<String>,
}

impl Landing {
    /// The statements that carry it out.
    ///
    /// # Errors
    /// What of it a server cannot do, such as values of another kind than a column's.
    pub(crate) fn statements(
        &self,
        target: &SqlTable,
        has_merge: bool,
    ) -> Result<lower::MergeStatements, SyncError> {
        lower::merge(target, &self.delta, &self.plan, has_merge)
            .doing(|| format!("planning the merge into target table {}", target.name))
    }
}

/// A plan, and what it is to be carried out on.
pub(crate) struct Question<'a> {
    target: &'a SqlTable,
    situation: &'a Situation<'a>,
    plan: &'a MergePlan,
    /// Set where every row is delivered.
    why: Option<Why>,
    /// Lake tables that deliver into the same table.
    shared_with: Vec<String>,
}

impl<'a> Question<'a> {
    pub(crate) fn new(
        target: &'a SqlTable,
        situation: &'a Situation<'a>,
        plan: &'a MergePlan,
    ) -> Question<'a> {
        let others = situation.shared_with();
        Question {
            target,
            situation,
            plan,
            why: match situation.start() {
                Start::Everything(why) => Some(why),
                Start::Changes(_) | Start::UpToDate => None,
            },
            shared_with: others.iter().map(|o| o.lake_table.clone()).collect(),
        }
    }

    /// Refuses what would not end in equality.
    ///
    /// # Errors
    /// [`SyncError::Position`], with the way on.
    pub(crate) fn refuse(&self) -> Result<(), SyncError> {
        let Some(why) = &self.why else {
            return Ok(());
        };
        if self.plan.keys.is_empty() && stands(failpoint::GUARD_ADDED_TWICE) {
            return self.refuse_repetition(why);
        }
        let others = self.shared_with.len();
        if !self.situation.state.empty && others > 0 && removes_unmatched(self.plan) {
            return Err(SyncError::position(
                format!(
                    "the merge would take the rows of {others} other lake table{} ({}) out of target table {}",
                    if others == 1 { "" } else { "s" },
                    listed(&self.shared_with),
                    self.target.name
                ),
                "leave out the merge option that removes missing rows; give it to the lake alone with --lake-merge-option",
            ));
        }
        Ok(())
    }

    /// A plan without keys adds every row, whether it is there or not.
    fn refuse_repetition(&self, why: &Why) -> Result<(), SyncError> {
        let name = &self.target.name;
        let empty = self.situation.state.empty;
        // A table that was emptied has what the others have brought since.
        let has_none = empty || self.situation.has_only_rows_of_others();
        let told = self.situation.was_emptied_before();
        let hint = match (why, empty) {
            (Why::Emptied(_), true) | (Why::EmptiedBefore(_), false) if has_none => {
                return Err(SyncError::position(
                    format!("target table {name} does not look as it was left: {why}"),
                    "deliver every row again with `icehost load --full`, or go on with what is new with \
                     `icehost load --trust-position`",
                ));
            }
            (_, true) => return Ok(()),
            (Why::Asked, false) if told && has_none => return Ok(()),
            (Why::First, false) if self.situation.has_only_rows_of_others() => return Ok(()),
            (Why::AnotherTable, false) => {
                "empty the target table and deliver every row with `icehost load --full`; or, if it has the rows \
                 up to its position, go on with `icehost load --trust-position`"
            }
            (Why::AnotherMerge, false) => {
                "empty the target table and deliver every row with `icehost load --full`; or, if its rows may stay as they \
                 are, go on with what is new with `icehost load --trust-position`"
            }
            (_, false) => {
                "empty the target table and deliver every row with `icehost load --full`, or choose a merge that \
                 knows rows by their key"
            }
        };
        Err(SyncError::position(
            format!(
                "every row would be added to target table {name}, which has rows: {why}, and the merge adds rows without looking for them"
            ),
            hint,
        ))
    }

    /// Whether rows that the lake does not have are to go from the target. Not where the rows are of others, and
    /// not where the merger sees to it itself.
    pub(crate) fn deletes_absent(&self) -> bool {
        let Some(why) = &self.why else {
            return false;
        };
        *why != Why::First
            && !self.situation.state.empty
            && !self.plan.keys.is_empty()
            && self.shared_with.is_empty()
            && !removes_unmatched(self.plan)
            && stands(failpoint::GUARD_ABSENT_ROWS)
    }

    /// Whether the merge must find the target empty.
    pub(crate) fn must_be_empty(&self) -> bool {
        self.why.is_some() && self.plan.keys.is_empty() && self.situation.state.empty
    }

    /// What the user should know before every row is delivered.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let (Some(why), name) = (&self.why, &self.target.name) else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        if !matches!(why, Why::First | Why::Asked) {
            warnings.push(format!(
                "delivering every row into target table {name}: {why}"
            ));
        }
        warnings.extend(self.lets_in_one_of_each());
        if self.situation.state.empty {
            return warnings;
        }
        if !self.shared_with.is_empty() {
            warnings.push(self.rows_of_others());
        } else if *why == Why::First && !self.plan.keys.is_empty() && !removes_unmatched(self.plan)
        {
            warnings.push(format!(
                "target table {name} had rows before its first delivery; those that the lake table does not have \
                 stay, unless `icehost load --full` takes them out"
            ));
        }
        warnings
    }
}

impl Question<'_> {
    /// The target has rows of other lake tables, and this one is delivered beside them, or in the place of one.
    fn rows_of_others(&self) -> String {
        let name = &self.target.name;
        let others = listed(&self.shared_with);
        match self.plan.keys.is_empty() {
            false => format!(
                "rows of target table {name} that the lake table does not have stay: which of them {others} delivered \
                 cannot be told; where that lake table is gone, or this one takes its place, delete its row from \
                 dbo.icehost_positions and deliver again with `icehost load --full`"
            ),
            true => format!(
                "target table {name} has rows of {others}, and every row is added to them; where that lake table is gone, \
                 or this one takes its place, its rows are there twice: empty the target table, delete its row from \
                 dbo.icehost_positions and deliver again with `icehost load --full`"
            ),
        }
    }

    /// The table has the key of the rows, and a merge that adds every row brings them again as they change.
    fn lets_in_one_of_each(&self) -> Option<String> {
        if !self.plan.keys.is_empty() {
            return None;
        }
        let made_by_itself = |name: &String| {
            let mut columns = self.target.columns.iter();
            columns.any(|column| column.name == *name && (column.identity || column.computed))
        };
        let mut unique = self.target.unique_keys.iter();
        let key = unique.find(|key| !key.is_empty() && !key.iter().any(made_by_itself))?;
        Some(format!(
            "target table {} has a unique key ({}), and the merge adds every row: a second version of a row is refused \
             by the server; where rows change, take the key away, or put a column into it that each version has anew",
            self.target.name,
            key.join(", ")
        ))
    }
}

/// Whether the plan goes by other columns than those that tell the lake's rows apart, and does not say which of
/// several rows with one key counts: then rows that have a key in common are not versions of one, and none may give
/// way to another.
pub(crate) fn keys_must_be_unique(
    lake: &LakeTable,
    description: &Table,
    plan: &MergePlan,
    delta: &Delta,
) -> bool {
    plan.deduplicate.is_empty()
        && (goes_by_other_columns(description, plan, delta)
            || each_is_its_own(lake, description, plan, delta))
}

/// Whether the plan goes by other columns than those that tell the lake's rows apart. A lake table that does not say
/// what tells its rows apart may hold versions.
pub(crate) fn goes_by_other_columns(lake: &Table, plan: &MergePlan, delta: &Delta) -> bool {
    let identifiers = lake.key();
    let named = |ordinal: u32| {
        lake.columns
            .get(ordinal as usize)
            .map(|c| c.name.to_lowercase())
    };
    let is_key = |name: String| {
        let mut keys = plan.keys.iter();
        keys.any(|key| {
            let column = delta.columns.get(key.source as usize);
            column.is_some_and(|column| column.name.to_lowercase() == name)
        })
    };
    !identifiers.is_empty()
        && !plan.keys.is_empty()
        && !identifiers.into_iter().filter_map(named).all(is_key)
}

/// Refuses a plan that changes rows of a ledger table that takes new ones only (T-SQL reference, "CREATE TABLE",
/// `LEDGER = ON (APPEND_ONLY = ON)`).
///
/// # Errors
/// The table, and the merge that fits.
pub(crate) fn check_takes_changes(target: &SqlTable, plan: &MergePlan) -> Result<(), SyncError> {
    let changes = plan
        .clauses
        .iter()
        .any(|clause| clause.occasion != Occasion::NotMatched && clause.action != Action::Skip);
    match target.traits.append_only && changes {
        false => Ok(()),
        true => Err(SyncError::schema(
            format!(
                "target table {} is an append-only ledger table, and the merge changes or deletes rows",
                target.name
            ),
            "choose --merge append-only, or load into another table",
        )),
    }
}

/// Names of lake tables, some of them where they are many.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Whether the plan does something with rows that the delta does not have.
fn removes_unmatched(plan: &MergePlan) -> bool {
    plan.clauses.iter().any(|clause| {
        clause.occasion == Occasion::NotMatchedBySource && clause.action != Action::Skip
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use icehost_plan::{Clause, Features, WriteMode};
    use icehost_sqlserver::{TableName, Traits};

    use super::*;

    fn ledger(append_only: bool) -> SqlTable {
        SqlTable {
            name: TableName::new("dbo", "Ledger"),
            object_id: 1,
            created: None,
            database: "Shop".to_owned(),
            is_view: false,
            has_triggers: false,
            snapshot_isolation: false,
            table: Table {
                name: "dbo.Ledger".to_owned(),
                columns: Vec::new(),
                features: Features::default(),
                row_estimate: None,
            },
            columns: Vec::new(),
            unique_keys: Vec::new(),
            clustered_key: Vec::new(),
            traits: Traits {
                append_only,
                ..Traits::default()
            },
            skipped: Vec::new(),
        }
    }

    fn plan(clauses: &[(Occasion, Action)]) -> MergePlan {
        let clause = |(occasion, action): &(Occasion, Action)| Clause {
            occasion: *occasion,
            condition: None,
            action: action.clone(),
        };
        MergePlan {
            keys: Vec::new(),
            among: None,
            deduplicate: Vec::new(),
            clauses: clauses.iter().map(clause).collect(),
            mode: WriteMode::Append,
        }
    }

    #[test]
    fn an_append_only_ledger_takes_no_merge_that_changes_rows() {
        let adds = (Occasion::NotMatched, Action::WriteAll);
        let skips = (Occasion::Matched, Action::Skip);
        for changes in [
            (Occasion::Matched, Action::WriteAll),
            (Occasion::Matched, Action::Delete),
            (Occasion::NotMatchedBySource, Action::Delete),
        ] {
            let plan = plan(&[adds.clone(), changes]);
            let error = check_takes_changes(&ledger(true), &plan).unwrap_err();
            assert!(
                error.to_string().contains(
                    "target table dbo.Ledger is an append-only ledger table, and the merge changes"
                ),
                "{error}"
            );
            check_takes_changes(&ledger(false), &plan).unwrap();
        }
        check_takes_changes(&ledger(true), &plan(&[adds, skips])).unwrap();
    }
}
