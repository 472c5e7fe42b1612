//! Functions about the session, the server, the transaction and the error being handled.

use super::global::PRODUCT_VERSION;
use super::{Call, NAME, call, national, text};
use crate::bind::{Binder, Typed};
use crate::context::Context;
use crate::error::{SqlResult, unsupported_function};
use crate::plan::Expr;
use crate::storage::Writing;
use crate::types::{Datum, SqlType};

fn serverproperty(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(name) = text(&arguments[0]) else {
        return Ok(Datum::Null);
    };
    Ok(match name.to_ascii_lowercase().as_str() {
        "productversion" => national(PRODUCT_VERSION),
        "productmajorversion" => national("16"),
        "productminorversion" => national("0"),
        "productbuild" => national("1000"),
        "productlevel" => national("RTM"),
        "edition" => national("icehost development server"),
        "engineedition" => Datum::Int(3),
        "editionid" => Datum::BigInt(-2_117_995_310),
        "servername" => national(context.server.name()),
        "machinename" | "computernamephysicalnetbios" => {
            national(context.server.machine_and_instance().0)
        }
        "instancename" => context
            .server
            .machine_and_instance()
            .1
            .map_or(Datum::Null, national),
        "collation" => national(crate::collation::DEFAULT_NAME),
        "collationid" => Datum::Int(872_468_488),
        "lcid" => Datum::Int(1033),
        "sqlcharset" => Datum::TinyInt(1),
        "sqlcharsetname" => national("iso_1"),
        "sqlsortorder" => Datum::TinyInt(52),
        "sqlsortordername" => national("nocase_iso"),
        "isclustered"
        | "isfulltextinstalled"
        | "ishadrenabled"
        | "isintegratedsecurityonly"
        | "issingleuser"
        | "isxtpsupported"
        | "ispolybaseinstalled"
        | "islocaldb"
        | "isadvancedanalyticsinstalled"
        | "isbigdatacluster" => Datum::Int(0),
        "processid" => Datum::Int(std::process::id() as i32),
        "resourceversion" => national(PRODUCT_VERSION),
        _ => Datum::Null,
    })
}

fn sessionproperty(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let _ = context;
    let Some(name) = text(&arguments[0]) else {
        return Ok(Datum::Null);
    };
    Ok(match name.to_ascii_lowercase().as_str() {
        "ansi_nulls"
        | "ansi_padding"
        | "ansi_warnings"
        | "arithabort"
        | "concat_null_yields_null"
        | "quoted_identifier" => Datum::Int(1),
        "numeric_roundabort" => Datum::Int(0),
        _ => Datum::Null,
    })
}

fn connectionproperty(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(name) = text(&arguments[0]) else {
        return Ok(Datum::Null);
    };
    Ok(match name.to_ascii_lowercase().as_str() {
        "net_transport" | "physical_net_transport" => national("TCP"),
        "protocol_type" => national("TSQL"),
        "auth_scheme" => national("SQL"),
        _ => Datum::Null,
    })
}

fn min_active_rowversion(context: &Context, _: &[Datum]) -> SqlResult<Datum> {
    if context.database.options.lock().writing == Writing::Secondary {
        return Err(unsupported_function(
            "MIN_ACTIVE_ROWVERSION() in a readable secondary, where SQL Server does not support it",
        ));
    }
    Ok(Datum::Binary(
        context
            .database
            .min_active_row_version()
            .to_be_bytes()
            .as_slice()
            .into(),
    ))
}

/// 1 or 0; NULL for a permission or a class that there is none of.
fn has_perms_by_name(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    const READING: [&str; 3] = ["SELECT", "CONNECT", "VIEW DEFINITION"];
    const WRITING: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];
    let (Some(class), Some(permission)) = (text(&arguments[1]), text(&arguments[2])) else {
        return Ok(Datum::Null);
    };
    const CLASSES: [&str; 3] = ["OBJECT", "DATABASE", "SCHEMA"];
    if !CLASSES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(class))
    {
        return Ok(Datum::Null);
    }
    let reads = READING
        .iter()
        .any(|known| known.eq_ignore_ascii_case(permission));
    let writes = context.facts.writes_rows
        && WRITING
            .iter()
            .any(|known| known.eq_ignore_ascii_case(permission));
    Ok(Datum::Int(i32::from(
        reads || writes || !context.facts.reads_only,
    )))
}

