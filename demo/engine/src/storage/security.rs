//! Security policies: filters that every reader of a table goes through.

/// An inline function that only filters.
#[derive(Debug, Clone)]
pub(crate) struct FilterFunction {
    /// Schema and name, in small letters.
    pub(crate) name: (String, String),
    pub(crate) parameters: Vec<String>,
    /// Its WHERE clause, as written.
    pub(crate) predicate: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) object_id: i32,
    pub(crate) schema_id: i32,
    pub(crate) name: String,
    /// Schema and name, in small letters.
    pub(crate) key: (String, String),
    pub(crate) created: (i32, u64),
    pub(crate) enabled: bool,
    pub(crate) filters: Vec<Filter>,
}

/// A filter predicate of a policy.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// `object_id` of the table.
    pub(crate) table: i32,
    /// As `sys.security_predicates` shows it.
    pub(crate) definition: String,
    pub(crate) function: FilterFunction,
    pub(crate) columns: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Security {
    pub(crate) functions: Vec<FilterFunction>,
    pub(crate) policies: Vec<Policy>,
}

impl Security {
    /// The filters of a table.
    pub(crate) fn filters(&self, table: i32) -> Vec<Filter> {
        let policies = self.policies.iter().filter(|policy| policy.enabled);
        let filters = policies.flat_map(|policy| &policy.filters);
        filters
            .filter(|filter| filter.table == table)
            .cloned()
            .collect()
    }
}
