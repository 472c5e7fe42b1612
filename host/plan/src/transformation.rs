//! What a transformer of batches reads and writes: `batch-transform` in the contract.

use crate::expression::check_ordinal;
use crate::extraction::check_length;
use crate::{Column, ColumnType, PlanError, SqlType, Table, View};

/// What a transformer declares when it is opened on a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Transformation {
    /// Ordinals of the columns that it is given, in this order.
    pub inputs: Vec<u32>,
    /// Columns that replace those of the same name, or are added. Only name, type and nullability count.
    pub outputs: Vec<OutputColumn>,
}

/// A column that a transformer writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its type, as T-SQL writes it.
    pub native_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
}

/// A [`Transformation`] that has been checked against its table; the only form that is carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidTransformation {
    inputs: Vec<Column>,
    outputs: Vec<Column>,
    /// Whether every output replaces a column.
    replaces_only: bool,
}

impl Transformation {
    /// Checks the declaration against the table, of which the transformer was shown a part.
    ///
    /// # Errors
    /// Ordinals out of range or given twice; names that are empty, unprintable, given twice or differ from a
    /// column's in case only; types that SQL Server or the lake does not have; a column that is hidden from it, or
    /// of the key, by which rows are found again; a declaration that does nothing.
    pub fn validate(self, table: &Table, view: &View) -> Result<ValidTransformation, PlanError> {
        check_length("inputs", self.inputs.len())?;
        check_length("outputs", self.outputs.len())?;
        let shown = view.columns(&table.columns);
        let mut inputs: Vec<Column> = Vec::with_capacity(self.inputs.len());
        for (i, &ordinal) in self.inputs.iter().enumerate() {
            let column =
                check_ordinal(ordinal, &shown).map_err(|e| e.at(format!("inputs[{i}]")))?;
            if inputs.iter().any(|known| known.name == column.name) {
                return Err(PlanError::new(format!("'{}' is given twice", column.name))
                    .at(format!("inputs[{i}]")));
            }
            inputs.push(column.clone());
        }
        let mut outputs: Vec<Column> = Vec::with_capacity(self.outputs.len());
        let mut replaces_only = true;
        for (i, output) in self.outputs.iter().enumerate() {
            let place = format!("outputs[{i}]");
            let column = output.check(table).map_err(|e| e.at(&place))?;
            let folded = column.name.to_lowercase();
            if view.hidden(&table.columns).any(|h| h.name == column.name) {
                let why = format!("'{}' is a column that is hidden from it", column.name);
                return Err(PlanError::new(why).at(place));
            }
            if outputs.iter().any(|o| o.name.to_lowercase() == folded) {
                return Err(
                    PlanError::new(format!("'{}' is written twice", column.name)).at(place),
                );
            }
            replaces_only &= table.ordinal(&column.name).is_some();
            outputs.push(column);
        }
        Ok(ValidTransformation {
            inputs,
            outputs,
            replaces_only,
        })
    }
}

impl OutputColumn {
    fn check(&self, table: &Table) -> Result<Column, PlanError> {
        const LONGEST: usize = 128;
        let name = &self.name;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(PlanError::new(
                "its name is empty or has control characters",
            ));
        }
        // T-SQL reference, "Database identifiers"
        if name.encode_utf16().count() > LONGEST {
            return Err(PlanError::new(format!(
                "its name has more than {LONGEST} characters"
            )));
        }
        let sql_type: SqlType = self.native_type.parse()?;
        if sql_type == SqlType::RowVersion {
            return Err(PlanError::new(format!(
                "'{name}': only the server makes values of type rowversion"
            )));
        }
        let folded = name.to_lowercase();
        let same = |column: &&Column| column.name.to_lowercase() == folded;
        if let Some(column) = table.columns.iter().find(same) {
            if column.name != *name {
                return Err(PlanError::new(format!(
                    "'{name}' differs from column '{}' in case only",
                    column.name
                )));
            }
            if column.key_position.is_some() {
                return Err(PlanError::new(format!(
                    "'{name}' is part of the key, by which rows are found again"
                )));
            }
        }
        Ok(Column::new(
            name.clone(),
            ColumnType::Sql(sql_type),
            self.nullable,
        ))
    }
}

impl ValidTransformation {
    /// The columns that it is given, in this order.
    pub fn inputs(&self) -> &[Column] {
        &self.inputs
    }

    /// The columns that it writes, in this order.
    pub fn outputs(&self) -> &[Column] {
        &self.outputs
    }

    /// Whether every column that it writes replaces one.
    pub fn replaces_only(&self) -> bool {
        self.replaces_only
    }

    /// What becomes of columns: those that are written are replaced in their place, or come last.
    pub fn columns(&self, before: &[Column]) -> Vec<Column> {
        let mut after = before.to_vec();
        for output in &self.outputs {
            match after.iter_mut().find(|column| column.name == output.name) {
                Some(column) => *column = output.clone(),
                None => after.push(output.clone()),
            }
        }
        after
    }

    /// What becomes of a table.
    pub fn table(&self, before: &Table) -> Table {
        Table {
            columns: self.columns(&before.columns),
            ..before.clone()
        }
    }
}
