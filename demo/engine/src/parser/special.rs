//! Tables that are not ordinary: system-versioned, memory-optimized, with encrypted columns.

use super::Parser;
use crate::ast::TableOptions;
use crate::error::{SqlResult, unsupported_clause};

impl Parser<'_> {
    /// `(SYSTEM_VERSIONING = ON (HISTORY_TABLE = a.b), ..)` or `(MEMORY_OPTIMIZED = ON, DURABILITY = ..)`.
    pub(super) fn special_options(&mut self, options: &mut TableOptions) -> SqlResult<()> {
        self.expect_symbol("(")?;
        loop {
            let option = self.name()?.0.to_ascii_uppercase();
            self.expect_symbol("=")?;
            match option.as_str() {
                "SYSTEM_VERSIONING" => {
                    self.expect_word("ON")?;
                    let mut history = None;
                    if self.eat_symbol("(") {
                        self.expect_word("HISTORY_TABLE")?;
                        self.expect_symbol("=")?;
                        history = Some(self.object_name()?);
                        if self.eat_symbol(",") {
                            self.expect_word("DATA_CONSISTENCY_CHECK")?;
                            self.expect_symbol("=")?;
                            self.advance();
                        }
                        self.expect_symbol(")")?;
                    }
                    options.versioned = Some(history);
                }
                "MEMORY_OPTIMIZED" => {
                    self.expect_word("ON")?;
                    options.memory_optimized = true;
                }
                "DURABILITY" => {
                    self.advance();
                }
                other => return Err(unsupported_clause(&format!("the table option {other}"))),
            }
            if !self.eat_symbol(",") {
                break;
            }
        }
        self.expect_symbol(")")
    }

    /// `GENERATED ALWAYS AS ROW START|END [HIDDEN]`.
    pub(super) fn generated_always(&mut self) -> SqlResult<(bool, bool)> {
        if !self.eat_words(&["GENERATED", "ALWAYS", "AS", "ROW"]) {
            return Err(unsupported_clause(
                "GENERATED columns that are not of a period",
            ));
        }
        let end = self.eat_word("END");
        if !end {
            self.expect_word("START")?;
        }
        Ok((end, self.eat_word("HIDDEN")))
    }

    /// `WITH (COLUMN_ENCRYPTION_KEY = k, ENCRYPTION_TYPE = DETERMINISTIC|RANDOMIZED, ALGORITHM = '..')`.
    pub(super) fn encrypted_with(&mut self) -> SqlResult<u8> {
        self.expect_word("WITH")?;
        self.expect_symbol("(")?;
        let mut encryption = 1;
        loop {
            let option = self.name()?.0;
            self.expect_symbol("=")?;
            let value = self.advance().text.to_ascii_uppercase();
            if option.eq_ignore_ascii_case("ENCRYPTION_TYPE") {
                encryption = if value == "RANDOMIZED" { 2 } else { 1 };
            }
            if !self.eat_symbol(",") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(encryption)
    }
}
