//! Rows that had no value in the cursor's column, and have one now.
//!
//! A strategy that reads rows without a value in every run (`nulls=every-run`) does not see that one of them gets a
//! value below the mark: it is in no range that is read. But the lake has it without a value, and the source has no
//! such row any more. So the keys of both are compared, and a row that has gone from the ones without a value is read
//! by its key, wherever its value lies. One that was deleted is not found, and stays, as with every cursor.

use std::collections::{HashMap, HashSet};

use arrow_array::Array;
use icehost_lake::LakeTable;
use icehost_plan::{Coverage, Expression, ExtractionPlan, Node, Side, ValidExtractionPlan, Value};
use icehost_sqlserver::ExtractOptions;

use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::reading::by_key::{AlsoRead, Columns, Key, keys, valid};
use crate::source::open::OpenSource;
use crate::{SyncError, SyncJob};

/// Bytes that a key takes here, about.
const KEY_BYTES: usize = 256;

/// The plan with the rows that may have got a value; `None` where there are none. The source is at the read that the
/// plan is for.
pub(crate) async fn also_read(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &LakeTable,
    detected: &Detected,
    extract: ExtractOptions,
) -> Result<Option<AlsoRead>, SyncError> {
    let plan = &detected.plan;
    if plan.coverage != Coverage::Incremental || lake.current_snapshot().is_none() {
        return Ok(None);
    }
    let Some(bound) = plan.lower_bound().filter(|bound| bound.or_null) else {
        return Ok(None);
    };
    let Some(columns) = Columns::of(job, source, lake, detected, bound.column)? else {
        return Ok(None);
    };
    let most = job.settings.memory.held_bytes() / KEY_BYTES;
    let looking = || {
        format!(
            "looking for rows of lake table {} without a value",
            lake.name()
        )
    };
    let in_lake = lake
        .rows_without(columns.cursor_in_lake, &columns.key_in_lake, most)
        .await
        .doing(looking)?;
    let Some(in_lake) = in_lake else {
        return Ok(Some(columns.too_many(source, lake, plan.clone(), most)));
    };
    let mut gone: HashMap<Key, Vec<Value>> = HashMap::new();
    for batch in &in_lake {
        for (row, key) in keys(batch.columns())?.into_iter().enumerate() {
            if let Some(values) = columns.values(batch.columns(), row) {
                gone.insert(key, values);
            }
        }
    }
    if gone.is_empty() {
        return Ok(None);
    }
    columns
        .take_out_what_is_there(source, extract, &mut gone)
        .await?;
    if !gone.is_empty() && !detected.change.rows.has_key() {
        columns
            .take_out_what_has_a_newer_row(lake, &mut gone)
            .await?;
    }
    if gone.is_empty() {
        return Ok(None);
    }
    Ok(Some(columns.by_key(source, lake, plan, gone)?))
}

impl Columns {
    /// Takes out the keys of rows that the source has without a value.
    async fn take_out_what_is_there(
        &self,
        source: &mut OpenSource,
        extract: ExtractOptions,
        gone: &mut HashMap<Key, Vec<Value>>,
    ) -> Result<(), SyncError> {
        let table = &source.table;
        let doing = || format!("reading source table {}", table.name);
        let column = Node::Column {
            side: Side::Source,
            column: self.cursor,
        };
        let plan = ExtractionPlan {
            source: icehost_plan::ChangeSource::Rows,
            coverage: Coverage::Incremental,
            columns: self.key.clone(),
            filter: Some(Expression {
                nodes: vec![column, Node::IsNull(0)],
                root: 1,
            }),
            order_by: Vec::new(),
            split_on: None,
            observe: Vec::new(),
        };
        let plan = valid(plan, source)?;
        let connection = &mut source.connection;
        let mut extraction = connection
            .extract(table, &plan, extract)
            .await
            .doing(doing)?;
        while let Some(batch) = extraction.next_batch().await.doing(doing)? {
            for key in keys(batch.columns())? {
                gone.remove(&key);
            }
        }
        extraction.finish().doing(doing)?;
        Ok(())
    }

    /// Takes out the keys whose newest row has a value: a lake that keeps every row has the one before, too.
    async fn take_out_what_has_a_newer_row(
        &self,
        lake: &LakeTable,
        gone: &mut HashMap<Key, Vec<Value>>,
    ) -> Result<(), SyncError> {
        let mut valued: HashSet<Key> = HashSet::new();
        self.each_in_lake(lake, |key, cursor, row| {
            if !gone.contains_key(&key) {
                return;
            }
            match cursor.is_null(row) {
                true => valued.remove(&key),
                false => valued.insert(key),
            };
        })
        .await?;
        gone.retain(|key, _| !valued.contains(key));
        Ok(())
    }

    /// The plan and the rows with these keys, or as many as it has room for.
    fn by_key(
        &self,
        source: &OpenSource,
        lake: &LakeTable,
        plan: &ValidExtractionPlan,
        gone: HashMap<Key, Vec<Value>>,
    ) -> Result<AlsoRead, SyncError> {
        let all = gone.len();
        // In an order, so that what is read does not hang on chance.
        let mut gone: Vec<(Key, Vec<Value>)> = gone.into_iter().collect();
        gone.sort_by(|(one, _), (other, _)| one.cmp(other));
        let some = self.room(gone.iter().map(|(key, _)| key));
        gone.truncate(some);
        let some: Vec<Vec<Value>> = gone.into_iter().map(|(_, values)| values).collect();
        let left = all - some.len();
        let rows = some.len() as u64;
        let mut wider = ExtractionPlan::clone(plan);
        if let (Some(filter), false) = (&mut wider.filter, some.is_empty()) {
            self.or_key(filter, some);
        }
        Ok(AlsoRead {
            plan: valid(wider, source)?,
            rows,
            told: (left > 0).then(|| self.told(source, lake, left as u64)),
        })
    }

    fn too_many(
        &self,
        source: &OpenSource,
        lake: &LakeTable,
        plan: ValidExtractionPlan,
        most: usize,
    ) -> AlsoRead {
        let told = format!(
            "lake table {} has more than {most} rows without a value in '{}', too many to compare: those that have got \
             one below the mark are not read; {}",
            lake.name(),
            self.name(source),
            WAY_ON
        );
        AlsoRead {
            plan,
            rows: 0,
            told: Some(told),
        }
    }

    fn told(&self, source: &OpenSource, lake: &LakeTable, left: u64) -> String {
        format!(
            "{left} rows that lake table {} has without a value in '{}' have one in {}, or are gone from it, and are left \
             to later runs; {WAY_ON}",
            lake.name(),
            self.name(source),
            source.table.name
        )
    }
}

const WAY_ON: &str = "`icehost watermark set` with a mark below what they have got reads them and leaves out what the lake has";
