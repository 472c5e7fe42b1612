//! What a login is not shown of its source, and what must not rest on it.
//!
//! A masked column reads as data: `xxxx`, 1900-01-01. A security policy leaves rows out of every answer, and what
//! is left out looks deleted. Neither is an error to the server, so it has to be one here.

use icehost_plan::{Coverage, Node, Probe, ValidExtractionPlan};
use icehost_sqlserver::SqlTable;

use crate::SyncError;
use crate::detection::change::LakeChange;

const GRANT: &str = "GRANT UNMASK TO the login's user";

/// Refuses a plan that looks at masked columns beyond carrying them: an aggregate or an order of masks says
/// nothing of the values.
///
/// # Errors
/// The column, and that it is masked.
pub(crate) fn check_plan(
    table: &SqlTable,
    probes: &[Probe],
    plan: &ValidExtractionPlan,
) -> Result<(), SyncError> {
    let probed = probes.iter().flat_map(Probe::columns);
    let nodes = plan.filter.iter().flat_map(|filter| &filter.nodes);
    let filtered = nodes.filter_map(|node| match node {
        Node::Column { column, .. } => Some(*column),
        _ => None,
    });
    let ordered = plan.order_by.iter().map(|key| key.column);
    let observed = plan.observe.iter().map(|aggregate| aggregate.column);
    let used = probed.chain(filtered).chain(ordered).chain(observed);
    refuse_masked(
        table,
        used,
        "and the change detector decides by it what to read",
    )
}

/// Refuses a key that is masked: two keys may have one mask.
///
/// # Errors
/// The column, and that it is masked.
pub(crate) fn check_keys(table: &SqlTable, change: &LakeChange) -> Result<(), SyncError> {
    let keys = change.rows.key_columns().into_iter().filter_map(|ordinal| {
        let name = &change.columns.get(ordinal as usize)?.name;
        table.table.ordinal(name)
    });
    refuse_masked(table, keys, "and rows are found again by it")
}

fn refuse_masked(
    table: &SqlTable,
    ordinals: impl Iterator<Item = u32>,
    why: &str,
) -> Result<(), SyncError> {
    let mut columns = ordinals.filter_map(|ordinal| table.columns.get(ordinal as usize));
    match columns.find(|column| column.masked) {
        None => Ok(()),
        Some(column) => Err(SyncError::schema(
            format!(
                "table {}, column '{}': the login is not shown its values but a mask, {why}",
                table.name, column.name
            ),
            GRANT,
        )),
    }
}

/// Refuses to take rows for deleted that a security policy may hide.
///
/// # Errors
/// The policies, unless the user says that the login sees every row.
pub(crate) fn check_absence(
    table: &SqlTable,
    coverage: Coverage,
    change: &LakeChange,
    sees_all: bool,
) -> Result<(), SyncError> {
    let filters = &table.traits.row_filters;
    let deletes = coverage == Coverage::Full && change.rows.deletes_unlisted();
    if filters.is_empty() || sees_all || !deletes {
        return Ok(());
    }
    Err(SyncError::schema(
        format!(
            "security policy {} may hide rows of {} from the login, and rows that are not found would be deleted",
            filters.join(", "),
            table.name
        ),
        "let the policy's predicate show the login every row, and say so with --allow-row-filter",
    ))
}

/// What of the source is not carried as it is.
pub(crate) fn warnings(table: &SqlTable) -> Vec<String> {
    let mut warnings = Vec::new();
    let masked: Vec<String> = table.masked().map(|name| format!("'{name}'")).collect();
    if !masked.is_empty() {
        warnings.push(format!(
            "{}: the login is shown masks instead of the values of {}, and they are carried (--allow-masked)",
            table.name,
            masked.join(", ")
        ));
    }
    if !table.traits.row_filters.is_empty() {
        warnings.push(format!(
            "{}: security policy {} may hide rows from the login; those are not carried",
            table.name,
            table.traits.row_filters.join(", ")
        ));
    }
    warnings
}
