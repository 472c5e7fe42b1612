//! ALTER TABLE.

use super::Batch;
use crate::ast::{self, AlterTable, Name, ObjectName};
use crate::bind::{Binder, Scope};
use crate::collation::Collation;
use crate::convert::{Excess, convert, truncation};
use crate::error::{SqlResult, unsupported_clause};
use crate::masking::Mask;
use crate::modify::fit_page;
use crate::plan::Environment;
use crate::session::SqlError;
use crate::storage::{Column, IndexKind, Row, Special, TableDefinition};
use crate::types::Datum;
use std::sync::Arc;

/// A value of a column as the column holds it that this one has become: text goes over by its characters, and one that
/// the new code page lacks becomes a question mark where that is what stands for it, else the statement is refused.
fn converted(value: &Datum, before: &Column, now: &Column) -> SqlResult<Datum> {
    let page = |column: &Column| column.collation.as_ref()?.other_page(&column.sql_type);
    match (value, page(before), page(now)) {
        (Datum::Text { .. }, _, Some(page)) => fit_page(now, page, value.clone(), |_| truncation()),
        (Datum::Text { value, .. }, Some(_), None) => {
            let unicode = Datum::Text {
                value: Arc::clone(value),
                national: true,
            };
            convert(&unicode, &now.sql_type, 0, Excess::Refuse)
        }
        _ => convert(value, &now.sql_type, 0, Excess::Refuse),
    }
}

