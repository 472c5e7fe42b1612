//! Objects by name and by id.

use std::sync::Arc;

use crate::ast::ObjectName;
use crate::context::Context;
use crate::storage::{IndexKind, Synonym, Table};

/// An object of the catalog.
#[derive(Debug, Clone)]
pub(crate) struct ObjectRef {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) schema: String,
    /// `U`, `V`, `SN`, `PK`, `UQ`, `C`, `D`, `TR`.
    pub(crate) kind: &'static str,
    /// The table, for tables and views.
    pub(crate) table: Option<Arc<Table>>,
}

impl ObjectRef {
    fn of(table: &Arc<Table>) -> Self {
        Self {
            id: table.object_id,
            name: table.name.clone(),
            schema: table.schema.clone(),
            kind: if table.is_view() { "V" } else { "U" },
            table: Some(table.clone()),
        }
    }

    fn of_synonym(synonym: &Synonym) -> Self {
        Self {
            id: synonym.object_id,
            name: synonym.name.clone(),
            schema: synonym.schema.clone(),
            kind: "SN",
            table: None,
        }
    }

    /// Looks up `[[database.][schema].]name`, quoted or not.
    pub(crate) fn by_name(context: &Context, name: &str) -> Option<Self> {
        let name: ObjectName = crate::parser::parse_object_name(name).ok()?;
        if name.name.0.starts_with('#') {
            let folded = name.name.folded();
            return context
                .temporary
                .iter()
                .rev()
                .find(|table| table.name.to_lowercase() == folded)
                .map(Self::of);
        }
        let database = match &name.database {
            Some(database) => context.server.database(&database.0)?,
            None => context.database.clone(),
        };
        let schema = name
            .schema
            .as_ref()
            .map_or("dbo", |schema| schema.0.as_str());
        if let Some(table) = database.table(schema, &name.name.0, context.facts.id) {
            return Some(Self::of(&table));
        }
        if let Some(synonym) = database.synonym(schema, &name.name.0) {
            return Some(Self::of_synonym(&synonym));
        }
        let tables = database.tables(context.facts.id);
        tables
            .iter()
            .filter(|table| table.schema.eq_ignore_ascii_case(schema))
            .flat_map(parts)
            .find(|part| name.name.is(&part.name))
    }

    /// Looks up an id in the current database, or in the one with the id given.
    pub(crate) fn by_id(context: &Context, id: i32, database: Option<i64>) -> Option<Self> {
        if let Some(table) = context.temporary.iter().find(|table| table.object_id == id) {
            return Some(Self::of(table));
        }
        let database = match database {
            Some(wanted) => context
                .server
                .databases()
                .into_iter()
                .find(|database| i64::from(database.id) == wanted)?,
            None => context.database.clone(),
        };
        let tables = database.tables(context.facts.id);
        if let Some(table) = tables.iter().find(|table| table.object_id == id) {
            return Some(Self::of(table));
        }
        if let Some(synonym) = database
            .synonyms()
            .iter()
            .find(|known| known.object_id == id)
        {
            return Some(Self::of_synonym(synonym));
        }
        tables.iter().flat_map(parts).find(|part| part.id == id)
    }
}

/// Constraints and triggers of a table.
fn parts(table: &Arc<Table>) -> Vec<ObjectRef> {
    let definition = table.latest_definition();
    let part = |id: i32, name: &str, kind: &'static str| ObjectRef {
        id,
        name: name.to_owned(),
        schema: table.schema.clone(),
        kind,
        table: None,
    };
    let mut list = Vec::new();
    for index in &definition.indexes {
        match index.kind {
            IndexKind::PrimaryKey => list.push(part(index.object_id, &index.name, "PK")),
            IndexKind::UniqueConstraint => list.push(part(index.object_id, &index.name, "UQ")),
            _ => {}
        }
    }
    list.extend(
        definition
            .checks
            .iter()
            .map(|check| part(check.object_id, &check.name, "C")),
    );
    list.extend(
        definition
            .columns
            .iter()
            .filter_map(|column| column.default.as_ref())
            .map(|default| part(default.object_id, &default.name, "D")),
    );
    list.extend(
        definition
            .triggers
            .iter()
            .map(|trigger| part(trigger.object_id, &trigger.name, "TR")),
    );
    list
}
