//! Keys that are two for whoever delivers them, and one for the target.
//!
//! Rows with one key are versions of a row, and the last of them counts. Rows whose keys differ are rows of their own,
//! and none may give way to another only because the target's collation takes their keys for one.

use icehost_plan::{LogicalType, Operation, SqlType};

use super::Context;
use super::matching::Matching;
use crate::error::Result;
use crate::lower::ddl::collation;
use crate::lower::staging::StagedColumn;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// How whoever delivers a key's values tells them apart, where the target may take for one what they take for two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spelling {
    /// As a column of this type compares under this collation.
    Compared {
        /// The column's type.
        sql_type: SqlType,
        /// The collation's name.
        collation: String,
    },
    /// Every spelling is a value of its own, with blanks or zeros at its end too.
    Exact,
}

/// Questions about the staged rows.
#[derive(Debug, Clone, PartialEq)]
pub struct SpellingStatements {
    /// One row about a key of the target that rows with several keys have, or none: of each part the two values,
    /// as [`unmarked`] reads them.
    pub collision: Statement,
    /// One flag: a row has a key that a row of the target has in another spelling, or with other values in the
    /// identifying columns.
    pub respelled: Statement,
}

/// `spellings` are of the plan's keys, in their order; `None` where nobody tells more values apart than the target.
/// `identifying` are the columns of the delta, beside those of the key, by which whoever delivers tells rows apart.
pub(super) fn statements(
    context: &Context<'_>,
    spellings: &[Option<Spelling>],
    identifying: &[u32],
) -> Result<SpellingStatements> {
    Ok(SpellingStatements {
        collision: collision(context, spellings)?,
        respelled: respelled(context, spellings, identifying)?,
    })
}

/// A value as [`SpellingStatements::collision`] shows it, without the mark behind it.
pub(crate) fn unmarked(shown: &str) -> &str {
    shown.strip_suffix(MARK).unwrap_or(shown)
}

/// Stands behind a text so that blanks at its end count.
const MARK: &str = ".";

/// A part of the key.
pub(super) struct Part<'a> {
    pub(super) staged: &'a StagedColumn,
    pub(super) spelling: Option<&'a Spelling>,
    /// The value that is merged.
    pub(super) key: String,
    /// The target's column.
    pub(super) target: String,
}

pub(super) fn parts<'a>(
    context: &'a Context<'_>,
    spellings: &'a [Option<Spelling>],
) -> Result<Vec<Part<'a>>> {
    let mut parts = Vec::with_capacity(context.plan.keys.len());
    for (at, key) in context.plan.keys.iter().enumerate() {
        let Some(staged) = context.staging.columns.get(key.source as usize) else {
            continue;
        };
        parts.push(Part {
            staged,
            spelling: spellings.get(at).and_then(Option::as_ref),
            key: staged.image(),
            target: format!("T.{}", quote(&context.target.column(key.target)?.name)),
        });
    }
    Ok(parts)
}

fn collision(context: &Context<'_>, spellings: &[Option<Spelling>]) -> Result<Statement> {
    let parts = parts(context, spellings)?;
    let (mut shown, mut differ) = (Vec::new(), Vec::new());
    for part in &parts {
        let value = part.staged.staged();
        let marked = exact(&value, part.staged.sql_type, "400");
        shown.push(format!("MIN({marked}), MAX({marked})"));
        if let Some(spelling) = part.spelling {
            let value = told_apart(&value, part.staged.sql_type, spelling);
            differ.push(format!("MIN({value}) <> MAX({value})"));
        }
    }
    let keys: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
    Ok(Statement::plain(format!(
        "SELECT TOP (1) {}\nFROM {}{}\nGROUP BY {}\nHAVING {};",
        shown.join(", "),
        context.source(),
        live(context).map_or_else(String::new, |live| format!("\nWHERE {live}")),
        keys.join(", "),
        differ.join("\n    OR ")
    )))
}

fn respelled(
    context: &Context<'_>,
    spellings: &[Option<Spelling>],
    identifying: &[u32],
) -> Result<Statement> {
    let mut parameters = Parameters::default();
    let matching = Matching::new(context, &mut parameters)?;
    let mut differ = Vec::new();
    for part in parts(context, spellings)? {
        if let Some(spelling) = part.spelling {
            let kind = part.staged.sql_type;
            // The target fills up what has a fixed length.
            let there = match kind.blank_padded() {
                Some(_) => format!("RTRIM({})", part.target),
                None => part.target,
            };
            differ.push(format!(
                "{} <> {}",
                told_apart(&there, kind, spelling),
                told_apart(&part.staged.staged(), kind, spelling)
            ));
        }
    }
    for &ordinal in identifying {
        let staged = context.staging.columns.get(ordinal as usize);
        let column = staged.and_then(|staged| context.target.columns.get(staged.target?));
        if let (Some(staged), Some(column)) = (staged, column) {
            differ.push(format!("T.{} <> {}", quote(&column.name), staged.image()));
        }
    }
    let live = live(context).map_or_else(String::new, |live| format!(" AND {live}"));
    Ok(parameters.finish(format!(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM {} AS T
    INNER JOIN {} ON {}
    WHERE ({}){live}) THEN 1 ELSE 0 END;",
        context.target.name.sql(),
        context.source(),
        matching.on(),
        differ.join(" OR "),
    )))
}

/// What a row that is there fulfils; `None` where all are.
pub(super) fn live(context: &Context<'_>) -> Option<String> {
    let gone = Operation::Delete as i32;
    operation(context).map(|operation| format!("{} <> {gone}", operation.staged()))
}

/// The staged column that says what happened to a row.
pub(super) fn operation<'a>(context: &'a Context<'_>) -> Option<&'a StagedColumn> {
    let operation = context.delta.operation.map(|ordinal| ordinal as usize);
    operation.and_then(|at| context.staging.columns.get(at))
}

/// A value that equals another only if they are one in this way.
pub(super) fn told_apart(value: &str, kind: SqlType, spelling: &Spelling) -> String {
    let Spelling::Compared {
        sql_type,
        collation: name,
    } = spelling
    else {
        return exact(value, kind, "4000");
    };
    let Some(name) = collation(name) else {
        return exact(value, kind, "4000");
    };
    match sql_type.code_page_length() {
        // Some collations compare text of a code page by other rules.
        Some(_) => format!("CONVERT(varchar(8000), {value} COLLATE {name})"),
        None => format!("CONVERT(nvarchar(4000), {value}) COLLATE {name}"),
    }
}

/// A text that equals another only if the values are the same to the last blank or zero; of others than text and
/// binary values, some text.
pub(super) fn exact(value: &str, kind: SqlType, length: &str) -> String {
    match kind.logical() {
        LogicalType::Text => format!(
            "(CONVERT(nvarchar({length}), {value}) + N'{MARK}') COLLATE Latin1_General_BIN2"
        ),
        LogicalType::Binary => format!("CONVERT(varchar(max), {value}, 1)"),
        _ => format!("CONVERT(nvarchar({length}), {value})"),
    }
}
