//! The Rust SDK's bindings, as source: laid beside a strategy, so that its build has no macros to compile first, which take
//! longer than the strategy.

use std::path::PathBuf;

use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, WithOption};
use wit_parser::Resolve;

use crate::Error;

/// What every strategy exports, and what each kind has.
const WORLDS: [World; 4] = [
    World {
        name: "base",
        exports: None,
        types_of: None,
    },
    World {
        name: "detection",
        exports: Some("change-detection"),
        types_of: None,
    },
    World {
        name: "merge",
        exports: Some("merge"),
        types_of: Some("detection"),
    },
    World {
        name: "transform",
        exports: Some("batch-transform"),
        types_of: Some("detection"),
    },
];

/// A module of the SDK's `bindings.rs`, where the macros have the same options.
struct World {
    /// The module, whose macro is `export_NAME_bindings`.
    name: &'static str,
    /// The contract's interface that it exports; `None` for the contract's own world of this name.
    exports: Option<&'static str>,
    /// The module that has the types; `None` where it makes its own.
    types_of: Option<&'static str>,
}

/// The text of the SDK's `bindings.rs` with what its macros would make of the contract.
///
/// # Errors
/// A contract that cannot be read, or lacks what the SDK is made for.
pub fn sdk_bindings(contract: &str) -> Result<String, Error> {
    let mut text = String::from(
        "//! What `wit-bindgen` makes of the contract. Strategies see the types through the crate's root.\n\n\
         #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all)]\n",
    );
    for world in &WORLDS {
        let module = world.module(contract).map_err(|reason| Error::Contract {
            path: PathBuf::from("wit"),
            reason,
        })?;
        text += &format!("\npub mod {} {{\n{module}}}\n", world.name);
    }
    Ok(text)
}

impl World {
    fn module(&self, contract: &str) -> Result<String, String> {
        let name = self.name;
        let refused = |e: &dyn std::fmt::Display| format!("{e:#}");
        let mut resolve = Resolve::default();
        let contract = resolve
            .push_str("strategy.wit", contract)
            .map_err(|e| refused(&e))?;
        let of = &resolve.packages[contract].name;
        let version = of.version.as_ref().map(|version| format!("@{version}"));
        let version = version.unwrap_or_default();
        let within = |item: &str| format!("{}:{}/{item}{version}", of.namespace, of.name);
        let types = within("types");
        let (package, selected) = match self.exports {
            None => (contract, within(name)),
            Some(interface) => {
                let interface = within(interface);
                let text = format!(
                    "package icehost:sdk-{name};\nworld {name} {{ export {interface}; }}\n"
                );
                let package = resolve.push_str(name, &text).map_err(|e| refused(&e))?;
                (package, name.to_owned())
            }
        };
        let world = resolve
            .select_world(&[package], Some(&selected))
            .map_err(|e| refused(&e))?;
        let makes_types = self.exports.is_some() && self.types_of.is_none();
        let with = self.types_of.map(|module| {
            let path = format!("super::{module}::icehost::strategy::types");
            (types, WithOption::Path(path))
        });
        let compares = self.exports.map(|_| "PartialEq".to_owned());
        let options = Opts {
            format: true,
            pub_export_macro: true,
            export_macro_name: Some(format!("export_{name}_bindings")),
            default_bindings_module: Some(format!("icehost_sdk::__private::{name}")),
            generate_all: makes_types,
            generate_unused_types: makes_types,
            with: with.into_iter().collect(),
            additional_derive_attributes: compares.into_iter().collect(),
            ..Opts::default()
        };
        let mut files = Files::default();
        options
            .build()
            .generate(&mut resolve, world, &mut files)
            .map_err(|e| refused(&e))?;
        let made = files
            .iter()
            .map(|(_, bytes)| String::from_utf8_lossy(bytes));
        Ok(made.collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CONTRACT: &str = include_str!("../../../wit/strategy.wit");

    #[test]
    fn each_part_of_the_sdk_s_bindings_has_its_module_and_its_macro() {
        let text = sdk_bindings(CONTRACT).unwrap();
        for world in &WORLDS {
            for part in [
                format!("pub mod {} {{", world.name),
                format!("macro_rules! __export_{}_impl", world.name),
                format!("export_{}_bindings", world.name),
            ] {
                assert!(text.contains(&part), "{part}");
            }
        }
    }

    #[test]
    fn what_is_no_contract_is_refused() {
        for text in ["", "package a:b;", "interface {"] {
            let error = sdk_bindings(text).unwrap_err();
            assert!(matches!(error, Error::Contract { .. }), "{text}: {error}");
        }
    }
}
