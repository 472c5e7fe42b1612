//! What wasmtime makes of the contract: its types. Functions are found by name (`functions.rs`), since those of
//! the present version and of those before it differ in little more.

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

/// What differs from the present version in those before it.
pub(crate) mod previous {
    /// 0.1.0: `logging`'s name and the types of `merge`; its probes are those of 0.2.0.
    pub(crate) mod first {
        wasmtime::component::bindgen!({
            path: "../../wit/0.1.0",
            world: "merger",
            imports: { default: trappable },
            exports: { default: async },
            with: {
                "icehost:strategy/types": super::super::detector::icehost::strategy::types,
            },
        });
        pub(crate) use exports::icehost::strategy::merge;
        pub(crate) use icehost::strategy::logging;
    }

    /// 0.2.0: `logging`'s name and the probes of `change-detection`.
    pub(crate) mod second {
        wasmtime::component::bindgen!({
            path: "../../wit/0.2.0",
            world: "change-detector",
            imports: { default: trappable },
            exports: { default: async },
            with: {
                "icehost:strategy/types": super::super::detector::icehost::strategy::types,
            },
        });
        pub(crate) use exports::icehost::strategy::change_detection as detection;
        pub(crate) use icehost::strategy::logging;
    }
}

pub(crate) use detector::exports::icehost::strategy::change_detection as detection;
pub(crate) use detector::exports::icehost::strategy::metadata;
pub(crate) use detector::icehost::strategy::{logging, types};
pub(crate) use merger::exports::icehost::strategy::merge;
pub(crate) use transformer::exports::icehost::strategy::batch_transform as transform;
