//! What `wit-bindgen` makes of the contract. Strategies see the types through the crate's root.
//!
//! Each exported interface has a world of its own here, because the macros that export a world have names
//! that must be unique in a crate, and both of the contract's worlds export `metadata`. A component gets the
//! union of the worlds that it exports.

#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all)]

pub mod base {
    wit_bindgen::generate!({
        path: "../wit",
        world: "icehost:strategy/base@0.3.0",
        pub_export_macro: true,
        export_macro_name: "export_base_bindings",
        default_bindings_module: "icehost_sdk::__private::base",
    });
}

pub mod detection {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package icehost:sdk-detection;
            world detection {
                export icehost:strategy/change-detection@0.3.0;
            }
        ",
        generate_all,
        generate_unused_types: true,
        pub_export_macro: true,
        export_macro_name: "export_detection_bindings",
        default_bindings_module: "icehost_sdk::__private::detection",
        additional_derives: [PartialEq],
    });
}

pub mod merge {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package icehost:sdk-merge;
            world merge {
                export icehost:strategy/merge@0.3.0;
            }
        ",
        with: {
            "icehost:strategy/types@0.3.0": super::detection::icehost::strategy::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_merge_bindings",
        default_bindings_module: "icehost_sdk::__private::merge",
        additional_derives: [PartialEq],
    });
}

pub mod transform {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package icehost:sdk-transform;
            world transform {
                export icehost:strategy/batch-transform@0.3.0;
            }
        ",
        with: {
            "icehost:strategy/types@0.3.0": super::detection::icehost::strategy::types,
        },
        pub_export_macro: true,
        export_macro_name: "export_transform_bindings",
        default_bindings_module: "icehost_sdk::__private::transform",
        additional_derives: [PartialEq],
    });
}
