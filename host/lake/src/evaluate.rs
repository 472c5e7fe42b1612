//! Expressions over the columns of a delta, evaluated on Arrow batches.
//!
//! Comparisons are exact: integers and decimals meet as 256-bit decimals, times and timestamps at 100 ns.
//! Predicates follow SQL's three-valued logic; an unknown outcome is NULL.

use std::sync::Arc;

use arrow_arith::boolean::{and_kleene, is_not_null, is_null, not, or_kleene};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType};
use icehost_plan::{Collation, Column, Comparison, Expression, LogicalType, Node, Value};

use crate::error::{LakeError, LakeErrorKind, Result};

/// 100 ns ticks in a microsecond.
const TICKS_PER_MICROSECOND: i64 = 10;
/// Holds any integer or decimal of 38 digits at any scale up to 38.
const WIDE_DIGITS: u8 = 76;

/// What a node of an expression is on a batch.
enum Evaluated {
    Scalar {
        kind: Option<LogicalType>,
        values: ArrayRef,
        collation: Option<Collation>,
    },
    Predicate(BooleanArray),
}

/// Where a predicate is true, row by row; unknown counts as not true.
pub(crate) fn holds(
    predicate: &Expression,
    columns: &[Column],
    batch: &RecordBatch,
) -> Result<BooleanArray> {
    match evaluate(predicate, columns, batch)? {
        Evaluated::Predicate(outcome) if outcome.null_count() == 0 => Ok(outcome),
        Evaluated::Predicate(outcome) => Ok(arrow_select::filter::prep_null_mask_filter(&outcome)),
        Evaluated::Scalar { .. } => Err(LakeError::internal("a condition yields no truth value")),
    }
}

/// The values of a scalar expression, as the type of the column that they are for.
pub(crate) fn values(
    expression: &Expression,
    columns: &[Column],
    batch: &RecordBatch,
    wanted: &DataType,
) -> Result<ArrayRef> {
    match evaluate(expression, columns, batch)? {
        Evaluated::Scalar { kind, values, .. } => denormalise(kind, &values, wanted),
        Evaluated::Predicate(_) => Err(LakeError::internal("an assignment yields no value")),
    }
}

fn evaluate(expression: &Expression, columns: &[Column], batch: &RecordBatch) -> Result<Evaluated> {
    let mut done: Vec<Evaluated> = Vec::with_capacity(expression.nodes.len());
    for node in &expression.nodes {
        let next = evaluate_node(node, &done, columns, batch)?;
        done.push(next);
    }
    let root = expression.root as usize;
    if root < done.len() {
        Ok(done.swap_remove(root))
    } else {
        Err(dangling())
    }
}

fn evaluate_node(
    node: &Node,
    done: &[Evaluated],
    columns: &[Column],
    batch: &RecordBatch,
) -> Result<Evaluated> {
    let rows = batch.num_rows();
    Ok(match node {
        Node::Column { column, .. } => {
            let at = *column as usize;
            let described = columns.get(at).ok_or_else(dangling)?;
            if at >= batch.num_columns() {
                return Err(dangling());
            }
            let kind = described.column_type.logical();
            Evaluated::Scalar {
                kind: Some(kind),
                values: normalise(kind, batch.column(at))?,
                collation: described.collation.clone(),
            }
        }
        Node::Literal(value) => literal(value, rows)?,
        Node::Compare { op, left, right } => {
            Evaluated::Predicate(compare(*op, scalar(done, *left)?, scalar(done, *right)?)?)
        }
        Node::OneOf { item, values } => {
            let mut outcome: Option<BooleanArray> = None;
            for value in values {
                let one = literal(value, rows)?;
                let Evaluated::Scalar { .. } = &one else {
                    return Err(dangling());
                };
                let equal = compare(Comparison::Eq, scalar(done, *item)?, as_scalar(&one)?)?;
                outcome = Some(match outcome {
                    None => equal,
                    Some(before) => or_kleene(&before, &equal)?,
                });
            }
            Evaluated::Predicate(outcome.ok_or_else(dangling)?)
        }
        Node::IsNull(operand) => Evaluated::Predicate(is_null(scalar(done, *operand)?.1)?),
        Node::Negate(operand) => Evaluated::Predicate(not(predicate(done, *operand)?)?),
        Node::AllOf(operands) => Evaluated::Predicate(fold(done, operands, and_kleene)?),
        Node::AnyOf(operands) => Evaluated::Predicate(fold(done, operands, or_kleene)?),
        Node::Coalesce(operands) => coalesce(done, operands)?,
    })
}

type Scalar<'a> = (Option<LogicalType>, &'a ArrayRef, Option<&'a Collation>);

fn scalar(done: &[Evaluated], index: u32) -> Result<Scalar<'_>> {
    as_scalar(done.get(index as usize).ok_or_else(dangling)?)
}

fn as_scalar(evaluated: &Evaluated) -> Result<Scalar<'_>> {
    match evaluated {
        Evaluated::Scalar {
            kind,
            values,
            collation,
        } => Ok((*kind, values, collation.as_ref())),
        Evaluated::Predicate(_) => Err(dangling()),
    }
}

