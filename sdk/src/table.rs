//! Finding columns in a table.

use crate::{Column, ColumnId, Contents, Delta, Error, Features, LogicalType, Table};

impl Column {
    /// A writable column that is not NULL and in no key. The host makes columns; tests need some too.
    pub fn new(name: &str, kind: LogicalType, native_type: &str) -> Self {
        Column {
            name: name.to_owned(),
            kind,
            native_type: native_type.to_owned(),
            nullable: false,
            key_position: None,
            identity: false,
            writable: true,
        }
    }

    /// The same column at a position of the key, from 0.
    pub fn key(mut self, position: u32) -> Self {
        self.key_position = Some(position);
        self
    }

    /// The same column, which may be NULL.
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
}

impl Delta {
    /// A delta without an operation column. The host makes deltas; tests need some too.
    pub fn new(columns: Vec<Column>, contents: Contents) -> Self {
        Delta {
            columns,
            contents,
            operation: None,
            rows: 0,
            run_time: 0,
        }
    }
}

impl Table {
    /// A table without special features. The host makes tables; tests need some too.
    pub fn new(name: &str, columns: Vec<Column>) -> Self {
        Table {
            name: name.to_owned(),
            columns,
            features: Features::empty(),
            row_estimate: None,
        }
    }

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
            let meant = match self.near(name) {
                Some(near) => format!(" (did you mean '{near}'?)"),
                None => String::new(),
            };
            Error::invalid_options(
                "no-column",
                format!(
                    "{} has no column '{name}'{meant}; its columns are {}",
                    self.name,
                    listed(self.columns.iter())
                ),
            )
        })
    }

    /// The only column whose name contains `name`, or is contained in it, but for case: a part of a name was given.
    fn near(&self, name: &str) -> Option<&str> {
        const LEAST: usize = 3;
        let name = name.to_lowercase();
        let is_near = |column: &&Column| {
            let known = column.name.to_lowercase();
            known.len().min(name.len()) >= LEAST && (known.contains(&name) || name.contains(&known))
        };
        let mut near = self.columns.iter().filter(is_near);
        match (near.next(), near.next()) {
            (Some(only), None) => Some(&only.name),
            _ => None,
        }
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

    fn table(columns: Vec<Column>) -> Table {
        Table::new("dbo.Orders", columns)
    }

    fn column(name: &str) -> Column {
        Column::new(name, LogicalType::Integer, "int")
    }

    #[test]
    fn a_name_that_differs_in_case_is_found_only_where_it_is_unambiguous() {
        let plain = table(vec![column("Id"), column("Größe")]);
        assert_eq!(plain.find("id"), Some(0));
        assert_eq!(plain.find("GRÖSSE"), None);
        assert_eq!(plain.find("größe"), Some(1));
        let twins = table(vec![column("id"), column("ID")]);
        assert_eq!(twins.find("ID"), Some(1));
        assert_eq!(twins.find("Id"), None);
    }

    #[test]
    fn a_missing_column_is_refused_with_the_list() {
        let error = table(vec![column("a"), column("b")]).require("c").err();
        assert_eq!(
            error.map(|e| (e.code, e.message)),
            Some((
                "no-column".to_owned(),
                "dbo.Orders has no column 'c'; its columns are 'a', 'b'".to_owned()
            ))
        );
    }

    #[test]
    fn a_part_of_a_name_tells_which_column_may_be_meant() {
        let dates = table(vec![
            column("Id"),
            column("ModifiedDate"),
            column("DueDate"),
        ]);
        let told = |name: &str| dates.require(name).map_err(|error| error.message);
        let near =
            "dbo.Orders has no column 'modified' (did you mean 'ModifiedDate'?); its columns are ";
        assert!(told("modified").is_err_and(|told| told.starts_with(near)));
        for name in ["date", "Identifier", "x"] {
            assert!(told(name).is_err_and(|told| !told.contains("did you mean")));
        }
    }

    #[test]
    fn a_composite_key_comes_in_key_order() {
        let table = table(vec![column("b").key(1), column("x"), column("a").key(0)]);
        assert_eq!(table.key(), [2, 0]);
        assert_eq!(table.names(&table.key()), "'a', 'b'");
    }
}
