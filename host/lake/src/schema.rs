//! The lake's types as the Iceberg library, Arrow and Parquet call them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{Field, Schema as ArrowSchema, SchemaRef as ArrowSchemaRef};
use iceberg::spec::{NestedField, PrimitiveType, Schema, Type};
use icehost_plan::{Column, ColumnType, LakeType};
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::schema::types::{SchemaDescriptor, Type as ParquetType};

use crate::error::{LakeError, LakeErrorKind, Result};

/// A column of a lake table's current schema.
#[derive(Debug, Clone, PartialEq)]
pub struct LakeColumn {
    /// Iceberg field id; a column keeps it when it is renamed.
    pub field_id: i32,
    /// The name.
    pub name: String,
    /// The type.
    pub lake_type: LakeType,
    /// Whether NULL is not allowed.
    pub required: bool,
    /// A comment.
    pub doc: Option<String>,
    /// Position in the identifier fields, from 0.
    pub key_position: Option<u32>,
}

impl LakeColumn {
    /// The column as plans see it.
    pub fn describe(&self) -> Column {
        let kind = ColumnType::Lake(self.lake_type);
        Column {
            key_position: self.key_position,
            ..Column::new(&self.name, kind, !self.required)
        }
    }
}

/// A column of a table to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    /// The name.
    pub name: String,
    /// The type.
    pub lake_type: LakeType,
    /// Whether NULL is not allowed.
    pub required: bool,
    /// A comment.
    pub doc: Option<String>,
}

/// The type as the Iceberg library has it.
pub(crate) fn to_iceberg(lake_type: LakeType) -> PrimitiveType {
    match lake_type {
        LakeType::Boolean => PrimitiveType::Boolean,
        LakeType::Int => PrimitiveType::Int,
        LakeType::Long => PrimitiveType::Long,
        LakeType::Float => PrimitiveType::Float,
        LakeType::Double => PrimitiveType::Double,
        LakeType::Decimal { precision, scale } => PrimitiveType::Decimal {
            precision: u32::from(precision),
            scale: u32::from(scale),
        },
        LakeType::Date => PrimitiveType::Date,
        LakeType::Time => PrimitiveType::Time,
        LakeType::Timestamp => PrimitiveType::Timestamp,
        LakeType::TimestampTz => PrimitiveType::Timestamptz,
        LakeType::String => PrimitiveType::String,
        LakeType::Uuid => PrimitiveType::Uuid,
        LakeType::Fixed(length) => PrimitiveType::Fixed(u64::from(length)),
        LakeType::Binary => PrimitiveType::Binary,
    }
}

/// The reverse; `None` for nested types and those of format v3.
pub(crate) fn from_iceberg(field_type: &Type) -> Option<LakeType> {
    Some(match field_type.as_primitive_type()? {
        PrimitiveType::Boolean => LakeType::Boolean,
        PrimitiveType::Int => LakeType::Int,
        PrimitiveType::Long => LakeType::Long,
        PrimitiveType::Float => LakeType::Float,
        PrimitiveType::Double => LakeType::Double,
        PrimitiveType::Decimal { precision, scale } => LakeType::Decimal {
            precision: u8::try_from(*precision)
                .ok()
                .filter(|p| (1..=38).contains(p))?,
            scale: u8::try_from(*scale).ok().filter(|s| *s <= 38)?,
        },
        PrimitiveType::Date => LakeType::Date,
        PrimitiveType::Time => LakeType::Time,
        PrimitiveType::Timestamp => LakeType::Timestamp,
        PrimitiveType::Timestamptz => LakeType::TimestampTz,
        PrimitiveType::String => LakeType::String,
        PrimitiveType::Uuid => LakeType::Uuid,
        PrimitiveType::Fixed(length) => LakeType::Fixed(
            u32::try_from(*length)
                .ok()
                .filter(|l| i32::try_from(*l).is_ok())?,
        ),
        PrimitiveType::Binary => LakeType::Binary,
        PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs => return None,
    })
}

