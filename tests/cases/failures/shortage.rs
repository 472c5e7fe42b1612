//! A process that may have no more files or memory, and a result that has no room: told as what it is, at once.

use icehost_tests::customers;

fn under(limit: &str) -> String {
    format!("ulimit {limit}; exec \"$0\" \"$@\"")
}

#[test]
fn too_few_files_are_no_fault_of_the_server() {
    let bed = customers::bed(60);
    for limit in 4..44 {
        let name = format!("demo.files{limit}");
        let sync = bed.sync("dbo.Customers", &name);
        let sync = sync
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--parallel", "4", "--range-rows", "5"]);
        let run = sync.clone().in_shell(&under(&format!("-n {limit}"))).run();
        if run.code != Some(0) {
            let run = run.failure(&["hint: ", "ulimit -"]);
            assert!(!run.stderr.contains("is away"), "{limit}: {}", run.stderr);
        }
        sync.run().success();
    }
}

#[test]
fn too_little_address_space_is_no_fault_of_a_strategy() {
    let bed = customers::bed(3);
    let sync = bed.sync("dbo.Customers", "demo.customers");
    let sync = sync.args(["--strategy", "timestamp", "--merge", "upsert"]);
    // Less than the 4 GiB that are reserved for a component.
    let run = sync.clone().in_shell(&under("-v 3500000")).run();
    let run = run.failure(&["hint: ", "ulimit -"]);
    assert!(!run.stderr.contains("author"), "{}", run.stderr);
    sync.run().success();
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let bed = customers::bed(3);
    let full = "exec \"$0\" \"$@\" >/dev/full";
    let sync = bed.sync("dbo.Customers", "demo.customers");
    let sync = sync.args(["--strategy", "timestamp", "--merge", "upsert"]);
    let says = ["cannot be written to stdout", "hint: "];
    let json = sync.clone().args(["--output", "json"]);
    json.in_shell(full).run().failure(&says);
    sync.clone().in_shell(full).run().failure(&says);
    let show = bed.on_lake(["watermark", "show"], "demo.customers");
    show.in_shell(full).run().failure(&says);
    // What was done stands, and a reader that goes away is none.
    let pipe = sync.clone().in_shell("exec \"$0\" \"$@\" | true");
    pipe.run().success();
    assert_eq!(sync.json()["rows_extracted"], 0);
}
