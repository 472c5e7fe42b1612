//! The rows of one result, block by block, and what the server says beside them.

use super::block::{Block, Span, locate};
use super::column::WireColumn;
use super::message::Reader;
use super::payload::Payload;
use crate::driver::gathered::too_large;
use crate::driver::tds::{done, token};
use crate::driver::{InFlight, failure, transport::Wire};
use crate::endpoint::Endpoint;
use crate::error::{Result, ServerMessage, SqlServerError};

/// Bytes that may come beside rows: a statement has few messages, and a flood of them would never end.
const LARGEST_BESIDE: usize = 16 << 20;
/// Columns of a result (SQL Server, "Maximum capacity specifications": columns per SELECT statement).
const MOST_COLUMNS: u16 = 4096;

/// The answer to a statement with one result set. Dropped before its end, it closes the connection.
pub(crate) struct Rows<'c> {
    payload: Payload,
    request: Option<InFlight<'c>>,
    endpoint: &'c Endpoint,
    columns: Vec<WireColumn>,
    spans: Vec<Span>,
    /// Bytes of the block that was handed out last.
    handed_out: usize,
    error: Option<SqlServerError>,
    /// The server closes the connection after its error.
    fatal: bool,
    /// Rows that the server says it has changed.
    affected: u64,
    /// A row that does not end within so many bytes is given up.
    largest_row: usize,
    /// Bytes that have come beside rows.
    beside: usize,
}

/// What a look at the bytes at hand gave.
enum Seen {
    /// So many rows, in so many bytes.
    Rows(usize, usize),
    /// Something else, which is dealt with.
    Other,
    /// Nothing whole.
    Part,
}

