//! What a watermark says of the settings that the rows before it were made by.

use serde::{Deserialize, Serialize};

/// What the rows of a lake table were shaped by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowShape {
    /// Field ids of the lake's columns that were written, as ranges: `1-4,6`.
    pub columns: String,
    /// Digest of the column rules, and of the key for hashes where one of them is a hash.
    pub rules: String,
    /// Digest of the transformers and their options.
    pub transforms: String,
    /// The columns that rows are matched by; none where every row is added.
    pub keys: Vec<String>,
    /// A row whose key is there takes its place.
    pub replaces: bool,
    /// What the source's server lets only one row have; `None` where an earlier version wrote the watermark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_keys: Option<SourceKeys>,
}

/// The keys that a source table had when its rows were read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceKeys {
    /// The columns of its primary key, in their order; none where it has none, or where not all of them are carried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary: Vec<String>,
    /// Of a table without one, the columns of its unique keys; some of them where they are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<Vec<String>>,
}
