//! What staged rows must not be, looked for before they are merged.

use super::{Loader, MergeCounts};
use crate::error::{Result, SqlServerError};
use crate::introspect::Fields;
use crate::lower::merge::MergeStatements;
use crate::statement::Statement;

impl Loader<'_> {
    /// Refuses a delta that has a key several times where each row of it is a row of its own, and removes all but
    /// one row of each key otherwise.
    pub(super) async fn deduplicate(
        &mut self,
        statements: &MergeStatements,
    ) -> Result<MergeCounts> {
        let mut counts = MergeCounts::default();
        if self.terms.keys_are_unique
            && let Some(question) = &statements.checks.repeated_key
            && let Some(key) = self.offender(question, "keys").await?
        {
            return Err(self
                .refused(format!(
                    "several rows have the key ({}), and only one of them would stay",
                    key.join(", ")
                ))
                .with_hint(
                    "choose keys that identify a row; or, where the rows are versions of one, say which one stays with the merge \
                     option deduplicate-by, or keep one row of each key in the lake table (--lake-merge upsert)",
                ));
        }
        let Some(statement) = &statements.deduplicate else {
            return Ok(counts);
        };
        let answer = self
            .connection
            .client
            .run(statement)
            .await
            .map_err(|error| {
                error.context(format!(
                    "removing duplicate keys before merging into {}",
                    self.target.name
                ))
            })?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        counts.duplicates_removed = super::apply::count(Fields::of(row).integer()?)?;
        Ok(counts)
    }

    /// Refuses, within the merge's transaction, rows that the merge would leave different from the delta's.
    pub(super) async fn check_matches(&mut self, statements: &MergeStatements) -> Result<()> {
        if let Some(question) = &statements.checks.ambiguous_key
            && let Some(key) = self.offender(question, "keys").await?
        {
            let key = key.join(", ");
            let refused = match statements.checks.some_take_part {
                true => self
                    .refused(format!(
                        "it has several rows with the key ({key}) that count, of which the delta has one"
                    ))
                    .with_hint(
                        "leave one of them: end the others, and take away the flag that says that they are current",
                    ),
                false => self
                    .refused(format!(
                        "it has several rows with the key ({key}), of which the delta has one"
                    ))
                    .with_hint(
                        "choose keys that are unique in the target, or remove the rows that repeat a key",
                    ),
            };
            return Err(refused);
        }
        if let Some(check) = &statements.checks.other_identity
            && let Some(found) = self.offender(&check.statement, "identity values").await?
            && let [wanted, has, key @ ..] = found.as_slice()
        {
            return Err(SqlServerError::data(
                &self.target.name,
                &check.column,
                format!("({})", key.join(", ")),
                format!("the identity column has {has} and would have to become {wanted}, which SQL Server does not do"),
            )
            .with_hint(
                "make it a column without IDENTITY, or leave it out with --exclude-columns",
            ));
        }
        Ok(())
    }

    /// Refuses rows that would be added without being looked for, and of which one is there already, column for column.
    pub(super) async fn refuse_what_is_there(
        &mut self,
        statements: &MergeStatements,
    ) -> Result<()> {
        let Some(question) = statements.there_already.as_ref().filter(|_| self.rows > 0) else {
            return Ok(());
        };
        let answer = self.connection.client.run(question).await;
        let answer = answer
            .map_err(|error| error.context(format!("looking for rows in {}", self.target.name)))?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        if !Fields::of(row).flag()? {
            return Ok(());
        }
        Err(SqlServerError::unsupported(format!(
            "{} has more rows than its position tells of, and some that would be added are there already: the position is an \
             earlier one than the rows, and the merge adds rows without looking for them",
            self.target.name
        ))
        .with_hint(
            "put the position back as it was, or empty the target table and deliver every row with `icehost load --full`; \
             or, if these rows are to be there once more, go on with `icehost load --trust-position`",
        ))
    }

    /// What a question finds, as text.
    pub(super) async fn offender(
        &mut self,
        question: &Statement,
        what: &str,
    ) -> Result<Option<Vec<String>>> {
        let answer = self
            .connection
            .client
            .run(question)
            .await
            .map_err(|error| {
                error.context(format!(
                    "checking the {what} of rows for {}",
                    self.target.name
                ))
            })?;
        let Some(row) = answer.rows().into_iter().next() else {
            return Ok(None);
        };
        let columns = row.len();
        let mut fields = Fields::of(row);
        let mut values = Vec::with_capacity(columns);
        for _ in 0..columns {
            let value = fields.optional_text()?;
            values.push(value.map_or_else(|| "NULL".to_owned(), |text| printable(&text)));
        }
        Ok(Some(values))
    }

    fn refused(&self, why: String) -> SqlServerError {
        SqlServerError::plan(format!("table {}: {why}", self.target.name))
    }
}

/// A value of somebody's table in a message; `char` columns are padded.
fn printable(text: &str) -> String {
    icehost_untrusted::shown_up_to(text.trim_end(), 100)
}
