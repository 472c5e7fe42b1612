//! The queries on the catalog views (T-SQL reference, "Object catalog views").
//!
//! Types are found by name through `sys.types`: the numbers differ between servers that speak TDS.

use icehost_plan::{SqlType, Value};

use super::SqlColumn;
use crate::driver::{Cell, Client, Row};
use crate::error::{Result, SqlServerError};
use crate::name::{TableName, quote};
use crate::statement::Parameters;

/// `index_id` of a clustered index (T-SQL reference, "sys.indexes").
const CLUSTERED: i64 = 1;
/// `snapshot_isolation_state` of a database in which SNAPSHOT transactions can read; 2 and 3 are the states on the
/// way to 0 and 1, in which they cannot (T-SQL reference, "sys.databases").
pub(crate) const SNAPSHOTS_ON: i64 = 1;

/// What the catalog says of one table.
pub(super) struct Description {
    pub(super) object_id: i32,
    pub(super) created: Option<String>,
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) is_view: bool,
    pub(super) has_triggers: bool,
    pub(super) database: String,
    pub(super) snapshot_isolation: bool,
    pub(super) row_estimate: Option<u64>,
    pub(super) columns: Vec<CatalogColumn>,
    pub(super) keys: Vec<CatalogKey>,
}

pub(super) struct CatalogColumn {
    pub(super) column_id: i32,
    pub(super) name: String,
    /// As declared: an alias type's own name.
    pub(super) type_name: String,
    base_type: String,
    max_length: i16,
    precision: u8,
    scale: u8,
    collation: Option<String>,
    nullable: bool,
    identity: bool,
    computed: bool,
    default: Option<String>,
    /// Logins without a permission are shown something else.
    masked: bool,
    /// Only its clients can read it.
    pub(super) encrypted: bool,
}

pub(super) struct CatalogKey {
    pub(super) primary: bool,
    pub(super) unique: bool,
    /// The rows lie in its order.
    pub(super) clustered: bool,
    pub(super) column_ids: Vec<i32>,
}

impl CatalogColumn {
    pub(super) fn sql_type(&self) -> Option<SqlType> {
        SqlType::from_catalog(&self.base_type, self.max_length, self.precision, self.scale)
    }

    pub(super) fn into_column(self, sql_type: SqlType) -> SqlColumn {
        SqlColumn {
            id: self.column_id,
            name: self.name,
            sql_type,
            nullable: self.nullable,
            identity: self.identity,
            computed: self.computed,
            collation: self.collation,
            default: self.default,
            masked: self.masked,
        }
    }
}

/// Reads everything about the table in one round trip; `None` where there is none that the login can see.
pub(super) async fn describe(client: &mut Client, name: &TableName) -> Result<Option<Description>> {
    let prefix = name
        .database()
        .map(|database| format!("{}.", quote(database)))
        .unwrap_or_default();
    let mut parameters = Parameters::default();
    let nvarchar = SqlType::NVarChar(icehost_plan::Length::Limited(4000));
    let object = parameters.add(nvarchar, Value::Text(name.sql()));
    let database = match name.database() {
        Some(database) => parameters.add(nvarchar, Value::Text(database.to_owned())),
        None => "DB_NAME()".to_owned(),
    };
    let sql = format!(
        "DECLARE @id int;
SET @id = OBJECT_ID({object});
SELECT o.object_id, s.name, o.name, CASE WHEN o.type = 'V' THEN 1 ELSE 0 END, CONVERT(nvarchar(40), o.create_date, 121)
FROM {prefix}sys.objects AS o
JOIN {prefix}sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.object_id = @id AND o.type IN ('U', 'V');
SELECT c.column_id, c.name, t.name,
       CASE WHEN t.is_user_defined = 1 THEN b.name ELSE t.name END,
       c.max_length, c.[precision], c.[scale], c.collation_name, c.is_nullable, c.is_identity, c.is_computed,
       c.generated_always_type, CASE WHEN c.default_object_id <> 0 THEN COALESCE(d.definition, '') END, c.is_masked, c.encryption_type
FROM {prefix}sys.columns AS c
JOIN {prefix}sys.types AS t ON t.user_type_id = c.user_type_id
LEFT JOIN {prefix}sys.types AS b ON b.user_type_id = c.system_type_id
LEFT JOIN {prefix}sys.default_constraints AS d ON d.object_id = c.default_object_id
WHERE c.object_id = @id
ORDER BY c.column_id;
SELECT i.index_id, i.is_primary_key, i.is_unique, k.column_id
FROM {prefix}sys.indexes AS i
JOIN {prefix}sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
WHERE i.object_id = @id AND (i.is_unique = 1 OR i.index_id = 1) AND i.is_disabled = 0 AND i.has_filter = 0 AND k.key_ordinal > 0
ORDER BY i.index_id, k.key_ordinal;
SELECT SUM(p.[rows]) FROM {prefix}sys.partitions AS p WHERE p.object_id = @id AND p.index_id IN (0, 1);
SELECT COUNT(*) FROM {prefix}sys.triggers AS g WHERE g.parent_id = @id AND g.is_disabled = 0;
SELECT d.name, d.snapshot_isolation_state FROM sys.databases AS d WHERE d.name = {database};"
    );
    let statement = parameters.finish(sql);
    let answer = client
        .run(&statement)
        .await
        .map_err(|error| error.context(format!("describing {name}")))?;
    let mut results = answer.results.into_iter();
    let mut next = || {
        results
            .next()
            .ok_or_else(|| SqlServerError::protocol("a catalog query had no result"))
    };
    let (objects, columns, keys, rows, triggers, databases) =
        (next()?, next()?, next()?, next()?, next()?, next()?);
    let Some(object) = objects.into_iter().next() else {
        return Ok(None);
    };
    let mut object = Fields::of(object);
    let (object_id, schema, table, is_view, created) = (
        object.integer()? as i32,
        object.text()?,
        object.text()?,
        object.flag()?,
        object.optional_text()?,
    );
    let row_estimate = first(rows)?.optional_integer()?;
    let mut database = first(databases)?;
    Ok(Some(Description {
        object_id,
        created,
        schema,
        table,
        is_view,
        has_triggers: first(triggers)?.integer()? > 0,
        database: database.text()?,
        snapshot_isolation: database.optional_integer()? == Some(SNAPSHOTS_ON),
        row_estimate: row_estimate.and_then(|rows| u64::try_from(rows).ok()),
        columns: columns.into_iter().map(column).collect::<Result<_>>()?,
        keys: index_keys(keys)?,
    }))
}

