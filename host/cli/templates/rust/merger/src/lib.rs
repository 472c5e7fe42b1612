//! `{{name}}`: rows whose key is known are overwritten, the others added.

use icehost_sdk::prelude::*;

/// The strategy.
pub struct {{Type}};

icehost_sdk::options! {
    /// What users may set.
    pub struct {{Type}}Options {
        /// The columns that identify a row; by default the key of the target, else of the rows.
        pub keys: Option<Vec<String>>,
    }
}

/// What the operation column holds for a row that is gone.
const DELETE: i64 = 0;

impl Merger for {{Type}} {
    const NAME: &'static str = "{{name}}";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "overwrites rows whose key is known and adds the others";
    type Options = {{Type}}Options;

    fn plan(context: &MergeContext<{{Type}}Options>) -> Result<MergePlan, Error> {
        let mut clauses = Vec::new();
        if let Some(operation) = context.delta.operation {
            let deleted = || col(operation).eq(lit(DELETE));
            clauses.push(Clause::matched(Action::Delete).when(deleted()));
            clauses.push(Clause::not_matched(Action::Skip).when(deleted()));
        }
        clauses.push(Clause::matched(Action::WriteAll));
        clauses.push(Clause::not_matched(Action::WriteAll));
        let keys = context.keys(context.options.keys.as_deref())?;
        Ok(MergePlan::new(keys, clauses))
    }
}

icehost_sdk::export_merger!({{Type}});
