//! Identifiers, object names and type names.

use super::Parser;
use crate::ast::{Name, ObjectName};
use crate::error::{SqlResult, unsupported_type};
use crate::lexer::TokenKind;
use crate::session::SqlError;
use crate::types::SqlType;

/// T-SQL's reserved keywords (T-SQL reference, "Reserved keywords").
const RESERVED: &str = " ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY \
CASCADE CASE CHECK CHECKPOINT CLOSE CLUSTERED COALESCE COLLATE COLUMN COMMIT COMPUTE CONSTRAINT CONTAINS \
CONTAINSTABLE CONTINUE CONVERT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER \
CURSOR DATABASE DBCC DEALLOCATE DECLARE DEFAULT DELETE DENY DESC DISK DISTINCT DISTRIBUTED DOUBLE DROP DUMP \
ELSE END ERRLVL ESCAPE EXCEPT EXEC EXECUTE EXISTS EXIT EXTERNAL FETCH FILE FILLFACTOR FOR FOREIGN FREETEXT \
FREETEXTTABLE FROM FULL FUNCTION GOTO GRANT GROUP HAVING HOLDLOCK IDENTITY IDENTITY_INSERT IDENTITYCOL IF IN \
INDEX INNER INSERT INTERSECT INTO IS JOIN KEY KILL LEFT LIKE LINENO LOAD MERGE NATIONAL NOCHECK NONCLUSTERED \
NOT NULL NULLIF OF OFF OFFSETS ON OPEN OPENDATASOURCE OPENQUERY OPENROWSET OPENXML OPTION OR ORDER OUTER OVER \
PERCENT PIVOT PLAN PRIMARY PRINT PROC PROCEDURE PUBLIC RAISERROR READ READTEXT RECONFIGURE REFERENCES \
REPLICATION RESTORE RESTRICT RETURN REVERT REVOKE RIGHT ROLLBACK ROWCOUNT ROWGUIDCOL RULE SAVE SCHEMA \
SECURITYAUDIT SELECT SESSION_USER SET SETUSER SHUTDOWN SOME STATISTICS SYSTEM_USER TABLE TABLESAMPLE TEXTSIZE \
THEN TO TOP TRAN TRANSACTION TRIGGER TRUNCATE TRY_CONVERT TSEQUAL UNION UNIQUE UNPIVOT UPDATE UPDATETEXT USE \
USER VALUES VARYING VIEW WAITFOR WHEN WHERE WHILE WITH WITHIN WRITETEXT ";

/// Reserved words that begin a statement of T-SQL outside the subset.
const STATEMENTS: &str = " BACKUP BULK CLOSE DBCC DEALLOCATE DENY FETCH GOTO GRANT KILL OPEN RECONFIGURE RESTORE \
REVERT REVOKE SETUSER SHUTDOWN READTEXT WRITETEXT UPDATETEXT ";

fn listed(list: &str, word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    list.split_ascii_whitespace().any(|item| item == upper)
}

thread_local! {
    static RESERVED_SET: std::collections::HashSet<&'static str> = RESERVED.split_ascii_whitespace().collect();
}

pub(super) fn is_reserved(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    RESERVED_SET.with(|set| set.contains(upper.as_str()))
}

pub(super) fn starts_statement(word: &str) -> bool {
    listed(STATEMENTS, word)
}

impl Parser<'_> {
    /// Whether the current token can be an identifier.
    pub(super) fn at_name(&self) -> bool {
        let token = self.peek();
        match token.kind {
            TokenKind::Quoted => true,
            TokenKind::Word => !is_reserved(token.text),
            _ => false,
        }
    }

    pub(super) fn name(&mut self) -> SqlResult<Name> {
        if !self.at_name() {
            return Err(self.unexpected());
        }
        let token = self.advance();
        let name = token.unquoted();
        if name.is_empty() {
            return Err(SqlError::new(
                1038,
                15,
                4,
                "An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name. For other statements, look for empty alias names. Aliases defined as \"\" or [] are not allowed. Change the alias to a valid name.",
            ));
        }
        if name.encode_utf16().count() > 128 {
            let start: String = name.chars().take(128).collect();
            return Err(SqlError::new(
                103,
                15,
                4,
                format!(
                    "The identifier that starts with '{start}' is too long. Maximum length is 128."
                ),
            ));
        }
        Ok(Name(name))
    }

    /// `[[database.][schema].]name`.
    pub(super) fn object_name(&mut self) -> SqlResult<ObjectName> {
        let mut parts = vec![Some(self.name()?)];
        while self.eat_symbol(".") {
            // `tempdb..#t`: an empty part.
            parts.push(if self.at_symbol(".") {
                None
            } else {
                Some(self.name()?)
            });
        }
        let name = parts.pop().flatten().ok_or_else(|| self.unexpected())?;
        let schema = parts.pop().flatten();
        let database = parts.pop().flatten();
        if parts.pop().is_some() {
            return Err(crate::error::unsupported_object(
                "a linked server's four-part name",
            ));
        }
        Ok(ObjectName {
            database,
            schema,
            name,
        })
    }

    /// `(a, b, c)`.
    pub(super) fn name_list(&mut self) -> SqlResult<Vec<Name>> {
        self.expect_symbol("(")?;
        let names = self.comma_separated(Self::name)?;
        self.expect_symbol(")")?;
        Ok(names)
    }

    pub(super) fn variable(&mut self) -> SqlResult<String> {
        if self.peek().kind == TokenKind::Variable && !self.peek().text.starts_with("@@") {
            Ok(self.advance().text.to_owned())
        } else {
            Err(self.unexpected())
        }
    }

    /// A type name with its length, precision and scale.
    pub(super) fn type_name(&mut self) -> SqlResult<SqlType> {
        let token = self.peek().clone();
        if !matches!(token.kind, TokenKind::Word | TokenKind::Quoted) {
            return Err(self.unexpected());
        }
        self.at += 1;
        let mut word = token.unquoted().to_ascii_lowercase();
        if word == "sys" && self.eat_symbol(".") {
            word = self.name()?.folded();
        }
        match word.as_str() {
            "double" => self.expect_word("PRECISION")?,
            "national" => {
                if !(self.eat_word("CHAR") || self.eat_word("CHARACTER")) {
                    return Err(self.unexpected());
                }
                let varying = self.eat_word("VARYING");
                word = if varying { "nvarchar" } else { "nchar" }.to_owned();
            }
            "char" | "character" if self.eat_word("VARYING") => "varchar".clone_into(&mut word),
            "binary" if self.eat_word("VARYING") => "varbinary".clone_into(&mut word),
            _ => {}
        }
        let mut arguments = Vec::new();
        if self.eat_symbol("(") {
            loop {
                let token = self.advance();
                let argument = match token.kind {
                    TokenKind::Integer => token.text.parse::<u32>().ok(),
                    TokenKind::Word if token.text.eq_ignore_ascii_case("max") => Some(u32::MAX),
                    _ => None,
                };
                match argument {
                    Some(argument) => arguments.push(argument),
                    None => {
                        self.at -= 1;
                        return Err(self.unexpected());
                    }
                }
                if !self.eat_symbol(",") {
                    break;
                }
            }
            self.expect_symbol(")")?;
        }
        build_type(&word, &arguments)
    }
}

