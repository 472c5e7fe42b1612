//! Text from registries, fit to be shown.

/// Most bytes of a foreign text in a message.
const MOST: usize = 256;

/// Text that somebody else wrote, on one line, with what misleads escaped, and cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    icehost_untrusted::shown_up_to(text.trim(), MOST)
}

/// An error and what it came from, on one line.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their cause.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    shown(&text)
}
