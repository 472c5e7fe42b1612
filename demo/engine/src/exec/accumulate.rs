//! Aggregate functions.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::compare_keys;
use crate::collation::Collation;
use crate::compare::{Key, compare};
use crate::context::Context;
use crate::convert::{Excess, convert};
use crate::decimal::{self, MAX_PRECISION, Number, Shape};
use crate::error::{SqlResult, arithmetic_overflow};
use crate::eval::add_integers;
use crate::plan::{Aggregate, AggregateKind, Environment};
use crate::types::{Datum, SqlType};

/// The running state of one aggregate over one group.
#[derive(Debug, Clone)]
pub(super) struct Accumulator {
    count: i64,
    /// Sum of integers, money and decimals, exact.
    exact: i128,
    scale: u8,
    float: f64,
    squares: f64,
    best: Option<Datum>,
    seen: Option<HashSet<Key, rustc_hash::FxBuildHasher>>,
    collations: Rc<[Collation]>,
    texts: Vec<(Vec<Datum>, Arc<str>)>,
    separator: Option<Arc<str>>,
}

impl Accumulator {
    pub(super) fn new(aggregate: &Aggregate) -> Self {
        Self {
            count: 0,
            exact: 0,
            scale: 0,
            float: 0.0,
            squares: 0.0,
            best: None,
            seen: aggregate.distinct.then(HashSet::default),
            collations: Rc::from([Collation::clone(&aggregate.collation)]),
            texts: Vec::new(),
            separator: None,
        }
    }

    pub(super) fn add(
        &mut self,
        context: &Context,
        aggregate: &Aggregate,
        env: &Environment<'_>,
    ) -> SqlResult<()> {
        let Some(argument) = &aggregate.argument else {
            self.count += 1;
            return Ok(());
        };
        let mut slot = Datum::Null;
        let value = argument.eval_ref(context, env, &mut slot)?;
        if *value == Datum::Null {
            return Ok(());
        }
        if let Some(seen) = &mut self.seen
            && !seen.insert(Key {
                values: vec![value.clone()],
                collations: self.collations.clone(),
            })
        {
            return Ok(());
        }
        self.count += 1;
        match aggregate.kind {
            AggregateKind::CountRows | AggregateKind::Count => {}
            AggregateKind::Sum | AggregateKind::Avg => self.add_number(value)?,
            AggregateKind::Min | AggregateKind::Max => {
                let better = self.best.as_ref().is_none_or(|best| {
                    let order = compare(value, best, &aggregate.collation);
                    if aggregate.kind == AggregateKind::Min {
                        order.is_lt()
                    } else {
                        order.is_gt()
                    }
                });
                if better {
                    self.best = Some(value.clone());
                }
            }
            AggregateKind::StringAgg => self.add_text(context, aggregate, value.clone(), env)?,
            AggregateKind::ChecksumAgg => {
                if let Datum::Int(value) = value {
                    self.exact ^= i128::from(*value);
                }
            }
            AggregateKind::Deviation { .. } => {
                if let Datum::Float(value) = value {
                    self.float += value;
                    self.squares += value * value;
                }
            }
        }
        Ok(())
    }

