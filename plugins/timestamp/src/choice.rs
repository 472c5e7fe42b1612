//! Which column holds the modification time.

use icehost_sdk::prelude::*;
use icehost_sdk::{Features, info, warn};

/// Parts of names that say that a column changes whenever its row does, in lower case without separators.
const SAYS_MODIFIED: &[&str] = &[
    "modif",
    "updat",
    "lastmod",
    "lastchang",
    "lastedit",
    "lastwrit",
];
/// The same, but only at the start of a word: an exchange day is something else.
const STARTS_MODIFIED: &[&str] = &["chang", "edited", "mtime"];
/// Names of the columns in which SQL Server itself keeps when a temporal row began.
const BEGINS: &[&str] = &["validfrom", "sysstarttime", "systemstarttime"];

/// The column that the user named, or the one obvious candidate.
pub(crate) fn column(table: &Table, named: Option<&str>) -> Result<ColumnId, Error> {
    let moments = table.columns_where(is_moment);
    if let Some(name) = named {
        let column = table.require(name)?;
        if moments.contains(&column) {
            return Ok(column);
        }
        return Err(Error::invalid_options(
            "wrong-type",
            format!(
                "'{name}' does not hold a date or time of day and date; columns that do: {}",
                table.names(&moments)
            ),
        )
        .about(column));
    }
    let modified: Vec<ColumnId> = moments
        .iter()
        .copied()
        .filter(|&column| says_modified(table, column))
        .collect();
    match (modified.as_slice(), moments.as_slice()) {
        ([only], _) | ([], [only]) => Ok(*only),
        ([], []) => Err(Error::unsupported_table(
            "no-column",
            format!(
                "{} has no column of type date, datetime, smalldatetime, datetime2 or datetimeoffset",
                table.name
            ),
        )),
        ([], several) | (several, _) => Err(Error::invalid_options(
            "ambiguous-column",
            format!(
                "it is not obvious which column of {} holds the modification time; set column to one of {}",
                table.name,
                table.names(several)
            ),
        )),
    }
}

/// Says which column was chosen, and whether that is a guess.
pub(crate) fn announce(table: &Table, column: ColumnId) {
    let name = table.names(&[column]);
    if says_modified(table, column) {
        info!(
            "the modification time of {} is read from {name}",
            table.name
        );
    } else {
        warn!(
            "the modification time of {} is read from {name}, its only date: if the column does not \
             change whenever a row does, updates are missed",
            table.name
        );
    }
}

fn is_moment(column: &Column) -> bool {
    matches!(
        column.kind,
        LogicalType::Date | LogicalType::Timestamp | LogicalType::TimestampTz
    )
}

fn says_modified(table: &Table, column: ColumnId) -> bool {
    let Some(column) = table.get(column) else {
        return false;
    };
    let words = words(&column.name);
    let name = words.concat();
    let starts = |word: &String| STARTS_MODIFIED.iter().any(|part| word.starts_with(part));
    let temporal = table.features.contains(Features::SYSTEM_VERSIONED);
    SAYS_MODIFIED.iter().any(|part| name.contains(part))
        || words.iter().any(starts)
        || (temporal && BEGINS.contains(&name.as_str()))
}

/// The words of a name such as `LastChange`, `last_change` or `last-change`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        let starts_word = c.is_uppercase() && after_lower;
        if starts_word || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase();
    }
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table(names: &[&str]) -> Table {
        let mut columns = vec![Column::new("Id", LogicalType::Integer, "int")];
        columns.extend(
            names
                .iter()
                .map(|name| Column::new(name, LogicalType::Timestamp, "datetime")),
        );
        Table::new("dbo.Orders", columns)
    }

    #[test]
    fn the_name_that_says_modified_wins() {
        for name in [
            "ModifiedDate",
            "updated_at",
            "LastUpdate",
            "LAST_MODIFIED",
            "DateChanged",
            "ChangeDate",
            "CHANGED_ON",
            "SysModified",
            "last-edit",
        ] {
            assert_eq!(
                column(&table(&["OrderDate", name, "DueDate"]), None),
                Ok(2),
                "{name}"
            );
        }
    }

    #[test]
    fn the_only_date_is_taken_where_no_name_says_more() {
        assert_eq!(column(&table(&["OrderDate"]), None), Ok(1));
    }

    #[test]
    fn several_candidates_are_listed() {
        let error = column(&table(&["ModifiedDate", "updated_at", "DueDate"]), None).unwrap_err();
        assert_eq!(error.code, "ambiguous-column");
        assert!(
            error
                .message
                .ends_with("set column to one of 'ModifiedDate', 'updated_at'")
        );
        let error = column(&table(&["OrderDate", "ExchangeDay"]), None).unwrap_err();
        assert!(
            error.message.ends_with("one of 'OrderDate', 'ExchangeDay'"),
            "{error:?}"
        );
    }

    #[test]
    fn a_table_without_dates_is_not_supported() {
        let error = column(&table(&[]), None).unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_str()),
            (Failure::UnsupportedTable, "no-column")
        );
    }

    #[test]
    fn a_named_column_is_taken_if_it_holds_moments() {
        assert_eq!(column(&table(&["A", "B"]), Some("b")), Ok(2));
        let error = column(&table(&["A", "B"]), Some("Id")).unwrap_err();
        assert_eq!((error.code.as_str(), error.column), ("wrong-type", Some(0)));
        assert!(error.message.ends_with("columns that do: 'A', 'B'"));
        assert_eq!(
            column(&table(&["A"]), Some("C")).unwrap_err().code,
            "no-column"
        );
    }

    #[test]
    fn the_start_of_a_temporal_row_counts_only_in_temporal_tables() {
        let mut temporal = table(&["ValidFrom", "ValidTo"]);
        assert_eq!(
            column(&temporal, None).unwrap_err().code,
            "ambiguous-column"
        );
        temporal.features = Features::SYSTEM_VERSIONED;
        assert_eq!(column(&temporal, None), Ok(1));
    }
}
