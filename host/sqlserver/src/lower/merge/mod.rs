//! Merge plans into T-SQL: MERGE where the server has it, and the same in several statements where not.

mod absent;
mod append;
mod checks;
mod choice;
mod clauses;
mod come_again;
mod deduplicate;
mod matching;
mod one_key;
mod required;
mod spelling;
mod succession;
mod there_already;
mod with_merge;
mod without_merge;

use std::fmt;

use icehost_plan::{Delta, ValidMergePlan};

use super::Operand;
use super::staging::Staging;
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::name::quote;
use crate::statement::Statement;
use clauses::Clauses;

pub use absent::AbsentStatements;
pub use checks::{IdentityCheck, MergeChecks};
pub use one_key::OneKeyStatements;
pub use required::check_inserts;
pub(crate) use spelling::unmarked;
pub use spelling::{Spelling, SpellingStatements};

/// What carries out a merge plan once its delta is staged.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeStatements {
    /// The target, quoted, where its identity column is given values: `SET IDENTITY_INSERT` has to be on for
    /// it meanwhile, as a setting of the session.
    pub identity_insert: Option<String>,
    /// Removes from the staging table all but one row of each key; one row, one column: how many.
    pub deduplicate: Option<Statement>,
    /// Merges the staging table into the target; one row: inserted, updated, deleted.
    pub apply: Statement,
    /// Does the same where the target has no row, with one INSERT; `None` where the plan inserts nothing or
    /// `apply` is an INSERT itself.
    pub apply_to_empty: Option<Statement>,
    /// What is done around `apply` for rows that are superseded; nothing where the target has no row.
    pub successions: Vec<SuccessionStatements>,
    /// For a complete delivery that is merged as changes: what makes deletions of the rows that it lacks.
    pub absent: Option<AbsentStatements>,
    /// One row: how many rows the plan's clauses for rows without a counterpart change, and of how many; `None`
    /// where it has none.
    pub count_unmatched: Option<Statement>,
    /// For a plan without keys, one flag: a row that would be added is there already.
    pub there_already: Option<Statement>,
    /// What is looked for before the merge.
    pub checks: MergeChecks,
}

/// What a clause that supersedes rows takes beside the merge, in the same transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct SuccessionStatements {
    /// Before the merge: notes in the staging table which rows are to be added.
    pub note: Statement,
    /// After the merge: adds them; one row, one column: how many.
    pub add: Statement,
    /// The target, quoted, where `add` gives its identity column values.
    pub identity_insert: Option<String>,
}

impl fmt::Display for MergeStatements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(deduplicate) = &self.deduplicate {
            writeln!(f, "{deduplicate}\n")?;
        }
        for succession in &self.successions {
            writeln!(f, "{}\n", succession.note)?;
        }
        with_identity(f, &self.identity_insert, &self.apply)?;
        for succession in &self.successions {
            f.write_str("\n\n")?;
            with_identity(f, &succession.identity_insert, &succession.add)?;
        }
        Ok(())
    }
}

fn with_identity(
    f: &mut fmt::Formatter<'_>,
    identity_insert: &Option<String>,
    statement: &Statement,
) -> fmt::Result {
    match identity_insert {
        None => write!(f, "{statement}"),
        Some(table) => write!(
            f,
            "SET IDENTITY_INSERT {table} ON;\n{statement}\nSET IDENTITY_INSERT {table} OFF;"
        ),
    }
}

/// Lowers a plan as it would run, for a dry run: the staging table is called `#icehost_stage`.
///
/// # Errors
/// [`ErrorKind::Plan`](crate::ErrorKind::Plan) and [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)
/// for what SQL Server cannot do.
pub fn merge(
    target: &SqlTable,
    delta: &Delta,
    plan: &ValidMergePlan,
    has_merge: bool,
) -> Result<MergeStatements> {
    let staging = Staging::new("#icehost_stage", target, &delta.columns, false)?;
    lower(target, &staging, delta, plan, has_merge)
}

pub(crate) fn lower(
    target: &SqlTable,
    staging: &Staging,
    delta: &Delta,
    plan: &ValidMergePlan,
    has_merge: bool,
) -> Result<MergeStatements> {
    if target.is_view {
        return Err(SqlServerError::unsupported(format!(
            "{} is a view; only tables can be loaded",
            target.name
        )));
    }
    let context = Context::new(target, staging, delta, plan);
    let clauses = Clauses::new(plan);
    let (apply, identity) = if plan.keys.is_empty() {
        append::statement(&context, &clauses)?
    } else if has_merge {
        with_merge::statement(&context, &clauses)?
    } else {
        without_merge::statement(&context, &clauses)?
    };
    let apply_to_empty = match plan.keys.is_empty() {
        true => None,
        false => append::into_empty(&context, &clauses)?,
    };
    Ok(MergeStatements {
        identity_insert: identity.then(|| target.name.sql()),
        deduplicate: deduplicate::statement(&context)?,
        apply,
        apply_to_empty,
        successions: succession::statements(&context, &clauses)?,
        absent: absent::as_deletions(&context, &clauses)?,
        count_unmatched: absent::count_unmatched(&context, &clauses)?,
        there_already: there_already::statement(&context, &clauses)?,
        checks: checks::checks(&context, &clauses)?,
    })
}

