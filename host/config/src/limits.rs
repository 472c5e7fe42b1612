//! What a run may take: memory, attempts, time, rows that go.

use std::time::Duration;

use crate::section::Layers;

/// How often a run starts again.
pub const DEFAULT_RETRIES: u32 = 4;

/// What a run may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Memory that a batch of rows may take, in MiB.
    pub batch_size: Option<u32>,
    /// How often a run starts again after failures that pass.
    pub retries: u32,
    /// How long its servers are waited for.
    pub waits: Waits,
    /// The largest share of a table that may go because a complete read did not find it, in percent; `None`
    /// for the default.
    pub deletions: Option<u8>,
}

/// How long servers are waited for; `None` for the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// For more of an answer that has begun.
    pub idle: Option<Duration>,
    /// For the beginning of an answer.
    pub query: Option<Duration>,
    /// For a lock.
    pub lock: Option<Duration>,
    /// For a server that is away.
    pub reconnect: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: None,
            batch_size: None,
            retries: DEFAULT_RETRIES,
            waits: Waits::default(),
            deletions: None,
        }
    }
}

impl Limits {
    /// What a file says of them.
    pub(crate) fn read(layers: &Layers<'_>) -> Limits {
        Limits {
            memory: layers.count("memory-limit"),
            batch_size: layers.small_count("batch-size"),
            retries: layers.small_count("retries").unwrap_or(DEFAULT_RETRIES),
            waits: Waits {
                idle: layers.seconds("idle-timeout"),
                query: layers.seconds("query-timeout"),
                lock: layers.seconds("lock-timeout"),
                reconnect: layers.seconds("reconnect-timeout"),
            },
            deletions: layers
                .count("delete-limit")
                .and_then(|percent| u8::try_from(percent).ok()),
        }
    }
}