/// The columns of a schema, or an error that names the first that icehost does not carry.
pub(crate) fn columns(table: &str, schema: &Schema) -> Result<Vec<LakeColumn>> {
    // The spec has no order among identifier fields; the schema's order is one that every reader sees.
    let mut key = 0u32;
    let identifiers: Vec<i32> = schema.identifier_field_ids().collect();
    schema
        .as_struct()
        .fields()
        .iter()
        .map(|field| {
            let lake_type = from_iceberg(&field.field_type).ok_or_else(|| {
                LakeError::unsupported(format!(
                    "column '{}' of lake table {table} is of type {}, which icehost does not carry",
                    field.name, field.field_type
                ))
                .with_hint("icehost carries the primitive types of Iceberg format v2")
            })?;
            if field.initial_default.is_some() {
                return Err(LakeError::unsupported(format!(
                    "column '{}' of lake table {table} has an initial-default, a value for rows that are older than it",
                    field.name
                ))
                .with_hint("icehost would read NULL there; write the rows again with the engine that added the column"));
            }
            let key_position = identifiers.contains(&field.id).then(|| {
                key += 1;
                key - 1
            });
            Ok(LakeColumn {
                field_id: field.id,
                name: field.name.clone(),
                lake_type,
                required: field.required,
                doc: field.doc.clone(),
                key_position,
            })
        })
        .collect()
}

/// The schema of a new table, with field ids from 1 in the order of the columns.
pub(crate) fn new_schema(table: &str, columns: &[NewColumn], identifier: &[u32]) -> Result<Schema> {
    let wrong = |why: String| {
        LakeError::new(
            LakeErrorKind::InvalidData,
            format!("cannot create lake table {table}: {why}"),
        )
    };
    if columns.is_empty() {
        return Err(wrong("it has no columns".to_owned()));
    }
    let mut fields = Vec::with_capacity(columns.len());
    for (i, column) in columns.iter().enumerate() {
        if column.name.is_empty() || columns[..i].iter().any(|c| c.name == column.name) {
            return Err(wrong(format!(
                "a column is called '{}', which is empty or stands twice",
                column.name
            )));
        }
        let id = i32::try_from(i + 1).map_err(|_| wrong("it has too many columns".to_owned()))?;
        let kind = Type::Primitive(to_iceberg(column.lake_type));
        let field = NestedField::new(id, &column.name, kind, column.required);
        let field = match &column.doc {
            Some(doc) => field.with_doc(doc),
            None => field,
        };
        fields.push(Arc::new(field));
    }
    let mut identifier_ids = Vec::with_capacity(identifier.len());
    for &ordinal in identifier {
        let column = columns
            .get(ordinal as usize)
            .ok_or_else(|| wrong(format!("key column {ordinal} is out of range")))?;
        // Iceberg table spec, "Identifier Field IDs": required and not floating-point.
        if !column.required || matches!(column.lake_type, LakeType::Float | LakeType::Double) {
            return Err(wrong(format!(
                "key column '{}' allows NULL or is a floating-point number",
                column.name
            ))
            .with_hint(
                "a key is NOT NULL and neither float nor real: name other columns, with --merge-option keys=A,B for \
                 example, or keep every row with append-only",
            ));
        }
        identifier_ids.push(ordinal as i32 + 1);
    }
    Schema::builder()
        .with_fields(fields)
        .with_identifier_field_ids(identifier_ids)
        .build()
        .map_err(|e| wrong("the schema is not valid".to_owned()).with_source(e))
}

/// The Arrow schema of a table's batches, with Iceberg's field ids in the fields' metadata.
pub(crate) fn arrow_schema(columns: &[LakeColumn]) -> ArrowSchemaRef {
    let fields: Vec<Field> = columns.iter().map(arrow_field).collect();
    Arc::new(ArrowSchema::new(fields))
}

/// The same with every column nullable: batches before their NULLs are checked.
pub(crate) fn nullable_arrow_schema(columns: &[LakeColumn]) -> ArrowSchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| arrow_field(column).with_nullable(true))
        .collect();
    Arc::new(ArrowSchema::new(fields))
}

fn arrow_field(column: &LakeColumn) -> Field {
    let id = column.field_id.to_string();
    Field::new(&column.name, column.lake_type.arrow(), !column.required).with_metadata(
        HashMap::from([(parquet::arrow::PARQUET_FIELD_ID_META_KEY.to_owned(), id)]),
    )
}

