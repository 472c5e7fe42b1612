//! CRC-32 over the files of the lake, so that a bit that flips at rest is an error and no value.
//!
//! A data file or delete file says in its footer's key-value metadata which checksums its blocks have, up to
//! the end of its last row group, and which checksum everything behind them has, the footer included
//! (`summed_file`). Readers check each block that they hand out (`checked_file`). A manifest and a list of
//! manifests have their checksum in their name (`named`), a version of the table's metadata has it in a
//! property (`metadata`). Files of other writers have none of these, and are read as they are.
//!
//! Decision 3 (`docs/decisions/0003-checksums.md`) gives the reasons.

pub(crate) mod checked_file;
pub(crate) mod metadata;
pub(crate) mod named;
pub(crate) mod summed_file;

use std::fmt::Display;

use crate::error::{LakeError, LakeErrorKind};

/// Bytes of a block. Reading one page costs reading the blocks that it lies in.
pub(crate) const BLOCK: usize = 64 << 10;
/// Key of the blocks' checksums in a footer: eight hexadecimal digits for each block.
pub(crate) const BLOCKS_KEY: &str = "icehost.crc32-blocks";
/// Key of the checksum of what follows the blocks: its eight hexadecimal digits, `@`, and the place where the
/// blocks end in sixteen. While it is computed the eight digits are zeros.
pub(crate) const END_KEY: &str = "icehost.crc32-end";

/// The eight digits of a checksum.
pub(crate) fn digits(sum: u32) -> String {
    format!("{sum:08x}")
}

/// A checksum from its eight digits. Those of capital letters are none: a bit makes one of the other.
pub(crate) fn from_digits(digits: &[u8]) -> Option<u32> {
    let lower = digits
        .iter()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    match digits.len() == 8 && lower {
        true => u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok(),
        false => None,
    }
}

/// The place of the last occurrence.
fn rfind(needle: &[u8], hay: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).rposition(|part| part == needle)
}

/// The error for a file that is not what was written.
pub(crate) fn damaged(what: &str, location: &str, which: impl Display) -> LakeError {
    LakeError::new(
        LakeErrorKind::Corrupt,
        format!(
            "the {what} {location} is damaged: {which} not what was written"
        ),
    )
    .with_hint(
        "restore the file from a backup; without one, move the directory of the lake table away and sync it \
         anew from its source",
    )
}
