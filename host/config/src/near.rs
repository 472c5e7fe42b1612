//! What a misspelt name may have meant.

use crate::section::printable;

/// Longest name, in bytes, that is compared: two that are longer take memory by the product of their lengths.
const LONGEST: usize = 128;
/// Names that are looked at, and names that are listed: each wrong name of a file is compared with each known one.
const MOST_COMPARED: usize = 1000;
const MOST_LISTED: usize = 60;

/// The known name that is nearest to `name`, where one is near; among the first thousand.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > LONGEST {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace('_', "-");
    let name = plain(name);
    // Two slips, or three in a long name
    let most = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .take(MOST_COMPARED)
        .filter(|known| known.len() <= LONGEST)
        .map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), known))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A hint that names the nearest known name, or else all of them.
pub(crate) fn hint<'k>(
    name: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
    none: &str,
) -> String {
    if let Some(near) = nearest(name, known.clone()) {
        return format!("did you mean '{near}'?");
    }
    let mut known = known.into_iter();
    let listed: Vec<String> = known.by_ref().take(MOST_LISTED).map(printable).collect();
    let more = match known.next() {
        Some(_) => ", …",
        None => "",
    };
    match listed.is_empty() {
        true => none.to_owned(),
        false => format!("known here: {}{more}", listed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{hint, nearest};

    #[test]
    fn long_names_and_many_names_are_passed_over() {
        let long = "x".repeat(100_000);
        let near = format!("{long}y");
        assert_eq!(nearest(&long, [near.as_str()]), None);
        let many: Vec<String> = (0..5000)
            .map(|number| format!("name-{number:05}"))
            .collect();
        let names = || many.iter().map(String::as_str);
        assert_eq!(nearest("name-0001", names()), Some("name-00001"));
        assert!(hint("other", names(), "").ends_with("name-00059, …"));
    }

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["columns", "exclude-columns", "table", "target-table"];
        assert_eq!(nearest("colums", known), Some("columns"));
        assert_eq!(nearest("exclude_columns", known), Some("exclude-columns"));
        assert_eq!(nearest("Table", known), Some("table"));
        assert_eq!(nearest("tabel", known), Some("table"));
        assert_eq!(nearest("frequency", known), None);
        assert_eq!(nearest("", known), None);
    }
}
