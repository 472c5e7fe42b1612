//! CREATE and DROP of views and synonyms.

use std::sync::Arc;

use super::Batch;
use super::batch::command;
use crate::ast::{CreateView, Name, ObjectName};
use crate::bind::{Binder, Origin};
use crate::error::{SqlResult, unsupported_clause};
use crate::plan::OutputColumn;
use crate::session::SqlError;
use crate::storage::{Column, Synonym, Table, TableDefinition, ViewDefinition};
use crate::transaction::Undo;

impl Batch<'_> {
    /// A view stands among the tables, without rows. Its columns are settled here, as its metadata is (T-SQL reference,
    /// "sp_refreshview").
    pub(super) fn create_view(&mut self, create: &CreateView) -> SqlResult<()> {
        self.session.ensure_transaction(self.sink);
        self.refuse_if_doomed()?;
        // An unqualified name is looked for in the schema of the view first.
        if create
            .name
            .schema
            .as_ref()
            .is_some_and(|schema| !schema.is("dbo"))
        {
            return Err(unsupported_clause("views in other schemas than dbo"));
        }
        let context = self.context();
        let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
        let plan = binder.bind_query(&create.query)?;
        let origins = binder.origins_of_view(&create.query)?;
        origins
            .iter()
            .try_for_each(|of| self.refuse_uncertain(of))?;
        let names: Vec<&str> = match create.columns.is_empty() {
            true => plan.columns.iter().map(|column| &column.name[..]).collect(),
            false => create.columns.iter().map(|name| &name.0[..]).collect(),
        };
        let name = &create.name.name.0;
        if names.len() != plan.columns.len() {
            let (number, word) = match names.len() < plan.columns.len() {
                true => (8158, "more"),
                false => (8159, "fewer"),
            };
            return Err(SqlError::new(
                number,
                16,
                1,
                format!("'{name}' has {word} columns than were specified in the column list."),
            ));
        }
        let mut definition = TableDefinition::default();
        for (column, known_as) in plan.columns.iter().zip(names) {
            if definition.ordinal(known_as).is_some() {
                return Err(SqlError::new(
                    4506,
                    16,
                    1,
                    format!(
                        "Column names in each view or function must be unique. Column name '{known_as}' in view or function '{name}' is specified more than once."
                    ),
                ));
            }
            let id = definition.columns.len() as i32 + 1;
            definition.columns.push(view_column(column, known_as, id));
        }
        definition.last_column_id = definition.columns.len() as i32;
        definition.view = Some(Arc::new(ViewDefinition {
            query: create.query.clone(),
            text: create.text.clone(),
        }));
        self.create_stored_table(&create.name, definition)?;
        self.done(command::OTHER, None)
    }

    /// What the catalog says of a view's column over one that is more than a column is not documented.
    fn refuse_uncertain(&self, of: &Origin) -> SqlResult<()> {
        let name = ObjectName {
            database: Some(Name(of.database.clone())),
            schema: Some(Name(of.schema.clone())),
            name: Name(of.table.clone()),
        };
        let Some(table) = self.session.find_table(&name)? else {
            return Ok(());
        };
        let definition = table.latest_definition();
        let ordinal = definition.ordinal(&of.column);
        let plain = ordinal
            .and_then(|at| definition.columns.get(at))
            .is_some_and(|column| {
                column.identity.is_none()
                    && column.computed.is_none()
                    && column.generated.is_none()
                    && column.mask.is_none()
                    && column.encrypted.is_none()
            });
        match plain {
            true => Ok(()),
            false => Err(unsupported_clause(&format!(
                "a view over the column '{}', which is an identity, computed, generated, masked or encrypted",
                of.column
            ))),
        }
    }

    pub(super) fn drop_view(&mut self, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        self.session.ensure_transaction(self.sink);
        self.refuse_if_doomed()?;
        let Some(view) = self.session.find_table(name)? else {
            return match if_exists {
                true => Ok(()),
                false => Err(cannot_drop("view", name)),
            };
        };
        if !view.is_view() {
            return Err(SqlError::new(
                3705,
                16,
                1,
                format!(
                    "Cannot use DROP VIEW with '{name}' because '{name}' is a table. Use DROP TABLE."
                ),
            ));
        }
        self.session.lock_exclusively(&view, self.cancel)?;
        let database = self.session.database_of(name)?;
        self.session.refuse_if_read_only(&database)?;
        database.mark_dropped(&view, Some(self.session.id()));
        if let Some(transaction) = &mut self.session.transaction {
            transaction.record(Undo::Dropped(database, view));
        }
        Ok(())
    }

    /// "The base object need not exist at synonym create time. SQL Server checks for the existence of the base object at
    /// run time." (T-SQL reference, "CREATE SYNONYM").
    pub(super) fn create_synonym(&mut self, name: &ObjectName, base: &ObjectName) -> SqlResult<()> {
        self.refuse_synonyms_in_transaction()?;
        let database = self.session.database_of(name)?;
        self.session.refuse_if_read_only(&database)?;
        let schema = name.schema.as_ref().map_or("dbo", |schema| &schema.0[..]);
        let Some((schema, schema_id)) = database.schema(schema) else {
            return Err(SqlError::new(
                2760,
                16,
                1,
                format!(
                    "The specified schema name \"{schema}\" either does not exist or you do not have permission to use it."
                ),
            ));
        };
        let taken = database
            .table(&schema, &name.name.0, self.session.id())
            .is_some()
            || database.synonym(&schema, &name.name.0).is_some();
        if taken {
            return Err(SqlError::new(
                2714,
                16,
                1,
                format!(
                    "There is already an object named '{}' in the database.",
                    name.name.0
                ),
            ));
        }
        database.add_synonym(Synonym {
            object_id: database.next_object_id(),
            name: name.name.0.clone(),
            schema,
            schema_id,
            created: self.session.server.clock().local(),
            base: base.clone(),
        });
        self.done(command::OTHER, None)
    }

    pub(super) fn drop_synonym(&mut self, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        self.refuse_synonyms_in_transaction()?;
        let database = self.session.database_of(name)?;
        self.session.refuse_if_read_only(&database)?;
        match self.session.find_synonym(name)? {
            Some(synonym) => database.drop_synonym(synonym.object_id),
            None if if_exists => {}
            None => return Err(cannot_drop("synonym", name)),
        }
        self.done(command::OTHER, None)
    }

    /// Here they are not rolled back.
    fn refuse_synonyms_in_transaction(&self) -> SqlResult<()> {
        match self.session.transaction_descriptor() {
            0 => Ok(()),
            _ => Err(unsupported_clause("synonyms within a transaction")),
        }
    }
}

impl Table {
    pub(crate) fn is_view(&self) -> bool {
        self.latest_definition().view.is_some()
    }
}

fn view_column(column: &OutputColumn, name: &str, id: i32) -> Column {
    Column {
        name: name.to_owned(),
        id,
        sql_type: column.sql_type.clone(),
        nullable: column.nullable,
        collation: column.collation.clone(),
        identity: None,
        default: None,
        computed: None,
        rowguidcol: false,
        mask: None,
        generated: None,
        encrypted: None,
    }
}

fn cannot_drop(what: &str, name: &ObjectName) -> SqlError {
    SqlError::new(
        3701,
        11,
        5,
        format!(
            "Cannot drop the {what} '{name}', because it does not exist or you do not have permission."
        ),
    )
}
