//! The rows of a plan, looked at before they are delivered.
//!
//! Keys are read first, of which a part of their hashes at a time is remembered, as many as there is memory for. Only
//! rows whose key comes more than once are then read as a whole.

use std::ops::ControlFlow;

use roaring::RoaringTreemap;

use crate::changes::ChangePlan;
use crate::changes::hasher::Hash;
use crate::error::Result;
use crate::read::data_file::Pick;
use crate::read::live_files::LiveFile;
use crate::schema::LakeColumn;
use crate::versions::{Authors, KEY_BYTES, Place, Versions};

/// Rows in a batch of keys.
const BATCH_ROWS: usize = 8192;

/// Rows of a file that are delivered, all that are live where they are not named, and what the file tells of them.
#[derive(Clone, Copy)]
struct Looked<'a> {
    file: &'a LiveFile,
    rows: Option<&'a RoaringTreemap>,
    place: Place,
}

/// Looks at what is delivered: files, with the positions of the rows where they are not all.
///
/// # Errors
/// As [`Versions::judge`].
pub(crate) fn look(
    plan: &ChangePlan,
    delivered: &[(&LiveFile, Option<&RoaringTreemap>)],
) -> Result<()> {
    let Some(mut versions) = Versions::new(plan)? else {
        return Ok(());
    };
    let mut authors = Authors::default();
    let mut files: Vec<Looked<'_>> = Vec::new();
    for &(file, rows) in delivered {
        let place = authors.place(&plan.files, file)?;
        files.push(Looked { file, rows, place });
    }
    if files.iter().all(|looked| looked.place.is_own()) {
        return Ok(());
    }
    let rows = files.iter().map(|looked| match looked.rows {
        Some(rows) => rows.len(),
        None => looked.file.file().record_count(),
    });
    let bytes = rows.sum::<u64>().saturating_mul(size_of::<u64>() as u64);
    let parts = bytes.div_ceil((plan.most_bytes as u64).max(1)).max(1);
    tracing::debug!(table = %plan.files.name, parts, "look for keys that come more than once");
    for part in 0..parts {
        let repeated = repeated(&versions, &files, Part { part, parts })?;
        for some in repeated.chunks((plan.most_bytes / KEY_BYTES).max(1)) {
            versions.newest.clear();
            for &looked in &files {
                note(&mut versions, looked, some)?;
            }
            versions.judge()?;
        }
    }
    Ok(())
}

/// One of so many parts of all hashes.
#[derive(Clone, Copy)]
struct Part {
    part: u64,
    parts: u64,
}

impl Part {
    fn has(self, hash: u64) -> bool {
        (u128::from(hash) * u128::from(self.parts)) >> 64 == u128::from(self.part)
    }
}

fn half(hash: Hash) -> u64 {
    (hash >> 64) as u64
}

/// The keys that come more than once, by half of their hashes, in order.
fn repeated(versions: &Versions<'_>, files: &[Looked<'_>], part: Part) -> Result<Vec<u64>> {
    let mut all: Vec<u64> = Vec::new();
    for &looked in files {
        each_key(versions, looked, &mut |_, hash| {
            let hash = half(hash);
            if part.has(hash) {
                all.push(hash);
            }
        })?;
    }
    all.sort_unstable();
    let groups = all.chunk_by(|a, b| a == b);
    let several = groups.filter(|group| group.len() > 1);
    Ok(several.filter_map(|group| group.first().copied()).collect())
}

/// Takes the rows of a file that have one of the keys.
fn note(versions: &mut Versions<'_>, looked: Looked<'_>, keys: &[u64]) -> Result<()> {
    let wanted = |hash: Hash| keys.binary_search(&half(hash)).is_ok();
    let mut rows = RoaringTreemap::new();
    each_key(versions, looked, &mut |position, hash| {
        if wanted(hash) {
            rows.insert(position);
        }
    })?;
    if rows.is_empty() {
        return Ok(());
    }
    let plan = versions.plan;
    let deletes = &plan.after.deletes;
    let columns = &plan.columns;
    let pick = Pick::Only(rows);
    let Looked { file, place, .. } = looked;
    let sink = &mut |batch, _: &[u64]| {
        versions.note(&batch, place, wanted)?;
        Ok(ControlFlow::Continue(()))
    };
    let _all = deletes.read_picked(&plan.files, file, columns, &pick, plan.batch_rows, sink)?;
    Ok(())
}

/// The position and the hash of each key of a file; keys with NULL are one with none.
fn each_key(
    versions: &Versions<'_>,
    looked: Looked<'_>,
    take: &mut dyn FnMut(u64, Hash),
) -> Result<()> {
    let plan = versions.plan;
    let columns = plan.key.iter();
    let columns: Vec<LakeColumn> = columns
        .filter_map(|&at| plan.columns.get(at).cloned())
        .collect();
    let sink = &mut |batch: arrow_array::RecordBatch, positions: &[u64]| {
        let keys = versions.keys.encode(batch.columns())?;
        for (row, &position) in positions.iter().enumerate() {
            if !keys.is_null(row) {
                take(position, versions.hasher.hash(keys.bytes(row)));
            }
        }
        Ok(ControlFlow::Continue(()))
    };
    let (files, deletes, file) = (&plan.files, &plan.after.deletes, looked.file);
    let _all = match looked.rows {
        None => deletes.read_live(files, file, &columns, BATCH_ROWS, sink)?,
        Some(rows) => {
            let pick = Pick::Only(rows.clone());
            deletes.read_picked(files, file, &columns, &pick, BATCH_ROWS, sink)?
        }
    };
    Ok(())
}
