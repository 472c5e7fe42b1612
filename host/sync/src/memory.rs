//! How a run's memory is divided.

use crate::SyncError;

const MIB: u64 = 1 << 20;
/// What a run takes whatever it moves: code, compiled strategies, the TDS connection, Parquet's tables.
const BASE: u64 = 32 * MIB;
/// Most for a batch of rows.
const LARGEST_BATCH: u64 = 8 * MIB;
/// Most for an encoded row group: a quarter of Iceberg's own default.
const LARGEST_ROW_GROUP: u64 = 32 * MIB;
/// Least for either: below it, Parquet's overhead a row group outweighs the rows.
const SMALLEST_BATCH: u64 = MIB / 2;
const SMALLEST_ROW_GROUP: u64 = 2 * MIB;
/// Batches that one connection holds: one that fills up, two that wait, one that is encoded.
const BATCHES: u64 = 4;
/// A row group is held encoded, and once more while its last pages are compressed.
const ROW_GROUPS: u64 = 2;

/// What each connection of a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Memory that a batch of rows may take, in bytes.
    pub batch_bytes: usize,
    /// Memory that an encoded row group may take, in bytes.
    pub row_group_bytes: usize,
    /// Connections at once; fewer than asked for where the memory does not suffice.
    pub connections: usize,
}

impl Memory {
    /// Divides `limit` bytes among up to `connections`.
    ///
    /// Of what is left beside 32 MiB for the run itself, each connection has an equal share: four batches and
    /// two row groups. A batch takes a twelfth of it, 8 MiB at most, or `batch` where that is given; a row
    /// group half of what the batches leave, 32 MiB at most. Without a limit a run has 128 MiB, and 48 MiB
    /// for each connection beyond the first.
    ///
    /// # Errors
    /// A limit in which not even one connection has room; names the least that works.
    pub fn divide(
        limit: Option<u64>,
        batch: Option<u64>,
        connections: usize,
    ) -> Result<Memory, SyncError> {
        let wanted = connections.max(1) as u64;
        let largest = |batch: u64| BATCHES * batch + ROW_GROUPS * LARGEST_ROW_GROUP;
        let limit = match (limit, batch) {
            (Some(limit), _) => limit,
            (None, Some(batch)) => BASE + wanted * largest(batch),
            (None, None) => 128 * MIB + (wanted - 1) * 48 * MIB,
        };
        let least = BATCHES * batch.unwrap_or(SMALLEST_BATCH) + ROW_GROUPS * SMALLEST_ROW_GROUP;
        let available = limit.saturating_sub(BASE);
        let fitting = (available / least).min(wanted);
        if fitting == 0 {
            let needed = (BASE + least).div_ceil(MIB);
            return Err(SyncError::settings(
                format!("--memory-limit {} is too small", size(limit)),
                format!(
                    "the least that works is {needed}MiB{}",
                    if batch.is_some() {
                        " with this --batch-size"
                    } else {
                        ""
                    }
                ),
            ));
        }
        let share = available / fitting;
        let batch = batch.unwrap_or_else(|| (share / 12).clamp(SMALLEST_BATCH, LARGEST_BATCH));
        let row_group = (share.saturating_sub(BATCHES * batch) / ROW_GROUPS)
            .clamp(SMALLEST_ROW_GROUP, LARGEST_ROW_GROUP);
        Ok(Memory {
            batch_bytes: usize::try_from(batch).unwrap_or(usize::MAX),
            row_group_bytes: usize::try_from(row_group).unwrap_or(usize::MAX),
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

    fn divide(limit: u64, connections: usize) -> Memory {
        Memory::divide(Some(limit * MIB), None, connections).unwrap()
    }

    #[test]
    fn without_a_limit_one_connection_has_the_largest_of_everything() {
        let memory = Memory::divide(None, None, 1).unwrap();
        assert_eq!(memory.batch_bytes as u64, LARGEST_BATCH);
        assert_eq!(memory.row_group_bytes as u64, LARGEST_ROW_GROUP);
    }

    #[test]
    fn the_parts_never_exceed_the_limit() {
        for limit in 38..600 {
            for connections in 1..20 {
                let memory = divide(limit, connections);
                let each = BATCHES * memory.batch_bytes as u64
                    + ROW_GROUPS * memory.row_group_bytes as u64;
                let all = BASE + memory.connections as u64 * each;
                assert!(all <= limit * MIB, "{limit} {connections}: {memory:?}");
                assert!(memory.connections >= 1 && memory.connections <= connections);
            }
        }
    }

    #[test]
    fn a_small_limit_takes_connections_away_before_it_is_refused() {
        assert_eq!(divide(64, 16).connections, 5);
        assert_eq!(divide(38, 16).connections, 1);
        let error = Memory::divide(Some(37 * MIB), None, 16).unwrap_err();
        assert_eq!(error.to_string(), "--memory-limit 37MiB is too small");
        assert_eq!(error.hint().unwrap(), "the least that works is 38MiB");
    }

    #[test]
    fn a_batch_size_of_the_users_own_is_kept() {
        let memory = Memory::divide(Some(100 * MIB), Some(4 * MIB), 8).unwrap();
        assert_eq!(
            (memory.batch_bytes as u64, memory.connections),
            (4 * MIB, 3)
        );
        assert!(Memory::divide(Some(40 * MIB), Some(4 * MIB), 1).is_err());
        let free = Memory::divide(None, Some(64 * MIB), 1).unwrap();
        assert_eq!(free.row_group_bytes as u64, LARGEST_ROW_GROUP);
    }
}
