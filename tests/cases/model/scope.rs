//! What the guarantees cover: which events a pipeline must live through.

use crate::event::Event;
use crate::pipeline::{Detector, IntoTarget, Pipeline};

/// Lets every event happen to every pipeline, to look for what does not hold yet.
const EVERYTHING: &str = "ICEHOST_MODEL_EVERYTHING";

/// Which events may happen to a pipeline.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pipeline: Pipeline,
    everything: bool,
}

/// Whether a pipeline is explored at all.
pub fn allows(_: Pipeline) -> bool {
    true
}

impl Scope {
    pub fn of(pipeline: Pipeline) -> Scope {
        Scope {
            pipeline,
            everything: std::env::var_os(EVERYTHING).is_some(),
        }
    }

    /// Whether an event may happen.
    pub fn has(self, event: Event) -> bool {
        if self.everything {
            return true;
        }
        let Pipeline {
            detector, target, ..
        } = self.pipeline;
        match event {
            // Late commits and rows with the mark's value: not kept by these cursors yet.
            Event::Tie { .. } => detector != Detector::Timestamp,
            Event::Open { .. } | Event::Commit { .. } => {
                matches!(detector, Detector::Rowversion | Detector::FullRefresh)
            }
            // A complete delivery adds every row again, and leaves rows that are gone.
            Event::LoadFull => target == IntoTarget::Upsert,
            // What is not bound to what it describes yet.
            Event::Expire
            | Event::Rollback
            | Event::DropLake
            | Event::ClearWatermark
            | Event::Truncate
            | Event::Recreate => false,
            _ => true,
        }
    }
}
