//! Extraction plans into SELECT.

use icehost_plan::{
    Aggregate, AggregateFunction, Direction, LakeType, Length, LogicalType, SqlType,
    ValidExtractionPlan,
};

use super::{Lowering, Operand, probe};
use crate::error::Result;
use crate::introspect::{SqlColumn, SqlTable};
use crate::name::quote;
use crate::source::Way;
use crate::statement::{Parameters, Statement};

/// The query that reads what the plan asks for, its columns, in its order, at full precision, by the way that it names.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a change source other than the table's rows.
pub fn extraction(table: &SqlTable, plan: &ValidExtractionPlan) -> Result<Statement> {
    Way::of(&plan.source)
        .map_err(|error| error.context(table.name.to_string()))?
        .select(table, plan)
}

/// The same from the table's rows.
pub(crate) fn rows(table: &SqlTable, plan: &ValidExtractionPlan) -> Result<Statement> {
    let mut parameters = Parameters::default();
    let columns = plan
        .columns
        .iter()
        .map(|&ordinal| Ok(read_expression(table.column(ordinal)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut sql = format!("SELECT {}\nFROM {}", columns.join(", "), table.name.sql());
    sql.push_str(&conditions(table, plan, &mut parameters)?);
    let mut order = Vec::with_capacity(plan.order_by.len());
    for key in &plan.order_by {
        let direction = match key.direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        order.push(format!(
            "{} {direction}",
            quote(&table.column(key.column)?.name)
        ));
    }
    if !order.is_empty() {
        sql.push_str("\nORDER BY ");
        sql.push_str(&order.join(", "));
    }
    sql.push(';');
    Ok(parameters.finish(sql))
}

/// The WHERE clause of the plan with a line break in front; empty where it reads all rows.
pub(crate) fn conditions(
    table: &SqlTable,
    plan: &ValidExtractionPlan,
    parameters: &mut Parameters,
) -> Result<String> {
    match &plan.filter {
        None => Ok(String::new()),
        Some(filter) => {
            let operands = operands(table);
            let condition = Lowering::new(&operands, &[], parameters).predicate(filter)?;
            Ok(format!("\nWHERE {condition}"))
        }
    }
}

/// The aggregates in `observe` that only the server can tell: those that depend on its collations, and those
/// that would need memory for every value. One row, in the order given; `None` where there are none.
pub(crate) fn asked_aggregates(
    table: &SqlTable,
    plan: &ValidExtractionPlan,
    aggregates: &[Aggregate],
) -> Result<Option<Statement>> {
    if aggregates.is_empty() {
        return Ok(None);
    }
    let mut parameters = Parameters::default();
    let condition = match &plan.filter {
        None => String::new(),
        Some(filter) => {
            let operands = operands(table);
            let condition = Lowering::new(&operands, &[], &mut parameters).conjunct(filter)?;
            format!(" WHERE {condition}")
        }
    };
    let mut values = Vec::with_capacity(aggregates.len());
    for aggregate in aggregates {
        values.push(probe::aggregated(table, aggregate, &condition)?);
    }
    Ok(Some(
        parameters.finish(format!("SELECT {};", values.join(",\n       "))),
    ))
}

/// Whether the extracting side can compute the aggregate from the rows as they pass.
pub(crate) fn computed_from_rows(function: AggregateFunction, sql_type: SqlType) -> bool {
    match function {
        AggregateFunction::Count | AggregateFunction::CountNull => true,
        AggregateFunction::CountDistinct => false,
        AggregateFunction::Min | AggregateFunction::Max => sql_type.logical() != LogicalType::Text,
    }
}

pub(super) fn operands(table: &SqlTable) -> Vec<Operand> {
    table
        .columns
        .iter()
        .map(|column| Operand {
            sql: quote(&column.name),
            sql_type: column.sql_type,
            collation: column.collation.clone(),
        })
        .collect()
}

/// A column as it is selected.
fn read_expression(column: &SqlColumn) -> String {
    unicode(&quote(&column.name), column)
}

/// `sql`, a value of the column's type, in a form that the driver decodes exactly.
pub(super) fn readable(sql: &str, column: &SqlColumn) -> String {
    // The driver decodes money into floating point; the row reader does not.
    let is_money = [SqlType::Money, SqlType::SmallMoney].contains(&column.sql_type);
    match column.sql_type.lake() {
        LakeType::Decimal { precision, scale } if is_money => {
            format!("CAST({sql} AS decimal({precision},{scale}))")
        }
        _ => unicode(sql, column),
    }
}

/// `sql`, a value of the column's type, as Unicode where its code page is not 1252, the only one that is
/// decoded on this side; the server knows them all.
fn unicode(sql: &str, column: &SqlColumn) -> String {
    match column.sql_type.code_page_length() {
        Some(length) if !is_latin1(column) => format!("CAST({sql} AS {})", national(length)),
        Some(_) | None => sql.to_owned(),
    }
}

/// `nvarchar` for what takes so many bytes in a code page: never fewer bytes than UTF-16 units.
fn national(length: Length) -> SqlType {
    match length {
        Length::Limited(n @ 1..=4000) => SqlType::NVarChar(Length::Limited(n)),
        _ => SqlType::NVarChar(Length::Max),
    }
}

fn is_latin1(column: &SqlColumn) -> bool {
    column.collation.as_deref().is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        let latin1 =
            name.starts_with("latin1_general_") || name.starts_with("sql_latin1_general_cp1_");
        latin1 && !name.ends_with("_utf8")
    })
}
