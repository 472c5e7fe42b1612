//! The columns by which the lake tells the source's rows apart, and whether they do.

use futures::future::BoxFuture;
use icehost_lake::{KeyQuestion, LakeError, LakeErrorKind, SameKeys};
use icehost_plan::{Column, ColumnType, Table, Value};
use icehost_sqlserver::{Connection, KeyColumn, SqlTable};

use crate::detection::change::LakeChange;
use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::{ColumnRule, ColumnRules, Source, SyncError};

impl LakeChange {
    /// Ordinals in the source of the columns that rows are told apart by: the change's key and the table's own.
    pub(crate) fn key_columns(&self, source: &SqlTable) -> Vec<u32> {
        let mut keys = self.chosen_key(&source.table).unwrap_or_default();
        for ordinal in source.table.key() {
            if !keys.contains(&ordinal) {
                keys.push(ordinal);
            }
        }
        keys
    }

    /// Ordinals in the source of the change's key; `None` where a part of it is no column of the source.
    pub(crate) fn chosen_key(&self, source: &Table) -> Option<Vec<u32>> {
        let ordinal = |&key: &u32| {
            let name = &self.columns.get(key as usize)?.name;
            let at = source.columns.iter().position(|c| c.name == *name)?;
            u32::try_from(at).ok()
        };
        self.rows.key_columns().iter().map(ordinal).collect()
    }

    /// Whether the server lets no two rows have the same key: it has a unique index on columns of it.
    pub(crate) fn key_is_enforced(&self, source: &SqlTable) -> bool {
        let Some(key) = self.chosen_key(&source.table) else {
            return false;
        };
        let has = |name: &String| {
            source
                .ordinal(name)
                .is_some_and(|at| key.contains(&(at as u32)))
        };
        let mut unique = source.unique_keys.iter();
        unique.any(|columns| !columns.is_empty() && columns.iter().all(has))
    }
}

/// Asks the server for rows that the change could not tell apart: two with one key, by its own comparison, or one
/// without. It reads the whole table, and is asked only where nothing enforces the key.
///
/// # Errors
/// Names the key and a value of it.
pub(crate) async fn check_unique(
    source: &mut OpenSource,
    change: &LakeChange,
    from: &Source,
) -> Result<(), SyncError> {
    let table = &source.table;
    let chooses = change.rows.has_key() && !change.rows.has_order();
    if !chooses || !from.transforms.is_empty() || change.key_is_enforced(table) {
        return Ok(());
    }
    let Some(key) = change.chosen_key(&table.table) else {
        return Ok(());
    };
    let repeated = source
        .connection
        .repeated_key(table, &key)
        .await
        .doing(|| format!("looking for rows of {} with one key", table.name))?;
    let Some(values) = repeated else {
        return Ok(());
    };
    let names: Vec<&str> = key
        .iter()
        .filter_map(|&at| Some(table.columns.get(at as usize)?.name.as_str()))
        .collect();
    let pairs: Vec<String> = names
        .iter()
        .zip(&values)
        .map(|(name, value)| match from.rules.concern(name) {
            true => format!("a value of {name}, which has a rule,"),
            false => format!("{name} = {}", shown(value)),
        })
        .collect();
    let (why, hint) = match values.contains(&Value::Null) {
        true => (
            "has NULL, which equals no other key",
            "choose columns without NULL (the merge's option keys), or keep every row that is read (append-only)",
        ),
        false => (
            "stands in several rows",
            "choose columns that do (the merge's option keys), keep one row of each key (its option \
             deduplicate-by), or keep every row that is read (append-only)",
        ),
    };
    Err(SyncError::schema(
        format!(
            "the key {} does not tell the rows of {} apart: {} {why}",
            names.join(", "),
            table.name,
            pairs.join(", "),
        ),
        hint,
    ))
}

/// Refuses to match rows by a column whose rule makes different values the same: one row would take the place of
/// others, unless it was chosen which one. A hash does not.
///
/// # Errors
/// Names the column.
pub(crate) fn check_rules(
    change: &LakeChange,
    table: &Table,
    rules: &ColumnRules,
) -> Result<(), SyncError> {
    if change.rows.has_order() {
        return Ok(());
    }
    let keys = change.rows.key_columns();
    let names = keys
        .iter()
        .filter_map(|&key| Some(&change.columns.get(key as usize)?.name));
    for name in names {
        let rule = rules
            .rules
            .iter()
            .find(|(column, _)| column.to_lowercase() == name.to_lowercase());
        if rule.is_some_and(|(_, rule)| *rule != ColumnRule::Hash) {
            return Err(SyncError::settings(
                format!(
                    "rows of {} are matched by column '{name}', whose rule makes different values the same",
                    table.name
                ),
                "a key is carried as it is, or hashed; choose other columns (the merge's option keys)",
            ));
        }
    }
    Ok(())
}

/// A value in a message.
fn shown(value: &Value) -> String {
    if *value == Value::Null {
        return "NULL".to_owned();
    }
    icehost_untrusted::shown_up_to(&value.text(), 100)
}

/// The source's server, asked which keys are one by the collations of its columns.
pub(crate) struct AskSource<'a> {
    connection: &'a mut Connection,
    key: Vec<KeyColumn>,
}

impl<'a> AskSource<'a> {
    /// About keys of this change. The connection's read must have ended.
    pub(crate) fn new(connection: &'a mut Connection, change: &LakeChange) -> Self {
        AskSource::of(connection, &change.columns, &change.rows.key_columns())
    }

    /// About keys of rows with these columns; `key` are the ordinals of those that make it.
    pub(crate) fn of(connection: &'a mut Connection, columns: &[Column], key: &[u32]) -> Self {
        let column = |&at: &u32| {
            let column = columns.get(at as usize)?;
            Some(KeyColumn {
                sql_type: match column.column_type {
                    ColumnType::Sql(sql_type) => sql_type,
                    ColumnType::Lake(lake_type) => lake_type.default_sql(true),
                },
                collation: column.collation.as_ref().map(|c| c.name().to_owned()),
            })
        };
        AskSource {
            connection,
            key: key.iter().filter_map(column).collect(),
        }
    }
}

impl SameKeys for AskSource<'_> {
    fn same<'b>(
        &'b mut self,
        question: &'b KeyQuestion,
    ) -> BoxFuture<'b, Result<Vec<(u32, u32)>, LakeError>> {
        Box::pin(async move {
            tracing::info!(?question, "asking the source which keys are one");
            let answer = self
                .connection
                .same_keys(&self.key, &question.delta, &question.table)
                .await;
            answer.map_err(|error| {
                let transient = error.is_transient();
                let hint = error.hint().unwrap_or("run again").to_owned();
                let message = "the source could not be asked which keys are one";
                let asked = LakeError::new(LakeErrorKind::KeysUnknown, message);
                let asked = asked.with_source(error).with_hint(hint);
                match transient {
                    true => asked.transient(),
                    false => asked,
                }
            })
        })
    }
}
