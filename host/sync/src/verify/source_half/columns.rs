//! What is compared of source and lake: columns, their key, and what values are compared as.

use icehost_plan::{Column, SqlType, Table, ValidMergePlan};
use icehost_sqlserver::SqlTable;

use crate::SyncJob;
use crate::verify::compare::entry::Side;
use crate::verify::compare::fold::Fold;
use crate::verify::compare::shape::{Padding, Shape, ShapeColumn};
use crate::verify::compare::sums::{ServerSums, server_sums};
use crate::verify::report::LeftOut;

/// What is compared: all columns that go to the lake, by the key that the merger matches rows by, else the source's.
pub(crate) fn shape(plan: &ValidMergePlan, columns: &[Column], source: &Table) -> Shape {
    let by_plan = plan.keys.iter().map(|key| key.source as usize);
    let by_source = source.key().into_iter().filter_map(|ordinal| {
        let name = &source.columns.get(ordinal as usize)?.name;
        columns.iter().position(|column| column.name == *name)
    });
    let key: Vec<usize> = match plan.keys.is_empty() {
        true => by_source.collect(),
        false => by_plan.collect(),
    };
    let whole_key = !plan.keys.is_empty() || key.len() == source.key().len();
    Shape {
        columns: columns
            .iter()
            .map(|column| ShapeColumn {
                name: column.name.clone(),
                padding: Padding::None,
                fold: Fold::of(column.collation.as_ref()),
                certain: Fold::certain(column.collation.as_ref()),
            })
            .collect(),
        key: if whole_key { key } else { Vec::new() },
    }
}

/// The columns at these ordinals.
pub(crate) fn columns_of(table: &Table, ordinals: &[u32]) -> Vec<Column> {
    let column = |&ordinal: &u32| table.columns.get(ordinal as usize).cloned();
    ordinals.iter().filter_map(column).collect()
}

/// How the source's server is to add up those columns of its rows, where they go to the lake as they are.
pub(crate) fn by_server(
    job: &SyncJob,
    table: &SqlTable,
    columns: &[u32],
    shape: &Shape,
) -> Option<ServerSums> {
    let columns = columns.iter();
    let columns = columns.filter_map(|&at| table.columns.get(at as usize));
    // What is made of a masked value is masked, too (T-SQL, "Dynamic data masking"): no sum of the masks.
    let as_they_are = job.source.rules.rules.is_empty()
        && job.source.transforms.is_empty()
        && !columns.clone().any(|column| column.masked);
    let types = columns.map(|column| column.sql_type);
    server_sums(Side::Expected, types.collect(), shape).filter(|_| as_they_are)
}

/// Lake columns that the source does not bring.
pub(crate) fn left_out(lake: &Table, columns: &[Column]) -> Vec<LeftOut> {
    let brought = |name: &str| columns.iter().any(|column| column.name == name);
    lake.columns
        .iter()
        .filter(|column| !brought(&column.name))
        .map(|column| LeftOut {
            column: column.name.clone(),
            why: "the source does not bring it".to_owned(),
        })
        .collect()
}

/// What values are compared as, where that is not what the source shows.
pub(crate) fn carried_notes(job: &SyncJob, table: &SqlTable, columns: &[Column]) -> Vec<String> {
    let quoted = |wanted: fn(SqlType) -> bool| {
        let named = table.columns.iter().filter(|c| wanted(c.sql_type));
        let names: Vec<String> = named.map(|c| format!("'{}'", c.name)).collect();
        names.join(", ")
    };
    let mut notes = Vec::new();
    let fine = quoted(SqlType::finer_than_microseconds);
    if !fine.is_empty() {
        notes.push(format!(
            "{fine}: compared to the microsecond, which is what the lake holds"
        ));
    }
    let zoned = quoted(|sql_type| matches!(sql_type, SqlType::DateTimeOffset(_)));
    if !zoned.is_empty() {
        notes.push(format!(
            "{zoned}: compared as moments, without the offset, which the lake does not hold"
        ));
    }
    let ruled = job.source.rules.rules.iter();
    let ruled: Vec<String> = ruled.map(|(column, _)| format!("'{column}'")).collect();
    if !ruled.is_empty() {
        notes.push(format!(
            "{}: compared as column rules leave it",
            ruled.join(", ")
        ));
    }
    if !job.source.transforms.is_empty() {
        let names = job.source.transforms.0.iter();
        let names: Vec<String> = names
            .map(|of| of.strategy.strategy().description().name.clone())
            .collect();
        notes.push(format!(
            "rows and their {} columns are compared as the transformers leave them: {}",
            columns.len(),
            names.join(", ")
        ));
    }
    notes
}
