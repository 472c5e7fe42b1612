//! What components log reaches `tracing`, but no flood of it.

use std::io;
use std::sync::{Arc, Mutex};

use icehost_plan::{Outcome, Value};
use icehost_strategy::Context;
use tracing::Level;
use tracing::instrument::WithSubscriber;

use crate::fixtures::{hostile, options, orders, runtime, shipped};

/// Collects what is written.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let lines = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .without_time()
            .with_writer(move || lines.clone())
            .finish()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn logged_by(wrong: &str) -> String {
    let lines = Lines::default();
    let runtime = runtime();
    let detector = hostile(&runtime).await;
    let table = orders();
    let options = options(detector.strategy(), &[("wrong", wrong)]);
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let planned = detector.plan(&context, &[]);
    planned.with_subscriber(lines.subscriber()).await.unwrap();
    lines.text()
}

#[tokio::test]
async fn a_flood_is_cut_off_and_counted() {
    let text = logged_by("log-flood").await;
    assert_eq!(text.lines().count(), 101);
    assert!(
        text.contains("message 99") && !text.contains("message 100 "),
        "{text}"
    );
    assert!(text.contains("9900 messages were dropped"), "{text}");
    assert!(
        text.contains("icehost::plugin") && text.contains("plugin=\"hostile\""),
        "{text}"
    );
}

#[tokio::test]
async fn a_long_message_is_cut() {
    let text = logged_by("log-novel").await;
    assert!(text.len() < 4_096, "{} bytes were logged", text.len());
    assert!(text.trim_end().contains('…'), "{text}");
}

#[tokio::test]
async fn the_chosen_column_is_said() {
    let lines = Lines::default();
    let runtime = runtime();
    let strategy = shipped(&runtime, "timestamp").await;
    let detector = strategy.as_change_detector().unwrap();
    let (table, options) = (orders(), options(&strategy, &[]));
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let run = async {
        detector.probes(&context).await.unwrap();
        let readings = vec![Value::Timestamp(5), Value::Timestamp(9)];
        detector.plan(&context, &readings).await.unwrap();
        let outcome = Outcome {
            rows: 1,
            readings,
            observed: vec![],
        };
        detector.advance(&context, &outcome).await.unwrap();
    };
    run.with_subscriber(lines.subscriber()).await;
    let text = lines.text();
    let said = "the modification time of dbo.Orders is read from 'ModifiedDate'";
    assert_eq!(text.matches(said).count(), 1, "{text}");
    assert!(text.contains("INFO"), "{text}");
}
