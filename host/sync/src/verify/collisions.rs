//! Keys that come, and which are two in the lake and one for the target with keys that the lake has.
//!
//! A delivery finds them among rows that are in the lake by then. Before that, the lake is asked twice: which of the keys
//! it has as the target compares them, and which as it does itself.

use arrow_array::{ArrayRef, RecordBatch};
use icehost_lake::{Having, KeyFold, LakeTable};
use icehost_plan::{KeyPair, Length, SqlType, ValidMergePlan};
use icehost_sqlserver::{KeyColumn, SqlTable};

use crate::delivery::asked_keys::AskTarget;
use crate::delivery::key_doubts::collation;
use crate::delivery::table::Taken;
use crate::error::Doing;
use crate::{SyncError, Target};

/// The keys that come.
pub(crate) struct Collisions {
    /// Where the key's columns stand in the rows.
    places: Vec<usize>,
    /// Their ordinals in the lake.
    columns: Vec<u32>,
    /// As the lake compares them, and the target.
    own: Notion,
    there: Notion,
    batches: Vec<RecordBatch>,
    bytes: usize,
    most_bytes: usize,
}

/// Which keys are one.
struct Notion {
    fold: KeyFold,
    /// Who knows it where nobody else does; `None` where nobody can be asked.
    ask: Option<AskTarget>,
}

/// What was found.
pub(crate) struct Found {
    /// A key, as text, of which the lake has another spelling: another key for it, and the same one for the target.
    pub(crate) key: Option<Vec<String>>,
    /// All keys were asked about.
    pub(crate) all: bool,
}

impl Collisions {
    /// Looks at no more than so many bytes of keys.
    pub(crate) fn new(
        to: &Target,
        target: &SqlTable,
        plan: &ValidMergePlan,
        takes: &[Taken],
        most_bytes: usize,
    ) -> Collisions {
        let keys = || plan.keys.iter();
        let there = keys().map(|key| {
            let column = target.table.columns.get(key.target as usize)?;
            column.collation.clone()
        });
        let ask = AskTarget::new(to, target, plan);
        // The collations of that name compare text of a code page by other rules than Unicode.
        let mut names = keys().filter_map(|key| collation(key, takes));
        let by_kind = names.any(|own| own.name().to_ascii_uppercase().starts_with("SQL_"));
        let column = |key: &KeyPair| {
            let there = target.columns.get(key.target as usize)?;
            Some(match collation(key, takes) {
                Some(own) => KeyColumn {
                    sql_type: SqlType::NVarChar(Length::Limited(4000)),
                    collation: Some(own.name().to_owned()),
                },
                None => KeyColumn {
                    sql_type: there.sql_type,
                    collation: there.collation.clone(),
                },
            })
        };
        let own = (!by_kind).then(|| ask.clone().by(keys().filter_map(column).collect()));
        let ordinal = |at: u32| Some(takes.get(at as usize)?.ordinal);
        Collisions {
            places: keys().map(|key| key.source as usize).collect(),
            columns: keys().filter_map(|key| ordinal(key.source)).collect(),
            own: Notion {
                fold: KeyFold::new(keys().map(|key| collation(key, takes).cloned())),
                ask: own,
            },
            there: Notion {
                fold: KeyFold::new(there),
                ask: Some(ask),
            },
            batches: Vec::new(),
            bytes: 0,
            most_bytes,
        }
    }

    /// Forgets what has come.
    pub(crate) fn begin(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    /// Takes the keys of rows, as long as there is room.
    pub(crate) fn note(&mut self, rows: &RecordBatch) -> Result<(), SyncError> {
        let keys = rows.project(&self.places).map_err(broken)?;
        self.bytes += keys.get_array_memory_size();
        match self.bytes > self.most_bytes {
            true => self.batches.clear(),
            false => self.batches.push(keys),
        }
        Ok(())
    }

    /// Looks for one.
    ///
    /// # Errors
    /// Those of the lake, and a server that is away.
    pub(crate) async fn find(&self, lake: &LakeTable) -> Result<Found, SyncError> {
        let none = |all| Ok(Found { key: None, all });
        let (Some(first), Some(snapshot)) = (self.batches.first(), lake.current_snapshot()) else {
            return none(self.bytes <= self.most_bytes);
        };
        let keys = arrow_select::concat::concat_batches(&first.schema(), &self.batches);
        let keys = keys.map_err(broken)?.columns().to_vec();
        let there = self.look(lake, snapshot.id, &keys, &self.there).await?;
        if !there.contains(&Some(true)) {
            return none(!there.contains(&None));
        }
        let own = self.look(lake, snapshot.id, &keys, &self.own).await?;
        let others = there.iter().zip(&own);
        let mut others = others.map(|(there, own)| *there == Some(true) && *own == Some(false));
        let all = !there.contains(&None) && !own.contains(&None);
        let Some(row) = others.position(|other| other) else {
            return none(all);
        };
        let shown = keys.iter().map(|column| {
            let text = arrow_cast::display::array_value_to_string(column, row);
            icehost_untrusted::shown_up_to(&text.unwrap_or_default(), 100)
        });
        Ok(Found {
            key: Some(shown.collect()),
            all,
        })
    }

    /// Of each key, whether the lake has one that is the same; `None` where nobody knows.
    async fn look(
        &self,
        lake: &LakeTable,
        snapshot: i64,
        keys: &[ArrayRef],
        by: &Notion,
    ) -> Result<Vec<Option<bool>>, SyncError> {
        let Having { have, doubtful } = lake
            .have(snapshot, &self.columns, keys.to_vec(), by.fold.clone())
            .await
            .doing(|| format!("looking for keys in lake table {}", lake.name()))?;
        let mut have: Vec<Option<bool>> = have.into_iter().map(Some).collect();
        let Some(doubtful) = doubtful else {
            return Ok(have);
        };
        let told = match (&by.ask, &doubtful.there) {
            (Some(ask), Some(there)) => match ask.ask(&doubtful.keys, there).await {
                Ok(pairs) => Some(pairs),
                Err(error) if error.is_transient() => {
                    return Err(error).doing(|| "asking the target which keys are one".to_owned());
                }
                // It does not know a collation, or cannot hold a key.
                Err(_) => None,
            },
            _ => None,
        };
        let mut say = |row: usize, answer| {
            let row = doubtful.rows.get(row);
            if let Some(have) = row.and_then(|&row| have.get_mut(row)) {
                *have = answer;
            }
        };
        match told {
            Some(pairs) => pairs
                .into_iter()
                .for_each(|(row, _)| say(row as usize, Some(true))),
            None => (0..doubtful.rows.len()).for_each(|row| say(row, None)),
        }
        Ok(have)
    }
}

fn broken(error: arrow_schema::ArrowError) -> SyncError {
    SyncError::internal(format!("looking at keys that come: {error}"))
}
