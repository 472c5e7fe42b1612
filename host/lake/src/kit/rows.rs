//! Tables of one column, `id long`, for those who test with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use futures::TryStreamExt;
use icehost_plan::{Action, Clause, Contents, Delta, LakeType, MergePlan, Occasion, WriteMode};
use uuid::Uuid;

use crate::commit::{CommitRequest, Committed};
use crate::error::Result;
use crate::read::ScanRequest;
use crate::row_change::RowChange;
use crate::schema::NewColumn;
use crate::staging::{StageOptions, Staged};
use crate::table::LakeTable;
use crate::warehouse::NewTable;

/// A table of numbers.
pub fn numbers() -> NewTable {
    NewTable {
        columns: vec![NewColumn {
            name: "id".to_owned(),
            lake_type: LakeType::Long,
            required: true,
            doc: None,
        }],
        identifier: Vec::new(),
        properties: BTreeMap::new(),
    }
}

/// Stages numbers for a table of them.
///
/// # Errors
/// Those of staging.
pub(super) async fn stage(table: &LakeTable, ids: &[i64]) -> Result<Staged> {
    let target = table.describe()?;
    let delta = Delta {
        columns: target.columns.clone(),
        contents: Contents::Upserts,
        operation: None,
        rows: ids.len() as u64,
        run_time: 0,
    };
    let plan = MergePlan {
        keys: Vec::new(),
        among: None,
        deduplicate: Vec::new(),
        clauses: vec![Clause {
            occasion: Occasion::NotMatched,
            condition: None,
            action: Action::WriteAll,
        }],
        mode: WriteMode::Append,
    };
    let valid = plan.validate(&target, &delta).expect("a valid plan");
    let change = RowChange::from_plan(&valid, &target, &delta)?;
    let values = Arc::new(Int64Array::from(ids.to_vec()));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", values as _, false)])?;
    let mut writer = table
        .stage(Uuid::new_v4(), change, StageOptions::default())
        .await?;
    writer.write(batch).await?;
    writer.finish().await
}

/// Appends numbers to a table of them, in one commit.
///
/// # Errors
/// Those of staging and of the commit.
pub async fn append_ids(table: &LakeTable, ids: &[i64]) -> Result<Committed> {
    let request = CommitRequest {
        staged: Some(stage(table, ids).await?),
        ..CommitRequest::default()
    };
    let committed = table.commit(request).await?;
    Ok(committed.expect("rows make a snapshot"))
}

/// The numbers in the current snapshot of a table of them, sorted.
///
/// # Errors
/// Those of a scan.
pub async fn ids_of(table: &LakeTable) -> Result<Vec<i64>> {
    let batches: Vec<RecordBatch> = table.scan(ScanRequest::default())?.try_collect().await?;
    let values = batches.iter().flat_map(|batch| {
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    });
    let mut ids: Vec<i64> = values.collect();
    ids.sort_unstable();
    Ok(ids)
}
