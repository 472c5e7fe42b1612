//! How far two names are apart.

/// Levenshtein distance, in characters.
pub(crate) fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, r) in row.iter_mut().skip(1).zip(&right) {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::edits;

    #[test]
    fn distance_counts_edits() {
        for (left, right, distance) in [
            ("customers", "customers", 0),
            ("customer", "customers", 1),
            ("cutsomers", "customers", 2),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(left, right), distance, "{left} {right}");
            assert_eq!(edits(right, left), distance, "{right} {left}");
        }
    }
}
