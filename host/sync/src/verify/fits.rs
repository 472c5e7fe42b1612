//! Rows that the next run delivers, and a target whose columns cannot hold them.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use icehost_lake::{LakeTable, Look};
use icehost_sqlserver::{Fitting, SqlServerError, SqlTable};

use crate::delivery::table::{OpenTarget, Taken, taken};
use crate::error::Doing;
use crate::{SyncError, SyncJob};

/// Looks at rows until one does not fit.
pub(crate) struct Fits {
    target: String,
    /// Where the columns that the target takes stand in the rows.
    columns: Vec<usize>,
    seen: Mutex<Seen>,
}

struct Seen {
    fitting: Fitting,
    misfit: Option<SqlServerError>,
}

impl Fits {
    /// For rows that have the columns of `takes` at these places; `None` where the target cannot take any, which
    /// whoever plans the delivery is told.
    pub(crate) fn new(target: &SqlTable, takes: &[Taken], columns: Vec<usize>) -> Option<Fits> {
        let delta: Vec<_> = takes.iter().map(|taken| taken.column.clone()).collect();
        let fitting = Fitting::new(target, &delta).ok()?;
        Some(Fits {
            target: target.name.to_string(),
            columns,
            seen: Mutex::new(Seen {
                fitting,
                misfit: None,
            }),
        })
    }

    /// For rows of the lake; `None` where there is no target that could take them.
    pub(crate) async fn of_lake(
        job: &SyncJob,
        lake: &LakeTable,
        exclude: &[String],
    ) -> Option<Arc<Fits>> {
        let delivery = job.delivery()?;
        let open = OpenTarget::open(delivery.target, lake).await.ok()?;
        let takes = taken(&delivery.describe(lake).ok()?, &open.table, exclude);
        let takes = takes.ok()?.columns;
        let places = takes.iter().map(|taken| taken.ordinal as usize).collect();
        Fits::new(&open.table, &takes, places).map(Arc::new)
    }

    pub(crate) fn look(&self, rows: &RecordBatch) {
        let Ok(mut seen) = self.seen.lock() else {
            return;
        };
        if seen.misfit.is_none()
            && let Ok(rows) = rows.project(&self.columns)
        {
            seen.misfit = seen.fitting.check(&rows).err();
        }
    }

    /// For whoever writes rows to the lake.
    pub(crate) fn looking(self: &Arc<Self>) -> Look {
        let fits = Arc::clone(self);
        Arc::new(move |rows| fits.look(rows))
    }

    /// # Errors
    /// What a run says of the first row that does not fit.
    pub(crate) fn told(&self) -> Result<(), SyncError> {
        let mut seen = self.seen.lock().ok();
        match seen.as_mut().and_then(|seen| seen.misfit.take()) {
            None => Ok(()),
            Some(misfit) => {
                Err(misfit).doing(|| format!("loading into target table {}", self.target))
            }
        }
    }
}
