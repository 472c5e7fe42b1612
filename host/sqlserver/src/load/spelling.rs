//! Rows with several keys of which the target takes one for the other, looked for before anything is merged.

use icehost_plan::{Delta, Length, SqlType, ValidMergePlan};

use super::Loader;
use super::apply::count;
use crate::error::{Result, SqlServerError};
use crate::introspect::Fields;
use crate::lower::merge::{self, Spelling, SpellingStatements, unmarked};

/// The number of the error `Invalid collation '…'.`
pub const NO_COLLATION: u32 = 448;
/// The end of the name of a collation of SQL Server 2019 and newer.
const UTF8: &str = "_UTF8";

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

    /// Leaves one of the staged rows whose keys are one for whoever delivers them, and has the merge take out the rows of
    /// the target whose keys are spelled otherwise. Every batch must have been staged. `spellings` are of the plan's keys,
    /// in their order.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where the target's server does not have a collation, and
    /// whatever the server reports.
    pub async fn keep_one_of_each_key(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
        spellings: &[Option<Spelling>],
    ) -> Result<()> {
        self.end_load().await?;
        if self.rows == 0 {
            return Ok(());
        }
        let lowered =
            |spellings| merge::lower_one_key(self.target, &self.staging, delta, plan, spellings);
        let mut statements = lowered(spellings)?;
        let mut answer = self.connection.client.run(&statements.deduplicate).await;
        if matches!(&answer, Err(error) if error.number() == Some(NO_COLLATION)) {
            statements = lowered(&without_encoding(spellings))?;
            answer = self.connection.client.run(&statements.deduplicate).await;
        }
        let answer = match answer {
            Err(error) if error.number() == Some(NO_COLLATION) => {
                return Err(self.no_collation(spellings));
            }
            other => other.map_err(|error| {
                error.context(format!("comparing keys of rows for {}", self.target.name))
            })?,
        };
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        self.gave_way = count(fields.integer()?)?;
        self.other_spellings = statements.stage;
        Ok(())
    }

    /// Takes out staged deletions of keys that come as well, by the target's comparison. Every batch must have been
    /// staged.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn spare_keys_that_come(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
    ) -> Result<()> {
        self.end_load().await?;
        let spare = merge::lower_come_again(self.target, &self.staging, delta, plan)?;
        if let Some(spare) = spare.filter(|_| self.rows > 1) {
            let answer = self.connection.client.run(&spare).await;
            answer.map_err(|error| {
                error.context(format!("comparing keys of rows for {}", self.target.name))
            })?;
        }
        Ok(())
    }

    fn no_collation(&self, spellings: &[Option<Spelling>]) -> SqlServerError {
        let named = spellings
            .iter()
            .flatten()
            .find_map(|spelling| match spelling {
                Spelling::Compared { collation, .. } => Some(collation.as_str()),
                Spelling::Exact => None,
            });
        let named = named.unwrap_or_default();
        SqlServerError::unsupported(format!(
            "the server of {} does not have the collation {named}, by which the source compares keys that this table tells \
             apart: which of its rows give way to others nobody can say",
            self.target.name
        ))
        .with_hint(
            "give the key column of the target table a collation that ignores what the source's ignores (case, accents, \
             width, kana)",
        )
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

/// The collations without their encoding, which older servers do not have: how text compares does not hang on it (T-SQL
/// reference, "Collation and Unicode support").
fn without_encoding(spellings: &[Option<Spelling>]) -> Vec<Option<Spelling>> {
    let without = |spelling: &Option<Spelling>| match spelling {
        Some(Spelling::Compared {
            sql_type: _,
            collation,
        }) if collation.to_ascii_uppercase().ends_with(UTF8) => {
            let kept = collation.len() - UTF8.len();
            Some(Spelling::Compared {
                sql_type: SqlType::NVarChar(Length::Max),
                collation: collation.get(..kept).unwrap_or(collation).to_owned(),
            })
        }
        other => other.clone(),
    };
    spellings.iter().map(without).collect()
}

fn exactly(spellings: &[Option<Spelling>]) -> Vec<Option<Spelling>> {
    let exact = |spelling: &Option<Spelling>| spelling.as_ref().map(|_| Spelling::Exact);
    spellings.iter().map(exact).collect()
}
