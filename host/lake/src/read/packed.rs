//! Bytes that are packed in files of metadata: what they unpack to is counted before anybody unpacks them.
//!
//! A megabyte of zeros is packed in a kilobyte, and the library unpacks whatever there is.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, GzDecoder};

/// Refuses a gzipped file that unpacks to more than so many bytes. What is not gzipped is as large as it is.
pub(crate) fn check_gzip(bytes: &[u8], most: u64) -> io::Result<()> {
    match bytes.starts_with(&[0x1f, 0x8b]) {
        true => count(GzDecoder::new(bytes), most).map(drop),
        false => Ok(()),
    }
}

/// Refuses an Avro file whose blocks unpack to more than so many bytes in all. One that is damaged is left to whoever
/// decodes it, as far as it says what it is (Avro specification, "Object Container Files").
pub(crate) fn check_avro(bytes: &[u8], most: u64) -> io::Result<()> {
    let mut file = Avro { rest: bytes };
    let Some(codec) = file.codec() else {
        return Ok(());
    };
    let mut left = most;
    while let Some(block) = file.block() {
        let unpacked = match codec {
            b"deflate" => count(DeflateDecoder::new(block), left)?,
            b"zstandard" => count(zstd::Decoder::new(block)?, left)?,
            b"snappy" => snappy(block)?,
            _ => block.len() as u64,
        };
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| icehost_untrusted::too_large(most))?;
    }
    Ok(())
}

/// How much can be read, if that is no more than `most`. What cannot be unpacked counts as far as it can.
fn count(packed: impl Read, most: u64) -> io::Result<u64> {
    let mut unpacked = packed.take(most.saturating_add(1));
    let mut buffer = [0; 16 << 10];
    let mut all = 0;
    loop {
        match unpacked.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => all += read as u64,
        }
    }
    match all > most {
        true => Err(icehost_untrusted::too_large(most)),
        false => Ok(all),
    }
}

/// What a block says that it unpacks to: room is made for it. It begins with that, and ends with a checksum.
fn snappy(block: &[u8]) -> io::Result<u64> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a block of it has no content");
    let content = block.len().checked_sub(4).and_then(|end| block.get(..end));
    let mut size = 0u64;
    for (at, byte) in content.ok_or_else(wrong)?.iter().take(5).enumerate() {
        size |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(size);
        }
    }
    Err(wrong())
}

struct Avro<'a> {
    rest: &'a [u8],
}

impl<'a> Avro<'a> {
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let length = usize::try_from(length).ok()?;
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn long(&mut self) -> Option<i64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let &[byte] = self.take(1)? else { return None };
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.long()?;
        self.take(u64::try_from(length).ok()?)
    }

    /// Reads the header; gives the name of what packs the blocks.
    fn codec(&mut self) -> Option<&'a [u8]> {
        let mut codec: &[u8] = b"null";
        if self.take(4)? != b"Obj\x01" {
            return None;
        }
        loop {
            let count = self.long()?;
            if count == 0 {
                break;
            }
            if count < 0 {
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                let (key, value) = (self.bytes()?, self.bytes()?);
                if key == b"avro.codec" {
                    codec = value;
                }
            }
        }
        // The marker between blocks.
        self.take(16)?;
        Some(codec)
    }

    /// The next block's content.
    fn block(&mut self) -> Option<&'a [u8]> {
        let _rows = self.long()?;
        let block = self.bytes()?;
        self.take(16)?;
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder};

    use super::*;

    const SIZE: u64 = 1 << 20;

    fn text(bytes: &[u8]) -> Vec<u8> {
        let mut text = vec![(bytes.len() as u8) << 1];
        text.extend(bytes);
        text
    }

    fn long(value: u64) -> Vec<u8> {
        let mut rest = value << 1;
        let mut bytes = Vec::new();
        while rest > 0x7f {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    }

    /// An Avro file of blocks that are packed already.
    fn avro(codec: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
        let mut file = b"Obj\x01\x02".to_vec();
        file.extend(text(b"avro.codec"));
        file.extend(text(codec));
        file.push(0);
        file.extend([7; 16]);
        for block in blocks {
            file.push(2);
            file.extend(long(block.len() as u64));
            file.extend(block);
            file.extend([7; 16]);
        }
        file
    }

    fn deflated() -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&[0; SIZE as usize]).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_unpacks_to_more_is_refused() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&[0; SIZE as usize]).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(gzip.len() < 2000);
        check_gzip(&gzip, SIZE).unwrap();
        let error = check_gzip(&gzip, SIZE - 1).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 1048575 bytes");
        check_gzip(b"{}", 1).unwrap();

        let zstd = zstd::encode_all(&[0; SIZE as usize][..], 3).unwrap();
        let snappy = [&[0x80, 0x80, 0x40][..], &[0; 20]].concat();
        for (codec, block) in [
            (&b"deflate"[..], deflated()),
            (b"zstandard", zstd),
            (b"snappy", snappy),
            (b"null", vec![0; SIZE as usize]),
        ] {
            // Each block alone would be let through.
            let two = avro(codec, &[block.clone(), block]);
            check_avro(&two, 2 * SIZE).unwrap();
            check_avro(&two, 2 * SIZE - 1).unwrap_err();
        }
    }

    #[test]
    fn a_block_without_content_is_no_panic_of_the_library() {
        check_avro(&avro(b"snappy", &[vec![1, 2]]), SIZE).unwrap_err();
        check_avro(&avro(b"snappy", &[vec![0xff; 20]]), SIZE).unwrap_err();
    }

    #[test]
    fn damaged_files_are_left_to_who_decodes_them() {
        let file = avro(b"deflate", &[deflated()]);
        for end in 0..file.len() {
            check_avro(file.get(..end).unwrap(), SIZE).unwrap();
        }
        check_avro(b"no Avro", 1).unwrap();
    }
}
