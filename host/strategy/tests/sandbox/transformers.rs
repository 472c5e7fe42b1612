//! Batch transformers: what the shipped ones do, and what hostile ones get.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Int32Array, RecordBatch, StringArray};
use icehost_componentize::build;
use icehost_strategy::{
    Kind, Limits, Runtime, RuntimeOptions, StrategyError, Transform, TrapReason,
};

use tracing::instrument::WithSubscriber;

use crate::fixtures::{build_options, component_target_dir, options, orders, shipped};
use crate::log::Lines;

fn hostile_component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transformer");
        match build(&path, &build_options()) {
            Ok(built) => built.component,
            Err(error) => panic!("{error}\nhint: {:?}", error.hint()),
        }
    })
}

/// Transformers are large; each is compiled once.
fn cached(limits: Limits) -> Runtime {
    let cache_dir = Some(component_target_dir().join("compiled"));
    Runtime::new(RuntimeOptions {
        cache_dir,
        limits,
        ..RuntimeOptions::default()
    })
    .unwrap()
}

async fn open(runtime: &Runtime, wrong: &str) -> Result<Transform, StrategyError> {
    let strategy = runtime.load("hostile", hostile_component()).await.unwrap();
    let options = options(&strategy, &[("wrong", wrong)]);
    let transformer = strategy.as_batch_transformer().unwrap();
    transformer.open(&orders(), &options).await
}

/// `Id` and `Name` of `dbo.Orders`; ten rows of names that differ.
fn rows() -> RecordBatch {
    let ids = Int32Array::from_iter_values(0..10);
    let names = StringArray::from_iter((0..10).map(|i| (i != 3).then(|| format!("name {i}"))));
    RecordBatch::try_from_iter_with_nullable([
        ("Id", Arc::new(ids) as _, false),
        ("Name", Arc::new(names) as _, true),
    ])
    .unwrap()
}

async fn misbehave(runtime: &Runtime, wrong: &str) -> StrategyError {
    match open(runtime, wrong).await {
        Err(error) => error,
        Ok(mut transform) => transform.apply(&rows()).await.unwrap_err(),
    }
}

#[tokio::test]
async fn one_that_behaves_is_served() {
    let mut transform = open(&cached(Limits::default()), "nothing").await.unwrap();
    let transformed = transform.apply(&rows()).await.unwrap();
    assert_eq!(transformed.len(), 1);
    assert_eq!(transformed[0].kept, rows());
    assert!(transformed[0].dropped.is_none());
    let mut transform = open(&cached(Limits::default()), "unchanged").await.unwrap();
    assert_eq!(transform.apply(&rows()).await.unwrap()[0].kept, rows());
}

#[tokio::test]
async fn the_shipped_ones_are_transformers() {
    let runtime = cached(Limits::default());
    for name in ["mask", "tenant-filter"] {
        let strategy = shipped(&runtime, name).await;
        assert_eq!(strategy.kind(), Kind::BatchTransformer);
        assert_eq!(strategy.world(), "icehost:strategy/batch-transformer@0.3.0");
        assert_eq!(strategy.imports().len(), 2, "{:?}", strategy.imports());
        assert!(strategy.as_merger().is_err());
    }
}

#[tokio::test]
async fn rows_are_dropped_and_columns_replaced_in_their_places() {
    let runtime = cached(Limits::default());
    let filter = shipped(&runtime, "tenant-filter").await;
    let given = options(&filter, &[("column", "Id"), ("tenants", "2,7")]);
    let filter = filter.as_batch_transformer().unwrap();
    let mut filter = filter.open(&orders(), &given).await.unwrap();
    let transformed = filter.apply(&rows()).await.unwrap();
    let ids = |batch: &RecordBatch| {
        batch
            .column(0)
            .as_primitive::<Int32Type>()
            .values()
            .to_vec()
    };
    assert_eq!(ids(&transformed[0].kept), [2, 7]);
    let dropped = transformed[0].dropped.as_ref().unwrap();
    assert_eq!(ids(dropped), [0, 1, 3, 4, 5, 6, 8, 9]);

    let mask = shipped(&runtime, "mask").await;
    let given = options(&mask, &[("columns", "Name"), ("keep-last", "1")]);
    let mask = mask.as_batch_transformer().unwrap();
    let mut mask = mask.open(&orders(), &given).await.unwrap();
    let masked = mask
        .apply(&transformed[0].kept)
        .await
        .unwrap()
        .remove(0)
        .kept;
    assert_eq!(masked.column(1).as_string::<i32>().value(1), "*****7");
    assert_eq!(masked.schema(), rows().schema());
}

