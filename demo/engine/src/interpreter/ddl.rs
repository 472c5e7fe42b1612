//! CREATE and DROP of schemas and tables; TRUNCATE.

use std::sync::Arc;

use super::Batch;
use super::batch::command;
use crate::ast::{Name, ObjectName, StatementKind};
use crate::error::SqlResult;
use crate::session::SqlError;
use crate::storage::{IdentityCounter, TableDefinition, TableKind};
use crate::transaction::Undo;

impl Batch<'_> {
    pub(super) fn define(&mut self, kind: &StatementKind) -> SqlResult<()> {
        match kind {
            StatementKind::CreateDatabase(name) => {
                self.refuse_in_transaction("CREATE DATABASE")?;
                self.session.server.create_database(&name.0)?;
                self.done(command::CREATE_DATABASE, None)
            }
            StatementKind::DropDatabase { names, if_exists } => {
                self.refuse_in_transaction("DROP DATABASE")?;
                for name in names {
                    self.drop_database(name, *if_exists)?;
                }
                self.done(command::OTHER, None)
            }
            StatementKind::AlterDatabase {
                name,
                option,
                termination,
            } => self.alter_database(name.as_ref(), option, *termination),
            StatementKind::Use(name) => self.use_database(name),
            StatementKind::CreateSchema(name) => {
                let database = self.session.database.clone();
                self.session.refuse_if_read_only(&database)?;
                database.create_schema(&name.0)?;
                self.done(command::OTHER, None)
            }
            StatementKind::DropSchema { name, if_exists } => self.drop_schema(name, *if_exists),
            StatementKind::CreateTable(create) => {
                self.session.ensure_transaction(self.sink);
                self.refuse_if_doomed()?;
                let mut definition = self.extend_definition(
                    TableDefinition::default(),
                    &create.name.name.0,
                    &create.definition,
                )?;
                self.make_special(&mut definition, create)?;
                let table = self.create_stored_table(&create.name, definition)?;
                self.create_history(&table, create)?;
                self.done(command::CREATE_TABLE, None)
            }
            StatementKind::DropTable { names, if_exists } => {
                self.session.ensure_transaction(self.sink);
                self.refuse_if_doomed()?;
                for name in names {
                    self.drop_table(name, *if_exists)?;
                }
                self.done(command::DROP_TABLE, None)
            }
            StatementKind::AlterTable { table, change } => {
                self.alter_table(table, change)?;
                self.done(command::ALTER_TABLE, None)
            }
            StatementKind::Truncate(name) => self.truncate(name),
            StatementKind::CreateView(create) => self.create_view(create),
            StatementKind::DropView { names, if_exists } => {
                for name in names {
                    self.drop_view(name, *if_exists)?;
                }
                self.done(command::OTHER, None)
            }
            StatementKind::CreateSynonym { name, base } => self.create_synonym(name, base),
            StatementKind::DropSynonym { name, if_exists } => self.drop_synonym(name, *if_exists),
            StatementKind::CreateFunction(create) => self.create_function(create),
            StatementKind::DropFunction { name, if_exists } => self.drop_function(name, *if_exists),
            StatementKind::CreatePolicy(create) => self.create_policy(create),
            StatementKind::AlterPolicy { name, enabled } => self.alter_policy(name, *enabled),
            StatementKind::DropPolicy { name, if_exists } => self.drop_policy(name, *if_exists),
            StatementKind::CreateIndex(create) => self.create_index(create),
            StatementKind::DropIndex {
                index,
                table,
                if_exists,
            } => self.drop_index(index, table, *if_exists),
            StatementKind::CreateTrigger(create) => self.create_trigger(create),
            StatementKind::DropTrigger { names, if_exists } => {
                for name in names {
                    self.drop_trigger(name, *if_exists)?;
                }
                self.done(command::OTHER, None)
            }
            other => Err(crate::error::unsupported_statement(&format!("{other:?}"))),
        }
    }

    fn refuse_in_transaction(&self, statement: &str) -> SqlResult<()> {
        if self.session.transaction_descriptor() != 0 {
            return Err(SqlError::new(
                226,
                16,
                6,
                format!("{statement} statement not allowed within multi-statement transaction."),
            ));
        }
        Ok(())
    }

    fn drop_schema(&mut self, name: &Name, if_exists: bool) -> SqlResult<()> {
        let database = self.session.database.clone();
        let Some((schema, _)) = database.schema(&name.0) else {
            if if_exists {
                return self.done(command::OTHER, None);
            }
            return Err(SqlError::new(
                15151,
                16,
                1,
                format!(
                    "Cannot drop the schema '{}', because it does not exist or you do not have permission.",
                    name.0
                ),
            ));
        };
        if let Some(table) = database
            .tables(self.session.id())
            .iter()
            .find(|table| table.schema == schema)
        {
            return Err(SqlError::new(
                3729,
                16,
                1,
                format!(
                    "Cannot drop schema '{schema}' because it is being referenced by object '{}'.",
                    table.name
                ),
            ));
        }
        database.drop_schema(&schema);
        self.done(command::OTHER, None)
    }

    fn drop_table(&mut self, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        let missing = || {
            SqlError::new(
                3701,
                11,
                5,
                format!(
                    "Cannot drop the table '{name}', because it does not exist or you do not have permission."
                ),
            )
        };
        let Some(table) = self.session.find_table(name)? else {
            return if if_exists { Ok(()) } else { Err(missing()) };
        };
        if table.kind == TableKind::Temporary {
            let place = self
                .session
                .temporary
                .iter()
                .rposition(|temporary| temporary.table.id == table.id);
            if let Some(place) = place {
                let gone = self.session.temporary.remove(place);
                if let Some(transaction) = &mut self.session.transaction {
                    transaction.record(Undo::TemporaryDropped(
                        gone.table,
                        gone.level.max(0) as usize,
                    ));
                }
            }
            return Ok(());
        }
        if table.is_view() {
            return Err(SqlError::new(
                3705,
                16,
                1,
                format!(
                    "Cannot use DROP TABLE with '{name}' because '{name}' is a view. Use DROP VIEW."
                ),
            ));
        }
        self.session.lock_exclusively(&table, self.cancel)?;
        self.refuse_if_versioned(&table, "DROP TABLE")?;
        let Some(table) = self.session.find_table(name)? else {
            return if if_exists { Ok(()) } else { Err(missing()) };
        };
        let database = self.session.database_of(name)?;
        self.session.refuse_if_read_only(&database)?;
        database.mark_dropped(&table, Some(self.session.id()));
        if let Some(transaction) = &mut self.session.transaction {
            transaction.record(Undo::Dropped(database, table));
        }
        Ok(())
    }

    fn truncate(&mut self, name: &ObjectName) -> SqlResult<()> {
        let target = self.open_for_change(name).map_err(|error| {
            if error.number == 4902 {
                SqlError::new(
                    4701,
                    16,
                    1,
                    format!("Cannot find the object \"{}\" because it does not exist or you do not have permissions.", name.name.0),
                )
            } else {
                error
            }
        })?;
        self.refuse_if_versioned(&target.table, "TRUNCATE TABLE")?;
        let mut version = target.version.clone();
        Arc::make_mut(&mut version).clear();
        self.session.store(&target.table, version);
        *target.table.identity.lock() = IdentityCounter::default();
        self.done(command::TRUNCATE, None)
    }
}
