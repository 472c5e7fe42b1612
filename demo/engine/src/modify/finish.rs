//! The end of every modification: apply, store, OUTPUT, triggers, count.

use super::RowChange;
use super::output::OutputPlan;
use crate::context::Context;
use crate::error::SqlResult;
use crate::interpreter::{Access, Batch, OpenTable};
use crate::session::SqlError;

impl Batch<'_> {
    /// Opens the destination of a modification; the statement has a transaction from here on.
    pub(crate) fn open_target(
        &mut self,
        target: &crate::ast::Target,
        access: Access,
    ) -> SqlResult<OpenTable> {
        self.session.ensure_transaction(self.sink);
        self.refuse_if_doomed()?;
        match target {
            crate::ast::Target::Table { name, hints } => {
                if name
                    .schema
                    .as_ref()
                    .is_some_and(|schema| schema.is("sys") || schema.is("INFORMATION_SCHEMA"))
                {
                    return Err(SqlError::new(
                        259,
                        16,
                        1,
                        "Ad hoc updates to system catalogs are not allowed.",
                    ));
                }
                // Ranges of keys are locked by the table.
                let whole = |hint: &String| {
                    let hint = hint.as_str();
                    matches!(
                        hint,
                        "HOLDLOCK" | "SERIALIZABLE" | "TABLOCK" | "TABLOCKX" | "REPEATABLEREAD"
                    )
                };
                let access = if hints.iter().any(whole) || self.session.is_serializable() {
                    Access::Table
                } else {
                    access
                };
                self.session.open_for_write(name, access, self.cancel)
            }
            crate::ast::Target::Variable(name) => {
                let table = self.frame.table_variable(name)?;
                let version = table.committed();
                Ok(OpenTable {
                    table,
                    database: self.session.database.clone(),
                    version,
                })
            }
        }
    }

    /// 334: OUTPUT without INTO cannot be had from a table with triggers.
    pub(crate) fn check_output(
        &self,
        target: &OpenTable,
        output: Option<&crate::ast::Output>,
    ) -> SqlResult<()> {
        let to_client = output.is_some_and(|output| output.into.is_none());
        let triggers = target
            .version
            .definition
            .triggers
            .iter()
            .any(|trigger| trigger.enabled);
        if to_client && triggers {
            return Err(SqlError::new(
                334,
                16,
                1,
                format!(
                    "The target table '{}' of the DML statement cannot have any enabled triggers if the statement contains an OUTPUT clause without INTO clause.",
                    target.table.display_name()
                ),
            ));
        }
        Ok(())
    }

    /// Applies the changes and everything that follows from them; reports the statement as done.
    pub(crate) fn finish_modification(
        &mut self,
        context: &Context,
        target: &OpenTable,
        mut changes: Vec<RowChange>,
        output: Option<&OutputPlan>,
        (command, updated): (u16, &[String]),
    ) -> SqlResult<()> {
        let count = changes.len() as u64;
        self.settle(target, &mut changes)?;
        self.keep_history(target, &changes)?;
        if let Some(output) = output {
            self.send_output(context, output, &changes)?;
        }
        self.fire_triggers(target, &changes, (command, updated))?;
        self.set_row_count(count);
        self.done(command, Some(count))
    }
}