/// The Parquet schema of a table's data files (Iceberg table spec, Appendix A, "Parquet").
pub(crate) fn parquet_schema(columns: &[LakeColumn]) -> Result<SchemaDescriptor> {
    let wrong = |e| LakeError::internal("cannot build a Parquet schema").with_source(e);
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        fields.push(Arc::new(parquet_field(column).map_err(wrong)?));
    }
    let root = ParquetType::group_type_builder("table")
        .with_fields(fields)
        .build()
        .map_err(wrong)?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

fn parquet_field(column: &LakeColumn) -> parquet::errors::Result<ParquetType> {
    let micros = TimeUnit::MICROS;
    let timestamp = |utc| LogicalType::Timestamp {
        is_adjusted_to_u_t_c: utc,
        unit: micros,
    };
    let (physical, logical) = match column.lake_type {
        LakeType::Boolean => (PhysicalType::BOOLEAN, None),
        LakeType::Int => (PhysicalType::INT32, None),
        LakeType::Long => (PhysicalType::INT64, None),
        LakeType::Float => (PhysicalType::FLOAT, None),
        LakeType::Double => (PhysicalType::DOUBLE, None),
        LakeType::Decimal { precision, scale } => (
            match precision {
                ..=9 => PhysicalType::INT32,
                10..=18 => PhysicalType::INT64,
                _ => PhysicalType::FIXED_LEN_BYTE_ARRAY,
            },
            Some(LogicalType::Decimal {
                precision: i32::from(precision),
                scale: i32::from(scale),
            }),
        ),
        LakeType::Date => (PhysicalType::INT32, Some(LogicalType::Date)),
        LakeType::Time => (
            PhysicalType::INT64,
            Some(LogicalType::Time {
                is_adjusted_to_u_t_c: false,
                unit: micros,
            }),
        ),
        LakeType::Timestamp => (PhysicalType::INT64, Some(timestamp(false))),
        LakeType::TimestampTz => (PhysicalType::INT64, Some(timestamp(true))),
        LakeType::String => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        LakeType::Uuid => (PhysicalType::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)),
        LakeType::Fixed(_) => (PhysicalType::FIXED_LEN_BYTE_ARRAY, None),
        LakeType::Binary => (PhysicalType::BYTE_ARRAY, None),
    };
    let repetition = match column.required {
        true => Repetition::REQUIRED,
        false => Repetition::OPTIONAL,
    };
    let builder = ParquetType::primitive_type_builder(&column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .with_id(Some(column.field_id));
    let builder = match column.lake_type {
        LakeType::Decimal { precision, scale } => builder
            .with_precision(i32::from(precision))
            .with_scale(i32::from(scale))
            .with_length(decimal_bytes(precision)),
        LakeType::Uuid => builder.with_length(16),
        LakeType::Fixed(length) => builder.with_length(length as i32),
        _ => builder,
    };
    builder.build()
}

/// Smallest number of bytes that hold every decimal of this precision.
fn decimal_bytes(precision: u8) -> i32 {
    let largest = 10u128.saturating_pow(u32::from(precision));
    let bits = 128 - largest.leading_zeros() + 1;
    bits.div_ceil(8) as i32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn decimals_take_the_fewest_bytes() {
        for precision in 1..=38u8 {
            let wanted = Type::decimal_required_bytes(u32::from(precision)).unwrap();
            assert_eq!(
                decimal_bytes(precision) as u32,
                wanted,
                "decimal({precision})"
            );
        }
    }

    #[test]
    fn every_type_survives_the_way_to_iceberg_and_back() {
        let types = [
            LakeType::Boolean,
            LakeType::Int,
            LakeType::Long,
            LakeType::Float,
            LakeType::Double,
            LakeType::Decimal {
                precision: 38,
                scale: 38,
            },
            LakeType::Date,
            LakeType::Time,
            LakeType::Timestamp,
            LakeType::TimestampTz,
            LakeType::String,
            LakeType::Uuid,
            LakeType::Fixed(7),
            LakeType::Binary,
        ];
        for lake_type in types {
            let there = Type::Primitive(to_iceberg(lake_type));
            assert_eq!(from_iceberg(&there), Some(lake_type));
        }
        assert_eq!(
            from_iceberg(&Type::Primitive(PrimitiveType::TimestampNs)),
            None
        );
    }
}
