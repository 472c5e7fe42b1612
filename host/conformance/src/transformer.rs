//! Batch transformers under test.

use std::time::Instant;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_select::concat::concat_batches;
use icehost_plan::{Column, ValidTransformation};
use icehost_strategy::{BatchTransformer, Options, StrategyError};

use crate::Throughput;
use crate::batch;
use crate::case::Case;
use crate::check::{Check, expect_error, same};
use crate::timing::median;

/// What a transformer answers.
struct Answers {
    declared: ValidTransformation,
    /// The rows that are kept.
    kept: Vec<RecordBatch>,
}

/// Opens an instance and applies it to batches, one after the other.
async fn ask(
    transformer: &BatchTransformer,
    case: &Case,
    options: &Options,
    batches: &[RecordBatch],
) -> Result<Answers, StrategyError> {
    let mut open = transformer.open(&case.table, options).await?;
    let mut kept = Vec::new();
    for batch in batches {
        for transformed in open.apply(batch).await? {
            kept.push(transformed.kept);
        }
    }
    Ok(Answers {
        declared: open.declared().clone(),
        kept,
    })
}

/// The case's rows, run through a fresh instance.
pub(crate) async fn run(
    transformer: &BatchTransformer,
    case: &Case,
    options: &Options,
) -> Result<(), StrategyError> {
    let rows =
        rows(case).unwrap_or_else(|_| RecordBatch::new_empty(arrow_schema::Schema::empty().into()));
    ask(transformer, case, options, &[rows]).await.map(drop)
}

/// Rows of a batch that is timed.
const MANY: usize = 65_536;

/// Times a transformer that is open on the case's rows, repeated. `None` without any rows.
pub(crate) async fn throughput(
    transformer: &BatchTransformer,
    case: &Case,
    options: &Options,
    runs: u32,
) -> Result<Option<Throughput>, StrategyError> {
    let Ok(rows) = rows(case) else {
        return Ok(None);
    };
    if rows.num_rows() == 0 {
        return Ok(None);
    }
    let copies = vec![rows.clone(); MANY.div_ceil(rows.num_rows())];
    let Ok(many) = concat_batches(&rows.schema(), &copies) else {
        return Ok(None);
    };
    let mut open = transformer.open(&case.table, options).await?;
    transformer.strategy().take_usage();
    let mut times = Vec::with_capacity(runs as usize);
    for _ in 0..runs.max(1) {
        let started = Instant::now();
        open.apply(&many).await?;
        times.push(started.elapsed());
    }
    Ok(Some(Throughput {
        rows: many.num_rows(),
        median: median(&mut times),
        memory: transformer.strategy().take_usage().memory_bytes,
    }))
}

pub(crate) fn rows(case: &Case) -> Result<RecordBatch, String> {
    batch::batch(&case.table.columns, &case.batch)
}

/// The case as its author wrote it.
pub(crate) async fn case(
    transformer: &BatchTransformer,
    case: &Case,
    options: &Options,
) -> Result<(), String> {
    let expected = &case.expected;
    let rows = rows(case)?;
    let answers = match ask(transformer, case, options, &[rows]).await {
        Ok(answers) => answers,
        Err(error) => return expect_error(&expected.error, &error),
    };
    let got = batch::lines(&answers.kept)?;
    if let Some(wanted) = &expected.error {
        return Err(format!("wanted the error {wanted}\ngot rows:\n{got}"));
    }
    let (inputs, outputs) = (
        names(answers.declared.inputs()),
        declared(answers.declared.outputs()),
    );
    if expected.inputs.is_none() && expected.outputs.is_none() && expected.batch.is_none() {
        return Err(format!(
            "the case expects nothing; the strategy reads {inputs}, writes {outputs} and answers\n{got}"
        ));
    }
    if let Some(wanted) = &expected.inputs {
        same("inputs", &wanted.join(", "), &inputs)?;
    }
    if let Some(wanted) = &expected.outputs {
        same("outputs", &wanted.join(", "), &outputs)?;
    }
    if let Some(wanted) = &expected.batch {
        let columns = answers.declared.columns(&case.table.columns);
        let wanted =
            batch::batch(&columns, wanted).map_err(|why| format!("expect.batch: {why}"))?;
        same("rows", &batch::lines(&[wanted])?, &got)?;
    }
    Ok(())
}

fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    names.join(", ")
}

fn declared(columns: &[Column]) -> String {
    let texts: Vec<String> = columns
        .iter()
        .map(|column| {
            let null = if column.nullable { " null" } else { "" };
            format!("{} {}{null}", column.name, column.column_type)
        })
        .collect();
    texts.join(", ")
}

/// What must hold for any transformer, on this case's table and rows.
pub(crate) async fn conformance(
    transformer: &BatchTransformer,
    case: &Case,
    options: &Options,
    name: &str,
) -> Vec<Check> {
    let check = |what: &str, result| Check::new(format!("{name}: {what}"), result);
    let Ok(rows) = rows(case) else {
        // Told by the case itself.
        return Vec::new();
    };
    let whole = [rows.clone()];
    let ask = |batches: Vec<RecordBatch>| async move {
        let answers = self::ask(transformer, case, options, &batches).await;
        answers
            .map_err(|error| format!("got an error: {error}"))
            .and_then(|answers| Ok((answers.declared, batch::lines(&answers.kept)?)))
    };
    let once = ask(whole.to_vec()).await;
    let again = ask(whole.to_vec()).await;
    let one_by_one = (0..rows.num_rows()).map(|row| rows.slice(row, 1));
    let pieces = ask(one_by_one.collect()).await;
    let nulls = match nulls(case) {
        Some(nulls) => ask(vec![nulls]).await.map(drop),
        None => Ok(()),
    };
    let equal = |a: &Result<_, String>, b: &Result<_, String>, why: &str| match a == b {
        true => Ok(()),
        false => Err(why.to_owned()),
    };
    vec![
        check(
            "the same rows get the same answer",
            equal(&once, &again, "a second instance answered otherwise"),
        ),
        check(
            "rows get the same answer one by one",
            equal(
                &once,
                &pieces,
                "a row's answer depends on the rows beside it",
            ),
        ),
        check("NULLs are taken where they are allowed", nulls),
    ]
}

/// One row with NULL in every column that allows it, and else the values of the case's first row.
fn nulls(case: &Case) -> Option<RecordBatch> {
    let rows = rows(case).ok()?;
    if rows.num_rows() == 0 {
        return None;
    }
    let first = rows.slice(0, 1);
    let columns = first
        .columns()
        .iter()
        .zip(&case.table.columns)
        .map(|(values, column)| match column.nullable {
            true => new_null_array(values.data_type(), 1),
            false => values.clone(),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    RecordBatch::try_new_with_options(first.schema(), columns, &options).ok()
}
