//! What wasmtime makes of the contract: one module per world, sharing the vocabulary.

#![allow(missing_docs, unreachable_pub)]

pub(crate) mod detector {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "change-detector",
        imports: { default: trappable },
        exports: { default: async },
    });
}

pub(crate) mod merger {
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

pub(crate) use detector::exports::icehost::strategy::change_detection as detection;
pub(crate) use detector::icehost::strategy::{logging, types};
pub(crate) use merger::exports::icehost::strategy::merge;
