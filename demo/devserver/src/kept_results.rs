//! Results kept as they were encoded, to be sent again while nothing that they depend on has changed.
//!
//! The development server computes and encodes rows more slowly than a good client reads them. Where a client
//! is to be measured, and not this server, the same query is answered from here from its second time on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use icehost_devengine::ResultIdentity;

/// What a result's bytes follow from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) identity: ResultIdentity,
    /// Whether rows may come with NULL bitmaps, which the client's protocol version decides.
    pub(crate) null_compression: bool,
}

/// A result: COLMETADATA and the rows.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    /// Cut between tokens.
    pub(crate) pieces: Arc<[Bytes]>,
    pub(crate) rows: u64,
}

#[derive(Debug)]
struct Kept {
    encoded: Encoded,
    bytes: usize,
    /// When it was last asked for, as a count of requests.
    used: u64,
}

#[derive(Debug, Default)]
struct State {
    results: HashMap<Key, Kept>,
    bytes: usize,
    requests: u64,
    replayed: u64,
}

/// The results of one server, up to a limit of bytes.
#[derive(Debug)]
pub(crate) struct KeptResults {
    limit: usize,
    state: Mutex<State>,
}

impl KeptResults {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// The longest result worth recording, in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Encoded> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        let now = state.requests;
        let kept = state.results.get_mut(key)?;
        kept.used = now;
        let encoded = kept.encoded.clone();
        state.replayed += 1;
        Some(encoded)
    }

    /// How many results were found here.
    pub(crate) fn replayed(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.replayed
    }

    /// Keeps a result, in the place of those that no query can have any more and then of those that nobody
    /// has asked for the longest.
    pub(crate) fn keep(&self, key: Key, encoded: Encoded) {
        let bytes = encoded.pieces.iter().map(Bytes::len).sum();
        if bytes > self.limit {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.results.retain(|key, _| key.identity.is_current());
        // Another session may have recorded the same meanwhile.
        state.results.remove(&key);
        state.bytes = state.results.values().map(|kept| kept.bytes).sum();
        while state.bytes + bytes > self.limit {
            let oldest = state
                .results
                .iter()
                .min_by_key(|(_, kept)| kept.used)
                .map(|(key, kept)| (key.clone(), kept.bytes));
            let Some((oldest, freed)) = oldest else {
                break;
            };
            state.results.remove(&oldest);
            state.bytes -= freed;
        }
        state.bytes += bytes;
        let used = state.requests;
        state.results.insert(
            key,
            Kept {
                encoded,
                bytes,
                used,
            },
        );
    }
}

/// A result that is being sent for the first time.
#[derive(Debug)]
pub(crate) struct Recording {
    key: Key,
    pieces: Vec<Bytes>,
    bytes: usize,
    rows: u64,
}

impl Recording {
    pub(crate) fn new(key: Key) -> Self {
        Self {
            key,
            pieces: Vec::new(),
            bytes: 0,
            rows: 0,
        }
    }

    /// Whether no row has come yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0 && self.pieces.is_empty()
    }

    pub(crate) fn row(&mut self) {
        self.rows += 1;
    }

    /// Takes the next bytes; false once there are more of them than `results` keeps.
    pub(crate) fn take(&mut self, piece: &Bytes, results: &KeptResults) -> bool {
        self.bytes += piece.len();
        self.pieces.push(piece.clone());
        self.bytes <= results.limit()
    }

    /// The result is complete.
    pub(crate) fn keep(self, results: &KeptResults) {
        let encoded = Encoded {
            pieces: self.pieces.into(),
            rows: self.rows,
        };
        results.keep(self.key, encoded);
    }
}
