//! A component that misbehaves as its option says, and the error that each misbehaviour gets.

use std::time::{Duration, Instant};

use icehost_plan::{Outcome, Watermark};
use icehost_strategy::{ChangeDetector, Context, Limits, Runtime, StrategyError, TrapReason};

use crate::fixtures::{hostile, limits_with_deadline, options, orders, runtime, runtime_with};

/// What each of the three calls gives for one misbehaviour.
async fn misbehave(runtime: &Runtime, wrong: &str) -> Result<Watermark, StrategyError> {
    let detector = hostile(runtime).await;
    run(&detector, wrong).await
}

async fn run(detector: &ChangeDetector, wrong: &str) -> Result<Watermark, StrategyError> {
    let table = orders();
    let options = options(detector.strategy(), &[("wrong", wrong)]);
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    detector.probes(&context).await?;
    detector.plan(&context, &[]).await?;
    let outcome = Outcome {
        rows: 0,
        readings: vec![],
        observed: vec![],
    };
    detector.advance(&context, &outcome).await
}

async fn trap(runtime: &Runtime, wrong: &str) -> TrapReason {
    match misbehave(runtime, wrong).await {
        Err(StrategyError::Trap { reason, .. }) => reason,
        other => panic!("'{wrong}' was not trapped: {other:?}"),
    }
}

#[tokio::test]
async fn one_that_behaves_is_served() {
    let watermark = misbehave(&runtime(), "nothing").await.unwrap();
    assert_eq!(watermark.marks.len(), 1);
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_deadline() {
    let limit = Duration::from_millis(300);
    let runtime = runtime_with(limits_with_deadline(limit));
    let started = Instant::now();
    let error = misbehave(&runtime, "endless-loop").await.unwrap_err();
    assert!(started.elapsed() >= limit);
    assert_eq!(
        error.to_string(),
        "strategy 'hostile' was stopped while planning: it ran longer than 300ms (an endless loop?)"
    );
    assert!(error.hint().unwrap().starts_with("nothing was changed"));
}

#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_does_not_hold_up_its_thread() {
    let runtime = runtime_with(limits_with_deadline(Duration::from_millis(500)));
    let detector = hostile(&runtime).await;
    let others = tokio::spawn(async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Instant::now()
    });
    let error = run(&detector, "endless-loop").await.unwrap_err();
    let ended = Instant::now();
    assert!(matches!(error, StrategyError::Trap { .. }), "{error}");
    assert!(
        others.await.unwrap() < ended,
        "the other task had to wait for the loop"
    );
}

#[tokio::test]
async fn memory_is_bounded() {
    let error = misbehave(&runtime(), "memory").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "strategy 'hostile' was stopped while planning: it wanted more than 67108864 bytes of memory"
    );
}

#[tokio::test]
async fn results_are_bounded() {
    for wrong in ["huge-result", "huge-text"] {
        let reason = trap(&runtime(), wrong).await;
        assert_eq!(reason, TrapReason::ResultTooLarge(1 << 20), "{wrong}");
    }
}

#[tokio::test]
async fn a_watermark_of_a_gigabyte_never_gets_here() {
    // More than its memory holds; where that is raised, more than a call hands over.
    let reason = trap(&runtime(), "gigabyte-mark").await;
    let exceeds = |limit, wanted| limit == 64 << 20 && wanted > limit;
    assert!(
        matches!(reason, TrapReason::Memory { limit, wanted } if exceeds(limit, wanted)),
        "{reason:?}"
    );
    let generous = Limits {
        memory_bytes: 3 << 30,
        ..limits_with_deadline(Duration::from_secs(120))
    };
    let reason = trap(&runtime_with(generous), "gigabyte-mark").await;
    assert_eq!(reason, TrapReason::ResultTooLarge(1 << 20));
}

#[tokio::test]
async fn recursion_is_bounded() {
    let reason = trap(&runtime(), "recursion").await;
    let text = reason.to_string();
    assert!(
        text.contains("stack overflow") || text.contains("stack overflowed"),
        "{text}"
    );
}

#[tokio::test]
async fn a_panic_is_shown_with_its_message() {
    let TrapReason::Aborted(Some(message)) = trap(&runtime(), "panic").await else {
        panic!("a panic aborts with a message");
    };
    assert!(message.contains("no plan for dbo.Orders"), "{message}");
    let TrapReason::Aborted(Some(message)) = trap(&runtime(), "panic-garbled").await else {
        panic!("a panic aborts with a message");
    };
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(message.ends_with(r"\u001b[2Jgone\nfor good"), "{message:?}");
}

