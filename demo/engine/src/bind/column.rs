//! Column references and variables.

use super::typed::{TextCollation, Typed};
use super::{Binder, ScopeSource};
use crate::ast::Name;
use crate::error::{SqlResult, invalid_column, undeclared_variable};
use crate::plan::Expr;
use crate::session::SqlError;

fn source_matches(source: &ScopeSource, qualifier: &[Name]) -> bool {
    match qualifier {
        [] => !source.qualified_only,
        [name] => name.is(&source.name),
        [.., schema, name] => {
            name.is(&source.name) && source.schema.as_ref().is_some_and(|known| schema.is(known))
        }
    }
}

impl Binder<'_> {
    /// A column of this query or of one around it.
    pub(crate) fn bind_column(&mut self, qualifier: &[Name], name: &Name) -> SqlResult<Typed> {
        for level in (0..self.scopes.len()).rev() {
            let mut found = None;
            for (number, source) in self.scopes[level].sources.iter().enumerate() {
                if !source_matches(source, qualifier) {
                    continue;
                }
                for (ordinal, column) in source.columns.iter().enumerate() {
                    if name.is(&column.name) {
                        if found.is_some() {
                            return Err(SqlError::new(
                                209,
                                16,
                                1,
                                format!("Ambiguous column name '{}'.", name.0),
                            )
                            .ending_batch());
                        }
                        found = Some((number, ordinal));
                    }
                }
            }
            if let Some((source, column)) = found {
                return self.column_at(level, source, column, qualifier, name);
            }
        }
        if qualifier.is_empty() {
            return Err(invalid_column(&name.0));
        }
        let known = self.scopes.iter().any(|scope| {
            scope
                .sources
                .iter()
                .any(|source| source_matches(source, qualifier))
        });
        if known {
            return Err(invalid_column(&name.0));
        }
        let path: Vec<&str> = qualifier
            .iter()
            .map(|part| part.0.as_str())
            .chain([name.0.as_str()])
            .collect();
        Err(SqlError::new(
            4104,
            16,
            1,
            format!(
                "The multi-part identifier \"{}\" could not be bound.",
                path.join(".")
            ),
        )
        .ending_batch())
    }

    fn column_at(
        &mut self,
        level: usize,
        source: usize,
        column: usize,
        qualifier: &[Name],
        name: &Name,
    ) -> SqlResult<Typed> {
        let innermost = self.scopes.len() - 1;
        for scope in &mut self.scopes[level + 1..] {
            scope.correlated = true;
        }
        let depth = innermost - level;
        let scope = &self.scopes[level];
        let known = &scope.sources[source].columns[column];
        let slot = match &scope.grouping {
            Some(grouping) if grouping.active => match grouping.key_of(source, column) {
                Some(key) => (0, key),
                None => {
                    let path: Vec<&str> = if qualifier.is_empty() {
                        vec![scope.sources[source].name.as_str(), name.0.as_str()]
                    } else {
                        qualifier
                            .iter()
                            .map(|part| part.0.as_str())
                            .chain([name.0.as_str()])
                            .collect()
                    };
                    return Err(SqlError::new(
                        8120,
                        16,
                        1,
                        format!(
                            "Column '{}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.",
                            path.join(".")
                        ),
                    )
                    .ending_batch());
                }
            },
            _ => (source, column),
        };
        let expr = Expr::Column {
            depth,
            source: slot.0,
            column: slot.1,
        };
        let mut typed = Typed::new(expr, known.sql_type.clone(), known.nullable);
        if known.sql_type.is_text() {
            typed.collation = known
                .collation
                .clone()
                .map_or(TextCollation::Coercible, TextCollation::Implicit);
        }
        typed.identity = known.identity;
        Ok(typed)
    }

    pub(crate) fn bind_variable(&mut self, name: &str) -> SqlResult<Typed> {
        let Some((slot, variable)) = self.frame.variable(name) else {
            return Err(undeclared_variable(name));
        };
        self.dependencies
            .variable(name, &variable.sql_type, &variable.value);
        if self.fold_variables {
            return Ok(Typed {
                nullable: true,
                ..Typed::constant(variable.value.clone(), variable.sql_type.clone())
            });
        }
        Ok(Typed::new(
            Expr::Variable(slot),
            variable.sql_type.clone(),
            true,
        ))
    }
}
