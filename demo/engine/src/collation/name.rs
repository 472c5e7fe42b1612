//! Names of collations (T-SQL reference, "Windows collation name" and "SQL Server collation name").

use std::sync::Arc;

use super::{Collation, DEFAULT_NAME, Family, Method};
use crate::error::{SqlResult, unsupported_clause};
use crate::session::SqlError;

/// Name and version, family, version as COLLATIONPROPERTY has it, LCID, code page.
const FAMILIES: [(&str, Family, u8, i32, i32); 13] = [
    ("Cyrillic_General_100", Family::Latin1General, 2, 1049, 1251),
    ("Cyrillic_General", Family::Latin1General, 0, 1049, 1251),
    ("Latin1_General_100", Family::Latin1General, 2, 1033, 1252),
    ("Latin1_General", Family::Latin1General, 0, 1033, 1252),
    ("Turkish_100", Family::Turkic, 2, 1055, 1254),
    ("Turkish", Family::Turkic, 0, 1055, 1254),
    ("Azeri_Latin_100", Family::Turkic, 2, 1068, 1254),
    ("Azeri_Latin_90", Family::Turkic, 1, 1068, 1254),
    ("Japanese_XJIS_140", Family::Japanese, 3, 1041, 932),
    ("Japanese_XJIS_100", Family::Japanese, 2, 1041, 932),
    ("Japanese_90", Family::Japanese, 1, 1041, 932),
    ("Japanese", Family::Japanese, 0, 1041, 932),
    ("SQL_Latin1_General_CP1", Family::SqlLatin1, 0, 1033, 1252),
];

fn invalid(name: &str) -> SqlError {
    SqlError::new(448, 16, 3, format!("Invalid collation '{name}'."))
}

/// Whether a name of another family looks like a collation's.
fn is_plausible(upper: &str) -> bool {
    ["_CI_", "_CS_"].iter().any(|flag| upper.contains(flag))
        || ["_BIN", "_BIN2", "_UTF8"]
            .iter()
            .any(|end| upper.ends_with(end))
}

impl Collation {
    /// The collation of that name, of the families that are known here.
    pub(crate) fn named(name: &str) -> SqlResult<Self> {
        let upper = name.to_ascii_uppercase();
        if ["DATABASE_DEFAULT", "CATALOG_DEFAULT"].contains(&upper.as_str())
            || upper == DEFAULT_NAME.to_ascii_uppercase()
        {
            return Ok(Self::server_default());
        }
        let family = FAMILIES.iter().find_map(|family| {
            let rest = upper.strip_prefix(&family.0.to_ascii_uppercase())?;
            Some((family, rest.strip_prefix('_')?))
        });
        let Some(((prefix, family, version, lcid, code_page), flags)) = family else {
            return Err(if is_plausible(&upper) {
                unsupported_clause(&format!("COLLATE {name}"))
            } else {
                invalid(name)
            });
        };
        let canonical = format!("{prefix}_{flags}");
        let mut collation = Self {
            name: Arc::from(canonical.as_str()),
            family: *family,
            version: *version,
            lcid: *lcid,
            code_page: *code_page,
            method: Method::Linguistic,
            ignore_case: false,
            ignore_accents: false,
            ignore_kana: true,
            ignore_width: true,
        };
        let mut flags = flags.split('_').peekable();
        let mut has = |flag: &str| flags.next_if(|next| *next == flag).is_some();
        let binary = match (has("BIN2"), has("BIN")) {
            (true, _) => Some(Method::CodePoints),
            (_, true) => Some(Method::Bytes),
            _ => None,
        };
        if let Some(method) = binary {
            collation.method = method;
        } else {
            collation.ignore_case = has("CI");
            if !collation.ignore_case && !has("CS") {
                return Err(invalid(name));
            }
            collation.ignore_accents = has("AI");
            if !collation.ignore_accents && !has("AS") {
                return Err(invalid(name));
            }
            collation.ignore_kana = !has("KS");
            collation.ignore_width = !has("WS");
            if has("VSS") && collation.version < 3 {
                return Err(invalid(name));
            }
            if has("SC") && collation.version == 0 {
                return Err(invalid(name));
            }
        }
        if has("UTF8") {
            if collation.version < 2 || binary == Some(Method::Bytes) {
                return Err(invalid(name));
            }
            collation.code_page = 65001;
        }
        if flags.next().is_some() {
            return Err(invalid(name));
        }
        let plain = collation.ignore_kana && collation.ignore_width;
        let cased = !collation.ignore_case && collation.ignore_accents;
        if *family == Family::SqlLatin1 && (binary.is_some() || !plain || cased) {
            return Err(invalid(name));
        }
        Ok(collation)
    }
}
