//! Commits: a staged delta becomes a snapshot, or nothing at all.

mod dating;
mod effect;
mod hand_over;
mod leaving;
mod manifests;
mod merged;
mod new_metadata;
mod property;
mod same_keys;
mod snapshot_writer;
mod spilled;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use iceberg::{TableRequirement, TableUpdate};
use icehost_files::blocking::wait;
use uuid::Uuid;

use crate::catalog::{Found, Outcome, TableCommit};
pub use crate::commit::effect::Absent;
use crate::commit::effect::Effect;
use crate::commit::hand_over::{Handed, hand_over};
pub(crate) use crate::commit::same_keys::Answers;
use crate::commit::same_keys::Nobody;
pub use crate::commit::same_keys::{KeyQuestion, SameKeys};
use crate::commit::snapshot_writer::NewSnapshot;
use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::snapshot::SnapshotInfo;
use crate::staging::Staged;
use crate::table::{LakeTable, not_found};
use crate::warehouse::already_exists;

/// How often a commit is tried while other writers are faster.
const MAX_ATTEMPTS: u32 = 40;
/// Pause after the first lost attempt; doubled with each, up to [`LONGEST_PAUSE`], give or take a half.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// Decides whether a commit may build on a state of the table. Called on every attempt.
pub type Guard = Box<dyn Fn(&LakeTable) -> Result<()> + Send + Sync>;

/// Decides whether rows may go that a complete delta does not have. Called on every attempt that would take
/// such rows out, before anything is written.
pub type AbsenceGuard = Box<dyn Fn(Absent) -> Result<()> + Send + Sync>;

/// Updates of the table's metadata that follow from the new snapshot, such as a property that holds its id.
/// Called on every attempt, each of which makes a snapshot of its own.
pub type SnapshotUpdates = Box<dyn Fn(&SnapshotInfo) -> Result<Vec<TableUpdate>> + Send + Sync>;

/// Who may ask a commit to stop, and what the commit holds while it must not be left alone.
pub trait Stopping: Send + Sync {
    /// Whether it should stop, with [`LakeErrorKind::Stopped`] and nothing committed.
    fn is_asked(&self) -> bool;
    /// What is kept while an attempt is under way: it ends soon after it was asked to, and settles what it has begun.
    fn hold(&self) -> Box<dyn Any + Send>;
}

/// What to commit: one new version of the table's metadata, with all of this or none of it.
#[derive(Default)]
pub struct CommitRequest {
    /// The staged delta; `None` to record a summary only.
    pub staged: Option<Staged>,
    /// Fields for the snapshot's summary, beside those that Iceberg defines.
    pub summary: BTreeMap<String, String>,
    /// Refuses states that the staged delta does not fit, such as one with another watermark.
    pub guard: Option<Guard>,
    /// Refuses to take rows out because they are absent from the delta, too many for example.
    pub absence: Option<AbsenceGuard>,
    /// Make a snapshot although no row changes. Without one there is no commit, and so no update either.
    pub allow_empty: bool,
    /// This machine's clock agrees with another one: where the table's dates lie ahead of it, they are wrong,
    /// and its history is set right.
    pub clock_vouched: bool,
    /// What the table must be when the commit is made; checked on every attempt.
    pub requirements: Vec<TableRequirement>,
    /// Updates of the table's metadata, in their order, before the snapshot.
    pub updates: Vec<TableUpdate>,
    /// Updates that follow from the snapshot, after it.
    pub snapshot_updates: Option<SnapshotUpdates>,
    /// Who may ask it to stop; nobody by default.
    pub stopping: Option<Arc<dyn Stopping>>,
}

impl fmt::Debug for CommitRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitRequest")
            .field("staged", &self.staged)
            .field("summary", &self.summary)
            .field("allow_empty", &self.allow_empty)
            .field("requirements", &self.requirements)
            .field("updates", &self.updates)
            .finish_non_exhaustive()
    }
}

/// A commit that is done.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The new snapshot.
    pub snapshot_id: i64,
    /// Its sequence number.
    pub sequence_number: i64,
    /// Version of the table's metadata, from 1.
    pub version: u64,
    /// Rows in new data files that are live: the table has grown by `rows_appended - rows_removed`.
    pub rows_appended: u64,
    /// Rows of earlier snapshots that position deletes take out.
    pub rows_removed: u64,
    /// The table as it is now.
    pub table: LakeTable,
    /// What went wrong once it was there, and means nothing to the table's rows: it is told, and the commit stands.
    pub warning: Option<String>,
}

