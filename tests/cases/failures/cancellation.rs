//! Ctrl-C stops a run at a batch boundary and leaves nothing half-done.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;

use icehost_tests::customers;

use crate::files::files;

/// Interrupts a run once it has said `text`; what it says from then on. It must end as one that was stopped.
pub(crate) fn interrupt_when(mut child: Child, text: &str) -> String {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(
            stderr.read_line(&mut line).unwrap(),
            0,
            "the run ended early"
        );
    }
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest}");
    rest
}

#[test]
fn an_interrupt_stops_the_run_and_commits_nothing() {
    let bed = customers::bed_on_development_server(20_000);
    let child = bed
        .sync_to_target("dbo.Customers", "demo.customers")
        .args(["--batch-size", "1"])
        // Each batch takes its time, so that there is one to stop at.
        .failpoint("sync::while-staging", "sleep(1500)")
        .env("RUST_LOG", "icehost_cli=info")
        .spawn();
    let rest = interrupt_when(child, "reading rows from the source");
    for text in [
        "stopping; once more to stop at once",
        "error: stopped",
        "hint",
    ] {
        assert!(rest.contains(text), "'{text}' is missing in:\n{rest}");
    }
    assert_eq!(files(&bed.warehouse()), Vec::<String>::new());
    assert_eq!(
        bed.target().value("SELECT COUNT(*) FROM dbo.Customers"),
        "0"
    );

    let next = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(next["rows_inserted"], 20_000);
}
