//! Finding columns in a table.

use crate::{Column, ColumnId, Delta, Error, Table};

impl Table {
    /// The column at an ordinal.
    pub fn get(&self, column: ColumnId) -> Option<&Column> {
        self.columns.get(column as usize)
    }

    /// Ordinals of all columns.
    pub fn all(&self) -> Vec<ColumnId> {
        (0..self.columns.len() as ColumnId).collect()
    }

    /// The column with this name; failing that, the only one whose name differs just in case.
    pub fn find(&self, name: &str) -> Option<ColumnId> {
        find(&self.columns, name)
    }

    /// Like [`Table::find`], with an error `no-column` that lists what there is.
    pub fn require(&self, name: &str) -> Result<ColumnId, Error> {
        self.find(name).ok_or_else(|| {
            Error::invalid_options(
                "no-column",
                format!(
                    "{} has no column '{name}'; its columns are {}",
                    self.name,
                    listed(self.columns.iter())
                ),
            )
        })
    }

    /// Ordinals of the columns for which `wanted` holds, in the table's order.
    pub fn columns_where(&self, wanted: impl Fn(&Column) -> bool) -> Vec<ColumnId> {
        (0..)
            .zip(&self.columns)
            .filter_map(|(id, column)| wanted(column).then_some(id))
            .collect()
    }

    /// Ordinals of the key columns, in key order; empty where the table has no key.
    pub fn key(&self) -> Vec<ColumnId> {
        key(&self.columns)
    }

    /// The names of these columns, for a message: `'a', 'b'`, or `none`.
    pub fn names(&self, columns: &[ColumnId]) -> String {
        listed(columns.iter().filter_map(|&id| self.get(id)))
    }
}

impl Delta {
    /// The column with this name; failing that, the only one whose name differs just in case.
    pub fn find(&self, name: &str) -> Option<ColumnId> {
        find(&self.columns, name)
    }

    /// Ordinals of the key columns, in key order; empty where the delta has no key.
    pub fn key(&self) -> Vec<ColumnId> {
        key(&self.columns)
    }

    /// The names of all columns, for a message.
    pub fn names(&self) -> String {
        listed(self.columns.iter())
    }
}

fn find(columns: &[Column], name: &str) -> Option<ColumnId> {
    let position = columns.iter().position(|column| column.name == name);
    let position = position.or_else(|| {
        let folded = name.to_lowercase();
        let mut alike = (0..columns.len()).filter(|&i| columns[i].name.to_lowercase() == folded);
        match (alike.next(), alike.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    })?;
    ColumnId::try_from(position).ok()
}

fn key(columns: &[Column]) -> Vec<ColumnId> {
    let mut key: Vec<(u32, ColumnId)> = (0..)
        .zip(columns)
        .filter_map(|(id, column)| Some((column.key_position?, id)))
        .collect();
    key.sort_unstable();
    key.into_iter().map(|(_, id)| id).collect()
}

fn listed<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    let names: Vec<String> = columns.map(|column| format!("'{}'", column.name)).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, LogicalType};

    fn column(name: &str, key_position: Option<u32>) -> Column {
        Column {
            name: name.to_owned(),
            kind: LogicalType::Integer,
            native_type: "int".to_owned(),
            nullable: false,
            key_position,
            identity: false,
            writable: true,
        }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table {
            name: "dbo.Orders".to_owned(),
            columns,
            features: Features::empty(),
            row_estimate: None,
        }
    }

    #[test]
    fn a_name_that_differs_in_case_is_found_only_where_it_is_unambiguous() {
        let plain = table(vec![column("Id", None), column("Größe", None)]);
        assert_eq!(plain.find("id"), Some(0));
        assert_eq!(plain.find("GRÖSSE"), None);
        assert_eq!(plain.find("größe"), Some(1));
        let twins = table(vec![column("id", None), column("ID", None)]);
        assert_eq!(twins.find("ID"), Some(1));
        assert_eq!(twins.find("Id"), None);
    }

    #[test]
    fn a_missing_column_is_refused_with_the_list() {
        let error = table(vec![column("a", None), column("b", None)])
            .require("c")
            .err();
        assert_eq!(
            error.map(|e| (e.code, e.message)),
            Some((
                "no-column".to_owned(),
                "dbo.Orders has no column 'c'; its columns are 'a', 'b'".to_owned()
            ))
        );
    }

    #[test]
    fn a_composite_key_comes_in_key_order() {
        let table = table(vec![
            column("b", Some(1)),
            column("x", None),
            column("a", Some(0)),
        ]);
        assert_eq!(table.key(), [2, 0]);
        assert_eq!(table.names(&table.key()), "'a', 'b'");
    }
}
