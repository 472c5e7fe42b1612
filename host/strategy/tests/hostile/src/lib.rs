//! A strategy that does whatever wrong thing its option names.

use icehost_sdk::prelude::*;
use icehost_sdk::{
    ColumnRef, Compare, Comparison, Expression, Failure, Node, Side, info,
};

struct Hostile;

icehost_sdk::options! {
    /// What users may set.
    pub struct HostileOptions {
        /// What to do wrong.
        pub wrong: String,
    }
}

impl ChangeDetector for Hostile {
    const NAME: &'static str = "hostile";
    const VERSION: &'static str = "0.1.0";
    const SUMMARY: &'static str = "misbehaves as told";
    type Options = HostileOptions;

    fn probes(context: &Context<HostileOptions>) -> Result<Vec<Probe>, Error> {
        Ok(match context.options.wrong.as_str() {
            "probe-ordinal" => vec![Probe::max(99)],
            "probe-feature" => vec![Probe::ChangeTrackingCurrent],
            "probe-filter-ordinal" => vec![Probe::max(0).filter(col(99).is_null())],
            "probe-filter-type" => vec![Probe::max(0).filter(col(0).eq(lit("1; DROP TABLE x")))],
            "probe-filter-target" => vec![Probe::greatest([0]).filter(target_col(0).is_null())],
            "probe-filter-literals" => {
                vec![Probe::max(0).filter(col(0).one_of((0..1001i64).collect::<Vec<_>>()))]
            }
            "row-ordinal" => vec![Probe::greatest([0, 99])],
            "row-twice" => vec![Probe::least([0, 1, 0])],
            "row-of-nothing" => vec![Probe::greatest([])],
            "probe-flood" => vec![Probe::SourceTime; 300],
            _ => Vec::new(),
        })
    }

    fn plan(context: &Context<HostileOptions>, _: &[Value]) -> Result<ExtractionPlan, Error> {
        let mut plan = ExtractionPlan::rows(&context.table);
        match context.options.wrong.as_str() {
            "endless-loop" => spin(),
            "memory" => hog(),
            "huge-result" => plan.columns = vec![0; 1 << 20],
            "huge-text" => plan.filter = text("x".repeat(8 << 20)),
            "large-text" => plan.filter = text("x".repeat(100_000)),
            "recursion" => plan.columns = vec![recurse(1)],
            "panic" => panic!("no plan for {}", context.table.name),
            "panic-garbled" => panic!("\u{1b}[2Jgone\nfor good"),
            "ordinal" => plan.columns = vec![0, 7],
            "no-columns" => plan.columns.clear(),
            "cycle" => {
                plan.filter = Some(Expression {
                    nodes: vec![Node::Negate(1), Node::Negate(0)],
                    root: 0,
                });
            }
            "self-reference" => {
                plan.filter = Some(Expression {
                    nodes: vec![Node::AllOf(vec![0])],
                    root: 0,
                });
            }
            "root" => {
                plan.filter = Some(Expression {
                    nodes: Vec::new(),
                    root: 0,
                });
            }
            "type-confusion" => plan.filter = Some(col(0).eq(lit("1; DROP TABLE x")).into()),
            "value-as-predicate" => plan.filter = Some(col(0).into()),
            "target-in-extraction" => plan.filter = Some(target_col(0).is_null().into()),
            "predicate-as-value" => {
                let column = Node::Column(ColumnRef {
                    side: Side::Source,
                    column: 0,
                });
                let compare = Compare {
                    op: Comparison::Eq,
                    left: 0,
                    right: 1,
                };
                plan.filter = Some(Expression {
                    nodes: vec![column, Node::IsNull(0), Node::Compare(compare)],
                    root: 2,
                });
            }
            "impossible-value" => {
                plan.filter = Some(col(0).eq(lit(Decimal::new(i128::MAX, 200))).into());
            }
            "not-a-number" => plan.filter = Some(col(2).eq(lit(Value::Double(f64::NAN))).into()),
            "deep" => {
                let leaf = col(0).is_null();
                plan.filter = Some((0..200).fold(leaf, |deep, _| !deep).into());
            }
            "wide" => plan.filter = Some(col(0).one_of(0..5_000).into()),
            "missing-feature" => plan.source = ChangeSource::Snapshots(icehost_sdk::Window {
                after: None,
                through: None,
            }),
            "log-flood" => (0..10_000).for_each(|i| info!("message {i}")),
            "log-novel" => info!("{}", "x".repeat(500_000)),
            "failure" => {
                let code = "x".repeat(1_000);
                let message = format!("\u{1b}]0;owned\u{7} {}", "y".repeat(10_000));
                return Err(Error::new(Failure::BadData, code, message).about(1));
            }
            _ => {}
        }
        Ok(plan)
    }

    fn advance(context: &Context<HostileOptions>, _: &Outcome) -> Result<Watermark, Error> {
        let watermark = Watermark::new(1);
        Ok(match context.options.wrong.as_str() {
            "huge-mark" => watermark.with("x", "y".repeat(100_000)),
            "gigabyte-mark" => watermark.with("x", "y".repeat(1 << 30)),
            "many-marks" => (0..100).fold(watermark, |w, i| w.with(format!("{i}"), i)),
            "same-mark" => watermark.with("x", 1).with("x", 2),
            "garbled-mark" => watermark.with("\u{1b}[2J", 1),
            _ => watermark.with("fine", 1),
        })
    }
}

fn text(text: String) -> Option<Expression> {
    Some(col(1).eq(lit(text)).into())
}

fn spin() {
    let mut i = 0u64;
    loop {
        i = std::hint::black_box(i + 1);
    }
}

fn hog() {
    let mut kept = Vec::new();
    loop {
        kept.push(std::hint::black_box(vec![1u8; 1 << 20]));
    }
}

#[allow(unconditional_recursion)]
fn recurse(n: u32) -> u32 {
    std::hint::black_box(recurse(std::hint::black_box(n) + 1)) + 1
}

icehost_sdk::export_change_detector!(Hostile);
