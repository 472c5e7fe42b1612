//! Handing a commit to the catalog, and finding out what became of it.
//!
//! An answer can be lost: the connection is cut, a gateway gives up. The commit may have been made then, may yet
//! be made, or never. Guessing loses rows either way: whoever takes it for failed removes the files of a snapshot
//! that is there, and whoever takes it for done forgets the rows. So the table is loaded again, and its snapshots
//! say which it is: a snapshot's id is random and belongs to one commit. Where it is not there and the table has
//! not moved, the same commit is handed over once more; it names the state that it builds on, so that it cannot
//! be made twice. Where another snapshot has come in the meantime, it cannot be made any more.
//!
//! From the first lost answer on the commit's files stay, whatever follows.

use std::time::Duration;

use icehost_files::blocking::wait;

use crate::catalog::{Found, LoadedTable, Outcome, TableCommit, TableVersion};
use crate::commit::Stopping;
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::table::LakeTable;

/// How often a commit without an answer is looked for, and pauses before: doubled with each, up to the longest.
const MOST_LOOKS: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What became of a commit.
pub(crate) enum Handed {
    /// It is made, and the table is this; with what may become of it, or be overlooked.
    Done(Box<LoadedTable>, Option<LakeError>),
    /// Another writer was first.
    Lost {
        /// Whether the files of the commit can go: no answer to it was lost.
        for_certain: bool,
    },
    /// Nobody knows.
    Unsettled(LakeError),
}

/// What a look at the table shows.
enum Look {
    Done(Box<LoadedTable>),
    /// Another writer has taken its place, so that it cannot be made any more.
    Overtaken,
    /// It may yet be made.
    Open,
}

/// Hands over a commit that adds a snapshot of this id to the table.
///
/// Must run on a thread that may block, inside a Tokio runtime.
///
/// # Errors
/// Nothing was committed.
pub(crate) fn hand_over(
    base: &LakeTable,
    commit: &TableCommit,
    snapshot_id: i64,
    stopping: Option<&dyn Stopping>,
) -> Result<Handed> {
    let mut pause = FIRST_PAUSE;
    let mut lost: Option<LakeError> = None;
    for _ in 0..MOST_LOOKS {
        let outcome = wait(base.catalog.commit(&base.name, commit.clone()));
        match outcome {
            Ok(Outcome::Done(table)) => return Ok(Handed::Done(table, None)),
            Ok(Outcome::Unsound(table, error)) => return Ok(Handed::Done(table, Some(error))),
            Ok(Outcome::Conflict) if lost.is_none() => {
                return Ok(Handed::Lost { for_certain: true });
            }
            Err(error) if lost.is_none() => return Err(error),
            Ok(Outcome::Unknown(error)) => lost = Some(error),
            // It was refused this time; the first time it may have been taken, or may yet be.
            Ok(Outcome::Conflict) | Err(_) => {}
        }
        tracing::warn!(table = %base.display, snapshot_id, "no answer came to a commit; look for its snapshot");
        match look(base, snapshot_id) {
            Ok(Look::Done(table)) => return Ok(Handed::Done(table, None)),
            Ok(Look::Overtaken) => return Ok(Handed::Lost { for_certain: false }),
            Ok(Look::Open) | Err(_) => {}
        }
        if stopping.is_some_and(Stopping::is_asked) {
            break;
        }
        wait(tokio::time::sleep(pause));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let error = LakeError::new(
        LakeErrorKind::Unsettled,
        format!(
            "no answer came from {} to a commit to lake table {}, and whether it was made could not be found out",
            base.catalog.address(),
            base.display
        ),
    )
    .with_hint("run again: it finds out, and goes on from there; the files that were written are kept")
    .transient();
    Ok(Handed::Unsettled(match lost {
        Some(lost) => error.with_source(lost),
        None => error,
    }))
}

fn look(base: &LakeTable, snapshot_id: i64) -> Result<Look> {
    let found = wait(base.catalog.load(&base.name, base.version.as_ref()))?;
    Ok(match found {
        Found::Unchanged => Look::Open,
        Found::Nothing if !base.exists() => Look::Open,
        Found::Nothing => Look::Overtaken,
        Found::Table(table) if table.metadata.snapshot_by_id(snapshot_id).is_some() => {
            Look::Done(table)
        }
        Found::Table(table) => {
            let number = |version: &Option<TableVersion>| version.as_ref()?.number;
            // A catalog that counts versions gives each number once.
            let number_taken = number(&table.version) > number(&base.version)
                && number(&base.version).is_some() == base.exists();
            let same = table.metadata.uuid() == base.uuid()
                && table.metadata.current_snapshot_id() == base.metadata.current_snapshot_id();
            match same && !number_taken {
                true => Look::Open,
                false => Look::Overtaken,
            }
        }
    })
}
