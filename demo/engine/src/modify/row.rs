//! Making a row fit its table: conversion, defaults, identity, rowversion, computed columns, constraints.

use std::sync::Arc;

use crate::ast;
use crate::bind::{Binder, Scope};
use crate::collation::OtherPage;
use crate::context::Context;
use crate::convert::{Excess, convert};
use crate::datetime::{MAX_DAY, TICKS_PER_DAY};
use crate::error::{SqlResult, arithmetic_overflow, unsupported_type};
use crate::interpreter::{Batch, OpenTable, Session, stamp};
use crate::plan::{Environment, Expr};
use crate::session::SqlError;
use crate::storage::{Column, Database, Row, Table, TableDefinition, TableKind};
use crate::types::{Datum, SqlType};

/// The statement that writes, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Insert,
    Update,
    Merge,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Merge => "MERGE",
        }
    }
}

/// Builds complete rows of one table.
#[derive(Debug)]
pub(crate) struct RowBuilder {
    table: Arc<Table>,
    database: Arc<Database>,
    definition: Arc<TableDefinition>,
    defaults: Vec<Option<Expr>>,
    computed: Vec<(usize, Expr)>,
    checks: Vec<(String, Expr)>,
    identity: Option<(usize, i64, i64)>,
    row_version: Option<usize>,
    verb: Verb,
    /// The last identity value given out.
    pub(crate) last_identity: Option<i128>,
}

impl Batch<'_> {
    /// A builder for rows of `target`.
    pub(crate) fn row_builder(
        &mut self,
        context: &Context,
        target: &OpenTable,
        verb: Verb,
    ) -> SqlResult<RowBuilder> {
        RowBuilder::new(
            self.session,
            &self.frame,
            context,
            self.cancel,
            target,
            verb,
        )
    }
}

impl RowBuilder {
    pub(crate) fn new(
        session: &mut Session,
        frame: &crate::frame::Frame,
        context: &Context,
        cancel: &crate::session::Cancel,
        target: &OpenTable,
        verb: Verb,
    ) -> SqlResult<Self> {
        let definition = target.version.definition.clone();
        let scope = crate::bind::table_scope(&target.table, &target.version, None);
        let mut binder = Binder::new(session, frame, context, cancel);
        let mut defaults = Vec::new();
        let mut computed = Vec::new();
        let mut checks = Vec::new();
        for (ordinal, column) in definition.columns.iter().enumerate() {
            defaults.push(match &column.default {
                Some(default) => {
                    let (typed, _) = binder
                        .in_scope(Scope::default(), |binder| binder.bind_scalar(&default.expr))?;
                    Some(
                        typed
                            .converted(&column.sql_type, Excess::Refuse, true)?
                            .expr,
                    )
                }
                None => None,
            });
            if let Some(expr) = &column.computed {
                let (typed, _) = binder.in_scope(Scope::of(vec![scope.clone()]), |binder| {
                    binder.bind_scalar(&expr.expr)
                })?;
                computed.push((ordinal, typed.expr));
            }
        }
        for check in &definition.checks {
            let (predicate, _) = binder.in_scope(Scope::of(vec![scope.clone()]), |binder| {
                binder.bind_predicate(&check.expr)
            })?;
            checks.push((check.name.clone(), predicate));
        }
        let identity = definition
            .columns
            .iter()
            .enumerate()
            .find_map(|(ordinal, column)| {
                column
                    .identity
                    .map(|(seed, increment)| (ordinal, seed, increment))
            });
        Ok(Self {
            table: target.table.clone(),
            database: target.database.clone(),
            row_version: definition
                .columns
                .iter()
                .position(|column| column.sql_type == SqlType::RowVersion),
            definition,
            defaults,
            computed,
            checks,
            identity,
            verb,
            last_identity: None,
        })
    }

    /// Leaves CHECK constraints out, as bulk loads do unless told otherwise.
    pub(crate) fn skip_checks(&mut self) {
        self.checks.clear();
    }

    /// Leaves DEFAULT constraints out, as bulk loads with KEEP_NULLS do.
    pub(crate) fn skip_defaults(&mut self) {
        self.defaults.iter_mut().for_each(|default| *default = None);
    }

