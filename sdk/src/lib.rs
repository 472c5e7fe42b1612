//! write icehost strategies in Rust
