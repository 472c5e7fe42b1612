//! The table that everything is asked about.

use arbitrary::Unstructured;
use icehost_plan::{
    Collation, Column, ColumnGrant, ColumnType, Features, LogicalType, SqlType, Table,
};
use icehost_sqlserver::{SqlColumn, SqlTable, TableName, Traits};

const TYPES: &str = "int nvarchar(50) bit bigint real float decimal(18,4) money date time(7) datetime datetime2(7) \
                     datetimeoffset(7) uniqueidentifier binary(8) varbinary(max) varchar(10)";

/// A column of every kind; the first is the key.
pub(crate) fn every_type() -> Vec<Column> {
    TYPES
        .split_whitespace()
        .enumerate()
        .filter_map(|(i, text)| {
            let sql_type: SqlType = text.parse().ok()?;
            let mut column = Column::new(format!("c{i}"), ColumnType::Sql(sql_type), i % 2 == 1);
            column.key_position = (i == 0).then_some(0);
            column.collation = (sql_type.logical() == LogicalType::Text)
                .then(|| Collation::from_name("Latin1_General_CI_AS"));
            Some(column)
        })
        .collect()
}

/// What a strategy may see of the table: mostly all of it.
pub(crate) fn grant(from: &mut Unstructured<'_>) -> ColumnGrant {
    let hidden: u32 = from.arbitrary().unwrap_or_default();
    if hidden % 3 != 2 {
        return ColumnGrant::All;
    }
    let columns = (0..).zip(every_type());
    let seen = columns.filter(|(i, _)| hidden >> (i + 2) & 1 == 0);
    ColumnGrant::Only(seen.map(|(_, column)| column.name).collect())
}

pub(crate) fn table() -> Table {
    Table {
        name: "dbo.T".to_owned(),
        columns: every_type(),
        features: Features::default(),
        row_estimate: None,
    }
}

pub(crate) fn sql_table() -> SqlTable {
    let table = table();
    let columns = every_type()
        .into_iter()
        .filter_map(|column| match column.column_type {
            ColumnType::Sql(sql_type) => Some(SqlColumn {
                id: 0,
                name: column.name,
                sql_type,
                nullable: column.nullable,
                identity: false,
                computed: false,
                collation: column.collation.map(|c| c.name().to_owned()),
                default: None,
                masked: false,
            }),
            ColumnType::Lake(_) => None,
        })
        .collect();
    SqlTable {
        database: "d".to_owned(),
        name: TableName::new("dbo", "T"),
        object_id: 1,
        created: None,
        is_view: false,
        has_triggers: false,
        snapshot_isolation: false,
        columns,
        table,
        unique_keys: Vec::new(),
        clustered_key: Vec::new(),
        traits: Traits::default(),
        skipped: Vec::new(),
    }
}
