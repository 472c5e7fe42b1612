//! A batch's variables, and what a trigger sees besides.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ast::Name;
use crate::error::SqlResult;
use crate::session::SqlError;
use crate::storage::{Table, TableVersion};
use crate::types::{Datum, SqlType};

#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) value: Datum,
    pub(crate) sql_type: SqlType,
}

/// `inserted` and `deleted` of a trigger.
#[derive(Debug, Clone)]
pub(crate) struct PseudoTables {
    pub(crate) table: Arc<Table>,
    pub(crate) inserted: Arc<TableVersion>,
    pub(crate) deleted: Arc<TableVersion>,
    /// The columns that the statement assigned, for UPDATE().
    pub(crate) updated: Vec<String>,
}

/// The variables of one batch, one `sp_executesql` body or one trigger.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) variables: Vec<Variable>,
    places: HashMap<String, usize>,
    tables: HashMap<String, Arc<Table>>,
    pub(crate) pseudo: Option<PseudoTables>,
}

impl Frame {
    pub(crate) fn declare(&mut self, name: &str, sql_type: SqlType, value: Datum) -> SqlResult<()> {
        let folded = name.to_lowercase();
        match self.places.get(&folded) {
            // A DECLARE inside a loop is reached again.
            Some(place) => {
                let variable = &mut self.variables[*place];
                variable.value = value;
                variable.sql_type = sql_type;
            }
            None => {
                self.places.insert(folded, self.variables.len());
                self.variables.push(Variable { value, sql_type });
            }
        }
        Ok(())
    }

    pub(crate) fn variable(&self, name: &str) -> Option<(usize, &Variable)> {
        let place = *self.places.get(&name.to_lowercase())?;
        Some((place, &self.variables[place]))
    }

    pub(crate) fn declare_table(&mut self, name: &str, table: Arc<Table>) {
        self.tables.insert(name.to_lowercase(), table);
    }

    pub(crate) fn table_variable(&self, name: &str) -> SqlResult<Arc<Table>> {
        self.tables
            .get(&name.to_lowercase())
            .cloned()
            .ok_or_else(|| {
                SqlError::new(
                    1087,
                    15,
                    2,
                    format!("Must declare the table variable \"{name}\"."),
                )
                .ending_batch()
            })
    }

    /// `inserted` or `deleted`, inside a trigger.
    pub(crate) fn pseudo_table(&self, name: &Name) -> Option<(&Table, Arc<TableVersion>)> {
        let pseudo = self.pseudo.as_ref()?;
        if name.is("inserted") {
            Some((&pseudo.table, pseudo.inserted.clone()))
        } else if name.is("deleted") {
            Some((&pseudo.table, pseudo.deleted.clone()))
        } else {
            None
        }
    }

    pub(crate) fn updated_columns(&self) -> Option<&[String]> {
        self.pseudo.as_ref().map(|pseudo| pseudo.updated.as_slice())
    }
}
