//! What source, lake and target hold, and whether it is what `docs/guarantees.md` says.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use futures::TryStreamExt;
use icehost_lake::{ScanRequest, Warehouse};

use crate::database::{Database, LOCK_TIMEOUT, number, text};
use crate::pipeline::{Detector, IntoLake, IntoTarget, Pipeline, lake_table};
use crate::row::{Row, Table, by_key, folded};

/// 2026-01-01 in microseconds since 1970-01-01.
const BEGINNING: i64 = 1_767_225_600_000_000;

const COLUMNS: &str = "K, Seq, V, DATEDIFF(second, '2026-01-01', Changed)";

fn row(values: &[icehost_devengine::types::Datum]) -> Row {
    Row {
        key: text(&values[0]),
        sequence: number(&values[1]),
        value: number(&values[2]),
        changed: number(&values[3]),
    }
}

/// Runs a statement on tables that a run which was just ended may still hold for a moment.
pub fn patiently(database: &mut Database, sql: &str) -> Vec<Vec<icehost_devengine::types::Datum>> {
    for _ in 0..5_000 {
        match database.try_rows(sql) {
            Ok(rows) => return rows,
            Err(error) if error.number == LOCK_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{sql}\n{error}"),
        }
    }
    panic!("{sql}\na lock was held for five seconds");
}

/// What is committed in the source.
pub fn rows(source: &mut Database) -> Vec<Row> {
    let sql = format!(
        "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT {COLUMNS} FROM dbo.T;
         SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    );
    let rows = source.rows(&sql);
    rows.iter().map(|values| row(values)).collect()
}

/// The lake's live rows as they are, for another engine to write again; `None` where there is no table.
pub async fn lake_batch(warehouse: &Path) -> Result<Option<RecordBatch>, String> {
    let warehouse = Warehouse::open(warehouse).map_err(|e| e.to_string())?;
    let table = warehouse.find(&lake_table()).await;
    let Some(table) = table.map_err(|e| format!("the lake cannot be opened: {e}"))? else {
        return Ok(None);
    };
    let batches: Vec<RecordBatch> = match table.scan(ScanRequest::default()) {
        Ok(stream) => stream.try_collect().await,
        Err(error) => Err(error),
    }
    .map_err(|e| format!("the lake cannot be read: {e}"))?;
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let all = arrow_select::concat::concat_batches(&first.schema(), &batches);
    all.map(Some).map_err(|e| e.to_string())
}

/// The rows of a batch that no other of their key follows.
pub fn newest_of_each_key(batch: &RecordBatch) -> RecordBatch {
    let rows = rows_of(batch);
    let newest = latest(&rows);
    let keep: Vec<bool> = rows
        .iter()
        .map(|row| newest.get(&folded(&row.key)) == Some(row))
        .collect();
    arrow_select::filter::filter_record_batch(batch, &keep.into()).expect("some of the rows")
}

/// What the rows count as that no other of their key follows.
pub fn newest_values(batch: &RecordBatch) -> BTreeSet<i64> {
    let newest = latest(&rows_of(batch));
    newest.values().map(|row| row.value).collect()
}

/// The rows of a batch that count as one of these.
pub fn having_values(batch: &RecordBatch, values: &BTreeSet<i64>) -> RecordBatch {
    let column = batch.column_by_name("V").expect("column V");
    let found = column.as_primitive::<Int64Type>().values().iter();
    let keep: Vec<bool> = found.map(|value| values.contains(value)).collect();
    arrow_select::filter::filter_record_batch(batch, &keep.into()).expect("some of the rows")
}

/// The lake's live rows.
pub async fn lake(warehouse: &Path) -> Result<Vec<Row>, String> {
    let batch = lake_batch(warehouse).await?;
    Ok(batch.as_ref().map(rows_of).unwrap_or_default())
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .unwrap_or_else(|| panic!("column {name}"))
    };
    let keys = column("K").as_string::<i32>();
    let sequences = column("Seq").as_primitive::<Int64Type>();
    let values = column("V").as_primitive::<Int64Type>();
    let changed = column("Changed").as_primitive::<TimestampMicrosecondType>();
    (0..keys.len())
        .map(|i| Row {
            key: keys.value(i).to_owned(),
            sequence: sequences.value(i),
            value: values.value(i),
            changed: (changed.value(i) - BEGINNING) / 1_000_000,
        })
        .collect()
}

/// Whether an image of the lake is the one that a strategy owes for a row of the source.
fn is_owed(detector: Detector, source: &Row, lake: &Row) -> bool {
    match detector {
        // `id` sees a row once, as it was then.
        Detector::Id => {
            source.sequence == lake.sequence && folded(&source.key) == folded(&lake.key)
        }
        _ => source == lake,
    }
}

/// The lake against the source.
pub fn check_lake(
    pipeline: Pipeline,
    source: &[Row],
    lake: &[Row],
    history: &[Row],
) -> Result<(), String> {
    for row in lake {
        if !history.contains(row) {
            return Err(format!("the lake holds {row:?}, which never was"));
        }
    }
    let said = || format!("\n  source {source:?}\n  lake   {lake:?}");
    match pipeline.lake {
        IntoLake::Upsert | IntoLake::Mirror => {
            let keyed = by_key(lake, "lake")?;
            for row in source {
                match keyed.get(&folded(&row.key)) {
                    Some(found) if is_owed(pipeline.detector, row, found) => {}
                    found => return Err(format!("the lake has {found:?} for {row:?}{}", said())),
                }
            }
            if pipeline.lake == IntoLake::Mirror && lake.len() != source.len() {
                return Err(format!("the lake has rows that are gone{}", said()));
            }
        }
        IntoLake::AppendOnly => {
            let images: BTreeSet<&Row> = lake.iter().collect();
            if images.len() != lake.len() {
                return Err(format!("the lake has a row twice{}", said()));
            }
            for row in source {
                if !lake.iter().any(|l| is_owed(pipeline.detector, row, l)) {
                    return Err(format!("the lake lacks {row:?}{}", said()));
                }
            }
        }
    }
    Ok(())
}

