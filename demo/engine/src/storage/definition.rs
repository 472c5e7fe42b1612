//! What a table is: columns, keys, constraints, triggers.

use std::sync::Arc;

use crate::ast::{Expr, Query, Statement};
use crate::collation::Collation;
use crate::masking::Mask;
use crate::types::SqlType;

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `column_id`: from 1, never given again after DROP COLUMN.
    pub(crate) id: i32,
    pub(crate) sql_type: SqlType,
    pub(crate) nullable: bool,
    /// For text columns.
    pub(crate) collation: Option<Collation>,
    /// Seed and increment.
    pub(crate) identity: Option<(i64, i64)>,
    pub(crate) default: Option<Default>,
    pub(crate) computed: Option<Computed>,
    pub(crate) rowguidcol: bool,
    pub(crate) mask: Option<Mask>,
    pub(crate) generated: Option<Generated>,
    /// `encryption_type` of Always Encrypted: 1 deterministic, 2 randomized.
    pub(crate) encrypted: Option<u8>,
}

/// A column of a table's period: GENERATED ALWAYS AS ROW START or END.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generated {
    pub(crate) end: bool,
    pub(crate) hidden: bool,
}

/// What a table is beside an ordinary one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Special {
    #[default]
    Ordinary,
    /// System-versioned, with the history table's id within the engine and its `object_id`.
    Versioned(i32, i32),
    /// The history of a table that is system-versioned.
    History,
    MemoryOptimized,
}

impl Column {
    /// Whether INSERT and UPDATE may name the column.
    pub(crate) fn is_writable(&self) -> bool {
        self.computed.is_none() && self.sql_type != SqlType::RowVersion && self.generated.is_none()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Default {
    pub(crate) name: String,
    pub(crate) object_id: i32,
    pub(crate) expr: Expr,
    pub(crate) text: String,
    /// Whether the system made the name up.
    pub(crate) system_named: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Computed {
    pub(crate) expr: Expr,
    pub(crate) text: String,
    pub(crate) persisted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexKind {
    PrimaryKey,
    UniqueConstraint,
    UniqueIndex,
    /// Recorded for the catalog only.
    Plain,
}

#[derive(Debug, Clone)]
pub(crate) struct IndexDefinition {
    pub(crate) name: String,
    /// `index_id` within the table: 1 for the clustered one.
    pub(crate) id: i32,
    /// Of the constraint; 0 for an index.
    pub(crate) object_id: i32,
    pub(crate) kind: IndexKind,
    pub(crate) clustered: bool,
    /// Column ordinals, with DESC.
    pub(crate) columns: Vec<(usize, bool)>,
    pub(crate) included: Vec<usize>,
    pub(crate) system_named: bool,
}

impl IndexDefinition {
    pub(crate) fn is_unique(&self) -> bool {
        self.kind != IndexKind::Plain
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) object_id: i32,
    pub(crate) expr: Expr,
    pub(crate) text: String,
    pub(crate) system_named: bool,
}

/// An AFTER trigger.
#[derive(Debug, Clone)]
pub(crate) struct Trigger {
    pub(crate) name: String,
    pub(crate) object_id: i32,
    pub(crate) on_insert: bool,
    pub(crate) on_update: bool,
    pub(crate) on_delete: bool,
    pub(crate) enabled: bool,
    pub(crate) body: Arc<Vec<Statement>>,
    pub(crate) text: String,
}

/// What a view reads.
#[derive(Debug)]
pub(crate) struct ViewDefinition {
    pub(crate) query: Query,
    pub(crate) text: String,
}

#[derive(Debug, Clone, std::default::Default)]
pub(crate) struct TableDefinition {
    pub(crate) columns: Vec<Column>,
    pub(crate) indexes: Vec<IndexDefinition>,
    pub(crate) checks: Vec<Check>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) last_column_id: i32,
    /// When ALTER TABLE or CREATE INDEX changed it last, in the server's local time.
    pub(crate) modified: Option<(i32, u64)>,
    pub(crate) special: Special,
    /// Of a view, which has no rows of its own.
    pub(crate) view: Option<Arc<ViewDefinition>>,
}

impl TableDefinition {
    /// The ordinal of a column.
    pub(crate) fn ordinal(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        exact.or_else(|| {
            let folded = name.to_lowercase();
            self.columns
                .iter()
                .position(|column| column.name.to_lowercase() == folded)
        })
    }

    /// The ordinals of the period's start and end.
    pub(crate) fn period(&self) -> Option<(usize, usize)> {
        let place = |end: bool| {
            self.columns.iter().position(|column| {
                column
                    .generated
                    .is_some_and(|generated| generated.end == end)
            })
        };
        Some((place(false)?, place(true)?))
    }

    pub(crate) fn identity_ordinal(&self) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.identity.is_some())
    }

    /// The collation of each key column (the default for keys that are no text).
    pub(crate) fn key_collations(&self, index: &IndexDefinition) -> Vec<Collation> {
        index
            .columns
            .iter()
            .map(|(ordinal, _)| {
                self.columns[*ordinal]
                    .collation
                    .clone()
                    .unwrap_or_else(Collation::server_default)
            })
            .collect()
    }
}
