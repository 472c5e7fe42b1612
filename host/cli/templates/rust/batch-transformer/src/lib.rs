//! `{{name}}`: adds the domain of an e-mail address as a column of its own, and drops rows without one.

use std::sync::Arc;

use icehost_sdk::arrow::array::cast::AsArray;
use icehost_sdk::arrow::array::{BooleanArray, RecordBatch, StringArray};
use icehost_sdk::prelude::*;

/// The strategy.
pub struct {{Type}};

icehost_sdk::options! {
    /// What users may set.
    pub struct {{Type}}Options {
        /// The column that holds the address.
        pub column: String,
    }
}

impl BatchTransformer for {{Type}} {
    const NAME: &'static str = "{{name}}";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "adds the domain of an e-mail address, and drops rows without one";
    type Options = {{Type}}Options;

    /// Which columns it reads, and which it writes.
    fn open(table: &Table, options: {{Type}}Options) -> Result<(Self, Transformation), Error> {
        let column = table.require(&options.column)?;
        let Some(address) = table.get(column).filter(|c| c.kind == LogicalType::Text) else {
            let why = format!("'{}' is not text", options.column);
            return Err(Error::invalid_options("wrong-type", why).about(column));
        };
        let name = format!("{}Domain", address.name);
        let domain = Column::new(&name, LogicalType::Text, "nvarchar(255)");
        Ok((Self, Transformation::new(vec![column], vec![domain])))
    }

    /// A batch of the columns that it reads, in the order in which it named them.
    fn apply(&mut self, batch: &RecordBatch) -> Result<Transformed, Error> {
        let addresses = batch.column(0).as_string::<i32>();
        let domain = |address: Option<&str>| address?.split_once('@').map(|(_, domain)| domain.to_lowercase());
        let domains: Vec<Option<String>> = addresses.iter().map(domain).collect();
        let keep: BooleanArray = domains.iter().map(|domain| Some(domain.is_some())).collect();
        // A row that is dropped needs a value too.
        let domains = domains.into_iter().map(Option::unwrap_or_default);
        let domains = StringArray::from_iter_values(domains);
        Ok(Transformed::unchanged()
            .columns(vec![Arc::new(domains)])
            .keep(keep))
    }
}

icehost_sdk::export_batch_transformer!({{Type}});
