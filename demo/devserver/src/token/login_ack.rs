//! LOGINACK and FEATUREEXTACK (MS-TDS 2.2.7.14 and 2.2.7.11).

use super::{b_varchar, kind, with_length};
use crate::login::TdsVersion;

/// What clients call the product: FreeTDS and others choose the T-SQL dialect by it. `@@VERSION` and every
/// message carry the development server's own name.
const PROGRAM: &str = "Microsoft SQL Server";
/// 16.0.1000: SQL Server 2022, whose behaviour the engine follows.
const PROGRAM_VERSION: [u8; 4] = [16, 0, 0x03, 0xE8];
/// The interface is T-SQL.
const T_SQL: u8 = 1;

const FEATURE_UTF8_SUPPORT: u8 = 0x0A;
const FEATURE_TERMINATOR: u8 = 0xFF;

/// Appends the acknowledgement of a login.
pub(crate) fn write(version: TdsVersion, out: &mut Vec<u8>) {
    with_length(kind::LOGIN_ACK, out, |out| {
        out.push(T_SQL);
        out.extend_from_slice(&version.0.to_be_bytes());
        b_varchar(PROGRAM, out);
        out.extend_from_slice(&PROGRAM_VERSION);
    });
}

/// Appends the one feature that is acknowledged: parameters in UTF-8 collations are understood.
pub(crate) fn write_utf8_support(out: &mut Vec<u8>) {
    out.extend_from_slice(&[
        kind::FEATURE_EXT_ACK,
        FEATURE_UTF8_SUPPORT,
        1,
        0,
        0,
        0,
        1,
        FEATURE_TERMINATOR,
    ]);
}
