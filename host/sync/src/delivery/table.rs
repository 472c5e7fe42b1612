//! The target's table: found or created, and which of the lake's columns it takes.

use icehost_lake::LakeTable;
use icehost_plan::{Column, ColumnType, Features, Table};
use icehost_sqlserver::{
    ColumnSelection, Connection, ErrorKind, Removal, SqlColumn, SqlTable, TableName, Traits, lower,
    quote,
};

use crate::delivery::own_key;
use crate::error::Doing;
use crate::rows::source_columns::SourceColumns;
use crate::{SyncError, Target};

/// The target, opened and described.
pub(crate) struct OpenTarget {
    pub(crate) connection: Connection,
    pub(crate) table: SqlTable,
    /// Set where the table is missing and may be created.
    pub(crate) creation: Option<Creation>,
}

/// A table to be created.
pub(crate) struct Creation {
    name: TableName,
    columns: Vec<lower::NewColumn>,
    key: Vec<String>,
}

impl Creation {
    /// The statement, for people.
    pub(crate) fn statement(&self) -> Result<String, SyncError> {
        let statement = lower::create_table(&self.name, &self.columns, &self.key)
            .doing(|| format!("planning target table {}", self.name))?;
        Ok(statement.to_string())
    }
}

impl OpenTarget {
    /// Connects and describes the table. One that is missing is described as it would be created; nothing
    /// is created yet.
    pub(crate) async fn open(target: &Target, lake: &LakeTable) -> Result<OpenTarget, SyncError> {
        let (connection, table) = find(target).await?;
        let (table, creation) = match table {
            Some(table) => (table, None),
            None => {
                let creation = creation(&target.table, lake)?;
                (described(&creation), Some(creation))
            }
        };
        Ok(OpenTarget {
            connection,
            table,
            creation,
        })
    }

    /// A table that is yet to be created takes every row that comes, versions of a row among them: without the key
    /// that would let in one of each.
    pub(crate) fn take_every_row(&mut self) {
        if let Some(creation) = &mut self.creation {
            creation.key.clear();
            self.table = described(creation);
        }
    }

    /// Refuses a target that nobody can write to, before anything is tried.
    pub(crate) async fn check_updatable(&mut self) -> Result<(), SyncError> {
        let name = &self.table.name;
        let updatable = self.connection.check_updatable(name).await;
        updatable.doing(|| format!("opening target table {name}"))
    }

    /// Creates the table, if it is one to be created, and describes it as the server now has it. `false` where
    /// nothing was created: the table was there, or another run was faster.
    pub(crate) async fn create(&mut self) -> Result<bool, SyncError> {
        let Some(creation) = self.creation.take() else {
            return Ok(false);
        };
        let doing = || format!("creating target table {}", creation.name);
        let created = self
            .connection
            .create_table(&creation.name, &creation.columns, &creation.key)
            .await
            .doing(doing)?;
        self.table = self
            .connection
            .introspect(&creation.name, &selection())
            .await
            .doing(doing)?;
        if created {
            tracing::info!(table = %creation.name, "created the target table");
        }
        Ok(created)
    }
}

/// Connects and describes the table; `None` where it is missing and may be created.
pub(crate) async fn find(target: &Target) -> Result<(Connection, Option<SqlTable>), SyncError> {
    let doing = || format!("opening target table {}", target.table);
    let mut connection = Connection::open(&target.endpoint, &target.connect)
        .await
        .doing(doing)?;
    match connection.introspect(&target.table, &selection()).await {
        Ok(table) => {
            table.check_target().doing(doing)?;
            Ok((connection, Some(table)))
        }
        Err(error) if *error.kind() != ErrorKind::NotFound => Err(error).doing(doing),
        Err(_) if target.create => {
            let name = &target.table;
            match connection.has_schema_of(name).await.doing(doing)? {
                true => Ok((connection, None)),
                false => Err(SyncError::schema(
                    format!(
                        "target table {name} cannot be created: its database has no schema {}, or the login may not see it",
                        quote(name.schema().unwrap_or("dbo"))
                    ),
                    "create the schema with CREATE SCHEMA, or name another one",
                )),
            }
        }
        Err(_) => Err(SyncError::schema(
            format!("target table {} does not exist", target.table),
            "create it, or let icehost create it with --create-target",
        )),
    }
}

/// Columns of types that icehost does not carry are no obstacle: the lake does not have them.
fn selection() -> ColumnSelection {
    ColumnSelection {
        skip_unsupported: true,
        ..ColumnSelection::default()
    }
}

/// Takes away a table that this run created and then could not fill, so that nothing half-done is left. Another
/// run may have found and filled it meanwhile: then it stays.
pub(crate) async fn remove_created(target: &Target, table: &SqlTable) {
    let removed = match Connection::open(&target.endpoint, &target.connect).await {
        Ok(mut connection) => connection.drop_unused_table(table).await,
        Err(error) => Err(error),
    };
    match removed {
        Ok(Removal::Dropped) => {}
        Ok(Removal::InUse) => {
            tracing::info!(table = %table.name, "the table that this run created is in use by another run, and stays");
        }
        Ok(Removal::Left) => {
            tracing::warn!(table = %table.name, "the table that this run created is left behind, empty");
        }
        Err(error) => {
            tracing::warn!(table = %table.name, %error, "the table that this run created is left behind, empty");
        }
    }
}

/// A value that the created table cannot hold: which types it had is what the lake remembers of its source. The table is
/// gone by now, and would be created in the same way again.
pub(crate) fn by_hand(error: SyncError) -> SyncError {
    match error {
        SyncError::SqlServer { doing, error } if matches!(error.kind(), ErrorKind::Data(_)) => {
            let error = error.with_hint(
                "the lake table has values that the source's column, as it was described last, does not hold: create the \
                 target table by hand, with a wider type for this column; `icehost load --create-target --dry-run` shows \
                 the statement that would create it",
            );
            SyncError::SqlServer {
                doing,
                error: Box::new(error),
            }
        }
        other => other,
    }
}

