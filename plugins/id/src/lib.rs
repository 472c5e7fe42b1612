//! the id strategy