impl LakeTable {
    /// Commits a staged delta on top of the table's newest state, whichever that is by then: rows to be
    /// replaced or deleted are looked up anew on every attempt.
    ///
    /// `None`, and no snapshot, where no row changes and empty commits are not allowed. An attempt that is
    /// under way runs to its end, although the future be dropped.
    ///
    /// # Errors
    /// With an error nothing is committed, and the staged files are gone, but for [`LakeErrorKind::Unsettled`]: nobody
    /// knows then, and all files stay. What fails once the snapshot is visible is no error ([`Committed::warning`]).
    pub async fn commit(&self, request: CommitRequest) -> Result<Option<Committed>> {
        self.commit_asking(request, &mut Nobody).await
    }

    /// Like [`LakeTable::commit`], with someone who knows which keys are one where the lake does not.
    ///
    /// # Errors
    /// [`LakeErrorKind::KeysUnknown`] where there are more such keys than are asked about, and those of who is
    /// asked.
    pub async fn commit_asking(
        &self,
        request: CommitRequest,
        server: &mut dyn SameKeys,
    ) -> Result<Option<Committed>> {
        let mut base = self.clone();
        let mut job = request;
        let mut pause = SHORTEST_PAUSE;
        for attempt in 1..=MAX_ATTEMPTS {
            let outcome;
            let held = job.stopping.as_ref().map(|stopping| stopping.hold());
            (job, base, outcome) = blocking(move || {
                let outcome = job.attempt(&mut base);
                if outcome.is_err() {
                    // The staged files go before anybody is told.
                    job.staged = None;
                }
                Ok((job, base, outcome))
            })
            .await?;
            match outcome? {
                Attempt::Done(committed) => return Ok(committed.map(|done| *done)),
                Attempt::Ask(question) => {
                    drop(held);
                    tracing::debug!(table = %base.display, ?question, "ask which keys are one");
                    let pairs = server.same(&question).await?;
                    if let Some(staged) = &mut job.staged {
                        staged.answers = Some(Answers::new(staged, &question, &pairs)?);
                    }
                    continue;
                }
                Attempt::Lost => {
                    drop(held);
                    tracing::info!(table = %base.display, attempt, "another writer was faster; try again");
                }
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(too_many_writers(&base))
    }
}

/// The end of a commit that was tried often enough.
fn too_many_writers(base: &LakeTable) -> LakeError {
    LakeError::new(
        LakeErrorKind::Conflict,
        format!(
            "other writers were faster {MAX_ATTEMPTS} times in committing to lake table {}",
            base.display
        ),
    )
    .with_hint("run again when fewer writers are at work")
}

fn jittered(pause: Duration) -> Duration {
    let random = f64::from(Uuid::new_v4().as_u128() as u32) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + random)
}

enum Attempt {
    Done(Option<Box<Committed>>),
    Lost,
    /// Which keys are one has to be known first.
    Ask(Box<KeyQuestion>),
}

impl CommitRequest {
    fn attempt(&mut self, base: &mut LakeTable) -> Result<Attempt> {
        let stopping = self.stopping.as_deref();
        check_asked(stopping, base)?;
        catch_up(base)?;
        if base.exists() {
            base.check_writable()?;
        }
        new_metadata::check(base, &self.requirements)?;
        if let Some(guard) = &self.guard {
            guard(base)?;
        }
        let effect = match &self.staged {
            None => Effect::default(),
            Some(staged) => {
                check_same_columns(staged, base)?;
                match Effect::of(staged, base, stopping)? {
                    ControlFlow::Continue(effect) => effect,
                    ControlFlow::Break(question) => return Ok(Attempt::Ask(question)),
                }
            }
        };
        if let Some(absence) = &self.absence
            && effect.absent.rows > 0
        {
            absence(effect.absent)?;
        }
        check_asked(stopping, base)?;
        if effect.is_empty() && !self.allow_empty {
            return Ok(Attempt::Done(None));
        }
        if self.clock_vouched {
            dating::set_right(base)?;
        }
        let NewSnapshot {
            snapshot: new,
            mut files,
        } = snapshot_writer::write(base, &effect, &self.summary)?;
        let snapshot = SnapshotInfo::new(&new);
        let mut updates = self.updates.clone();
        updates.extend(new_metadata::put_snapshot(base, new)?);
        if let Some(follow) = &self.snapshot_updates {
            updates.extend(follow(&snapshot)?);
        }
        let commit = TableCommit {
            requirements: [new_metadata::requirements(base), self.requirements.clone()].concat(),
            updates,
            ..base.commit_of_nothing()
        };
        let outcome = match hand_over(base, &commit, snapshot.id, stopping) {
            Ok(Handed::Lost { for_certain }) => {
                if !for_certain {
                    files.keep();
                }
                return match base.exists() {
                    true => Ok(Attempt::Lost),
                    false => Err(created_meanwhile(base)),
                };
            }
            Ok(outcome) => outcome,
            Err(error) => return Err(error),
        };
        // From here on the files belong to the table, whatever fails, or may belong to it.
        files.keep();
        if let Some(staged) = &mut self.staged {
            match outcome {
                Handed::Unsettled(_) => staged.files.keep(),
                _ => staged.files.keep_only(&effect.data),
            }
        }
        let (table, unsound) = match outcome {
            Handed::Done(table, unsound) => (base.at(*table), unsound),
            Handed::Unsettled(error) => return Err(error),
            Handed::Lost { .. } => return Ok(Attempt::Lost),
        };
        Ok(Attempt::Done(Some(Box::new(Committed {
            snapshot_id: snapshot.id,
            sequence_number: snapshot.sequence_number,
            version: table.version().unwrap_or(0),
            rows_appended: effect.rows_appended,
            rows_removed: effect.rows_removed,
            warning: unsound.map(|error| stands_although(&table, &error)),
            table,
        }))))
    }
}

/// That a commit stands, and what went wrong behind it.
fn stands_although(table: &LakeTable, error: &LakeError) -> String {
    let advice = error
        .hint()
        .map_or_else(String::new, |hint| format!(" ({hint})"));
    format!(
        "the commit to lake table {} stands, but {error}{advice}: until the next one, some readers may not see it, and a \
         power failure may undo it",
        table.display
    )
}

/// Stops a commit that is asked to.
fn check_asked(stopping: Option<&dyn Stopping>, base: &LakeTable) -> Result<()> {
    match stopping {
        Some(stopping) if stopping.is_asked() => Err(LakeError::new(
            LakeErrorKind::Stopped,
            format!("the commit to lake table {} was stopped", base.display),
        )),
        _ => Ok(()),
    }
}

impl LakeTable {
    /// Makes the table, without a snapshot.
    pub(crate) async fn create(self) -> Result<LakeTable> {
        let commit = TableCommit {
            requirements: new_metadata::requirements(&self),
            ..self.commit_of_nothing()
        };
        match self.catalog.commit(&self.name, commit).await? {
            Outcome::Done(created) => Ok(self.at(*created)),
            Outcome::Conflict => Err(already_exists(&self.display)),
            Outcome::Unsound(created, error) => {
                let created = self.at(*created);
                tracing::warn!("{}", stands_although(&created, &error));
                Ok(created)
            }
            // A table's identity is random: if it is there, this made it.
            Outcome::Unknown(error) => match self.catalog.load(&self.name, None).await {
                Ok(Found::Table(found)) if found.metadata.uuid() == self.uuid() => {
                    Ok(self.at(*found))
                }
                Ok(Found::Table(_)) => Err(already_exists(&self.display)),
                _ => Err(error),
            },
        }
    }

