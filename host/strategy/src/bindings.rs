//! What wasmtime makes of the contract: its types. Functions are found by name (`functions.rs`), since those of
//! the present version and of the previous one differ in little more.

#![allow(missing_docs, unreachable_pub, dead_code)]

mod detector {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "change-detector",
        imports: { default: trappable },
        exports: { default: async },
    });
}

mod merger {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "merger",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "icehost:strategy/types": super::detector::icehost::strategy::types,
            "icehost:strategy/logging": super::detector::icehost::strategy::logging,
        },
    });
}

mod transformer {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "batch-transformer",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "icehost:strategy/types": super::detector::icehost::strategy::types,
            "icehost:strategy/logging": super::detector::icehost::strategy::logging,
        },
    });
}

/// Version 0.1.0: other than the present one in `logging`'s name and in the types of `merge`.
pub(crate) mod previous {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1.0",
        world: "merger",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "icehost:strategy/types": super::detector::icehost::strategy::types,
        },
    });
    pub(crate) use exports::icehost::strategy::merge;
    pub(crate) use icehost::strategy::logging;
}

pub(crate) use detector::exports::icehost::strategy::change_detection as detection;
pub(crate) use detector::exports::icehost::strategy::metadata;
pub(crate) use detector::icehost::strategy::{logging, types};
pub(crate) use merger::exports::icehost::strategy::merge;
pub(crate) use transformer::exports::icehost::strategy::batch_transform as transform;
