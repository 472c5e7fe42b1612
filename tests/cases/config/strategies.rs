//! `[strategies.NAME]`: pins, limits, default options.

use icehost_tests::customers;

use crate::file::{with_config, write};

fn pipeline(strategy: &str) -> String {
    format!(
        r#"
[strategies.mine]
{strategy}

[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "mine"
merge = "upsert"
"#
    )
}

#[test]
fn a_pin_is_checked_before_anything_is_compiled() {
    let bed = customers::bed(3);
    // Not WebAssembly at all: with the wrong pin nobody finds out.
    std::fs::write(bed.path("mine.wasm"), b"no component").unwrap();
    let pinned = |digest: &str| {
        write(
            &bed,
            &pipeline(&format!("file = \"mine.wasm\"\nsha256 = \"{digest}\"")),
        );
    };
    pinned(&"0".repeat(64));
    for subcommand in [["sync", "--no-cache"], ["check", "--no-cache"]] {
        let run = with_config(&bed, subcommand).run().failure(&[
            "icehost.toml:",
            "strategy mine is not the one that was pinned",
            &"0".repeat(64),
        ]);
        assert!(!run.stderr.contains("WebAssembly"), "{}", run.stderr);
    }
    // With the right one it is the component that is refused. The digest is sha256sum's.
    pinned("809a2841a76367cf095551e1442260747ed151c15d6fe1a257ea2acbe721eb16");
    with_config(&bed, ["check"]).run().failure(&["WebAssembly"]);
}

#[test]
fn a_shipped_strategy_is_pinned_by_the_digest_that_inspect_prints() {
    let bed = customers::bed(7);
    let inspected = icehost_tests::Command::new(["plugin", "inspect", "timestamp"]).json();
    let digest = inspected["strategies"][0]["sha256"].as_str().unwrap();
    let strategy = |digest: &str| {
        write(
            &bed,
            &pipeline(&format!(
                "shipped = \"timestamp\"\nsha256 = \"{digest}\"\ntimeout = 2\nmemory = 16\n\
                 options = {{ column = \"ModifiedDate\" }}"
            )),
        );
    };
    strategy(digest);
    let run = with_config(&bed, ["sync"]).json();
    assert_eq!(run["pipelines"][0]["report"]["rows_appended"], 7);
    strategy(&digest.replace(|c: char| c.is_ascii_digit(), "e"));
    with_config(&bed, ["sync"]).run().failure(&["pinned"]);
}

#[test]
fn limits_are_those_of_the_strategy() {
    let bed = customers::bed(1);
    write(
        &bed,
        &pipeline("shipped = \"timestamp\"\nmemory = 1\noptions = { column = \"Name\" }"),
    );
    with_config(&bed, ["check"]).run().failure(&[
        "more than 1048576 bytes of memory",
        "it may have 1 MiB and wanted 2: give it that or more with 'strategy-memory'",
    ]);
    // The pipeline's options count more than the strategy's, and those that it does not name stay.
    let text =
        pipeline("shipped = \"timestamp\"\noptions = { column = \"Name\", lookback-seconds = 5 }");
    write(
        &bed,
        &format!("{text}strategy-options = {{ column = \"ModifiedDate\" }}\n"),
    );
    with_config(&bed, ["sync"]).run().success();
}

#[test]
fn a_component_is_taken_from_beside_the_file() {
    let bed = customers::bed(1);
    let text = pipeline("file = \"nowhere/mine.wasm\"");
    write(&bed, &text);
    with_config(&bed, ["check", "--offline"]).run().failure(&[
        "strategy mine: cannot read",
        &bed.path("nowhere/mine.wasm").display().to_string(),
    ]);
    write(
        &bed,
        &text.replace("strategy = \"mine\"", "strategy = \"./other.wasm\""),
    );
    with_config(&bed, ["check", "--offline"])
        .run()
        .failure(&[&bed.path("./other.wasm").display().to_string()]);
}
