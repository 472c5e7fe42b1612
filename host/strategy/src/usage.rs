//! What calls used, for those who measure.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use wasmtime::Store;

use crate::call::Guest;

/// What the calls of a runtime's strategies used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Calls into components.
    pub calls: u64,
    /// The most linear memory that one of them had, in bytes.
    pub memory_bytes: usize,
    /// Instructions that they executed together, roughly; `None` where they are not counted.
    pub fuel: Option<u64>,
}

/// Adds up what calls used.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    memory: AtomicUsize,
    fuel: AtomicU64,
    has_fuel: AtomicBool,
}

impl Counters {
    /// Counts a call that has ended.
    pub(crate) fn add(&self, store: &Store<Guest>, memory: usize) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.memory.fetch_max(memory, Ordering::Relaxed);
        if let Ok(left) = store.get_fuel() {
            self.has_fuel.store(true, Ordering::Relaxed);
            self.fuel.fetch_add(u64::MAX - left, Ordering::Relaxed);
        }
    }

    /// What was counted since the last time.
    pub(crate) fn take(&self) -> Usage {
        let fuel = self.fuel.swap(0, Ordering::Relaxed);
        Usage {
            calls: self.calls.swap(0, Ordering::Relaxed),
            memory_bytes: self.memory.swap(0, Ordering::Relaxed),
            fuel: self.has_fuel.swap(false, Ordering::Relaxed).then_some(fuel),
        }
    }
}
