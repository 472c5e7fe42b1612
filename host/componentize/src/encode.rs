//! From a core module to a component.

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
