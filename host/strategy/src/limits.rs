//! How much a strategy may use.

use std::fmt;
use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What a strategy may use in one call. Each call starts from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Size of a component's file, in bytes.
    pub component_bytes: usize,
    /// All linear memories together, in bytes.
    pub memory_bytes: usize,
    /// All tables together, in elements.
    pub table_elements: usize,
    /// Core instances, and as many memories and tables.
    pub instances: usize,
    /// Time until a call is ended.
    pub deadline: Duration,
    /// What one call returns or logs, in bytes of the host's memory, roughly.
    pub result_bytes: usize,
    /// Log messages that are kept, per call.
    pub log_lines: usize,
    /// Text in log messages that is kept, per call, in bytes.
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // CPython takes 18 MiB, with what it imports somewhat more.
            component_bytes: 32 << 20,
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            // CPython and its libraries are more than 16.
            instances: 64,
            deadline: Duration::from_secs(5),
            result_bytes: 1 << 20,
            log_lines: 100,
            log_bytes: 32 << 10,
        }
    }
}

/// A component asked for more than it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Memory { limit: usize, wanted: usize },
    Tables { limit: usize },
    Deadline,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exceeded::Memory { limit, .. } => write!(f, "more than {limit} bytes of memory"),
            Exceeded::Tables { limit } => write!(f, "more than {limit} table elements"),
            Exceeded::Deadline => f.write_str("past its deadline"),
        }
    }
}

impl std::error::Error for Exceeded {}

/// Counts what one call uses. A request over the limit ends the call, rather than failing within the guest,
/// so that the error names the limit.
#[derive(Debug)]
pub(crate) struct Meter {
    memory: Budget,
    tables: Budget,
    instances: usize,
}

#[derive(Debug)]
struct Budget {
    used: usize,
    limit: usize,
}

impl Budget {
    /// What would be used if one part grew from `current` to `desired`.
    fn wanted(&self, current: usize, desired: usize) -> usize {
        self.used.saturating_add(desired.saturating_sub(current))
    }

    /// Grows one part from `current` to `desired`.
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.wanted(current, desired);
        let fits = used <= self.limit;
        if fits {
            self.used = used;
        }
        fits
    }
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let budget = |limit| Budget { used: 0, limit };
        Meter {
            memory: budget(limits.memory_bytes),
            tables: budget(limits.table_elements),
            instances: limits.instances,
        }
    }
}

impl Meter {
    /// The linear memory that the call has, in bytes. Memory only grows, so it is the most that it had.
    pub(crate) fn memory(&self) -> usize {
        self.memory.used
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if self.memory.grow(current, desired) {
            return Ok(true);
        }
        Err(wasmtime::Error::new(Exceeded::Memory {
            limit: self.memory.limit,
            wanted: self.memory.wanted(current, desired),
        }))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if self.tables.grow(current, desired) {
            return Ok(true);
        }
        Err(wasmtime::Error::new(Exceeded::Tables {
            limit: self.tables.limit,
        }))
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together() {
        let mut meter = Meter::new(&Limits {
            memory_bytes: 100,
            ..Limits::default()
        });
        assert!(meter.memory_growing(0, 60, None).unwrap());
        let error = meter.memory_growing(0, 41, None).unwrap_err();
        assert_eq!(
            error.downcast_ref::<Exceeded>(),
            Some(&Exceeded::Memory {
                limit: 100,
                wanted: 101
            })
        );
        assert!(meter.memory_growing(60, 100, None).unwrap());
    }

    #[test]
    fn a_memory_at_its_own_maximum_is_the_guest_s_affair() {
        let mut meter = Meter::new(&Limits::default());
        assert!(!meter.memory_growing(10, 30, Some(20)).unwrap());
    }
}
