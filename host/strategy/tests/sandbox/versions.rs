//! Strategies for each version of the contract that is served, built against its frozen text.

use std::path::Path;

use icehost_componentize::build;
use icehost_plan::{Action, Contents, Coverage, Delta, Occasion, Outcome, Value};
use icehost_strategy::{CONTRACT_VERSION, Context, PREVIOUS_CONTRACT_VERSION, Runtime, Strategy};

use crate::fixtures::{CONTRACT, build_options, options, orders, runtime, shipped};

async fn previous(runtime: &Runtime, kind: &str) -> Strategy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/previous")
        .join(kind);
    let built = match build(&path, &build_options()) {
        Ok(built) => built,
        Err(error) => panic!("{error}\nhint: {:?}", error.hint()),
    };
    runtime.load(kind, &built.component).await.unwrap()
}

#[tokio::test]
async fn a_change_detector_of_the_previous_version_runs() {
    let strategy = previous(&runtime(), "detector").await;
    assert_eq!(strategy.world(), "icehost:strategy/change-detector@0.1.0");
    let (table, options) = (orders(), options(&strategy, &[]));
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let detector = strategy.as_change_detector().unwrap();
    assert_eq!(detector.probes(&context).await.unwrap().len(), 1);
    let plan = detector.plan(&context, &[Value::Integer(1)]).await.unwrap();
    assert_eq!(plan.coverage, Coverage::Full);
    let outcome = Outcome {
        rows: 3,
        readings: vec![Value::Integer(1)],
        observed: vec![],
    };
    let watermark = detector.advance(&context, &outcome).await.unwrap();
    assert_eq!(watermark.marks, [("rows".to_owned(), Value::Integer(3))]);
}

#[tokio::test]
async fn a_merger_of_the_previous_version_runs() {
    let strategy = previous(&runtime(), "merger").await;
    assert_eq!(strategy.world(), "icehost:strategy/merger@0.1.0");
    let (table, options) = (orders(), options(&strategy, &[]));
    let delta = Delta {
        columns: table.columns.clone(),
        contents: Contents::Snapshot,
        operation: None,
        rows: 7,
        run_time: 0,
    };
    let merger = strategy.as_merger().unwrap();
    let plan = merger.plan(&table, &delta, &options).await.unwrap();
    assert_eq!(plan.among, None);
    let clauses: Vec<_> = plan.clauses.iter().map(|c| c.occasion).collect();
    assert_eq!(
        clauses,
        [
            Occasion::Matched,
            Occasion::NotMatched,
            Occasion::NotMatchedBySource
        ]
    );
    assert!(matches!(&plan.clauses[0].action, Action::Write(written) if written.len() == 1));
    assert_eq!(plan.clauses[2].action, Action::Delete);
}

#[tokio::test]
async fn the_present_version_is_that_of_the_text() {
    let strategy = shipped(&runtime(), "upsert").await;
    assert_eq!(
        strategy.world(),
        format!("icehost:strategy/merger@{CONTRACT_VERSION}")
    );
    let first = |text: &str| text.lines().next().unwrap().to_owned();
    assert_eq!(
        first(CONTRACT),
        format!("package icehost:strategy@{CONTRACT_VERSION};")
    );
    let frozen = include_str!("../../../../wit/0.1.0/strategy.wit");
    assert_eq!(
        first(frozen),
        format!("package icehost:strategy@{PREVIOUS_CONTRACT_VERSION};")
    );
}

/// A published text never changes.
#[test]
fn the_frozen_text_is_as_it_was_published() {
    use sha2::{Digest, Sha256};
    let frozen = include_bytes!("../../../../wit/0.1.0/strategy.wit");
    let digest: String = Sha256::digest(frozen)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(
        digest,
        "af68109555ab7eb8c9dcee015f4895c30e0c7eb6c60d237d7057d6a0472dd716"
    );
}
