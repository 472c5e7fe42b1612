//! CREATE and DROP INDEX, triggers.

use std::sync::Arc;

use super::batch::command;
use super::definition::{key_ordinals, push_index};
use super::{Access, Batch, OpenTable};
use crate::ast::{CreateIndex, CreateTrigger, Name, ObjectName};
use crate::error::{SqlResult, invalid_column};
use crate::session::SqlError;
use crate::storage::{IndexDefinition, IndexKind, TableDefinition, Trigger};

impl Batch<'_> {
    /// Opens a table for a change of its definition.
    pub(super) fn open_for_change(&mut self, name: &ObjectName) -> SqlResult<OpenTable> {
        self.session.ensure_transaction(self.sink);
        self.refuse_if_doomed()?;
        self.session.open_for_write(name, Access::Table, self.cancel).map_err(|error| {
            if error.number == 208 {
                SqlError::new(
                    4902,
                    16,
                    1,
                    format!("Cannot find the object \"{name}\" because it does not exist or you do not have permissions."),
                )
            } else {
                error
            }
        })
    }

    /// Puts a new definition over a table's rows.
    pub(super) fn redefine(
        &mut self,
        target: &OpenTable,
        definition: TableDefinition,
    ) -> SqlResult<()> {
        let mut version = target.version.clone();
        Arc::make_mut(&mut version).redefine(
            Arc::new(definition),
            None,
            &target.table.display_name(),
        )?;
        self.session.store(&target.table, version);
        Ok(())
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex) -> SqlResult<()> {
        let target = self.open_for_change(&create.table)?;
        let mut definition = self.modified(&target.version.definition);
        let columns = key_ordinals(&definition, &create.columns)?;
        let included = create
            .included
            .iter()
            .map(|name| {
                definition
                    .ordinal(&name.0)
                    .ok_or_else(|| invalid_column(&name.0))
            })
            .collect::<SqlResult<_>>()?;
        let kind = if create.unique {
            IndexKind::UniqueIndex
        } else {
            IndexKind::Plain
        };
        let index = IndexDefinition {
            name: create.name.0.clone(),
            id: 0,
            object_id: 0,
            kind,
            clustered: create.clustered,
            columns,
            included,
            system_named: false,
        };
        push_index(&mut definition, index)?;
        self.redefine(&target, definition)?;
        self.done(command::CREATE_INDEX, None)
    }

    pub(super) fn drop_index(
        &mut self,
        index: &Name,
        table: &ObjectName,
        if_exists: bool,
    ) -> SqlResult<()> {
        let target = self.open_for_change(table)?;
        let mut definition = TableDefinition::clone(&target.version.definition);
        let place = definition
            .indexes
            .iter()
            .position(|known| index.is(&known.name));
        match place {
            Some(place)
                if matches!(
                    definition.indexes[place].kind,
                    IndexKind::PrimaryKey | IndexKind::UniqueConstraint
                ) =>
            {
                return Err(SqlError::new(
                    3723,
                    16,
                    4,
                    format!(
                        "An explicit DROP INDEX is not allowed on index '{table}.{}'. It is being used for constraint enforcement.",
                        index.0
                    ),
                ));
            }
            Some(place) => {
                definition.indexes.remove(place);
                self.redefine(&target, definition)?;
            }
            None if if_exists => {}
            None => {
                return Err(SqlError::new(
                    3701,
                    11,
                    7,
                    format!(
                        "Cannot drop the index '{table}.{}', because it does not exist or you do not have permission.",
                        index.0
                    ),
                ));
            }
        }
        self.done(command::DROP_INDEX, None)
    }

    pub(super) fn create_trigger(&mut self, create: &CreateTrigger) -> SqlResult<()> {
        let mut name = create.table.clone();
        if name.schema.is_none() {
            name.schema.clone_from(&create.name.schema);
        }
        let target = self.open_for_change(&name)?;
        let mut definition = TableDefinition::clone(&target.version.definition);
        if definition
            .triggers
            .iter()
            .any(|trigger| create.name.name.is(&trigger.name))
        {
            return Err(SqlError::new(
                2714,
                16,
                2,
                format!(
                    "There is already an object named '{}' in the database.",
                    create.name.name.0
                ),
            ));
        }
        definition.triggers.push(Trigger {
            name: create.name.name.0.clone(),
            object_id: self.session.server.next_object_id(),
            on_insert: create.on_insert,
            on_update: create.on_update,
            on_delete: create.on_delete,
            enabled: true,
            body: Arc::new(create.body.clone()),
            text: create.text.clone(),
        });
        self.redefine(&target, definition)?;
        self.done(command::OTHER, None)
    }

    pub(super) fn drop_trigger(&mut self, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        let database = self.session.database_of(name)?;
        let owner = database
            .tables(self.session.id())
            .into_iter()
            .find(|table| {
                self.session
                    .visible_version(table)
                    .definition
                    .triggers
                    .iter()
                    .any(|trigger| name.name.is(&trigger.name))
            });
        let Some(owner) = owner else {
            if if_exists {
                return Ok(());
            }
            return Err(SqlError::new(
                3701,
                11,
                5,
                format!(
                    "Cannot drop the trigger '{name}', because it does not exist or you do not have permission."
                ),
            ));
        };
        let table = ObjectName {
            database: name.database.clone(),
            schema: Some(Name(owner.schema.clone())),
            name: Name(owner.name.clone()),
        };
        let target = self.open_for_change(&table)?;
        let mut definition = TableDefinition::clone(&target.version.definition);
        definition
            .triggers
            .retain(|trigger| !name.name.is(&trigger.name));
        self.redefine(&target, definition)
    }
}