    /// Converts one value to its column's type.
    pub(crate) fn fit(&self, ordinal: usize, value: Datum) -> SqlResult<Datum> {
        let column = &self.definition.columns[ordinal];
        if column.encrypted.is_some() && value != Datum::Null {
            let given = crate::type_rules::type_of(&value);
            return Err(SqlError::new(
                206,
                16,
                2,
                format!(
                    "Operand type clash: {} is incompatible with {}(8000) encrypted with (encryption_type = '{}', encryption_algorithm_name = 'AEAD_AES_256_CBC_HMAC_SHA_256')",
                    given.name(),
                    column.sql_type.name(),
                    if column.encrypted == Some(1) {
                        "DETERMINISTIC"
                    } else {
                        "RANDOMIZED"
                    }
                ),
            ));
        }
        let collation = column.collation.as_ref();
        if value != Datum::Null
            && let Some(page) = collation.and_then(|of| of.other_page(&column.sql_type))
        {
            return fit_page(column, page, value, |value| self.truncation(ordinal, value));
        }
        // The usual case is no conversion at all.
        let fits = match (&value, &column.sql_type) {
            (Datum::Null, _)
            | (Datum::Int(_), SqlType::Int)
            | (Datum::BigInt(_), SqlType::BigInt)
            | (Datum::Guid(_), SqlType::UniqueIdentifier)
            | (Datum::Bit(_), SqlType::Bit)
            | (Datum::Float(_), SqlType::Float) => true,
            (
                Datum::Text {
                    value,
                    national: true,
                },
                SqlType::NVarChar { length },
            ) => length.is_none_or(|length| value.len() <= usize::from(length)),
            (
                Datum::Text {
                    value,
                    national: false,
                },
                SqlType::VarChar { length },
            ) => length.is_none_or(|length| value.len() <= usize::from(length)),
            _ => false,
        };
        if fits {
            return Ok(value);
        }
        convert(&value, &column.sql_type, 0, Excess::Refuse).map_err(|error| {
            if error.number == 8152 {
                self.truncation(ordinal, &value)
            } else {
                error
            }
        })
    }

    fn qualified_table(&self) -> String {
        match self.table.kind {
            TableKind::Variable => self.table.name.clone(),
            TableKind::Temporary => format!("tempdb.dbo.{}", self.table.name),
            TableKind::User => format!(
                "{}.{}.{}",
                self.database.name, self.table.schema, self.table.name
            ),
        }
    }

    fn truncation(&self, ordinal: usize, value: &Datum) -> SqlError {
        let column = &self.definition.columns[ordinal];
        let limit = usize::from(column.sql_type.length().unwrap_or(0));
        let shown: String = match value {
            Datum::Text { value, .. } => value.chars().take(limit).collect(),
            _ => String::new(),
        };
        SqlError::new(
            2628,
            16,
            1,
            format!(
                "String or binary data would be truncated in table '{}', column '{}'. Truncated value: '{shown}'.",
                self.qualified_table(),
                column.name
            ),
        )
    }

    /// A new row from the values that the statement gives; `None` takes the column's default.
    pub(crate) fn insert(
        &mut self,
        session: &mut Session,
        context: &Context,
        given: Vec<Option<Datum>>,
    ) -> SqlResult<Row> {
        let mut values = Vec::with_capacity(given.len());
        for (ordinal, value) in given.into_iter().enumerate() {
            values.push(match value {
                Some(value) => self.fit(ordinal, value)?,
                None => match &self.defaults[ordinal] {
                    Some(default) => default.eval(context, &Environment::EMPTY)?,
                    None => Datum::Null,
                },
            });
        }
        if let Some((ordinal, seed, increment)) = self.identity {
            self.identify(&mut values, ordinal, (seed, increment))?;
        }
        self.complete(session, context, values)
    }

