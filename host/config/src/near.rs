//! What a misspelt name may have meant.

/// The known name that is nearest to `name`, where one is near.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |name: &str| name.to_lowercase().replace('_', "-");
    let name = plain(name);
    // Two slips, or three in a long name
    let most = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
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
    let known: Vec<&str> = known.into_iter().collect();
    match known.is_empty() {
        true => none.to_owned(),
        false => format!("known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

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
