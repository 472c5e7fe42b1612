//! What a transformer declares.

use icehost_plan::{OutputColumn, PlanError, Transformation};

use super::merge::MOST_COLUMNS;
use super::value::bounded;
use crate::bindings::transform as wit;

pub(crate) fn transformation(declared: wit::Transformation) -> Result<Transformation, PlanError> {
    Ok(Transformation {
        inputs: declared.inputs,
        outputs: bounded("outputs", declared.outputs, MOST_COLUMNS)?
            .into_iter()
            .map(|column| OutputColumn {
                name: column.name,
                native_type: column.native_type,
                nullable: column.nullable,
            })
            .collect(),
    })
}
