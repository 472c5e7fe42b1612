//! Catalog views, object names and type ids.

mod columns;
mod constraints;
pub(crate) mod describe;
mod indexes;
mod information_schema;
mod object;
mod objects;
mod security;
mod server;
pub(crate) mod type_ids;
mod view;

use std::sync::Arc;

use crate::context::Context;
use crate::error::{SqlResult, invalid_object, unsupported_object};
use crate::session::SqlError;
use crate::storage::{Database, Table, TableDefinition};

pub(crate) use object::ObjectRef;
pub(crate) use view::View;

/// What a view is computed from: one database, as one session sees it.
pub(crate) struct Catalog<'a> {
    pub(crate) context: &'a Context,
    pub(crate) database: Arc<Database>,
    /// The tables with the definitions and row counts that the session sees.
    pub(crate) tables: Vec<CatalogTable>,
    /// The views, likewise.
    pub(crate) views: Vec<CatalogTable>,
}

pub(crate) struct CatalogTable {
    pub(crate) table: Arc<Table>,
    pub(crate) definition: Arc<TableDefinition>,
    pub(crate) rows: i64,
}

/// The rows of a system view, `None` where the name is none of them.
///
/// # Errors
/// A view of SQL Server that the development server lacks is refused by name.
pub(crate) fn system_view(
    catalog: &Catalog<'_>,
    schema: &str,
    name: &str,
) -> SqlResult<Option<View>> {
    if name == "dm_db_partition_stats" && catalog.context.facts.reads_only {
        return Err(SqlError::new(
            262,
            14,
            1,
            format!(
                "VIEW DATABASE STATE permission denied in database '{}'.",
                catalog.database.name
            ),
        ));
    }
    let found = match schema {
        "sys" => objects::view(catalog, name)
            .or_else(|| columns::view(catalog, name))
            .or_else(|| indexes::view(catalog, name))
            .or_else(|| constraints::view(catalog, name))
            .or_else(|| security::view(catalog, name))
            .or_else(|| server::view(catalog, name)),
        "information_schema" => information_schema::view(catalog, name),
        _ => return Ok(None),
    };
    match found {
        Some(view) => Ok(Some(view)),
        None if catalog
            .database
            .table(schema, name, catalog.context.facts.id)
            .is_some() =>
        {
            Ok(None)
        }
        None if known_elsewhere(name) => Err(unsupported_object(&format!("{schema}.{name}"))),
        None => Err(invalid_object(&format!("{schema}.{name}"))),
    }
}

/// Names that SQL Server would know.
fn known_elsewhere(name: &str) -> bool {
    [
        "dm_",
        "fn_",
        "sys",
        "all_",
        "server_",
        "database_",
        "xml_",
        "fulltext",
        "partition",
        "query_",
        "external_",
        "sql_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
        || [
            "procedures",
            "parameters",
            "sequences",
            "extended_properties",
            "foreign_key_columns",
            "stats",
            "master_files",
        ]
        .contains(&name)
}
