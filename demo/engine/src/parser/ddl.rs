//! CREATE.

use super::Parser;
use crate::ast::{
    ColumnDefinition, ColumnKind, ConstraintKind, CreateIndex, CreateTable, CreateTrigger,
    DefaultDefinition, Expr, Name, Statement, StatementKind, TableConstraint, TableDefinition,
    TableOptions,
};
use crate::error::{SqlResult, unsupported_clause, unsupported_statement};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn create(&mut self) -> SqlResult<StatementKind> {
        let (start, is_first) = (self.peek().start, self.at == 0);
        self.at += 1;
        if self.eat_word("VIEW") {
            return self.create_view(start, is_first);
        }
        if self.eat_word("SYNONYM") {
            return self.create_synonym();
        }
        if self.eat_word("TABLE") {
            let name = self.object_name()?;
            if self.at_word("AS") {
                return Err(unsupported_clause("CREATE TABLE AS"));
            }
            let definition = self.table_definition()?;
            let options = self.table_options()?;
            return Ok(StatementKind::CreateTable(Box::new(CreateTable {
                name,
                definition,
                options,
            })));
        }
        if self.eat_word("DATABASE") {
            let name = self.name()?;
            if self.eat_word("COLLATE") {
                let collation = self.name()?;
                if !collation.is(crate::collation::DEFAULT_NAME) {
                    return Err(unsupported_clause(&format!(
                        "CREATE DATABASE ... COLLATE {}",
                        collation.0
                    )));
                }
            }
            return Ok(StatementKind::CreateDatabase(name));
        }
        if self.eat_word("SCHEMA") {
            let name = self.name()?;
            if self.eat_word("AUTHORIZATION") {
                self.name()?;
            }
            return Ok(StatementKind::CreateSchema(name));
        }
        if self.eat_word("FUNCTION") {
            return self.create_function();
        }
        if self.eat_words(&["SECURITY", "POLICY"]) {
            return self.create_policy();
        }
        let or_alter = self.eat_words(&["OR", "ALTER"]);
        if self.eat_word("TRIGGER") {
            if or_alter {
                return Err(unsupported_clause("CREATE OR ALTER TRIGGER"));
            }
            return self.create_trigger(start);
        }
        self.create_index()
    }

    fn create_index(&mut self) -> SqlResult<StatementKind> {
        let unique = self.eat_word("UNIQUE");
        let clustered = self.eat_word("CLUSTERED");
        if !clustered {
            self.eat_word("NONCLUSTERED");
        }
        if !self.eat_word("INDEX") {
            let what = self.peek().text.to_ascii_uppercase();
            return Err(unsupported_statement(&format!("CREATE {what}")));
        }
        let name = self.name()?;
        self.expect_word("ON")?;
        let table = self.object_name()?;
        let columns = self.key_columns()?;
        let included = if self.eat_word("INCLUDE") {
            self.name_list()?
        } else {
            Vec::new()
        };
        let filter = self.eat_word("WHERE");
        if filter {
            if unique {
                return Err(unsupported_clause("a filtered unique index"));
            }
            self.expression()?;
        }
        self.table_options()?;
        Ok(StatementKind::CreateIndex(Box::new(CreateIndex {
            name,
            table,
            unique,
            clustered,
            columns,
            included,
            filter,
        })))
    }

    fn create_trigger(&mut self, start: usize) -> SqlResult<StatementKind> {
        let name = self.object_name()?;
        self.expect_word("ON")?;
        if self.at_word("DATABASE") || self.at_word("ALL") {
            return Err(unsupported_statement(
                "CREATE TRIGGER on a database or server",
            ));
        }
        let table = self.object_name()?;
        if self.eat_words(&["INSTEAD", "OF"]) {
            return Err(unsupported_clause("INSTEAD OF triggers"));
        }
        if !(self.eat_word("AFTER") || self.eat_word("FOR")) {
            return Err(self.unexpected());
        }
        let mut trigger = CreateTrigger {
            name,
            table,
            on_insert: false,
            on_update: false,
            on_delete: false,
            body: Vec::new(),
            text: String::new(),
        };
        loop {
            if self.eat_word("INSERT") {
                trigger.on_insert = true;
            } else if self.eat_word("UPDATE") {
                trigger.on_update = true;
            } else if self.eat_word("DELETE") {
                trigger.on_delete = true;
            } else {
                return Err(self.unexpected());
            }
            if !self.eat_symbol(",") {
                break;
            }
        }
        self.expect_word("AS")?;
        // The body runs to the end of the batch.
        let mut body: Vec<Statement> = Vec::new();
        self.statements_until(&mut body, |parser| parser.peek().kind == TokenKind::End)?;
        trigger.body = body;
        trigger.text = self.text_since(start);
        Ok(StatementKind::CreateTrigger(Box::new(trigger)))
    }

    /// `ON [PRIMARY]`, `TEXTIMAGE_ON x` and `WITH (...)` name storage, of which there is none.
    fn table_options(&mut self) -> SqlResult<TableOptions> {
        let mut options = TableOptions::default();
        loop {
            if self.eat_word("ON") || self.eat_word("TEXTIMAGE_ON") {
                if !self.eat_word("PRIMARY") {
                    self.name()?;
                }
                if self.at_symbol("(") {
                    return Err(unsupported_clause("partition schemes"));
                }
            } else if self.at_word("WITH") && self.symbol_ahead(1, "(") {
                self.at += 1;
                if self.word_ahead(1, "LEDGER") {
                    return Err(unsupported_clause("LEDGER"));
                }
                if ["SYSTEM_VERSIONING", "MEMORY_OPTIMIZED"]
                    .iter()
                    .any(|word| self.word_ahead(1, word))
                {
                    self.special_options(&mut options)?;
                } else {
                    self.skip_parentheses()?;
                }
            } else {
                return Ok(options);
            }
        }
    }

    pub(super) fn table_definition(&mut self) -> SqlResult<TableDefinition> {
        self.expect_symbol("(")?;
        let mut definition = TableDefinition::default();
        loop {
            self.table_element(&mut definition)?;
            if !self.eat_symbol(",") {
                break;
            }
            if self.at_symbol(")") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(definition)
    }

    pub(super) fn table_element(&mut self, definition: &mut TableDefinition) -> SqlResult<()> {
        if self.at_word("CONSTRAINT")
            || self.at_word("PRIMARY")
            || self.at_word("UNIQUE")
            || self.at_word("CHECK")
            || self.at_word("FOREIGN")
        {
            let constraint = self.table_constraint()?;
            definition.constraints.push(constraint);
            return Ok(());
        }
        if self.eat_words(&["PERIOD", "FOR", "SYSTEM_TIME"]) {
            self.expect_symbol("(")?;
            let start = self.name()?;
            self.expect_symbol(",")?;
            definition.period = Some((start, self.name()?));
            return self.expect_symbol(")");
        }
        if self.at_word("INDEX") {
            return Err(unsupported_clause("INDEX inside CREATE TABLE"));
        }
        let name = self.name()?;
        if self.eat_word("AS") {
            return self.computed_column(name, definition);
        }
        // `timestamp` alone names both the column and the type.
        let sql_type = if name.is("timestamp") && (self.at_symbol(",") || self.at_symbol(")")) {
            crate::types::SqlType::RowVersion
        } else {
            self.type_name()?
        };
        let mut column = ColumnDefinition {
            name,
            kind: ColumnKind::Typed(sql_type),
            collation: None,
            nullable: None,
            identity: None,
            default: None,
            rowguidcol: false,
            mask: None,
            generated: None,
            encrypted: None,
        };
        self.column_options(&mut column, definition)?;
        definition.columns.push(column);
        Ok(())
    }

    fn computed_column(&mut self, name: Name, definition: &mut TableDefinition) -> SqlResult<()> {
        let start = self.peek().start;
        let expr = self.expression()?;
        let text = self.text_since(start);
        let persisted = self.eat_word("PERSISTED");
        let mut column = ColumnDefinition {
            name,
            kind: ColumnKind::Computed {
                expr,
                text,
                persisted,
            },
            collation: None,
            nullable: None,
            identity: None,
            default: None,
            rowguidcol: false,
            mask: None,
            generated: None,
            encrypted: None,
        };
        self.column_options(&mut column, definition)?;
        definition.columns.push(column);
        Ok(())
    }

    fn column_options(
        &mut self,
        column: &mut ColumnDefinition,
        definition: &mut TableDefinition,
    ) -> SqlResult<()> {
        loop {
            let name = if self.eat_word("CONSTRAINT") {
                Some(self.name()?)
            } else {
                None
            };
            if name.is_none() && self.eat_word("COLLATE") {
                column.collation = Some(self.name()?);
            } else if self.eat_words(&["NOT", "NULL"]) {
                column.nullable = Some(false);
            } else if self.eat_word("NULL") {
                column.nullable = Some(true);
            } else if self.eat_word("IDENTITY") {
                column.identity = Some(self.identity_arguments()?);
                if self.eat_words(&["NOT", "FOR", "REPLICATION"]) {
                    return Err(unsupported_clause("NOT FOR REPLICATION"));
                }
            } else if self.eat_word("DEFAULT") {
                column.default = Some(self.default_definition(name)?);
            } else if self.at_word("PRIMARY") || self.at_word("UNIQUE") {
                let kind = self.key_constraint(Some(&column.name))?;
                definition.constraints.push(TableConstraint { name, kind });
            } else if self.at_word("CHECK") {
                let kind = self.check_constraint()?;
                definition.constraints.push(TableConstraint { name, kind });
            } else if self.at_word("GENERATED") {
                column.generated = Some(self.generated_always()?);
            } else if self.eat_word("ENCRYPTED") {
                column.encrypted = Some(self.encrypted_with()?);
            } else if self.eat_word("MASKED") {
                column.mask = Some(self.mask_function()?);
            } else if self.eat_word("ROWGUIDCOL") {
                column.rowguidcol = true;
            } else if self.at_word("REFERENCES") || self.at_word("FOREIGN") {
                return Err(unsupported_clause("FOREIGN KEY constraints"));
            } else if self.at_word("SPARSE") || self.at_word("FILESTREAM") {
                let what = format!("{} columns", self.peek().text.to_ascii_uppercase());
                return Err(unsupported_clause(&what));
            } else if name.is_some() {
                return Err(self.unexpected());
            } else {
                return Ok(());
            }
        }
    }

    /// `WITH (FUNCTION = '...')`.
    pub(super) fn mask_function(&mut self) -> SqlResult<String> {
        self.expect_word("WITH")?;
        self.expect_symbol("(")?;
        self.expect_word("FUNCTION")?;
        self.expect_symbol("=")?;
        if !matches!(self.peek().kind, TokenKind::Text | TokenKind::NationalText) {
            return Err(self.unexpected());
        }
        let function = self.advance().unquoted();
        self.expect_symbol(")")?;
        Ok(function)
    }

    fn identity_arguments(&mut self) -> SqlResult<(i64, i64)> {
        if !self.eat_symbol("(") {
            return Ok((1, 1));
        }
        let seed = self.signed_integer()?;
        self.expect_symbol(",")?;
        let increment = self.signed_integer()?;
        self.expect_symbol(")")?;
        Ok((seed, increment))
    }

    pub(super) fn signed_integer(&mut self) -> SqlResult<i64> {
        let negative = self.eat_symbol("-");
        if !negative {
            self.eat_symbol("+");
        }
        let token = self.peek().clone();
        let text = if negative {
            format!("-{}", token.text)
        } else {
            token.text.to_owned()
        };
        match (token.kind, text.parse()) {
            (TokenKind::Integer, Ok(value)) => {
                self.at += 1;
                Ok(value)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn default_definition(&mut self, name: Option<Name>) -> SqlResult<DefaultDefinition> {
        let start = self.peek().start;
        let expr = self.default_expression()?;
        let text = self.text_since(start);
        Ok(DefaultDefinition { name, expr, text })
    }

    /// A default stops before NULL and NOT NULL, which belong to the column.
    fn default_expression(&mut self) -> SqlResult<Expr> {
        self.expression()
    }

    pub(super) fn table_constraint(&mut self) -> SqlResult<TableConstraint> {
        let name = if self.eat_word("CONSTRAINT") {
            Some(self.name()?)
        } else {
            None
        };
        let kind = if self.at_word("CHECK") {
            self.check_constraint()?
        } else if self.at_word("PRIMARY") || self.at_word("UNIQUE") {
            self.key_constraint(None)?
        } else if self.eat_word("DEFAULT") {
            let mut definition = self.default_definition(name.clone())?;
            self.expect_word("FOR")?;
            let column = self.name()?;
            definition.name.clone_from(&name);
            ConstraintKind::Default { column, definition }
        } else if self.at_word("FOREIGN") {
            return Err(unsupported_clause("FOREIGN KEY constraints"));
        } else {
            return Err(self.unexpected());
        };
        Ok(TableConstraint { name, kind })
    }

    fn check_constraint(&mut self) -> SqlResult<ConstraintKind> {
        self.expect_word("CHECK")?;
        let start = self.peek().start;
        self.expect_symbol("(")?;
        let expr = self.expression()?;
        self.expect_symbol(")")?;
        Ok(ConstraintKind::Check {
            expr,
            text: self.text_since(start),
        })
    }

    fn key_constraint(&mut self, column: Option<&Name>) -> SqlResult<ConstraintKind> {
        let primary = self.eat_word("PRIMARY");
        if primary {
            self.expect_word("KEY")?;
        } else {
            self.expect_word("UNIQUE")?;
        }
        let clustered = if self.eat_word("CLUSTERED") {
            Some(true)
        } else if self.eat_word("NONCLUSTERED") {
            Some(false)
        } else {
            None
        };
        let columns = match column {
            Some(column) => vec![(column.clone(), false)],
            None => self.key_columns()?,
        };
        if self.at_word("WITH") || (column.is_none() && self.at_word("ON")) {
            self.table_options()?;
        }
        Ok(ConstraintKind::Key {
            primary,
            clustered,
            columns,
        })
    }

    /// `(a [ASC|DESC], ...)`; the flag is DESC.
    fn key_columns(&mut self) -> SqlResult<Vec<(Name, bool)>> {
        self.expect_symbol("(")?;
        let columns = self.comma_separated(|parser| {
            let name = parser.name()?;
            let descending = parser.eat_word("DESC");
            if !descending {
                parser.eat_word("ASC");
            }
            Ok((name, descending))
        })?;
        self.expect_symbol(")")?;
        Ok(columns)
    }
}
