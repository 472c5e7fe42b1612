//! Staging: a delta's rows become data files that no snapshot refers to yet.

pub(crate) mod delta_keys;
mod encoder;
mod kept;
pub(crate) mod key_bounds;
mod key_filter;
pub(crate) mod key_set;
pub(crate) mod key_values;
pub(crate) mod parquet_file;
pub(crate) mod partitions;
pub(crate) mod staged_files;
pub(crate) mod statistics;
pub(crate) mod uuid_ranges;
mod value_ranges;

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use iceberg::spec::DataFile;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use kept::KeptFiles;

use crate::commit::Answers;
use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::held::HeldRows;
use crate::keys::KeyEncoder;
use crate::row_change::RowChange;
use crate::staging::encoder::Encoder;
use crate::staging::key_set::KeySet;
use crate::staging::staged_files::StagedFiles;
use crate::table::LakeTable;

/// What is shown rows that would be written.
pub type Look = Arc<dyn Fn(&RecordBatch) + Send + Sync>;

/// How data files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageOptions {
    /// A file that has reached this size, compressed, is ended. Default: 512 MiB, which is Iceberg's own
    /// (`write.target-file-size-bytes`).
    pub target_file_bytes: u64,
    /// A row group whose values take this much memory is ended; its columns' compressors come on top. Default:
    /// 32 MiB, a quarter of Iceberg's own, so that a sync stays small.
    pub row_group_bytes: usize,
    /// A batch that takes more memory is written before [`StagedWriter::write`] returns, so that nothing else is held
    /// beside it. Default: 8 MiB, two batches of the usual size.
    pub alone_bytes: usize,
    /// The caller vouches that no two rows of the delta have the same key. The keys are then not collected
    /// where the table has no rows that they could match, so that a first load takes no memory a row.
    pub unique_keys: bool,
    /// The caller also vouches that no row of the table has one of the delta's keys, though it may have
    /// rows: the delta is a part of one whose other parts the table holds.
    pub unmatched: bool,
    /// A key that comes twice is an error where no order says which row counts: the rows were to be told apart by
    /// it.
    pub refuse_repeats: bool,
    /// Most memory for the keys of the delta, in bytes; of more, the rest is in a file without a name beside the data
    /// files until the commit is made. Default: 1 GiB.
    pub key_bytes: usize,
}

impl Default for StageOptions {
    fn default() -> Self {
        StageOptions {
            target_file_bytes: 512 << 20,
            row_group_bytes: 32 << 20,
            alone_bytes: 8 << 20,
            unique_keys: false,
            unmatched: false,
            refuse_repeats: false,
            key_bytes: 1 << 30,
        }
    }
}

impl LakeTable {
    /// Starts staging a delta for a change to this table. Files bear `run_id` in their names.
    ///
    /// The work is done on a thread of its own, and [`StagedWriter::write`] waits for it.
    pub async fn stage(
        &self,
        run_id: Uuid,
        change: RowChange,
        options: StageOptions,
    ) -> Result<StagedWriter> {
        self.stage_beside(run_id, change, options, None).await
    }

    /// The same, but leaves out the delta's rows that the table [holds](LakeTable::held) already. They count as
    /// received, and for their keys as rows that change nothing.
    pub async fn stage_beside(
        &self,
        run_id: Uuid,
        change: RowChange,
        options: StageOptions,
        held: Option<HeldRows>,
    ) -> Result<StagedWriter> {
        self.check_writable_to_be()?;
        self.encode(run_id, change, options, held, None).await
    }

    /// The same without a file: `look` is shown the rows that would be written, as the table has them, and no key is
    /// collected. What comes of it is no delta to commit.
    pub async fn look_beside(
        &self,
        run_id: Uuid,
        change: RowChange,
        options: StageOptions,
        held: Option<HeldRows>,
        look: Look,
    ) -> Result<StagedWriter> {
        self.encode(run_id, change, options, held, Some(look)).await
    }

    async fn encode(
        &self,
        run_id: Uuid,
        change: RowChange,
        options: StageOptions,
        held: Option<HeldRows>,
        look: Option<Look>,
    ) -> Result<StagedWriter> {
        let table = self.clone();
        let alone_bytes = options.alone_bytes;
        let encoder = move || Encoder::new(&table, run_id, change, options, held, look);
        let encoder = blocking(encoder).await?;
        let (sender, receiver) = mpsc::channel(1);
        let task = icehost_files::blocking::spawn(move || encode(encoder, receiver));
        Ok(StagedWriter {
            sender,
            alone_bytes,
            task: Some(task),
        })
    }