/// The lake's columns with the types and collations that they have in the source, where the lake remembers
/// them, and its identifier fields as key.
fn creation(name: &TableName, lake: &LakeTable) -> Result<Creation, SyncError> {
    let doing = || format!("reading lake table {}", lake.name());
    let remembered = SourceColumns::remembered(lake);
    let description = own_key::with_source_key(lake, lake.describe().doing(doing)?);
    let columns = description
        .columns
        .iter()
        .map(|column| {
            let source = remembered
                .get(&column.name)
                .filter(|source| source.sql_type.lake() == column.column_type.lake());
            let in_key = column.key_position.is_some();
            lower::NewColumn {
                name: column.name.clone(),
                sql_type: match source {
                    Some(source) => source.sql_type,
                    None => column.column_type.lake().default_sql(in_key),
                },
                nullable: column.nullable,
                collation: source.and_then(|source| source.collation.clone()),
            }
        })
        .collect();
    let key = description
        .key()
        .into_iter()
        .filter_map(|ordinal| Some(description.columns.get(ordinal as usize)?.name.clone()))
        .collect();
    Ok(Creation {
        name: name.clone(),
        columns,
        key,
    })
}

/// A table that is yet to be created, as introspection will find it.
fn described(creation: &Creation) -> SqlTable {
    let columns: Vec<SqlColumn> = creation
        .columns
        .iter()
        .map(|column| SqlColumn {
            id: 0,
            name: column.name.clone(),
            sql_type: column.sql_type.of_values(),
            nullable: column.nullable && !creation.key.contains(&column.name),
            identity: false,
            computed: false,
            collation: column.collation.clone(),
            default: None,
            masked: false,
        })
        .collect();
    let key_position = |name: &String| {
        let position = creation.key.iter().position(|key| key == name);
        position.and_then(|position| u32::try_from(position).ok())
    };
    let table = Table {
        name: creation.name.to_string(),
        columns: columns
            .iter()
            .map(|column| Column {
                key_position: key_position(&column.name),
                ..Column::new(
                    column.name.clone(),
                    ColumnType::Sql(column.sql_type),
                    column.nullable,
                )
            })
            .collect(),
        features: Features::default(),
        row_estimate: Some(0),
    };
    SqlTable {
        name: creation.name.clone(),
        object_id: 0,
        created: None,
        database: String::new(),
        is_view: false,
        has_triggers: false,
        snapshot_isolation: false,
        table,
        columns,
        unique_keys: match creation.key.is_empty() {
            true => Vec::new(),
            false => vec![creation.key.clone()],
        },
        clustered_key: Vec::new(),
        traits: Traits::default(),
        skipped: Vec::new(),
    }
}

/// A column of the lake that the target takes.
pub(crate) struct Taken {
    /// Its ordinal in the lake.
    pub(crate) ordinal: u32,
    /// The column, under the target's spelling of its name.
    pub(crate) column: Column,
}

/// Which of the lake's columns the target takes.
pub(crate) struct Takes {
    /// In the lake's order.
    pub(crate) columns: Vec<Taken>,
    /// The target's columns whose values the lake has, and which only the server writes.
    left_out: Vec<String>,
}

impl Takes {
    /// Said where every row is delivered: the values of these columns may differ from the lake's.
    pub(crate) fn left_out_warning(&self, target: &SqlTable) -> Option<String> {
        (!self.left_out.is_empty()).then(|| {
            format!(
                "target table {} makes the values of {} itself; those of the lake table are left out",
                target.name,
                self.left_out.join(", ")
            )
        })
    }
}

/// The target's column of that name, where it is one that icehost does not write: its name and type.
fn skipped<'a>(target: &'a SqlTable, name: &str) -> Option<(&'a str, &'a str)> {
    let mut skipped = target.skipped.iter();
    let found = skipped.find(|(skipped, _)| skipped.to_lowercase() == name.to_lowercase());
    found.map(|(name, kind)| (name.as_str(), kind.as_str()))
}

/// The lake's columns that the target takes, in the lake's order. Columns that only the server writes
/// (computed ones, rowversion) and those that the user excludes are left out.
///
/// # Errors
/// A column that the target lacks would be lost quietly, and is refused.
pub(crate) fn taken(
    lake: &Table,
    target: &SqlTable,
    exclude: &[String],
) -> Result<Takes, SyncError> {
    let mut takes = Takes {
        columns: Vec::new(),
        left_out: Vec::new(),
    };
    for (ordinal, column) in (0u32..).zip(&lake.columns) {
        if exclude
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&column.name))
        {
            continue;
        }
        let there = target
            .ordinal(&column.name)
            .and_then(|position| target.table.columns.get(position));
        let Some(there) = there else {
            if let Some((name, kind)) = skipped(target, &column.name) {
                return Err(SyncError::schema(
                    format!(
                        "target table {}, column '{name}': icehost does not write the type {kind}",
                        target.name
                    ),
                    format!("leave the column out with --exclude-columns '{name}'"),
                ));
            }
            return Err(SyncError::schema(
                format!(
                    "lake table {} has column '{}', which target table {} lacks",
                    lake.name, column.name, target.name
                ),
                "add the column to the target, or leave it out with --exclude-columns",
            ));
        };
        if there.read_only {
            takes.left_out.push(there.name.clone());
            continue;
        }
        takes.columns.push(Taken {
            ordinal,
            column: Column {
                name: there.name.clone(),
                ..column.clone()
            },
        });
    }
    Ok(takes)
}
