//! the WebAssembly host: a component in, a validated plan out
