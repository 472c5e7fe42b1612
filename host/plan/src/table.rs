//! Tables and columns, as the host describes them to a strategy.

use arrow_schema::Field;

use crate::{Collation, LakeType, LogicalType, SqlType};

/// Where a column's type comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// A SQL Server column.
    Sql(SqlType),
    /// An Iceberg column.
    Lake(LakeType),
}

impl ColumnType {
    /// The kind that a strategy sees.
    pub fn logical(self) -> LogicalType {
        match self {
            ColumnType::Sql(sql) => sql.logical(),
            ColumnType::Lake(lake) => lake.logical(),
        }
    }

    /// The type of the column's values in the lake, and so in Arrow.
    pub fn lake(self) -> LakeType {
        match self {
            ColumnType::Sql(sql) => sql.lake(),
            ColumnType::Lake(lake) => lake,
        }
    }
}

impl std::fmt::Display for ColumnType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ColumnType::Sql(sql) => sql.fmt(f),
            ColumnType::Lake(lake) => lake.fmt(f),
        }
    }
}

/// A column of a [`Table`] or of a delta.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// As the server or the lake spells it.
    pub name: String,
    /// The type.
    pub column_type: ColumnType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Position in the primary key or identifier fields, from 0.
    pub key_position: Option<u32>,
    /// An identity column: the server hands out its values in ascending order.
    pub identity: bool,
    /// Not writable: a computed column, or rowversion.
    pub read_only: bool,
    /// How the server compares the column's text; `None` for other types and in the lake.
    pub collation: Option<Collation>,
}

impl Column {
    /// A writable, non-key column.
    pub fn new(name: impl Into<String>, column_type: ColumnType, nullable: bool) -> Self {
        Column {
            name: name.into(),
            column_type,
            nullable,
            key_position: None,
            identity: false,
            read_only: false,
            collation: None,
        }
    }

    /// The column in Arrow, as the host carries its values.
    pub fn arrow_field(&self) -> Field {
        let data_type = self.column_type.lake().arrow();
        Field::new(&self.name, data_type, self.nullable)
    }
}

/// What a table has beyond rows, and this host can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// It has a rowversion column.
    pub rowversion: bool,
    /// Change Tracking is on.
    pub change_tracking: bool,
    /// Change Data Capture is on.
    pub capture: bool,
    /// It is a system-versioned temporal table.
    pub system_versioned: bool,
    /// It has Iceberg snapshots.
    pub snapshots: bool,
}

/// A table as a strategy sees it. Plans name its columns by their position in `columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// For people: `dbo.Customers` or `demo.customers`.
    pub name: String,
    /// The columns that the job carries, in the table's order.
    pub columns: Vec<Column>,
    /// What else it has.
    pub features: Features,
    /// Rows, where the server has an estimate.
    pub row_estimate: Option<u64>,
}

impl Table {
    /// Ordinals of the key columns, in key order; empty where the table has no key.
    pub fn key(&self) -> Vec<u32> {
        let mut key: Vec<(u32, u32)> = (0u32..)
            .zip(&self.columns)
            .filter_map(|(ordinal, column)| Some((column.key_position?, ordinal)))
            .collect();
        key.sort_unstable();
        key.into_iter().map(|(_, ordinal)| ordinal).collect()
    }

    /// The ordinal of the column with exactly this name.
    pub fn ordinal(&self, name: &str) -> Option<u32> {
        (0u32..)
            .zip(&self.columns)
            .find_map(|(ordinal, column)| (column.name == name).then_some(ordinal))
    }
}
