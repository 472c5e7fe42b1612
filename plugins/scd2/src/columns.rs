//! The columns of the target that make it a history.

use icehost_sdk::prelude::*;
use icehost_sdk::warn;

use crate::{Context, end_of_time};

/// What the columns are usually called, in lower case without separators.
const FROM: &[&str] = &["validfrom", "effectivefrom", "dbtvalidfrom"];
const TO: &[&str] = &["validto", "effectiveto", "dbtvalidto"];
const CURRENT: &[&str] = &["iscurrent", "current", "currentflag", "iscurrentversion"];

/// Where the target keeps when a version counted.
pub(crate) struct HistoryColumns {
    pub(crate) from: ColumnId,
    pub(crate) to: ColumnId,
    /// The column that tells the current version, and its values for it and for the others.
    pub(crate) current: Option<(ColumnId, Value, Value)>,
    /// The run's time, as both columns hold it.
    pub(crate) now: Value,
    /// What `to` holds for the current version.
    open: Value,
    /// From when on `to` is no end.
    far: Value,
    /// `to` may be NULL.
    may_be_null: bool,
}

/// When a version begins.
pub(crate) struct Begins {
    pub(crate) at: Scalar,
    /// The delta's column that says so.
    pub(crate) column: Option<ColumnId>,
}

impl HistoryColumns {
    pub(crate) fn find(context: &Context) -> Result<HistoryColumns, Error> {
        let options = &context.options;
        let (from, begin) = moments(context, options.valid_from.as_deref(), "valid-from", FROM)?;
        let (to, end) = moments(context, options.valid_to.as_deref(), "valid-to", TO)?;
        // Else the end of a version and the beginning of the next one would be rounded to two moments.
        if begin.native_type != end.native_type || from == to {
            return Err(Error::unsupported_table(
                "wrong-type",
                format!(
                    "'{}' is {} and '{}' is {}: two columns of the same type are wanted",
                    begin.name, begin.native_type, end.name, end.native_type
                ),
            )
            .about(to));
        }
        let now = begin.moment(context.delta.run_time);
        let now = now.ok_or_else(|| Error::internal("no-moment", "a column holds no moments"))?;
        let far = end_of_time::far(end);
        let far = far.ok_or_else(|| Error::internal("no-moment", "a column holds no moments"))?;
        Ok(HistoryColumns {
            far,
            may_be_null: end.nullable,
            from,
            to,
            current: current(context)?,
            now,
            open: end_of_time::of(end, options.end_of_time.as_deref())
                .map_err(|error| error.about(to))?,
        })
    }

    /// Holds of the current version of a row. Runs with other settings may have written it: an end in the last year that
    /// there is stands for none as NULL does, or a second current version would come beside it. So does one under a flag that
    /// says that the version is current: somebody has changed one of the two.
    pub(crate) fn is_current(&self) -> Predicate {
        match self.is_told() {
            Some(told) => self.has_no_end().or(told),
            None => self.has_no_end(),
        }
    }

    fn has_no_end(&self) -> Predicate {
        let to = || target_col(self.to);
        let far = to().ge(lit(self.far.clone()));
        let far = match is_before(&self.open, &self.far) {
            true => to().eq(lit(self.open.clone())).or(far),
            false => far,
        };
        match self.may_be_null {
            true => to().is_null().or(far),
            false => far,
        }
    }

    /// Holds of a current version that has the end which this run writes.
    pub(crate) fn is_open(&self) -> Predicate {
        match &self.open {
            Value::Null => target_col(self.to).is_null(),
            open => target_col(self.to).eq(lit(open.clone())),
        }
    }

    /// What makes a row the current version.
    pub(crate) fn opened(&self, begins: &Begins) -> Vec<Assignment> {
        let mut opened = vec![Assignment::new(self.from, begins.at.clone())];
        opened.extend(self.told());
        opened
    }

    /// What tells the current version as such; it may have been changed by hand, or written under other settings.
    pub(crate) fn told(&self) -> Vec<Assignment> {
        let mut told = vec![Assignment::new(self.to, lit(self.open.clone()))];
        if let Some((column, yes, _)) = &self.current {
            told.push(Assignment::new(*column, lit(yes.clone())));
        }
        told
    }

    /// Holds of a current version whose flag says so; `None` where there is none.
    pub(crate) fn is_told(&self) -> Option<Predicate> {
        let (column, yes, _) = self.current.as_ref()?;
        Some(target_col(*column).eq(lit(yes.clone())))
    }

    /// What makes the current version one that was.
    pub(crate) fn closed(&self, at: Scalar) -> Vec<Assignment> {
        let mut closed = vec![Assignment::new(self.to, at)];
        if let Some((column, _, no)) = &self.current {
            closed.push(Assignment::new(*column, lit(no.clone())));
        }
        closed
    }

    /// The column is one of these.
    pub(crate) fn contain(&self, column: ColumnId) -> bool {
        let current = self.current.as_ref().map(|(id, _, _)| *id);
        column == self.from || column == self.to || Some(column) == current
    }
}

/// Of two moments of one column; NULL is before none.
fn is_before(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Date(one), Value::Date(other)) => one < other,
        (Value::Timestamp(one), Value::Timestamp(other)) => one < other,
        (Value::TimestampTz(one), Value::TimestampTz(other)) => one.ticks < other.ticks,
        _ => false,
    }
}