fn predicate(done: &[Evaluated], index: u32) -> Result<&BooleanArray> {
    match done.get(index as usize) {
        Some(Evaluated::Predicate(outcome)) => Ok(outcome),
        _ => Err(dangling()),
    }
}

fn dangling() -> LakeError {
    LakeError::internal("an expression that was checked refers to what it does not have")
}

fn fold(
    done: &[Evaluated],
    operands: &[u32],
    combine: fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, ArrowError>,
) -> Result<BooleanArray> {
    let (first, rest) = operands.split_first().ok_or_else(dangling)?;
    let mut outcome = predicate(done, *first)?.clone();
    for &operand in rest {
        outcome = combine(&outcome, predicate(done, operand)?)?;
    }
    Ok(outcome)
}

fn coalesce(done: &[Evaluated], operands: &[u32]) -> Result<Evaluated> {
    let kind = operands
        .iter()
        .filter_map(|&operand| scalar(done, operand).ok()?.0)
        .reduce(|a, b| if a == b { a } else { LogicalType::Decimal });
    let collation = operands
        .iter()
        .find_map(|&operand| scalar(done, operand).ok()?.2.cloned());
    let mut outcome: Option<ArrayRef> = None;
    for &operand in operands.iter().rev() {
        let (_, values, _) = scalar(done, operand)?;
        outcome = Some(match outcome {
            None => Arc::clone(values),
            Some(fallback) => {
                let (values, fallback) = widen(values, &fallback)?;
                arrow_select::zip::zip(&is_not_null(&values)?, &values, &fallback)?
            }
        });
    }
    Ok(Evaluated::Scalar {
        kind,
        values: outcome.ok_or_else(dangling)?,
        collation,
    })
}

fn compare(op: Comparison, left: Scalar<'_>, right: Scalar<'_>) -> Result<BooleanArray> {
    let (mut a, mut b) = widen(left.1, right.1)?;
    if let (DataType::Utf8, Some(collation)) = (a.data_type(), left.2.or(right.2)) {
        check_certain(&a, &b, collation)?;
        (a, b) = (fold_text(&a, collation), fold_text(&b, collation));
    }
    let kernel = match op {
        Comparison::Eq => cmp::eq,
        Comparison::Ne => cmp::neq,
        Comparison::Lt => cmp::lt,
        Comparison::Le => cmp::lt_eq,
        Comparison::Gt => cmp::gt,
        Comparison::Ge => cmp::gt_eq,
    };
    Ok(kernel(&a, &b)?)
}

/// Refuses two texts of which only the server knows whether its collation takes them for one.
fn check_certain(a: &ArrayRef, b: &ArrayRef, collation: &Collation) -> Result<()> {
    for pair in a.as_string::<i32>().iter().zip(b.as_string::<i32>()) {
        let (Some(a), Some(b)) = pair else { continue };
        let certain = (collation.is_certain(a) && collation.is_certain(b))
            || collation.fold(a) == collation.fold(b)
            || !collation.may_equal(a, b);
        if !certain {
            return Err(LakeError::new(
                LakeErrorKind::KeysUnknown,
                format!(
                    "a condition of the merge compares '{}' with '{}', and only the server knows whether collation {collation} takes them for one",
                    icehost_untrusted::shown_up_to(a, 100),
                    icehost_untrusted::shown_up_to(b, 100)
                ),
            )
            .with_hint("compare plain ASCII, or a column with a binary collation"));
        }
    }
    Ok(())
}

fn fold_text(values: &ArrayRef, collation: &Collation) -> ArrayRef {
    let text = values.as_string::<i32>();
    let folded: StringArray = text.iter().map(|v| v.map(|v| collation.fold(v))).collect();
    Arc::new(folded)
}

/// Brings integers and decimals of different scales to one type, and a NULL literal to the other's.
fn widen(left: &ArrayRef, right: &ArrayRef) -> Result<(ArrayRef, ArrayRef)> {
    let (a, b) = (left.data_type(), right.data_type());
    if a == b {
        return Ok((Arc::clone(left), Arc::clone(right)));
    }
    if *a == DataType::Null || *b == DataType::Null {
        let common = if *a == DataType::Null { b } else { a };
        return Ok((exact_cast(left, common)?, exact_cast(right, common)?));
    }
    let scale = |kind: &DataType| match kind {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    };
    let common = DataType::Decimal256(WIDE_DIGITS, scale(a).max(scale(b)));
    Ok((exact_cast(left, &common)?, exact_cast(right, &common)?))
}