impl Batch<'_> {
    /// A definition that is about to change, dated: "modify_date: date the object was last modified by using an
    /// ALTER statement. If the object is a table or a view, modify_date also changes when an index on the table
    /// or view is created or altered" (T-SQL reference, sys.objects).
    pub(super) fn modified(&self, definition: &TableDefinition) -> TableDefinition {
        TableDefinition {
            modified: Some(self.session.server.clock().local()),
            ..definition.clone()
        }
    }

    pub(super) fn alter_table(&mut self, name: &ObjectName, change: &AlterTable) -> SqlResult<()> {
        let target = self.open_for_change(name)?;
        let old = Arc::new(self.modified(&target.version.definition));
        if *change == AlterTable::StopVersioning {
            return self.stop_versioning(&target, TableDefinition::clone(&old));
        }
        if old.special != Special::Ordinary {
            return Err(unsupported_clause(
                "ALTER TABLE of a system-versioned, history or memory-optimized table",
            ));
        }
        match change {
            AlterTable::AddColumns { definition: added } => {
                let definition = self.extend_definition(
                    TableDefinition::clone(&old),
                    &target.table.name,
                    added,
                )?;
                self.add_columns(&target, definition, old.columns.len())
            }
            AlterTable::DropColumns { names, if_exists } => {
                self.drop_columns(&target, TableDefinition::clone(&old), names, *if_exists)
            }
            AlterTable::DropConstraints { names, if_exists } => {
                let mut definition = TableDefinition::clone(&old);
                for name in names {
                    drop_constraint(&mut definition, name, *if_exists)?;
                }
                self.redefine(&target, definition)
            }
            AlterTable::AlterColumn {
                name,
                sql_type,
                collation,
                nullable,
            } => {
                let mut definition = TableDefinition::clone(&old);
                let ordinal = definition.ordinal(&name.0).ok_or_else(|| {
                    SqlError::new(4924, 16, 1, format!("ALTER TABLE ALTER COLUMN failed because column '{}' does not exist in table '{}'.", name.0, target.table.name))
                })?;
                let column = &mut definition.columns[ordinal];
                if column.computed.is_some() {
                    return Err(SqlError::new(
                        4928,
                        16,
                        1,
                        format!(
                            "Cannot alter column '{}' because it is 'COMPUTED'.",
                            column.name
                        ),
                    ));
                }
                column.sql_type = sql_type.clone();
                column.nullable = nullable.unwrap_or(true);
                column.collation = match collation {
                    Some(collation) => {
                        let collation = Collation::named(&collation.0)?;
                        collation.holds(sql_type)?;
                        Some(collation)
                    }
                    None if sql_type.is_text() => Some(
                        column
                            .collation
                            .clone()
                            .unwrap_or_else(Collation::server_default),
                    ),
                    None => None,
                };
                let (column, table) = (column.clone(), target.table.display_name());
                let before = &old.columns[ordinal];
                let rows = target.version.mapped_rows(|row| {
                    let mut values = row.to_vec();
                    values[ordinal] = converted(&values[ordinal], before, &column)?;
                    if values[ordinal] == Datum::Null && !column.nullable {
                        return Err(SqlError::new(
                            515,
                            16,
                            2,
                            format!("Cannot insert the value NULL into column '{}', table '{table}'; column does not allow nulls. UPDATE fails.", column.name),
                        ));
                    }
                    Ok(Row::from(values))
                })?;
                let mut version = target.version.clone();
                Arc::make_mut(&mut version).redefine(
                    Arc::new(definition),
                    Some(rows),
                    &target.table.display_name(),
                )?;
                self.session.store(&target.table, version);
                Ok(())
            }
            AlterTable::StopVersioning => Ok(()),
            AlterTable::Mask { name, function } => {
                let mut definition = TableDefinition::clone(&old);
                let ordinal = definition
                    .ordinal(&name.0)
                    .ok_or_else(|| crate::error::invalid_column(&name.0))?;
                definition.columns[ordinal].mask = match function {
                    Some(function) => Some(Mask::named(function)?),
                    None => None,
                };
                self.redefine(&target, definition)
            }
            AlterTable::Trigger { name, enabled } => {
                let mut definition = TableDefinition::clone(&old);
                for trigger in &mut definition.triggers {
                    if name.as_ref().is_none_or(|name| name.is(&trigger.name)) {
                        trigger.enabled = *enabled;
                    }
                }
                self.redefine(&target, definition)
            }
        }
    }

    /// Fills new columns of old rows: with defaults where NOT NULL needs them, rowversions and identities.
    fn add_columns(
        &mut self,
        target: &super::OpenTable,
        definition: TableDefinition,
        known: usize,
    ) -> SqlResult<()> {
        let empty = target.version.rows.len() == 0;
        for column in &definition.columns[known..] {
            let filled = column.nullable
                || column.default.is_some()
                || column.computed.is_some()
                || column.identity.is_some()
                || column.sql_type == crate::types::SqlType::RowVersion;
            if !filled && !empty {
                return Err(SqlError::new(
                    4901,
                    16,
                    1,
                    format!(
                        "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified, or the column being added is an identity or timestamp column, or alternatively if none of the previous conditions are satisfied the table must be empty to allow addition of this column. Column '{}' cannot be added to non-empty table '{}' because it does not satisfy these conditions.",
                        column.name, target.table.name
                    ),
                ));
            }
        }
        let context = self.context();
        let mut fills = Vec::new();
        for column in &definition.columns[known..] {
            let expr = match (&column.default, &column.computed) {
                (Some(default), _) if !column.nullable => {
                    let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
                    let (typed, _) = binder
                        .in_scope(Scope::default(), |binder| binder.bind_scalar(&default.expr))?;
                    Some(
                        typed
                            .converted(&column.sql_type, Excess::Refuse, true)?
                            .expr,
                    )
                }
                (_, Some(_)) if !empty => {
                    return Err(unsupported_clause(
                        "ALTER TABLE ADD of a computed column to a table with rows",
                    ));
                }
                _ => None,
            };
            fills.push((expr, column.clone()));
        }
        let (session, database) = (&mut *self.session, target.database.clone());
        let rows = target.version.mapped_rows(|row| {
            let mut values = row.to_vec();
            for (expr, column) in &fills {
                values.push(match expr {
                    Some(expr) => expr.eval(&context, &Environment::EMPTY)?,
                    None if column.sql_type == crate::types::SqlType::RowVersion => {
                        let version = session
                            .transaction
                            .as_mut()
                            .map_or(0, |transaction| transaction.row_version(&database));
                        Datum::Binary(version.to_be_bytes().as_slice().into())
                    }
                    None => match column.identity {
                        Some((seed, increment)) => {
                            let mut counter = target.table.identity.lock();
                            let next = counter.next((seed, increment));
                            counter.last = Some(next);
                            convert(
                                &Datum::Decimal {
                                    unscaled: next,
                                    precision: 38,
                                    scale: 0,
                                },
                                &column.sql_type,
                                0,
                                Excess::Refuse,
                            )?
                        }
                        None => Datum::Null,
                    },
                });
            }
            Ok(Row::from(values))
        })?;
        self.check_added(&context, &definition, target, &rows)?;
        let mut version = target.version.clone();
        Arc::make_mut(&mut version).redefine(
            Arc::new(definition),
            Some(rows),
            &target.table.display_name(),
        )?;
        self.session.store(&target.table, version);
        Ok(())
    }

    fn drop_columns(
        &mut self,
        target: &super::OpenTable,
        mut definition: TableDefinition,
        names: &[Name],
        if_exists: bool,
    ) -> SqlResult<()> {
        let mut rows = target.version.rows.clone();
        for name in names {
            let Some(ordinal) = definition.ordinal(&name.0) else {
                if if_exists {
                    continue;
                }
                return Err(SqlError::new(
                    4924,
                    16,
                    1,
                    format!(
                        "ALTER TABLE DROP COLUMN failed because column '{}' does not exist in table '{}'.",
                        name.0, target.table.name
                    ),
                ));
            };
            let used = definition.indexes.iter().any(|index| {
                index.columns.iter().any(|(column, _)| *column == ordinal)
                    || index.included.contains(&ordinal)
            });
            let mentioned = |expr: &ast::Expr| {
                format!("{expr:?}").to_lowercase().contains(&format!(
                    "name(\"{}\")",
                    definition.columns[ordinal].name.to_lowercase()
                ))
            };
            let in_check = definition.checks.iter().any(|check| mentioned(&check.expr));
            let in_computed = definition.columns.iter().any(|column| {
                column
                    .computed
                    .as_ref()
                    .is_some_and(|computed| mentioned(&computed.expr))
            });
            if used || in_check || in_computed || definition.columns[ordinal].default.is_some() {
                return Err(SqlError::new(
                    5074,
                    16,
                    1,
                    format!(
                        "ALTER TABLE DROP COLUMN {} failed because one or more objects access this column.",
                        name.0
                    ),
                ));
            }
            definition.columns.remove(ordinal);
            let shift = |column: &mut usize| *column -= usize::from(*column > ordinal);
            for index in &mut definition.indexes {
                index
                    .columns
                    .iter_mut()
                    .for_each(|(column, _)| shift(column));
                index.included.iter_mut().for_each(shift);
            }
            let mut without = rows.clone();
            for (id, row) in rows.iter() {
                let mut values = row.to_vec();
                values.remove(ordinal);
                without.replace(id, Row::from(values));
            }
            rows = without;
        }
        let mut version = target.version.clone();
        Arc::make_mut(&mut version).redefine(
            Arc::new(definition),
            Some(rows),
            &target.table.display_name(),
        )?;
        self.session.store(&target.table, version);
        Ok(())
    }

    /// New CHECK constraints must hold for the rows that are there.
    fn check_added(
        &mut self,
        context: &crate::context::Context,
        definition: &TableDefinition,
        target: &super::OpenTable,
        rows: &crate::storage::Rows,
    ) -> SqlResult<()> {
        for check in &definition.checks[target.version.definition.checks.len()..] {
            let scope = super::definition::definition_scope(&target.table.name, definition);
            let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
            let (predicate, _) = binder.in_scope(Scope::of(vec![scope]), |binder| {
                binder.bind_predicate(&check.expr)
            })?;
            for (_, row) in rows.iter() {
                let tuple = [row.clone()];
                if predicate.test(
                    context,
                    &Environment {
                        rows: &tuple,
                        outer: None,
                    },
                )? == Some(false)
                {
                    return Err(SqlError::new(
                        547,
                        16,
                        0,
                        format!(
                            "The ALTER TABLE statement conflicted with the CHECK constraint \"{}\". The conflict occurred in database \"{}\", table \"{}\".",
                            check.name,
                            target.database.name,
                            target.table.display_name()
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn drop_constraint(
    definition: &mut TableDefinition,
    name: &Name,
    if_exists: bool,
) -> SqlResult<()> {
    let before = (definition.indexes.len(), definition.checks.len());
    definition.indexes.retain(|index| {
        !(name.is(&index.name)
            && matches!(
                index.kind,
                IndexKind::PrimaryKey | IndexKind::UniqueConstraint
            ))
    });
    definition.checks.retain(|check| !name.is(&check.name));
    let mut dropped = before != (definition.indexes.len(), definition.checks.len());
    for column in &mut definition.columns {
        if column
            .default
            .as_ref()
            .is_some_and(|default| name.is(&default.name))
        {
            column.default = None;
            dropped = true;
        }
    }
    if dropped || if_exists {
        return Ok(());
    }
    Err(SqlError::new(
        3728,
        16,
        1,
        format!("'{}' is not a constraint.", name.0),
    ))
}