    /// A commit on this base that requires and changes nothing.
    fn commit_of_nothing(&self) -> TableCommit {
        TableCommit {
            base: self.version.clone(),
            metadata: Arc::clone(&self.metadata),
            location: self.location.to_string(),
            requirements: Vec::new(),
            updates: Vec::new(),
        }
    }
}

/// Brings the base to the newest version, and notices when it has become another table.
fn catch_up(base: &mut LakeTable) -> Result<()> {
    if base.kept_by_another {
        return Ok(());
    }
    let found = wait(base.catalog.load(&base.name, base.version.as_ref()))?;
    let newest = match found {
        Found::Unchanged => return Ok(()),
        Found::Nothing if !base.exists() => return Ok(()),
        Found::Nothing => return Err(not_found(&base.display, &base.location)),
        Found::Table(_) if !base.exists() => return Err(created_meanwhile(base)),
        Found::Table(newest) => base.at(*newest),
    };
    if newest.uuid() != base.uuid() {
        return Err(LakeError::new(
            LakeErrorKind::Conflict,
            format!(
                "lake table {} was dropped and created again meanwhile",
                base.display
            ),
        )
        .with_hint("run again"));
    }
    *base = newest;
    Ok(())
}

fn created_meanwhile(base: &LakeTable) -> LakeError {
    already_exists(&base.display)
        .with_hint("another process created it meanwhile; run again")
        .transient()
}

fn check_same_columns(staged: &Staged, base: &LakeTable) -> Result<()> {
    if staged.table_uuid == base.uuid() && staged.schema_id == base.metadata.current_schema_id() {
        return Ok(());
    }
    Err(LakeError::new(
        LakeErrorKind::Conflict,
        format!(
            "the columns of lake table {} have changed since the rows were staged",
            base.display
        ),
    )
    .with_hint("run again: the rows are then staged for its new columns"))
}
