//! Which keys of two lake tables are one for the target: its server says so where nobody else knows.

use icehost_lake::Having;
use icehost_plan::ValidMergePlan;
use icehost_sqlserver::{Connection, KeyColumn, SqlServerError, SqlTable};

use crate::Target;

/// The target's server, asked on a connection of its own: that of a merge is within its transaction.
#[derive(Debug, Clone)]
pub(crate) struct AskTarget {
    target: Target,
    /// The columns of the merge's key.
    key: Vec<KeyColumn>,
}

impl AskTarget {
    pub(crate) fn new(target: &Target, table: &SqlTable, plan: &ValidMergePlan) -> AskTarget {
        let column = |at: u32| {
            let column = table.columns.get(at as usize)?;
            Some(KeyColumn {
                sql_type: column.sql_type,
                collation: column.collation.clone(),
            })
        };
        let keys = plan.keys.iter();
        AskTarget {
            target: target.clone(),
            key: keys.filter_map(|key| column(key.target)).collect(),
        }
    }

    /// The same by these columns, whatever the target's own are.
    pub(crate) fn by(self, key: Vec<KeyColumn>) -> AskTarget {
        AskTarget { key, ..self }
    }

    /// Of each key that was looked for, whether the lake table has one that the target takes for it. Where they are more
    /// than can be asked about, and where one of them is none that the target can hold, it may have.
    ///
    /// # Errors
    /// The server is away, or the connection is lost.
    pub(crate) async fn settle(&self, found: Having) -> Result<Vec<bool>, SqlServerError> {
        let Having { mut have, doubtful } = found;
        let Some(doubtful) = doubtful else {
            return Ok(have);
        };
        let mut says = |row: u32| {
            let row = doubtful.rows.get(row as usize);
            if let Some(have) = row.and_then(|&row| have.get_mut(row)) {
                *have = true;
            }
        };
        let asked = match &doubtful.there {
            Some(there) => Some(self.ask(&doubtful.keys, there).await),
            None => None,
        };
        match asked {
            Some(Ok(pairs)) => pairs.into_iter().for_each(|(row, _)| says(row)),
            Some(Err(error)) if error.is_transient() => return Err(error),
            other => {
                if let Some(Err(error)) = other {
                    tracing::warn!(%error, "keys that may be one with keys of another lake table stay");
                }
                (0..doubtful.rows.len() as u32).for_each(says);
            }
        }
        Ok(have)
    }

    /// The pairs of keys that the target takes for one.
    ///
    /// # Errors
    /// A key that it cannot hold, and whatever the server reports.
    pub(crate) async fn ask(
        &self,
        keys: &[arrow_array::ArrayRef],
        there: &[arrow_array::ArrayRef],
    ) -> Result<Vec<(u32, u32)>, SqlServerError> {
        let Target {
            endpoint, connect, ..
        } = &self.target;
        let mut connection = Connection::open(endpoint, connect).await?;
        connection.same_keys(&self.key, keys, there).await
    }
}
