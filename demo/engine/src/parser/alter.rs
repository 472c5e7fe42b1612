//! DROP and ALTER.

use super::Parser;
use crate::ast::{AlterTable, DatabaseOption, StatementKind, TableDefinition, Termination};
use crate::error::{SqlResult, unsupported_clause, unsupported_statement};

impl Parser<'_> {
    pub(super) fn drop_statement(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        let what = self.advance().text.to_ascii_uppercase();
        if what == "SECURITY" {
            self.expect_word("POLICY")?;
        }
        let if_exists = self.eat_words(&["IF", "EXISTS"]);
        match what.as_str() {
            "TABLE" => {
                let names = self.comma_separated(Self::object_name)?;
                Ok(StatementKind::DropTable { names, if_exists })
            }
            "DATABASE" => {
                let names = self.comma_separated(Self::name)?;
                Ok(StatementKind::DropDatabase { names, if_exists })
            }
            "SECURITY" => Ok(StatementKind::DropPolicy {
                name: self.object_name()?,
                if_exists,
            }),
            "VIEW" => {
                let names = self.comma_separated(Self::object_name)?;
                Ok(StatementKind::DropView { names, if_exists })
            }
            "SYNONYM" => Ok(StatementKind::DropSynonym {
                name: self.object_name()?,
                if_exists,
            }),
            "FUNCTION" => Ok(StatementKind::DropFunction {
                name: self.object_name()?,
                if_exists,
            }),
            "SCHEMA" => Ok(StatementKind::DropSchema {
                name: self.name()?,
                if_exists,
            }),
            "TRIGGER" => {
                let names = self.comma_separated(Self::object_name)?;
                Ok(StatementKind::DropTrigger { names, if_exists })
            }
            "INDEX" => {
                let index = self.name()?;
                self.expect_word("ON")?;
                Ok(StatementKind::DropIndex {
                    index,
                    table: self.object_name()?,
                    if_exists,
                })
            }
            _ => Err(unsupported_statement(&format!("DROP {what}"))),
        }
    }

    pub(super) fn alter(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if self.eat_word("DATABASE") {
            return self.alter_database();
        }
        if self.eat_words(&["SECURITY", "POLICY"]) {
            return self.alter_policy();
        }
        if !self.eat_word("TABLE") {
            let what = self.peek().text.to_ascii_uppercase();
            return Err(unsupported_statement(&format!("ALTER {what}")));
        }
        let table = self.object_name()?;
        let change = self.alter_table()?;
        Ok(StatementKind::AlterTable {
            table,
            change: Box::new(change),
        })
    }

    fn alter_table(&mut self) -> SqlResult<AlterTable> {
        let _ = self.eat_words(&["WITH", "CHECK"]);
        if self.at_word("WITH") && self.word_ahead(1, "NOCHECK") {
            return Err(unsupported_clause("ALTER TABLE ... WITH NOCHECK"));
        }
        if self.eat_word("ADD") {
            let mut definition = TableDefinition::default();
            loop {
                if self.at_word("DEFAULT") {
                    let constraint = self.table_constraint()?;
                    definition.constraints.push(constraint);
                } else {
                    self.table_element(&mut definition)?;
                }
                if !self.eat_symbol(",") {
                    break;
                }
            }
            return Ok(AlterTable::AddColumns { definition });
        }
        if self.eat_word("DROP") {
            let column = self.eat_word("COLUMN");
            if !column {
                self.eat_word("CONSTRAINT");
            }
            let if_exists = self.eat_words(&["IF", "EXISTS"]);
            let names = self.comma_separated(Self::name)?;
            return Ok(if column {
                AlterTable::DropColumns { names, if_exists }
            } else {
                AlterTable::DropConstraints { names, if_exists }
            });
        }
        if self.eat_words(&["SET"]) {
            self.expect_symbol("(")?;
            let versioning = self.eat_words(&["SYSTEM_VERSIONING"]);
            self.expect_symbol("=")?;
            if !versioning || !self.eat_word("OFF") {
                return Err(unsupported_clause("ALTER TABLE ... SET"));
            }
            self.expect_symbol(")")?;
            return Ok(AlterTable::StopVersioning);
        }
        if self.eat_words(&["ALTER", "COLUMN"]) {
            let name = self.name()?;
            if self.eat_words(&["ADD", "MASKED"]) {
                let function = Some(self.mask_function()?);
                return Ok(AlterTable::Mask { name, function });
            }
            if self.eat_words(&["DROP", "MASKED"]) {
                return Ok(AlterTable::Mask {
                    name,
                    function: None,
                });
            }
            if self.at_word("ADD") || self.at_word("DROP") {
                return Err(unsupported_clause("ALTER COLUMN ... ADD or DROP"));
            }
            let sql_type = self.type_name()?;
            let collation = if self.eat_word("COLLATE") {
                Some(self.name()?)
            } else {
                None
            };
            let nullable = if self.eat_words(&["NOT", "NULL"]) {
                Some(false)
            } else if self.eat_word("NULL") {
                Some(true)
            } else {
                None
            };
            return Ok(AlterTable::AlterColumn {
                name,
                sql_type,
                collation,
                nullable,
            });
        }
        for enabled in [true, false] {
            if self.eat_words(&[if enabled { "ENABLE" } else { "DISABLE" }, "TRIGGER"]) {
                let name = if self.eat_word("ALL") {
                    None
                } else {
                    Some(self.name()?)
                };
                return Ok(AlterTable::Trigger { name, enabled });
            }
        }
        let what = self.peek().text.to_ascii_uppercase();
        Err(unsupported_clause(&format!("ALTER TABLE ... {what}")))
    }

    /// `ENABLE|DISABLE TRIGGER name ON table`.
    pub(super) fn switch_trigger(&mut self) -> SqlResult<StatementKind> {
        let enabled = self.advance().text.eq_ignore_ascii_case("ENABLE");
        self.at += 1;
        let name = if self.eat_word("ALL") {
            None
        } else {
            Some(self.object_name()?.name)
        };
        self.expect_word("ON")?;
        let table = self.object_name()?;
        Ok(StatementKind::AlterTable {
            table,
            change: Box::new(AlterTable::Trigger { name, enabled }),
        })
    }

    fn alter_database(&mut self) -> SqlResult<StatementKind> {
        let name = if self.eat_word("CURRENT") {
            None
        } else {
            Some(self.name()?)
        };
        self.expect_word("SET")?;
        let option = self.advance().text.to_ascii_uppercase();
        let mut on = || -> SqlResult<bool> {
            let on = self.eat_word("ON");
            if !on {
                self.expect_word("OFF")?;
            }
            Ok(on)
        };
        let option = match option.as_str() {
            "ALLOW_SNAPSHOT_ISOLATION" => DatabaseOption::AllowSnapshot(on()?),
            "READ_COMMITTED_SNAPSHOT" => DatabaseOption::ReadCommittedSnapshot(on()?),
            "READ_ONLY" => DatabaseOption::ReadOnly(true),
            "READ_WRITE" => DatabaseOption::ReadOnly(false),
            "NEW_BROKER" => DatabaseOption::NewBroker,
            "RECOVERY" => {
                let model = self.advance().text.to_ascii_uppercase();
                if !["FULL", "BULK_LOGGED", "SIMPLE"].contains(&model.as_str()) {
                    return Err(self.unexpected());
                }
                DatabaseOption::Recovery(model)
            }
            "AUTO_CLOSE"
            | "AUTO_SHRINK"
            | "AUTO_UPDATE_STATISTICS"
            | "AUTO_CREATE_STATISTICS"
            | "PAGE_VERIFY"
            | "MULTI_USER"
            | "SINGLE_USER"
            | "RESTRICTED_USER" => {
                while self.at_name()
                    || self.at_word("ON")
                    || self.at_word("OFF")
                    || self.at_word("FULL")
                {
                    if self.at_word("WITH") {
                        break;
                    }
                    self.at += 1;
                }
                DatabaseOption::Accepted
            }
            other => {
                return Err(unsupported_clause(&format!(
                    "ALTER DATABASE ... SET {other}"
                )));
            }
        };
        let termination = if !self.eat_word("WITH") {
            Termination::Wait
        } else if self.eat_word("NO_WAIT") {
            Termination::NoWait
        } else {
            self.expect_word("ROLLBACK")?;
            self.expect_word("IMMEDIATE")?;
            Termination::Rollback
        };
        Ok(StatementKind::AlterDatabase {
            name,
            option,
            termination,
        })
    }
}
