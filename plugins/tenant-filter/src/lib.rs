//! `tenant-filter`: lets only the rows of certain tenants through.

use icehost_sdk::arrow::array::cast::AsArray;
use icehost_sdk::arrow::array::types::{Int32Type, Int64Type};
use icehost_sdk::arrow::array::{Array, BooleanArray, RecordBatch};
use icehost_sdk::arrow::schema::DataType;
use icehost_sdk::prelude::*;

/// The strategy, for certain values.
#[derive(Debug)]
pub enum TenantFilter {
    /// As they stand in a column of whole numbers.
    Integers(Vec<i64>),
    /// As they stand in a column of text.
    Texts(Vec<String>),
    /// As they stand in a column of UUIDs.
    Uuids(Vec<[u8; 16]>),
}

/// What the column of a tenant is usually called, in lower case without separators.
const USUAL: &[&str] = &["tenantid", "tenant", "tenantkey", "tenantcode"];

icehost_sdk::options! {
    /// What users may set.
    pub struct TenantFilterOptions {
        /// The column that says whose row it is: whole numbers, text or uniqueidentifier. By default the only
        /// one whose name says so, such as TenantId.
        pub column: Option<String>,
        /// The tenants whose rows are kept. Text is compared character by character.
        pub tenants: Vec<String>,
    }
}

impl BatchTransformer for TenantFilter {
    const NAME: &'static str = "tenant-filter";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "lets only the rows of certain tenants through";
    type Options = TenantFilterOptions;

    fn open(table: &Table, options: TenantFilterOptions) -> Result<(Self, Transformation), Error> {
        if options.tenants.is_empty() {
            return Err(Error::invalid_options(
                "no-tenants",
                "tenants names nobody whose rows to keep",
            ));
        }
        let id = match &options.column {
            Some(name) => table.require(name)?,
            None => usual(table)?,
        };
        let column = table.get(id);
        let (name, kind) = column.map_or(("", None), |c| (c.name.as_str(), Some(c.kind)));
        let wrong = |tenant: &str| {
            Error::invalid_options("wrong-value", format!("'{tenant}' is no value of '{name}'"))
                .about(id)
        };
        let tenants = options.tenants;
        let filter = match kind {
            Some(LogicalType::Integer) => TenantFilter::Integers(
                tenants
                    .iter()
                    .map(|tenant| tenant.parse().map_err(|_| wrong(tenant)))
                    .collect::<Result<_, _>>()?,
            ),
            Some(LogicalType::Text) => TenantFilter::Texts(tenants),
            Some(LogicalType::Uuid) => TenantFilter::Uuids(
                tenants
                    .iter()
                    .map(|tenant| uuid(tenant).ok_or_else(|| wrong(tenant)))
                    .collect::<Result<_, _>>()?,
            ),
            _ => {
                return Err(Error::invalid_options(
                    "wrong-type",
                    format!("'{name}' holds neither whole numbers nor text nor uniqueidentifiers"),
                )
                .about(id));
            }
        };
        Ok((filter, Transformation::new(vec![id], Vec::new())))
    }

    fn apply(&mut self, batch: &RecordBatch) -> Result<Transformed, Error> {
        let column = batch.columns().first().ok_or_else(|| {
            Error::bad_data("no-column", "the batch lacks the column of the tenant")
        })?;
        let keep: BooleanArray = match (&*self, column.data_type()) {
            (TenantFilter::Integers(kept), DataType::Int32) => column
                .as_primitive::<Int32Type>()
                .iter()
                .map(|value| value.map(|value| kept.contains(&i64::from(value))))
                .collect(),
            (TenantFilter::Integers(kept), DataType::Int64) => column
                .as_primitive::<Int64Type>()
                .iter()
                .map(|value| value.map(|value| kept.contains(&value)))
                .collect(),
            (TenantFilter::Texts(kept), DataType::Utf8) => column
                .as_string::<i32>()
                .iter()
                .map(|value| value.map(|value| kept.iter().any(|kept| kept == value)))
                .collect(),
            (TenantFilter::Uuids(kept), DataType::FixedSizeBinary(16)) => column
                .as_fixed_size_binary()
                .iter()
                .map(|value| value.map(|value| kept.iter().any(|kept| kept == value)))
                .collect(),
            (_, other) => {
                return Err(Error::bad_data(
                    "wrong-type",
                    format!("the column of the tenant comes as {other}"),
                ));
            }
        };
        Ok(Transformed::unchanged().keep(keep))
    }
}

