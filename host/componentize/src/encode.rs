//! From a core module to a component.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::Error;

/// The first bytes of a core module: magic, version 1, layer 0 (WebAssembly core specification, "Modules").
const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
/// The first bytes of a component: magic, version 0xd, layer 1 (Component Model, "Binary format").
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Whether the bytes start like a component.
pub fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(&COMPONENT)
}

/// Whether the bytes start like a core module.
pub fn is_core_module(bytes: &[u8]) -> bool {
    bytes.starts_with(&CORE)
}

/// Makes a component of a core module that says in a custom section what component it wants to be, as every
/// module does that exports a strategy.
pub fn encode(core_module: &[u8]) -> Result<Vec<u8>, Error> {
    if !is_core_module(core_module) {
        return Err(Error::NotAModule);
    }
    let failed = |reason: String| Error::Encode { reason };
    // The encoder takes the module for valid: it looks up by index what the module refers to.
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(core_module)
        .map_err(|e| failed(e.to_string()))?;
    // It takes the custom sections for what its own tools write, too, which nobody validates before it does.
    let encoded = catch_unwind(AssertUnwindSafe(|| {
        check_types(core_module).map_err(failed)?;
        encode_valid(core_module)
    }));
    encoded.unwrap_or_else(|_| {
        let reason = "its sections contradict each other in a way that the encoder does not expect";
        Err(failed(reason.to_owned()))
    })
}

/// Refuses packages of the component's type that depend on each other in a circle: the encoder would follow it until
/// its stack ends, which nothing catches. Packages of one name in several sections are one to it.
fn check_types(core_module: &[u8]) -> Result<(), String> {
    let mut depends: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for payload in Parser::new(0).parse_all(core_module) {
        let Payload::CustomSection(section) = payload.map_err(|e| e.to_string())? else {
            continue;
        };
        if !section.name().starts_with("component-type") {
            continue;
        }
        let (types, _) = wit_parser::decoding::decode_world(section.data())
            .map_err(|e| format!("{}: {e:#}", section.name()))?;
        for (id, package) in types.packages.iter() {
            let others = types.package_direct_deps(id);
            let others =
                others.filter_map(|other| Some(types.packages.get(other)?.name.to_string()));
            depends
                .entry(package.name.to_string())
                .or_default()
                .extend(others);
        }
    }
    // What depends on nothing that is left is taken out, until nothing is left or nothing can be.
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    for (package, others) in &depends {
        let known = others.iter().filter(|other| depends.contains_key(*other));
        missing.insert(package, known.clone().count());
        for other in known {
            users.entry(other).or_default().push(package);
        }
    }
    let mut free: Vec<&str> = missing
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(package, _)| *package)
        .collect();
    let mut taken = 0;
    while let Some(package) = free.pop() {
        taken += 1;
        for user in users.get(package).into_iter().flatten() {
            if let Some(count) = missing.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    free.push(user);
                }
            }
        }
    }
    match taken == depends.len() {
        true => Ok(()),
        false => Err("packages of its component type depend on each other in a circle".to_owned()),
    }
}

fn encode_valid(core_module: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Encode {
        reason: error.to_string(),
    };
    let (stripped, _) =
        wit_component::metadata::decode(core_module).map_err(|e| failed(&format!("{e:#}")))?;
    if stripped.is_none() {
        return Err(Error::NoComponentType);
    }
    ComponentEncoder::default()
        .validate(true)
        .module(core_module)
        .and_then(|encoder| encoder.encode())
        .map_err(|e| failed(&format!("{e:#}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_component_type_is_refused_by_that_name() {
        let error = encode(&CORE).unwrap_err();
        assert!(matches!(error, Error::NoComponentType), "{error}");
        assert!(error.hint().unwrap().contains("export_merger!"));
    }

    #[test]
    fn what_is_not_a_module_is_refused() {
        for bytes in [&b""[..], b"\0asm", b"hello", &COMPONENT] {
            assert!(matches!(encode(bytes), Err(Error::NotAModule)), "{bytes:?}");
        }
    }

    #[test]
    fn a_cut_module_is_refused_with_the_reason() {
        let mut cut = CORE.to_vec();
        cut.extend([0, 200]);
        let error = encode(&cut).unwrap_err();
        assert!(matches!(error, Error::Encode { .. }), "{error}");
    }

    #[test]
    fn a_component_is_told_from_a_module() {
        assert!(is_component(&COMPONENT) && !is_core_module(&COMPONENT));
        assert!(is_core_module(&CORE) && !is_component(&CORE));
    }
}