fn applock_mode(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    use crate::locks::{Mode, Resource};
    let Some(name) = text(&arguments[1]) else {
        return Ok(Datum::Null);
    };
    let resource = Resource::Application(context.database.id, name.to_owned());
    Ok(national(
        match context.server.locks.held(context.facts.id, &resource) {
            None => "NoLock",
            Some(Mode::Shared) => "Shared",
            Some(Mode::Update) => "Update",
            Some(Mode::Exclusive) => "Exclusive",
        },
    ))
}

fn constant(value: Datum, sql_type: SqlType) -> Option<Typed> {
    Some(Typed::constant(value, sql_type))
}

/// Functions of no argument, or whose argument changes nothing.
fn fact(context: &Context, name: &str) -> Option<Typed> {
    let facts = &context.facts;
    let numeric = SqlType::Decimal {
        precision: 38,
        scale: 0,
        numeric: true,
    };
    let error = context.caught.as_ref().map(|caught| &caught.error);
    let of_error =
        |value: Option<Datum>, sql_type: SqlType| constant(value.unwrap_or(Datum::Null), sql_type);
    match name {
        "scope_identity" => {
            let value = facts
                .scope_identity
                .map_or(Datum::Null, |unscaled| Datum::Decimal {
                    unscaled,
                    precision: 38,
                    scale: 0,
                });
            constant(value, numeric)
        }
        "xact_state" => constant(Datum::SmallInt(facts.transaction_state), SqlType::SmallInt),
        "current_transaction_id" => {
            constant(Datum::BigInt(facts.transaction_id as i64), SqlType::BigInt)
        }
        "suser_sname" | "suser_name" | "original_login" | "system_user" => {
            constant(national(facts.login.clone()), NAME)
        }
        "user_name" | "user" | "current_user" | "session_user" => {
            let reader = facts.login.clone();
            let owner = std::sync::Arc::from("dbo");
            constant(
                national(if facts.reads_only { reader } else { owner }),
                NAME,
            )
        }
        "host_name" => constant(national(facts.host.clone()), NAME),
        "app_name" => constant(national(facts.application.clone()), NAME),
        "user_id" | "suser_id" => constant(Datum::Int(1), SqlType::Int),
        "rowcount_big" => constant(Datum::BigInt(facts.row_count), SqlType::BigInt),
        "error_number" => of_error(
            error.map(|error| Datum::Int(error.number as i32)),
            SqlType::Int,
        ),
        "error_message" => of_error(
            error.map(|error| national(error.message.clone())),
            SqlType::NVarChar { length: Some(4000) },
        ),
        "error_severity" => of_error(
            error.map(|error| Datum::Int(i32::from(error.class))),
            SqlType::Int,
        ),
        "error_state" => of_error(
            error.map(|error| Datum::Int(i32::from(error.state))),
            SqlType::Int,
        ),
        "error_line" => of_error(
            error.map(|error| Datum::Int(error.line as i32)),
            SqlType::Int,
        ),
        "error_procedure" => constant(Datum::Null, NAME),
        _ => None,
    }
}

pub(super) fn bind(binder: &mut Binder<'_>, of: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    if let Some(typed) = fact(binder.context, of.name) {
        of.takes(0, 1)?;
        return Ok(Some(typed));
    }
    Ok(Some(match of.name {
        "serverproperty" | "sessionproperty" | "connectionproperty" => {
            of.takes(1, 1)?;
            let evaluator = match of.name {
                "serverproperty" => serverproperty,
                "sessionproperty" => sessionproperty,
                _ => connectionproperty,
            };
            let arguments = of.converted(&[NAME])?;
            call(binder, evaluator, arguments, SqlType::SqlVariant, true)
        }
        "min_active_rowversion" => {
            of.takes(0, 0)?;
            Typed::new(
                Expr::Call {
                    evaluator: min_active_rowversion,
                    arguments: Vec::new(),
                },
                SqlType::Binary { length: 8 },
                false,
            )
        }
        "has_perms_by_name" => {
            of.takes(3, 5)?;
            let arguments = of.converted(&[NAME])?;
            call(binder, has_perms_by_name, arguments, SqlType::Int, true)
        }
        "is_srvrolemember" | "is_member" | "is_rolemember" | "has_dbaccess" => {
            of.takes(1, 2)?;
            Typed::constant(Datum::Int(1), SqlType::Int)
        }
        "applock_mode" => {
            of.takes(3, 3)?;
            let arguments = of.converted(&[NAME])?;
            Typed::new(
                Expr::Call {
                    evaluator: applock_mode,
                    arguments,
                },
                SqlType::NVarChar { length: Some(32) },
                true,
            )
        }
        _ => return Ok(None),
    }))
}
