//! Functions that look names and ids up in the catalog.

use std::sync::Arc;

use super::{Call, NAME, call, integer, national, text};
use crate::bind::{Binder, Typed};
use crate::catalog::{ObjectRef, type_ids};
use crate::context::Context;
use crate::error::SqlResult;
use crate::plan::Evaluator;
use crate::storage::{Database, Recovery, Table, Writing};
use crate::types::{Datum, SqlType};

fn database_of(context: &Context, value: Option<&Datum>) -> Option<Arc<Database>> {
    match value {
        None => Some(context.database.clone()),
        Some(value) => match integer(value) {
            Some(id) => context
                .server
                .databases()
                .into_iter()
                .find(|database| i64::from(database.id) == id),
            None => context.server.database(text(value)?),
        },
    }
}

fn db_name(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(database_of(context, arguments.first())
        .map_or(Datum::Null, |database| national(database.name.clone())))
}

fn db_id(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(database_of(context, arguments.first())
        .map_or(Datum::Null, |database| Datum::SmallInt(database.id as i16)))
}

fn schema_name(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let id = arguments.first().map_or(Some(1), integer);
    let schemas = context.database.schemas();
    Ok(schemas
        .into_iter()
        .find(|(_, known)| Some(i64::from(*known)) == id)
        .map_or(Datum::Null, |(name, _)| national(name)))
}

fn schema_id(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let name = match arguments.first() {
        None => Some("dbo"),
        Some(value) => text(value),
    };
    Ok(name
        .and_then(|name| context.database.schema(name))
        .map_or(Datum::Null, |(_, id)| Datum::Int(id)))
}

fn object_id(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(name) = text(&arguments[0]) else {
        return Ok(Datum::Null);
    };
    let kind = arguments.get(1).and_then(text).map(str::trim);
    let found = ObjectRef::by_name(context, name);
    let fits = |found: &ObjectRef| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(found.kind));
    Ok(found
        .filter(fits)
        .map_or(Datum::Null, |found| Datum::Int(found.id)))
}

fn object_name(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let found = integer(&arguments[0])
        .and_then(|id| ObjectRef::by_id(context, id as i32, arguments.get(1).and_then(integer)));
    Ok(found.map_or(Datum::Null, |found| national(found.name)))
}

fn object_schema_name(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let found = integer(&arguments[0])
        .and_then(|id| ObjectRef::by_id(context, id as i32, arguments.get(1).and_then(integer)));
    Ok(found.map_or(Datum::Null, |found| national(found.schema)))
}

fn table_named(context: &Context, value: &Datum) -> Option<Arc<Table>> {
    ObjectRef::by_name(context, text(value)?)?.table
}

fn table_with_id(context: &Context, value: &Datum) -> Option<Arc<Table>> {
    ObjectRef::by_id(context, i32::try_from(integer(value)?).ok()?, None)?.table
}

fn col_length(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(table), Some(column)) = (table_named(context, &arguments[0]), text(&arguments[1]))
    else {
        return Ok(Datum::Null);
    };
    let definition = table.latest_definition();
    Ok(definition.ordinal(column).map_or(Datum::Null, |ordinal| {
        Datum::SmallInt(type_ids::max_length(&definition.columns[ordinal].sql_type))
    }))
}

fn col_name(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(table) = table_with_id(context, &arguments[0]) else {
        return Ok(Datum::Null);
    };
    let id = integer(&arguments[1]);
    let definition = table.latest_definition();
    let found = definition
        .columns
        .iter()
        .find(|column| Some(i64::from(column.id)) == id);
    Ok(found.map_or(Datum::Null, |column| national(column.name.clone())))
}

