//! How a run's memory is divided.

use icehost_lake::Room;

use crate::SyncError;

const MIB: u64 = 1 << 20;
/// What a run takes whatever it moves: code, compiled strategies, connections.
const BASE: u64 = 40 * MIB;
/// Most for a batch of rows: larger ones are no faster.
const LARGEST_BATCH: u64 = 4 * MIB;
/// Most for a row group: a quarter of Iceberg's own default.
const LARGEST_ROW_GROUP: u64 = 32 * MIB;
/// Least for either: below it, Parquet's overhead a row group outweighs the rows.
const SMALLEST_BATCH: u64 = MIB / 2;
const SMALLEST_ROW_GROUP: u64 = 2 * MIB;
/// Batches that one connection holds: one that fills up, in buffers that double as they grow, one that waits
/// and one that is encoded.
const BATCHES: u64 = 4;
/// What each column takes beside its values while a row group is written: a compressor's tables above all.
const COLUMN: u64 = 5 * MIB / 16;
/// What the allocator holds of what is in use at most: threads free what others have allocated, in pieces of all
/// sizes. With several connections more threads take part, and it is twice as much (measured with ten million
/// rows).
fn held(used: u64, connections: u64) -> u64 {
    match connections {
        1 => (used * 4).div_ceil(3),
        _ => used * 2,
    }
}

/// What may be in use of what the allocator holds.
fn used(held: u64, connections: u64) -> u64 {
    match connections {
        1 => held * 3 / 4,
        _ => held / 2,
    }
}

/// What each connection of a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Memory that a batch of rows may take, in bytes.
    pub batch_bytes: usize,
    /// Memory that a row group may take while it is written, in bytes.
    pub row_group_bytes: usize,
    /// Bytes that one row may have as it comes, and in Arrow; a larger one is refused.
    pub row_bytes: usize,
    /// Memory that the keys of a delta may take, in bytes; what goes beyond it is on disk.
    pub key_bytes: usize,
    /// Connections at once; fewer than asked for where the memory does not suffice.
    pub connections: usize,
}

/// What the keys of a delta take, unless there is a limit; and the part of what a limit leaves beside the run itself.
const KEYS: u64 = 1024 * MIB;
const PARTS_KEYS: u64 = 8;
/// Least for keys, of what a run takes whatever it moves.
const LEAST_KEYS: u64 = MIB;

/// What a run takes for rows that it reads again, unless there is a limit.
const HELD: u64 = 256 * MIB;
/// The part of a limit that these take, on top of it.
const PARTS_HELD: u64 = 4;

/// Bytes of a row that is larger than a batch, unless there is a limit.
const LARGEST_ROW: u64 = 256 * MIB;
/// How many times such a row is in memory at once, alone: what comes behind it is on the wire's buffer, and while it
/// is encoded there are its array, the page, a copy of it with levels, the compressed one, and the largest and
/// the smallest value.
const ROWS: u64 = 7;

/// What a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBudget {
    /// In all, in bytes; `None` lets the number of connections decide.
    pub limit: Option<u64>,
    /// For a batch of rows, in bytes; `None` lets the limit decide.
    pub batch: Option<u64>,
    /// Connections at once, at least 1: each reads a range of a table's key. With 1 the table is read in one
    /// piece, unless it is asked for in ranges.
    pub connections: usize,
}

impl Default for MemoryBudget {
    fn default() -> Self {
        MemoryBudget {
            limit: None,
            batch: None,
            connections: 1,
        }
    }
}

