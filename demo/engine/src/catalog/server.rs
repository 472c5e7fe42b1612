//! The server: `sys.databases`, `sys.configurations`, sessions and connections.

use super::Catalog;
use super::view::{NAME, TEXT, View, WORDS, bit, int, moment, small, text, tiny};
use crate::storage::{Recovery, Writing};
use crate::types::{Datum, SqlType};

fn recovery(model: Recovery) -> (u8, &'static str) {
    match model {
        Recovery::Full => (1, "FULL"),
        Recovery::BulkLogged => (2, "BULK_LOGGED"),
        Recovery::Simple => (3, "SIMPLE"),
    }
}

fn databases(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("name", NAME),
        ("database_id", SqlType::Int),
        ("source_database_id", SqlType::Int),
        ("create_date", SqlType::DateTime),
        ("compatibility_level", SqlType::TinyInt),
        ("collation_name", NAME),
        ("user_access", SqlType::TinyInt),
        ("user_access_desc", WORDS),
        ("is_read_only", SqlType::Bit),
        ("is_auto_close_on", SqlType::Bit),
        ("is_auto_shrink_on", SqlType::Bit),
        ("state", SqlType::TinyInt),
        ("state_desc", WORDS),
        ("is_in_standby", SqlType::Bit),
        ("snapshot_isolation_state", SqlType::TinyInt),
        ("snapshot_isolation_state_desc", WORDS),
        ("is_read_committed_snapshot_on", SqlType::Bit),
        ("is_broker_enabled", SqlType::Bit),
        ("service_broker_guid", SqlType::UniqueIdentifier),
        ("recovery_model", SqlType::TinyInt),
        ("recovery_model_desc", WORDS),
        ("is_cdc_enabled", SqlType::Bit),
        ("is_encrypted", SqlType::Bit),
        ("containment", SqlType::TinyInt),
        ("containment_desc", WORDS),
    ]);
    for database in catalog.context.server.databases() {
        let options = *database.options.lock();
        view.push(vec![
            text(&database.name),
            int(database.id),
            Datum::Null,
            moment(database.created),
            tiny(160),
            text(crate::collation::DEFAULT_NAME),
            tiny(0),
            text("MULTI_USER"),
            bit(options.writing == Writing::ReadOnly),
            bit(false),
            bit(false),
            tiny(0),
            text("ONLINE"),
            bit(false),
            tiny(options.snapshot.number()),
            text(options.snapshot.description()),
            bit(options.read_committed_snapshot),
            bit(false),
            Datum::Guid(database.identity().service_broker),
            tiny(recovery(options.recovery).0),
            text(recovery(options.recovery).1),
            bit(false),
            bit(false),
            tiny(0),
            text("NONE"),
        ]);
    }
    view
}

/// No backups: the log positions are not known.
fn recovery_status(catalog: &Catalog<'_>) -> View {
    let lsn = SqlType::Decimal {
        precision: 25,
        scale: 0,
        numeric: true,
    };
    let mut view = View::new(&[
        ("database_id", SqlType::Int),
        ("database_guid", SqlType::UniqueIdentifier),
        ("family_guid", SqlType::UniqueIdentifier),
        ("last_log_backup_lsn", lsn.clone()),
        ("recovery_fork_guid", SqlType::UniqueIdentifier),
        ("first_recovery_fork_guid", SqlType::UniqueIdentifier),
        ("fork_point_lsn", lsn),
    ]);
    for database in catalog.context.server.databases() {
        let identity = database.identity();
        view.push(vec![
            int(database.id),
            Datum::Guid(identity.database),
            Datum::Guid(identity.family),
            Datum::Null,
            Datum::Guid(identity.recovery_fork),
            Datum::Null,
            Datum::Null,
        ]);
    }
    view
}

