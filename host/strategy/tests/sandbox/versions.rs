//! Strategies for each version of the contract that is served, built against its frozen text.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Int32Array, RecordBatch, StringArray};
use icehost_componentize::build;
use icehost_plan::{Action, Aggregate, AggregateFunction, Contents, Coverage, Delta, Node};
use icehost_plan::{Occasion, Outcome, Probe, Value};
use icehost_strategy::{CONTRACT_VERSION, Context, PREVIOUS_CONTRACT_VERSIONS, Runtime, Strategy};

use crate::fixtures::{CONTRACT, build_options, options, orders, runtime, shipped};

async fn previous(runtime: &Runtime, version: &str, kind: &str) -> Strategy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/previous")
        .join(version)
        .join(kind);
    let built = match build(&path, &build_options()) {
        Ok(built) => built,
        Err(error) => panic!("{error}\nhint: {:?}", error.hint()),
    };
    runtime.load(kind, &built.component).await.unwrap()
}

#[tokio::test]
async fn change_detectors_of_previous_versions_run() {
    for version in PREVIOUS_CONTRACT_VERSIONS {
        let strategy = previous(&runtime(), version, "detector").await;
        let world = format!("icehost:strategy/change-detector@{version}");
        assert_eq!(strategy.world(), world);
        let (table, options) = (orders(), options(&strategy, &[]));
        let context = Context {
            table: &table,
            options: &options,
            watermark: None,
        };
        let detector = strategy.as_change_detector().unwrap();
        let largest = Probe::from(Aggregate {
            function: AggregateFunction::Max,
            column: 0,
        });
        assert_eq!(detector.probes(&context).await.unwrap(), [largest]);
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
}

fn delta() -> Delta {
    Delta {
        columns: orders().columns,
        contents: Contents::Snapshot,
        operation: None,
        rows: 7,
        run_time: 5,
    }
}

#[tokio::test]
async fn a_merger_of_the_first_version_runs() {
    let strategy = previous(&runtime(), "0.1.0", "merger").await;
    assert_eq!(strategy.world(), "icehost:strategy/merger@0.1.0");
    let options = options(&strategy, &[]);
    let merger = strategy.as_merger().unwrap();
    let plan = merger.plan(&orders(), &delta(), &options).await.unwrap();
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
async fn a_merger_of_the_second_version_runs() {
    let strategy = previous(&runtime(), "0.2.0", "merger").await;
    assert_eq!(strategy.world(), "icehost:strategy/merger@0.2.0");
    let options = options(&strategy, &[]);
    let merger = strategy.as_merger().unwrap();
    let plan = merger.plan(&orders(), &delta(), &options).await.unwrap();
    assert!(plan.among.is_some());
    let Action::Supersede(succession) = &plan.clauses[0].action else {
        panic!("{:?}", plan.clauses);
    };
    let run_time = Node::Literal(Value::Timestamp(5));
    assert_eq!(succession.old[0].value.nodes, [run_time]);
    assert_eq!(succession.new.len(), 2);
}

#[tokio::test]
async fn a_batch_transformer_of_the_second_version_runs() {
    let strategy = previous(&runtime(), "0.2.0", "transformer").await;
    assert_eq!(strategy.world(), "icehost:strategy/batch-transformer@0.2.0");
    let options = options(&strategy, &[]);
    let transformer = strategy.as_batch_transformer().unwrap();
    let mut transform = transformer.open(&orders(), &options).await.unwrap();
    let ids = Int32Array::from_iter_values(0..4);
    let names = StringArray::from_iter_values(["a", "b", "c", "d"]);
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("Id", Arc::new(ids) as _, false),
        ("Name", Arc::new(names) as _, true),
    ]);
    let transformed = transform.apply(&rows.unwrap()).await.unwrap();
    let kept = transformed[0].kept.column(0).as_primitive::<Int32Type>();
    assert_eq!(kept.values().to_vec(), [1, 3]);
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
    for (version, frozen, _) in FROZEN {
        let wanted = format!("package icehost:strategy@{version};");
        assert_eq!(first(frozen), wanted);
    }
    assert_eq!(
        FROZEN.map(|(version, ..)| version),
        PREVIOUS_CONTRACT_VERSIONS
    );
}

/// The published versions that are served: their texts, and what these hash to.
const FROZEN: [(&str, &str, &str); 2] = [
    (
        "0.2.0",
        include_str!("../../../../wit/0.2.0/strategy.wit"),
        "ad569c42d0e3072d329edd311d8d3dacff8bcbf96c70589cc1f81180f8348638",
    ),
    (
        "0.1.0",
        include_str!("../../../../wit/0.1.0/strategy.wit"),
        "af68109555ab7eb8c9dcee015f4895c30e0c7eb6c60d237d7057d6a0472dd716",
    ),
];

/// A published text never changes.
#[test]
fn the_frozen_texts_are_as_they_were_published() {
    use sha2::{Digest, Sha256};
    for (version, frozen, wanted) in FROZEN {
        let digest: String = Sha256::digest(frozen)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(digest, wanted, "{version}");
    }
}
