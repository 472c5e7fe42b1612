//! AFTER triggers.

use std::sync::Arc;

use super::RowChange;
use crate::error::SqlResult;
use crate::frame::{Frame, PseudoTables};
use crate::interpreter::{Batch, MAX_NESTING, OpenTable};
use crate::session::SqlError;
use crate::storage::{Change, TableDefinition, TableKind, TableVersion, Trigger};

/// A version that holds the rows and no keys.
fn pseudo(
    definition: &TableDefinition,
    rows: impl Iterator<Item = crate::storage::Row>,
) -> SqlResult<Arc<TableVersion>> {
    let plain = TableDefinition {
        indexes: Vec::new(),
        ..definition.clone()
    };
    let mut version = TableVersion::empty(Arc::new(plain));
    let rows = rows
        .enumerate()
        .map(|(id, row)| Change::Insert { id: id as u64, row });
    version.apply(rows.collect(), "inserted")?;
    Ok(Arc::new(version))
}

impl Batch<'_> {
    /// Runs the triggers that a statement's changes call for. As on SQL Server they run once for the
    /// statement, even where it changed no row.
    pub(crate) fn fire_triggers(
        &mut self,
        target: &OpenTable,
        changes: &[RowChange],
        (command, updated): (u16, &[String]),
    ) -> SqlResult<()> {
        use crate::interpreter::command as cmd;
        let definition = target.version.definition.clone();
        if target.table.kind != TableKind::User
            || !definition.triggers.iter().any(|trigger| trigger.enabled)
        {
            return Ok(());
        }
        for action in ["INSERT", "UPDATE", "DELETE"] {
            let of_action: Vec<&RowChange> = changes
                .iter()
                .filter(|change| change.action() == action)
                .collect();
            let applies = match action {
                "INSERT" => command == cmd::INSERT,
                "UPDATE" => command == cmd::UPDATE,
                _ => command == cmd::DELETE,
            };
            if of_action.is_empty() && !applies {
                continue;
            }
            let triggers: Vec<Trigger> = definition
                .triggers
                .iter()
                .filter(|trigger| trigger.enabled)
                .filter(|trigger| match action {
                    "INSERT" => trigger.on_insert,
                    "UPDATE" => trigger.on_update,
                    _ => trigger.on_delete,
                })
                .cloned()
                .collect();
            if triggers.is_empty() {
                continue;
            }
            let updated: Vec<String> = match action {
                "INSERT" => definition
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .collect(),
                "UPDATE" => updated.to_vec(),
                _ => Vec::new(),
            };
            let tables = PseudoTables {
                table: target.table.clone(),
                inserted: pseudo(
                    &definition,
                    of_action.iter().filter_map(|change| change.new.clone()),
                )?,
                deleted: pseudo(
                    &definition,
                    of_action.iter().filter_map(|change| change.old.clone()),
                )?,
                updated,
            };
            for trigger in triggers {
                self.fire(&trigger, tables.clone(), of_action.len() as u64)?;
            }
        }
        Ok(())
    }

    fn fire(&mut self, trigger: &Trigger, tables: PseudoTables, rows: u64) -> SqlResult<()> {
        // A trigger's own changes to its table do not fire it again (RECURSIVE_TRIGGERS OFF).
        if self.session.firing.contains(&trigger.object_id) {
            return Ok(());
        }
        if self.session.nesting >= MAX_NESTING {
            return Err(SqlError::new(
                217,
                16,
                1,
                "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).",
            )
            .ending_batch());
        }
        let last = (
            self.session.last.scope_identity,
            self.session.settings.clone(),
        );
        self.set_row_count(rows);
        let mark = self.session.temporary.len();
        self.session.nesting += 1;
        self.session.firing.push(trigger.object_id);
        let transaction = self
            .session
            .transaction
            .as_ref()
            .map(|transaction| transaction.id);
        // While a trigger runs, its statements belong to the statement that fired it.
        let automatic = self
            .session
            .transaction
            .as_mut()
            .map(|transaction| std::mem::replace(&mut transaction.automatic, false));
        let mut inner = Batch::new(self.session, self.sink, self.cancel);
        inner.frame = Frame::default();
        inner.frame.pseudo = Some(tables);
        inner.in_trigger = true;
        let outcome = inner.run_list(&trigger.body);
        self.session.firing.pop();
        self.session.nesting -= 1;
        self.session.drop_temporary_from(mark);
        self.session.last.scope_identity = last.0;
        self.session.settings = last.1;
        let still_open = self
            .session
            .transaction
            .as_ref()
            .map(|transaction| transaction.id)
            == transaction;
        if let (true, Some(automatic), Some(current)) =
            (still_open, automatic, self.session.transaction.as_mut())
        {
            current.automatic = automatic;
        }
        outcome?;
        if !still_open {
            return Err(SqlError::new(
                3609,
                16,
                1,
                "The transaction ended in the trigger. The batch has been aborted.",
            )
            .ending_batch());
        }
        Ok(())
    }
}