    /// A table that is only prepared is at home wherever it will be.
    fn check_writable_to_be(&self) -> Result<()> {
        match self.exists() {
            true => self.check_writable(),
            false => Ok(()),
        }
    }
}

enum Message {
    Batch(RecordBatch),
    /// A large one; whoever sent it is told when it is written.
    Alone(RecordBatch, oneshot::Sender<()>),
    Finish,
}

/// `None` where the writer was dropped before its end; the staged files are then gone.
fn encode(mut encoder: Encoder, mut receiver: mpsc::Receiver<Message>) -> Result<Option<Staged>> {
    while let Some(message) = receiver.blocking_recv() {
        match message {
            Message::Batch(batch) => encoder.write(&batch)?,
            Message::Alone(batch, written) => {
                encoder.write(&batch)?;
                drop(batch);
                // Nobody waits where the writer was dropped.
                let _ = written.send(());
            }
            Message::Finish => return encoder.finish().map(Some),
        }
    }
    Ok(None)
}

/// Takes a delta's batches. Dropped before [`StagedWriter::finish`], it removes what it wrote.
#[derive(Debug)]
pub struct StagedWriter {
    sender: mpsc::Sender<Message>,
    alone_bytes: usize,
    task: Option<JoinHandle<Result<Option<Staged>>>>,
}

impl StagedWriter {
    /// Takes rows. The columns are the delta's, in its order, of the types that
    /// [`LakeType::arrow`](icehost_plan::LakeType::arrow) gives. Waits while an earlier batch is encoded, so
    /// that at most two batches are held, and a large one is held alone.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let taken = match batch.get_array_memory_size() > self.alone_bytes {
            false => self.sender.send(Message::Batch(batch)).await.is_ok(),
            true => {
                let (done, written) = oneshot::channel();
                let sent = self.sender.send(Message::Alone(batch, done)).await;
                sent.is_ok() && written.await.is_ok()
            }
        };
        match taken {
            true => Ok(()),
            false => self.outcome().await.map(drop),
        }
    }

    /// Ends the last file. All files are synced when this returns.
    pub async fn finish(mut self) -> Result<Staged> {
        // A thread that has stopped says why when it is joined.
        let _stopped = self.sender.send(Message::Finish).await;
        self.outcome().await
    }

    async fn outcome(&mut self) -> Result<Staged> {
        let stopped = || LakeError::internal("the thread that writes data files stopped early");
        let Some(task) = self.task.take() else {
            return Err(LakeError::new(
                LakeErrorKind::InvalidData,
                "staging has failed before; nothing more can be written",
            ));
        };
        match task.await {
            Ok(result) => result?.ok_or_else(stopped),
            Err(join) => Err(stopped().with_source(join)),
        }
    }
}

/// Data files on disk that no snapshot refers to. Dropped before they are committed, they are removed.
pub struct Staged {
    pub(crate) table_uuid: Uuid,
    pub(crate) schema_id: i32,
    pub(crate) change: RowChange,
    pub(crate) data_files: Vec<DataFile>,
    pub(crate) rows_received: u64,
    pub(crate) rows_held: u64,
    /// What the table holds, with what the delta brought of it.
    pub(crate) held: Option<HeldRows>,
    pub(crate) keys: Option<(KeySet, KeyEncoder)>,
    /// Which keys of the table are one with keys of the delta, though spelled otherwise.
    pub(crate) answers: Option<Answers>,
    /// Nothing in the table has one of the keys, the caller vouches.
    pub(crate) vouched: bool,
    pub(crate) files: StagedFiles,
}

impl Staged {
    /// Rows that were written to the files.
    pub fn rows(&self) -> u64 {
        self.data_files.iter().map(DataFile::record_count).sum()
    }

    /// Rows of the delta, whatever becomes of them.
    pub fn rows_received(&self) -> u64 {
        self.rows_received
    }

    /// Rows of the delta that were left out, since the table holds them.
    pub fn rows_held(&self) -> u64 {
        self.rows_held
    }

    /// What was known to be in the table, with what the delta brought of it; `None` where nothing was, or it was taken.
    pub fn take_held(&mut self) -> Option<HeldRows> {
        self.held.take()
    }

    /// Total size of the files.
    pub fn bytes(&self) -> u64 {
        self.data_files
            .iter()
            .map(DataFile::file_size_in_bytes)
            .sum()
    }

    /// Number of files.
    pub fn files(&self) -> usize {
        self.data_files.len()
    }

    /// Removes the files. Dropping does the same.
    pub fn discard(mut self) {
        self.files.remove();
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged")
            .field("files", &self.files())
            .field("rows", &self.rows())
            .finish_non_exhaustive()
    }
}
