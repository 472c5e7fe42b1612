//! Clocks that are wrong: this machine's, and one that was at work on the table before.

use icehost_tests::maintenance::{edit_metadata, newest_version};
use icehost_tests::{Bed, Command, Dump, customers};
use serde_json::Value;

const TABLE: &str = "demo.customers";
/// 2200-01-01
const FAR: i64 = 7_258_118_400_000;

fn sync(bed: &Bed) -> Command {
    bed.sync("dbo.Customers", TABLE)
        .args(["--strategy", "timestamp", "--merge", "upsert"])
}

/// The newest metadata.
fn metadata(bed: &Bed) -> Value {
    let (_, path) = newest_version(&bed.lake(TABLE));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn dates(metadata: &Value, list: &str) -> Vec<i64> {
    let entries = metadata[list].as_array().unwrap().iter();
    entries
        .map(|entry| entry["timestamp-ms"].as_i64().unwrap())
        .collect()
}

#[test]
fn one_run_with_a_wrong_clock_does_not_date_those_after_it() {
    let bed = customers::bed(3);
    sync(&bed).json();
    // What a run of an earlier version left whose clock said 2200.
    edit_metadata(&bed.lake(TABLE), |metadata| {
        metadata["last-updated-ms"] = FAR.into();
        metadata["snapshots"][0]["timestamp-ms"] = FAR.into();
        metadata["snapshot-log"][0]["timestamp-ms"] = FAR.into();
    });
    for (first, last) in [(4, 5), (6, 7)] {
        customers::add(&bed, first, last, "2026-02-01");
        let run = sync(&bed).args(["--output", "json"]).run().success();
        let told = run
            .stderr
            .contains("was last changed at 2200-01-01T00:00:00Z");
        assert_eq!(told, first == 4, "{}", run.stderr);
        assert_eq!(
            run.json()["warnings"].to_string().contains("2200"),
            first == 4
        );
    }
    let newest = metadata(&bed);
    for list in ["snapshot-log", "metadata-log"] {
        let dates = dates(&newest, list);
        assert!(
            dates.is_sorted() && dates.iter().all(|&date| date < FAR),
            "{list}: {dates:?}"
        );
    }
    assert!(newest["last-updated-ms"].as_i64() < Some(FAR));
    let mut snapshots = dates(&newest, "snapshots");
    snapshots.sort_unstable();
    assert_eq!(
        snapshots.last(),
        Some(&FAR),
        "what was committed stays as it is"
    );
    assert!(snapshots[1] < FAR);
    bed.source_dump("dbo.Customers").assert_equals(
        &Dump::agreed(&bed.lake(TABLE), None),
        "source",
        "lake",
    );
}

#[test]
fn a_clock_that_the_servers_contradicts_dates_nothing() {
    let bed = customers::bed_on_development_server(3);
    let clock = bed.server().engine().clock();
    clock.advance(-3 * 365 * 86_400);
    sync(&bed).run().failure(&[
        "this machine's clock says",
        "would be dated wrong",
        "hint: set the clock right",
    ]);
    assert!(!bed.warehouse().exists());
    clock.advance(3 * 365 * 86_400);
    sync(&bed).json();
}
