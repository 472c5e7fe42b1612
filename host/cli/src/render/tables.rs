//! Lake tables, and what one is made of.

use icehost_lake::{Contents, Files, LakeTable, SnapshotInfo};
use icehost_run::ErrorKind;
use indicatif::{BinaryBytes, HumanCount};

use super::snapshots::{moment, rows};
use crate::args::Output;
use crate::failure::Failure;
use crate::render::{counted, line};

/// The tables of a warehouse.
pub(crate) struct Listed {
    /// Where it is.
    pub(crate) warehouse: String,
    /// By name; those that cannot be read with why.
    pub(crate) tables: Vec<(String, Result<LakeTable, Failure>)>,
}

/// Prints tables of warehouses, a line each.
///
/// # Errors
/// Some of them cannot be read; the others have been shown.
pub(crate) fn print_tables(listed: Vec<Listed>, output: Output) -> Result<(), Failure> {
    let tables: usize = listed.iter().map(|listed| listed.tables.len()).sum();
    let unread = listed.iter().flat_map(|listed| &listed.tables);
    let unread: Vec<(&str, &Failure)> = unread
        .filter_map(|(name, table)| Some((name.as_str(), table.as_ref().err()?)))
        .collect();
    let failure = unread.first().map(|(name, why)| {
        let message = format!(
            "{} of {} cannot be read, {name} for one: {}",
            unread.len(),
            counted(tables as u64, "lake table"),
            why.message()
        );
        let hint = why.hint();
        let hint = hint.unwrap_or_else(|| "'icehost table describe' says more of each".into());
        Failure::new(ErrorKind::Lake, message, hint)
    });
    match output {
        Output::Json => {
            let warehouses: Vec<serde_json::Value> = listed.iter().map(listing).collect();
            let object = serde_json::json!({ "warehouses": warehouses });
            match failure {
                Some(failure) => {
                    let told = failure.told_in(object);
                    return Err(failure.with_object(told));
                }
                None => line(object),
            }
        }
        Output::Text => {
            for listed in &listed {
                print_listed(listed);
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
    }
    Ok(())
}

fn print_listed(listed: &Listed) {
    if listed.tables.is_empty() {
        line(format!("{} has no tables", listed.warehouse));
        return;
    }
    line(&listed.warehouse);
    let widest = listed.tables.iter().map(|(name, _)| name.chars().count());
    let width = widest.max().unwrap_or(0).clamp(5, 40);
    line(format!(
        "  {:<width$} {:>15} {:>8} {:>12} {:>10}  last commit",
        "table", "rows", "files", "size", "snapshots"
    ));
    for (name, table) in &listed.tables {
        let Ok(table) = table else {
            line(format!("  {name:<width$} cannot be read"));
            continue;
        };
        let current = table.current_snapshot();
        let number = |field: &str| current.as_ref()?.summary_number(field);
        let known = |number: Option<u64>| match (&current, number) {
            (None, _) => "0".to_owned(),
            (_, Some(number)) => HumanCount(number).to_string(),
            (_, None) => "?".to_owned(),
        };
        let size = number("total-files-size");
        line(format!(
            "  {name:<width$} {:>15} {:>8} {:>12} {:>10}  {}",
            known(current.as_ref().and_then(rows)),
            known(number("total-data-files")),
            size.map_or_else(|| known(None), |bytes| BinaryBytes(bytes).to_string()),
            HumanCount(table.snapshots().len() as u64).to_string(),
            current.as_ref().map_or_else(
                || "never".to_owned(),
                |snapshot| moment(snapshot.timestamp_ms)
            ),
        ));
    }
}

fn listing(listed: &Listed) -> serde_json::Value {
    let tables = listed.tables.iter().map(|(name, table)| match table {
        Err(why) => why.told_in(serde_json::json!({ "lake_table": name })),
        Ok(table) => {
            let current = table.current_snapshot();
            let number = |field: &str| current.as_ref()?.summary_number(field);
            serde_json::json!({
                "lake_table": name,
                "uuid": table.uuid(),
                "format": table.format(),
                "snapshot_id": current.as_ref().map(|snapshot| snapshot.id),
                "committed_at": current.as_ref().map(|snapshot| moment(snapshot.timestamp_ms)),
                "rows": current.as_ref().map_or(Some(0), rows),
                "data_files": number("total-data-files"),
                "bytes": number("total-files-size"),
                "snapshots": table.snapshots().len(),
            })
        }
    });
    serde_json::json!({
        "warehouse": listed.warehouse,
        "tables": tables.collect::<Vec<_>>(),
    })
}

/// Prints what a table is made of, on a screen.
pub(crate) fn print_description(table: &LakeTable, contents: &Contents, output: Output) {
    match output {
        Output::Json => line(object(table, contents)),
        Output::Text => print_text(table, contents),
    }
}

fn object(table: &LakeTable, contents: &Contents) -> serde_json::Value {
    let files = |files: Files| {
        serde_json::json!({
            "count": files.count, "bytes": files.bytes, "rows": files.rows,
        })
    };
    let columns = table.any_columns().into_iter().map(|column| {
        serde_json::json!({
            "id": column.field_id,
            "name": column.name,
            "type": column.field_type,
            "required": column.required,
            "identifier": column.identifies,
            "doc": column.doc,
        })
    });
    let snapshots = table.snapshots();
    let current = table.current_snapshot();
    let (manifests, metadata) = (contents.manifests, contents.metadata);
    serde_json::json!({
        "lake_table": table.name(),
        "uuid": table.uuid(),
        "format": table.format(),
        "location": table.location(),
        "metadata_location": table.metadata_location(),
        "columns": columns.collect::<Vec<_>>(),
        "partitioned_by": table.partitioning(),
        "sorted_by": table.sorting(),
        "properties": table.properties(),
        "snapshot_id": current.as_ref().map(|snapshot| snapshot.id),
        "committed_at": current.as_ref().map(|snapshot| moment(snapshot.timestamp_ms)),
        "rows": current.as_ref().map_or(Some(0), rows),
        "snapshots": snapshots.len(),
        "oldest_snapshot_at": snapshots.first().map(|oldest| moment(oldest.timestamp_ms)),
        "data_files": files(contents.data),
        "small_data_files": files(contents.small),
        "data_files_with_deletes": contents.with_deletes,
        "position_delete_files": files(contents.position_deletes),
        "equality_delete_files": files(contents.equality_deletes),
        "manifests": { "count": manifests.count, "bytes": manifests.bytes },
        "metadata_files": { "count": metadata.count, "bytes": metadata.bytes },
        "health": health(table, contents, &snapshots),
    })
}

fn print_text(table: &LakeTable, contents: &Contents) {
    let snapshots = table.snapshots();
    let current = table.current_snapshot();
    let say = |what: &str, text: String| line(format!("{what:<12}{text}"));
    let files = |files: Files, what: &str| {
        format!(
            "{}, {}, {}",
            counted(files.count, "file"),
            BinaryBytes(files.bytes),
            counted(files.rows, what)
        )
    };
    say("lake table", table.name().to_owned());
    say("location", table.location().to_owned());
    say(
        "identity",
        format!("{}, format v{}", table.uuid(), table.format()),
    );
    if let Some(metadata) = table.metadata_location() {
        say("metadata", metadata.to_owned());
    }
    for (n, column) in table.any_columns().iter().enumerate() {
        let what = if n == 0 { "columns" } else { "" };
        let marks = match (column.identifies, column.required) {
            (true, _) => ", identifier",
            (false, true) => ", required",
            (false, false) => "",
        };
        say(
            what,
            format!(
                "{:>3} {} {}{marks}",
                column.field_id, column.name, column.field_type
            ),
        );
    }
    let none = |parts: Vec<String>, none: &str| match parts.is_empty() {
        true => none.to_owned(),
        false => parts.join(", "),
    };
    say("partitioned", none(table.partitioning(), "no"));
    say("sorted", none(table.sorting(), "no"));
    match &current {
        None => say("snapshot", "none so far".to_owned()),
        Some(snapshot) => say(
            "snapshot",
            format!(
                "{} of {}, {}",
                snapshot.id,
                moment(snapshot.timestamp_ms),
                rows(snapshot)
                    .map_or_else(|| "rows unknown".to_owned(), |rows| counted(rows, "row"))
            ),
        ),
    }
    if let Some(oldest) = snapshots.first() {
        say(
            "history",
            format!(
                "{}, the oldest of {}",
                counted(snapshots.len() as u64, "snapshot"),
                moment(oldest.timestamp_ms)
            ),
        );
    }
    say("data", files(contents.data, "row"));
    if contents.position_deletes.count > 0 {
        let deletes = files(contents.position_deletes, "deleted row");
        say("deletes", format!("{deletes}, by position"));
    }
    if contents.equality_deletes.count > 0 {
        let deletes = files(contents.equality_deletes, "key");
        say("deletes", format!("{deletes}, by equality"));
    }
    let (manifests, metadata) = (contents.manifests, contents.metadata);
    say(
        "manifests",
        format!(
            "{}, {}",
            counted(manifests.count, "file"),
            BinaryBytes(manifests.bytes)
        ),
    );
    say(
        "in all",
        format!(
            "{} of metadata, {}",
            counted(metadata.count, "file"),
            BinaryBytes(metadata.bytes)
        ),
    );
    let health = health(table, contents, &snapshots);
    if health.is_empty() {
        say("health", "nothing here slows readers or writers".to_owned());
    }
    for (n, found) in health.into_iter().enumerate() {
        say(if n == 0 { "health" } else { "" }, found);
    }
}

/// Fewest files of which something is said.
const FEW: u64 = 20;
/// Most snapshots before something is said: each version of the metadata lists them all.
const MANY_SNAPSHOTS: usize = 1_000;
/// Fewest bytes of metadata of which something is said.
const MUCH_METADATA: u64 = 64 << 20;

/// What slows readers or writers, or keeps icehost from writing, a sentence each.
fn health(table: &LakeTable, contents: &Contents, snapshots: &[SnapshotInfo]) -> Vec<String> {
    let mut found = Vec::new();
    if let Err(error) = table.check_writable() {
        found.push(error.to_string());
    }
    if let Err(error) = table.columns() {
        found.push(error.to_string());
    }
    let Contents {
        data,
        small,
        with_deletes,
        position_deletes,
        equality_deletes,
        ..
    } = *contents;
    if small.count >= FEW && small.count.saturating_mul(2) > data.count {
        found.push(format!(
            "{} of {} are small: readers open each of them; compact them (rewrite_data_files)",
            HumanCount(small.count),
            counted(data.count, "data file")
        ));
    }
    if position_deletes.rows.saturating_mul(10) > data.rows {
        found.push(format!(
            "{} are deleted and still in data files, in at least {}: readers skip them one by one; compact those files",
            counted(position_deletes.rows, "row"),
            counted(with_deletes, "file"),
        ));
    }
    if equality_deletes.count > 0 {
        found.push(format!(
            "{} by equality: readers hold their keys in memory and compare every row; compact the table",
            counted(equality_deletes.count, "delete file")
        ));
    }
    if snapshots.len() > MANY_SNAPSHOTS {
        found.push(format!(
            "{}: each commit writes them all anew; expire those that nobody needs",
            counted(snapshots.len() as u64, "snapshot")
        ));
    }
    let metadata = contents.metadata;
    if metadata.bytes > MUCH_METADATA && metadata.bytes > data.bytes {
        found.push(format!(
            "metadata take more than the rows, {}: expire snapshots, and set write.metadata.delete-after-commit.enabled",
            BinaryBytes(metadata.bytes)
        ));
    }
    found
}