fn columnproperty(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(table), Some(name), Some(property)) = (
        table_with_id(context, &arguments[0]),
        text(&arguments[1]),
        text(&arguments[2]),
    ) else {
        return Ok(Datum::Null);
    };
    let definition = table.latest_definition();
    let Some(column) = definition
        .ordinal(name)
        .map(|ordinal| &definition.columns[ordinal])
    else {
        return Ok(Datum::Null);
    };
    let flag = |value: bool| Datum::Int(i32::from(value));
    let (_, precision, scale) = type_ids::sizes(&column.sql_type);
    Ok(match property.to_ascii_lowercase().as_str() {
        "isidentity" => flag(column.identity.is_some()),
        "iscomputed" => flag(column.computed.is_some()),
        "allowsnull" => flag(column.nullable),
        "isrowguidcol" => flag(column.rowguidcol),
        "columnid" | "ordinal" => Datum::Int(column.id),
        "precision" => Datum::Int(
            column
                .sql_type
                .length()
                .map_or(i32::from(precision), i32::from),
        ),
        "scale" => Datum::Int(i32::from(scale)),
        "charmaxlen" => column
            .sql_type
            .length()
            .map_or(Datum::Int(-1), |length| Datum::Int(i32::from(length))),
        "issparse" | "isxmlindexable" | "iscolumnset" | "isidnotforrepl" => Datum::Int(0),
        "ishidden" => flag(column.generated.is_some_and(|generated| generated.hidden)),
        "generatedalwaystype" => Datum::Int(
            column
                .generated
                .map_or(0, |generated| 1 + i32::from(generated.end)),
        ),
        "userdefinedtype" => Datum::Int(0),
        _ => Datum::Null,
    })
}

fn objectproperty(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(found) =
        integer(&arguments[0]).and_then(|id| ObjectRef::by_id(context, id as i32, None))
    else {
        return Ok(Datum::Null);
    };
    let Some(property) = text(&arguments[1]) else {
        return Ok(Datum::Null);
    };
    let flag = |value: bool| Datum::Int(i32::from(value));
    let definition = found
        .table
        .as_ref()
        .map(|table| table.latest_definition())
        .unwrap_or_default();
    use crate::storage::IndexKind;
    Ok(match property.to_ascii_lowercase().as_str() {
        "istable" | "isusertable" => flag(found.kind == "U"),
        "isview" => flag(found.kind == "V"),
        "isprocedure" | "issystemtable" | "ismsshipped" | "isscalarfunction"
        | "istablefunction" => flag(false),
        "istrigger" => flag(found.kind == "TR"),
        "isprimarykey" => flag(found.kind == "PK"),
        "tablehasidentity" => flag(definition.identity_ordinal().is_some()),
        "tablehasprimarykey" => flag(
            definition
                .indexes
                .iter()
                .any(|index| index.kind == IndexKind::PrimaryKey),
        ),
        "tablehasclustindex" => flag(definition.indexes.iter().any(|index| index.clustered)),
        "tablehasinserttrigger" => {
            flag(definition.triggers.iter().any(|trigger| trigger.on_insert))
        }
        "tablehasupdatetrigger" => {
            flag(definition.triggers.iter().any(|trigger| trigger.on_update))
        }
        "tablehasdeletetrigger" => {
            flag(definition.triggers.iter().any(|trigger| trigger.on_delete))
        }
        "tablehasforeignkey" | "tablehasforeignref" | "tableissparse" => flag(false),
        "tabletemporaltype" => Datum::Int(match definition.special {
            crate::storage::Special::History => 1,
            crate::storage::Special::Versioned(..) => 2,
            _ => 0,
        }),
        "schemaid" => found
            .table
            .map_or(Datum::Null, |table| Datum::Int(table.schema_id)),
        _ => Datum::Null,
    })
}

fn type_name(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let found = integer(&arguments[0]).and_then(|id| type_ids::name_of(id as i32));
    Ok(found.map_or(Datum::Null, national))
}

fn type_id(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let found =
        text(&arguments[0]).and_then(|name| type_ids::id_of(name.trim_start_matches("sys.")));
    Ok(found.map_or(Datum::Null, Datum::Int))
}

fn numeric(value: Option<i128>) -> Datum {
    value.map_or(Datum::Null, |unscaled| Datum::Decimal {
        unscaled,
        precision: 38,
        scale: 0,
    })
}

fn identity(context: &Context, value: &Datum) -> Option<(Arc<Table>, (i64, i64))> {
    let table = table_named(context, value)?;
    let definition = table.latest_definition();
    let identity = definition.columns[definition.identity_ordinal()?].identity?;
    Some((table, identity))
}

fn ident_current(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(numeric(identity(context, &arguments[0]).map(
        |(table, (seed, _))| table.identity.lock().last.unwrap_or(i128::from(seed)),
    )))
}

fn ident_seed(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(numeric(
        identity(context, &arguments[0]).map(|(_, (seed, _))| i128::from(seed)),
    ))
}

fn ident_incr(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(numeric(
        identity(context, &arguments[0]).map(|(_, (_, increment))| i128::from(increment)),
    ))
}

