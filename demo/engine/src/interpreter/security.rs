//! Row-level security: inline functions that filter, and policies that put them before tables.
//!
//! Filter predicates only, without joins in the function. "A filter predicate silently filters the rows available
//! to read operations (SELECT, UPDATE, and DELETE)", for everybody; UPDATE, DELETE and MERGE of a filtered table
//! are refused here.

use super::Batch;
use super::batch::command;
use crate::ast::{CreateFunction, CreatePolicy, ObjectName};
use crate::error::{SqlResult, invalid_column, invalid_object, unsupported_clause};
use crate::session::SqlError;
use crate::storage::{Filter, FilterFunction, Policy, Table};

fn key(name: &ObjectName) -> (String, String) {
    let schema = name.schema.as_ref();
    (
        schema.map_or_else(|| "dbo".to_owned(), |schema| schema.folded()),
        name.name.folded(),
    )
}

fn exists(name: &ObjectName) -> SqlError {
    SqlError::new(
        2714,
        16,
        3,
        format!(
            "There is already an object named '{}' in the database.",
            name.name.0
        ),
    )
}

impl Batch<'_> {
    pub(super) fn create_function(&mut self, create: &CreateFunction) -> SqlResult<()> {
        let database = self.session.database_of(&create.name)?;
        let mut security = database.security.lock();
        let key = key(&create.name);
        if security.functions.iter().any(|known| known.name == key) {
            return Err(exists(&create.name));
        }
        security.functions.push(FilterFunction {
            name: key,
            parameters: create.parameters.clone(),
            predicate: create.predicate.clone(),
        });
        drop(security);
        self.done(command::OTHER, None)
    }

    pub(super) fn drop_function(&mut self, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        let database = self.session.database_of(name)?;
        let mut security = database.security.lock();
        let key = key(name);
        let used = security
            .policies
            .iter()
            .flat_map(|policy| &policy.filters)
            .any(|filter| filter.function.name == key);
        if used {
            return Err(SqlError::new(
                3729,
                16,
                1,
                format!(
                    "Cannot DROP FUNCTION '{name}' because it is being referenced by object 'a security policy'."
                ),
            ));
        }
        let before = security.functions.len();
        security.functions.retain(|known| known.name != key);
        if before == security.functions.len() && !if_exists {
            return Err(missing("function", name));
        }
        drop(security);
        self.done(command::OTHER, None)
    }

    pub(super) fn create_policy(&mut self, create: &CreatePolicy) -> SqlResult<()> {
        let database = self.session.database_of(&create.name)?;
        let (_, schema_id) = database.schema(&key(&create.name).0).unwrap_or_default();
        let mut filters = Vec::new();
        for wanted in &create.filters {
            let function = {
                let security = database.security.lock();
                let wanted = key(&wanted.function);
                let mut known = security.functions.iter();
                known.find(|known| known.name == wanted).cloned()
            };
            let function = function.ok_or_else(|| invalid_object(&wanted.function.to_string()))?;
            let table = self
                .session
                .find_table(&wanted.table)?
                .ok_or_else(|| invalid_object(&wanted.table.to_string()))?;
            let definition = table.latest_definition();
            let mut columns = Vec::new();
            for column in &wanted.columns {
                let ordinal = definition
                    .ordinal(&column.0)
                    .ok_or_else(|| invalid_column(&column.0))?;
                columns.push(definition.columns[ordinal].name.clone());
            }
            if columns.len() != function.parameters.len() {
                return Err(SqlError::new(
                    313,
                    16,
                    3,
                    format!(
                        "An insufficient number of arguments were supplied for the procedure or function {}.",
                        wanted.function
                    ),
                ));
            }
            filters.push(Filter {
                table: table.object_id,
                definition: format!(
                    "([{}].[{}]([{}]))",
                    function.name.0,
                    function.name.1,
                    columns.join("],[")
                ),
                function,
                columns,
            });
        }
        let mut security = database.security.lock();
        let key = key(&create.name);
        if security.policies.iter().any(|known| known.key == key) {
            return Err(exists(&create.name));
        }
        security.policies.push(Policy {
            object_id: database.next_object_id(),
            schema_id,
            name: create.name.name.0.clone(),
            key,
            created: self.session.server.clock().local(),
            enabled: create.enabled,
            filters,
        });
        drop(security);
        self.done(command::OTHER, None)
    }

    pub(super) fn alter_policy(&mut self, name: &ObjectName, enabled: bool) -> SqlResult<()> {
        let database = self.session.database_of(name)?;
        let mut security = database.security.lock();
        let key = key(name);
        match security.policies.iter_mut().find(|known| known.key == key) {
            Some(policy) => policy.enabled = enabled,
            None => return Err(missing("security policy", name)),
        }
        drop(security);
        self.done(command::OTHER, None)
    }

    pub(super) fn drop_policy(&mut self, name: &ObjectName, if_exists: bool) -> SqlResult<()> {
        let database = self.session.database_of(name)?;
        let mut security = database.security.lock();
        let key = key(name);
        let before = security.policies.len();
        security.policies.retain(|known| known.key != key);
        if before == security.policies.len() && !if_exists {
            return Err(missing("security policy", name));
        }
        drop(security);
        self.done(command::OTHER, None)
    }

    /// Refuses to change rows of a table whose readers are filtered.
    pub(crate) fn refuse_if_filtered(&self, table: &Table) -> SqlResult<()> {
        let database = self.session.database_with_id(table.database_id);
        let filtered = database
            .is_some_and(|database| !database.security.lock().filters(table.object_id).is_empty());
        if filtered {
            return Err(unsupported_clause(
                "UPDATE, DELETE and MERGE of a table with a security policy",
            ));
        }
        Ok(())
    }
}

fn missing(kind: &str, name: &ObjectName) -> SqlError {
    SqlError::new(
        3701,
        11,
        5,
        format!(
            "Cannot drop the {kind} '{name}', because it does not exist or you do not have permission."
        ),
    )
}
