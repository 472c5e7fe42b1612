//! Ctrl-C stops a run at a batch boundary and leaves nothing half-done.

use std::time::Duration;

use icehost_tests::{Run, customers};

use crate::files::files;

#[test]
fn an_interrupt_stops_the_run_and_commits_nothing() {
    let bed = customers::bed_on_development_server(20_000);
    let command = bed
        .sync_to_target("dbo.Customers", "demo.customers")
        .args(["--batch-size", "1"])
        // Each batch takes its time, so that there is one to stop at.
        .failpoint("sync::while-staging", "sleep(1500)");
    let child = command.spawn();
    std::thread::sleep(Duration::from_millis(1000));
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    Run::of("sync".to_owned(), child).failure(&["stopping", "stopped", "hint"]);
    assert_eq!(files(&bed.warehouse()), Vec::<String>::new());
    assert_eq!(
        bed.target().value("SELECT COUNT(*) FROM dbo.Customers"),
        "0"
    );

    let next = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(next["rows_inserted"], 20_000);
}
