//! Tables and columns that cannot be carried as they are, by name.

use super::{ColumnSelection, SqlTable, same};
use crate::error::{Result, SqlServerError};

/// Refuses columns that the login is not shown, unless the user takes what it is shown; those of the key always.
pub(super) fn of_masks(table: &SqlTable, selection: &ColumnSelection) -> Result<()> {
    for (column, described) in table.columns.iter().zip(&table.table.columns) {
        if !column.masked {
            continue;
        }
        let allowed = selection.masked.iter().any(|name| same(name, &column.name));
        if described.key_position.is_some() {
            return Err(
                masked(table, &column.name, "and rows are found again by it").with_hint(GRANT),
            );
        }
        if !allowed {
            return Err(masked(table, &column.name, "and would be carried as masked")
                .with_hint(format!(
                    "{GRANT}; or leave the column out with --exclude-columns '{name}', or carry what the login is shown with --allow-masked '{name}'",
                    name = column.name
                )));
        }
    }
    Ok(())
}

const GRANT: &str = "GRANT UNMASK TO the login's user";

fn masked(table: &SqlTable, column: &str, why: &str) -> SqlServerError {
    SqlServerError::unsupported(format!(
        "table {}, column '{column}': the login is not shown its values but a mask, {why}",
        table.name
    ))
}

impl SqlTable {
    /// Columns of which the login is shown something else than their values.
    pub fn masked(&self) -> impl Iterator<Item = &str> {
        let masked = self.columns.iter().filter(|column| column.masked);
        masked.map(|column| column.name.as_str())
    }

    /// Refuses a source that cannot be read as a table.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for nodes and edges of a graph, whose own
    /// columns only graph queries can read.
    pub fn check_source(&self) -> Result<()> {
        match self.traits.graph {
            true => Err(SqlServerError::unsupported(format!(
                "{} holds nodes or edges of a graph, whose identity is not read as columns",
                self.name
            ))
            .with_hint("sync a view that selects the columns that you want, with NODE_ID_FROM_PARTS and its like")),
            false => Ok(()),
        }
    }

    /// Refuses a target that a merge cannot write.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for tables that only the server writes or
    /// that no MERGE can write (T-SQL reference, "MERGE"), and for a key that the login is not shown.
    pub fn check_target(&self) -> Result<()> {
        let traits = &self.traits;
        let (what, hint) = if self.is_view {
            (
                "is a view, and only tables are loaded",
                "load into the table that the view is over",
            )
        } else if traits.memory_optimized {
            (
                "is memory-optimised, and MERGE does not write such tables",
                "load into a disk-based table, and copy from there",
            )
        } else if traits.history {
            (
                "is a history table, which only the server writes",
                "load into the table whose history it is",
            )
        } else if traits.file_table {
            ("is a FileTable, whose rows are files", "load into a table")
        } else if traits.external {
            (
                "is an external table, whose rows are elsewhere",
                "load into the table itself",
            )
        } else if traits.graph {
            (
                "holds nodes or edges of a graph, whose identity a merge cannot give",
                "load into a table, and make nodes and edges from there",
            )
        } else {
            return self.check_target_key();
        };
        Err(
            SqlServerError::unsupported(format!("target table {} {what}", self.name))
                .with_hint(hint),
        )
    }

    fn check_target_key(&self) -> Result<()> {
        let mut columns = self.columns.iter().zip(&self.table.columns);
        match columns.find(|(column, described)| column.masked && described.key_position.is_some())
        {
            Some((column, _)) => {
                Err(masked(self, &column.name, "and rows are found again by it").with_hint(GRANT))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use icehost_plan::{Column, ColumnType, Features, SqlType, Table};

    use super::*;
    use crate::introspect::{SqlColumn, Traits};
    use crate::name::TableName;

    fn table(traits: Traits, masked: &[usize]) -> SqlTable {
        let column = |(at, name): (usize, &str)| SqlColumn {
            id: 0,
            name: name.to_owned(),
            sql_type: SqlType::Int,
            nullable: false,
            identity: false,
            computed: false,
            collation: None,
            default: None,
            masked: masked.contains(&at),
        };
        let columns: Vec<SqlColumn> = ["Id", "Name"].into_iter().enumerate().map(column).collect();
        let described = (0u32..).zip(&columns).map(|(at, column)| Column {
            key_position: (at == 0).then_some(0),
            ..Column::new(column.name.clone(), ColumnType::Sql(column.sql_type), false)
        });
        SqlTable {
            table: Table {
                name: "dbo.T".to_owned(),
                columns: described.collect(),
                features: Features::default(),
                row_estimate: None,
            },
            name: TableName::new("dbo", "T"),
            object_id: 1,
            created: None,
            database: "Shop".to_owned(),
            is_view: false,
            has_triggers: false,
            snapshot_isolation: false,
            columns,
            unique_keys: Vec::new(),
            clustered_key: Vec::new(),
            traits,
            skipped: Vec::new(),
        }
    }

    #[test]
    fn what_a_merge_cannot_write_is_refused_by_what_it_is() {
        let none = Traits::default();
        for (traits, says) in [
            (
                Traits {
                    memory_optimized: true,
                    ..none.clone()
                },
                "memory-optimised",
            ),
            (
                Traits {
                    history: true,
                    ..none.clone()
                },
                "history table",
            ),
            (
                Traits {
                    file_table: true,
                    ..none.clone()
                },
                "FileTable",
            ),
            (
                Traits {
                    external: true,
                    ..none.clone()
                },
                "external table",
            ),
            (
                Traits {
                    graph: true,
                    ..none.clone()
                },
                "graph",
            ),
        ] {
            let error = table(traits.clone(), &[]).check_target().unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.hint().is_some());
            // All but graphs can be read.
            assert_eq!(
                table(traits.clone(), &[]).check_source().is_ok(),
                !traits.graph
            );
        }
        let view = SqlTable {
            is_view: true,
            ..table(none.clone(), &[])
        };
        let error = view.check_target().unwrap_err();
        assert!(error.to_string().contains("is a view"), "{error}");
        assert!(view.check_source().is_ok());
        assert!(table(none, &[]).check_target().is_ok());
    }

    #[test]
    fn a_mask_is_taken_where_the_user_says_so_and_never_on_a_key() {
        let selection = |masked: &[&str]| ColumnSelection {
            masked: masked.iter().map(|name| (*name).to_owned()).collect(),
            ..ColumnSelection::default()
        };
        let of = |columns: &[usize], allowed: &[&str]| {
            let refused = of_masks(&table(Traits::default(), columns), &selection(allowed));
            refused.map_err(|error| error.to_string())
        };
        assert_eq!(of(&[], &[]), Ok(()));
        assert!(of(&[1], &[]).unwrap_err().contains("column 'Name'"));
        assert_eq!(of(&[1], &["name"]), Ok(()));
        assert!(of(&[0], &["Id"]).unwrap_err().contains("found again by it"));
        assert!(table(Traits::default(), &[0]).check_target().is_err());
        assert!(table(Traits::default(), &[1]).check_target().is_ok());
    }
}
