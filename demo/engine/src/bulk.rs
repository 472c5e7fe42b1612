//! `INSERT BULK`: rows that arrive as a TDS bulk load stream.

use crate::ast::InsertBulk;
use crate::collation::take_doubt;
use crate::context::Context;
use crate::convert;
use crate::error::{SqlResult, invalid_column};
use crate::frame::Frame;
use crate::interpreter::{Access, Batch, OpenTable, Session};
use crate::modify::{RowBuilder, RowChange, Verb};
use crate::session::{Cancel, EnvChange, ResultColumn, ResultSink, SqlError, StatementDone, Stop};
use crate::storage::Row;
use crate::types::{Datum, SqlType};

/// The destination of a bulk load, from `Session::begin_bulk` or `Session::take_bulk`.
#[derive(Debug)]
pub struct BulkTarget {
    /// The columns named by the statement, in its order and with its types: what the stream carries.
    pub columns: Vec<ResultColumn>,
    statement: InsertBulk,
    ordinals: Vec<usize>,
    types: Vec<SqlType>,
    /// The rows so far, in the order of [`Self::columns`].
    rows: Vec<Row>,
}

impl BulkTarget {
    /// Reads what the statement names; the table is opened, and locked, when the load finishes.
    pub(crate) fn open(
        session: &mut Session,
        statement: &InsertBulk,
        cancel: &Cancel,
    ) -> SqlResult<Self> {
        let (table, version) =
            session.open_for_read(&statement.table, &["NOLOCK".to_owned()], cancel)?;
        let definition = version.definition.clone();
        let (mut columns, mut ordinals) = (Vec::new(), Vec::new());
        for (name, sql_type) in &statement.columns {
            let ordinal = definition
                .ordinal(&name.0)
                .ok_or_else(|| invalid_column(&name.0))?;
            let column = &definition.columns[ordinal];
            if column.computed.is_some() {
                return Err(SqlError::new(
                    271,
                    16,
                    1,
                    format!(
                        "The column \"{}\" of table '{}' cannot be modified because it is a computed column.",
                        column.name, table.name
                    ),
                ));
            }
            convert::check(sql_type, &column.sql_type, true)?;
            columns.push(ResultColumn {
                name: column.name.clone(),
                sql_type: sql_type.clone(),
                nullable: column.nullable,
                identity: column.identity.is_some(),
                read_only: !column.is_writable(),
                collation: None,
            });
            ordinals.push(ordinal);
        }
        let types = ordinals
            .iter()
            .map(|ordinal| definition.columns[*ordinal].sql_type.clone())
            .collect();
        Ok(Self {
            columns,
            statement: statement.clone(),
            ordinals,
            types,
            rows: Vec::new(),
        })
    }

    /// Takes one row in the order of [`Self::columns`].
    ///
    /// # Errors
    /// 4804 where the row has another number of values, or a conversion error. Drop the target then:
    /// nothing of it has reached the table.
    pub fn push(&mut self, row: Vec<Datum>) -> SqlResult<()> {
        if row.len() != self.types.len() {
            return Err(SqlError::new(
                4804,
                16,
                1,
                format!(
                    "The bulk load stream has {} columns in a row, the statement {}.",
                    row.len(),
                    self.types.len()
                ),
            ));
        }
        self.rows.push(Row::from(row));
        Ok(())
    }

