//! Settings as they are written into a file.

use crate::schema::{self, Kind};
use crate::setting::parse_size;

/// How a file says what a flag says: `parallel = 4` for `--parallel 4`, and `'parallel'` without a value. `None` where the
/// file has no such key, or the value cannot be the key's. A text is one only where it `is_quoted`: what follows a flag
/// may be the next word of a sentence.
///
/// An option is one entry of a table: `merge-options = { keys = … }` for `--merge-option keys=…`.
pub fn as_setting(flag: &str, value: Option<&str>, is_quoted: bool) -> Option<String> {
    let key = schema::PIPELINE.iter().find(|key| {
        let one = key.name.strip_suffix('s');
        key.name == flag || (one == Some(flag) && key.kind == Kind::Options)
    })?;
    let name = key.name;
    let Some(value) = value else {
        return Some(match key.kind {
            Kind::Flag => format!("{name} = true"),
            _ => format!("'{name}'"),
        });
    };
    let is = match key.kind {
        Kind::Choice(choices) => choices.contains(&value),
        Kind::Count(least, most) => value
            .parse()
            .is_ok_and(|number: u64| (least..=most).contains(&number)),
        Kind::Size => {
            value.ends_with(|c: char| c.is_ascii_alphabetic()) && parse_size(value).is_ok()
        }
        Kind::Options => value.contains('='),
        Kind::Text | Kind::Names | Kind::NamesOrAll => is_quoted,
        _ => false,
    };
    Some(match key.kind {
        Kind::Count(..) if is => format!("{name} = {value}"),
        Kind::Options if is => {
            let (option, value) = value.split_once('=')?;
            format!("{name} = {{ {option} = {value} }}")
        }
        Kind::Names | Kind::NamesOrAll if is => format!("{name} = [{}]", quoted(value)),
        Kind::Choice(_) | Kind::Size | Kind::Text if is => format!("{name} = {}", quoted(value)),
        _ => return None,
    })
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
