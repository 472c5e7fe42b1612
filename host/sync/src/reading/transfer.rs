//! From a source table into data files that no snapshot refers to yet.

use icehost_lake::{HeldRows, LakeTable, Look, RowChange, StageOptions, Staged};
use icehost_plan::ValidExtractionPlan;
use icehost_sqlserver::{Connection, ExtractOptions, Extracted, SqlTable};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::SyncError;
use crate::error::Doing;
use crate::failpoint;
use crate::reading::preparation::Preparation;

/// What to read and where it goes.
pub(crate) struct Transfer<'a> {
    pub(crate) table: &'a SqlTable,
    pub(crate) plan: &'a ValidExtractionPlan,
    pub(crate) lake: &'a LakeTable,
    pub(crate) change: &'a RowChange,
    pub(crate) preparation: &'a Preparation,
    pub(crate) extract: ExtractOptions,
    pub(crate) stage: StageOptions,
    pub(crate) run_id: Uuid,
    /// Shown the rows in the place of a file.
    pub(crate) look: Option<Look>,
}

/// What was read and where it is.
pub(crate) struct Transferred {
    pub(crate) extracted: Extracted,
    pub(crate) staged: Staged,
    /// Rows of them that a transformer has left out.
    pub(crate) dropped: u64,
}

impl Transfer<'_> {
    /// Reads from the source while what came before is encoded and written, without what is `held`. `progress`
    /// takes rows and bytes so far, after each batch. Where it fails, the files are gone.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        held: Option<HeldRows>,
        mut progress: impl FnMut(u64, u64) + Send,
        cancel: &CancellationToken,
    ) -> Result<Transferred, SyncError> {
        let reading = || format!("reading source table {}", self.table.name);
        let writing = || format!("writing files of lake table {}", self.lake.name());
        let mut preparing = self.preparation.open().await?;
        let (run_id, change, stage) = (self.run_id, self.change.clone(), self.stage.clone());
        let writer = match self.look.clone() {
            None => self.lake.stage_beside(run_id, change, stage, held).await,
            Some(look) => {
                let looking = self.lake.look_beside(run_id, change, stage, held, look);
                looking.await
            }
        };
        let mut writer = writer.doing(writing)?;
        let mut extraction = connection
            .extract(self.table, self.plan, self.extract.clone())
            .await
            .doing(reading)?;

        let (mut rows, mut bytes) = (0, 0);
        while let Some(batch) = tokio::select! {
            batch = extraction.next_batch() => batch.doing(reading)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            rows += batch.num_rows() as u64;
            bytes += batch.get_array_memory_size() as u64;
            // The writer encodes on a thread of its own, while the next batch is read here.
            for batch in preparing.batch(batch).await? {
                writer.write(batch).await.doing(writing)?;
            }
            failpoint(failpoint::WHILE_STAGING)?;
            progress(rows, bytes);
        }
        let staged = writer.finish().await.doing(writing)?;
        Ok(Transferred {
            extracted: extraction.finish().doing(reading)?,
            staged,
            dropped: preparing.dropped(),
        })
    }
}
