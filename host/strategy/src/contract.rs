//! Which components are strategies: the names of what they import and export.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::LoadError;

/// The present version of `icehost:strategy`.
pub const CONTRACT_VERSION: &str = "0.3.0";
/// The versions before it that are served too, the newest first.
pub const PREVIOUS_CONTRACT_VERSIONS: [&str; 2] = ["0.2.0", "0.1.0"];

/// A version of the contract that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// 0.1.0
    First,
    /// 0.2.0
    Second,
    Present,
}

impl Version {
    const ALL: [Version; 3] = [Version::First, Version::Second, Version::Present];

    pub(crate) fn number(self) -> &'static str {
        let [second, first] = PREVIOUS_CONTRACT_VERSIONS;
        match self {
            Version::First => first,
            Version::Second => second,
            Version::Present => CONTRACT_VERSION,
        }
    }

    /// The full name of an interface.
    pub(crate) fn interface(self, name: &str) -> String {
        format!("icehost:strategy/{name}@{}", self.number())
    }
}

/// What a strategy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Which rows changed.
    ChangeDetector,
    /// How a delta lands.
    Merger,
    /// What becomes of rows on their way to the lake.
    BatchTransformer,
}

impl Kind {
    /// The world in the contract.
    pub fn world(self) -> &'static str {
        match self {
            Kind::ChangeDetector => "change-detector",
            Kind::Merger => "merger",
            Kind::BatchTransformer => "batch-transformer",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::ChangeDetector => "change detector",
            Kind::Merger => "merger",
            Kind::BatchTransformer => "batch transformer",
        })
    }
}

/// All that a strategy may import. A component names `types` where its world uses them; it is no capability.
const GRANTED: [&str; 2] = ["types", "logging"];

/// The outside of a component that has been found to be a strategy.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    pub(crate) kind: Kind,
    pub(crate) version: Version,
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
    let mut made_for = None;
    for name in exports.iter().chain(&imports) {
        let Some((_, number)) = of_contract(name) else {
            continue;
        };
        let served = Version::ALL.into_iter().find(|v| v.number() == number);
        // One version in all its names: a mixture is made for neither.
        if served.is_none() || made_for.is_some_and(|version| Some(version) != served) {
            return Err(LoadError::WrongVersion {
                targeted: number.to_owned(),
            });
        }
        made_for = served;
    }
    let version = made_for.unwrap_or(Version::Present);
    let exported = |wanted: &str| {
        exports
            .iter()
            .any(|name| of_contract(name).is_some_and(|(interface, _)| interface == wanted))
    };
    let kind = match (
        exported("metadata"),
        exported("change-detection"),
        exported("merge"),
        exported("batch-transform"),
    ) {
        (true, true, false, false) => Kind::ChangeDetector,
        (true, false, true, false) => Kind::Merger,
        (true, false, false, true) if version >= Version::Second => Kind::BatchTransformer,
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
        version,
        imports,
        exports,
    })
}

/// Interface and version of a name such as `icehost:strategy/merge@0.3.0`; `None` for other packages.
pub(crate) fn of_contract(name: &str) -> Option<(&str, &str)> {
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

    const LOGGING: &str = "icehost:strategy/logging@0.3.0";
    const METADATA: &str = "icehost:strategy/metadata@0.3.0";
    const DETECTION: &str = "icehost:strategy/change-detection@0.3.0";
    const MERGE: &str = "icehost:strategy/merge@0.3.0";
    const TRANSFORM: &str = "icehost:strategy/batch-transform@0.3.0";

    #[test]
    fn exports_decide_the_kind() {
        let kind = |exports: &[&str]| classified(&[LOGGING], exports).unwrap().kind;
        assert_eq!(kind(&[METADATA, DETECTION]), Kind::ChangeDetector);
        assert_eq!(kind(&[METADATA, MERGE]), Kind::Merger);
        assert_eq!(kind(&[METADATA, TRANSFORM]), Kind::BatchTransformer);
    }

    #[test]
    fn neither_or_both_is_the_wrong_world() {
        for exports in [
            &[][..],
            &[METADATA],
            &[MERGE],
            &[METADATA, MERGE, DETECTION],
            &[METADATA, MERGE, TRANSFORM],
        ] {
            let error = classified(&[], exports).unwrap_err();
            assert!(
                matches!(error, LoadError::WrongWorld { .. }),
                "{exports:?}: {error}"
            );
        }
    }

    #[test]
    fn the_previous_versions_are_served_and_another_is_named() {
        let of = |version: &str, interface: &str| {
            let named = |name| format!("icehost:strategy/{name}@{version}");
            classify(vec![], vec![named("metadata"), named(interface)])
        };
        for version in Version::ALL {
            assert_eq!(of(version.number(), "merge").unwrap().version, version);
        }
        assert_eq!(
            of("0.4.0", "merge").unwrap_err().to_string(),
            "the component is made for icehost:strategy@0.4.0; this host serves 0.3.0, 0.2.0 and 0.1.0"
        );
        for version in ["0.2.0", "0.3.0"] {
            let kind = of(version, "batch-transform").unwrap().kind;
            assert_eq!(kind, Kind::BatchTransformer);
        }
        assert!(matches!(
            of("0.1.0", "batch-transform"),
            Err(LoadError::WrongWorld { .. })
        ));
    }

    #[test]
    fn a_mixture_of_versions_is_refused() {
        for logging in ["0.1.0", "0.2.0"].map(|v| format!("icehost:strategy/logging@{v}")) {
            let error = classified(&[&logging], &[METADATA, MERGE]);
            assert!(
                matches!(error, Err(LoadError::WrongVersion { .. })),
                "{error:?}"
            );
        }
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
