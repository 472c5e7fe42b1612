//! Rows with several keys of which the target takes one for the other, looked for before anything is merged.

use icehost_plan::{Delta, ValidMergePlan};

use super::Loader;
use crate::error::{Result, SqlServerError};
use crate::introspect::Fields;
use crate::lower::merge::{self, Spelling, SpellingStatements, unmarked};

/// `Invalid collation '…'.`
const NO_COLLATION: u32 = 448;

/// Two keys that are one for the target: of each part of the key its value as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// One of them.
    pub one: Vec<String>,
    /// Another.
    pub other: Vec<String>,
}

impl Loader<'_> {
    /// Two keys of staged rows that are there, which differ for whoever delivers them and are one for the target.
    /// Every batch must have been staged. `spellings` are of the plan's keys, in their order.
    ///
    /// A collation that the target's server does not have counts as [`Spelling::Exact`].
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn collision(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
        spellings: &[Option<Spelling>],
    ) -> Result<Option<Collision>> {
        self.end_load().await?;
        if self.rows < 2 {
            return Ok(None);
        }
        let statements = self.spellings(plan, delta, (spellings, &[]))?;
        let found = match self.offender(&statements.collision, "keys").await {
            Err(error) if error.number() == Some(NO_COLLATION) => {
                let statements = self.spellings(plan, delta, (&exactly(spellings), &[]))?;
                self.offender(&statements.collision, "keys").await?
            }
            other => other?,
        };
        let Some(values) = found else {
            return Ok(None);
        };
        let every_second = |first: usize| {
            let values = values.iter().skip(first).step_by(2);
            values.map(|value| unmarked(value).to_owned()).collect()
        };
        Ok(Some(Collision {
            one: every_second(0),
            other: every_second(1),
        }))
    }

    /// Whether a staged row that is there has a key that a row of the target has in another spelling, one that
    /// differs for whoever delivers it, or with other values in the `identifying` columns of the delta.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn respells(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
        spellings: &[Option<Spelling>],
        identifying: &[u32],
    ) -> Result<bool> {
        self.end_load().await?;
        if self.rows == 0 {
            return Ok(false);
        }
        let statements = self.spellings(plan, delta, (spellings, identifying))?;
        let answer = match self.connection.client.run(&statements.respelled).await {
            Err(error) if error.number() == Some(NO_COLLATION) => {
                let exactly = exactly(spellings);
                let statements = self.spellings(plan, delta, (&exactly, identifying))?;
                self.connection.client.run(&statements.respelled).await
            }
            other => other,
        };
        let comparing = |error: SqlServerError| {
            error.context(format!("comparing keys with those of {}", self.target.name))
        };
        let answer = answer.map_err(comparing)?;
        Fields::of(answer.rows().into_iter().next().unwrap_or_default()).flag()
    }

    fn spellings(
        &self,
        plan: &ValidMergePlan,
        delta: &Delta,
        asked: (&[Option<Spelling>], &[u32]),
    ) -> Result<SpellingStatements> {
        merge::lower_spellings(self.target, &self.staging, delta, plan, asked)
    }
}

fn exactly(spellings: &[Option<Spelling>]) -> Vec<Option<Spelling>> {
    let exact = |spelling: &Option<Spelling>| spelling.as_ref().map(|_| Spelling::Exact);
    spellings.iter().map(exact).collect()
}