#[tokio::test]
async fn invalid_answers_are_refused_with_the_place() {
    let runtime = runtime();
    let detector = hostile(&runtime).await;
    for (wrong, reason) in [
        (
            "probe-ordinal",
            "choosing probes: probes[0]: column 99 is out of range: there are 4 columns",
        ),
        (
            "probe-feature",
            "choosing probes: probes[0]: the table does not offer Change Tracking",
        ),
        (
            "probe-filter-ordinal",
            "choosing probes: probes[0]: filter: nodes[0]: column 99 is out of range: there are 4 columns",
        ),
        (
            "probe-filter-type",
            "choosing probes: probes[0]: filter: nodes[2]: integer is compared with text",
        ),
        (
            "probe-filter-target",
            "choosing probes: probes[0]: filter: nodes[0]: there is no target row to read here",
        ),
        (
            "probe-filter-literals",
            "choosing probes: probes[0]: filter: one-of: at most 1000 entries, not 1001",
        ),
        (
            "row-ordinal",
            "choosing probes: probes[0]: columns[1]: column 99 is out of range: there are 4 columns",
        ),
        (
            "row-twice",
            "choosing probes: probes[0]: columns[2]: column 0 stands twice",
        ),
        (
            "row-of-nothing",
            "choosing probes: probes[0]: a row is found by 1 to 16 columns, not by 0",
        ),
        (
            "probe-flood",
            "choosing probes: probes: at most 256 entries, not 300",
        ),
        (
            "ordinal",
            "planning: columns[1]: column 7 is out of range: there are 4 columns",
        ),
        ("no-columns", "planning: columns: the plan reads no column"),
        (
            "cycle",
            "planning: filter: nodes[0]: refers to node 1, which does not come before it",
        ),
        (
            "self-reference",
            "planning: filter: nodes[0]: refers to node 0, which does not come before it",
        ),
        (
            "root",
            "planning: filter: root 0 is out of range: there are 0 nodes",
        ),
        (
            "type-confusion",
            "planning: filter: nodes[2]: integer is compared with text",
        ),
        (
            "value-as-predicate",
            "planning: filter: a predicate is wanted, not a value",
        ),
        (
            "predicate-as-value",
            "planning: filter: nodes[2]: node 1 is a predicate where a value is wanted",
        ),
        (
            "target-in-extraction",
            "planning: filter: nodes[0]: there is no target row to read here",
        ),
        (
            "impossible-value",
            "planning: filter: nodes[1]: a decimal has at most 38 digits, not scale 200",
        ),
        (
            "not-a-number",
            "planning: filter: nodes[1]: NaN is not a number that SQL Server can hold",
        ),
        (
            "deep",
            "planning: filter: nodes[64]: an expression nests at most 64 deep",
        ),
        (
            "wide",
            "planning: filter: one-of: at most 1000 entries, not 5000",
        ),
        (
            "large-text",
            "planning: filter: the literals of an expression have at most 65536 bytes, not 100000",
        ),
        (
            "missing-feature",
            "planning: source: the table does not offer snapshots",
        ),
        (
            "huge-mark",
            "advancing the watermark: watermark: a watermark has at most 16384 bytes, not 100001",
        ),
        (
            "many-marks",
            "advancing the watermark: watermark: at most 64 entries, not 100",
        ),
        (
            "same-mark",
            "advancing the watermark: watermark: mark 'x' stands twice",
        ),
        (
            "garbled-mark",
            "advancing the watermark: watermark: mark 0 has an empty name or one with control characters",
        ),
    ] {
        let error = run(&detector, wrong).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("strategy 'hostile' returned an invalid answer while {reason}"),
            "{wrong}"
        );
        assert!(error.hint().is_some(), "{wrong}");
    }
}

#[tokio::test]
async fn the_text_of_an_error_is_cleaned_and_cut() {
    let error = misbehave(&runtime(), "failure").await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("strategy 'hostile' says: \\u001b]0;owned\\u0007 yyy"),
        "{text}"
    );
    assert!(text.contains("(column 'Name')"), "{text}");
    assert!(
        text.len() < 1_500 && !text.chars().any(char::is_control),
        "{text}"
    );
}

#[tokio::test]
async fn a_call_leaves_nothing_to_the_next() {
    let runtime = runtime_with(limits_with_deadline(Duration::from_millis(300)));
    let detector = hostile(&runtime).await;
    for wrong in ["memory", "panic", "recursion", "endless-loop"] {
        run(&detector, wrong).await.unwrap_err();
        run(&detector, "nothing").await.unwrap();
    }
}
