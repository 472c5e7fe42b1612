//! Date and time functions.

use super::date_arithmetic::{Part, add, difference, name_of, part_of, truncate};
use super::{Call, call, integer};
use crate::ast::Expr as Ast;
use crate::bind::{Binder, Typed};
use crate::context::Context;
use crate::convert::temporal::{build, moment_of};
use crate::convert::{Excess, convert};
use crate::datetime::{self, Moment, TICKS_PER_SECOND, days, days_in_month};
use crate::error::{SqlResult, unsupported_function};
use crate::plan::{Evaluator, Expr};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

const DATETIME2: SqlType = SqlType::DateTime2 { scale: 7 };

/// DATEADD and its kin, whose first argument is a bare word.
pub(super) fn bind_with_part(
    binder: &mut Binder<'_>,
    name: &str,
    arguments: &[Ast],
) -> SqlResult<Option<Typed>> {
    if !matches!(
        name,
        "dateadd" | "datediff" | "datediff_big" | "datepart" | "datename" | "datetrunc"
    ) {
        return Ok(None);
    }
    let part = match arguments.first() {
        Some(Ast::Column { qualifier, name }) if qualifier.is_empty() => Part::named(&name.0),
        _ => None,
    };
    let Some(part) = part else {
        return Err(SqlError::new(
            155,
            15,
            1,
            format!("A valid datepart is required as the first argument of {name}."),
        )
        .ending_batch());
    };
    let mut bound = vec![Typed::constant(Datum::Int(part as i32), SqlType::Int)];
    for argument in &arguments[1..] {
        bound.push(binder.bind_scalar(argument)?);
    }
    let mut of = Call {
        name,
        arguments: bound,
    };
    let nullable = of.nullable();
    Ok(Some(match name {
        "dateadd" => {
            of.takes(3, 3)?;
            let sql_type = match &of.arguments[2].sql_type {
                sql_type if sql_type.is_temporal() => sql_type.clone(),
                _ => SqlType::DateTime,
            };
            let arguments = of.converted(&[SqlType::Int, SqlType::BigInt, sql_type.clone()])?;
            call(binder, dateadd, arguments, sql_type, nullable)
        }
        "datediff" | "datediff_big" => {
            of.takes(3, 3)?;
            let moment = |argument: &Typed| {
                if argument.sql_type.is_temporal() {
                    argument.sql_type.clone()
                } else {
                    DATETIME2
                }
            };
            let types = [
                SqlType::Int,
                moment(&of.arguments[1]),
                moment(&of.arguments[2]),
            ];
            let arguments = of.converted(&types)?;
            let (evaluator, result): (Evaluator, _) = if name == "datediff" {
                (datediff, SqlType::Int)
            } else {
                (datediff_big, SqlType::BigInt)
            };
            call(binder, evaluator, arguments, result, nullable)
        }
        _ => {
            of.takes(2, 2)?;
            let sql_type = if of.arguments[1].sql_type.is_temporal() {
                of.arguments[1].sql_type.clone()
            } else {
                DATETIME2
            };
            of.arguments.push(Typed::constant(
                Datum::Int(i32::from(binder.context.facts.date_first)),
                SqlType::Int,
            ));
            let arguments = of.converted(&[SqlType::Int, sql_type.clone(), SqlType::Int])?;
            match name {
                "datepart" => call(binder, datepart, arguments, SqlType::Int, nullable),
                "datename" => call(
                    binder,
                    datename,
                    arguments,
                    SqlType::NVarChar { length: Some(30) },
                    nullable,
                ),
                _ => call(binder, datetrunc, arguments, sql_type, nullable),
            }
        }
    }))
}

fn part(value: &Datum) -> Part {
    integer(value)
        .and_then(|number| Part::numbered(number as i32))
        .unwrap_or(Part::Day)
}

fn dateadd(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(count) = integer(&arguments[1]) else {
        return Ok(Datum::Null);
    };
    add(part(&arguments[0]), count, &arguments[2])
}

fn datediff_big(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(start), Some(end)) = (moment_of(&arguments[1]), moment_of(&arguments[2])) else {
        return Ok(Datum::Null);
    };
    Ok(Datum::BigInt(difference(part(&arguments[0]), start, end)?))
}

fn datediff(context: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    match datediff_big(context, arguments)? {
        Datum::BigInt(value) => i32::try_from(value).map(Datum::Int).map_err(|_| {
            SqlError::new(
                535,
                16,
                0,
                "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.",
            )
        }),
        other => Ok(other),
    }
}

fn datepart(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(moment) = moment_of(&arguments[1]) else {
        return Ok(Datum::Null);
    };
    let first = integer(&arguments[2]).unwrap_or(7) as i32;
    Ok(Datum::Int(part_of(part(&arguments[0]), moment, first)))
}

fn datename(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(moment) = moment_of(&arguments[1]) else {
        return Ok(Datum::Null);
    };
    let first = integer(&arguments[2]).unwrap_or(7) as i32;
    Ok(super::national(name_of(part(&arguments[0]), moment, first)))
}

fn datetrunc(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    truncate(part(&arguments[0]), &arguments[1])
}

