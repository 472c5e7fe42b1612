//! How a table is read for the first time.

use crate::section::Layers;

/// How a table is read for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstLoad {
    /// Connections that read it.
    pub parallel: u32,
    /// Rows in a range, about; `None` lets the table's size decide.
    pub range_rows: Option<u64>,
    /// In ranges, it makes a snapshot per range, not one in all.
    pub commit_per_range: bool,
}

impl Default for FirstLoad {
    fn default() -> Self {
        FirstLoad {
            parallel: 1,
            range_rows: None,
            commit_per_range: false,
        }
    }
}

impl FirstLoad {
    /// What a file says of it.
    pub(crate) fn read(layers: &Layers<'_>) -> FirstLoad {
        let default = FirstLoad::default();
        FirstLoad {
            parallel: layers.small_count("parallel").unwrap_or(default.parallel),
            range_rows: layers.count("range-rows"),
            commit_per_range: layers
                .text("commit")
                .is_some_and(|text| text.value == "per-range"),
        }
    }
}