/// A cast that fails rather than loses a value.
pub(crate) fn exact_cast(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if values.data_type() == to {
        return Ok(Arc::clone(values));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(values, to, &options).map_err(|e| {
        LakeError::new(
            LakeErrorKind::InvalidData,
            format!("a value of type {} does not fit {to}", values.data_type()),
        )
        .with_source(e)
    })
}

/// One Arrow type for every kind: integers as `Int64`, doubles as `Float64` without negative zero, times
/// and timestamps as 100 ns ticks in `Int64`; the others as they are.
fn normalise(kind: LogicalType, values: &ArrayRef) -> Result<ArrayRef> {
    Ok(match kind {
        LogicalType::Integer => exact_cast(values, &DataType::Int64)?,
        LogicalType::Double => {
            let doubles = exact_cast(values, &DataType::Float64)?;
            let doubles = doubles.as_primitive::<Float64Type>();
            Arc::new(doubles.unary::<_, Float64Type>(|v| v + 0.0))
        }
        LogicalType::Date => Arc::new(
            values
                .as_primitive_opt::<arrow_array::types::Date32Type>()
                .ok_or_else(|| misshapen(kind, values))?
                .reinterpret_cast::<Int32Type>(),
        ),
        LogicalType::Time => {
            let micros = values
                .as_primitive_opt::<Time64MicrosecondType>()
                .ok_or_else(|| misshapen(kind, values))?;
            ticks(&micros.reinterpret_cast::<Int64Type>())?
        }
        LogicalType::Timestamp | LogicalType::TimestampTz => {
            let micros = values
                .as_primitive_opt::<TimestampMicrosecondType>()
                .ok_or_else(|| misshapen(kind, values))?;
            ticks(&micros.reinterpret_cast::<Int64Type>())?
        }
        LogicalType::Binary => exact_cast(values, &DataType::Binary)?,
        LogicalType::Boolean | LogicalType::Decimal | LogicalType::Text | LogicalType::Uuid => {
            Arc::clone(values)
        }
    })
}

fn ticks(micros: &Int64Array) -> Result<ArrayRef> {
    let scaled = micros.try_unary::<_, Int64Type, ArrowError>(|v| {
        v.checked_mul(TICKS_PER_MICROSECOND)
            .ok_or_else(|| ArrowError::ArithmeticOverflow(format!("{v} microseconds")))
    })?;
    Ok(Arc::new(scaled))
}

fn misshapen(kind: LogicalType, values: &ArrayRef) -> LakeError {
    LakeError::internal(format!("a {kind} column came as {}", values.data_type()))
}

/// From the normal form back to the type of the column that the values are for.
fn denormalise(
    kind: Option<LogicalType>,
    values: &ArrayRef,
    wanted: &DataType,
) -> Result<ArrayRef> {
    let micros = |values: &ArrayRef| -> Result<Int64Array> {
        let ticks = values.as_primitive::<Int64Type>();
        Ok(ticks.try_unary::<_, Int64Type, ArrowError>(|v| {
            if v % TICKS_PER_MICROSECOND == 0 {
                Ok(v / TICKS_PER_MICROSECOND)
            } else {
                Err(ArrowError::CastError(format!(
                    "{v} ticks of 100 ns are no whole microseconds"
                )))
            }
        })?)
    };
    match kind {
        Some(LogicalType::Time) => {
            let micros = micros(values)?.reinterpret_cast::<Time64MicrosecondType>();
            exact_cast(&(Arc::new(micros) as ArrayRef), wanted)
        }
        Some(LogicalType::Timestamp | LogicalType::TimestampTz) => {
            let micros = micros(values)?.reinterpret_cast::<TimestampMicrosecondType>();
            // Ticks count from the epoch in UTC either way; a cast would shift by the zone.
            let zone = match wanted {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            exact_cast(
                &(Arc::new(micros.with_timezone_opt(zone)) as ArrayRef),
                wanted,
            )
        }
        Some(LogicalType::Date) => {
            let days = values.as_primitive::<Int32Type>();
            let days = days.reinterpret_cast::<arrow_array::types::Date32Type>();
            exact_cast(&(Arc::new(days) as ArrayRef), wanted)
        }
        _ => exact_cast(values, wanted),
    }
}

fn literal(value: &Value, rows: usize) -> Result<Evaluated> {
    let values: ArrayRef = match value {
        Value::Null => new_null_array(&DataType::Null, rows),
        Value::Boolean(v) => Arc::new(BooleanArray::from(vec![*v; rows])),
        Value::Integer(v) => Arc::new(Int64Array::from_value(*v, rows)),
        Value::Double(v) => Arc::new(Float64Array::from_value(*v + 0.0, rows)),
        Value::Decimal { unscaled, scale } => Arc::new(
            arrow_array::Decimal128Array::from_value(*unscaled, rows)
                .with_precision_and_scale(38, *scale as i8)?,
        ),
        Value::Text(v) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(v, rows))),
        Value::Binary(v) => Arc::new(BinaryArray::from_iter_values(std::iter::repeat_n(v, rows))),
        Value::Date(days) => Arc::new(Int32Array::from_value(*days, rows)),
        Value::Time(ticks) => {
            let ticks = i64::try_from(*ticks).map_err(|_| dangling())?;
            Arc::new(Int64Array::from_value(ticks, rows))
        }
        Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. } => {
            Arc::new(Int64Array::from_value(*ticks, rows))
        }
        Value::Uuid(bytes) => Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(
            std::iter::repeat_n(Some(bytes), rows),
            16,
        )?),
    };
    Ok(Evaluated::Scalar {
        kind: value.kind(),
        values,
        collation: None,
    })
}

#[cfg(test)]
mod tests;
