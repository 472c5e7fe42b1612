//! The result of `sp_describe_first_result_set`.

use super::type_ids;
use super::view::{NAME, bit, int, small, text, tiny};
use crate::error::SqlResult;
use crate::interpreter::{Batch, command};
use crate::plan::OutputColumn;
use crate::session::ResultColumn;
use crate::types::{Datum, SqlType};

/// Sends one row for each column of the described result.
pub(crate) fn send(batch: &mut Batch<'_>, described: &[OutputColumn]) -> SqlResult<()> {
    let names: [(&str, SqlType); 13] = [
        ("is_hidden", SqlType::Bit),
        ("column_ordinal", SqlType::Int),
        ("name", NAME),
        ("is_nullable", SqlType::Bit),
        ("system_type_id", SqlType::Int),
        ("system_type_name", SqlType::NVarChar { length: Some(256) }),
        ("max_length", SqlType::SmallInt),
        ("precision", SqlType::TinyInt),
        ("scale", SqlType::TinyInt),
        ("collation_name", NAME),
        ("user_type_id", SqlType::Int),
        ("is_identity_column", SqlType::Bit),
        ("is_updateable", SqlType::Bit),
    ];
    let columns: Vec<ResultColumn> = names
        .iter()
        .map(|(name, sql_type)| ResultColumn {
            name: (*name).to_owned(),
            sql_type: sql_type.clone(),
            nullable: true,
            identity: false,
            read_only: true,
            collation: None,
        })
        .collect();
    batch.stop(|sink| sink.columns(&columns))?;
    for (place, column) in described.iter().enumerate() {
        let (system, user) = type_ids::ids(&column.sql_type);
        let (length, precision, scale) = type_ids::sizes(&column.sql_type);
        let row = [
            bit(false),
            int(place as i32 + 1),
            if column.name.is_empty() {
                Datum::Null
            } else {
                text(&column.name)
            },
            bit(column.nullable),
            int(i32::from(system)),
            text(&type_ids::declaration(&column.sql_type)),
            small(length),
            tiny(precision),
            tiny(scale),
            column
                .collation
                .as_ref()
                .map_or(Datum::Null, |collation| text(&collation.name)),
            int(user),
            bit(column.identity),
            bit(!column.read_only),
        ];
        batch.stop(|sink| sink.row(&row))?;
    }
    batch.done(command::SELECT, Some(described.len() as u64))
}
