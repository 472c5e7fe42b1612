//! `docs/security.md`: each bound is the one in the code.

use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap_or_default()
}

/// The rows of the table of bounds: what is bounded, by what, and the name and file of its constant.
fn bounds(page: &str) -> Vec<(&str, &str, &str, &str)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("| "));
    lines
        .filter_map(|line| {
            let mut cells = line.trim_end_matches([' ', '|']).split(" | ");
            let (what, bound, place) = (cells.next()?, cells.next()?, cells.next()?);
            let (name, file) = place.strip_prefix('`')?.split_once("` in `")?;
            Some((what, bound, name, file.strip_suffix('`')?))
        })
        .collect()
}

/// A bound as a page says it, in bytes, milliseconds or as the number that it is.
fn said(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let number: u64 = number.replace(',', "").parse().ok()?;
    let unit = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "s" => 1000,
        _ => return None,
    };
    Some(number * unit)
}

/// The value of a constant, or of a field of the defaults, in a source; `None` where the source has none.
fn in_code(source: &str, name: &str) -> Option<u64> {
    let lines = source.lines().map(str::trim);
    let mut values = lines.filter_map(|line| {
        let constant = line.split_once(&format!("const {name}: "));
        let field = line.strip_prefix(&format!("{name}: "));
        let value = match (constant, field) {
            (Some((_, rest)), _) => rest.split_once(" = ")?.1.strip_suffix(';')?,
            (None, field) => field?.strip_suffix(',')?,
        };
        value_of(source, value)
    });
    values.next()
}

/// The value of an expression of numbers, products, shifts, durations and other constants.
fn value_of(source: &str, expression: &str) -> Option<u64> {
    let expression = expression.trim();
    for (unit, milliseconds) in [("secs", 1000), ("millis", 1)] {
        let call = expression.strip_prefix(&format!("Duration::from_{unit}("));
        if let Some(inner) = call.and_then(|call| call.strip_suffix(')')) {
            return Some(value_of(source, inner)? * milliseconds);
        }
    }
    if let Some((left, right)) = expression.split_once(" << ") {
        return Some(value_of(source, left)? << value_of(source, right)?);
    }
    if let Some((left, right)) = expression.split_once(" * ") {
        return Some(value_of(source, left)? * value_of(source, right)?);
    }
    match expression.replace('_', "").parse() {
        Ok(number) => Some(number),
        Err(_) => expression
            .chars()
            .all(|c| c.is_ascii_uppercase() || c == '_')
            .then(|| in_code(source, expression))?,
    }
}

/// What a page says otherwise than the code.
fn faults(page: &str, read: impl Fn(&str) -> String) -> Vec<String> {
    let mut faults = Vec::new();
    for (what, bound, name, file) in bounds(page) {
        let (said, code) = (said(bound), in_code(&read(file), name));
        if said.is_none() || said != code {
            faults.push(format!("{what}: {bound}, and {name} in {file} is {code:?}"));
        }
    }
    faults
}

#[test]
fn every_bound_of_the_page_is_the_one_in_the_code() {
    let page = read("docs/security.md");
    assert!(bounds(&page).len() > 30, "the page is not read");
    let rows = page.lines().skip_while(|line| *line != "## Bounds");
    let rows = rows.filter(|line| line.starts_with("| ") && !line.starts_with("| what | "));
    assert_eq!(bounds(&page).len(), rows.count(), "a row is not understood");
    let faults = faults(&page, read);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_bound_that_is_another_or_nowhere_is_told() {
    let source = "const MIB: u64 = 1 << 20;\npub(crate) const A: u64 = 4 * MIB;\n\
                  const T: Duration = Duration::from_secs(5);\nlimit: 20_000,\nlimit: usize,\n";
    let page = "| a | 4 MiB | `A` in `f` |\n| t | 5 s | `T` in `f` |\n| l | 20,000 | `limit` in `f` |\n\
                | wrong | 3 MiB | `A` in `f` |\n| gone | 1 s | `U` in `f` |\n| odd | some | `A` in `f` |\n";
    let faults = faults(page, |_| source.to_owned());
    assert_eq!(faults.len(), 3, "{faults:#?}");
    for (fault, what) in faults.iter().zip(["wrong", "gone", "odd"]) {
        assert!(fault.starts_with(what), "{fault}");
    }
}
