//! What a staged delta means for the table, where its keys are on disk: a part of them at a time.
//!
//! The table's keys are read once, as always, and those that may be the delta's are written down by the same partitions
//! as the delta's are. Then each partition is settled by itself. Equal keys are in one partition; keys of which only the
//! server knows whether they are one need not be, so such a delta is refused.

use roaring::RoaringTreemap;

use crate::commit::effect::{Absent, Candidates, Positions, Settled, uncounted};
use crate::commit::same_keys::keeps;
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::keys::KeyEncoder;
use crate::staging::key_set::Spilled;
use crate::staging::partitions::{PARTITIONS, Partitions};

/// A row of the table, and its key.
struct TableRow<'a> {
    /// Which of the candidates.
    file: u32,
    position: u64,
    /// Whether keys that are spelled otherwise may be one with it.
    uncertain: bool,
    key: &'a [u8],
}

impl<'a> TableRow<'a> {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.file.to_le_bytes());
        to.extend(self.position.to_le_bytes());
        to.push(u8::from(self.uncertain));
        to.extend(self.key);
    }

    fn read(record: &'a [u8]) -> Option<TableRow<'a>> {
        let (file, rest) = record.split_first_chunk()?;
        let (position, rest) = rest.split_first_chunk()?;
        let (uncertain, key) = rest.split_first()?;
        Some(TableRow {
            file: u32::from_le_bytes(*file),
            position: u64::from_le_bytes(*position),
            uncertain: *uncertain != 0,
            key,
        })
    }
}

/// What is not certain about keys.
#[derive(Default)]
struct Doubts {
    /// A key of the table is not the delta's, and may be spelled otherwise.
    table: bool,
    /// A key of the delta is not the table's.
    unmatched: bool,
    /// One of those may be spelled otherwise.
    delta: bool,
}

/// Settles the delta's keys against the table's.
pub(super) fn settle(
    spilled: &Spilled,
    encoder: &KeyEncoder,
    candidates: Option<&Candidates<'_>>,
) -> Result<Settled> {
    let everything = candidates.is_some_and(|candidates| candidates.everything);
    let mut absent = Absent::default();
    let mut gone: Vec<RoaringTreemap> = Vec::new();
    let table = match candidates {
        None => None,
        Some(candidates) => {
            gone.resize_with(candidates.data.len(), RoaringTreemap::new);
            Some(table_keys(
                spilled,
                encoder,
                candidates,
                &mut gone,
                &mut absent,
            )?)
        }
    };
    let mut superseded = spilled.superseded().clone();
    let mut doubts = Doubts::default();
    let mut any_keeps = false;
    for partition in 0..PARTITIONS {
        let keys = spilled.part(partition)?;
        let mut found = vec![false; keys.entries.len()];
        if let Some(table) = &table {
            table.each(partition, &mut |record| {
                let row = TableRow::read(record)
                    .ok_or_else(|| LakeError::internal("a key in a temporary file is damaged"))?;
                let goes = match keys.find(row.key) {
                    None => {
                        doubts.table |= row.uncertain;
                        absent.rows += u64::from(everything);
                        everything
                    }
                    Some(entry) => {
                        if let Some(found) = found.get_mut(entry) {
                            *found = true;
                        }
                        let entry = keys.entries.get(entry);
                        entry.is_some_and(|entry| entry.decision.removes())
                    }
                };
                if let (Some(gone), true) = (gone.get_mut(row.file as usize), goes) {
                    gone.insert(row.position);
                }
                Ok(())
            })?;
            for (entry, found) in keys.entries.iter().zip(&found) {
                doubts.unmatched |= !found;
                doubts.delta |= !found && entry.uncertain;
                any_keeps |= keeps(entry.decision);
            }
        }
        superseded.join(&keys.superseded);
        superseded.extend(uncounted(&keys, &found));
    }
    // As for keys that are held: where all rows go that the delta does not have, so does one in another spelling.
    let asks = doubts.delta || (doubts.table && doubts.unmatched);
    if asks && (any_keeps || !everything) {
        return Err(too_small(spilled));
    }
    let mut removed = Positions::new();
    if let Some(candidates) = candidates {
        for (file, gone) in candidates.data.iter().zip(gone) {
            if !gone.is_empty() {
                removed.insert(file.path().to_owned(), gone);
            }
        }
    }
    let absent = match everything {
        true => absent,
        false => Absent::default(),
    };
    Ok((removed, superseded, absent))
}

/// Writes down the table's keys that may be the delta's. A row without a key is settled at once: it has none of them.
fn table_keys(
    spilled: &Spilled,
    encoder: &KeyEncoder,
    candidates: &Candidates<'_>,
    gone: &mut [RoaringTreemap],
    absent: &mut Absent,
) -> Result<Partitions> {
    let mut table = spilled.beside()?;
    for ((number, file), gone) in (0u32..).zip(&candidates.data).zip(gone) {
        candidates.read(file, candidates.everything, &mut |batch, positions| {
            let encoded = encoder.encode(batch.columns())?;
            absent.of += positions.len() as u64;
            for (row, &position) in positions.iter().enumerate() {
                if encoded.is_null(row) {
                    if candidates.everything {
                        absent.rows += 1;
                        gone.insert(position);
                    }
                    continue;
                }
                let row = TableRow {
                    file: number,
                    position,
                    uncertain: encoded.is_uncertain(row),
                    key: encoded.bytes(row),
                };
                table.add(spilled.partitioner.of(row.key), |to| row.write(to))?;
            }
            Ok(())
        })?;
    }
    table.seal()?;
    Ok(table)
}

fn too_small(spilled: &Spilled) -> LakeError {
    let mib = (spilled.bytes() >> 20) + 1;
    LakeError::new(
        LakeErrorKind::KeysUnknown,
        format!(
            "only the source's server knows which keys of the delta are one with keys of the table, and it can be asked about keys in memory only, where they take {mib} MiB"
        ),
    )
    .with_hint(format!(
        "give the run a --memory-limit of {} MiB or more, or give the key column a binary collation at the source",
        mib.saturating_mul(LIMIT_FOR_KEYS) + LIMIT_FOR_OTHERS
    ))
}

/// How many times what the keys take a limit must be, beside some MiB for the run itself, so that they are held: an
/// eighth of it is for keys, and half of that for where they can be.
const LIMIT_FOR_KEYS: usize = 16;
const LIMIT_FOR_OTHERS: usize = 40;