impl MemoryBudget {
    /// Most memory for knowing again rows that are read a second time, in bytes: 256 MiB, or a quarter of the limit
    /// beside it. Only as much is taken as such rows need.
    pub fn held_bytes(self) -> usize {
        let bytes = self.limit.map_or(HELD, |limit| limit / PARTS_HELD);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// What files of the lake have, whoever wrote them: everything but what the run takes whatever it moves. Their pages
    /// are not beside the largest batches and row groups for long, and only what cannot fit is refused.
    pub fn room(self) -> Room {
        let Some(limit) = self.limit else {
            return Room {
                row: LARGEST_ROW,
                ..Room::default()
            };
        };
        let pages = used(limit.saturating_sub(BASE), 1);
        Room {
            pages,
            row: (pages / ROWS).max(SMALLEST_BATCH),
            limit_for_pages: |bytes| BASE.saturating_add(held(bytes, 1)),
            limit_for_row: |bytes| BASE.saturating_add(held(bytes.saturating_mul(ROWS), 1)),
        }
    }

    /// Divides it among the connections that read a table of so many columns.
    ///
    /// Of what is left beside 40 MiB for the run itself, an eighth is for keys, and each connection has an equal share of
    /// the rest, a quarter of which
    /// the allocator takes, and half with several connections; the rest is for 320 KiB a column, four batches
    /// and a row group. A batch takes a twelfth, 4 MiB at most, or `batch` where that is given; a row group
    /// what the others leave, 32 MiB at most. A row that is larger than a batch goes alone, while no row group is
    /// open, so that it has all of this, seven times over. Without a limit a run has 104 MiB with one connection and 40 MiB
    /// and 96 MiB for each with several, but more where that is too little for the columns.
    ///
    /// # Errors
    /// A limit in which not even one connection has room; names the least that works.
    pub fn divide(self, columns: usize) -> Result<Memory, SyncError> {
        let batch = self.batch;
        let fixed = columns as u64 * COLUMN;
        let wanted = self.connections.max(1) as u64;
        let largest = BATCHES * batch.unwrap_or(LARGEST_BATCH) + LARGEST_ROW_GROUP;
        let least = fixed + BATCHES * batch.unwrap_or(SMALLEST_BATCH) + SMALLEST_ROW_GROUP;
        let limit = self
            .limit
            .unwrap_or(BASE + wanted * held(largest.max(2 * least), wanted));
        let available = limit.saturating_sub(BASE);
        // Keys can do with less, and no connection can.
        let keys = match self.limit {
            Some(_) => (available / PARTS_KEYS).min(available.saturating_sub(held(least, 1))),
            None => 0,
        };
        let available = available - keys;
        let fits = |connections: &u64| connections * held(least, *connections) <= available;
        let fitting = (1..=wanted).rev().find(fits).unwrap_or(0);
        if fitting == 0 {
            let needed = (BASE + held(least, 1)).div_ceil(MIB);
            return Err(SyncError::settings(
                format!("--memory-limit {} is too small", size(limit)),
                format!(
                    "the least that works {}is {needed}MiB{}",
                    match columns {
                        0 => String::new(),
                        _ => format!("for a table of {columns} columns "),
                    },
                    if batch.is_some() {
                        " with this --batch-size"
                    } else {
                        ""
                    }
                ),
            ));
        }
        let share = used(available / fitting, fitting);
        let share = share.saturating_sub(fixed);
        let batch = batch.unwrap_or_else(|| (share / 12).clamp(SMALLEST_BATCH, LARGEST_BATCH));
        let row_group = share
            .saturating_sub(BATCHES * batch)
            .clamp(SMALLEST_ROW_GROUP, LARGEST_ROW_GROUP);
        let row = match self.limit {
            Some(_) => (share / ROWS).max(SMALLEST_BATCH),
            None => LARGEST_ROW,
        };
        Ok(Memory {
            row_bytes: usize::try_from(row).unwrap_or(usize::MAX),
            batch_bytes: usize::try_from(batch).unwrap_or(usize::MAX),
            row_group_bytes: usize::try_from(row_group).unwrap_or(usize::MAX),
            key_bytes: usize::try_from(self.limit.map_or(KEYS, |_| keys.max(LEAST_KEYS)))
                .unwrap_or(usize::MAX),
            connections: usize::try_from(fitting).unwrap_or(usize::MAX),
        })
    }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes.is_multiple_of(MIB) {
        true => format!("{}MiB", bytes / MIB),
        false => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn budget(limit: u64, connections: usize) -> MemoryBudget {
        MemoryBudget {
            limit: Some(limit * MIB),
            connections,
            ..MemoryBudget::default()
        }
    }

    #[test]
    fn without_a_limit_a_connection_has_nearly_the_largest_of_everything() {
        let memory = MemoryBudget::default().divide(12).unwrap();
        assert!(memory.batch_bytes as u64 > LARGEST_BATCH * 9 / 10);
        assert!(memory.row_group_bytes as u64 > LARGEST_ROW_GROUP * 9 / 10);
    }

    #[test]
    fn the_parts_never_exceed_the_limit() {
        for limit in 72..600 {
            for connections in 1..20 {
                for columns in [1, 12, 60] {
                    let memory = budget(limit, connections).divide(columns).unwrap();
                    let each = columns as u64 * COLUMN
                        + BATCHES * memory.batch_bytes as u64
                        + memory.row_group_bytes as u64;
                    let many = memory.connections as u64;
                    let keys = memory.key_bytes as u64;
                    assert!(keys >= LEAST_KEYS && keys <= limit * MIB / PARTS_KEYS);
                    let keys = if keys == LEAST_KEYS { 0 } else { keys };
                    let all = BASE + keys + many * held(each, many);
                    assert!(all <= limit * MIB, "{limit} {connections}: {memory:?}");
                    assert!(memory.connections >= 1 && memory.connections <= connections);
                }
            }
        }
    }

    #[test]
    fn a_small_limit_takes_connections_away_before_it_is_refused() {
        let connections = |limit, columns| budget(limit, 16).divide(columns).unwrap().connections;
        assert_eq!(connections(64, 0), 2);
        assert_eq!(connections(80, 12), 2);
        assert_eq!(connections(51, 12), 1);
        let error = budget(45, 16).divide(0).unwrap_err();
        assert_eq!(error.to_string(), "--memory-limit 45MiB is too small");
        assert_eq!(error.hint().unwrap(), "the least that works is 46MiB");
        let error = budget(64, 16).divide(100).unwrap_err();
        assert_eq!(
            error.hint().unwrap(),
            "the least that works for a table of 100 columns is 87MiB"
        );
    }

    #[test]
    fn the_limit_that_is_named_has_room() {
        for (limit, bytes) in [(46, 30), (64, 30), (1024, 3000)] {
            let room = budget(limit, 1).room();
            let pages = (room.limit_for_pages)(bytes * MIB).div_ceil(MIB);
            let row = (room.limit_for_row)(bytes * MIB).div_ceil(MIB);
            assert!(room.pages < bytes * MIB && room.row < bytes * MIB);
            assert!(budget(pages, 1).room().pages >= bytes * MIB, "{pages}");
            assert!(budget(row, 1).room().row >= bytes * MIB, "{row}");
        }
        let free = MemoryBudget::default().room();
        assert!(free.row == LARGEST_ROW && free.pages > 2 * free.row);
    }

    #[test]
    fn a_batch_size_of_the_users_own_is_kept() {
        let with_batch = |limit: Option<u64>, batch: u64| MemoryBudget {
            limit: limit.map(|limit| limit * MIB),
            batch: Some(batch * MIB),
            connections: 8,
        };
        let memory = with_batch(Some(140), 4).divide(12).unwrap();
        assert_eq!(
            (memory.batch_bytes as u64, memory.connections),
            (4 * MIB, 2)
        );
        assert!(with_batch(Some(60), 4).divide(12).is_err());
        let free = with_batch(None, 64).divide(0).unwrap();
        assert_eq!(free.row_group_bytes as u64, LARGEST_ROW_GROUP);
    }
}