#[tokio::test]
async fn declarations_are_checked_against_the_table() {
    let runtime = cached(Limits::default());
    for (wrong, reason) in [
        (
            "ordinal",
            "inputs[0]: column 99 is out of range: there are 4 columns",
        ),
        ("twice", "inputs[1]: 'Name' is given twice"),
        (
            "key",
            "outputs[0]: 'Id' is part of the key, by which rows are found again",
        ),
        (
            "no-name",
            "outputs[0]: its name is empty or has control characters",
        ),
        (
            "garbled-name",
            "outputs[0]: its name is empty or has control characters",
        ),
        (
            "long-name",
            "outputs[0]: its name has more than 128 characters",
        ),
        (
            "case",
            "outputs[0]: 'NAME' differs from column 'Name' in case only",
        ),
        (
            "type",
            "outputs[0]: 'decimal(50,2)' is not a SQL Server type that icehost knows",
        ),
        (
            "rowversion",
            "outputs[0]: 'New': only the server makes values of type rowversion",
        ),
        ("written-twice", "outputs[1]: 'new' is written twice"),
        ("flood", "outputs: at most 1024 entries, not 2000"),
    ] {
        let error = open(&runtime, wrong).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "strategy 'hostile' returned an invalid answer while declaring its columns: {reason}"
            ),
            "{wrong}"
        );
    }
    let error = open(&runtime, "refuse").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "strategy 'hostile' says: it is not mine [not-mine]"
    );
}

