//! Components that misbehave while they describe themselves, written by hand.

use std::time::Duration;

use icehost_strategy::StrategyError;

use crate::fixtures::{CONTRACT, from_wat, limits_with_deadline, runtime_with, world};

/// A merger whose `describe` has this body and returns the address of four strings (address and length each:
/// name, version, summary, options schema), with more definitions and initial memory of this many pages.
fn merger(describe: &str, more: &str, pages: u32) -> Vec<u8> {
    let text = format!(
        r#"(module
            (memory (export "memory") {pages})
            {more}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
            (func (export "icehost:strategy/metadata@0.3.0#describe") (result i32) {describe})
            (func (export "icehost:strategy/merge@0.3.0#plan")
                (param i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)
                unreachable))"#
    );
    from_wat(&text, &world(&[CONTRACT], "merger"))
}

/// Data at address 0: four strings, each of an address and a length, then `{"type":"object"}` at 64.
fn strings(name: (u32, u32)) -> String {
    let little = |n: u32| {
        let bytes = n.to_le_bytes();
        bytes
            .iter()
            .map(|b| format!("\\{b:02x}"))
            .collect::<String>()
    };
    let one = (65, 1);
    let schema = (64, 17);
    let words: String = [name, one, one, schema]
        .iter()
        .map(|(address, length)| little(*address) + &little(*length))
        .collect();
    format!(
        r#"(data (i32.const 0) "{words}")
           (data (i32.const 64) "{{\22type\22:\22object\22}}")
           (data (i32.const 100) "\ff\fe")"#
    )
}

async fn load(component: &[u8]) -> Result<String, StrategyError> {
    let runtime = runtime_with(limits_with_deadline(Duration::from_millis(300)));
    let strategy = runtime.load("hostile", component).await?;
    Ok(strategy.description().name.clone())
}

async fn refusal(component: &[u8]) -> String {
    load(component).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_harmless_form_of_these_components_loads() {
    let component = merger("i32.const 0", &strings((66, 1)), 1);
    assert_eq!(load(&component).await.unwrap(), "t");
}

#[tokio::test]
async fn an_endless_loop_at_load_ends_at_the_deadline() {
    let component = merger("(loop br 0) unreachable", "", 1);
    assert_eq!(
        refusal(&component).await,
        "strategy 'hostile' was stopped while describing itself: it ran longer than 300ms (an endless loop?)"
    );
}

#[tokio::test]
async fn memory_that_is_asked_for_at_the_start_is_bounded() {
    let component = merger("i32.const 0", &strings((66, 1)), 2_000);
    assert_eq!(
        refusal(&component).await,
        "strategy 'hostile' was stopped while describing itself: it wanted more than 67108864 bytes of memory"
    );
}

#[tokio::test]
async fn tables_are_bounded() {
    let more = format!("(table 1000000 funcref) {}", strings((66, 1)));
    assert_eq!(
        refusal(&merger("i32.const 0", &more, 1)).await,
        "strategy 'hostile' was stopped while describing itself: it wanted more than 20000 table elements"
    );
}

#[tokio::test]
async fn an_enormous_name_is_not_copied() {
    let component = merger("i32.const 0", &strings((0, 2 << 20)), 64);
    assert_eq!(
        refusal(&component).await,
        "strategy 'hostile' was stopped while describing itself: it handed over more than 1048576 bytes at once"
    );
}

#[tokio::test]
async fn a_long_name_is_refused() {
    let component = merger("i32.const 0", &strings((1_000, 65)), 1);
    assert_eq!(
        refusal(&component).await,
        "cannot load strategy 'hostile': the component's description is unusable: its name has 65 bytes, \
         of at most 64"
    );
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused() {
    let error = refusal(&merger("i32.const 0", &strings((100, 2)), 1)).await;
    assert!(
        error.contains("it broke the component model") && error.contains("utf-8"),
        "{error}"
    );
}

#[tokio::test]
async fn strings_outside_of_memory_are_refused() {
    let error = refusal(&merger("i32.const 0", &strings((0xffff_fff0, 8)), 1)).await;
    assert!(error.contains("it broke the component model"), "{error}");
    let error = refusal(&merger("i32.const -16", &strings((66, 1)), 1)).await;
    assert!(error.contains("it broke the component model"), "{error}");
}
