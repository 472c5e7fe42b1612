//! the strategies that icehost ships, as components
