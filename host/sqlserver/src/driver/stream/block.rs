//! Rows that have come whole, where they lie.

use super::column::{Framing, WireColumn};
use super::message::Reader;
use super::value;
use crate::driver::Cell;
use crate::driver::tds::{NULL_CHUNKS, NULL_LENGTH};

/// Where a value lies in its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    /// [`Span::NULL`] for NULL. Of a value in chunks, with their lengths.
    length: u32,
}

impl Span {
    const NULL: u32 = u32::MAX;
    const NOTHING: Span = Span {
        start: 0,
        length: Span::NULL,
    };
}

/// A value's bytes.
#[derive(Clone)]
pub(crate) enum Field<'a> {
    Null,
    Whole(&'a [u8]),
    Chunks(Chunks<'a>),
}

/// The chunks of a long value, each with its length before it.
#[derive(Clone)]
pub(crate) struct Chunks<'a>(Reader<'a>);

impl Chunks<'_> {
    /// Bytes of all chunks that are left, their lengths included.
    pub(crate) fn bytes(&self) -> usize {
        self.0.left()
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self.0.u32()? {
            0 => None,
            length => self.0.take(length as usize),
        }
    }
}

/// Whole rows of one result.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(super) bytes: &'a [u8],
    /// One for each value, row by row.
    pub(super) spans: &'a [Span],
    /// The columns.
    pub(crate) columns: &'a [WireColumn],
    /// How many rows.
    pub(crate) rows: usize,
}

impl<'a> Block<'a> {
    /// The values of a column, from the first row to the last.
    pub(crate) fn column(&self, position: usize) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let bytes = self.bytes;
        let chunked = self.columns.get(position).is_some_and(|c| c.is_chunked());
        self.spans
            .get(position..)
            .unwrap_or_default()
            .iter()
            .step_by(self.columns.len().max(1))
            .map(move |span| field(bytes, *span, chunked))
    }

    /// The bytes of a column's values whose lengths are told before them; `None` for NULL.
    pub(crate) fn values(
        &self,
        position: usize,
    ) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let bytes = self.bytes;
        self.spans
            .get(position..)
            .unwrap_or_default()
            .iter()
            .step_by(self.columns.len().max(1))
            .map(move |span| {
                let start = span.start as usize;
                // NULL reaches beyond every block.
                bytes.get(start..start.wrapping_add(span.length as usize))
            })
    }

    /// One value.
    pub(crate) fn cell(&self, row: usize, position: usize) -> Option<Cell<'a>> {
        let column = self.columns.get(position)?;
        let span = self.spans.get(row * self.columns.len() + position)?;
        value::cell(column.kind, field(self.bytes, *span, column.is_chunked()))
    }
}

fn field(bytes: &[u8], span: Span, chunked: bool) -> Field<'_> {
    let start = span.start as usize;
    match bytes.get(start..start.wrapping_add(span.length as usize)) {
        _ if span.length == Span::NULL => Field::Null,
        None => Field::Null,
        Some(chunks) if chunked => {
            let mut reader = Reader::new(chunks);
            let _total = reader.u64();
            Field::Chunks(Chunks(reader))
        }
        Some(whole) => Field::Whole(whole),
    }
}

/// Finds the values of a row that begins at the reader, and puts their places behind `spans`. `None` where
/// the row has not come whole, or lies beyond 4 GiB.
///
/// `nulls` has a bit for each column that is left out as NULL (NBCROW, MS-TDS 2.2.7.15).
#[inline]
pub(super) fn locate(
    reader: &mut Reader<'_>,
    columns: &[WireColumn],
    nulls: Option<&[u8]>,
    spans: &mut Vec<Span>,
) -> Option<()> {
    for (position, column) in columns.iter().enumerate() {
        if let Some(nulls) = nulls
            && nulls.get(position / 8)? & (1 << (position % 8)) != 0
        {
            spans.push(Span::NOTHING);
            continue;
        }
        let length = match column.framing {
            Framing::Fixed(size) => usize::from(size),
            Framing::Byte => match reader.u8()? {
                0 => {
                    spans.push(Span::NOTHING);
                    continue;
                }
                length => length.into(),
            },
            Framing::Short => match reader.u16()? {
                NULL_LENGTH => {
                    spans.push(Span::NOTHING);
                    continue;
                }
                length => length.into(),
            },
            Framing::Chunks => {
                let start = reader.at();
                if reader.u64()? == NULL_CHUNKS {
                    spans.push(Span::NOTHING);
                    continue;
                }
                loop {
                    match reader.u32()? {
                        0 => break,
                        length => reader.take(length as usize)?,
                    };
                }
                spans.push(span(start, reader.at() - start)?);
                continue;
            }
        };
        let start = reader.at();
        reader.take(length)?;
        spans.push(span(start, length)?);
    }
    Some(())
}

#[inline]
fn span(start: usize, length: usize) -> Option<Span> {
    Some(Span {
        start: u32::try_from(start).ok()?,
        length: u32::try_from(length).ok().filter(|&l| l != Span::NULL)?,
    })
}