/// When versions begin: at the value of a column of the delta, or now.
pub(crate) fn begins(context: &Context, history: &HistoryColumns) -> Result<Begins, Error> {
    let now = lit(history.now.clone());
    let Some(name) = &context.options.from else {
        return Ok(Begins {
            at: now,
            column: None,
        });
    };
    let delta = &context.delta;
    let found = delta.find(name).and_then(|id| {
        let column = delta.columns.get(id as usize)?;
        Some((id, column))
    });
    let (column, found) = found.ok_or_else(|| {
        Error::invalid_options(
            "no-column",
            format!(
                "from names '{name}', which the rows to merge do not have; they have {}",
                delta.names()
            ),
        )
    })?;
    let Some(begin) = context.target.get(history.from) else {
        return Err(Error::internal("no-column", "a column is gone"));
    };
    if found.kind != begin.kind {
        return Err(Error::invalid_options(
            "wrong-type",
            format!(
                "from names '{name}', which is {}; '{}' is {} and takes no such values",
                found.native_type, begin.name, begin.native_type
            ),
        ));
    }
    let there = context
        .target
        .find(name)
        .and_then(|id| context.target.get(id));
    if let Some(there) = there.filter(|there| there.native_type != begin.native_type) {
        warn!(
            "versions begin at '{}', which is {}, and '{}' is {}: values are rounded",
            there.name, there.native_type, begin.name, begin.native_type
        );
    }
    Ok(Begins {
        at: match found.nullable {
            true => coalesce([col(column), now]),
            false => col(column),
        },
        column: Some(column),
    })
}

/// A table whose primary key is that of the source has room for one version only.
pub(crate) fn check_room(context: &Context, keys: &[KeyPair]) -> Result<(), Error> {
    let target = &context.target;
    let primary = target.key();
    let in_keys = |id: &ColumnId| keys.iter().any(|key| key.target == *id);
    if primary.is_empty() || !primary.iter().all(in_keys) {
        return Ok(());
    }
    Err(Error::unsupported_table(
        "one-version-only",
        format!(
            "{} has the primary key {}, and so room for one version of each row; give it a key of its own, such as an \
             identity column, or one with the column that says from when a version counts",
            target.name,
            target.names(&primary)
        ),
    ))
}

/// The named column, or the only one that is usually called so; both hold moments and are the target's own.
fn moments<'a>(
    context: &'a Context,
    named: Option<&str>,
    option: &str,
    usual: &[&str],
) -> Result<(ColumnId, &'a Column), Error> {
    let target = &context.target;
    let fit = target.columns_where(|column| {
        column.writable
            && matches!(
                column.kind,
                LogicalType::Date | LogicalType::Timestamp | LogicalType::TimestampTz
            )
    });
    let id = match named {
        Some(name) => of_target(context, name, &fit, "a date or a time of day and date")?,
        None => {
            let found = own(context, &fit, usual);
            match found.as_slice() {
                [only] => *only,
                [] => {
                    return Err(Error::unsupported_table(
                        "no-history-columns",
                        format!(
                            "{0} has no column for {option}; a history needs two beside those of the source, such as \
                             ValidFrom datetime2(3) NOT NULL and ValidTo datetime2(3) NULL: add them, which no run does when it \
                             creates a table, or name them with valid-from and valid-to (a lake table takes no history: choose another merge for it, such as upsert)",
                            target.name
                        ),
                    ));
                }
                several => {
                    return Err(Error::invalid_options(
                        "ambiguous-column",
                        format!(
                            "it is not obvious which column of {} is meant; set {option} to one of {}",
                            target.name,
                            target.names(several)
                        ),
                    ));
                }
            }
        }
    };
    match target.get(id) {
        Some(column) => Ok((id, column)),
        None => Err(Error::internal("no-column", "a column is gone")),
    }
}

fn current(context: &Context) -> Result<Option<(ColumnId, Value, Value)>, Error> {
    let target = &context.target;
    let fit = target.columns_where(|column| {
        column.writable && matches!(column.kind, LogicalType::Boolean | LogicalType::Integer)
    });
    let found = match &context.options.current {
        Some(name) => Some(of_target(context, name, &fit, "a bit or an integer")?),
        None => match own(context, &fit, CURRENT).as_slice() {
            [only] => Some(*only),
            _ => None,
        },
    };
    let values = |id: ColumnId| {
        let is_bit = target
            .get(id)
            .is_some_and(|column| column.kind == LogicalType::Boolean);
        match is_bit {
            true => (id, Value::Boolean(true), Value::Boolean(false)),
            false => (id, Value::Integer(1), Value::Integer(0)),
        }
    };
    Ok(found.map(values))
}

/// A column that the user named: of the right type, and not one that the source fills.
fn of_target(
    context: &Context,
    name: &str,
    fit: &[ColumnId],
    wanted: &str,
) -> Result<ColumnId, Error> {
    let id = context.target.require(name)?;
    if !fit.contains(&id) {
        return Err(Error::invalid_options(
            "wrong-type",
            format!(
                "'{name}' is not {wanted} that can be written; columns that are: {}",
                context.target.names(fit)
            ),
        )
        .about(id));
    }
    if context.delta.find(name).is_some() {
        return Err(Error::invalid_options(
            "not-a-history-column",
            format!("the rows to merge have a column '{name}' of their own"),
        )
        .about(id));
    }
    Ok(id)
}

/// Those of the columns that the source does not fill and that are usually called so.
fn own(context: &Context, fit: &[ColumnId], usual: &[&str]) -> Vec<ColumnId> {
    let says_so = |id: &ColumnId| {
        context.target.get(*id).is_some_and(|column| {
            let letters = column.name.chars().filter(|c| c.is_alphanumeric());
            let name: String = letters.flat_map(char::to_lowercase).collect();
            usual.contains(&name.as_str()) && context.delta.find(&column.name).is_none()
        })
    };
    fit.iter().copied().filter(says_so).collect()
}
