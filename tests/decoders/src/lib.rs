//! Everything that reads what others say, fed from bytes: what components return, what a server answers, what operators
//! and authors hand in. None of it may make the host panic, and what passes the checks must be carried out or refused.
//!
//! `cargo fuzz` drives these functions (`tests/fuzz`); on every change they run on random bytes.

mod expression;
mod plans;
mod server;
mod tables;
mod texts;

use std::sync::Arc;

use arbitrary::Unstructured;
use arrow_schema::{Field, Schema};
use icehost_plan::{Column, OutputColumn, Transformation, Value, View, Watermark};

pub use plans::{extraction_plan, merge_plan, probes};
pub use server::{Reached, server};
pub use texts::{configuration, connection_string, module};

/// An Arrow IPC stream that a transformer returned for columns of every type, after a byte for its number of rows;
/// whether it was read.
pub fn batch_stream(bytes: &[u8]) -> bool {
    let rows = bytes.first().map_or(0, |&rows| usize::from(rows) % 8);
    let fields: Vec<Field> = tables::every_type()
        .iter()
        .map(Column::arrow_field)
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let stream = bytes.get(1..).unwrap_or_default().to_vec();
    let Ok(batch) = icehost_strategy::fuzzing::batch_stream(stream, &schema, rows) else {
        return false;
    };
    assert_eq!(batch.num_rows(), rows);
    // What is read can be looked at, every value of it.
    assert!(!format!("{batch:?}").is_empty());
    true
}

/// What a component says of itself: four texts, one after the other.
pub fn description(bytes: &[u8]) {
    let mut texts = bytes
        .splitn(4, |&byte| byte == 0)
        .map(String::from_utf8_lossy);
    let mut next = || texts.next().unwrap_or_default().into_owned();
    let (name, version, summary, schema) = (next(), next(), next(), next());
    icehost_strategy::fuzzing::description(&name, &version, &summary, &schema);
}

/// What a transformer declares.
pub fn transformation(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let inputs = from.arbitrary().unwrap_or_default();
    let texts: Vec<(String, u8, bool)> = from.arbitrary().unwrap_or_default();
    let types = [
        "int",
        "nvarchar(9)",
        "decimal(38,4)",
        "char(0)",
        "rowversion",
        "datetime2(9)",
        "",
        "x(",
    ];
    let outputs = texts
        .into_iter()
        .map(|(name, kind, nullable)| OutputColumn {
            native_type: match types.get(usize::from(kind)) {
                Some(kind) => (*kind).to_owned(),
                None => name.clone(),
            },
            name,
            nullable,
        })
        .collect();
    let table = tables::table();
    let view = View::new(&tables::grant(&mut from), &table.columns, None);
    if let Ok(valid) = (Transformation { inputs, outputs }).validate(&table, &view) {
        let after = valid.table(&table);
        assert_eq!(after.key(), table.key());
        assert!(after.columns.len() >= table.columns.len());
    }
}

/// A watermark that a change detector gives.
pub fn watermark(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let format = from.arbitrary().unwrap_or_default();
    let mut marks: Vec<(String, Value)> = Vec::new();
    while !from.is_empty() {
        let Ok(name) = from.arbitrary() else { break };
        let Ok(value) = expression::value(&mut from) else {
            break;
        };
        marks.push((name, value));
    }
    let watermark = Watermark { format, marks };
    if watermark.validate().is_ok() {
        // Operators see it.
        for (_, value) in &watermark.marks {
            assert!(!value.to_string().is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            extraction_plan(&bytes);
            merge_plan(&bytes);
            probes(&bytes);
            transformation(&bytes);
            watermark(&bytes);
            batch_stream(&bytes);
            description(&bytes);
            configuration(&bytes);
            connection_string(&bytes);
            module(&bytes);
        }

        #[test]
        fn no_server_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            server(&bytes);
        }
    }

    /// The files that a target starts from, or that the fuzzer found, by name.
    fn kept(folder: &str, target: &str) -> Vec<(String, Vec<u8>)> {
        let directory = format!("{}/../fuzz/{folder}/{target}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(directory).unwrap();
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        };
        files.map(read).collect()
    }

    /// What each target starts from passes: the fuzzer begins behind the first checks.
    #[test]
    fn the_seeds_are_read() {
        type Target = fn(&[u8]) -> bool;
        let targets: [(&str, usize, Target); 5] = [
            // As another library writes them
            ("batch_stream", 8, batch_stream),
            ("configuration", 2, configuration),
            ("connection_string", 6, connection_string),
            ("module", 3, module),
            ("server", 2, |bytes| server(bytes) == Reached::Read),
        ];
        for (target, seeds, read) in targets {
            let kept = kept("seeds", target);
            for (name, bytes) in &kept {
                assert!(read(bytes), "{name}");
            }
            assert_eq!(kept.len(), seeds, "{target}");
        }
    }

    /// What the fuzzer found stays mended.
    #[test]
    fn no_finding_panics() {
        for (name, bytes) in kept("findings", "batch_stream") {
            assert!(!batch_stream(&bytes), "{name}");
        }
    }

    /// A plan that passes is what the targets are for: random bytes must reach it.
    #[test]
    fn valid_plans_are_reached() {
        let mut valid = (0, 0, 0);
        let mut state = 1u32;
        for _ in 0..4000 {
            let bytes: Vec<u8> = (0..400)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            valid.0 += usize::from(extraction_plan(&bytes));
            valid.1 += usize::from(merge_plan(&bytes));
            valid.2 += usize::from(probes(&bytes));
        }
        assert!(valid.0 > 50 && valid.1 > 50 && valid.2 > 50, "{valid:?}");
    }
}
