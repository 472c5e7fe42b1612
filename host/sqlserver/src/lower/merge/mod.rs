//! Merge plans into T-SQL: MERGE where the server has it, and the same in several statements where not.

mod append;
mod clauses;
mod deduplicate;
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
}

impl fmt::Display for MergeStatements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(deduplicate) = &self.deduplicate {
            writeln!(f, "{deduplicate}\n")?;
        }
        match &self.identity_insert {
            None => self.apply.fmt(f),
            Some(table) => write!(
                f,
                "SET IDENTITY_INSERT {table} ON;\n{}\nSET IDENTITY_INSERT {table} OFF;",
                self.apply
            ),
        }
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
    let context = Context {
        target,
        staging,
        delta,
        source_operands: staging.operands(),
        target_operands: target_operands(target),
    };
    let keys = context.keys(plan)?;
    let clauses = Clauses::new(plan);
    let (apply, identity) = if keys.is_empty() {
        append::statement(&context, &clauses)?
    } else if has_merge {
        with_merge::statement(&context, &keys, &clauses)?
    } else {
        without_merge::statement(&context, &keys, &clauses)?
    };
    let apply_to_empty = match keys.is_empty() {
        true => None,
        false => append::into_empty(&context, &clauses)?,
    };
    Ok(MergeStatements {
        identity_insert: identity.then(|| target.name.sql()),
        deduplicate: deduplicate::statement(&context, plan)?,
        apply,
        apply_to_empty,
    })
}

/// What all statements of one merge are made of. Each kind of merge gives its statement, and whether that gives
/// an identity column values.
struct Context<'a> {
    target: &'a SqlTable,
    staging: &'a Staging,
    delta: &'a Delta,
    /// The delta's columns, `S.…`.
    source_operands: Vec<Operand>,
    /// The target's columns, `T.…`.
    target_operands: Vec<Operand>,
}

impl Context<'_> {
    /// The staging table, aliased.
    fn source(&self) -> String {
        format!("{} AS S", quote(&self.staging.table))
    }

    /// The conditions under which a row of the target and one of the delta are the same row.
    fn keys(&self, plan: &ValidMergePlan) -> Result<Vec<String>> {
        let found = plan.keys.iter().map(|key| {
            let source = self.source_operands.get(key.source as usize);
            let target = self.target_operands.get(key.target as usize);
            match (source, target) {
                (Some(source), Some(target)) => Ok(format!("{} = {}", target.sql, source.sql)),
                _ => Err(SqlServerError::plan(
                    "a key of the plan is not among the columns of target and delta",
                )),
            }
        });
        found.collect()
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
