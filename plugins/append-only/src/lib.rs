//! the append-only strategy