fn usual(table: &Table) -> Result<ColumnId, Error> {
    let says_so = table.columns_where(|column| {
        let letters = column.name.chars().filter(|c| c.is_alphanumeric());
        let name: String = letters.flat_map(char::to_lowercase).collect();
        USUAL.contains(&name.as_str())
    });
    match says_so.as_slice() {
        [only] => Ok(*only),
        _ => {
            let fit = table.columns_where(|column| {
                matches!(
                    column.kind,
                    LogicalType::Integer | LogicalType::Text | LogicalType::Uuid
                )
            });
            Err(Error::invalid_options(
                "no-tenant-column",
                format!(
                    "it is not obvious which column of {} says whose row it is; set column to one of {}",
                    table.name,
                    table.names(&fit)
                ),
            ))
        }
    }
}

/// The 16 bytes of a UUID in the order of its digits.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|&c| c != '-')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    match digits.len() {
        32 => bytes.try_into().ok(),
        _ => None,
    }
}

icehost_sdk::export_batch_transformer!(TenantFilter);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use icehost_sdk::arrow::array::{ArrayRef, FixedSizeBinaryArray, Int64Array, StringArray};
    use std::sync::Arc;

    fn kept(kind: LogicalType, tenants: &str, values: ArrayRef) -> Vec<bool> {
        let columns = vec![
            Column::new("Id", LogicalType::Integer, "int").key(0),
            Column::new("Tenant_ID", kind, "it does not matter"),
        ];
        let options = icehost_sdk::options::parse(&format!(r#"{{"tenants": {tenants}}}"#)).unwrap();
        let table = Table::new("dbo.Orders", columns);
        let (mut filter, declared) = TenantFilter::open(&table, options).unwrap();
        assert_eq!(declared.inputs, [1]);
        assert!(declared.outputs.is_empty());
        let batch = RecordBatch::try_from_iter([("Tenant_ID", values)]).unwrap();
        let transformed = filter.apply(&batch).unwrap();
        transformed
            .kept()
            .unwrap()
            .iter()
            .map(|kept| kept == Some(true))
            .collect()
    }

    #[test]
    fn rows_of_others_and_of_nobody_are_dropped() {
        let integers = Int64Array::from(vec![Some(7), Some(8), None, Some(9)]);
        assert_eq!(
            kept(LogicalType::Integer, r#"["7", "9"]"#, Arc::new(integers)),
            [true, false, false, true]
        );
        let texts = StringArray::from(vec![Some("acme"), Some("ACME"), None]);
        assert_eq!(
            kept(LogicalType::Text, r#"["acme"]"#, Arc::new(texts)),
            [true, false, false]
        );
        let uuids = [[0x11; 16], [0x22; 16]];
        let uuids = FixedSizeBinaryArray::try_from_iter(uuids.iter()).unwrap();
        assert_eq!(
            kept(
                LogicalType::Uuid,
                r#"["22222222-2222-2222-2222-222222222222"]"#,
                Arc::new(uuids)
            ),
            [false, true]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |kind, options: &str| {
            let columns = vec![Column::new("TenantId", kind, "it does not matter")];
            let options = icehost_sdk::options::parse(options).unwrap();
            let opened = TenantFilter::open(&Table::new("dbo.Orders", columns), options);
            opened.err().map(|error| error.code)
        };
        for (kind, options, code) in [
            (LogicalType::Integer, r#"{"tenants": []}"#, "no-tenants"),
            (LogicalType::Integer, r#"{"tenants": ["x"]}"#, "wrong-value"),
            (LogicalType::Uuid, r#"{"tenants": ["123"]}"#, "wrong-value"),
            (LogicalType::Double, r#"{"tenants": ["1"]}"#, "wrong-type"),
            (
                LogicalType::Text,
                r#"{"tenants": ["a"], "column": "owner"}"#,
                "no-column",
            ),
        ] {
            assert_eq!(refused(kind, options).as_deref(), Some(code), "{options}");
        }
    }
}
