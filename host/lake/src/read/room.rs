//! How much memory there is for what is read of the lake's files.

use crate::error::{LakeError, LakeErrorKind};

/// Bytes of the pages that are open at once, where there is no limit of memory.
const MOST_PAGES: u64 = 1 << 30;

/// Room for what is read of the lake's files, whoever wrote them.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Most bytes for the pages of a file that are open at once, one of each column, with their dictionaries and one
    /// of them as it is in the file.
    pub pages: u64,
    /// Most bytes of a row.
    pub row: u64,
    /// The limit of memory that has room for pages of so many bytes.
    pub limit_for_pages: fn(u64) -> u64,
    /// The limit of memory that has room for a row of so many bytes.
    pub limit_for_row: fn(u64) -> u64,
}

impl Default for Room {
    /// What there is without a limit.
    fn default() -> Self {
        Room {
            pages: MOST_PAGES,
            row: 256 << 20,
            limit_for_pages: |bytes| bytes.saturating_mul(2),
            limit_for_row: |bytes| bytes.saturating_mul(10),
        }
    }
}

/// What has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The bytes of the pages that would be open at once.
    Pages(u64),
    /// The bytes of a row.
    Row(u64),
}

impl Room {
    /// The error for a file that has something for which there is no room.
    pub(crate) fn refused(&self, what: NoRoom, table: &str, path: &str) -> LakeError {
        let (has, bytes, most, limit) = match what {
            NoRoom::Pages(bytes) => ("pages that take", bytes, self.pages, self.limit_for_pages),
            NoRoom::Row(bytes) => ("a row that takes", bytes, self.row, self.limit_for_row),
        };
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        LakeError::new(
            LakeErrorKind::NoRoom,
            format!(
                "the data file {path} of lake table {table} has {has} {} MiB, where there is memory for {}",
                mib(bytes),
                most >> 20
            ),
        )
        .with_hint(format!(
            "give the run a --memory-limit of {}MiB or more, or have the engine that wrote the file write it anew",
            mib(limit(bytes))
        ))
    }
}
