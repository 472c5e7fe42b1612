//! What tells one strategy from another, for who must know whether it is still the same.

use icehost_plan::ColumnGrant;
use icehost_strategy::{Options, Strategy};

/// What tells a strategy with its options from another.
pub(crate) fn strategy_text(strategy: &Strategy, options: &Options) -> String {
    let options = serde_json::Value::Object(options.values().clone());
    let name = &strategy.description().name;
    let sees = match strategy.column_grant() {
        ColumnGrant::All => String::new(),
        ColumnGrant::Only(columns) => format!(" sees {columns:?}"),
        // Which columns have rules is noted beside it.
        ColumnGrant::AllBut(_) => String::new(),
    };
    format!("{name} {}{sees} {options}", strategy.digest())
}
