//! Which components are strategies: the names of what they import and export.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::LoadError;

/// The version of `icehost:strategy` that this host serves.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// What a strategy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Which rows changed.
    ChangeDetector,
    /// How a delta lands.
    Merger,
}

impl Kind {
    /// The world in the contract.
    pub fn world(self) -> &'static str {
        match self {
            Kind::ChangeDetector => "change-detector",
            Kind::Merger => "merger",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::ChangeDetector => "change detector",
            Kind::Merger => "merger",
        })
    }
}

/// All that a strategy may import. A component names `types` where its world uses them; it is no capability.
const GRANTED: [&str; 2] = ["types", "logging"];

/// The outside of a component that has been found to be a strategy.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    pub(crate) kind: Kind,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Finds out what a component is, and refuses what is not a strategy or wants more than is granted.
pub(crate) fn check(component: &Component, engine: &Engine) -> Result<Surface, LoadError> {
    let component_type = component.component_type();
    let names = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        names.map(str::to_owned).collect()
    };
    let imports = names(&mut component_type.imports(engine).map(|(name, _)| name));
    let exports = names(&mut component_type.exports(engine).map(|(name, _)| name));
    classify(imports, exports)
}

fn classify(imports: Vec<String>, exports: Vec<String>) -> Result<Surface, LoadError> {
    for name in imports.iter().chain(&exports) {
        if let Some((_, version)) = of_contract(name)
            && version != CONTRACT_VERSION
        {
            return Err(LoadError::WrongVersion {
                targeted: version.to_owned(),
            });
        }
    }
    let exported = |wanted: &str| {
        exports
            .iter()
            .any(|name| of_contract(name).is_some_and(|(interface, _)| interface == wanted))
    };
    let kind = match (
        exported("metadata"),
        exported("change-detection"),
        exported("merge"),
    ) {
        (true, true, false) => Kind::ChangeDetector,
        (true, false, true) => Kind::Merger,
        _ => return Err(LoadError::WrongWorld { exports }),
    };
    let granted = |name: &&String| {
        of_contract(name).is_some_and(|(interface, _)| GRANTED.contains(&interface))
    };
    let ungranted: Vec<String> = imports.iter().filter(|n| !granted(n)).cloned().collect();
    if !ungranted.is_empty() {
        return Err(LoadError::ImportNotGranted { imports: ungranted });
    }
    Ok(Surface {
        kind,
        imports,
        exports,
    })
}

/// Interface and version of a name such as `icehost:strategy/merge@0.1.0`; `None` for other packages.
fn of_contract(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("icehost:strategy/")?;
    Some(rest.split_once('@').unwrap_or((rest, "none")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn classified(imports: &[&str], exports: &[&str]) -> Result<Surface, LoadError> {
        let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect();
        classify(owned(imports), owned(exports))
    }

    const LOGGING: &str = "icehost:strategy/logging@0.1.0";
    const METADATA: &str = "icehost:strategy/metadata@0.1.0";
    const DETECTION: &str = "icehost:strategy/change-detection@0.1.0";
    const MERGE: &str = "icehost:strategy/merge@0.1.0";

    #[test]
    fn exports_decide_the_kind() {
        let kind = |exports: &[&str]| classified(&[LOGGING], exports).unwrap().kind;
        assert_eq!(kind(&[METADATA, DETECTION]), Kind::ChangeDetector);
        assert_eq!(kind(&[METADATA, MERGE]), Kind::Merger);
    }

    #[test]
    fn neither_or_both_is_the_wrong_world() {
        for exports in [
            &[][..],
            &[METADATA],
            &[MERGE],
            &[METADATA, MERGE, DETECTION],
        ] {
            let error = classified(&[], exports).unwrap_err();
            assert!(
                matches!(error, LoadError::WrongWorld { .. }),
                "{exports:?}: {error}"
            );
        }
    }

    #[test]
    fn another_version_is_named() {
        let error = classified(
            &[],
            &[
                "icehost:strategy/metadata@0.2.0",
                "icehost:strategy/merge@0.2.0",
            ],
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the component is made for icehost:strategy@0.2.0; this host serves 0.1.0"
        );
    }

    #[test]
    fn every_import_beyond_the_log_is_named() {
        let imports = [
            LOGGING,
            "wasi:io/streams@0.2.6",
            "wasi:cli/environment@0.2.6",
        ];
        let LoadError::ImportNotGranted { imports } =
            classified(&imports, &[METADATA, MERGE]).unwrap_err()
        else {
            unreachable!("an ungranted import has an error of its own");
        };
        assert_eq!(
            imports,
            ["wasi:io/streams@0.2.6", "wasi:cli/environment@0.2.6"]
        );
    }
}