fn databasepropertyex(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(database), Some(property)) = (
        text(&arguments[0]).and_then(|name| context.server.database(name)),
        text(&arguments[1]),
    ) else {
        return Ok(Datum::Null);
    };
    let options = *database.options.lock();
    Ok(match property.to_ascii_lowercase().as_str() {
        "collation" => national(crate::collation::DEFAULT_NAME),
        "status" => national("ONLINE"),
        "updateability" => national(match options.writing {
            Writing::Allowed => "READ_WRITE",
            Writing::ReadOnly | Writing::Secondary => "READ_ONLY",
        }),
        "useraccess" => national("MULTI_USER"),
        "recovery" => national(match options.recovery {
            Recovery::Full => "FULL",
            Recovery::BulkLogged => "BULK_LOGGED",
            Recovery::Simple => "SIMPLE",
        }),
        "version" => Datum::Int(957),
        "edition" => national("icehost development server"),
        "lcid" => Datum::Int(1033),
        "isreadcommittedsnapshoton" => Datum::Int(i32::from(options.read_committed_snapshot)),
        "isautoclose" | "isautoshrink" | "isinstandby" | "isfulltextenabled" => Datum::Int(0),
        _ => Datum::Null,
    })
}

fn collationproperty(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(name), Some(property)) = (text(&arguments[0]), text(&arguments[1])) else {
        return Ok(Datum::Null);
    };
    let Ok(collation) = crate::collation::Collation::named(name) else {
        return Ok(Datum::Null);
    };
    Ok(match property.to_ascii_lowercase().as_str() {
        "codepage" => Datum::Int(collation.code_page),
        "lcid" => Datum::Int(collation.lcid),
        "comparisonstyle" => Datum::Int(collation.comparison_style()),
        "version" => Datum::Int(i32::from(collation.version)),
        _ => Datum::Null,
    })
}

pub(super) fn bind(binder: &mut Binder<'_>, of: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    let bigint = SqlType::Decimal {
        precision: 38,
        scale: 0,
        numeric: true,
    };
    let (evaluator, low, high, types, result): (Evaluator, usize, usize, Vec<SqlType>, SqlType) =
        match of.name {
            "db_name" => (db_name, 0, 1, vec![SqlType::Int], NAME),
            "db_id" => (db_id, 0, 1, vec![NAME], SqlType::SmallInt),
            "schema_name" => (schema_name, 0, 1, vec![SqlType::Int], NAME),
            "schema_id" => (schema_id, 0, 1, vec![NAME], SqlType::Int),
            "object_id" => (
                object_id,
                1,
                2,
                vec![SqlType::NVarChar { length: Some(776) }],
                SqlType::Int,
            ),
            "object_name" => (object_name, 1, 2, vec![SqlType::Int], NAME),
            "object_schema_name" => (object_schema_name, 1, 2, vec![SqlType::Int], NAME),
            "col_length" => (
                col_length,
                2,
                2,
                vec![SqlType::NVarChar { length: Some(776) }],
                SqlType::SmallInt,
            ),
            "col_name" => (col_name, 2, 2, vec![SqlType::Int], NAME),
            "columnproperty" => (
                columnproperty,
                3,
                3,
                vec![SqlType::Int, NAME, NAME],
                SqlType::Int,
            ),
            "objectproperty" => (objectproperty, 2, 2, vec![SqlType::Int, NAME], SqlType::Int),
            "objectpropertyex" => (
                objectproperty,
                2,
                2,
                vec![SqlType::Int, NAME],
                SqlType::SqlVariant,
            ),
            "type_name" => (type_name, 1, 1, vec![SqlType::Int], NAME),
            "type_id" => (type_id, 1, 1, vec![NAME], SqlType::Int),
            "ident_current" => (ident_current, 1, 1, vec![NAME], bigint),
            "ident_seed" => (ident_seed, 1, 1, vec![NAME], bigint),
            "ident_incr" => (ident_incr, 1, 1, vec![NAME], bigint),
            "databasepropertyex" => (databasepropertyex, 2, 2, vec![NAME], SqlType::SqlVariant),
            "collationproperty" => (collationproperty, 2, 2, vec![NAME], SqlType::SqlVariant),
            _ => return Ok(None),
        };
    of.takes(low, high)?;
    let arguments = of.converted(&types)?;
    Ok(Some(call(binder, evaluator, arguments, result, true)))
}
