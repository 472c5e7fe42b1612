//! Names of tables in a warehouse.

use std::fmt;
use std::str::FromStr;

use crate::{LakeError, LakeErrorKind};

/// Longest part of a name: what common file systems allow for a directory.
const MAX_PART_BYTES: usize = 255;

/// A table's namespace and name, `demo.customers`; each part is a directory of the warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LakeTableName {
    namespace: Vec<String>,
    name: String,
}

impl LakeTableName {
    /// A name from its parts, the last of which is the table's own.
    pub fn new(parts: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, LakeError> {
        let mut parts: Vec<String> = parts.into_iter().map(Into::into).collect();
        for part in &parts {
            check_part(part).map_err(|why| {
                LakeError::new(
                    LakeErrorKind::InvalidName,
                    format!(
                        "{} cannot be a lake table's name: {why}",
                        icehost_untrusted::given(&parts.join("."))
                    ),
                )
                .with_hint("each part becomes a directory; write a name such as demo.customers")
            })?;
        }
        match parts.pop() {
            Some(name) if !parts.is_empty() => Ok(LakeTableName {
                namespace: parts,
                name,
            }),
            other => Err(LakeError::new(
                LakeErrorKind::InvalidName,
                format!(
                    "{} cannot be a lake table's name: the namespace is missing",
                    icehost_untrusted::given(&other.unwrap_or_default())
                ),
            )
            .with_hint("write namespace and name, such as demo.customers")),
        }
    }

    /// The namespace; empty for a table that was opened by its location alone.
    pub fn namespace(&self) -> &[String] {
        &self.namespace
    }

    /// The table's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table's directory, relative to that of all tables.
    pub(crate) fn directory(&self) -> String {
        let mut path = self.namespace.join("/");
        path.push('/');
        path.push_str(&self.name);
        path
    }

    /// A name for a table that is known by where it is alone.
    pub(crate) fn of_location(location: &str) -> Self {
        LakeTableName {
            namespace: Vec::new(),
            name: location.to_owned(),
        }
    }
}

fn check_part(part: &str) -> Result<(), &'static str> {
    if part.is_empty() {
        return Err("a part is empty");
    }
    if part.len() > MAX_PART_BYTES {
        return Err("a part is longer than 255 bytes");
    }
    if part.starts_with('.') {
        return Err("a part starts with a dot");
    }
    if part.chars().any(|c| matches!(c, '/' | '\\' | ':' | '.')) {
        return Err("a part contains a separator");
    }
    if part.contains(icehost_untrusted::misleads) {
        return Err("a part contains a character that is not seen");
    }
    Ok(())
}

impl FromStr for LakeTableName {
    type Err = LakeError;

    fn from_str(text: &str) -> Result<Self, LakeError> {
        LakeTableName::new(text.split('.'))
    }
}

impl fmt::Display for LakeTableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.namespace {
            write!(f, "{part}.")?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_a_path_inside_the_warehouse() {
        let name: LakeTableName = "sales.eu.customers".parse().unwrap();
        assert_eq!(name.namespace(), ["sales", "eu"]);
        assert_eq!(name.directory(), "sales/eu/customers");
        assert_eq!(name.to_string(), "sales.eu.customers");
    }

    #[test]
    fn a_name_that_could_leave_the_warehouse_is_refused() {
        for text in [
            "",
            "customers",
            "demo.",
            ".customers",
            "demo..customers",
            "../x.y",
            "a/b.c",
            "a.b\\c",
            "a.b\n",
            "C:.x",
            "a.\u{7f}",
        ] {
            let error = text.parse::<LakeTableName>().unwrap_err();
            assert_eq!(error.kind(), LakeErrorKind::InvalidName, "{text:?}");
            assert!(error.hint().is_some(), "{text:?}");
        }
        let parts = LakeTableName::new(["demo", ".."]).unwrap_err();
        assert_eq!(parts.kind(), LakeErrorKind::InvalidName);
    }
}
