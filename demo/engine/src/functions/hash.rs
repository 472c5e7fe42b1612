//! HASHBYTES.

use sha2::{Digest, Sha256, Sha512};

use super::{Call, NAME, call, text};
use crate::bind::{Binder, Typed};
use crate::context::Context;
use crate::convert::{Excess, convert};
use crate::error::{SqlResult, unsupported_function};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

/// What HASHBYTES hashes: the bytes of a binary, the code page's of a `varchar`, UTF-16 of an `nvarchar`.
const BYTES: SqlType = SqlType::VarBinary { length: None };

/// T-SQL reference, HASHBYTES: since SQL Server 2016 of any length; NULL of NULL.
fn hashbytes(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(algorithm), Datum::Binary(input)) = (
        text(&arguments[0]),
        convert(&arguments[1], &BYTES, 0, Excess::Refuse)?,
    ) else {
        return Ok(Datum::Null);
    };
    let hash: Vec<u8> = match algorithm.to_ascii_uppercase().as_str() {
        "SHA2_256" => Sha256::digest(&input).to_vec(),
        "SHA2_512" => Sha512::digest(&input).to_vec(),
        "MD5" => md5(&input).to_vec(),
        "SHA" | "SHA1" => sha1(&input).to_vec(),
        "MD2" | "MD4" => {
            return Err(unsupported_function(&format!(
                "HASHBYTES('{algorithm}', ...)"
            )));
        }
        _ => return Ok(Datum::Null),
    };
    Ok(Datum::Binary(hash.into()))
}

/// The message in blocks of 64 bytes, padded as MD5 and SHA-1 are; `length` is the length in bits as they write
/// it.
fn blocks(input: &[u8], length: [u8; 8]) -> Vec<u8> {
    let mut padded = input.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&length);
    padded
}

/// The words of a block.
fn words(block: &[u8], read: fn([u8; 4]) -> u32) -> Vec<u32> {
    let (words, _) = block.as_chunks::<4>();
    words.iter().map(|word| read(*word)).collect()
}

/// RFC 1321.
fn md5(input: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let bits = (input.len() as u64).wrapping_mul(8);
    for block in blocks(input, bits.to_le_bytes()).chunks_exact(64) {
        let words = words(block, u32::from_le_bytes);
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64usize {
            let (mixed, word) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a
                .wrapping_add(mixed)
                .wrapping_add(constant)
                .wrapping_add(words[word]);
            let turned = sum.rotate_left(SHIFTS[step / 16][step % 4]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
        }
        for (word, value) in state.iter_mut().zip([a, b, c, d]) {
            *word = word.wrapping_add(value);
        }
    }
    let mut hash = [0; 16];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    hash
}

/// RFC 3174.
fn sha1(input: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    let bits = (input.len() as u64).wrapping_mul(8);
    for block in blocks(input, bits.to_be_bytes()).chunks_exact(64) {
        let mut words = words(block, u32::from_be_bytes);
        for at in 16..80 {
            let word = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
            words.push(word.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (step, word) in words.iter().enumerate() {
            let (mixed, constant) = match step / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999u32),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let sum = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(*word)
                .wrapping_add(constant);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        for (word, value) in state.iter_mut().zip([a, b, c, d, e]) {
            *word = word.wrapping_add(value);
        }
    }
    let mut hash = [0; 20];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

pub(super) fn bind(binder: &mut Binder<'_>, of: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    if of.name != "hashbytes" {
        return Ok(None);
    }
    of.takes(2, 2)?;
    let hashed = &of.arguments[1];
    let takes = hashed.sql_type.is_text()
        || matches!(
            hashed.sql_type,
            SqlType::Binary { .. } | SqlType::VarBinary { .. }
        );
    if !takes && !hashed.untyped_null {
        return Err(SqlError::new(
            8116,
            16,
            1,
            format!(
                "Argument data type {} is invalid for argument 2 of hashbytes function.",
                hashed.sql_type.name()
            ),
        ));
    }
    let bytes = std::mem::take(&mut of.arguments);
    let mut converted = Vec::new();
    for (place, argument) in bytes.into_iter().enumerate() {
        converted.push(if place == 0 {
            argument.convert_to(&NAME)?.expr
        } else {
            argument.expr
        });
    }
    let result = SqlType::VarBinary { length: Some(8000) };
    Ok(Some(call(binder, hashbytes, converted, result, true)))
}
