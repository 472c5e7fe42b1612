//! What a table is beside a table, and what keeps the login from seeing of it.
//!
//! Catalog views have grown from version to version, and servers that only speak like SQL Server have fewer. So
//! these questions are asked apart from the others, in a way that no answer is an answer.

use icehost_plan::Value;

use super::Fields;
use crate::driver::{Answer, Client};
use crate::error::{Result, SqlServerError};
use crate::lower;
use crate::name::TableName;
use crate::statement::Parameters;

/// What a table is beside a table (T-SQL reference, "sys.tables", "sys.security_predicates").
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traits {
    /// It is memory-optimised: read as of one moment by each statement, and no target of `MERGE`.
    pub memory_optimized: bool,
    /// It has the earlier rows of a temporal or ledger table, which only the server writes.
    pub history: bool,
    /// It is a FileTable.
    pub file_table: bool,
    /// Its rows are elsewhere.
    pub external: bool,
    /// It holds the nodes or edges of a graph.
    pub graph: bool,
    /// Its ledger takes new rows only.
    pub append_only: bool,
    /// Security policies that hide rows from logins, as far as this one may know of them.
    pub row_filters: Vec<String>,
}

/// `temporal_type` of a history table.
const HISTORY: i64 = 1;
/// `ledger_type` of a history table, and of one that takes new rows only.
const LEDGER_HISTORY: i64 = 1;
const LEDGER_APPEND_ONLY: i64 = 3;

/// Asks for a table's traits. What the server does not know of is not there.
pub(super) async fn of(client: &mut Client, name: &TableName, object_id: i32) -> Result<Traits> {
    let mut parameters = Parameters::default();
    let id = parameters.add(icehost_plan::SqlType::Int, Value::Integer(object_id.into()));
    let sql = lower::table_traits(name, &id);
    let answer = known(client.run(&parameters.finish(sql)).await, name)?;
    let mut traits = Traits::default();
    if let Some(row) = answer.and_then(|answer| answer.rows().into_iter().next()) {
        let mut fields = Fields::of(row);
        let mut number = || Ok::<i64, SqlServerError>(fields.optional_integer()?.unwrap_or(0));
        traits.memory_optimized = number()? != 0;
        traits.history = number()? == HISTORY;
        traits.file_table = number()? != 0;
        traits.external = number()? != 0;
        traits.graph = (number()? != 0) | (number()? != 0);
        let ledger = number()?;
        traits.history |= ledger == LEDGER_HISTORY;
        traits.append_only = ledger == LEDGER_APPEND_ONLY;
    }
    let mut parameters = Parameters::default();
    let id = parameters.add(icehost_plan::SqlType::Int, Value::Integer(object_id.into()));
    let sql = lower::row_filters(name, &id);
    if let Some(answer) = known(client.run(&parameters.finish(sql)).await, name)? {
        for row in answer.rows() {
            traits.row_filters.push(Fields::of(row).text()?);
        }
    }
    Ok(traits)
}

/// An answer, or none where the server does not know the question.
fn known(answer: Result<Answer>, name: &TableName) -> Result<Option<Answer>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.number().is_some() => {
            tracing::debug!(%error, table = %name, "the server does not tell what the table is");
            Ok(None)
        }
        Err(error) => Err(error.context(format!("describing {name}"))),
    }
}