fn sessions(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("session_id", SqlType::SmallInt),
        ("login_name", NAME),
        ("host_name", NAME),
        ("program_name", NAME),
        ("status", SqlType::NVarChar { length: Some(30) }),
        ("database_id", SqlType::SmallInt),
        ("transaction_isolation_level", SqlType::SmallInt),
        ("lock_timeout", SqlType::Int),
        ("row_count", SqlType::BigInt),
        ("is_user_process", SqlType::Bit),
        ("open_transaction_count", SqlType::Int),
    ]);
    let facts = &catalog.context.facts;
    for id in catalog.context.server.session_ids() {
        let own = id == facts.id;
        view.push(vec![
            small(id as i16),
            if own { text(&facts.login) } else { Datum::Null },
            if own { text(&facts.host) } else { Datum::Null },
            if own {
                text(&facts.application)
            } else {
                Datum::Null
            },
            text(if own { "running" } else { "sleeping" }),
            if own {
                small(catalog.context.database.id as i16)
            } else {
                Datum::Null
            },
            if own {
                small(facts.isolation)
            } else {
                Datum::Null
            },
            if own {
                int(facts.lock_timeout as i32)
            } else {
                Datum::Null
            },
            if own {
                Datum::BigInt(facts.row_count)
            } else {
                Datum::Null
            },
            bit(true),
            if own {
                int(facts.transaction_count)
            } else {
                Datum::Null
            },
        ]);
    }
    view
}

fn connections(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("session_id", SqlType::Int),
        ("net_transport", SqlType::NVarChar { length: Some(40) }),
        ("protocol_type", SqlType::NVarChar { length: Some(40) }),
        ("auth_scheme", SqlType::NVarChar { length: Some(40) }),
    ]);
    for id in catalog.context.server.session_ids() {
        view.push(vec![
            int(i32::from(id)),
            text("TCP"),
            text("TSQL"),
            text("SQL"),
        ]);
    }
    view
}

fn configurations() -> View {
    let mut view = View::new(&[
        ("configuration_id", SqlType::Int),
        ("name", SqlType::NVarChar { length: Some(35) }),
        ("value", SqlType::SqlVariant),
        ("minimum", SqlType::SqlVariant),
        ("maximum", SqlType::SqlVariant),
        ("value_in_use", SqlType::SqlVariant),
        ("description", SqlType::NVarChar { length: Some(255) }),
        ("is_dynamic", SqlType::Bit),
        ("is_advanced", SqlType::Bit),
    ]);
    for (id, name, value) in [
        (115, "nested triggers", 1),
        (1534, "user options", 0),
        (16387, "SMO and DMO XPs", 0),
    ] {
        view.push(vec![
            int(id),
            text(name),
            int(value),
            int(0),
            int(i32::MAX),
            int(value),
            text(name),
            bit(true),
            bit(false),
        ]);
    }
    view
}

fn requests(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("session_id", SqlType::SmallInt),
        ("request_id", SqlType::Int),
        ("status", SqlType::NVarChar { length: Some(30) }),
        ("command", SqlType::NVarChar { length: Some(32) }),
        ("database_id", SqlType::SmallInt),
        ("blocking_session_id", SqlType::SmallInt),
    ]);
    view.push(vec![
        small(catalog.context.facts.id as i16),
        int(0),
        text("running"),
        text("SELECT"),
        small(catalog.context.database.id as i16),
        small(0),
    ]);
    view
}

pub(super) fn view(catalog: &Catalog<'_>, name: &str) -> Option<View> {
    Some(match name {
        "databases" => databases(catalog),
        "database_recovery_status" => recovery_status(catalog),
        "dm_exec_sessions" => sessions(catalog),
        "dm_exec_connections" => connections(catalog),
        "dm_exec_requests" => requests(catalog),
        "configurations" => configurations(),
        "extended_properties" => View::new(&[
            ("class", SqlType::TinyInt),
            ("class_desc", WORDS),
            ("major_id", SqlType::Int),
            ("minor_id", SqlType::Int),
            ("name", NAME),
            ("value", SqlType::SqlVariant),
        ]),
        "servers" => {
            let mut view = View::new(&[
                ("server_id", SqlType::Int),
                ("name", NAME),
                ("product", NAME),
                ("is_linked", SqlType::Bit),
                ("data_source", TEXT),
            ]);
            view.push(vec![
                int(0),
                text(catalog.context.server.name()),
                text("icehost development server"),
                bit(false),
                text(catalog.context.server.name()),
            ]);
            view
        }
        _ => return None,
    })
}
