//! From the syntax of a table to its definition.

use std::sync::Arc;

use super::{Batch, TemporaryTable};
use crate::ast::{
    self, ColumnDefinition, ColumnKind, ConstraintKind, Name, ObjectName, TableConstraint,
};
use crate::bind::{Binder, Scope, ScopeColumn, ScopeSource};
use crate::collation::Collation;
use crate::error::{SqlResult, invalid_column, unsupported_type};
use crate::masking::Mask;
use crate::session::SqlError;
use crate::storage::{
    Check, Column, Computed, Default, Generated, IndexDefinition, IndexKind, Table,
    TableDefinition, TableKind,
};
use crate::transaction::Undo;
use crate::types::SqlType;

/// A name as the system makes one up: `PK__Customer__3213E83F0A1B2C3D`.
fn system_name(prefix: &str, table: &str, column: Option<&str>, id: i32) -> String {
    let cut = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    match column {
        Some(column) => format!(
            "{prefix}__{}__{}__{:08X}",
            cut(table, 9),
            cut(column, 5),
            id
        ),
        None => format!(
            "{prefix}__{}__{:016X}",
            cut(table, 8),
            (id as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ),
    }
}

fn duplicate_column(name: &str, table: &str) -> SqlError {
    SqlError::new(
        2705,
        16,
        3,
        format!(
            "Column names in each table must be unique. Column name '{name}' in table '{table}' is specified more than once."
        ),
    )
}

impl Batch<'_> {
    /// Builds a definition, or extends one (ALTER TABLE ADD).
    pub(super) fn extend_definition(
        &mut self,
        mut definition: TableDefinition,
        table: &str,
        added: &ast::TableDefinition,
    ) -> SqlResult<TableDefinition> {
        for column in &added.columns {
            if definition.ordinal(&column.name.0).is_some() {
                return Err(duplicate_column(&column.name.0, table));
            }
            let key = added
                .constraints
                .iter()
                .any(|constraint| match &constraint.kind {
                    ConstraintKind::Key {
                        primary: true,
                        columns,
                        ..
                    } => columns.iter().any(|(name, _)| *name == column.name),
                    _ => false,
                });
            let built = self.column(column, key, table, &definition)?;
            definition.columns.push(built);
            definition.last_column_id += 1;
        }
        let identities = definition
            .columns
            .iter()
            .filter(|column| column.identity.is_some())
            .count();
        if identities > 1 {
            return Err(SqlError::new(
                2744,
                16,
                2,
                format!(
                    "Multiple identity columns specified for table '{table}'. Only one identity column per table is allowed."
                ),
            ));
        }
        if definition
            .columns
            .iter()
            .filter(|column| column.sql_type == SqlType::RowVersion)
            .count()
            > 1
        {
            return Err(SqlError::new(
                2738,
                16,
                2,
                format!(
                    "A table can only have one timestamp column. Because table '{table}' already has one, the column cannot be added."
                ),
            ));
        }
        for constraint in &added.constraints {
            self.add_constraint(&mut definition, table, constraint)?;
        }
        Ok(definition)
    }

    fn column(
        &mut self,
        column: &ColumnDefinition,
        key: bool,
        table: &str,
        so_far: &TableDefinition,
    ) -> SqlResult<Column> {
        let (sql_type, computed, nullable) = match &column.kind {
            ColumnKind::Typed(sql_type) => {
                let nullable = column.nullable.unwrap_or(
                    !key && column.identity.is_none()
                        && column.generated.is_none()
                        && *sql_type != SqlType::RowVersion
                        && *sql_type != SqlType::SysName,
                );
                (sql_type.clone(), None, nullable)
            }
            ColumnKind::Computed {
                expr,
                text,
                persisted,
            } => {
                let (sql_type, nullable) = self.computed_type(expr, table, so_far)?;
                let computed = Computed {
                    expr: expr.clone(),
                    text: format!("({})", text.trim_start_matches('(').trim_end_matches(')')),
                    persisted: *persisted,
                };
                (
                    sql_type,
                    Some(computed),
                    column.nullable.unwrap_or(nullable),
                )
            }
        };
        if sql_type == SqlType::Xml {
            return Err(unsupported_type("xml columns"));
        }
        if key && column.nullable == Some(true) {
            return Err(SqlError::new(
                8147,
                16,
                1,
                format!(
                    "Could not create PRIMARY KEY constraint on nullable column '{}' in table '{table}'.",
                    column.name.0
                ),
            ));
        }
        if column.identity.is_some() {
            let whole = matches!(&sql_type, SqlType::Decimal { scale: 0, .. })
                || (sql_type.is_integer() && sql_type != SqlType::Bit);
            if !whole || nullable {
                return Err(SqlError::new(
                    2749,
                    16,
                    2,
                    format!(
                        "Identity column '{}' must be of data type int, bigint, smallint, tinyint, or decimal or numeric with a scale of 0, unencrypted, and constrained to be nonnullable.",
                        column.name.0
                    ),
                ));
            }
        }
        let collation = match &column.collation {
            Some(name) => {
                let collation = Collation::named(&name.0)?;
                collation.holds(&sql_type)?;
                Some(collation)
            }
            None if sql_type.is_text() => Some(Collation::server_default()),
            None => None,
        };
        let default = column
            .default
            .as_ref()
            .map(|default| self.default(default, table, &column.name.0));
        Ok(Column {
            name: column.name.0.clone(),
            id: so_far.last_column_id + 1,
            sql_type,
            nullable,
            collation,
            identity: column.identity,
            default,
            computed,
            rowguidcol: column.rowguidcol,
            mask: match &column.mask {
                Some(function) => Some(Mask::named(function)?),
                None => None,
            },
            generated: column
                .generated
                .map(|(end, hidden)| Generated { end, hidden }),
            encrypted: column.encrypted,
        })
    }

    fn default(&mut self, default: &ast::DefaultDefinition, table: &str, column: &str) -> Default {
        let object_id = self.session.server.next_object_id();
        Default {
            name: default.name.as_ref().map_or_else(
                || system_name("DF", table, Some(column), object_id),
                |name| name.0.clone(),
            ),
            object_id,
            expr: default.expr.clone(),
            text: format!("({})", default.text),
            system_named: default.name.is_none(),
        }
    }

    /// The type of a computed column's expression over the columns before it.
    fn computed_type(
        &mut self,
        expr: &ast::Expr,
        table: &str,
        so_far: &TableDefinition,
    ) -> SqlResult<(SqlType, bool)> {
        let scope = definition_scope(table, so_far);
        let context = self.context();
        let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
        let (typed, _) =
            binder.in_scope(Scope::of(vec![scope]), |binder| binder.bind_scalar(expr))?;
        Ok((typed.sql_type, typed.nullable))
    }

    fn add_constraint(
        &mut self,
        definition: &mut TableDefinition,
        table: &str,
        constraint: &TableConstraint,
    ) -> SqlResult<()> {
        let object_id = self.session.server.next_object_id();
        let named = |prefix: &str, column: Option<&str>| {
            constraint.name.as_ref().map_or_else(
                || system_name(prefix, table, column, object_id),
                |name| name.0.clone(),
            )
        };
        let system_named = constraint.name.is_none();
        match &constraint.kind {
            ConstraintKind::Check { expr, text } => {
                let scope = definition_scope(table, definition);
                let context = self.context();
                let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
                binder.in_scope(Scope::of(vec![scope]), |binder| binder.bind_predicate(expr))?;
                definition.checks.push(Check {
                    name: named("CK", None),
                    object_id,
                    expr: expr.clone(),
                    text: text.clone(),
                    system_named,
                });
            }
            ConstraintKind::Default {
                column,
                definition: default,
            } => {
                let ordinal = definition
                    .ordinal(&column.0)
                    .ok_or_else(|| invalid_column(&column.0))?;
                if definition.columns[ordinal].default.is_some() {
                    return Err(SqlError::new(
                        1781,
                        16,
                        1,
                        "Column already has a DEFAULT bound to it.",
                    ));
                }
                let built = self.default(default, table, &column.0);
                definition.columns[ordinal].default = Some(built);
            }
            ConstraintKind::Key {
                primary,
                clustered,
                columns,
            } => {
                let kind = if *primary {
                    IndexKind::PrimaryKey
                } else {
                    IndexKind::UniqueConstraint
                };
                if *primary
                    && definition
                        .indexes
                        .iter()
                        .any(|index| index.kind == IndexKind::PrimaryKey)
                {
                    return Err(SqlError::new(
                        1779,
                        16,
                        0,
                        format!("Table '{table}' already has a primary key defined on it."),
                    ));
                }
                let ordinals = key_ordinals(definition, columns)?;
                if *primary {
                    for (ordinal, _) in &ordinals {
                        if definition.columns[*ordinal].nullable
                            && definition.columns[*ordinal].computed.is_none()
                        {
                            return Err(SqlError::new(
                                8111,
                                16,
                                1,
                                format!(
                                    "Cannot define PRIMARY KEY constraint on nullable column in table '{table}'."
                                ),
                            ));
                        }
                        definition.columns[*ordinal].nullable = false;
                    }
                }
                let has_clustered = definition.indexes.iter().any(|index| index.clustered);
                let clustered = clustered.unwrap_or(*primary && !has_clustered);
                let name = named(if *primary { "PK" } else { "UQ" }, None);
                push_index(
                    definition,
                    IndexDefinition {
                        name,
                        id: 0,
                        object_id,
                        kind,
                        clustered,
                        columns: ordinals,
                        included: Vec::new(),
                        system_named,
                    },
                )?;
            }
        }
        Ok(())
    }

    /// Makes a table and enters it where its name says.
    pub(crate) fn create_stored_table(
        &mut self,
        name: &ObjectName,
        definition: TableDefinition,
    ) -> SqlResult<Arc<Table>> {
        let exists = || {
            SqlError::new(
                2714,
                16,
                6,
                format!(
                    "There is already an object named '{}' in the database.",
                    name.name.0
                ),
            )
        };
        let id = self.session.server.next_object_id();
        let created = self.session.server.clock().local();
        if name.name.0.starts_with('#') {
            if name.name.0.starts_with("##") {
                return Err(crate::error::unsupported_clause("global temporary tables"));
            }
            let level = self.session.nesting;
            let folded = name.name.folded();
            if self.session.temporary.iter().any(|temporary| {
                temporary.level == level && temporary.table.name.to_lowercase() == folded
            }) {
                return Err(exists());
            }
            let object_id = self.temporary_object_id();
            let table = Arc::new(Table::new(
                (id, object_id),
                (2, 1, "dbo"),
                &name.name.0,
                TableKind::Temporary,
                created,
                Arc::new(definition),
            ));
            self.session.temporary.push(TemporaryTable {
                level,
                table: table.clone(),
            });
            if let Some(transaction) = &mut self.session.transaction {
                transaction.record(Undo::TemporaryCreated(id));
            }
            return Ok(table);
        }
        let database = self.session.database_of(name)?;
        self.session.refuse_if_read_only(&database)?;
        let schema_name = name
            .schema
            .as_ref()
            .map_or("dbo", |schema| schema.0.as_str());
        let Some((schema, schema_id)) = database.schema(schema_name) else {
            return Err(SqlError::new(
                2760,
                16,
                1,
                format!(
                    "The specified schema name \"{schema_name}\" either does not exist or you do not have permission to use it."
                ),
            ));
        };
        if let Some(other) = database.table(&schema, &name.name.0, self.session.id()) {
            // It may be another transaction's table that is not committed.
            self.session.lock_exclusively(&other, self.cancel)?;
            if database
                .table(&schema, &name.name.0, self.session.id())
                .is_some()
            {
                return Err(exists());
            }
        }
        if database.synonym(&schema, &name.name.0).is_some() {
            return Err(exists());
        }
        let place = (database.id, schema_id, schema.as_str());
        let table = Arc::new(Table::new(
            (id, database.next_object_id()),
            place,
            &name.name.0,
            TableKind::User,
            created,
            Arc::new(definition),
        ));
        self.session.lock_exclusively(&table, self.cancel)?;
        database.add(table.clone());
        if let Some(transaction) = &mut self.session.transaction {
            transaction.record(Undo::Created(database, table.clone()));
        }
        Ok(table)
    }

    /// Temporary tables' ids are negative (since SQL Server 2012).
    fn temporary_object_id(&self) -> i32 {
        let tempdb = self.session.server.database("tempdb");
        tempdb.map_or(0, |tempdb| -tempdb.next_object_id())
    }

    /// A table variable's table.
    pub(super) fn table_variable(
        &mut self,
        name: &str,
        definition: &ast::TableDefinition,
    ) -> SqlResult<Arc<Table>> {
        let definition = self.extend_definition(TableDefinition::default(), name, definition)?;
        let id = self.session.server.next_object_id();
        let object_id = self.temporary_object_id();
        Ok(Arc::new(Table::new(
            (id, object_id),
            (2, 1, "dbo"),
            name,
            TableKind::Variable,
            self.session.server.clock().local(),
            Arc::new(definition),
        )))
    }
}