/// What is asked about the spelling of a delta's keys, as [`merge`] lowers a plan. `spellings` are of the plan's keys,
/// in their order; `identifying` are the columns of the delta, beside those of the key, that tell its rows apart.
///
/// # Errors
/// [`ErrorKind::Plan`](crate::ErrorKind::Plan) for a key that is not there.
pub fn spellings(
    target: &SqlTable,
    delta: &Delta,
    plan: &ValidMergePlan,
    spellings: &[Option<Spelling>],
    identifying: &[u32],
) -> Result<SpellingStatements> {
    let staging = Staging::new("#icehost_stage", target, &delta.columns, false)?;
    lower_spellings(target, &staging, delta, plan, (spellings, identifying))
}

/// What leaves one row of each key of a delta, as [`merge`] lowers a plan, where several keys of the target may be one for
/// whoever delivers them. `spellings` are of the plan's keys, in their order.
///
/// # Errors
/// [`ErrorKind::Plan`](crate::ErrorKind::Plan) for a key that is not there.
pub fn one_key(
    target: &SqlTable,
    delta: &Delta,
    plan: &ValidMergePlan,
    spellings: &[Option<Spelling>],
) -> Result<OneKeyStatements> {
    let staging = Staging::new("#icehost_stage", target, &delta.columns, false)?;
    lower_one_key(target, &staging, delta, plan, spellings)
}

/// What takes deletions of keys out of a delta that come in another spelling, as [`merge`] lowers a plan; `None` for a
/// delta without an operation column.
///
/// # Errors
/// [`ErrorKind::Plan`](crate::ErrorKind::Plan) for a key that is not there.
pub fn come_again(
    target: &SqlTable,
    delta: &Delta,
    plan: &ValidMergePlan,
) -> Result<Option<Statement>> {
    let staging = Staging::new("#icehost_stage", target, &delta.columns, false)?;
    lower_come_again(target, &staging, delta, plan)
}

pub(crate) fn lower_come_again(
    target: &SqlTable,
    staging: &Staging,
    delta: &Delta,
    plan: &ValidMergePlan,
) -> Result<Option<Statement>> {
    come_again::statement(&Context::new(target, staging, delta, plan))
}

pub(crate) fn lower_one_key(
    target: &SqlTable,
    staging: &Staging,
    delta: &Delta,
    plan: &ValidMergePlan,
    spellings: &[Option<Spelling>],
) -> Result<OneKeyStatements> {
    let context = Context::new(target, staging, delta, plan);
    one_key::statements(&context, spellings)
}

pub(crate) fn lower_spellings(
    target: &SqlTable,
    staging: &Staging,
    delta: &Delta,
    plan: &ValidMergePlan,
    (spellings, identifying): (&[Option<Spelling>], &[u32]),
) -> Result<SpellingStatements> {
    let context = Context::new(target, staging, delta, plan);
    spelling::statements(&context, spellings, identifying)
}

/// What all statements of one merge are made of. Each kind of merge gives its statement, and whether that gives
/// an identity column values.
struct Context<'a> {
    target: &'a SqlTable,
    staging: &'a Staging,
    delta: &'a Delta,
    plan: &'a ValidMergePlan,
    /// The delta's columns, `S.…`.
    source_operands: Vec<Operand>,
    /// The target's columns, `T.…`.
    target_operands: Vec<Operand>,
}

impl<'a> Context<'a> {
    fn new(
        target: &'a SqlTable,
        staging: &'a Staging,
        delta: &'a Delta,
        plan: &'a ValidMergePlan,
    ) -> Self {
        Context {
            target,
            staging,
            delta,
            plan,
            source_operands: staging.operands(),
            target_operands: target_operands(target),
        }
    }

    /// The staging table, aliased.
    fn source(&self) -> String {
        format!("{} AS S", quote(&self.staging.table))
    }
}

fn target_operands(target: &SqlTable) -> Vec<Operand> {
    target
        .columns
        .iter()
        .map(|column| Operand {
            sql: format!("T.{}", quote(&column.name)),
            sql_type: column.sql_type,
            collation: column.collation.clone(),
        })
        .collect()
}
