//! Structures in Thrift's compact protocol, walked before anybody decodes them.
//!
//! A decoder makes room for as many elements as a list says that it has; a footer of a hundred bytes may say two
//! thousand millions. Whoever has walked the bytes knows that every element is there, and how many there are (Thrift
//! compact protocol, "List and Set", "Struct").

/// Structures within each other; Parquet's own are six deep.
const MOST_DEPTH: u32 = 32;

/// Why bytes are not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// They are no structure, or end in its middle.
    Malformed,
    /// They hold more structures than are taken.
    TooMany,
}

/// Walks a structure to its end, with at most so many structures in it. Gives its length.
pub(crate) fn walk(bytes: &[u8], most: u64) -> Result<usize, Refused> {
    let mut walk = Walk {
        rest: bytes,
        left: most,
    };
    walk.fields(0)?;
    Ok(bytes.len() - walk.rest.len())
}

/// The sizes that a page's header begins with (parquet.thrift, `PageHeader`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageSizes {
    pub(crate) dictionary: bool,
    /// Bytes as they are in the file.
    pub(crate) packed: u64,
    pub(crate) unpacked: u64,
    /// `None` for pages of neither data nor a dictionary.
    pub(crate) values: Option<u64>,
}

/// Reads what a page's header begins with, of which `bytes` are the first ones.
pub(crate) fn page_sizes(bytes: &[u8]) -> Result<PageSizes, Refused> {
    const DICTIONARY_PAGE: u64 = 2;
    const CHECKSUM: i32 = 4;
    let mut walk = Walk {
        rest: bytes,
        left: 1,
    };
    let mut number = |wanted: i32, id: &mut i32| {
        let kind = walk.field(id)?;
        match (kind, *id == wanted) {
            (Some(Kind::Number), true) => walk.natural(),
            _ => Err(Refused::Malformed),
        }
    };
    let mut id = 0;
    let kind = number(1, &mut id)?;
    let unpacked = number(2, &mut id)?;
    let packed = number(3, &mut id)?;
    // What comes next may lie behind the bytes that are here: then it is not told.
    let mut values = || {
        let mut field = walk.field(&mut id).ok()?;
        if id == CHECKSUM {
            walk.value(field?, false, 0).ok()?;
            field = walk.field(&mut id).ok()?;
        }
        let mut inner = 0;
        match (field?, id) {
            (Kind::Struct, 5 | 7 | 8) => match walk.field(&mut inner).ok()? {
                Some(Kind::Number) if inner == 1 => walk.natural().ok(),
                _ => None,
            },
            _ => None,
        }
    };
    Ok(PageSizes {
        dictionary: kind == DICTIONARY_PAGE,
        packed,
        unpacked,
        values: values(),
    })
}

/// What a field or an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Byte,
    /// Of 16, 32 or 64 bits.
    Number,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of(code: u8) -> Result<Kind, Refused> {
        Ok(match code {
            1 | 2 => Kind::Boolean,
            3 => Kind::Byte,
            4..=6 => Kind::Number,
            7 => Kind::Double,
            8 => Kind::Binary,
            9 | 10 => Kind::List,
            11 => Kind::Map,
            12 => Kind::Struct,
            13 => Kind::Uuid,
            _ => return Err(Refused::Malformed),
        })
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    /// Structures that may still come.
    left: u64,
}

