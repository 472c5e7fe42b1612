//! System-versioned and memory-optimized tables (SQL Server documentation, "Temporal tables", "In-Memory OLTP").
//!
//! A system-versioned table stamps its rows with the time at which their transaction began and keeps what they were
//! in its history table. Queries FOR SYSTEM_TIME and ALTER TABLE of such tables are refused, SYSTEM_VERSIONING = OFF
//! apart. Memory-optimized tables are ordinary ones here that refuse what those refuse.

use std::sync::Arc;

use super::{Access, Batch, OpenTable, Session};
use crate::ast::{CreateTable, Name, ObjectName};
use crate::collation::Collation;
use crate::compare::compare;
use crate::error::{SqlResult, unsupported_clause};
use crate::modify::RowChange;
use crate::session::{IsolationLevel, SqlError};
use crate::storage::{Column, IndexKind, Row, Special, Table, TableDefinition, TableKind};
use crate::types::{Datum, SqlType};

impl Session {
    /// 41332, 41368 and 10794: how a memory-optimized table may not be read.
    pub(crate) fn permit_in_memory(
        &self,
        definition: &TableDefinition,
        hints: &[String],
    ) -> SqlResult<()> {
        if definition.special != Special::MemoryOptimized {
            return Ok(());
        }
        let isolation = self
            .transaction
            .as_ref()
            .map_or(self.settings.isolation, |transaction| transaction.isolation);
        if isolation == IsolationLevel::Snapshot {
            return Err(SqlError::new(
                41332,
                16,
                0,
                "Memory optimized tables and natively compiled modules cannot be accessed or created when the session TRANSACTION ISOLATION LEVEL is set to SNAPSHOT.",
            ));
        }
        const LOCKING: [&str; 7] = [
            "TABLOCK", "TABLOCKX", "XLOCK", "UPDLOCK", "HOLDLOCK", "PAGLOCK", "ROWLOCK",
        ];
        if let Some(hint) = hints.iter().find(|hint| LOCKING.contains(&hint.as_str())) {
            return Err(not_in_memory("table option", &hint.to_lowercase()));
        }
        let explicit = self.transaction_descriptor() != 0;
        let raised = hints
            .iter()
            .any(|hint| ["SNAPSHOT", "REPEATABLEREAD", "SERIALIZABLE"].contains(&hint.as_str()));
        if explicit && isolation == IsolationLevel::ReadCommitted && !raised {
            return Err(SqlError::new(
                41368,
                16,
                0,
                "Accessing memory optimized tables using the READ COMMITTED isolation level is supported only for autocommit transactions. It is not supported for explicit or implicit transactions. Provide a supported isolation level for the memory-optimized table using a table hint, such as WITH (SNAPSHOT).",
            ));
        }
        Ok(())
    }
}

/// 10794.
pub(crate) fn not_in_memory(kind: &str, what: &str) -> SqlError {
    SqlError::new(
        10794,
        16,
        90,
        format!("The {kind} '{what}' is not supported with memory optimized tables."),
    )
}

