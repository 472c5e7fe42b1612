//! What the guarantees cover: which events a pipeline must live through.

use crate::event::Event;
use crate::pipeline::{Detector, IntoLake, IntoTarget, Pipeline};

/// Events that may happen to every pipeline, by name and separated by commas, or `all`: to look for what does not
/// hold yet.
const ALSO: &str = "ICEHOST_MODEL_ALSO";

/// Which events may happen to a pipeline.
#[derive(Debug, Clone)]
pub struct Scope {
    pipeline: Pipeline,
    also: String,
}

/// Whether a pipeline is explored at all.
pub fn allows(_: Pipeline) -> bool {
    true
}

impl Scope {
    pub fn of(pipeline: Pipeline) -> Scope {
        Scope {
            pipeline,
            also: std::env::var(ALSO).unwrap_or_default(),
        }
    }

    /// Whether an event may happen.
    pub fn has(&self, event: Event) -> bool {
        let name = format!("{event:?}");
        let name = name.split(' ').next().unwrap_or_default();
        if self.also == "all" || self.also.split(',').any(|also| also == name) {
            return true;
        }
        let Pipeline {
            detector,
            lake,
            target,
            ..
        } = self.pipeline;
        match event {
            // Late commits and rows with the mark's value: not kept by these cursors yet.
            Event::Tie { .. } => detector != Detector::Timestamp,
            Event::Open { .. } | Event::Commit { .. } => {
                matches!(detector, Detector::Rowversion | Detector::FullRefresh)
            }
            // A complete delivery adds every row again, and leaves rows that are gone.
            Event::LoadFull => target == IntoTarget::Upsert,
            // The way on for a target whose snapshot has expired leaves rows that are gone.
            Event::Expire => target == IntoTarget::Upsert && lake != IntoLake::Mirror,
            // What is not bound to what it describes yet.
            Event::Rollback
            | Event::DropLake
            | Event::ClearWatermark
            | Event::Truncate
            | Event::Recreate => false,
            // Copies of a key are there in a lake that appends.
            Event::Deduplicate => lake == IntoLake::AppendOnly,
            _ => true,
        }
    }
}
