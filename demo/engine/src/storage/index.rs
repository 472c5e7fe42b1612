//! Hash indexes over unique keys, sharded so that copying one for a new version is cheap.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::RowId;

/// The keys are hashes already.
#[derive(Debug, Default, Clone, Copy)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[derive(Debug, Clone, Default)]
struct Shard {
    first: HashMap<u64, RowId, BuildHasherDefault<Identity>>,
    /// Further rows whose different keys hash alike.
    collided: Vec<(u64, RowId)>,
}

const SHARD_TARGET: usize = 512;

/// Maps the hash of a key to the rows that may hold it; the caller compares the keys.
#[derive(Debug, Clone)]
pub(crate) struct HashIndex {
    shards: Vec<Arc<Shard>>,
    len: usize,
}

impl Default for HashIndex {
    fn default() -> Self {
        Self {
            shards: vec![Arc::new(Shard::default())],
            len: 0,
        }
    }
}

impl HashIndex {
    fn shard_of(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.shards.len() - 1)
    }

    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = RowId> + '_ {
        let shard = &self.shards[self.shard_of(hash)];
        let further = shard
            .collided
            .iter()
            .filter(move |(other, _)| *other == hash)
            .map(|(_, id)| *id);
        shard.first.get(&hash).copied().into_iter().chain(further)
    }

    pub(crate) fn insert(&mut self, hash: u64, id: RowId) {
        if self.len >= self.shards.len() * SHARD_TARGET {
            self.split();
        }
        let number = self.shard_of(hash);
        let shard = Arc::make_mut(&mut self.shards[number]);
        match shard.first.entry(hash) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(id);
            }
            std::collections::hash_map::Entry::Occupied(_) => shard.collided.push((hash, id)),
        }
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, hash: u64, id: RowId) {
        let number = self.shard_of(hash);
        let shard = Arc::make_mut(&mut self.shards[number]);
        if let Some(place) = shard.collided.iter().position(|entry| *entry == (hash, id)) {
            shard.collided.swap_remove(place);
            self.len -= 1;
        } else if shard.first.get(&hash) == Some(&id) {
            shard.first.remove(&hash);
            if let Some(place) = shard.collided.iter().position(|(other, _)| *other == hash) {
                let (_, next) = shard.collided.swap_remove(place);
                shard.first.insert(hash, next);
            }
            self.len -= 1;
        }
    }

    fn split(&mut self) {
        let old = std::mem::take(&mut self.shards);
        let count = old.len() * 4;
        let mut shards: Vec<Shard> = Vec::new();
        shards.resize_with(count, Shard::default);
        for shard in old {
            for (&hash, &id) in &shard.first {
                shards[(hash >> 40) as usize & (count - 1)]
                    .first
                    .insert(hash, id);
            }
            for &(hash, id) in &shard.collided {
                shards[(hash >> 40) as usize & (count - 1)]
                    .collided
                    .push((hash, id));
            }
        }
        self.shards = shards.into_iter().map(Arc::new).collect();
    }
}