fn year(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(moment_of(&arguments[0]).map_or(Datum::Null, |moment| {
        Datum::Int(datetime::civil(moment.days).year)
    }))
}

fn month(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(moment_of(&arguments[0]).map_or(Datum::Null, |moment| {
        Datum::Int(datetime::civil(moment.days).month as i32)
    }))
}

fn day(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(moment_of(&arguments[0]).map_or(Datum::Null, |moment| {
        Datum::Int(datetime::civil(moment.days).day as i32)
    }))
}

fn eomonth(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Datum::Date(_), Some(count)) = (&arguments[0], integer(&arguments[1])) else {
        return Ok(Datum::Null);
    };
    let Datum::Date(shifted) = add(Part::Month, count, &arguments[0])? else {
        return Ok(Datum::Null);
    };
    let date = datetime::civil(shifted);
    Ok(
        days(date.year, date.month, days_in_month(date.year, date.month))
            .map_or(Datum::Null, Datum::Date),
    )
}

fn out_of_range(name: &str) -> SqlError {
    SqlError::new(
        289,
        16,
        1,
        format!(
            "Cannot construct data type {name}, some of the arguments have values which are not valid."
        ),
    )
}

fn fields(arguments: &[Datum]) -> Option<Vec<i64>> {
    arguments.iter().map(integer).collect()
}

fn day_of(fields: &[i64]) -> Option<i32> {
    days(
        i32::try_from(fields[0]).ok()?,
        u32::try_from(fields[1]).ok()?,
        u32::try_from(fields[2]).ok()?,
    )
}

fn ticks_of(fields: &[i64], fraction_scale: i64) -> Option<u64> {
    let scale = u32::try_from(fraction_scale)
        .ok()
        .filter(|scale| *scale <= 7)?;
    let in_range = (0..24).contains(&fields[0])
        && (0..60).contains(&fields[1])
        && (0..60).contains(&fields[2]);
    let fraction = u64::try_from(fields[3])
        .ok()
        .filter(|fraction| *fraction < 10u64.pow(scale))?;
    let seconds = u64::try_from(fields[0] * 3600 + fields[1] * 60 + fields[2]).ok()?;
    in_range.then(|| seconds * TICKS_PER_SECOND + fraction * 10u64.pow(7 - scale))
}

fn datefromparts(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(fields) = fields(arguments) else {
        return Ok(Datum::Null);
    };
    day_of(&fields)
        .map(Datum::Date)
        .ok_or_else(|| out_of_range("date"))
}

fn datetime2fromparts(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(fields) = fields(arguments) else {
        return Ok(Datum::Null);
    };
    let scale = fields[7];
    match (day_of(&fields), ticks_of(&fields[3..], scale)) {
        (Some(days), Some(ticks)) => Ok(Datum::DateTime2 {
            days,
            ticks,
            scale: scale as u8,
        }),
        _ => Err(out_of_range("datetime2")),
    }
}

fn datetimefromparts(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(fields) = fields(arguments) else {
        return Ok(Datum::Null);
    };
    match (day_of(&fields), ticks_of(&fields[3..], 3)) {
        (Some(days), Some(ticks)) => build(Moment::local(days, ticks), &SqlType::DateTime, "int")
            .map_err(|_| out_of_range("datetime")),
        _ => Err(out_of_range("datetime")),
    }
}

fn timefromparts(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(fields) = fields(arguments) else {
        return Ok(Datum::Null);
    };
    let ticks = ticks_of(&fields, fields[4]).ok_or_else(|| out_of_range("time"))?;
    Ok(Datum::Time {
        ticks,
        scale: fields[4] as u8,
    })
}

fn offset_minutes(value: &Datum) -> Option<i16> {
    if let Some(minutes) = integer(value) {
        return i16::try_from(minutes)
            .ok()
            .filter(|minutes| minutes.unsigned_abs() <= 840);
    }
    let text = super::text(value)?;
    let negative = text.starts_with('-');
    let (hours, minutes) = text.trim_start_matches(['+', '-']).split_once(':')?;
    let total = hours
        .parse::<i16>()
        .ok()?
        .checked_mul(60)?
        .checked_add(minutes.parse::<i16>().ok()?)?;
    (0..=840)
        .contains(&total)
        .then_some(if negative { -total } else { total })
}

fn bad_offset() -> SqlError {
    SqlError::new(
        9812,
        16,
        1,
        "The timezone provided to builtin function todatetimeoffset or switchoffset is invalid.",
    )
}

fn switchoffset(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Datum::DateTimeOffset {
        days, ticks, scale, ..
    } = arguments[0]
    else {
        return Ok(Datum::Null);
    };
    let offset = offset_minutes(&arguments[1]).ok_or_else(bad_offset)?;
    Ok(Datum::DateTimeOffset {
        days,
        ticks,
        offset,
        scale,
    })
}

fn todatetimeoffset(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Datum::DateTime2 { days, ticks, scale } = arguments[0] else {
        return Ok(Datum::Null);
    };
    let offset = offset_minutes(&arguments[1]).ok_or_else(bad_offset)?;
    let moment = Moment {
        days,
        ticks,
        offset: Some(offset),
    };
    build(moment, &SqlType::DateTimeOffset { scale }, "datetime2")
}

