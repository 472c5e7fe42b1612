//! Rows and keys, remembered by their hashes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// 128 bits.
pub(crate) type Hash = u128;

/// Two independently keyed SipHashes: for two of a thousand million rows to collide by chance is as likely as one
/// in 10^20, and nobody can choose values that do.
#[derive(Default)]
pub(crate) struct Hasher(RandomState, RandomState);

impl Hasher {
    pub(crate) fn hash(&self, bytes: &[u8]) -> Hash {
        Hash::from(self.0.hash_one(bytes)) << 64 | Hash::from(self.1.hash_one(bytes))
    }
}