impl Walk<'_> {
    fn byte(&mut self) -> Result<u8, Refused> {
        let (&first, rest) = self.rest.split_first().ok_or(Refused::Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Refused> {
        let bytes = usize::try_from(bytes).map_err(|_| Refused::Malformed)?;
        self.rest = self.rest.get(bytes..).ok_or(Refused::Malformed)?;
        Ok(())
    }

    /// A number in sevens of bits.
    fn varint(&mut self) -> Result<u64, Refused> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Refused::Malformed)
    }

    fn signed(&mut self) -> Result<i64, Refused> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn natural(&mut self) -> Result<u64, Refused> {
        u64::try_from(self.signed()?).map_err(|_| Refused::Malformed)
    }

    /// The kind of the next field, whose number `id` becomes; `None` behind the last.
    fn field(&mut self, id: &mut i32) -> Result<Option<Kind>, Refused> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        *id = match head >> 4 {
            0 => i32::try_from(self.signed()?).map_err(|_| Refused::Malformed)?,
            more => id.checked_add(i32::from(more)).ok_or(Refused::Malformed)?,
        };
        Kind::of(head & 0x0f).map(Some)
    }

    fn fields(&mut self, depth: u32) -> Result<(), Refused> {
        if depth > MOST_DEPTH {
            return Err(Refused::Malformed);
        }
        self.left = self.left.checked_sub(1).ok_or(Refused::TooMany)?;
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            self.value(kind, false, depth)?;
        }
        Ok(())
    }

    /// A field's boolean stands in its head, an element's in a byte of its own.
    fn value(&mut self, kind: Kind, element: bool, depth: u32) -> Result<(), Refused> {
        match kind {
            Kind::Boolean if element => self.pass(1),
            Kind::Boolean => Ok(()),
            Kind::Byte => self.pass(1),
            Kind::Number => self.varint().map(drop),
            Kind::Double => self.pass(8),
            Kind::Uuid => self.pass(16),
            Kind::Binary => {
                let length = self.varint()?;
                self.pass(length)
            }
            Kind::Struct => self.fields(depth + 1),
            Kind::List => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                let kind = Kind::of(head & 0x0f);
                self.elements(count, depth, |walk, depth| walk.value(kind?, true, depth))
            }
            Kind::Map => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 0x0f)?);
                self.elements(count, depth, |walk, depth| {
                    walk.value(key, true, depth)?;
                    walk.value(value, true, depth)
                })
            }
        }
    }

    fn elements(
        &mut self,
        count: u64,
        depth: u32,
        each: impl Fn(&mut Self, u32) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        // Each takes a byte at least.
        if count > self.rest.len() as u64 || depth > MOST_DEPTH {
            return Err(Refused::Malformed);
        }
        (0..count).try_for_each(|_| each(self, depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_walked_to_its_end() {
        // A number, a text, and a list of two structures of which the first has a boolean.
        let bytes = [
            0x15, 0x04, 0x18, 2, b'a', b'b', 0x19, 0x2c, 0x11, 0, 0, 0, 99,
        ];
        assert_eq!(walk(&bytes, 3), Ok(12));
        assert_eq!(walk(&bytes, 2), Err(Refused::TooMany));
        for end in 0..12 {
            let cut = bytes.get(..end).unwrap_or_default();
            assert_eq!(walk(cut, 3), Err(Refused::Malformed), "{end}");
        }
    }

    #[test]
    fn a_list_that_says_more_than_is_there_is_refused() {
        for list in [
            vec![0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0, 0],
            vec![0x1b, 0xff, 0xff, 0xff, 0xff, 7, 0x88, 0, 0],
            vec![0x18, 0xff, 0xff, 0xff, 0xff, 7, 0, 0],
        ] {
            assert_eq!(walk(&list, 1 << 40), Err(Refused::Malformed), "{list:?}");
        }
        let deep = [0x1c; 1000];
        assert_eq!(walk(&deep, 1 << 40), Err(Refused::Malformed));
        let lists = [0x19; 1000];
        assert_eq!(walk(&lists, 1 << 40), Err(Refused::Malformed));
    }

    #[test]
    fn a_page_tells_its_sizes() {
        // A page of data, V1: 300 bytes, packed 20, a checksum, 7 values.
        let data = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 40, 0x15, 1, 0x1c, 0x15, 14];
        let told = PageSizes {
            dictionary: false,
            packed: 20,
            unpacked: 300,
            values: Some(7),
        };
        assert_eq!(page_sizes(&data), Ok(told));
        // A dictionary without a checksum.
        let dictionary = [0x15, 4, 0x15, 0xd8, 0x04, 0x15, 40, 0x4c, 0x15, 2];
        let of = PageSizes {
            dictionary: true,
            values: Some(1),
            ..told
        };
        assert_eq!(page_sizes(&dictionary), Ok(of));
        let cut = data.get(..7).unwrap_or_default();
        let of = PageSizes {
            values: None,
            ..told
        };
        assert_eq!(page_sizes(cut), Ok(of));
        // A size below zero, a size that is a text, and none.
        for wrong in [
            &[0x15, 0, 0x15, 3, 0x15, 40][..],
            &[0x15, 0, 0x18, 2, 0, 0, 0x15, 40],
            &[0x15, 0, 0x25, 2],
            &[0],
        ] {
            assert_eq!(page_sizes(wrong), Err(Refused::Malformed), "{wrong:?}");
        }
    }
}