impl<'c> Rows<'c> {
    /// Reads what comes over the wire as the answer to `request`.
    pub(in crate::driver) fn new(
        wire: Wire,
        request: InFlight<'c>,
        endpoint: &'c Endpoint,
        largest_row: usize,
    ) -> Rows<'c> {
        Rows {
            payload: Payload::new(wire),
            request: Some(request),
            endpoint,
            columns: Vec::new(),
            spans: Vec::new(),
            handed_out: 0,
            error: None,
            fatal: false,
            affected: 0,
            // Places in a block are told by 32 bits.
            largest_row: largest_row.min(u32::MAX as usize),
            beside: 0,
        }
    }

    /// How many rows the statements have changed, as far as their ends have come.
    pub(in crate::driver) fn affected(&self) -> u64 {
        self.affected
    }

    /// Rows that have come: at least one, at most `most_rows`, and as few as take `most_bytes`. `None` after
    /// the last. The future may be dropped and asked for again.
    ///
    /// # Errors
    /// What the server reports, and what breaks the connection. Nothing comes after an error.
    pub(crate) async fn next(
        &mut self,
        most_rows: usize,
        most_bytes: usize,
    ) -> Result<Option<Block<'_>>> {
        self.payload.consume(std::mem::take(&mut self.handed_out));
        self.spans.clear();
        let rows = loop {
            match self.look(most_rows, most_bytes)? {
                Seen::Rows(rows, bytes) => {
                    self.handed_out = bytes;
                    break rows;
                }
                Seen::Other => {}
                Seen::Part => {
                    if self.request.is_none() {
                        return Ok(None);
                    }
                    let known = self.payload.available().len();
                    if known > self.largest_row {
                        return Err(row_too_large(self.largest_row));
                    }
                    let more = self.payload.fill(self.largest_row).await;
                    if more.map_err(|error| failure::from_io(&error, self.endpoint))? {
                        continue;
                    }
                    return match known {
                        0 => self.end().map(|()| None),
                        _ => Err(SqlServerError::protocol(
                            "the server's answer ends in the middle",
                        )),
                    };
                }
            }
        };
        Ok(Some(Block {
            bytes: self.payload.available(),
            spans: &self.spans,
            columns: &self.columns,
            rows,
        }))
    }

    /// Lets go of the rows that were handed out last, and of the room that they have taken.
    pub(crate) fn let_go(&mut self) {
        self.payload.consume(std::mem::take(&mut self.handed_out));
        self.payload.let_go();
    }

    /// The request is over; the connection takes the next one unless the server closes it.
    fn end(&mut self) -> Result<()> {
        if let Some(request) = self.request.take()
            && !self.fatal
        {
            request.done();
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn look(&mut self, most_rows: usize, most_bytes: usize) -> Result<Seen> {
        let mut reader = Reader::new(self.payload.available());
        let (mut rows, mut end) = (0, 0);
        while rows < most_rows.max(1) && (rows == 0 || end < most_bytes) {
            let nulls = match reader.u8() {
                Some(token::ROW) => None,
                Some(token::ROW_WITH_NULLS) => match reader.take(self.columns.len().div_ceil(8)) {
                    Some(nulls) => Some(nulls),
                    None => break,
                },
                Some(other) if rows == 0 => return self.other(other),
                _ => break,
            };
            if self.columns.is_empty() {
                return Err(SqlServerError::protocol(
                    "the server sent a row before it described its columns",
                ));
            }
            if locate(&mut reader, &self.columns, nulls, &mut self.spans).is_none() {
                break;
            }
            rows += 1;
            end = reader.at();
        }
        self.spans.truncate(rows * self.columns.len());
        Ok(match rows {
            0 => Seen::Part,
            rows => Seen::Rows(rows, end),
        })
    }

    /// Deals with a token that is no row.
    fn other(&mut self, token: u8) -> Result<Seen> {
        let mut reader = Reader::new(self.payload.available());
        let _token = reader.u8();
        let dealt_with = match token {
            token::COLUMNS => match columns(&mut reader)? {
                Some(_) if !self.columns.is_empty() => {
                    return Err(SqlServerError::protocol(
                        "the server sent a second result where one was asked for",
                    ));
                }
                Some(columns) => {
                    self.columns = columns;
                    Some(())
                }
                None => None,
            },
            token::DONE..=token::DONE_IN_PROCEDURE => rows_done(&mut reader).map(|rows| {
                self.affected += rows;
            }),
            token::RETURN_STATUS => reader.u32().map(drop),
            token::ERROR => server_error(&mut reader).map(|(message, text)| {
                self.fatal |= failure::is_fatal(&message);
                if self.error.is_none() {
                    self.error = Some(failure::from_server(message, &text, self.endpoint));
                }
            }),
            token::INFO
            | token::ENVIRONMENT_CHANGE
            | token::ORDER
            | token::TABLE_NAMES
            | token::COLUMN_INFO => reader
                .u16()
                .and_then(|length| reader.take(length.into()))
                .map(drop),
            other => {
                return Err(SqlServerError::protocol(format!(
                    "the server's answer was not understood (token 0x{other:02X})"
                )));
            }
        };
        let end = reader.at();
        Ok(match dealt_with {
            None => Seen::Part,
            Some(()) => {
                self.payload.consume(end);
                self.beside += end;
                if self.beside > LARGEST_BESIDE {
                    return Err(too_large(self.endpoint));
                }
                Seen::Other
            }
        })
    }
}

/// What is said of a row that has no room.
pub(crate) fn row_too_large(most: usize) -> SqlServerError {
    SqlServerError::unsupported(format!(
        "a row has more than {:.1} MiB, which is the most that is read at a time",
        most as f64 / f64::from(1 << 20)
    ))
    .with_hint(
        "allow a --memory-limit of 40 MiB and eleven times such a row, or with --parallel sixteen times for each \
         connection; or leave the column out with --exclude-columns",
    )
}

/// COLMETADATA after its token; `None` where not all of it has come.
fn columns(reader: &mut Reader<'_>) -> Result<Option<Vec<WireColumn>>> {
    /// "No metadata": never in answer to a query.
    const NONE: u16 = 0xFFFF;
    let Some(count) = reader.u16() else {
        return Ok(None);
    };
    if count == NONE {
        return Ok(Some(Vec::new()));
    }
    if count > MOST_COLUMNS {
        return Err(SqlServerError::protocol(format!(
            "the server sent a result of {count} columns, and none has more than {MOST_COLUMNS}"
        )));
    }
    let mut columns = Vec::with_capacity(count.into());
    for _ in 0..count {
        let (Some(_user_type), Some(_flags)) = (reader.u32(), reader.u16()) else {
            return Ok(None);
        };
        let Some(column) = WireColumn::read(reader)? else {
            return Ok(None);
        };
        if reader.short_text().is_none() {
            return Ok(None);
        }
        columns.push(column);
    }
    Ok(Some(columns))
}

/// DONE after its token (MS-TDS 2.2.7.6): the number of rows, where there is one.
fn rows_done(reader: &mut Reader<'_>) -> Option<u64> {
    let status = reader.u16()?;
    let _command = reader.u16()?;
    let rows = reader.u64()?;
    Some(if status & done::COUNT != 0 { rows } else { 0 })
}

/// ERROR after its token (MS-TDS 2.2.7.10), with its text.
fn server_error(reader: &mut Reader<'_>) -> Option<(ServerMessage, String)> {
    let length = reader.u16()?;
    let mut body = Reader::new(reader.take(length.into())?);
    let number = body.u32()?;
    let (state, class) = (body.u8()?, body.u8()?);
    let text = body.long_text()?;
    let _server = body.short_text()?;
    let procedure = body.short_text()?;
    let line = body.u32()?;
    let message = ServerMessage {
        number,
        class,
        state,
        procedure,
        line,
    };
    Some((message, text))
}

#[cfg(test)]
mod tests;
