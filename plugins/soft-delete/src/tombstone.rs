//! The columns of the target that say that a row is gone, and since when.

use icehost_sdk::prelude::*;

use crate::SoftDeleteOptions;

type Context = MergeContext<SoftDeleteOptions>;

/// What the columns are usually called, in lower case without separators.
const MARK: &[&str] = &["isdeleted", "deleted", "deletedflag", "isremoved"];
const TIME: &[&str] = &[
    "deletedat",
    "deletedatutc",
    "deletedon",
    "deletedtime",
    "deleteddate",
    "deletiontime",
    "deletiondate",
    "datedeleted",
];

/// The columns, and what stands in them.
pub(crate) struct Tombstone {
    column: ColumnId,
    gone: Value,
    there: Value,
    /// The column for the time, and the run's.
    time: Option<(ColumnId, Value)>,
}

impl Tombstone {
    pub(crate) fn find(context: &Context) -> Result<Tombstone, Error> {
        let column = mark(context)?;
        let is_bit = context
            .target
            .get(column)
            .is_some_and(|column| column.kind == LogicalType::Boolean);
        let (gone, there) = match is_bit {
            true => (Value::Boolean(true), Value::Boolean(false)),
            false => (Value::Integer(1), Value::Integer(0)),
        };
        Ok(Tombstone {
            column,
            gone,
            there,
            time: time(context)?,
        })
    }

    /// What a row that is gone has.
    pub(crate) fn gone(&self) -> Vec<Assignment> {
        self.set(&self.gone, |now| now.clone())
    }

    /// What a row that is there has.
    pub(crate) fn there(&self) -> Vec<Assignment> {
        self.set(&self.there, |_| Value::Null)
    }

    fn set(&self, mark: &Value, time: impl Fn(&Value) -> Value) -> Vec<Assignment> {
        let mut set = vec![Assignment::new(self.column, lit(mark.clone()))];
        if let Some((column, now)) = &self.time {
            set.push(Assignment::new(*column, lit(time(now))));
        }
        set
    }

    pub(crate) fn is_marked(&self) -> Predicate {
        target_col(self.column).eq(lit(self.gone.clone()))
    }

    pub(crate) fn is_not_marked(&self) -> Predicate {
        let column = || target_col(self.column);
        column().ne(lit(self.gone.clone())).or(column().is_null())
    }

    pub(crate) fn has_time(&self) -> bool {
        self.time.is_some()
    }

    pub(crate) fn contains(&self, column: ColumnId) -> bool {
        let time = self.time.as_ref().map(|(id, _)| *id);
        column == self.column || Some(column) == time
    }
}

fn mark(context: &Context) -> Result<ColumnId, Error> {
    let target = &context.target;
    let flags = target.columns_where(|column| {
        column.writable && matches!(column.kind, LogicalType::Boolean | LogicalType::Integer)
    });
    let column = match &context.options.column {
        Some(name) => named(context, name, &flags, "no bit and no integer")?,
        None => match usual(target, &flags, MARK).as_slice() {
            [only] => *only,
            _ => return Err(not_obvious(context, flags)),
        },
    };
    own(context, column)
}

/// Names the columns that can be chosen; where there is none, the table lacks one.
fn not_obvious(context: &Context, mut fit: Vec<ColumnId>) -> Error {
    let target = &context.target;
    fit.retain(|&column| own(context, column).is_ok());
    let why = match fit.as_slice() {
        [] => format!(
            "{} has no column that says that a row is deleted; add one beside those of the source, such as IsDeleted bit NOT \
             NULL DEFAULT 0: a table that a run creates has none",
            target.name
        ),
        fit => format!(
            "it is not obvious which column of {} says that a row is deleted; set column to one of {}",
            target.name,
            target.names(fit)
        ),
    };
    Error::invalid_options("no-tombstone", why)
}

fn time(context: &Context) -> Result<Option<(ColumnId, Value)>, Error> {
    let target = &context.target;
    let moments = target
        .columns_where(|column| column.writable && column.nullable && column.moment(0).is_some());
    let column = match &context.options.deleted_at {
        Some(name) => {
            let wanted = "no date and no time of day and date that may be NULL";
            own(context, named(context, name, &moments, wanted)?)?
        }
        None => {
            let mut found = usual(target, &moments, TIME);
            found.retain(|&column| own(context, column).is_ok());
            match found.as_slice() {
                [only] => *only,
                _ => return Ok(None),
            }
        }
    };
    let now = target
        .get(column)
        .and_then(|column| column.moment(context.delta.run_time));
    Ok(now.map(|now| (column, now)))
}

/// The column that the user named, if it is one of those that fit.
fn named(context: &Context, name: &str, fit: &[ColumnId], wrong: &str) -> Result<ColumnId, Error> {
    let column = context.target.require(name)?;
    if fit.contains(&column) {
        return Ok(column);
    }
    Err(Error::invalid_options(
        "wrong-type",
        format!(
            "'{name}' is {wrong} that can be written; columns that fit: {}",
            context.target.names(
                &fit.iter()
                    .copied()
                    .filter(|&column| own(context, column).is_ok())
                    .collect::<Vec<_>>()
            )
        ),
    )
    .about(column))
}

/// Those that are usually called so.
fn usual(target: &Table, fit: &[ColumnId], names: &[&str]) -> Vec<ColumnId> {
    let says_so = |id: &ColumnId| {
        target.get(*id).is_some_and(|column| {
            let letters = column.name.chars().filter(|c| c.is_alphanumeric());
            let name: String = letters.flat_map(char::to_lowercase).collect();
            names.contains(&name.as_str())
        })
    };
    fit.iter().copied().filter(says_so).collect()
}

/// The column, if the delta does not fill it.
fn own(context: &Context, column: ColumnId) -> Result<ColumnId, Error> {
    let name = context.target.get(column).map_or("", |column| &column.name);
    match context.delta.find(name) {
        None => Ok(column),
        Some(_) => Err(Error::invalid_options(
            "not-a-tombstone",
            format!("the rows to merge have a column '{name}' of their own"),
        )
        .about(column)),
    }
}
