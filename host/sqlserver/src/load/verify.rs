//! Checks of staged rows that only the server can make, or that depend on the plan.

use icehost_plan::value::shown_text;
use icehost_plan::{
    Action, Contents, Delta, Length, LogicalType, Occasion, Operation, SqlType, ValidMergePlan,
};

use super::Loader;
use crate::error::{Result, SqlServerError};
use crate::introspect::Fields;
use crate::lower::staging::{ARRIVAL, StagedColumn};
use crate::name::quote;

impl Loader<'_> {
    /// Refuses a NULL in a key, where it would match nothing, and in a column of the target that has none.
    pub(super) fn verify_nulls(&self, plan: &ValidMergePlan, delta: &Delta) -> Result<()> {
        for key in &plan.keys {
            let position = key.source as usize;
            let (Some(column), Some(notes)) =
                (self.staging.columns.get(position), self.notes.get(position))
            else {
                continue;
            };
            if let Some(row) = &notes.first_null {
                return Err(SqlServerError::data(
                    &self.target.name,
                    &column.name,
                    row.clone(),
                    "NULL identifies no row",
                )
                .with_hint("choose key columns without NULLs"));
            }
        }
        let writes_all = plan
            .clauses
            .iter()
            .any(|clause| clause.action == Action::WriteAll);
        if !writes_all || delta.contents == Contents::Changes {
            return Ok(());
        }
        for (column, notes) in self.staging.columns.iter().zip(&self.notes) {
            let target = column.target.and_then(|at| self.target.columns.get(at));
            let (Some(target), Some(row)) = (target, &notes.first_null) else {
                continue;
            };
            if !target.nullable && !target.computed && target.sql_type != SqlType::RowVersion {
                return Err(SqlServerError::data(
                    &self.target.name,
                    &target.name,
                    row.clone(),
                    "the column is NOT NULL and the value is NULL",
                )
                .with_hint("make the target column nullable"));
            }
        }
        Ok(())
    }

    /// The same of changes, of which deletions have nothing but their key: the server is asked for a row that is there,
    /// where it would be written whether or not its key is known.
    pub(super) async fn verify_nulls_of_changes(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
    ) -> Result<()> {
        let operation = delta.operation.map(|ordinal| ordinal as usize);
        let Some(operation) = operation.and_then(|at| self.staging.columns.get(at)) else {
            return Ok(());
        };
        let live = format!("{} <> {}", operation.staged(), Operation::Delete as i32);
        let on = |occasion| {
            let clauses = plan.clauses.iter();
            let mut of = clauses.filter(move |clause| clause.occasion == occasion);
            of.any(|clause| clause.action == Action::WriteAll)
        };
        if !on(Occasion::Matched) || !on(Occasion::NotMatched) {
            return Ok(());
        }
        for (column, notes) in self.staging.columns.iter().zip(&self.notes) {
            let target = column.target.and_then(|at| self.target.columns.get(at));
            let (Some(target), Some(row)) = (target, &notes.first_null) else {
                continue;
            };
            if target.nullable || target.computed || target.sql_type == SqlType::RowVersion {
                continue;
            }
            let question = format!(
                "SELECT TOP (1) S.{arrival} FROM {} AS S WHERE {live} AND {} IS NULL;",
                quote(&self.staging.table),
                column.staged(),
                arrival = quote(ARRIVAL)
            );
            let asked = self.connection.client.batch(&question).await;
            let answer = asked.map_err(|error| {
                error.context(format!("checking the rows for {}", self.target.name))
            })?;
            if answer.rows().into_iter().next().is_some() {
                return Err(SqlServerError::data(
                    &self.target.name,
                    &target.name,
                    row.clone(),
                    "the column is NOT NULL and the value is NULL",
                )
                .with_hint("make the target column nullable"));
            }
        }
        Ok(())
    }

    /// Asks the server whether text beyond ASCII survives in the code page of its column: a character that
    /// the code page lacks would silently become another one, and one character may take several bytes.
    pub(super) async fn verify_code_pages(&mut self) -> Result<()> {
        let suspects: Vec<StagedColumn> = self
            .staging
            .columns
            .iter()
            .zip(&self.notes)
            .filter(|(_, notes)| notes.beyond_ascii)
            .map(|(column, _)| column.clone())
            .collect();
        for column in suspects {
            self.verify_code_page(&column).await?;
        }
        Ok(())
    }

    async fn verify_code_page(&mut self, column: &StagedColumn) -> Result<()> {
        let staged = column.staged();
        // Without the blanks that `char` adds.
        let length = column.sql_type.code_page_length();
        let stored = length.map_or(column.sql_type, SqlType::VarChar);
        // CAST cuts what is too long.
        let differs = |stored: SqlType| {
            format!(
                "CAST(CAST(CAST({staged} AS {stored}) AS nvarchar(max)) AS varbinary(max)) \
                 <> CAST({staged} AS varbinary(max))"
            )
        };
        let (cut, changed) = (differs(stored), differs(SqlType::VarChar(Length::Max)));
        let key_ordinals = self.target.table.key();
        let keys: Vec<&StagedColumn> = key_ordinals
            .iter()
            .filter_map(|&at| {
                let mut columns = self.staging.columns.iter();
                columns.find(|column| column.target == Some(at as usize))
            })
            .collect();
        let shown: String = keys
            .iter()
            .map(|key| format!(", CAST({} AS nvarchar(400))", key.staged()))
            .collect();
        let answer = self
            .connection
            .client
            .batch(&format!(
                "SELECT TOP (1) S.{arrival}, CASE WHEN {changed} THEN 1 ELSE 0 END{shown} FROM {} AS S \
                 WHERE {cut} ORDER BY S.{arrival};",
                quote(&self.staging.table),
                arrival = quote(ARRIVAL)
            ))
            .await
            .map_err(|error| error.context(format!("checking the rows for {}", self.target.name)))?;
        let Some(row) = answer.rows().into_iter().next() else {
            return Ok(());
        };
        let mut fields = Fields::of(row);
        let (number, changed) = (fields.integer()?, fields.flag()?);
        let mut key = Vec::with_capacity(keys.len());
        for column in keys {
            let text = fields.optional_text()?;
            let is_text = column.sql_type.logical() == LogicalType::Text;
            let text = match text {
                Some(text) if is_text => shown_text(&text),
                Some(number) => number,
                None => "NULL".to_owned(),
            };
            key.push(format!("{} = {text}", column.name));
        }
        let row = if key.is_empty() {
            format!("number {number} of the delta")
        } else {
            key.join(", ")
        };
        let error = |why: String| SqlServerError::data(&self.target.name, &column.name, row, why);
        Err(if changed {
            error(format!(
                "the text has a character that the code page of {} does not have",
                column.collation.as_deref().unwrap_or("the column")
            ))
            .with_hint("make the target column nvarchar, or give it a UTF-8 collation")
        } else {
            error(format!(
                "the text takes more bytes than {} holds",
                column.sql_type
            ))
            .with_hint("make the target column longer")
        })
    }
}
