//! `[strategies.NAME]`: a component, its pin, its limits, its options.

use std::path::Path;

use crate::near;
use crate::problem::Findings;
use crate::section::{Layers, Section, printable};
use crate::{Digest, Origin};

/// Checks what a section says, whether a pipeline uses it or not.
pub(crate) fn check(findings: &mut Findings<'_>, section: &Section, shipped: &[&str]) {
    let settings = Layers(vec![section]);
    match (settings.text("file"), settings.text("shipped")) {
        (Some(_), Some(name)) => findings.hinted(
            name.at,
            format!("strategy {} has both 'file' and 'shipped'", section.name),
            "leave one of them out",
        ),
        (None, Some(name)) if !shipped.contains(&name.value) => findings.hinted(
            name.at,
            format!("icehost ships no strategy '{}'", printable(name.value)),
            near::hint(name.value, shipped.iter().copied(), ""),
        ),
        (None, None) if !settings.was_wrong("file") && !settings.was_wrong("shipped") => findings
            .hinted(
                section.at,
                format!("strategy {} names no component", section.name),
                "give it file = \"….wasm\", or shipped = \"…\"",
            ),
        _ => {}
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

/// Where the component of a section comes from.
pub(crate) fn origin(section: &Section, directory: &Path) -> Option<Origin> {
    let settings = Layers(vec![section]);
    match (settings.text("file"), settings.text("shipped")) {
        (Some(file), _) => Some(Origin::File(directory.join(file.value))),
        (None, Some(name)) => Some(Origin::Shipped(name.value.to_owned())),
        (None, None) => None,
    }
}

/// The digest that its bytes must have. [`check`] has refused what is none.
pub(crate) fn pin(settings: &Layers<'_>) -> Option<Digest> {
    settings
        .text("sha256")
        .and_then(|text| Digest::parse(text.value))
}