    /// How many rows have been taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row has been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts all rows into the table, in the session's transaction or in one of its own, and returns how
    /// many there were.
    ///
    /// # Errors
    /// Whatever an INSERT of the rows would raise (515, 2627, 2628, 8115, …), a lock timeout; then none of
    /// the rows is in the table.
    pub fn finish(self, session: &mut Session, cancel: &Cancel) -> SqlResult<u64> {
        let mut sink = Quiet;
        let mark = session
            .transaction
            .as_ref()
            .map(|transaction| transaction.mark());
        let result = self.store(session, cancel, &mut sink);
        let result = match (take_doubt(), result) {
            (Some(doubt), Ok(_)) => Err(doubt),
            (_, result) => result,
        };
        match result {
            Ok(count) => {
                session.end_automatic();
                Ok(count)
            }
            Err(error) => {
                let automatic = session
                    .transaction
                    .as_ref()
                    .is_some_and(|transaction| transaction.automatic);
                if automatic || matches!(error.number, 1205 | 3960) || session.settings.xact_abort {
                    session.rollback_all(&mut sink);
                } else if let (Some(mark), Some(transaction)) = (mark, session.transaction.as_mut())
                {
                    let undo = transaction.restore(mark);
                    session.undo(undo);
                }
                Err(error)
            }
        }
    }

    fn store(
        self,
        session: &mut Session,
        cancel: &Cancel,
        sink: &mut dyn ResultSink,
    ) -> SqlResult<u64> {
        session.ensure_transaction(sink);
        let mut batch = Batch::new(session, sink, cancel);
        batch.refuse_if_doomed()?;
        let access = if self.statement.table_lock {
            Access::Table
        } else {
            Access::Rows
        };
        let target = batch
            .session
            .open_for_write(&self.statement.table, access, cancel)?;
        let context: Context = batch.context();
        let mut builder = RowBuilder::new(
            batch.session,
            &Frame::default(),
            &context,
            cancel,
            &target,
            Verb::Insert,
        )?;
        if !self.statement.check_constraints {
            builder.skip_checks();
        }
        if self.statement.keep_nulls {
            builder.skip_defaults();
        }
        let definition = target.version.definition.clone();
        let width = definition.columns.len();
        let count = self.rows.len() as u64;
        let identity = definition.identity_ordinal();
        let mut changes = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            context.check_cancel()?;
            let mut given: Vec<Option<Datum>> = vec![None; width];
            for (ordinal, value) in self.ordinals.iter().zip(row.iter()) {
                let generated = Some(*ordinal) == identity && !self.statement.keep_identity
                    || !definition.columns[*ordinal].is_writable();
                // A NULL takes the column's default unless KEEP_NULLS says otherwise.
                let default = *value == Datum::Null && !self.statement.keep_nulls;
                if !generated && !default {
                    given[*ordinal] = Some(value.clone());
                }
            }
            let new = builder.insert(batch.session, &context, given)?;
            changes.push(RowChange::inserted(new));
        }
        apply(&mut batch, &target, changes, self.statement.fire_triggers)?;
        if let Some(identity) = builder.last_identity {
            batch.session.last.identity = Some(identity);
        }
        batch.set_row_count(count);
        Ok(count)
    }

    /// Gives up: nothing of the load reaches the table.
    pub fn abort(self) {}
}

fn apply(
    batch: &mut Batch<'_>,
    target: &OpenTable,
    mut changes: Vec<RowChange>,
    fire: bool,
) -> SqlResult<()> {
    if changes.is_empty() {
        return Ok(());
    }
    batch.settle(target, &mut changes)?;
    if fire {
        batch.fire_triggers(target, &changes, (crate::interpreter::command::INSERT, &[]))?;
    }
    Ok(())
}

/// A bulk load sends nothing but its own DONE, which is the wire's.
struct Quiet;

impl ResultSink for Quiet {
    fn columns(&mut self, _: &[ResultColumn]) -> Result<(), Stop> {
        Ok(())
    }

    fn row(&mut self, _: &[Datum]) -> Result<(), Stop> {
        Ok(())
    }

    fn done(&mut self, _: StatementDone) -> Result<(), Stop> {
        Ok(())
    }

    fn message(&mut self, _: SqlError) -> Result<(), Stop> {
        Ok(())
    }

    fn error(&mut self, _: SqlError) -> Result<(), Stop> {
        Ok(())
    }

    fn env_change(&mut self, _: EnvChange) -> Result<(), Stop> {
        Ok(())
    }
}