/// What a target holds.
pub enum Target {
    /// A row for each key, or each row that was ever delivered.
    Rows(Vec<Row>),
    /// Rows, and whether each is marked as gone.
    Marked(Vec<(Row, bool)>),
    /// Versions, and the time from when and until when each counts, in the order of time.
    Versions(Vec<(Row, String, Option<String>)>),
}

impl Target {
    pub fn read(merge: IntoTarget, target: &mut Database) -> Target {
        let more = match merge {
            IntoTarget::Upsert | IntoTarget::AppendOnly => "",
            IntoTarget::SoftDelete => ", IsDeleted",
            IntoTarget::Scd2 => {
                ", CONVERT(nvarchar(40), ValidFrom, 126), COALESCE(CONVERT(nvarchar(40), ValidTo, 126), '')"
            }
        };
        let order = match merge {
            IntoTarget::Scd2 => " ORDER BY K, ValidFrom, VersionId",
            _ => "",
        };
        let rows = patiently(target, &format!("SELECT {COLUMNS}{more} FROM dbo.T{order}"));
        let rows = rows.iter().map(|values| (row(values), values));
        match merge {
            IntoTarget::Upsert | IntoTarget::AppendOnly => {
                Target::Rows(rows.map(|(row, _)| row).collect())
            }
            IntoTarget::SoftDelete => Target::Marked(
                rows.map(|(row, values)| (row, number(&values[4]) != 0))
                    .collect(),
            ),
            IntoTarget::Scd2 => Target::Versions(
                rows.map(|(row, values)| {
                    let to = Some(text(&values[5])).filter(|to| !to.is_empty());
                    (row, text(&values[4]), to)
                })
                .collect(),
            ),
        }
    }

    /// The target against the lake.
    pub fn check(&self, pipeline: Pipeline, lake: &[Row], history: &[Row]) -> Result<(), String> {
        let latest = latest(lake);
        match self {
            Target::Rows(rows) if pipeline.target == IntoTarget::AppendOnly => {
                added(rows, lake, history)
            }
            Target::Rows(rows) => same(&by_key(rows, "target")?, &latest),
            Target::Marked(rows) => {
                let live: Vec<Row> = rows
                    .iter()
                    .filter(|(_, gone)| !gone)
                    .map(|(row, _)| row.clone())
                    .collect();
                same(&by_key(&live, "target")?, &latest)
            }
            Target::Versions(versions) => {
                let current: Vec<Row> = versions
                    .iter()
                    .filter(|(_, _, to)| to.is_none())
                    .map(|(row, _, _)| row.clone())
                    .collect();
                same(&by_key(&current, "target")?, &latest)?;
                in_succession(versions)
            }
        }
    }
}

/// The latest image of each key: each write has a higher value than those before.
fn latest(lake: &[Row]) -> Table {
    let mut latest = Table::new();
    for row in lake {
        let known = latest
            .entry(folded(&row.key))
            .or_insert_with(|| row.clone());
        if known.value < row.value {
            *known = row.clone();
        }
    }
    latest
}

/// Equal, but for how keys are spelled: a target keeps the spelling that came first.
fn same(target: &Table, lake: &Table) -> Result<(), String> {
    let unspelled = |table: &Table| -> Table {
        let rows = table.iter().map(|(key, row)| {
            let row = Row {
                key: key.clone(),
                ..row.clone()
            };
            (key.clone(), row)
        });
        rows.collect()
    };
    match unspelled(target) == unspelled(lake) {
        true => Ok(()),
        false => Err(format!(
            "target and lake differ\n  lake   {:?}\n  target {:?}",
            lake.values(),
            target.values()
        )),
    }
}

/// Every row of the lake was added, and none twice.
fn added(target: &[Row], lake: &[Row], history: &[Row]) -> Result<(), String> {
    let said = || format!("\n  lake   {lake:?}\n  target {target:?}");
    let images: BTreeSet<&Row> = target.iter().collect();
    if images.len() != target.len() {
        return Err(format!("the target has a row twice{}", said()));
    }
    if let Some(row) = target.iter().find(|row| !history.contains(row)) {
        return Err(format!(
            "the target holds {row:?}, which never was{}",
            said()
        ));
    }
    match lake.iter().find(|row| !images.contains(row)) {
        Some(row) => Err(format!("the target lacks {row:?}{}", said())),
        None => Ok(()),
    }
}

/// Versions of a key follow each other, and do not count at the same time.
fn in_succession(versions: &[(Row, String, Option<String>)]) -> Result<(), String> {
    for pair in versions.windows(2) {
        let [(row, from, to), (next, next_from, _)] = pair else {
            continue;
        };
        if folded(&row.key) != folded(&next.key) {
            continue;
        }
        match to {
            Some(to) if from <= to && to <= next_from => {}
            _ => {
                return Err(format!(
                    "versions overlap: {row:?} {from}..{to:?}, {next:?} {next_from}.."
                ));
            }
        }
    }
    Ok(())
}
