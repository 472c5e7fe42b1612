//! Names that go from a call into the text of an `EXECUTE`.

/// Whether text is one name of up to four parts, each plain or in brackets, and nothing else.
pub(crate) fn is_procedure_name(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..4 {
        let part = if let Some(quoted) = rest.strip_prefix('[') {
            let mut characters = quoted.char_indices().peekable();
            let mut end = None;
            while let Some((at, character)) = characters.next() {
                if character == ']' && characters.next_if(|&(_, next)| next == ']').is_none() {
                    end = Some(at + 2);
                    break;
                }
            }
            end
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let plain = rest.get(..end).unwrap_or_default();
            plain.chars().all(is_name_character).then_some(end)
        };
        rest = match part.and_then(|end| rest.get(end..)) {
            None => return false,
            Some("") => return !text.is_empty(),
            Some(after) => match after.strip_prefix('.') {
                Some(after) => after,
                None => return false,
            },
        };
    }
    false
}

/// Whether text is `@` and a plain name.
pub(crate) fn is_parameter_name(text: &str) -> bool {
    text.strip_prefix('@')
        .is_some_and(|name| !name.is_empty() && name.chars().all(is_name_character))
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '#' | '$' | '@')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_names_are_names() {
        for name in [
            "sp_help",
            "sys.sp_x",
            "master..sp_x",
            "[we]]ird, name].[p]",
            "a.b.c.d",
        ] {
            assert!(is_procedure_name(name), "{name}");
        }
        for text in ["", "a b", "a;drop", "[a", "[a]b", "a.b.c.d.e", "a--"] {
            assert!(!is_procedure_name(text), "{text}");
        }
    }
}
