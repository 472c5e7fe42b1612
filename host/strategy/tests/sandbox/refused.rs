//! Files that are not strategies, or that want more than is granted. Each error says which it is.

use icehost_strategy::{Limits, LoadError, StrategyError};

use crate::fixtures::{CONTRACT, dummy, runtime, runtime_with, shipped, with_type, world};

async fn refusal(bytes: &[u8]) -> (String, Option<String>) {
    match runtime().load("x.wasm", bytes).await {
        Ok(strategy) => panic!("it was loaded: {strategy:?}"),
        Err(error) => {
            assert!(matches!(error, StrategyError::Load { .. }), "{error:?}");
            (error.to_string(), error.hint().map(|hint| hint.to_string()))
        }
    }
}

fn merger_that_imports(package: &str, import: &str) -> Vec<u8> {
    let hostile = format!(
        "package test:hostile;
         world hostile {{ include icehost:strategy/merger@0.3.0; import {import}; }}"
    );
    dummy(&[CONTRACT, package, &hostile], "hostile")
}

#[tokio::test]
async fn an_empty_file() {
    let (error, hint) = refusal(b"").await;
    assert_eq!(error, "cannot load strategy 'x.wasm': the file is empty");
    assert!(hint.unwrap().contains("icehost plugin build"));
}

#[tokio::test]
async fn garbage() {
    for bytes in [
        &b"hello, world"[..],
        b"\0asm",
        b"\x7fELF\x02\x01\x01\0",
        b"(component)",
    ] {
        let (error, _) = refusal(bytes).await;
        assert_eq!(
            error,
            "cannot load strategy 'x.wasm': the file is not WebAssembly"
        );
    }
}

#[tokio::test]
async fn a_damaged_component() {
    let whole = icehost_plugins::find("upsert").unwrap().component;
    let (error, _) = refusal(&whole[..whole.len() / 2]).await;
    let start = "cannot load strategy 'x.wasm': the file is not a valid component: ";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn a_core_module_without_component_type() {
    let module = wat::parse_str("(module)").unwrap();
    let (error, hint) = refusal(&module).await;
    assert_eq!(
        error,
        "cannot load strategy 'x.wasm': the file is a WebAssembly module without an embedded component type"
    );
    assert!(hint.unwrap().contains("icehost plugin build"));
}

#[tokio::test]
async fn a_core_module_that_is_not_what_its_component_type_says() {
    let (resolve, world) = world(&[CONTRACT], "merger");
    let module = with_type(wat::parse_str("(module)").unwrap(), &resolve, world);
    let (error, _) = refusal(&module).await;
    let start =
        "cannot load strategy 'x.wasm': cannot make a component of the WebAssembly module: ";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn a_precompiled_artefact() {
    let engine = wasmtime::Engine::default();
    let component = icehost_plugins::find("upsert").unwrap().component;
    let artefact = engine.precompile_component(component).unwrap();
    let (error, hint) = refusal(&artefact).await;
    assert_eq!(
        error,
        "cannot load strategy 'x.wasm': the file is a precompiled wasmtime artefact, which cannot be \
         checked and is never loaded"
    );
    assert!(
        hint.unwrap()
            .contains("the component that it was compiled from")
    );
}

#[tokio::test]
async fn a_component_of_another_world() {
    let component = dummy(
        &["package test:other; world other { export run: func(); }"],
        "other",
    );
    let (error, _) = refusal(&component).await;
    assert_eq!(
        error,
        "cannot load strategy 'x.wasm': the component is not a strategy: it exports run; a strategy exports \
         icehost:strategy/metadata@0.3.0 and one of icehost:strategy/change-detection@0.3.0, \
         icehost:strategy/merge@0.3.0 and icehost:strategy/batch-transform@0.3.0"
    );
}

#[tokio::test]
async fn a_component_for_another_version_of_the_contract() {
    let next = CONTRACT.replace("0.3.0", "0.4.0");
    let (error, hint) = refusal(&dummy(&[&next], "merger")).await;
    assert_eq!(
        error,
        "cannot load strategy 'x.wasm': the component is made for icehost:strategy@0.4.0; this host \
         serves 0.3.0, 0.2.0 and 0.1.0"
    );
    assert_eq!(
        hint.unwrap(),
        "build it with an SDK for icehost:strategy@0.3.0"
    );
}

#[tokio::test]
async fn a_component_whose_functions_are_not_the_contract_s() {
    let other = CONTRACT.replace(
        "describe: func() -> description",
        "describe: func() -> string",
    );
    assert_ne!(other, CONTRACT);
    let (error, _) = refusal(&dummy(&[&other], "merger")).await;
    let start =
        "cannot load strategy 'x.wasm': the component does not have the contract's functions: ";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn an_import_that_is_not_granted() {
    let component = merger_that_imports(
        "package acme:secrets@1.2.3; interface vault { open: func(name: string) -> string; }",
        "acme:secrets/vault@1.2.3",
    );
    let (error, hint) = refusal(&component).await;
    assert_eq!(
        error,
        "cannot load strategy 'x.wasm': the component imports what is not granted: \
         acme:secrets/vault@1.2.3"
    );
    assert_eq!(
        hint.unwrap(),
        "a strategy may import icehost:strategy/logging@0.3.0 and nothing else"
    );
}

#[tokio::test]
async fn wasi() {
    let component = merger_that_imports(
        "package wasi:cli@0.2.6;
         interface environment { get-environment: func() -> list<tuple<string, string>>; }",
        "wasi:cli/environment@0.2.6",
    );
    let (error, hint) = refusal(&component).await;
    assert_eq!(
        error,
        "cannot load strategy 'x.wasm': the component imports what is not granted: \
         wasi:cli/environment@0.2.6"
    );
    assert!(hint.unwrap().contains("strategies get none"));
}

#[tokio::test]
async fn a_file_that_is_too_large() {
    let component = icehost_plugins::find("upsert").unwrap().component;
    let runtime = runtime_with(Limits {
        component_bytes: component.len() - 1,
        ..Limits::default()
    });
    let error = runtime.load("x.wasm", component).await.unwrap_err();
    let StrategyError::Load { error, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.wasm");
    std::fs::write(&path, component).unwrap();
    let error = runtime.load_file(&path).await.unwrap_err();
    assert!(
        error.to_string().contains("a strategy has at most"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_is_not_there() {
    let error = runtime()
        .load_file("no/such.wasm".as_ref())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot load strategy 'no/such.wasm': cannot read no/such.wasm: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_strategy_of_the_other_kind() {
    let runtime = runtime();
    let error = shipped(&runtime, "upsert")
        .await
        .as_change_detector()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "'upsert' is a merger, and a change detector is wanted here"
    );
    assert_eq!(
        error.hint().unwrap(),
        "give it with --merge or --lake-merge"
    );
    let error = shipped(&runtime, "id").await.as_merger().unwrap_err();
    assert_eq!(error.hint().unwrap(), "give it with --strategy");
}

#[tokio::test]
async fn a_core_module_with_component_type_is_made_into_a_component() {
    let (resolve, world) = world(&[CONTRACT], "merger");
    let module = wit_component::dummy_module(
        &resolve,
        world,
        wit_parser::ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync),
    );
    let module = with_type(module, &resolve, world);
    let error = runtime().load("x.wasm", &module).await.unwrap_err();
    // It gets as far as being asked to describe itself, where a dummy traps.
    assert_eq!(
        error.to_string(),
        "strategy 'x.wasm' was stopped while describing itself: it aborted without a message"
    );
}