/// The scope of a table that does not exist yet.
pub(super) fn definition_scope(table: &str, definition: &TableDefinition) -> ScopeSource {
    let columns = definition
        .columns
        .iter()
        .map(|column| ScopeColumn {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
            nullable: column.nullable,
            collation: column.collation.clone(),
            identity: false,
            read_only: false,
            hidden: false,
        })
        .collect();
    ScopeSource {
        name: table.to_owned(),
        schema: None,
        columns,
        qualified_only: false,
    }
}

/// The ordinals of a key's columns, with DESC.
pub(super) fn key_ordinals(
    definition: &TableDefinition,
    columns: &[(Name, bool)],
) -> SqlResult<Vec<(usize, bool)>> {
    let mut ordinals: Vec<(usize, bool)> = Vec::new();
    for (name, descending) in columns {
        let ordinal = definition.ordinal(&name.0).ok_or_else(|| {
            SqlError::new(
                1911,
                16,
                1,
                format!(
                    "Column name '{}' does not exist in the target table or view.",
                    name.0
                ),
            )
        })?;
        if ordinals.iter().any(|(known, _)| *known == ordinal) {
            return Err(SqlError::new(
                1909,
                16,
                1,
                format!(
                    "Cannot use duplicate column names in index. Column name '{}' listed more than once.",
                    name.0
                ),
            ));
        }
        let column = &definition.columns[ordinal];
        let unbounded = (column.sql_type.is_text() || column.sql_type.is_binary())
            && column.sql_type.length().is_none();
        if unbounded {
            return Err(SqlError::new(
                1919,
                16,
                1,
                format!(
                    "Column '{}' in table is of a type that is invalid for use as a key column in an index.",
                    column.name
                ),
            ));
        }
        ordinals.push((ordinal, *descending));
    }
    Ok(ordinals)
}

/// Adds an index with the next free `index_id`: 1 for a clustered one, from 2 on for the others.
pub(super) fn push_index(
    definition: &mut TableDefinition,
    mut index: IndexDefinition,
) -> SqlResult<()> {
    if index.clustered && definition.indexes.iter().any(|known| known.clustered) {
        return Err(SqlError::new(
            1902,
            16,
            3,
            "Cannot create more than one clustered index on a table. Drop the existing clustered index before creating another.",
        ));
    }
    if definition
        .indexes
        .iter()
        .any(|known| known.name.eq_ignore_ascii_case(&index.name))
    {
        return Err(SqlError::new(
            1913,
            16,
            1,
            format!(
                "The operation failed because an index or statistics with name '{}' already exists on the table.",
                index.name
            ),
        ));
    }
    index.id = if index.clustered {
        1
    } else {
        definition
            .indexes
            .iter()
            .map(|known| known.id)
            .max()
            .unwrap_or(1)
            .max(1)
            + 1
    };
    definition.indexes.push(index);
    definition.indexes.sort_by_key(|index| index.id);
    Ok(())
}
