//! The example in docs/configuration.md is a file that `icehost check` finds nothing wrong with.

use std::path::Path;

use icehost_tests::Bed;

use crate::file::{with_config, write_raw};

#[test]
fn the_example_in_the_documentation_is_sound() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();

    let bed = Bed::on_development_server();
    // It pins a component of its own, which is a shipped one here.
    let pin = example.split("sha256 = \"").nth(1).unwrap();
    let pin = pin.split('"').next().unwrap();
    let by_version = example
        .replace("file = \"strategies/by-version.wasm\"", "shipped = \"id\"")
        .replace(&format!("sha256 = \"{pin}\""), "");
    write_raw(&bed, &by_version);
    let checked = with_config(&bed, ["check", "--offline"]).json();
    assert_eq!(
        checked["pipelines"],
        serde_json::json!(["customers", "orders@acme", "orders@zenith", "events"])
    );
}
