//! The pages of a data file, looked at before they are unpacked.
//!
//! A page says in its header how large it is, and is unpacked to no more than that: a page of a kilobyte may say two
//! gigabytes, and hold them. So the reader gets to see no header of a page that has no room beside the other columns'.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use crate::checksum::checked_file::{CheckedFile, CheckedRead};
use crate::read::room::{NoRoom, Room};
use crate::read::thrift::page_sizes;

/// Bytes of a header that tell its sizes; more than any writer needs for them.
const BEGINNING: u64 = 64;

/// A file of which the pages of some columns are read, of row groups that follow each other.
#[derive(Clone)]
pub(crate) struct Pages {
    file: CheckedFile,
    /// Pages are read by their index, each with its header.
    indexed: bool,
    open: Arc<Open>,
}

struct Open {
    room: Room,
    /// Where the columns' chunks begin, in ascending order, and which of the columns each is.
    chunks: Vec<(u64, usize)>,
    columns: Mutex<Vec<Column>>,
    refused: OnceLock<NoRoom>,
}

/// What a column has open.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    dictionary: u64,
    page: u64,
    /// What each value takes, on average.
    value: u64,
}

impl Pages {
    /// `leaves` are the columns that are read, by their place in the row groups.
    pub(crate) fn new(
        file: &CheckedFile,
        footer: &ParquetMetaData,
        groups: std::ops::Range<usize>,
        leaves: &[usize],
        room: Room,
    ) -> Pages {
        let index = footer.offset_index();
        let indexed = groups
            .clone()
            .any(|group| index.is_some_and(|i| i.get(group).is_some_and(|i| !i.is_empty())));
        let groups = footer.row_groups().get(groups).unwrap_or_default();
        let chunks = groups.iter().flat_map(|group| {
            let chunks = leaves.iter().enumerate();
            chunks.filter_map(|(at, &leaf)| Some((group.columns().get(leaf)?.byte_range().0, at)))
        });
        let mut chunks: Vec<(u64, usize)> = chunks.collect();
        chunks.sort_unstable();
        Pages {
            file: file.clone(),
            indexed,
            open: Arc::new(Open {
                room,
                chunks,
                columns: Mutex::new(vec![Column::default(); leaves.len()]),
                refused: OnceLock::new(),
            }),
        }
    }

    /// The same pages read one after the other, with no regard to their index.
    pub(crate) fn in_turn(&self) -> Pages {
        Pages {
            indexed: false,
            ..self.clone()
        }
    }

    /// What had no room.
    pub(crate) fn refused(&self) -> Option<NoRoom> {
        self.open.refused.get().copied()
    }
}

impl Open {
    /// Takes note of the page whose header begins so.
    fn admit(&self, place: u64, beginning: &[u8]) -> io::Result<()> {
        let sizes = page_sizes(beginning).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "a page does not tell its size")
        })?;
        let before = self.chunks.partition_point(|(start, _)| *start <= place);
        let chunk = before.checked_sub(1).and_then(|at| self.chunks.get(at));
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let column = chunk.and_then(|(_, column)| columns.get_mut(*column));
        if let Some(column) = column {
            let value = sizes
                .values
                .map_or(0, |values| sizes.unpacked / values.max(1));
            *column = match sizes.dictionary {
                true => Column {
                    dictionary: sizes.unpacked,
                    page: 0,
                    value,
                },
                false => Column {
                    page: sizes.unpacked,
                    value,
                    ..*column
                },
            };
        }
        let each = |of: fn(&Column) -> u64| columns.iter().map(of).fold(0, u64::saturating_add);
        let row = each(|column| column.value);
        let open = each(|column| column.dictionary.saturating_add(column.page));
        let open = open.saturating_add(sizes.packed);
        if row > self.room.row {
            return Err(self.refuse(NoRoom::Row(row)));
        }
        match open > self.room.pages {
            true => Err(self.refuse(NoRoom::Pages(open))),
            false => Ok(()),
        }
    }

    fn refuse(&self, what: NoRoom) -> io::Error {
        let _first = self.refused.set(what);
        io::Error::new(io::ErrorKind::OutOfMemory, "a page has no room")
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Pages {
    type T = PageRead;

    /// A page's header begins there, or nothing is read of it.
    fn get_read(&self, start: u64) -> ParquetResult<PageRead> {
        Ok(PageRead {
            rest: self.file.get_read(start)?,
            place: start,
            beginning: None,
            open: Arc::clone(&self.open),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let packed = length as u64;
        if packed > self.open.room.pages {
            return Err(ParquetError::External(Box::new(
                self.open.refuse(NoRoom::Pages(packed)),
            )));
        }
        if self.indexed {
            let mut beginning = Vec::new();
            let header = self.file.get_read(start)?;
            header
                .take(BEGINNING.min(packed))
                .read_to_end(&mut beginning)?;
            self.open.admit(start, &beginning)?;
        }
        self.file.get_bytes(start, length)
    }
}

/// Reads on from the header of a page.
pub(crate) struct PageRead {
    rest: CheckedRead,
    place: u64,
    /// What was read to be looked at; nothing has been yet.
    beginning: Option<Cursor<Vec<u8>>>,
    open: Arc<Open>,
}

impl Read for PageRead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let beginning = match &mut self.beginning {
            Some(beginning) => beginning,
            None => {
                let mut read = Vec::with_capacity(BEGINNING as usize);
                (&mut self.rest).take(BEGINNING).read_to_end(&mut read)?;
                self.open.admit(self.place, &read)?;
                self.beginning.insert(Cursor::new(read))
            }
        };
        match beginning.read(into)? {
            0 => self.rest.read(into),
            read => Ok(read),
        }
    }
}