/// Puts a type together from its name and arguments (`u32::MAX` for `max`).
pub(crate) fn build_type(word: &str, arguments: &[u32]) -> SqlResult<SqlType> {
    let first = arguments.first().copied();
    let length = |limit: u32| -> SqlResult<u16> {
        match first {
            None => Ok(1),
            Some(0) => Err(SqlError::new(
                1001,
                15,
                1,
                "Length or precision specification 0 is invalid.",
            )),
            Some(n) if n <= limit => Ok(n as u16),
            Some(n) => Err(SqlError::new(
                131,
                15,
                3,
                format!(
                    "The size ({n}) given to the type '{word}' exceeds the maximum allowed for any data type ({limit})."
                ),
            )),
        }
    };
    let variable = |limit: u32| -> SqlResult<Option<u16>> {
        if first == Some(u32::MAX) {
            Ok(None)
        } else {
            length(limit).map(Some)
        }
    };
    let scale = || -> SqlResult<u8> {
        match first {
            None => Ok(7),
            Some(n) if n <= 7 => Ok(n as u8),
            Some(n) => Err(SqlError::new(
                1002,
                15,
                1,
                format!("Line 1: Specified scale {n} is invalid."),
            )),
        }
    };
    Ok(match word {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "decimal" | "dec" | "numeric" => {
            let precision = first.unwrap_or(18);
            let scale = arguments.get(1).copied().unwrap_or(0);
            if !(1..=38).contains(&precision) {
                return Err(SqlError::new(
                    2750,
                    16,
                    1,
                    format!(
                        "Column or parameter #1: Specified column precision {precision} is greater than the maximum precision of 38."
                    ),
                ));
            }
            if scale > precision {
                return Err(SqlError::new(
                    183,
                    15,
                    1,
                    format!(
                        "The scale ({scale}) for column or parameter must be within the range 0 to {precision}."
                    ),
                ));
            }
            SqlType::Decimal {
                precision: precision as u8,
                scale: scale as u8,
                numeric: word == "numeric",
            }
        }
        "money" => SqlType::Money,
        "smallmoney" => SqlType::SmallMoney,
        "real" => SqlType::Real,
        "float" if first.is_some_and(|bits| bits <= 24) => SqlType::Real,
        "float" | "double" => SqlType::Float,
        "char" | "character" => SqlType::Char {
            length: length(8000)?,
        },
        "varchar" => SqlType::VarChar {
            length: variable(8000)?,
        },
        "nchar" => SqlType::NChar {
            length: length(4000)?,
        },
        "nvarchar" => SqlType::NVarChar {
            length: variable(4000)?,
        },
        "binary" => SqlType::Binary {
            length: length(8000)?,
        },
        "varbinary" => SqlType::VarBinary {
            length: variable(8000)?,
        },
        "date" => SqlType::Date,
        "time" => SqlType::Time { scale: scale()? },
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "datetime2" => SqlType::DateTime2 { scale: scale()? },
        "datetimeoffset" => SqlType::DateTimeOffset { scale: scale()? },
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "rowversion" | "timestamp" => SqlType::RowVersion,
        "sysname" => SqlType::SysName,
        "sql_variant" => SqlType::SqlVariant,
        "xml" => SqlType::Xml,
        "text" | "ntext" | "image" | "geography" | "geometry" | "hierarchyid" | "json"
        | "vector" | "cursor" => {
            return Err(unsupported_type(word));
        }
        _ => {
            return Err(SqlError::new(
                2715,
                16,
                6,
                format!("Column, parameter, or variable #1: Cannot find data type {word}."),
            ));
        }
    })
}
