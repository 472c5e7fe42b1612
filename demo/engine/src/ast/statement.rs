//! Statements: data modification, control of flow, settings, transactions.

use super::{
    AlterTable, CreateIndex, CreateTable, CreateTrigger, Expr, Name, ObjectName, Query,
    TableDefinition, TableRef, Top,
};
use crate::session::IsolationLevel;
use crate::types::SqlType;

/// A statement with the line that it starts on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) line: u32,
    pub(crate) kind: StatementKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StatementKind {
    Query(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Merge(Box<Merge>),
    InsertBulk(Box<InsertBulk>),
    Truncate(ObjectName),
    CreateDatabase(Name),
    DropDatabase {
        names: Vec<Name>,
        if_exists: bool,
    },
    AlterDatabase {
        name: Option<Name>,
        option: DatabaseOption,
        termination: Termination,
    },
    Use(Name),
    CreateSchema(Name),
    DropSchema {
        name: Name,
        if_exists: bool,
    },
    CreateTable(Box<CreateTable>),
    DropTable {
        names: Vec<ObjectName>,
        if_exists: bool,
    },
    AlterTable {
        table: ObjectName,
        change: Box<AlterTable>,
    },
    CreateIndex(Box<CreateIndex>),
    DropIndex {
        index: Name,
        table: ObjectName,
        if_exists: bool,
    },
    CreateTrigger(Box<CreateTrigger>),
    DropTrigger {
        names: Vec<ObjectName>,
        if_exists: bool,
    },
    Declare(Vec<Declaration>),
    SetVariable {
        variable: String,
        value: Expr,
    },
    SetOption(Setting),
    If {
        condition: Expr,
        then: Box<Statement>,
        otherwise: Option<Box<Statement>>,
    },
    While {
        condition: Expr,
        body: Box<Statement>,
    },
    Block(Vec<Statement>),
    Break,
    Continue,
    Return(Option<Expr>),
    Print(Expr),
    Throw(Option<(Expr, Expr, Expr)>),
    RaiseError {
        message: Expr,
        severity: Expr,
        state: Expr,
        arguments: Vec<Expr>,
    },
    TryCatch {
        body: Vec<Statement>,
        handler: Vec<Statement>,
    },
    Begin {
        name: Option<String>,
    },
    Commit,
    Rollback {
        name: Option<Expr>,
    },
    Save {
        name: Expr,
    },
    WaitDelay(Expr),
    ExecuteText(Vec<Expr>),
    ExecuteProcedure {
        result: Option<String>,
        name: ObjectName,
        arguments: Vec<Argument>,
    },
    CreateView(Box<CreateView>),
    DropView {
        names: Vec<ObjectName>,
        if_exists: bool,
    },
    CreateSynonym {
        name: ObjectName,
        base: ObjectName,
    },
    DropSynonym {
        name: ObjectName,
        if_exists: bool,
    },
    /// An inline function that filters: `RETURNS TABLE AS RETURN SELECT .. WHERE ..`.
    CreateFunction(Box<CreateFunction>),
    DropFunction {
        name: ObjectName,
        if_exists: bool,
    },
    CreatePolicy(Box<CreatePolicy>),
    /// `ALTER SECURITY POLICY .. WITH (STATE = ..)`.
    AlterPolicy {
        name: ObjectName,
        enabled: bool,
    },
    DropPolicy {
        name: ObjectName,
        if_exists: bool,
    },
    /// `DBCC CHECKIDENT`.
    CheckIdentity(Box<CheckIdentity>),
    /// Statements that a client sends and that mean nothing here: `CHECKPOINT`, `UPDATE STATISTICS`.
    Nothing,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateView {
    pub(crate) name: ObjectName,
    /// Names for its columns, where they are given behind its own.
    pub(crate) columns: Vec<Name>,
    pub(crate) query: Query,
    /// As written, for `sys.sql_modules`.
    pub(crate) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateFunction {
    pub(crate) name: ObjectName,
    pub(crate) parameters: Vec<String>,
    /// The WHERE clause, as written.
    pub(crate) predicate: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreatePolicy {
    pub(crate) name: ObjectName,
    pub(crate) filters: Vec<PolicyFilter>,
    pub(crate) enabled: bool,
}

/// `ADD FILTER PREDICATE function(column, ..) ON table`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyFilter {
    pub(crate) function: ObjectName,
    pub(crate) columns: Vec<Name>,
    pub(crate) table: ObjectName,
}

/// `DBCC CHECKIDENT (table [, NORESEED | RESEED [, value]])`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckIdentity {
    pub(crate) table: ObjectName,
    pub(crate) reseed: bool,
    pub(crate) value: Option<Expr>,
    pub(crate) silent: bool,
}

/// What ALTER DATABASE does while others are at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Termination {
    Wait,
    NoWait,
    /// `ROLLBACK IMMEDIATE`.
    Rollback,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DatabaseOption {
    AllowSnapshot(bool),
    ReadCommittedSnapshot(bool),
    ReadOnly(bool),
    /// `FULL`, `BULK_LOGGED` or `SIMPLE`.
    Recovery(String),
    /// `NEW_BROKER`: another `service_broker_guid`.
    NewBroker,
    /// Settings that change nothing that the engine models (auto close, page verify).
    Accepted,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: Option<String>,
    /// `None` is DEFAULT.
    pub(crate) value: Option<Expr>,
    pub(crate) output: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Declaration {
    Scalar {
        name: String,
        sql_type: SqlType,
        value: Option<Expr>,
    },
    Table {
        name: String,
        definition: TableDefinition,
    },
}

/// What `SET` changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Setting {
    NoCount(bool),
    XactAbort(bool),
    IdentityInsert {
        table: ObjectName,
        on: bool,
    },
    ImplicitTransactions(bool),
    Isolation(IsolationLevel),
    LockTimeout(i64),
    FormatOnly(bool),
    NoExec(bool),
    DateFormat(String),
    DateFirst(i64),
    Language(String),
    ConcatNullYieldsNull(bool),
    /// Settings with a fixed meaning here, by name: ANSI_NULLS ON and its kin.
    Fixed {
        name: String,
        on: bool,
    },
    Several(Vec<Setting>),
}

/// The destination of a data modification.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    Table {
        name: ObjectName,
        hints: Vec<String>,
    },
    Variable(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    pub(crate) items: Vec<super::SelectItem>,
    pub(crate) into: Option<(Target, Vec<Name>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Insert {
    pub(crate) with: Vec<super::CommonTable>,
    pub(crate) top: Option<Top>,
    pub(crate) target: Target,
    pub(crate) columns: Vec<Name>,
    pub(crate) output: Option<Output>,
    pub(crate) source: InsertSource,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum InsertSource {
    Values(Vec<Vec<Expr>>),
    Query(Box<Query>),
    DefaultValues,
}

/// `SET column = value` or `SET @v = [column =] value`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) variable: Option<String>,
    pub(crate) column: Option<(Vec<Name>, Name)>,
    pub(crate) value: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Update {
    pub(crate) with: Vec<super::CommonTable>,
    pub(crate) top: Option<Top>,
    pub(crate) target: Target,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) output: Option<Output>,
    pub(crate) from: Vec<TableRef>,
    pub(crate) filter: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delete {
    pub(crate) with: Vec<super::CommonTable>,
    pub(crate) top: Option<Top>,
    pub(crate) target: Target,
    pub(crate) output: Option<Output>,
    pub(crate) from: Vec<TableRef>,
    pub(crate) filter: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Merge {
    pub(crate) with: Vec<super::CommonTable>,
    pub(crate) top: Option<Top>,
    pub(crate) target: Target,
    pub(crate) alias: Option<Name>,
    pub(crate) source: TableRef,
    pub(crate) on: Expr,
    pub(crate) clauses: Vec<MergeClause>,
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MergeMatch {
    Matched,
    NotMatchedByTarget,
    NotMatchedBySource,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MergeClause {
    pub(crate) on: MergeMatch,
    pub(crate) condition: Option<Expr>,
    pub(crate) action: MergeAction,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MergeAction {
    Update(Vec<Assignment>),
    Delete,
    Insert {
        columns: Vec<Name>,
        values: Vec<Expr>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InsertBulk {
    pub(crate) table: ObjectName,
    pub(crate) columns: Vec<(Name, SqlType)>,
    pub(crate) check_constraints: bool,
    pub(crate) fire_triggers: bool,
    pub(crate) keep_nulls: bool,
    pub(crate) keep_identity: bool,
    /// TABLOCK.
    pub(crate) table_lock: bool,
}