#[tokio::test]
async fn answers_are_checked_against_the_declaration() {
    let runtime = cached(Limits::default());
    for (wrong, reason) in [
        ("garbage", "columns: a message does not begin as it should"),
        ("nothing-at-all", "columns: the stream is empty"),
        ("cut", "columns: the stream is cut off"),
        (
            "other-name",
            "columns: column 'Nome' stands where 'Name' was declared",
        ),
        (
            "other-type",
            "columns: column 'Name' is of Arrow type Int, and was declared such that it is Utf8",
        ),
        (
            "more-rows",
            "columns: there are 11 rows, and 10 were handed over",
        ),
        (
            "adds",
            "it returned no columns, and declared some that the table lacks",
        ),
        ("keep-short", "keep: it has 0 bytes, and 10 rows need 2"),
        ("keep-long", "keep: it has 3 bytes, and 10 rows need 2"),
    ] {
        let error = misbehave(&runtime, wrong).await;
        assert_eq!(
            error.to_string(),
            format!(
                "strategy 'hostile' returned an invalid answer while transforming a batch: {reason}"
            ),
            "{wrong}"
        );
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn bounds_hold_for_every_call_and_end_the_instance() {
    let runtime = cached(Limits {
        deadline: Duration::from_millis(300),
        memory_bytes: 32 << 20,
        ..Limits::default()
    });
    for (wrong, reason) in [
        (
            "endless-open",
            "it ran longer than 300ms (an endless loop?)",
        ),
        (
            "endless-loop",
            "it ran longer than 300ms (an endless loop?)",
        ),
        // Within the host's log for most of its time
        ("chatter", "it ran longer than 300ms (an endless loop?)"),
        ("memory", "it wanted more than 33554432 bytes of memory"),
        ("huge", "it wanted more than 33554432 bytes of memory"),
    ] {
        let text = misbehave(&runtime, wrong).await.to_string();
        assert!(text.ends_with(reason), "{wrong}: {text}");
    }
    let mut transform = open(&runtime, "endless-loop").await.unwrap();
    transform.apply(&rows()).await.unwrap_err();
    let error = transform.apply(&rows()).await.unwrap_err();
    let StrategyError::Trap { reason, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(reason, TrapReason::Gone);
}

/// Runtimes of languages keep some of what they were given, so an instance makes way for another in time. That
/// gives a component no more memory at once, and no more log.
#[tokio::test]
async fn one_that_keeps_memory_from_batch_to_batch_makes_way_for_another() {
    const LIMIT: usize = 32 << 20;
    let runtime = cached(Limits {
        memory_bytes: LIMIT,
        ..Limits::default()
    });
    let lines = Lines::default();
    let strategy = {
        // 8 MiB in each batch
        let mut transform = open(&runtime, "hoard").await.unwrap();
        let batches = async {
            for _ in 0..40 {
                transform.apply(&rows()).await.unwrap();
            }
        };
        batches.with_subscriber(lines.subscriber()).await;
        runtime.load("hostile", hostile_component()).await.unwrap()
    };
    let memory = strategy.take_usage().memory_bytes;
    assert!((8 << 20..=LIMIT).contains(&memory), "{memory}");
    let text = lines.text();
    assert_eq!(text.matches("line ").count(), 100, "{text}");
    assert!(
        text.contains("of batch 2") && !text.contains("of batch 5"),
        "{text}"
    );
}

#[tokio::test]
async fn an_instance_that_trapped_is_gone_and_the_next_one_is_new() {
    let runtime = cached(Limits::default());
    let mut transform = open(&runtime, "panic-later").await.unwrap();
    transform.apply(&rows()).await.unwrap();
    let error = transform.apply(&rows()).await.unwrap_err();
    assert!(
        matches!(
            error,
            StrategyError::Trap {
                reason: TrapReason::Aborted(_),
                ..
            }
        ),
        "{error}"
    );
    transform.apply(&rows()).await.unwrap_err();
    let mut transform = open(&runtime, "panic-later").await.unwrap();
    transform.apply(&rows()).await.unwrap();
}

/// Two instances of one component, for two tenants for example, count for themselves.
#[tokio::test]
async fn instances_share_nothing() {
    let runtime = cached(Limits::default());
    let mut one = open(&runtime, "count").await.unwrap();
    let mut other = open(&runtime, "count").await.unwrap();
    let count = async |transform: &mut Transform| {
        let transformed = transform.apply(&rows()).await.unwrap().remove(0).kept;
        transformed.column(1).as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(count(&mut one).await, "1");
    assert_eq!(count(&mut one).await, "2");
    assert_eq!(count(&mut other).await, "1");
    assert_eq!(count(&mut one).await, "3");
}

#[tokio::test]
async fn a_column_that_nobody_reads_is_missed() {
    let batch = rows().project(&[0]).unwrap();
    let mut transform = open(&cached(Limits::default()), "nothing").await.unwrap();
    let error = transform.apply(&batch).await.unwrap_err().to_string();
    assert!(
        error.ends_with("it needs column 'Name', which the change detector does not read"),
        "{error}"
    );
}

#[tokio::test]
async fn a_million_log_lines_cost_their_time_and_nothing_else() {
    let runtime = cached(Limits {
        deadline: Duration::from_secs(120),
        ..Limits::default()
    });
    let mut transform = open(&runtime, "chatter").await.unwrap();
    transform.apply(&rows()).await.unwrap();
}

/// Large batches cross in pieces, each row once and in order.
#[tokio::test]
async fn large_batches_cross_in_pieces() {
    let text = "x".repeat(1000);
    let names = StringArray::from_iter_values((0..5000).map(|i| format!("{i} {text}")));
    let ids = Int32Array::from_iter_values(0..5000);
    let batch =
        RecordBatch::try_from_iter([("Id", Arc::new(ids) as _), ("Name", Arc::new(names) as _)])
            .unwrap();
    let mut transform = open(&cached(Limits::default()), "nothing").await.unwrap();
    let pieces = transform.apply(&batch).await.unwrap();
    assert!(pieces.len() >= 4, "{}", pieces.len());
    let ids: Vec<i32> = pieces
        .iter()
        .flat_map(|piece| {
            piece
                .kept
                .column(0)
                .as_primitive::<Int32Type>()
                .values()
                .to_vec()
        })
        .collect();
    assert_eq!(ids, (0..5000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_value_that_the_declared_type_does_not_have_is_refused_by_name() {
    let runtime = cached(Limits::default());
    for (kind, says) in [
        (
            "decimal(5,2)",
            "1701411834604692317316873037158841057.27 is no value of decimal(5,2)",
        ),
        ("money", "922337203685477.5808 is no value of money"),
        ("tinyint", "-70000 is no value of tinyint"),
        ("smallint", "32768 is no value of smallint"),
        ("float", "NaN is no value of float"),
        ("real", "inf is no value of real"),
        ("date", "day 2147483647 from 1970-01-01 is no value of date"),
        ("time(6)", "-1 µs is no value of time(6)"),
        ("datetime2(6)", "is no value of datetime2(6)"),
        ("datetimeoffset(6)", "is no value of datetimeoffset(6)"),
        (
            "datetime2(0)",
            "1970-01-01T00:00:00.0000010 is no value of datetime2(0)",
        ),
        (
            "datetime",
            "1970-01-01T00:00:00.0050000 is no value of datetime",
        ),
        ("smalldatetime", "is no value of smalldatetime"),
        (
            "nvarchar(5)",
            "'too long\\u001b[2J' is no value of nvarchar(5)",
        ),
        ("varchar(5)", "is no value of varchar(5)"),
        ("char(5)", "is no value of char(5)"),
        ("binary(2)", "0x010203 is no value of binary(2)"),
        ("varbinary(2)", "0x010203 is no value of varbinary(2)"),
    ] {
        let error = misbehave(&runtime, &format!("value {kind}")).await;
        let wanted = "strategy 'hostile' returned an impossible value: column 'New', row Id = 0: ";
        let text = error.to_string();
        assert!(text.starts_with(wanted), "{text}");
        assert!(text.contains(says), "{says}: {text}");
        assert!(error.hint().is_some());
    }
    let null = misbehave(&runtime, "value int").await.to_string();
    assert!(null.contains("'New'") && null.contains("null"), "{null}");
    let broken = misbehave(&runtime, "value nvarchar(9)").await;
    assert!(
        matches!(broken, StrategyError::InvalidPlan { .. }),
        "{broken}"
    );
}
