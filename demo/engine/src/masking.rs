//! Dynamic data masking: what a login without UNMASK is shown (SQL Server documentation, "Dynamic data masking").
//!
//! "When you project an expression that references a column for which a data masking function is defined, the
//! expression is also masked. Regardless of the function used to mask the referenced column, the resulting
//! expression will always be masked with the default function." Filters, joins and groups see the values as they
//! are. NULL stays NULL.

use crate::context::Context;
use crate::convert::{Excess, convert};
use crate::error::{SqlResult, unsupported_clause};
use crate::plan::{Body, Expr, From, QueryPlan, SelectPlan, Source};
use crate::types::{Datum, SqlType};

/// A masking function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    Default,
    /// The first letter, then a constant suffix.
    Email,
}

impl Mask {
    /// Reads `FUNCTION = '...'`.
    pub(crate) fn named(function: &str) -> SqlResult<Self> {
        let plain: String = function.chars().filter(|c| !c.is_whitespace()).collect();
        match plain.to_ascii_lowercase().as_str() {
            "default()" => Ok(Self::Default),
            "email()" => Ok(Self::Email),
            _ => Err(unsupported_clause(&format!(
                "MASKED WITH (FUNCTION = '{function}')"
            ))),
        }
    }

    /// As `sys.masked_columns` shows it.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Default => "default()",
            Self::Email => "email()",
        }
    }

    /// What is shown of a value of that type.
    pub(crate) fn apply(self, value: &Datum, sql_type: &SqlType) -> SqlResult<Datum> {
        if *value == Datum::Null {
            return Ok(Datum::Null);
        }
        let text = |shown: String| Datum::Text {
            value: shown.into(),
            national: true,
        };
        let shown = match (self, value) {
            (Self::Email, Datum::Text { value, .. }) => {
                let first: String = value.chars().take(1).collect();
                text(format!("{first}XXX@XXXX.com"))
            }
            _ if sql_type.is_text() => {
                // "Use XXXX (or fewer) if the size of the field is fewer than 4 characters."
                let length = sql_type
                    .length()
                    .map_or(4, |length| usize::from(length).min(4));
                text("x".repeat(length))
            }
            // "For binary data types use a single byte of ASCII value 0."
            _ if sql_type.is_binary() => Datum::Binary([b'0'].as_slice().into()),
            _ if sql_type.is_temporal() => text(
                match sql_type {
                    SqlType::Time { .. } => "00:00:00",
                    _ => "1900-01-01",
                }
                .to_owned(),
            ),
            _ if sql_type.is_number() => Datum::Int(0),
            _ => {
                return Err(unsupported_clause(&format!(
                    "a masked value of type {}",
                    sql_type.name()
                )));
            }
        };
        convert(&shown, sql_type, 0, Excess::Cut)
    }
}

/// The masks of a query's sources, by slot and column.
#[derive(Debug, Default)]
struct Slots(Vec<Vec<Option<Mask>>>);

impl Slots {
    fn of(select: &SelectPlan, outer: &[&Slots]) -> Self {
        let mut slots = Self(vec![Vec::new(); select.width]);
        slots.fill(&select.from, outer);
        slots
    }

    fn fill(&mut self, from: &From, outer: &[&Slots]) {
        match from {
            From::Nothing => {}
            From::Source { index, source, .. } => {
                let masks = match source {
                    Source::Table(table) => {
                        let columns = &table.version.definition.columns;
                        columns.iter().map(|column| column.mask).collect()
                    }
                    Source::Query { plan, .. } => within(plan, outer),
                    _ => Vec::new(),
                };
                if *index >= self.0.len() {
                    self.0.resize(*index + 1, Vec::new());
                }
                self.0[*index] = masks;
            }
            From::Join(join) => {
                self.fill(&join.left, outer);
                self.fill(&join.right, outer);
            }
        }
    }

    fn get(&self, source: usize, column: usize) -> Option<Mask> {
        self.0.get(source)?.get(column).copied().flatten()
    }
}