fn isdate(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let valid = super::text(&arguments[0]).is_some_and(|text| {
        !text.trim().is_empty()
            && convert(&arguments[0], &SqlType::DateTime, 0, Excess::Cut).is_ok()
    });
    Ok(Datum::Int(i32::from(valid)))
}

/// The statement's time as a value of the type: the server's local time, or UTC.
fn now(context: &Context, sql_type: &SqlType, utc: bool) -> SqlResult<Typed> {
    let offset = if utc { 0 } else { context.offset };
    let (days, ticks) = crate::clock::to_local(context.now, offset);
    let moment = Moment {
        offset: Some(offset),
        ..Moment::local(days, ticks)
    };
    Ok(Typed {
        nullable: false,
        ..Typed::constant(build(moment, sql_type, "datetime2")?, sql_type.clone())
    })
}

pub(super) fn bind(binder: &mut Binder<'_>, of: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    let nullable = of.nullable();
    let int = |count: usize| vec![SqlType::Int; count];
    Ok(Some(match of.name {
        "getdate" | "getutcdate" | "current_timestamp" => {
            let utc = of.name == "getutcdate";
            now(binder.context, &SqlType::DateTime, utc)?
        }
        "sysdatetime" | "sysutcdatetime" => {
            now(binder.context, &DATETIME2, of.name == "sysutcdatetime")?
        }
        "sysdatetimeoffset" => {
            let sql_type = SqlType::DateTimeOffset { scale: 7 };
            now(binder.context, &sql_type, false)?
        }
        "year" | "month" | "day" => {
            of.takes(1, 1)?;
            let evaluator: Evaluator = match of.name {
                "year" => year,
                "month" => month,
                _ => day,
            };
            let target = if of.arguments[0].sql_type.is_temporal() {
                of.arguments[0].sql_type.clone()
            } else if of.arguments[0].sql_type.is_number() {
                SqlType::DateTime
            } else {
                DATETIME2
            };
            let arguments = of.converted(&[target])?;
            call(binder, evaluator, arguments, SqlType::Int, nullable)
        }
        "eomonth" => {
            of.takes(1, 2)?;
            if of.arguments.len() == 1 {
                of.arguments
                    .push(Typed::constant(Datum::Int(0), SqlType::Int));
            }
            let arguments = of.converted(&[SqlType::Date, SqlType::Int])?;
            call(binder, eomonth, arguments, SqlType::Date, true)
        }
        "datefromparts" => {
            of.takes(3, 3)?;
            let arguments = of.converted(&int(3))?;
            call(binder, datefromparts, arguments, SqlType::Date, nullable)
        }
        "datetimefromparts" => {
            of.takes(7, 7)?;
            let arguments = of.converted(&int(7))?;
            call(
                binder,
                datetimefromparts,
                arguments,
                SqlType::DateTime,
                nullable,
            )
        }
        "datetime2fromparts" | "timefromparts" => {
            let count = if of.name == "timefromparts" { 5 } else { 8 };
            of.takes(count, count)?;
            let Some(Expr::Const(scale)) = of.arguments.last().map(|last| last.expr.clone()) else {
                return Err(unsupported_function(
                    "DATETIME2FROMPARTS with a precision that is not constant",
                ));
            };
            let scale = integer(&scale)
                .and_then(|scale| u8::try_from(scale).ok())
                .filter(|scale| *scale <= 7)
                .unwrap_or(7);
            let arguments = of.converted(&int(count))?;
            if count == 5 {
                call(
                    binder,
                    timefromparts,
                    arguments,
                    SqlType::Time { scale },
                    nullable,
                )
            } else {
                call(
                    binder,
                    datetime2fromparts,
                    arguments,
                    SqlType::DateTime2 { scale },
                    nullable,
                )
            }
        }
        "switchoffset" => {
            of.takes(2, 2)?;
            let sql_type = match of.arguments[0].sql_type {
                SqlType::DateTimeOffset { scale } => SqlType::DateTimeOffset { scale },
                _ => SqlType::DateTimeOffset { scale: 7 },
            };
            let second = of.arguments[1].sql_type.clone();
            let arguments = of.converted(&[sql_type.clone(), second])?;
            call(binder, switchoffset, arguments, sql_type, nullable)
        }
        "todatetimeoffset" => {
            of.takes(2, 2)?;
            let scale = match of.arguments[0].sql_type {
                SqlType::DateTime2 { scale } => scale,
                SqlType::DateTime => 3,
                _ => 7,
            };
            let second = of.arguments[1].sql_type.clone();
            let arguments = of.converted(&[SqlType::DateTime2 { scale }, second])?;
            call(
                binder,
                todatetimeoffset,
                arguments,
                SqlType::DateTimeOffset { scale },
                nullable,
            )
        }
        "isdate" => {
            of.takes(1, 1)?;
            let arguments = of.converted(&[SqlType::NVarChar { length: None }])?;
            call(binder, isdate, arguments, SqlType::Int, false)
        }
        _ => return Ok(None),
    }))
}
