//! Checksums of a table's rows, computed where the rows are.

use icehost_plan::SqlType;

use crate::checksum::Blanks;
use crate::error::Result;
use crate::introspect::{SqlColumn, SqlTable};
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// The query that counts a table's rows and adds up their hashes by buckets of their key: bucket, rows, and the sums of
/// the first and of the second eight bytes of the hashes, as signed numbers. [`RowForm`](crate::RowForm) computes the
/// same of rows that are here.
///
/// A bucket is made of the first two bytes of the key's hash, and has a number below `buckets`, a power of two of at
/// most 65,536. HASHBYTES takes values of any length since SQL Server 2016.
///
/// # Errors
/// Ordinals that are not the table's.
pub fn checksums(
    table: &SqlTable,
    columns: &[u32],
    key: &[u32],
    buckets: u32,
    blanks: Blanks,
) -> Result<Statement> {
    let form = |ordinals: &[u32]| -> Result<String> {
        let forms = ordinals
            .iter()
            .map(|&ordinal| Ok(form(table.column(ordinal)?, blanks)))
            .collect::<Result<Vec<_>>>()?;
        // Bytes of bounded types would be cut after 8,000 where they are joined.
        Ok(format!(
            "CAST(0x AS varbinary(max)) + {}",
            forms.join(" + ")
        ))
    };
    let (row, key) = (form(columns)?, form(key)?);
    let half = |from: u32| {
        format!("SUM(CAST(CAST(SUBSTRING(H.[row], {from}, 8) AS bigint) AS decimal(38,0)))")
    };
    Ok(Parameters::default().finish(format!(
        "SELECT H.[bucket], COUNT_BIG(*), {}, {}
FROM (
    SELECT CAST(SUBSTRING(HASHBYTES('SHA2_256', {key}), 1, 2) AS int) & {} AS [bucket],
        HASHBYTES('SHA2_256', {row}) AS [row]
    FROM {}
) AS H
GROUP BY H.[bucket];",
        half(1),
        half(9),
        buckets.clamp(1, 65_536) - 1,
        table.name.sql()
    )))
}

/// A column's value as bytes: 0x00 for NULL, else 0x01 and the value, with its length in front where that varies.
fn form(column: &SqlColumn, blanks: Blanks) -> String {
    let name = quote(&column.name);
    let fixed =
        |bytes: String| format!("CASE WHEN {name} IS NULL THEN 0x00 ELSE 0x01 + {bytes} END");
    let variable = |bytes: &str| {
        format!(
            "CASE WHEN {name} IS NULL THEN 0x00 ELSE 0x01 + CAST(CAST(DATALENGTH({bytes}) AS bigint) AS binary(8)) + {bytes} END"
        )
    };
    let micros = |zero: &str, value: &str| {
        fixed(format!(
            "CAST(DATEDIFF_BIG(microsecond, {zero}, {value}) AS binary(8))"
        ))
    };
    const ZERO: &str = "CAST('0001-01-01' AS datetime2(7))";
    match column.sql_type {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            fixed(format!("CAST(CAST({name} AS bigint) AS binary(8))"))
        }
        SqlType::Decimal { .. } => variable(&format!(
            "CAST(CAST({name} AS varchar(50)) AS varbinary(50))"
        )),
        SqlType::Money => variable(&format!(
            "CAST(CAST(CAST({name} AS decimal(19,4)) AS varchar(50)) AS varbinary(50))"
        )),
        SqlType::SmallMoney => variable(&format!(
            "CAST(CAST(CAST({name} AS decimal(10,4)) AS varchar(50)) AS varbinary(50))"
        )),
        SqlType::Real | SqlType::Float => {
            fixed(format!("CAST(CAST({name} AS float) AS binary(8))"))
        }
        SqlType::Char(_) | SqlType::NChar(_) if blanks == Blanks::Cut => variable(&format!(
            "CAST(CAST(RTRIM({name}) AS nvarchar(max)) AS varbinary(max))"
        )),
        SqlType::Char(_) | SqlType::NChar(_) | SqlType::VarChar(_) | SqlType::NVarChar(_) => {
            variable(&format!(
                "CAST(CAST({name} AS nvarchar(max)) AS varbinary(max))"
            ))
        }
        SqlType::Binary(_) | SqlType::VarBinary(_) | SqlType::RowVersion => {
            variable(&format!("CAST({name} AS varbinary(max))"))
        }
        SqlType::Date => fixed(format!(
            "CAST(DATEDIFF(day, CAST('0001-01-01' AS date), {name}) AS binary(4))"
        )),
        // A difference counts the boundaries that lie between, which cuts digits behind the microsecond off.
        SqlType::Time(_) => micros("CAST('00:00:00' AS time(7))", &name),
        SqlType::DateTime2(_) => micros(ZERO, &name),
        // What it shows, not its 1/300 s.
        SqlType::DateTime => micros(ZERO, &format!("CAST({name} AS datetime2(3))")),
        SqlType::SmallDateTime => micros(ZERO, &format!("CAST({name} AS datetime2(0))")),
        // Differences of moments are taken in UTC.
        SqlType::DateTimeOffset(_) => micros(
            "CAST('0001-01-01T00:00:00+00:00' AS datetimeoffset(7))",
            &name,
        ),
        SqlType::UniqueIdentifier => fixed(format!("CAST({name} AS binary(16))")),
    }
}