fn column(row: Row) -> Result<CatalogColumn> {
    let mut fields = Fields::of(row);
    let (column_id, name, type_name) = (fields.integer()? as i32, fields.text()?, fields.text()?);
    Ok(CatalogColumn {
        column_id,
        name,
        // A CLR type has none, and may be called anything.
        base_type: fields.optional_text()?.unwrap_or_default(),
        type_name,
        max_length: fields.integer()? as i16,
        precision: fields.integer()? as u8,
        scale: fields.integer()? as u8,
        collation: fields.optional_text()?,
        nullable: fields.flag()?,
        identity: fields.flag()?,
        // A column GENERATED ALWAYS belongs to a temporal or ledger table.
        computed: fields.flag()? | fields.flag()?,
        default: fields.optional_text()?,
        masked: fields.flag()?,
        encrypted: fields.flag()?,
    })
}

fn index_keys(rows: Vec<Row>) -> Result<Vec<CatalogKey>> {
    let mut keys: Vec<(i64, CatalogKey)> = Vec::new();
    for row in rows {
        let mut fields = Fields::of(row);
        let (index, primary, unique, column) = (
            fields.integer()?,
            fields.flag()?,
            fields.flag()?,
            fields.integer()? as i32,
        );
        match keys.last_mut() {
            Some((last, key)) if *last == index => key.column_ids.push(column),
            _ => keys.push((
                index,
                CatalogKey {
                    primary,
                    unique,
                    clustered: index == CLUSTERED,
                    column_ids: vec![column],
                },
            )),
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn first(rows: Vec<Row>) -> Result<Fields> {
    match rows.into_iter().next() {
        Some(row) => Ok(Fields::of(row)),
        None => Err(SqlServerError::protocol("a catalog query had no row")),
    }
}

/// The fields of a row, read from left to right whatever integer type the server chose for each.
pub(crate) struct Fields(std::vec::IntoIter<Cell<'static>>);

impl Fields {
    pub(crate) fn of(row: Row) -> Fields {
        Fields(row.into_iter())
    }

    fn next(&mut self) -> Result<Cell<'static>> {
        self.0
            .next()
            .ok_or_else(|| SqlServerError::protocol("a catalog query had too few columns"))
    }

    pub(crate) fn optional_integer(&mut self) -> Result<Option<i64>> {
        Ok(Some(match self.next()? {
            Cell::Null => return Ok(None),
            Cell::Bit(v) => v.into(),
            Cell::TinyInt(v) => v.into(),
            Cell::SmallInt(v) => v.into(),
            Cell::Int(v) => v.into(),
            Cell::BigInt(v) => v,
            Cell::Decimal { unscaled, scale: 0 } => i64::try_from(unscaled).map_err(|_| {
                SqlServerError::protocol(format!("{unscaled} came where a count was expected"))
            })?,
            other => {
                return Err(SqlServerError::protocol(format!(
                    "{other:?} came where an integer was expected"
                )));
            }
        }))
    }

    pub(crate) fn integer(&mut self) -> Result<i64> {
        self.optional_integer()?
            .ok_or_else(|| SqlServerError::protocol("NULL came where an integer was expected"))
    }

    /// NULL is false.
    pub(crate) fn flag(&mut self) -> Result<bool> {
        Ok(self.optional_integer()?.unwrap_or(0) != 0)
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>> {
        match self.next()? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text.into_owned())),
            other => Err(SqlServerError::protocol(format!(
                "{other:?} came where text was expected"
            ))),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        self.optional_text()?
            .ok_or_else(|| SqlServerError::protocol("NULL came where text was expected"))
    }
}
