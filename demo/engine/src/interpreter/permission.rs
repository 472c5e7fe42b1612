//! What a login may do: everything, or what a member of `db_datareader` may, or one who is a member of
//! `db_datawriter` too (T-SQL reference, "Database-level roles").

use super::Session;
use crate::ast::{ObjectName, StatementKind, TableRef, Target};
use crate::error::SqlResult;
use crate::session::SqlError;

impl Session {
    /// Leaves the session nothing but to read, and temporary tables of its own.
    pub fn limit_to_reading(&mut self) {
        self.reads_only = true;
    }

    /// The same, but for the rows of tables, which the session may also add, change and delete.
    pub fn limit_to_reading_and_writing(&mut self) {
        self.reads_only = true;
        self.writes_rows = true;
    }

    /// 229, 262, 1088 or 3701 where the login may not do what the statement does.
    pub(super) fn permit(&self, kind: &StatementKind) -> SqlResult<()> {
        if !self.reads_only {
            return Ok(());
        }
        let written = |target: &Target, permission: &str| match target {
            Target::Table { name, .. } => self.permit_on(name, permission),
            Target::Variable(_) => Ok(()),
        };
        match kind {
            StatementKind::Insert(_)
            | StatementKind::Update(_)
            | StatementKind::Delete(_)
            | StatementKind::Merge(_)
                if self.writes_rows =>
            {
                Ok(())
            }
            StatementKind::Insert(insert) => written(&insert.target, "INSERT"),
            StatementKind::Update(update) => {
                written(&meant(&update.target, &update.from), "UPDATE")
            }
            StatementKind::Delete(delete) => {
                written(&meant(&delete.target, &delete.from), "DELETE")
            }
            StatementKind::Merge(merge) => written(&merge.target, "UPDATE"),
            StatementKind::InsertBulk(bulk) => self.permit_on(&bulk.table, "INSERT"),
            StatementKind::CreateTable(create) if !is_temporary(&create.name) => {
                Err(self.denied_in_database("CREATE TABLE"))
            }
            StatementKind::CreateView(_) => Err(self.denied_in_database("CREATE VIEW")),
            StatementKind::CreateSynonym { .. } => Err(self.denied_in_database("CREATE SYNONYM")),
            StatementKind::DropView { names, .. } => names.iter().try_for_each(permit_change),
            StatementKind::DropSynonym { name, .. } => permit_change(name),
            StatementKind::CreateFunction(_) => Err(self.denied_in_database("CREATE FUNCTION")),
            StatementKind::CreatePolicy(_)
            | StatementKind::AlterPolicy { .. }
            | StatementKind::DropPolicy { .. } => {
                Err(self.denied_in_database("ALTER ANY SECURITY POLICY"))
            }
            StatementKind::DropFunction { name, .. } => permit_change(name),
            StatementKind::CreateSchema(_) => Err(self.denied_in_database("CREATE SCHEMA")),
            StatementKind::CreateDatabase(_) => Err(self.denied_in_database("CREATE DATABASE")),
            StatementKind::AlterDatabase { .. } => Err(self.denied_in_database("ALTER DATABASE")),
            StatementKind::Truncate(table)
            | StatementKind::AlterTable { table, .. }
            | StatementKind::DropIndex { table, .. } => permit_change(table),
            StatementKind::CheckIdentity(check) => permit_change(&check.table),
            StatementKind::CreateIndex(create) => permit_change(&create.table),
            StatementKind::CreateTrigger(create) => permit_change(&create.table),
            StatementKind::DropTable { names, .. } | StatementKind::DropTrigger { names, .. } => {
                names.iter().try_for_each(permit_change)
            }
            StatementKind::DropDatabase { names, .. } => {
                names.iter().try_for_each(|name| Err(cannot_find(&name.0)))
            }
            StatementKind::DropSchema { name, .. } => Err(cannot_find(&name.0)),
            _ => Ok(()),
        }
    }

    /// 229 where the login may not execute a procedure.
    pub(super) fn permit_execution(&self, procedure: &ObjectName) -> SqlResult<()> {
        if self.reads_only {
            return self.permit_on(procedure, "EXECUTE");
        }
        Ok(())
    }

    fn permit_on(&self, name: &ObjectName, permission: &str) -> SqlResult<()> {
        if is_temporary(name) {
            return Ok(());
        }
        let database = name.database.as_ref();
        let schema = name.schema.as_ref();
        Err(SqlError::new(
            229,
            14,
            5,
            format!(
                "The {permission} permission was denied on the object '{}', database '{}', schema '{}'.",
                name.name.0,
                database.map_or(&*self.database.name, |database| database.0.as_str()),
                schema.map_or("dbo", |schema| schema.0.as_str())
            ),
        ))
    }

    fn denied_in_database(&self, permission: &str) -> SqlError {
        SqlError::new(
            262,
            14,
            1,
            format!(
                "{permission} permission denied in database '{}'.",
                self.database.name
            ),
        )
    }
}

/// The table that UPDATE or DELETE means, which may stand in FROM under another name.
fn meant(target: &Target, from: &[TableRef]) -> Target {
    let Target::Table { name, hints } = target else {
        return target.clone();
    };
    let found = crate::modify::target_in_from(name, from);
    Target::Table {
        name: found.map_or_else(|| name.clone(), |(name, _)| name),
        hints: hints.clone(),
    }
}

fn is_temporary(name: &ObjectName) -> bool {
    name.name.0.starts_with('#')
}

fn permit_change(name: &ObjectName) -> SqlResult<()> {
    match is_temporary(name) {
        true => Ok(()),
        false => Err(cannot_find(&name.to_string())),
    }
}

fn cannot_find(name: &str) -> SqlError {
    SqlError::new(
        1088,
        16,
        12,
        format!(
            "Cannot find the object \"{name}\" because it does not exist or you do not have permissions."
        ),
    )
}
