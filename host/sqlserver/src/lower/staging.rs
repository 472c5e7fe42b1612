//! The temporary table that a delta is loaded into before it is merged.

use icehost_plan::{Column, ColumnType, Length, SqlType};

use super::Operand;
use super::ddl::collate;
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::name::quote;

/// The column that numbers the rows as they arrive.
pub(crate) const ARRIVAL: &str = "icehost_arrival";
/// The column that marks the rows whose key stands in the target; only for servers without MERGE.
pub(crate) const MATCHED: &str = "icehost_matched";

/// The columns of a staging table: those of the delta, each ready to become a value of the target's column of
/// the same name.
#[derive(Debug, Clone)]
pub(crate) struct Staging {
    /// The table's name, with its `#`.
    pub(crate) table: String,
    /// In the order of the delta.
    pub(crate) columns: Vec<StagedColumn>,
}

/// A column of the delta.
#[derive(Debug, Clone)]
pub(crate) struct StagedColumn {
    /// Its name in the delta.
    pub(crate) name: String,
    /// Its name in the staging table.
    pub(crate) staged_name: String,
    /// The type that its values are loaded as.
    pub(crate) staged_type: SqlType,
    /// The type that they become.
    pub(crate) sql_type: SqlType,
    /// The collation of text: the target's, so that keys compare as they do there.
    pub(crate) collation: Option<String>,
    /// Ordinal of the target's column.
    pub(crate) target: Option<usize>,
}

impl Staging {
    /// Lays out the staging table called `table`. `misreads` is for a server that reads bulk-loaded
    /// decimals, times and `datetime`s wrongly.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where a column's values are of another kind
    /// than the target's.
    pub(crate) fn new(
        table: &str,
        target: &SqlTable,
        delta: &[Column],
        misreads: bool,
    ) -> Result<Staging> {
        let mut columns: Vec<StagedColumn> = Vec::with_capacity(delta.len());
        for (position, column) in delta.iter().enumerate() {
            let ordinal = target.ordinal(&column.name);
            let own = match column.column_type {
                ColumnType::Sql(sql_type) => sql_type,
                ColumnType::Lake(lake) => lake.default_sql(false),
            };
            let (sql_type, collation) = match ordinal.and_then(|at| target.columns.get(at)) {
                Some(found) => {
                    check_kinds(target, column, found.sql_type)?;
                    (found.sql_type, found.collation.clone())
                }
                None => (own, None),
            };
            let taken = |name: &str| {
                let folded = name.to_lowercase();
                [ARRIVAL, MATCHED].contains(&folded.as_str())
                    || columns
                        .iter()
                        .any(|c| c.staged_name.to_lowercase() == folded)
            };
            // The driver takes no control characters; tempdb may ignore case where the source does not.
            let staged_name = if column.name.chars().any(char::is_control) || taken(&column.name) {
                format!("icehost_column_{position}")
            } else {
                column.name.clone()
            };
            columns.push(StagedColumn {
                name: column.name.clone(),
                staged_name,
                staged_type: staged_type(sql_type, misreads),
                sql_type,
                collation,
                target: ordinal,
            });
        }
        Ok(Staging {
            table: table.to_owned(),
            columns,
        })
    }

    /// The batch that creates the table.
    pub(crate) fn create(&self) -> String {
        let mut lines = vec![format!(
            "    {} bigint NOT NULL PRIMARY KEY",
            quote(ARRIVAL)
        )];
        for column in &self.columns {
            lines.push(format!(
                "    {} {}{} NULL",
                quote(&column.staged_name),
                column.staged_type,
                collate(column.staged_type, column.collation.as_deref())
            ));
        }
        lines.push(format!("    {} bit NULL", quote(MATCHED)));
        format!(
            "CREATE TABLE {} (\n{}\n);",
            quote(&self.table),
            lines.join(",\n")
        )
    }

    /// The delta's columns as values of the target's types, with the staging table aliased `S`.
    pub(crate) fn operands(&self) -> Vec<Operand> {
        self.columns
            .iter()
            .map(|column| Operand {
                sql: column.image(),
                sql_type: column.sql_type,
                collation: column.collation.clone(),
            })
            .collect()
    }
}

impl StagedColumn {
    /// The staged value as it was loaded.
    pub(crate) fn staged(&self) -> String {
        format!("S.{}", quote(&self.staged_name))
    }

    /// The staged value as a value of the target's type.
    pub(crate) fn image(&self) -> String {
        match self.sql_type {
            SqlType::RowVersion => self.staged(),
            sql_type if sql_type == self.staged_type => self.staged(),
            sql_type => format!("CAST({} AS {sql_type})", self.staged()),
        }
    }
}

fn check_kinds(target: &SqlTable, column: &Column, sql_type: SqlType) -> Result<()> {
    let (from, to) = (column.column_type.logical(), sql_type.logical());
    if from.comparable_with(to) {
        return Ok(());
    }
    Err(SqlServerError::unsupported(format!(
        "table {}, column '{}': {} values cannot be loaded into {sql_type}",
        target.name, column.name, column.column_type
    ))
    .with_hint("give the target column a type of the same kind, or leave it out"))
}

/// The type that values for a column are loaded as, so that each arrives exactly as it was sent.
fn staged_type(sql_type: SqlType, misreads: bool) -> SqlType {
    // The driver declares nvarchar(n) by its bytes, which is right up to half of the longest.
    let national = |length: u16| match length {
        1..=2000 => SqlType::NVarChar(Length::Limited(length)),
        _ => SqlType::NVarChar(Length::Max),
    };
    match sql_type {
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney if misreads => {
            // Sign, point and 38 digits, or a zero in front of the point
            SqlType::NVarChar(Length::Limited(41))
        }
        SqlType::Time(_) if misreads => SqlType::NVarChar(Length::Limited(16)),
        // The milliseconds that SQL Server shows; it takes 1/300 s for a little less than they are.
        SqlType::DateTime if misreads => SqlType::DateTime2(3),
        SqlType::Money => SqlType::Decimal {
            precision: 19,
            scale: 4,
        },
        SqlType::SmallMoney => SqlType::Decimal {
            precision: 10,
            scale: 4,
        },
        // As Unicode, so that a character that the code page lacks is noticed and not replaced.
        SqlType::Char(n) | SqlType::NChar(n) => national(n),
        SqlType::VarChar(Length::Limited(n)) | SqlType::NVarChar(Length::Limited(n)) => national(n),
        SqlType::VarChar(Length::Max) | SqlType::NVarChar(Length::Max) => {
            SqlType::NVarChar(Length::Max)
        }
        SqlType::Binary(n) => SqlType::VarBinary(Length::Limited(n)),
        SqlType::RowVersion => SqlType::VarBinary(Length::Limited(8)),
        // The driver declares neither the scale of these two nor smalldatetime.
        SqlType::Time(_) => SqlType::Time(7),
        SqlType::DateTimeOffset(_) => SqlType::DateTimeOffset(7),
        SqlType::SmallDateTime => SqlType::DateTime2(0),
        other => other,
    }
}
