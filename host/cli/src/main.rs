//! `icehost`, the command line.
fn main() {}
