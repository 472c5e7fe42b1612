//! `sys.security_policies` and `sys.security_predicates`.
//!
//! "Principals that have the ALTER ANY SECURITY POLICY permission have access to all objects in this catalog view as
//! well as anyone with VIEW DEFINITION on the object": a login that may only read sees none.

use super::Catalog;
use super::view::{KIND, NAME, TEXT, View, WORDS, bit, int, kind, moment, text};
use crate::storage::Policy;
use crate::types::{Datum, SqlType};

fn visible(catalog: &Catalog<'_>) -> Vec<Policy> {
    if catalog.context.facts.reads_only {
        return Vec::new();
    }
    catalog.database.security.lock().policies.clone()
}

fn policies(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("name", NAME),
        ("object_id", SqlType::Int),
        ("principal_id", SqlType::Int),
        ("schema_id", SqlType::Int),
        ("parent_object_id", SqlType::Int),
        ("type", KIND),
        ("type_desc", WORDS),
        ("create_date", SqlType::DateTime),
        ("modify_date", SqlType::DateTime),
        ("is_ms_shipped", SqlType::Bit),
        ("is_enabled", SqlType::Bit),
        ("is_not_for_replication", SqlType::Bit),
        ("uses_database_collation", SqlType::Bit),
        ("is_schema_bound", SqlType::Bit),
    ]);
    for policy in visible(catalog) {
        view.push(vec![
            text(&policy.name),
            int(policy.object_id),
            Datum::Null,
            int(policy.schema_id),
            int(0),
            kind("SP"),
            text("SECURITY_POLICY"),
            moment(policy.created),
            moment(policy.created),
            bit(false),
            bit(policy.enabled),
            bit(false),
            bit(false),
            bit(true),
        ]);
    }
    view
}

fn predicates(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("object_id", SqlType::Int),
        ("security_predicate_id", SqlType::Int),
        ("target_object_id", SqlType::Int),
        ("predicate_definition", TEXT),
        ("predicate_type", SqlType::Int),
        ("predicate_type_desc", WORDS),
        ("operation", SqlType::Int),
        ("operation_desc", WORDS),
    ]);
    for policy in visible(catalog) {
        for (place, filter) in policy.filters.iter().enumerate() {
            view.push(vec![
                int(policy.object_id),
                int(place as i32 + 1),
                int(filter.table),
                text(&filter.definition),
                int(0),
                text("FILTER"),
                Datum::Null,
                Datum::Null,
            ]);
        }
    }
    view
}

pub(super) fn view(catalog: &Catalog<'_>, name: &str) -> Option<View> {
    Some(match name {
        "security_policies" => policies(catalog),
        "security_predicates" => predicates(catalog),
        _ => return None,
    })
}
