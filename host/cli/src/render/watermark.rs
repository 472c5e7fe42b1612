//! A stored watermark.

use icehost_lake::LakeTable;
use icehost_sync::StoredWatermark;

use crate::args::Output;
use crate::render::{line, report::marks};

/// Prints a table's watermark, or that there is none.
pub(crate) fn print_watermark(table: &LakeTable, stored: Option<&StoredWatermark>, output: Output) {
    match output {
        Output::Json => {
            let record = stored.map(|stored| {
                serde_json::json!({
                    "strategy": stored.record.strategy,
                    "source": stored.record.source,
                    "format": stored.record.watermark.format,
                    "marks": stored.record.watermark.marks,
                    "run_id": stored.record.run_id,
                    "rows": stored.record.rows,
                    "time": stored.record.time,
                    "snapshot_id": stored.snapshot_id,
                })
            });
            line(serde_json::json!({ "lake_table": table.name(), "watermark": record }));
        }
        Output::Text => match stored {
            None => line(format!(
                "{} has no watermark: the next sync reads everything",
                table.name()
            )),
            Some(stored) => {
                let record = &stored.record;
                line(format!("lake table  {}", table.name()));
                line(format!("source      {}", record.source));
                line(format!("strategy    {}", record.strategy));
                line(format!("marks       {}", marks(&record.watermark)));
                line(format!("snapshot    {}", stored.snapshot_id));
                line(format!("rows        {}", record.rows));
                line(format!("time        {}", record.time));
                line(format!("run         {}", record.run_id));
            }
        },
    }
}