/// The mask of an expression: a column's own, or the default where it only refers to one.
fn of_expr(expr: &Expr, levels: &[&Slots]) -> Option<Mask> {
    let of_column = |depth: usize, source: usize, column: usize| {
        let level = levels.len().checked_sub(depth + 1)?;
        levels.get(level)?.get(source, column)
    };
    if let Expr::Column {
        depth,
        source,
        column,
    } = expr
    {
        return of_column(*depth, *source, *column);
    }
    let mut masked = false;
    expr.walk(&mut |part| {
        match part {
            Expr::Column {
                depth,
                source,
                column,
            } => masked |= of_column(*depth, *source, *column).is_some(),
            Expr::Scalar { query, .. }
            | Expr::InQuery { query, .. }
            | Expr::Quantified { query, .. } => {
                masked |= within(query, levels).iter().any(Option::is_some);
            }
            _ => {}
        }
        true
    });
    masked.then_some(Mask::Default)
}

/// The masks of a query's columns, inside the queries whose sources are given.
fn within(plan: &QueryPlan, outer: &[&Slots]) -> Vec<Option<Mask>> {
    let select = match &plan.body {
        Body::Select(select) => select,
        Body::Set { left, right, .. } => {
            let (left, right) = (within(left, outer), within(right, outer));
            let pairs = left.into_iter().zip(right);
            return pairs
                .map(|(left, right)| (left.is_some() || right.is_some()).then_some(Mask::Default))
                .collect();
        }
    };
    let sources = Slots::of(select, outer);
    let with = |slots: &Slots, expr: &Expr| {
        let mut levels = outer.to_vec();
        levels.push(slots);
        of_expr(expr, &levels)
    };
    let refers = |slots: &Slots, argument: Option<&Expr>| {
        let mask = argument.and_then(|argument| with(slots, argument));
        mask.map(|_| Mask::Default)
    };
    // Groups are rows of one source: keys, then aggregates.
    let mut rows = match &select.grouping {
        None => sources,
        Some(grouping) => {
            let keys = grouping.keys.iter().map(|key| with(&sources, key));
            let aggregates = grouping.aggregates.iter();
            let aggregates =
                aggregates.map(|aggregate| refers(&sources, aggregate.argument.as_ref()));
            Slots(vec![keys.chain(aggregates).collect()])
        }
    };
    // The values of windows are one more source.
    let windows = select.windows.iter();
    let masks: Vec<_> = windows
        .map(|window| refers(&rows, window.function.argument()))
        .collect();
    rows.0.push(masks);
    let projected = select.projection.iter();
    projected.map(|expr| with(&rows, expr)).collect()
}

/// Hides what a login without UNMASK may not see of the rows of one query.
#[derive(Debug)]
pub(crate) struct Masks(Vec<(usize, Mask, SqlType)>);

impl Masks {
    /// None for a login that may see everything.
    pub(crate) fn of(context: &Context, plan: &QueryPlan) -> Self {
        if !context.facts.reads_only {
            return Self(Vec::new());
        }
        let masks = within(plan, &[]).into_iter().zip(&plan.columns).enumerate();
        Self(
            masks
                .filter_map(|(place, (mask, column))| {
                    mask.map(|mask| (place, mask, column.sql_type.clone()))
                })
                .collect(),
        )
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The row as it is shown, `None` where nothing of it is masked.
    pub(crate) fn row(&self, row: &[Datum]) -> SqlResult<Option<Vec<Datum>>> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut shown = row.to_vec();
        for (place, mask, sql_type) in &self.0 {
            shown[*place] = mask.apply(&row[*place], sql_type)?;
        }
        Ok(Some(shown))
    }
}

/// Refuses a change of a login's own temporary table that reads masked columns.
pub(crate) fn refuse_in_change(context: &Context, rows: &SelectPlan) -> SqlResult<()> {
    let reads = || Slots::of(rows, &[]).0.iter().flatten().any(Option::is_some);
    if context.facts.reads_only && reads() {
        return Err(unsupported_clause(
            "masked columns in UPDATE, DELETE and MERGE",
        ));
    }
    Ok(())
}

/// Refuses an expression outside a query that reads masked columns in a subquery of its own.
pub(crate) fn refuse_in_expression(context: &Context, expr: &Expr) -> SqlResult<()> {
    if context.facts.reads_only && of_expr(expr, &[]).is_some() {
        return Err(unsupported_clause(
            "masked columns in SET and in conditions",
        ));
    }
    Ok(())
}
