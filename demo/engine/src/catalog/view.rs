//! The rows of a system view while they are put together.

use std::rc::Rc;

use crate::bind::ScopeColumn;
use crate::collation::Collation;
use crate::storage::Row;
use crate::types::{Datum, SqlType};

#[derive(Debug, Default)]
pub(crate) struct View {
    columns: Vec<(&'static str, SqlType)>,
    rows: Vec<Row>,
}

impl View {
    pub(crate) fn new(columns: &[(&'static str, SqlType)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, row: Vec<Datum>) {
        debug_assert_eq!(row.len(), self.columns.len(), "{:?}", self.columns.first());
        self.rows.push(Row::from(row));
    }

    pub(crate) fn into_parts(self) -> (Vec<ScopeColumn>, Rc<Vec<Row>>) {
        let columns = self
            .columns
            .into_iter()
            .map(|(name, sql_type)| ScopeColumn {
                name: name.to_owned(),
                collation: if sql_type.is_text() {
                    Some(Collation::server_default())
                } else {
                    None
                },
                sql_type,
                nullable: true,
                identity: false,
                read_only: true,
                hidden: false,
            })
            .collect();
        (columns, Rc::new(self.rows))
    }
}

pub(super) const NAME: SqlType = SqlType::SysName;
pub(super) const KIND: SqlType = SqlType::Char { length: 2 };
pub(super) const WORDS: SqlType = SqlType::NVarChar { length: Some(60) };
pub(super) const TEXT: SqlType = SqlType::NVarChar { length: None };

pub(super) fn text(value: &str) -> Datum {
    Datum::Text {
        value: value.into(),
        national: true,
    }
}

/// A `char(2)`.
pub(super) fn kind(value: &str) -> Datum {
    Datum::Text {
        value: format!("{value:<2}").into(),
        national: false,
    }
}

pub(super) fn int(value: i32) -> Datum {
    Datum::Int(value)
}

pub(super) fn small(value: i16) -> Datum {
    Datum::SmallInt(value)
}

pub(super) fn tiny(value: u8) -> Datum {
    Datum::TinyInt(value)
}

pub(super) fn bit(value: bool) -> Datum {
    Datum::Bit(value)
}

/// A moment as `datetime`.
pub(super) fn moment((days, ticks): (i32, u64)) -> Datum {
    Datum::DateTime {
        days: days - crate::datetime::EPOCH_1900,
        ticks: crate::datetime::to_datetime_ticks(ticks)
            .min(crate::datetime::DATETIME_TICKS_PER_DAY - 1),
    }
}
