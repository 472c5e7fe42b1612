//! CHECKSUM.

use super::{Call, call};
use crate::bind::{Binder, Typed};
use crate::collation::Collation;
use crate::compare::hash;
use crate::context::Context;
use crate::error::SqlResult;
use crate::types::{Datum, SqlType};

/// A hash that follows equality: what compares equal has one checksum. The numbers are not SQL Server's.
fn checksum(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let collation = Collation::server_default();
    let mut hasher = rustc_hash::FxHasher::default();
    for argument in arguments {
        hash(argument, &collation, &mut hasher);
    }
    Ok(Datum::Int(
        (std::hash::Hasher::finish(&hasher) >> 16) as u32 as i32,
    ))
}

pub(super) fn bind(binder: &mut Binder<'_>, of: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    match of.name {
        "checksum" => {
            of.takes(1, 255)?;
            let arguments = of.converted(&[])?;
            Ok(Some(call(binder, checksum, arguments, SqlType::Int, false)))
        }
        _ => Ok(None),
    }
}
