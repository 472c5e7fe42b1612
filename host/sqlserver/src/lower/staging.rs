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
/// The column that notes the rows that are to be added beside others that they supersede: by which clause.
pub(crate) const SUCCESSION: &str = "icehost_succession";

/// What the names of the staging table's own columns begin with. A column of the delta whose name does so gets
/// another one.
const OWN: &str = "icehost_";
/// The columns of its own beside the delta's.
const OWN_COLUMNS: usize = 3;
/// The most that a table has (T-SQL reference, "Maximum capacity specifications").
const MAX_COLUMNS: usize = 1024;

/// The columns of a staging table: those of the delta, each ready to become a value of the target's column of
/// the same name.
#[derive(Debug, Clone)]
pub(crate) struct Staging {
    /// The table's name, with its `#`.
    pub(crate) table: String,
    /// In the order of the delta.
    pub(crate) columns: Vec<StagedColumn>,
    /// The server is one that misreads some bulk-loaded types.
    misreads: bool,
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
        let room = MAX_COLUMNS - OWN_COLUMNS;
        if delta.len() > room {
            return Err(SqlServerError::unsupported(format!(
                "table {}: a delta of {} columns cannot be staged; {room} is the most",
                target.name,
                delta.len()
            ))
            .with_hint("leave columns out with --exclude-columns"));
        }
        let mut columns: Vec<StagedColumn> = Vec::with_capacity(delta.len());
        for (position, column) in delta.iter().enumerate() {
            let ordinal = target.ordinal(&column.name);
            let own = match column.column_type {
                ColumnType::Sql(sql_type) => sql_type,
                ColumnType::Lake(lake) => lake.default_sql(false),
            };
            let (sql_type, collation) = match ordinal.and_then(|at| target.columns.get(at)) {
                Some(found) => {
                    check_kind(target, column, found.sql_type)?;
                    (found.sql_type, found.collation.clone())
                }
                None => (own, None),
            };
            let name = own_name(column, ordinal, &columns);
            let staged_name = name.unwrap_or_else(|| format!("{OWN}column_{position}"));
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
            misreads,
        })
    }

    /// A table of these columns.
    #[cfg(test)]
    pub(crate) fn of(columns: Vec<StagedColumn>) -> Staging {
        Staging {
            table: "#stage".to_owned(),
            columns,
            misreads: false,
        }
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
        lines.push(format!("    {} smallint NULL", quote(SUCCESSION)));
        format!(
            "CREATE TABLE {} (\n{}\n);",
            quote(&self.table),
            lines.join(",\n")
        )
    }

    /// The batch that announces rows for the table: the arrival number and the delta's columns.
    ///
    /// - `TABLOCK`: nobody else sees the table, so one lock serves as well as one for each row, and SQL Server
    ///   logs pages instead of rows: tempdb is always in the simple recovery model.
    /// - `ORDER`: the rows come by their arrival number, which is the clustered key; told so, SQL Server
    ///   builds the index as they come and sorts nothing.
    /// - No `ROWS_PER_BATCH`: it only sizes the memory of a sort, and there is none.
    /// - No `KEEP_NULLS`, `CHECK_CONSTRAINTS` or `FIRE_TRIGGERS`: there are no defaults, constraints or
    ///   triggers here. The merge meets the target's.
    ///
    /// Babelfish gets no options: it has no use for them.
    pub(crate) fn insert_bulk(&self) -> String {
        let mut columns = vec![format!("{} bigint", quote(ARRIVAL))];
        for column in &self.columns {
            columns.push(format!(
                "{} {}",
                quote(&column.staged_name),
                column.staged_type
            ));
        }
        let options = if self.misreads {
            String::new()
        } else {
            format!(" WITH (TABLOCK, ORDER({} ASC))", quote(ARRIVAL))
        };
        format!(
            "INSERT BULK {} ({}){options};",
            quote(&self.table),
            columns.join(", ")
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
        match [self.staged_type, SqlType::RowVersion].contains(&self.sql_type) {
            true => self.staged(),
            false => format!("CAST({} AS {})", self.staged(), self.sql_type),
        }
    }
}

/// The column's own name, where it can be that of a column in tempdb, whose collation may take for one what the
/// target's does not: plain ASCII that differs from the others' by more than case, and is none of ours. What has
/// no column in the target is the operation, which is ours.
fn own_name(column: &Column, ordinal: Option<usize>, earlier: &[StagedColumn]) -> Option<String> {
    let folded = column.name.to_ascii_lowercase();
    let plain = folded.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) && !folded.ends_with(' ');
    let ours = folded.starts_with(OWN) && ordinal.is_some();
    let taken = || {
        let mut earlier = earlier.iter();
        earlier.any(|other| other.staged_name.to_ascii_lowercase() == folded)
    };
    (plain && !ours && !taken()).then(|| column.name.clone())
}

/// Whether the values of a delta's columns are of the kinds that the target's columns of the same names have.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), for the first whose are not.
pub fn check_kinds(target: &SqlTable, delta: &[Column]) -> Result<()> {
    for column in delta {
        let ordinal = target.ordinal(&column.name);
        if let Some(found) = ordinal.and_then(|at| target.columns.get(at)) {
            check_kind(target, column, found.sql_type)?;
        }
    }
    Ok(())
}

fn check_kind(target: &SqlTable, column: &Column, sql_type: SqlType) -> Result<()> {
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
pub(crate) fn staged_type(sql_type: SqlType, misreads: bool) -> SqlType {
    match sql_type {
        // Sign, point and 38 digits, or a zero in front of the point
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney if misreads => {
            SqlType::NVarChar(Length::Limited(41))
        }
        SqlType::Time(_) if misreads => SqlType::NVarChar(Length::Limited(16)),
        // The milliseconds that SQL Server shows; Babelfish takes 1/300 s for a little less than they are.
        SqlType::DateTime if misreads => SqlType::DateTime2(3),
        SqlType::SmallDateTime if misreads => SqlType::DateTime2(0),
        // No others get in, so there is nothing to fill up; Babelfish has been tried with this.
        SqlType::Binary(n) if misreads => SqlType::VarBinary(Length::Limited(n)),
        // As Unicode, so that a character that the code page lacks is noticed and not replaced; and without
        // the blanks and zeros that fill up the types of fixed length, which the merge's CAST adds.
        SqlType::Char(n)
        | SqlType::NChar(n)
        | SqlType::VarChar(Length::Limited(n))
        | SqlType::NVarChar(Length::Limited(n)) => unicode(n),
        SqlType::VarChar(Length::Max) | SqlType::NVarChar(Length::Max) => {
            SqlType::NVarChar(Length::Max)
        }
        SqlType::RowVersion => SqlType::VarBinary(Length::Limited(8)),
        SqlType::Bit
        | SqlType::TinyInt
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Decimal { .. }
        | SqlType::Money
        | SqlType::SmallMoney
        | SqlType::Real
        | SqlType::Float
        | SqlType::Binary(_)
        | SqlType::VarBinary(_)
        | SqlType::Date
        | SqlType::Time(_)
        | SqlType::DateTime
        | SqlType::SmallDateTime
        | SqlType::DateTime2(_)
        | SqlType::DateTimeOffset(_)
        | SqlType::UniqueIdentifier => sql_type,
    }
}

/// `nvarchar` of that many UTF-16 units; 4000 are the most that have a limited type.
fn unicode(length: u16) -> SqlType {
    match length {
        1..=4000 => SqlType::NVarChar(Length::Limited(length)),
        _ => SqlType::NVarChar(Length::Max),
    }
}
