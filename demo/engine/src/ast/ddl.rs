//! Data definition.

use super::{Expr, Name, ObjectName, Statement};
use crate::types::SqlType;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTable {
    pub(crate) name: ObjectName,
    pub(crate) definition: TableDefinition,
    pub(crate) options: TableOptions,
}

/// `WITH (...)` after a table's definition.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TableOptions {
    /// SYSTEM_VERSIONING = ON, with the history table where it is named.
    pub(crate) versioned: Option<Option<ObjectName>>,
    pub(crate) memory_optimized: bool,
}

/// The parenthesised part of CREATE TABLE and of a table variable.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TableDefinition {
    pub(crate) columns: Vec<ColumnDefinition>,
    pub(crate) constraints: Vec<TableConstraint>,
    /// PERIOD FOR SYSTEM_TIME: the columns of start and end.
    pub(crate) period: Option<(Name, Name)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnDefinition {
    pub(crate) name: Name,
    pub(crate) kind: ColumnKind,
    pub(crate) collation: Option<Name>,
    /// As written; `None` where neither NULL nor NOT NULL is.
    pub(crate) nullable: Option<bool>,
    pub(crate) identity: Option<(i64, i64)>,
    pub(crate) default: Option<DefaultDefinition>,
    pub(crate) rowguidcol: bool,
    /// The masking function, as written.
    pub(crate) mask: Option<String>,
    /// GENERATED ALWAYS AS ROW START or END (`true`), and whether it is HIDDEN.
    pub(crate) generated: Option<(bool, bool)>,
    /// ENCRYPTED WITH: 1 deterministic, 2 randomized.
    pub(crate) encrypted: Option<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnKind {
    Typed(SqlType),
    Computed {
        expr: Expr,
        text: String,
        persisted: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DefaultDefinition {
    pub(crate) name: Option<Name>,
    pub(crate) expr: Expr,
    /// As written, for `sys.default_constraints`.
    pub(crate) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableConstraint {
    pub(crate) name: Option<Name>,
    pub(crate) kind: ConstraintKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ConstraintKind {
    Key {
        primary: bool,
        clustered: Option<bool>,
        columns: Vec<(Name, bool)>,
    },
    Check {
        expr: Expr,
        text: String,
    },
    Default {
        column: Name,
        definition: DefaultDefinition,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AlterTable {
    AddColumns {
        definition: TableDefinition,
    },
    DropColumns {
        names: Vec<Name>,
        if_exists: bool,
    },
    DropConstraints {
        names: Vec<Name>,
        if_exists: bool,
    },
    AlterColumn {
        name: Name,
        sql_type: SqlType,
        collation: Option<Name>,
        nullable: Option<bool>,
    },
    /// `ALTER COLUMN .. ADD MASKED` with its function, or `DROP MASKED`.
    Mask {
        name: Name,
        function: Option<String>,
    },
    /// `SET (SYSTEM_VERSIONING = OFF)`.
    StopVersioning,
    /// ENABLE/DISABLE TRIGGER.
    Trigger {
        name: Option<Name>,
        enabled: bool,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateIndex {
    pub(crate) name: Name,
    pub(crate) table: ObjectName,
    pub(crate) unique: bool,
    pub(crate) clustered: bool,
    pub(crate) columns: Vec<(Name, bool)>,
    pub(crate) included: Vec<Name>,
    pub(crate) filter: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateTrigger {
    pub(crate) name: ObjectName,
    pub(crate) table: ObjectName,
    pub(crate) on_insert: bool,
    pub(crate) on_update: bool,
    pub(crate) on_delete: bool,
    pub(crate) body: Vec<Statement>,
    /// As written, for `sys.sql_modules`.
    pub(crate) text: String,
}
