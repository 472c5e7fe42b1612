#![allow(clippy::unwrap_used)]
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::checksum::digits;

/// A file in memory that can be damaged while it is open.
#[derive(Debug, Clone)]
struct Fragile(Arc<Mutex<Vec<u8>>>);

impl StoredFile for Fragile {
    fn length(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap();
        let mut from = bytes.get(place as usize..).unwrap_or_default();
        from.read_exact(into)
    }
}

/// A file under its checksums, and what is below them.
struct Both(CheckedFile, Fragile);

impl std::ops::Deref for Both {
    type Target = CheckedFile;

    fn deref(&self) -> &CheckedFile {
        &self.0
    }
}

/// Blocks of any bytes and an end, as if a footer had told their checksums.
fn checked(bytes: &[u8], end: u64) -> Both {
    let file = Fragile(Arc::new(Mutex::new(bytes.to_vec())));
    let blocks = OnceLock::new();
    let covered = bytes.get(..end as usize).unwrap();
    let sums: Vec<u32> = covered.chunks(BLOCK).map(crc32fast::hash).collect();
    let _empty = blocks.set(Blocks {
        checked: sums.iter().map(|_| AtomicBool::new(false)).collect(),
        sums,
        end,
    });
    let checked = CheckedFile(Arc::new(Checked {
        file: Box::new(file.clone()),
        length: bytes.len() as u64,
        end: None,
        blocks,
        damage: OnceLock::new(),
    }));
    Both(checked, file)
}

fn damage(Both(_, file): &Both, at: u64) {
    file.0.lock().unwrap()[at as usize] = 0xff;
}

/// Bytes of which none is 0xff.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

#[test]
fn a_sum_is_read_as_it_is_written() {
    for sum in [0, 1, 0xdead_beef, u32::MAX] {
        assert_eq!(from_digits(digits(sum).as_bytes()), Some(sum));
    }
    for odd in ["", "0000000", "000000000", "+0000000", "0000000A"] {
        assert_eq!(from_digits(odd.as_bytes()), None, "{odd}");
    }
}

#[test]
fn a_block_is_checked_once_and_before_it_is_handed_out() {
    let bytes = content(3 * BLOCK);
    let file = checked(&bytes, bytes.len() as u64);
    file.get_bytes(10, 20).unwrap();
    // What was checked is not checked again; its neighbour has not been.
    damage(&file, 5);
    damage(&file, BLOCK as u64 + 5);
    assert_eq!(file.get_bytes(10, 20).unwrap(), bytes[10..30]);
    let error = file.get_bytes(BLOCK as u64 - 1, 2).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    let damaged = file.damage_found().unwrap();
    assert_eq!(*damaged, BLOCK as u64..2 * BLOCK as u64);
}

#[test]
fn reading_beyond_the_end_is_an_error_and_not_a_panic() {
    let bytes = content(100);
    let file = checked(&bytes, 90);
    assert!(file.get_bytes(90, 11).is_err());
    assert!(file.get_bytes(u64::MAX, 1).is_err());
    assert_eq!(file.get_bytes(100, 0).unwrap().len(), 0);
    let mut read = Vec::new();
    file.get_read(200).unwrap().read_to_end(&mut read).unwrap();
    assert!(read.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_way_of_reading_gives_the_bytes(
        length in 1..4 * BLOCK,
        behind in 0..BLOCK,
        reads in prop::collection::vec(
            (any::<bool>(), any::<prop::sample::Index>(), 1..3 * BLOCK), 1..12),
        step in prop::sample::select(vec![64usize, 1000, SMALL, BLOCK, 2 * BLOCK]),
    ) {
        let bytes = content(length + behind);
        let file = checked(&bytes, length as u64);
        for (streamed, at, count) in reads {
            let at = at.index(bytes.len());
            let count = count.min(bytes.len() - at);
            let expected = &bytes[at..at + count];
            if streamed {
                let mut reader = file.get_read(at as u64).unwrap();
                let mut read = vec![0; count];
                for part in read.chunks_mut(step) {
                    reader.read_exact(part).unwrap();
                }
                prop_assert_eq!(read, expected);
            } else {
                prop_assert_eq!(file.get_bytes(at as u64, count).unwrap(), expected);
            }
        }
    }

    #[test]
    fn no_way_of_reading_gives_a_damaged_byte(
        length in 1..3 * BLOCK,
        at in any::<prop::sample::Index>(),
        streamed in any::<bool>(),
        from in any::<prop::sample::Index>(),
    ) {
        let file = checked(&content(length), length as u64);
        let at = at.index(length);
        damage(&file, at as u64);
        let from = from.index(at + 1);
        let count = at + 1 - from;
        if streamed {
            let mut reader = file.get_read(from as u64).unwrap();
            prop_assert!(reader.read_exact(&mut vec![0; count]).is_err());
        } else {
            prop_assert!(file.get_bytes(from as u64, count).is_err());
        }
        prop_assert!(file.damage_found().unwrap().contains(&(at as u64)));
    }
}