    /// Gives the identity column its value, or notes the one that was given.
    fn identify(
        &mut self,
        values: &mut [Datum],
        ordinal: usize,
        (seed, increment): (i64, i64),
    ) -> SqlResult<()> {
        let mut counter = self.table.identity.lock();
        let sql_type = &self.definition.columns[ordinal].sql_type;
        if values[ordinal] == Datum::Null {
            let next = counter.next((seed, increment));
            let exact = Datum::Decimal {
                unscaled: next,
                precision: 38,
                scale: 0,
            };
            values[ordinal] = convert(&exact, sql_type, 0, Excess::Refuse).map_err(|_| {
                let mut error = arithmetic_overflow("IDENTITY", sql_type.name());
                error.state = 1;
                error
            })?;
            counter.last = Some(next);
            self.last_identity = Some(next);
        } else if let Datum::Decimal { unscaled, .. } = convert(
            &values[ordinal],
            &SqlType::Decimal {
                precision: 38,
                scale: 0,
                numeric: true,
            },
            0,
            Excess::Refuse,
        )? {
            let further = counter.last.is_none_or(|last| {
                if increment > 0 {
                    unscaled > last
                } else {
                    unscaled < last
                }
            });
            if further {
                counter.last = Some(unscaled);
            }
            self.last_identity = Some(unscaled);
        }
        Ok(())
    }

    /// A row with some of its values replaced.
    pub(crate) fn update(
        &mut self,
        session: &mut Session,
        context: &Context,
        old: &Row,
        given: Vec<(usize, Datum)>,
    ) -> SqlResult<Row> {
        let mut values = old.to_vec();
        for (ordinal, value) in given {
            values[ordinal] = self.fit(ordinal, value)?;
        }
        self.complete(session, context, values)
    }

    /// The default of a column, for `SET column = DEFAULT`.
    pub(crate) fn default_of(&self, ordinal: usize) -> Expr {
        self.defaults[ordinal].clone().unwrap_or_else(Expr::null)
    }

    fn complete(
        &mut self,
        session: &mut Session,
        context: &Context,
        mut values: Vec<Datum>,
    ) -> SqlResult<Row> {
        if let Some(ordinal) = self.row_version {
            let version = match &mut session.transaction {
                Some(transaction) => transaction.row_version(&self.database),
                None => self.database.last_row_version(),
            };
            values[ordinal] = Datum::Binary(version.to_be_bytes().as_slice().into());
        }
        if let Some((start, end)) = self.definition.period() {
            let began = session.transaction_time();
            let stamped =
                |ordinal: usize, moment| stamp(moment, &self.definition.columns[ordinal].sql_type);
            values[start] = stamped(start, began);
            values[end] = stamped(end, (MAX_DAY, TICKS_PER_DAY - 1));
        }
        for (ordinal, expr) in &self.computed {
            let row = [Row::from(values.as_slice())];
            values[*ordinal] = expr.eval(
                context,
                &Environment {
                    rows: &row,
                    outer: None,
                },
            )?;
        }
        for (column, value) in self.definition.columns.iter().zip(&values) {
            if *value == Datum::Null && !column.nullable {
                return Err(SqlError::new(
                    515,
                    16,
                    2,
                    format!(
                        "Cannot insert the value NULL into column '{}', table '{}'; column does not allow nulls. {} fails.",
                        column.name,
                        self.qualified_table(),
                        self.verb.name()
                    ),
                ));
            }
        }
        let row = Row::from(values);
        if !self.checks.is_empty() {
            let rows = [row.clone()];
            let env = Environment {
                rows: &rows,
                outer: None,
            };
            for (name, check) in &self.checks {
                if check.test(context, &env)? == Some(false) {
                    return Err(SqlError::new(
                        547,
                        16,
                        0,
                        format!(
                            "The {} statement conflicted with the CHECK constraint \"{name}\". The conflict occurred in database \"{}\", table \"{}\".",
                            self.verb.name(),
                            self.database.name,
                            self.table.display_name()
                        ),
                    ));
                }
            }
        }
        Ok(row)
    }
}

