//! `[strategies.NAME]`: a component, its pin, its limits, its options.

use std::path::Path;

use icehost_registry::Reference;

use crate::near;
use crate::problem::Findings;
use crate::section::{Layers, Section, printable};
use crate::{Digest, Origin, Registered};

/// The keys that say where a component comes from.
const ORIGINS: &[&str] = &["file", "shipped", "registry"];

/// What a strategy may import: the interfaces of the contract that hold functions.
const IMPORTS: &[&str] = &["logging"];

/// Checks what a section says, whether a pipeline uses it or not.
pub(crate) fn check(findings: &mut Findings<'_>, section: &Section, shipped: &[&str]) {
    let settings = Layers(vec![section]);
    let given = ORIGINS.iter().filter(|key| settings.at(key).is_some());
    let given: Vec<&str> = given.copied().collect();
    if let [first, .., last] = given.as_slice() {
        findings.hinted(
            settings.at(last).unwrap_or(section.at),
            format!("strategy {} has both '{first}' and '{last}'", section.name),
            "leave one of them out",
        );
    }
    if given.is_empty() && !ORIGINS.iter().any(|key| settings.was_wrong(key)) {
        findings.hinted(
            section.at,
            format!("strategy {} names no component", section.name),
            "give it file = \"….wasm\", shipped = \"…\" or registry = \"…\"",
        );
    }
    if let Some(name) = settings.text("shipped")
        && !shipped.contains(&name.value)
        && given.len() == 1
    {
        findings.hinted(
            name.at,
            format!("icehost ships no strategy '{}'", printable(name.value)),
            near::hint(name.value, shipped.iter().copied(), ""),
        );
    }
    if let Some(text) = settings.text("registry")
        && let Err(error) = Reference::parse(text.value)
    {
        findings.add(text.at, error.to_string(), error.hint().map(Into::into));
    }
    if let (Some(at), None) = (settings.at("public-key"), settings.at("registry")) {
        findings.hinted(
            at,
            "'public-key' stands without 'registry'",
            "a file is pinned with sha256; signatures are those of registries",
        );
    }
    if let Some(imports) = settings.names("imports") {
        let known = |name: &&String| IMPORTS.contains(&name.as_str());
        for name in imports.value.into_iter().flatten().filter(|n| !known(n)) {
            findings.hinted(
                imports.at,
                format!("there is no interface '{}' to import", printable(name)),
                near::hint(name, IMPORTS.iter().copied(), ""),
            );
        }
    }
    if let Some(text) = settings.text("sha256")
        && Digest::parse(text.value).is_none()
    {
        findings.hinted(
            text.at,
            "'sha256' takes 64 hexadecimal digits",
            "`sha256sum FILE` and `icehost plugin inspect FILE` print them",
        );
    }
}

/// Where the component of a section comes from; `registry` is the section for all of them.
pub(crate) fn origin(section: &Section, registry: &Section, directory: &Path) -> Option<Origin> {
    let settings = Layers(vec![section]);
    if let Some(file) = settings.text("file") {
        return Some(Origin::File(directory.join(file.value)));
    }
    if let Some(name) = settings.text("shipped") {
        return Some(Origin::Shipped(name.value.to_owned()));
    }
    let reference = Reference::parse(settings.text("registry")?.value).ok()?;
    let keys = Layers(vec![section, registry]);
    Some(Origin::Registry(Registered {
        reference,
        public_key: keys
            .text("public-key")
            .map(|path| directory.join(path.value)),
    }))
}

/// The digest that its bytes must have. [`check`] has refused what is none.
pub(crate) fn pin(settings: &Layers<'_>) -> Option<Digest> {
    settings
        .text("sha256")
        .and_then(|text| Digest::parse(text.value))
}
