//! What an operator grants a component, beside memory and time.

use icehost_plan::ColumnGrant;

/// What a component may see and call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Columns that it is shown, of every table. What is hidden is carried all the same.
    pub columns: ColumnGrant,
    /// Interfaces of the contract that it may import, by their names alone, such as `logging`; `None` for all
    /// that there are.
    pub imports: Option<Vec<String>>,
}

impl Grants {
    /// Whether the import of this full name is granted. `types` holds no function and always is.
    pub(crate) fn admits(&self, import: &str) -> bool {
        let Some(granted) = &self.imports else {
            return true;
        };
        crate::contract::of_contract(import)
            .is_some_and(|(name, _)| name == "types" || granted.iter().any(|known| known == name))
    }
}