    fn add_number(&mut self, value: &Datum) -> SqlResult<()> {
        let overflow = || arithmetic_overflow("expression", "numeric");
        let exact = match value {
            Datum::Int(v) => i128::from(*v),
            Datum::BigInt(v) => i128::from(*v),
            Datum::Money(v) => i128::from(*v),
            Datum::Decimal {
                unscaled, scale, ..
            } => {
                self.scale = *scale;
                *unscaled
            }
            Datum::Float(v) => {
                self.float += v;
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.exact = self.exact.checked_add(exact).ok_or_else(overflow)?;
        Ok(())
    }

    fn add_text(
        &mut self,
        context: &Context,
        aggregate: &Aggregate,
        value: Datum,
        env: &Environment<'_>,
    ) -> SqlResult<()> {
        let Datum::Text { value, .. } = value else {
            return Ok(());
        };
        if let (None, Some(separator)) = (&self.separator, &aggregate.separator)
            && let Datum::Text { value, .. } = separator.eval(context, env)?
        {
            self.separator = Some(value);
        }
        let keys = aggregate
            .order
            .iter()
            .map(|key| key.expr.eval(context, env))
            .collect::<SqlResult<_>>()?;
        self.texts.push((keys, value));
        Ok(())
    }

    /// The aggregate's value so far.
    pub(super) fn finish(mut self, aggregate: &Aggregate) -> SqlResult<Datum> {
        Ok(match aggregate.kind {
            AggregateKind::CountRows | AggregateKind::Count => match aggregate.result {
                SqlType::BigInt => Datum::BigInt(self.count),
                _ => Datum::Int(
                    i32::try_from(self.count)
                        .map_err(|_| arithmetic_overflow("expression", "int"))?,
                ),
            },
            _ if self.count == 0 => Datum::Null,
            AggregateKind::Min | AggregateKind::Max => self.best.unwrap_or(Datum::Null),
            AggregateKind::Sum => self.sum(&aggregate.result)?,
            AggregateKind::Avg => self.average(&aggregate.result)?,
            AggregateKind::StringAgg => {
                let order: Vec<(bool, Rc<Collation>)> = aggregate
                    .order
                    .iter()
                    .map(|key| (key.descending, key.collation.clone()))
                    .collect();
                self.texts.sort_by(|a, b| compare_keys(&a.0, &b.0, &order));
                let parts: Vec<&str> = self.texts.iter().map(|(_, text)| text.as_ref()).collect();
                let text = parts.join(self.separator.as_deref().unwrap_or(""));
                let value = Datum::Text {
                    value: Arc::from(text),
                    national: aggregate.result.is_national(),
                };
                convert(&value, &aggregate.result, 0, Excess::Refuse).map_err(|_| {
                    crate::session::SqlError::new(
                        9829,
                        16,
                        1,
                        "STRING_AGG aggregation result exceeded the limit of 8000 bytes. Use LOB types to avoid result truncation.",
                    )
                })?
            }
            AggregateKind::ChecksumAgg => Datum::Int(self.exact as i32),
            AggregateKind::Deviation {
                population,
                variance,
            } => {
                let n = self.count as f64;
                if !population && self.count < 2 {
                    return Ok(Datum::Null);
                }
                let divisor = if population { n } else { n - 1.0 };
                let spread = ((self.squares - self.float * self.float / n) / divisor).max(0.0);
                Datum::Float(if variance { spread } else { spread.sqrt() })
            }
        })
    }

    fn sum(&self, result: &SqlType) -> SqlResult<Datum> {
        match result {
            SqlType::Float => Ok(Datum::Float(self.float)),
            SqlType::Decimal {
                precision, scale, ..
            } => {
                let unscaled = decimal::rescale(self.exact, self.scale, *scale)
                    .filter(|value| decimal::fitting(*value, MAX_PRECISION).is_some())
                    .ok_or_else(|| arithmetic_overflow("expression", "numeric"))?;
                Ok(Datum::Decimal {
                    unscaled,
                    precision: *precision,
                    scale: *scale,
                })
            }
            SqlType::Money => i64::try_from(self.exact)
                .map(Datum::Money)
                .map_err(|_| arithmetic_overflow("expression", "money")),
            other => {
                let whole = i64::try_from(self.exact)
                    .map_err(|_| arithmetic_overflow("expression", other.name()))?;
                add_integers(&Datum::BigInt(whole), &Datum::BigInt(0), other)
            }
        }
    }

    fn average(&self, result: &SqlType) -> SqlResult<Datum> {
        let count = i128::from(self.count);
        match result {
            SqlType::Float => Ok(Datum::Float(self.float / self.count as f64)),
            SqlType::Decimal {
                precision, scale, ..
            } => {
                let shape = Shape {
                    precision: *precision,
                    scale: *scale,
                };
                let sum = Number {
                    unscaled: self.exact,
                    scale: self.scale,
                };
                let unscaled = decimal::divide(
                    sum,
                    Number {
                        unscaled: count,
                        scale: 0,
                    },
                    shape,
                )?;
                Ok(Datum::Decimal {
                    unscaled,
                    precision: *precision,
                    scale: *scale,
                })
            }
            SqlType::Money => Ok(Datum::Money(
                i64::try_from(self.exact / count)
                    .map_err(|_| arithmetic_overflow("expression", "money"))?,
            )),
            other => {
                let whole = i64::try_from(self.exact / count)
                    .map_err(|_| arithmetic_overflow("expression", other.name()))?;
                add_integers(&Datum::BigInt(whole), &Datum::BigInt(0), other)
            }
        }
    }
}
