//! A result as it stands on the wire: tokens and rows, without the driver.
//!
//! MS-TDS 2.2.7 names the tokens. Nothing here allocates for a row or for a value: a [`Block`] is a piece of
//! the answer as it came, with the places of its values.

mod block;
mod column;
mod message;
mod payload;
mod rows;
mod text;
mod value;

pub(crate) use block::{Block, Field};
pub(crate) use column::Kind;
pub(crate) use rows::{Rows, row_too_large};

/// Values out of their bytes.
pub(crate) mod wire {
    pub(crate) use super::text::{Encoding, NotUnicode};
    pub(crate) use super::value::{
        date, datetime, decimal, moment, moment_with_offset, money, smalldatetime, ticks, uuid,
    };
}
