//! the timestamp strategy
