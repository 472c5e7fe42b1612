//! What a killed run leaves in the metadata directory.

use std::fs::File;
use std::time::{Duration, SystemTime};

use icehost_tests::customers;

#[test]
fn temporary_files_of_a_killed_run_are_removed_once_they_are_nobodys() {
    let bed = customers::bed(3);
    let sync = || bed.sync_to_target("dbo.Customers", "demo.customers").run();
    sync().success();
    let metadata = bed.lake("demo.customers").join("metadata");
    let made = |name: &str, age: u64| {
        let file = File::create(metadata.join(name)).unwrap();
        let hours = Duration::from_secs(age * 60 * 60);
        file.set_modified(SystemTime::now() - hours).unwrap();
    };
    made(".icehost-old.tmp", 30);
    made(".icehost-new.tmp", 1);
    made(".another-old.tmp", 30);
    sync().success();
    let is_there = |name: &str| metadata.join(name).exists();
    assert!(!is_there(".icehost-old.tmp"));
    // A run that is under way may still want it.
    assert!(is_there(".icehost-new.tmp"));
    assert!(is_there(".another-old.tmp"));
}
