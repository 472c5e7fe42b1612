//! Globals: `@@NAME`.

use crate::bind::Typed;
use crate::context::Context;
use crate::error::{SqlResult, unsupported_function};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

/// The version that the development server reports: SQL Server 2022's major number, so that clients pick
/// the dialect that it understands.
pub(crate) const PRODUCT_VERSION: &str = "16.0.1000.6";

fn version() -> String {
    format!(
        "icehost development SQL Server {PRODUCT_VERSION} - not Microsoft SQL Server; an in-memory T-SQL subset for tests and demonstrations"
    )
}

/// The value of a global, by its name in upper case.
pub(crate) fn global(context: &Context, name: &str) -> SqlResult<Typed> {
    let facts = &context.facts;
    let int = |value: i64| {
        Typed::constant(
            Datum::Int(i32::try_from(value).unwrap_or(i32::MAX)),
            SqlType::Int,
        )
    };
    let text = |value: &str| Typed::constant(super::national(value), super::NAME);
    let numeric = |value: Option<i128>| {
        let datum = value.map_or(Datum::Null, |unscaled| Datum::Decimal {
            unscaled,
            precision: 38,
            scale: 0,
        });
        Typed::constant(
            datum,
            SqlType::Decimal {
                precision: 38,
                scale: 0,
                numeric: true,
            },
        )
    };
    Ok(match name {
        "VERSION" => Typed::constant(
            super::national(version()),
            SqlType::NVarChar { length: Some(300) },
        ),
        "SPID" => Typed::constant(Datum::SmallInt(facts.id as i16), SqlType::SmallInt),
        "ROWCOUNT" => int(facts.row_count),
        "ERROR" => int(i64::from(facts.error)),
        "TRANCOUNT" => int(i64::from(facts.transaction_count)),
        "NESTLEVEL" => int(i64::from(facts.nest_level)),
        "IDENTITY" => numeric(facts.identity),
        "SERVERNAME" => text(context.server.name()),
        "SERVICENAME" => text(
            context
                .server
                .machine_and_instance()
                .1
                .unwrap_or("MSSQLSERVER"),
        ),
        "LANGUAGE" => text("us_english"),
        "LANGID" => Typed::constant(Datum::SmallInt(0), SqlType::SmallInt),
        "MAX_PRECISION" => Typed::constant(Datum::TinyInt(38), SqlType::TinyInt),
        "MAX_CONNECTIONS" => int(32767),
        "TEXTSIZE" => int(i64::from(i32::MAX)),
        "DATEFIRST" => Typed::constant(Datum::TinyInt(facts.date_first), SqlType::TinyInt),
        "LOCK_TIMEOUT" => int(facts.lock_timeout),
        // ANSI_WARNINGS, ANSI_PADDING, ANSI_NULLS, ARITHABORT, QUOTED_IDENTIFIER, ANSI_NULL_DFLT_ON,
        // CONCAT_NULL_YIELDS_NULL; then NOCOUNT and XACT_ABORT as set.
        "OPTIONS" => int(5496
            + if facts.no_count { 512 } else { 0 }
            + if facts.xact_abort { 16384 } else { 0 }),
        "MICROSOFTVERSION" => int(0x1000_03E8),
        "FETCH_STATUS" => int(-1),
        "PROCID" => int(0),
        "CURSOR_ROWS" => int(0),
        "DBTS" => {
            let bytes = context.database.last_row_version().to_be_bytes();
            Typed::constant(
                Datum::Binary(bytes.as_slice().into()),
                SqlType::VarBinary { length: Some(8) },
            )
        }
        "CPU_BUSY" | "IDLE" | "IO_BUSY" | "TIMETICKS" | "TOTAL_READ" | "TOTAL_WRITE"
        | "PACK_SENT" | "PACK_RECEIVED" | "CONNECTIONS" | "REMSERVER" | "TOTAL_ERRORS"
        | "PACKET_ERRORS" => {
            return Err(unsupported_function(&format!("@@{name}")));
        }
        _ => {
            return Err(SqlError::new(
                137,
                15,
                2,
                format!("Must declare the scalar variable \"@@{name}\"."),
            )
            .ending_batch());
        }
    })
}
