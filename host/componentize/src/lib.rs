//! builds strategy crates into WebAssembly components