/// The ordinals that an INSERT's column list names, or those of all columns that it may set.
pub(crate) fn insert_columns(
    definition: &TableDefinition,
    names: &[ast::Name],
    identity_insert: bool,
    table: &Table,
) -> SqlResult<Vec<usize>> {
    if names.is_empty() {
        let all = definition.columns.iter().enumerate();
        return Ok(all
            .filter(|(_, column)| {
                // A column of the period that is not hidden stands in the list, for DEFAULT.
                let shown = column.generated.is_some_and(|generated| !generated.hidden);
                (column.is_writable() || shown) && column.identity.is_none()
            })
            .map(|(ordinal, _)| ordinal)
            .collect());
    }
    let mut ordinals = Vec::with_capacity(names.len());
    for name in names {
        let ordinal = definition
            .ordinal(&name.0)
            .ok_or_else(|| crate::error::invalid_column(&name.0))?;
        if ordinals.contains(&ordinal) {
            return Err(SqlError::new(
                264,
                16,
                1,
                format!("The column name '{}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once. If this statement updates or inserts columns into a view, column aliasing can conceal the duplication in your code.", name.0),
            )
            .ending_batch());
        }
        let column = &definition.columns[ordinal];
        if column.identity.is_some() && !identity_insert {
            return Err(SqlError::new(
                544,
                16,
                1,
                format!(
                    "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF.",
                    table.name
                ),
            ));
        }
        ordinals.push(ordinal);
    }
    Ok(ordinals)
}

/// 271 and 273: a column that nobody may write.
pub(crate) fn check_writable(
    definition: &TableDefinition,
    ordinal: usize,
    verb: Verb,
) -> SqlResult<()> {
    let column = &definition.columns[ordinal];
    if column.computed.is_some() {
        return Err(SqlError::new(
            271,
            16,
            1,
            format!(
                "The column \"{}\" cannot be modified because it is either a computed column or is the result of a UNION operator.",
                column.name
            ),
        ));
    }
    if column.generated.is_some() {
        let (number, what) = match verb {
            Verb::Update => (13537, "Cannot update GENERATED ALWAYS columns in table"),
            _ => (
                13536,
                "Cannot insert an explicit value into a GENERATED ALWAYS column in table",
            ),
        };
        return Err(SqlError::new(
            number,
            16,
            1,
            format!("{what}, column '{}'.", column.name),
        ));
    }
    if column.sql_type == SqlType::RowVersion {
        return Err(match verb {
            Verb::Update => SqlError::new(272, 16, 1, "Cannot update a timestamp column."),
            _ => SqlError::new(
                273,
                16,
                1,
                "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.",
            ),
        });
    }
    if verb == Verb::Update && column.identity.is_some() {
        return Err(SqlError::new(
            8102,
            16,
            1,
            format!("Cannot update identity column '{}'.", column.name),
        ));
    }
    Ok(())
}

/// Converts one value to `char` or `varchar` of a code page other than 1252, whose length counts bytes.
pub(crate) fn fit_page(
    column: &Column,
    page: OtherPage,
    value: Datum,
    truncation: impl FnOnce(&Datum) -> SqlError,
) -> SqlResult<Datum> {
    let long = SqlType::NVarChar { length: None };
    let text = match &value {
        Datum::Binary(_) => return Err(unsupported_type("binary to text of a code page")),
        Datum::Text { value, .. } => Arc::clone(value),
        other => match convert(other, &long, 0, Excess::Refuse)? {
            Datum::Text { value, .. } => value,
            _ => return Err(unsupported_type("this value to text of a code page")),
        },
    };
    let mut bytes = 0;
    for c in text.chars() {
        bytes += page.bytes_of(c).ok_or_else(|| {
            unsupported_type(&format!("'{c}', which the column's code page lacks,"))
        })?;
    }
    let fitted = match column.sql_type.length().map(usize::from) {
        None => text,
        Some(length) if bytes > length => {
            // Blanks at the end that do not fit are no loss.
            let blanks = text.len() - text.trim_end_matches(' ').len();
            if bytes - length > blanks {
                return Err(truncation(&value));
            }
            Arc::from(&text[..text.len() - (bytes - length)])
        }
        Some(length) if matches!(column.sql_type, SqlType::Char { .. }) => {
            Arc::from(format!("{text}{}", " ".repeat(length - bytes)))
        }
        Some(_) => text,
    };
    Ok(Datum::Text {
        value: fitted,
        national: false,
    })
}
