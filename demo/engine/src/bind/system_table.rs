//! System views as sources.

use std::sync::Arc;

use super::from::SystemRows;
use super::{Binder, ScopeColumn};
use crate::ast::ObjectName;
use crate::catalog::{Catalog, CatalogTable, system_view};
use crate::error::SqlResult;
use crate::storage::Table;

impl Binder<'_> {
    /// The columns and rows of a view of `sys` or `INFORMATION_SCHEMA`, if the name is one.
    pub(super) fn system_table(
        &mut self,
        name: &ObjectName,
    ) -> SqlResult<Option<(Vec<ScopeColumn>, SystemRows)>> {
        let Some(schema) = &name.schema else {
            return Ok(None);
        };
        let schema = schema.folded();
        if schema != "sys" && schema != "information_schema" {
            return Ok(None);
        }
        let database = self.session.database_of(name)?;
        let mut tables: Vec<Arc<Table>> = database.tables(self.session.id());
        if database.name == "tempdb" {
            tables.extend(
                self.session
                    .temporary
                    .iter()
                    .map(|temporary| temporary.table.clone()),
            );
        }
        let all = tables
            .into_iter()
            .map(|table| {
                let version = self.session.visible_version(&table);
                CatalogTable {
                    definition: version.definition.clone(),
                    rows: table.latest().rows.len() as i64,
                    table,
                }
            })
            .collect::<Vec<_>>();
        let (views, tables) = all
            .into_iter()
            .partition(|entry: &CatalogTable| entry.definition.view.is_some());
        let catalog = Catalog {
            context: self.context,
            database,
            tables,
            views,
        };
        Ok(system_view(&catalog, &schema, &name.name.folded())?.map(|view| view.into_parts()))
    }
}
