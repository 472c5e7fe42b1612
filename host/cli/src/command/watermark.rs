//! `icehost watermark show|set|clear`

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use icehost_lake::LakeTable;
use icehost_plan::{Value, Watermark};
use icehost_run::watermark_store;
use icehost_sync::{
    Event, Observer, WatermarkRecord, WatermarkStore, last_watermark, new_run_id, write_watermark,
};
use tokio_util::sync::CancellationToken;

use super::Place;
use super::marks::{Known, earlier};
use crate::advice::shell;
use crate::args::{LakeArguments, Output, WatermarkCommand, WatermarkStoreArguments};
use crate::failure::Failure;
use crate::render::{Progress, print_watermark};

/// The table, and where its watermark is kept.
async fn open(
    lake: &LakeArguments,
    kept: WatermarkStoreArguments,
) -> Result<(LakeTable, Arc<dyn WatermarkStore>), Failure> {
    let place = Place::of(lake)?;
    // Beside a file the flag is refused, and its environment variable does not count.
    let directory = match lake.config {
        Some(_) => place.watermark_dir.clone(),
        None => kept.watermark_dir,
    };
    Ok((place.open().await?, watermark_store(directory.as_deref())))
}

pub(crate) async fn run(
    command: WatermarkCommand,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let advice = match &command {
        WatermarkCommand::Show { lake, .. }
        | WatermarkCommand::Set { lake, .. }
        | WatermarkCommand::Clear { lake, .. } => lake.advice(),
    };
    let progress = Progress::new(output).with_advice(&advice);
    let done = carry_out(command, &progress, output, cancel).await;
    done.map_err(|failure| failure.with_advice(&advice))
}

/// That there is no watermark which says whose the new one is: what is missing, and the whole command.
fn nothing_to_take(
    lake: &LakeArguments,
    table: &LakeTable,
    (strategy, source): (Option<String>, Option<String>),
    marks: &[(String, Value)],
) -> Failure {
    let what = match (&strategy, &source) {
        (None, None) => "the strategy and the source's name",
        (None, _) => "the strategy",
        (_, _) => "the source's name",
    };
    // An earlier one, which was cleared, was probably of the same.
    let last = earlier(table).next();
    let last = |of: fn(WatermarkRecord) -> String| last.clone().map(of);
    let strategy = strategy.or_else(|| last(|record| record.strategy));
    let source = source.or_else(|| last(|record| record.source));
    let mut command = "icehost watermark set".to_owned();
    if let (None, Some(warehouse)) = (&lake.config, &lake.place.warehouse) {
        let warehouse = shell(&warehouse.display().to_string());
        let name = shell(table.name());
        command.push_str(&format!(" --warehouse {warehouse} --lake-table {name}"));
    }
    let strategy = strategy.map_or_else(|| "NAME".to_owned(), |name| shell(&name));
    let source = source.map_or_else(|| "DATABASE.SCHEMA.TABLE".to_owned(), |name| shell(&name));
    command.push_str(&format!(" --strategy {strategy} --source-name {source}"));
    for (name, value) in marks {
        command.push_str(&format!(" --mark {}", shell(&format!("{name}={value}"))));
    }
    Failure::config(
        format!("{} has no watermark to take {what} from", table.name()),
        format!("say whose it is: `{command}`"),
    )
}

async fn carry_out(
    command: WatermarkCommand,
    progress: &Progress,
    output: Output,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    match command {
        WatermarkCommand::Show { lake, store: kept } => {
            let (table, store) = open(&lake, kept).await?;
            let stored = store.load(&table, progress).await?;
            print_watermark(&table, stored.as_ref(), output);
        }
        WatermarkCommand::Set {
            lake,
            store: kept,
            strategy,
            source_name,
            format,
            mark,
        } => {
            let (table, store) = open(&lake, kept).await?;
            // Where the table no longer stands at it, or nobody can read it, this is what mends it.
            let before = match store.load(&table, progress).await {
                Ok(stored) => stored,
                Err(_) => last_watermark(&table).await,
            };
            let run_id = new_run_id();
            let stored = before.as_ref().map(|stored| &stored.record);
            let strategy = strategy.or_else(|| stored.map(|record| record.strategy.clone()));
            let source = source_name.or_else(|| stored.map(|record| record.source.clone()));
            let (Some(strategy), Some(source)) = (&strategy, &source) else {
                return Err(nothing_to_take(&lake, &table, (strategy, source), &mark));
            };
            let (strategy, source) = (strategy.clone(), source.clone());
            let known = Known::of(&table, &strategy, stored);
            let format = format.or(known.format()).unwrap_or(1);
            let record = WatermarkRecord {
                watermark: Watermark {
                    format,
                    marks: known.check(format, mark)?,
                },
                strategy,
                source,
                run_id: run_id.clone(),
                rows: 0,
                time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
                source_rows: None,
                expected_rows: None,
                every_row: stored.and_then(|record| record.every_row),
                source_table: None,
                source_digest: stored.and_then(|record| record.source_digest.clone()),
                shape: stored.and_then(|record| record.shape.clone()),
            };
            let written = write_watermark(&table, &*store, Some(record), &run_id, progress, cancel);
            let table = written.await?;
            // It is set, whatever becomes of a copy that cannot be read.
            let stored = match store.load(&table, progress).await {
                Ok(stored) => stored,
                Err(error) => {
                    progress.event(Event::Warning(&error.to_string()));
                    last_watermark(&table).await
                }
            };
            print_watermark(&table, stored.as_ref(), output);
        }
        WatermarkCommand::Clear { lake, store: kept } => {
            let (table, store) = open(&lake, kept).await?;
            let last = last_watermark(&table).await;
            let keeps = last.is_some_and(|stored| stored.record.keeps_every_row());
            if keeps {
                // By a key, another merge may read everything all the same.
                progress.event(Event::Warning(&format!(
                    "lake table {} keeps every row: a run that keeps them goes on only from a mark that is set with \
                     `icehost watermark set`, and reads everything only into another lake table",
                    table.name()
                )));
            }
            let run_id = new_run_id();
            let written = write_watermark(&table, &*store, None, &run_id, progress, cancel);
            let table = written.await?;
            print_watermark(&table, None, output);
        }
    }
    Ok(())
}
