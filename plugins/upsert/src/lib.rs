//! the upsert strategy
