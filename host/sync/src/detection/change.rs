//! How a delta lands in the lake: what the merger answers, as far as a lake table can do it.

use icehost_lake::{LakeTable, RowChange};
use icehost_plan::{
    Action, Clause, Column, Contents, Coverage, Delta, Occasion, Table, ValidExtractionPlan,
    ValidMergePlan,
};

use crate::error::Doing;
use crate::rows::withdrawals::Withdrawals;
use crate::rows::{layout, run_time, source_columns};
use crate::source::open::OpenSource;
use crate::{Merging, SyncError, SyncJob};

/// How a delta lands in the lake.
pub(crate) struct LakeChange {
    pub(crate) rows: RowChange,
    /// The delta cannot hold a key twice: the key is the source's own.
    pub(crate) unique_keys: bool,
    /// The delta's columns, as transformers leave them.
    pub(crate) columns: Vec<Column>,
    /// Field ids of the lake's columns, and whether the delta brings a value for them.
    pub(crate) fields: Vec<(i32, bool)>,
    /// How rows that a transformer drops are taken out; `None` where none is dropped or none can be matched.
    pub(crate) withdrawals: Option<Withdrawals>,
}

/// What the merger of the lake is shown, and what it answers.
pub(crate) struct LakePlan {
    pub(crate) description: Table,
    pub(crate) delta: Delta,
    pub(crate) plan: ValidMergePlan,
}

impl LakePlan {
    /// What the plan does to the lake table.
    ///
    /// # Errors
    /// What of it a lake table cannot do.
    pub(crate) fn change(&self, lake: &LakeTable) -> Result<RowChange, SyncError> {
        let doing = || format!("planning the change to lake table {}", lake.name());
        RowChange::from_plan(&self.plan, &self.description, &self.delta).doing(doing)
    }
}

/// Asks the merger how rows with these columns land in the lake.
pub(crate) async fn plan_for_lake(
    merging: &Merging,
    table: &Table,
    columns: Vec<Column>,
    contents: Contents,
    lake: &LakeTable,
) -> Result<LakePlan, SyncError> {
    let doing = || format!("planning the change to lake table {}", lake.name());
    let description = source_columns::with_collations(lake, lake.describe().doing(doing)?);
    layout::check_source_fits(&table.name, &columns, &description)?;
    let delta = Delta {
        contents,
        operation: None,
        rows: table.row_estimate.unwrap_or(u64::MAX),
        run_time: run_time::now(),
        columns,
    };
    let plan = merging
        .strategy
        .plan(&description, &delta, &merging.options)
        .await?;
    Ok(LakePlan {
        description,
        delta,
        plan,
    })
}

pub(crate) async fn lake_change(
    merging: &Merging,
    source: &OpenSource,
    plan: &ValidExtractionPlan,
    contents: Contents,
    lake: &LakeTable,
) -> Result<LakeChange, SyncError> {
    let doing = || format!("planning the change to lake table {}", lake.name());
    let table = &source.table.table;
    let columns = source.transforms.columns(&plan.columns_of(table));
    let landing = plan_for_lake(merging, table, columns, contents, lake).await?;
    let mut rows = landing.change(lake)?;
    let LakePlan { delta, plan, .. } = landing;
    let keys = plan.keys.iter().map(|key| key.source);
    let unique_keys = is_the_key(table, &delta, keys.collect());
    let mut withdrawals = None;
    if !source.transforms.is_empty() && rows.has_key() {
        withdrawals = Some(Withdrawals::new(&delta.columns, &rows.key_columns()));
        rows = rows.with_withdrawals().doing(doing)?;
    }
    let fields = lake.columns().doing(doing)?.into_iter().map(|column| {
        let brought = delta.columns.iter().any(|c| c.name == column.name);
        (column.field_id, brought)
    });
    Ok(LakeChange {
        rows,
        unique_keys,
        fields: fields.collect(),
        columns: delta.columns,
        withdrawals,
    })
}

/// Whether these delta columns contain the source's primary key.
fn is_the_key(source: &Table, delta: &Delta, keys: Vec<u32>) -> bool {
    let primary: Vec<&str> = source
        .key()
        .into_iter()
        .filter_map(|ordinal| Some(source.columns.get(ordinal as usize)?.name.as_str()))
        .collect();
    let names: Vec<&str> = keys
        .into_iter()
        .filter_map(|ordinal| Some(delta.columns.get(ordinal as usize)?.name.as_str()))
        .collect();
    !primary.is_empty() && primary.iter().all(|name| names.contains(name))
}

/// What the rows of the plan are to the lake's merger.
///
/// # Errors
/// A detector that says that it reads everything, with a filter that may leave rows out, where the merger would
/// take those for rows that are gone.
pub(crate) async fn contents(
    job: &SyncJob,
    source: &OpenSource,
    plan: &ValidExtractionPlan,
    complete: bool,
    lake: &LakeTable,
) -> Result<Contents, SyncError> {
    let table = &source.table.table;
    match plan.coverage {
        Coverage::Incremental => return Ok(Contents::Upserts),
        Coverage::Full if complete => return Ok(Contents::Snapshot),
        Coverage::Full => {}
    }
    let columns = source.transforms.columns(&plan.columns_of(table));
    let merging = &job.lake_merge;
    let believed = plan_for_lake(merging, table, columns, Contents::Snapshot, lake).await?;
    let infers = |clause: &Clause| {
        clause.occasion == Occasion::NotMatchedBySource && clause.action != Action::Skip
    };
    // Nothing is missing from a table without rows.
    if lake.current_snapshot().is_none() || !believed.plan.clauses.iter().any(infers) {
        return Ok(Contents::Upserts);
    }
    Err(SyncError::settings(
        format!(
            "strategy '{}' says that it reads every row of {}, but its filter may leave rows out, and merge '{}' would take those for rows that are gone",
            job.detection.strategy.strategy().description().name,
            table.name,
            merging.strategy.strategy().description().name,
        ),
        "let the merge leave rows that were not read as they are (upsert: delete-missing=false), or read with a strategy that has no filter, such as full-refresh",
    ))
}
