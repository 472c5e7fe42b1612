//! Parameters of `sp_executesql` as variables.

use super::Batch;
use crate::convert::{Excess, convert};
use crate::error::SqlResult;
use crate::session::Parameter;

impl Batch<'_> {
    /// Declares the parameters; returns those whose values the client wants back.
    pub(crate) fn declare_parameters(
        &mut self,
        parameters: Vec<Parameter>,
    ) -> SqlResult<Vec<Parameter>> {
        let mut outputs = Vec::new();
        for (place, mut parameter) in parameters.into_iter().enumerate() {
            if parameter.name.is_empty() {
                parameter.name = format!("@P{}", place + 1);
            } else if !parameter.name.starts_with('@') {
                parameter.name.insert(0, '@');
            }
            let value = convert(&parameter.value, &parameter.sql_type, 0, Excess::Cut)?;
            self.frame
                .declare(&parameter.name, parameter.sql_type.clone(), value)?;
            if parameter.output {
                outputs.push(parameter);
            }
        }
        Ok(outputs)
    }

    /// The final values of the output parameters.
    pub(crate) fn output_values(&self, mut outputs: Vec<Parameter>) -> Vec<Parameter> {
        for output in &mut outputs {
            if let Some((_, variable)) = self.frame.variable(&output.name) {
                output.value = variable.value.clone();
            }
        }
        outputs
    }
}