impl Batch<'_> {
    /// Checks and notes what CREATE TABLE says beyond columns and constraints.
    pub(super) fn make_special(
        &self,
        definition: &mut TableDefinition,
        create: &CreateTable,
    ) -> SqlResult<()> {
        let bad = |number: u32, message: &str| Err(SqlError::new(number, 16, 1, message));
        for column in &definition.columns {
            let fits = matches!(column.sql_type, SqlType::DateTime2 { .. });
            if column.generated.is_some() && (!fits || column.nullable) {
                return bad(
                    13501,
                    "Temporal generated always column must be of type datetime2 and not nullable.",
                );
            }
        }
        match (&create.definition.period, definition.period()) {
            (Some((start, end)), Some(period)) => {
                let named = |name: &Name| definition.ordinal(&name.0);
                if (named(start), named(end)) != (Some(period.0), Some(period.1)) {
                    return bad(
                        13508,
                        "The columns of the period are not those that are generated always.",
                    );
                }
            }
            (None, None) => {}
            _ => {
                return bad(
                    13504,
                    "Temporal GENERATED ALWAYS columns and the PERIOD FOR SYSTEM_TIME definition belong together.",
                );
            }
        }
        if create.options.memory_optimized {
            if create.options.versioned.is_some() {
                return Err(unsupported_clause(
                    "a memory-optimized table that is system-versioned",
                ));
            }
            definition.special = Special::MemoryOptimized;
        }
        if create.options.versioned.is_some() {
            let primary = |kind: IndexKind| kind == IndexKind::PrimaryKey;
            if !definition.indexes.iter().any(|index| primary(index.kind)) {
                return Err(SqlError::new(
                    13553,
                    16,
                    1,
                    format!(
                        "System versioned temporal table '{}' must have primary key defined.",
                        create.name
                    ),
                ));
            }
            if definition.period().is_none() {
                return bad(
                    13510,
                    "Cannot set SYSTEM_VERSIONING to ON when SYSTEM_TIME period is not defined.",
                );
            }
        }
        Ok(())
    }

    /// Makes the history table of a system-versioned one: the same columns, and nothing else.
    pub(super) fn create_history(
        &mut self,
        table: &Arc<Table>,
        create: &CreateTable,
    ) -> SqlResult<()> {
        let Some(wanted) = &create.options.versioned else {
            return Ok(());
        };
        let name = wanted.clone().unwrap_or_else(|| ObjectName {
            database: create.name.database.clone(),
            schema: create.name.schema.clone(),
            name: Name(format!("MSSQL_TemporalHistoryFor_{}", table.object_id)),
        });
        if self.session.find_table(&name)?.is_some() {
            return Err(unsupported_clause("a history table that exists already"));
        }
        let version = self.session.visible_version(table);
        let plain = |column: &Column| Column {
            identity: None,
            default: None,
            computed: None,
            generated: None,
            ..column.clone()
        };
        let history = TableDefinition {
            columns: version.definition.columns.iter().map(plain).collect(),
            last_column_id: version.definition.last_column_id,
            special: Special::History,
            ..TableDefinition::default()
        };
        let history = self.create_stored_table(&name, history)?;
        let mut definition = TableDefinition::clone(&version.definition);
        definition.special = Special::Versioned(history.id, history.object_id);
        let target = OpenTable {
            database: self.session.database_of(&create.name)?,
            table: table.clone(),
            version,
        };
        self.redefine(&target, definition)
    }

    pub(super) fn stop_versioning(
        &mut self,
        target: &OpenTable,
        mut definition: TableDefinition,
    ) -> SqlResult<()> {
        let Special::Versioned(history, _) = definition.special else {
            return Err(SqlError::new(
                13591,
                16,
                1,
                format!(
                    "SYSTEM_VERSIONING is not turned ON for table '{}'.",
                    target.table.display_name()
                ),
            ));
        };
        definition.special = Special::Ordinary;
        self.redefine(target, definition)?;
        if let Some(history) = self.open_history(&target.table, history)? {
            let mut definition = TableDefinition::clone(&history.version.definition);
            definition.special = Special::Ordinary;
            self.redefine(&history, definition)?;
        }
        Ok(())
    }

    fn open_history(&mut self, table: &Table, id: i32) -> SqlResult<Option<OpenTable>> {
        let Some(database) = self.session.database_with_id(table.database_id) else {
            return Ok(None);
        };
        let tables = database.tables(self.session.id());
        let Some(history) = tables.into_iter().find(|known| known.id == id) else {
            return Ok(None);
        };
        let name = ObjectName {
            database: Some(Name(database.name.clone())),
            schema: Some(Name(history.schema.clone())),
            name: Name(history.name.clone()),
        };
        let opened = self
            .session
            .open_for_write(&name, Access::Rows, self.cancel)?;
        Ok(Some(opened))
    }

    /// 13552 and 13545: what a system-versioned table and its history do not take.
    pub(super) fn refuse_if_versioned(&self, table: &Table, statement: &str) -> SqlResult<()> {
        let special = self.session.visible_version(table).definition.special;
        if !matches!(special, Special::Versioned(..) | Special::History) {
            return Ok(());
        }
        let (number, what) = match statement {
            "DROP TABLE" => (13552, "Drop table"),
            _ => (13545, "Truncate"),
        };
        Err(SqlError::new(
            number,
            16,
            1,
            format!(
                "{what} operation failed on table '{}' because it is not a supported operation on system-versioned temporal tables.",
                table.display_name()
            ),
        ))
    }

    /// 13559 to 13561: nobody writes to a history table.
    pub(crate) fn refuse_if_history(&self, target: &OpenTable, verb: &str) -> SqlResult<()> {
        if target.table.kind != TableKind::User
            || target.version.definition.special != Special::History
        {
            return Ok(());
        }
        let (number, verb) = match verb {
            "INSERT" => (13559, "insert rows in"),
            "UPDATE" => (13561, "update rows in"),
            _ => (13560, "delete rows from"),
        };
        Err(SqlError::new(
            number,
            16,
            1,
            format!(
                "Cannot {verb} a temporal history table '{}'.",
                target.table.display_name()
            ),
        ))
    }

    /// Writes down what a system-versioned table's changed rows were.
    pub(crate) fn keep_history(
        &mut self,
        target: &OpenTable,
        changes: &[RowChange],
    ) -> SqlResult<()> {
        let definition = target.version.definition.clone();
        let (Special::Versioned(history, _), Some((start, end))) =
            (definition.special, definition.period())
        else {
            return Ok(());
        };
        let began = self.session.transaction_time();
        // Another transaction that began later has written them since.
        let since = stamp(began, &definition.columns[start].sql_type);
        let mut old = changes.iter().filter_map(|change| change.old.as_ref());
        let plain = Collation::server_default();
        if old.any(|old| compare(&since, &old[start], &plain).is_lt()) {
            return Err(SqlError::new(
                13535,
                16,
                0,
                format!(
                    "Data modification failed on system-versioned table '{}.{}' because transaction time was earlier than period start time for affected records.",
                    target.database.name,
                    target.table.display_name()
                ),
            ));
        }
        let mut rows: Vec<RowChange> = changes
            .iter()
            .filter_map(|change| change.old.as_ref())
            .map(|old| {
                let mut values = old.to_vec();
                values[end] = stamp(began, &definition.columns[end].sql_type);
                RowChange::inserted(Row::from(values))
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        match self.open_history(&target.table, history)? {
            Some(history) => self.settle(&history, &mut rows),
            None => Ok(()),
        }
    }
}

impl Session {
    /// When the transaction began, in UTC.
    pub(crate) fn transaction_time(&self) -> (i32, u64) {
        match &self.transaction {
            Some(transaction) => transaction.began,
            None => self.server.clock().utc(),
        }
    }
}

/// A moment as a column of a period holds it.
pub(crate) fn stamp((days, ticks): (i32, u64), sql_type: &SqlType) -> Datum {
    let SqlType::DateTime2 { scale } = sql_type else {
        return Datum::Null;
    };
    let unit = 10u64.pow(7 - u32::from((*scale).min(7)));
    Datum::DateTime2 {
        days,
        ticks: ticks / unit * unit,
        scale: *scale,
    }
}
