//! What a lake table remembers of its source's columns: what the lake's own types do not say.
//!
//! It is kept as a property of the table, which follows the source with each commit that has a watermark. By it a target
//! is created with the source's types, keys are compared by the source's collation, and a run finds out that a column is
//! another one than was read up to its watermark: dropped and added again, or of another type. No cursor moves with
//! that, and rows below the mark would keep the values of before.

use std::collections::BTreeMap;
use std::fmt;

use icehost_lake::{LakeTable, TableUpdate};
use icehost_plan::{
    CodePage, Collation, Column, ColumnType, Coverage, LakeType, Length, SqlType, Table,
};
use icehost_sqlserver::SqlTable;
use serde::{Deserialize, Serialize};

use crate::{ColumnRule, ColumnRules, SyncError};

/// Table property that holds, as JSON, what the lake's own types do not say of the source's columns.
pub const PROPERTY_SOURCE_COLUMNS: &str = "icehost.source-columns";

/// What a hash takes: bytes, or hexadecimal digits.
pub(crate) const HASH_BYTES: u16 = 32;
pub(crate) const HASH_DIGITS: u16 = 64;

/// Bytes of what is said of columns in a message.
const MOST_TOLD: usize = 500;

/// A source column, remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceColumn {
    /// Of the values as they are in the lake.
    #[serde(rename = "type")]
    pub(crate) sql_type: SqlType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collation: Option<String>,
    /// `sys.columns.column_id`; `None` for a view and for what a transformer has added, and where an earlier version
    /// wrote the property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<i32>,
    /// The source's own type, where a rule makes something else of the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    under: Option<SqlType>,
    /// A rule puts one value in the place of all of them: nothing of the source's column is carried.
    #[serde(default, skip_serializing_if = "is_false")]
    replaced: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Source columns by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SourceColumns(BTreeMap<String, SourceColumn>);

impl SourceColumn {
    /// What the column holds, for whoever reads the lake's schema.
    pub(crate) fn held(&self) -> String {
        match self.under {
            Some(own) => format!("{}, the hash of {own}", self.sql_type),
            None => self.sql_type.to_string(),
        }
    }
}

impl SourceColumns {
    /// Of a source as it is now. `landing` is the table as it goes to the lake.
    pub(crate) fn of(
        source: &SqlTable,
        landing: &Table,
        rules: &ColumnRules,
    ) -> Result<SourceColumns, SyncError> {
        let rules = rules.resolve(landing)?;
        let rule_of = |ordinal: u32| rules.iter().find(|(of, _)| *of == ordinal);
        let id = |name: &str| {
            let mut columns = source.columns.iter().filter(|_| !source.is_view);
            Some(columns.find(|column| column.name == name)?.id)
        };
        let columns = (0..).zip(&landing.columns);
        let columns = columns.filter_map(|(ordinal, column)| {
            let ColumnType::Sql(own) = column.column_type else {
                return None;
            };
            let (is_hashed, replaced) = match rule_of(ordinal).map(|(_, rule)| *rule) {
                Some(ColumnRule::Hash) => (true, false),
                Some(ColumnRule::Null | ColumnRule::Constant(_)) => (false, true),
                Some(ColumnRule::Truncate(_)) | None => (false, false),
            };
            let landed = match (is_hashed, own.lake()) {
                (false, _) => own,
                // What a hash takes
                (true, LakeType::Binary) => SqlType::VarBinary(Length::Limited(HASH_BYTES)),
                (true, _) => SqlType::NVarChar(Length::Limited(HASH_DIGITS)),
            };
            let collation = column.collation.as_ref().map(|c| c.name().to_owned());
            let remembered = SourceColumn {
                id: id(&column.name),
                under: is_hashed.then_some(own),
                replaced,
                ..SourceColumn::new(landed, collation)
            };
            Some((column.name.clone(), remembered))
        });
        Ok(SourceColumns(columns.collect()))
    }

    /// What a lake table remembers; empty where icehost did not write it.
    pub(crate) fn remembered(table: &LakeTable) -> SourceColumns {
        let properties = table.properties();
        let text = properties.get(PROPERTY_SOURCE_COLUMNS);
        let columns = text.and_then(|text| serde_json::from_str(text).ok());
        SourceColumns(columns.unwrap_or_default())
    }

    /// The same, with the columns as they are now, where they are known.
    pub(crate) fn with_current(mut self, columns: &[Column]) -> SourceColumns {
        for column in columns {
            if let ColumnType::Sql(sql_type) = column.column_type {
                let collation = column.collation.as_ref().map(|c| c.name().to_owned());
                let now = SourceColumn::new(sql_type, collation);
                self.0.insert(column.name.clone(), now);
            }
        }
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&SourceColumn> {
        self.0.get(name)
    }

    /// The property, by its name.
    pub(crate) fn property(&self) -> Result<(String, String), SyncError> {
        let text = serde_json::to_string(&self.0).map_err(|e| {
            SyncError::internal(format!(
                "cannot write what is remembered of the source's columns as JSON: {e}"
            ))
        })?;
        Ok((PROPERTY_SOURCE_COLUMNS.to_owned(), text))
    }

    /// What makes a lake table remember these columns, and go on remembering those that it has beside them; `None`
    /// where it does.
    pub(crate) fn update(&self, lake: &LakeTable) -> Result<Option<TableUpdate>, SyncError> {
        let before = SourceColumns::remembered(lake);
        let mut after = before.clone();
        after.0.extend(self.0.clone());
        if after == before {
            return Ok(None);
        }
        Ok(Some(TableUpdate::SetProperties {
            updates: [after.property()?].into(),
        }))
    }

    /// Refuses to go on from a watermark where a column is another one than was read up to it, unless every row is
    /// read. `way_on` says what to do then.
    pub(crate) fn check(
        &self,
        before: &SourceColumns,
        coverage: Coverage,
        source: &str,
        way_on: &str,
    ) -> Result<(), SyncError> {
        if coverage == Coverage::Full {
            return Ok(());
        }
        let others = self.0.iter().filter_map(|(name, now)| {
            let what = now.differs(before.0.get(name)?)?;
            Some(format!("column '{name}' of {source} {what}"))
        });
        let others: Vec<String> = others.collect();
        if others.is_empty() {
            return Ok(());
        }
        let told = icehost_untrusted::shown_up_to(&others.join(", "), MOST_TOLD);
        Err(SyncError::watermark(
            format!(
                "{told}: rows up to the watermark, which the run would not read again, may have other values there \
                 than the lake"
            ),
            way_on,
        ))
    }
}

impl SourceColumn {
    /// As an earlier version remembers it.
    pub(crate) fn new(sql_type: SqlType, collation: Option<String>) -> SourceColumn {
        SourceColumn {
            sql_type,
            collation,
            id: None,
            under: None,
            replaced: false,
        }
    }

    /// What makes this column another one than before, where its values may be others.
    fn differs(&self, before: &SourceColumn) -> Option<String> {
        // Where a rule was added or taken away, the rules say so.
        if self.replaced || before.replaced {
            return None;
        }
        if let (Some(before), Some(now)) = (before.id, self.id)
            && before != now
        {
            return Some("was dropped and added again".to_owned());
        }
        if self.under.is_some() != before.under.is_some() {
            return None;
        }
        let own = |column: &SourceColumn| column.under.unwrap_or(column.sql_type);
        let collation =
            |column: &SourceColumn| column.collation.as_deref().map(Collation::from_name);
        let from = Text(own(before), collation(before));
        let to = Text(own(self), collation(self));
        match (keeps_values(from.0, to.0), from.keeps_code_page(&to)) {
            (false, _) => Some(format!("was {}, and is {} now", from.0, to.0)),
            (true, false) => Some(format!("was {from}, and is {to} now")),
            (true, true) => None,
        }
    }
}

/// A type with the collation that says what its bytes mean, if it is one of text.
struct Text(SqlType, Option<Collation>);

impl Text {
    /// Whether text is the same after such a column has become the other one, as far as it hangs on code pages. One
    /// whose collation is not known is taken for one of the same.
    fn keeps_code_page(&self, now: &Text) -> bool {
        let pages = (self.1.as_ref(), now.1.as_ref());
        let (Some(_), (Some(before), Some(after))) = (self.0.code_page_length(), pages) else {
            return true;
        };
        match now.0.code_page_length() {
            // Of fixed length are bytes there, and characters here.
            None => now.0.blank_padded().is_none() || before.has_one_byte_each(),
            Some(_) if before.code_page() == after.code_page() => true,
            // Every character is there, but what is filled up is so by bytes.
            Some(_) => after.code_page() == CodePage::Utf8 && now.0.blank_padded().is_none(),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.1 {
            Some(collation) => write!(f, "{} in {}", self.0, collation.name()),
            None => self.0.fmt(f),
        }
    }
}

/// Whether a column whose type is altered has the same values afterwards, as they are in the lake. SQL Server refuses to
/// alter a column where a text, bytes or a number would not fit; it pads what has a fixed length, rounds times, and puts
/// `?` for what a code page lacks (T-SQL reference, "ALTER TABLE", "CAST and CONVERT").
fn keeps_values(before: SqlType, now: SqlType) -> bool {
    use SqlType as S;
    let fits = |from: u16, to: Length| match to {
        Length::Max => true,
        Length::Limited(to) => from <= to,
    };
    match (before, now) {
        _ if before == now => true,
        (S::VarChar(_), S::VarChar(_) | S::NVarChar(_))
        | (S::NVarChar(_), S::NVarChar(_))
        | (S::VarBinary(_), S::VarBinary(_)) => true,
        (S::Char(from), S::VarChar(to) | S::NVarChar(to))
        | (S::NChar(from), S::NVarChar(to))
        | (S::Binary(from), S::VarBinary(to)) => fits(from, to),
        (S::Char(from), S::NChar(to)) => from == to,
        (S::TinyInt | S::SmallInt | S::Int, S::TinyInt | S::SmallInt | S::Int) => true,
        (S::Time(from), S::Time(to))
        | (S::DateTime2(from), S::DateTime2(to))
        | (S::DateTimeOffset(from), S::DateTimeOffset(to)) => from <= to,
        (S::SmallDateTime, S::DateTime | S::DateTime2(_)) => true,
        // What it shows has three digits, and so has the lake.
        (S::DateTime, S::DateTime2(3)) => true,
        // With as many digits behind the point, or of another type in the lake.
        (
            S::Money | S::SmallMoney | S::Decimal { .. },
            S::Money | S::SmallMoney | S::Decimal { .. },
        ) => true,
        // Of another type in the lake, which is refused where the source is held against it.
        _ => before.lake() != now.lake(),
    }
}

/// The lake table's columns with the collations of the source, by which its keys are compared.
pub(crate) fn with_collations(table: &LakeTable, mut description: Table) -> Table {
    let remembered = SourceColumns::remembered(table);
    for column in &mut description.columns {
        column.collation = remembered
            .get(&column.name)
            .and_then(|source| source.collation.as_deref())
            .map(Collation::from_name);
    }
    description
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_keep_every_value_and_types_that_do_not() {
        use SqlType as S;
        let up_to = Length::Limited;
        for (before, now, keeps) in [
            (S::VarChar(up_to(5)), S::VarChar(up_to(50)), true),
            (S::VarChar(up_to(50)), S::VarChar(up_to(5)), true),
            (S::VarChar(up_to(5)), S::NVarChar(Length::Max), true),
            (S::NVarChar(up_to(5)), S::VarChar(up_to(5)), false),
            (S::NVarChar(up_to(5)), S::NChar(5), false),
            (S::Char(5), S::Char(6), false),
            (S::Char(5), S::VarChar(up_to(5)), true),
            (S::Char(5), S::VarChar(up_to(4)), false),
            (S::Char(5), S::NChar(5), true),
            (S::Binary(4), S::VarBinary(up_to(8)), true),
            (S::VarBinary(up_to(8)), S::Binary(8), false),
            (S::VarBinary(up_to(8)), S::RowVersion, false),
            (S::TinyInt, S::Int, true),
            (S::Int, S::SmallInt, true),
            (S::DateTime2(3), S::DateTime2(7), true),
            (S::DateTime2(7), S::DateTime2(0), false),
            (S::Time(7), S::Time(3), false),
            (S::DateTime, S::DateTime2(3), true),
            (S::DateTime, S::DateTime2(7), false),
            (S::DateTime2(3), S::DateTime, false),
            (
                S::Money,
                S::Decimal {
                    precision: 19,
                    scale: 4,
                },
                true,
            ),
            (S::SmallDateTime, S::DateTime2(0), true),
            (S::DateTime2(0), S::SmallDateTime, false),
            (S::Int, S::BigInt, true),
        ] {
            assert_eq!(keeps_values(before, now), keeps, "{before} to {now}");
        }
    }

    #[test]
    fn code_pages_that_have_every_character_of_another_and_those_that_do_not() {
        use SqlType as S;
        let (latin, cyrillic) = ("Latin1_General_CI_AS", "Cyrillic_General_CI_AS");
        let utf8 = "Latin1_General_100_CI_AS_SC_UTF8";
        let varchar = S::VarChar(Length::Limited(9));
        for (before, from, now, to, keeps) in [
            (varchar, latin, varchar, cyrillic, false),
            (varchar, latin, varchar, "Latin1_General_100_CS_AI", true),
            (
                varchar,
                latin,
                varchar,
                "SQL_Latin1_General_CP1_CI_AS",
                true,
            ),
            (
                varchar,
                latin,
                varchar,
                "SQL_Latin1_General_CP850_CI_AS",
                false,
            ),
            (varchar, latin, varchar, utf8, true),
            (varchar, utf8, varchar, latin, false),
            (
                varchar,
                utf8,
                varchar,
                "Cyrillic_General_100_CI_AS_SC_UTF8",
                true,
            ),
            (
                varchar,
                cyrillic,
                S::NVarChar(Length::Limited(9)),
                latin,
                true,
            ),
            (S::Char(9), latin, S::Char(9), utf8, false),
            (S::Char(9), latin, varchar, utf8, true),
            (S::Char(9), utf8, S::NChar(9), utf8, false),
            (S::Char(9), latin, S::NChar(9), utf8, true),
            (S::Char(9), "Japanese_CI_AS", S::NChar(9), latin, false),
            (
                S::NVarChar(Length::Limited(9)),
                latin,
                S::NVarChar(Length::Limited(9)),
                cyrillic,
                true,
            ),
        ] {
            let of = |sql_type, name| Text(sql_type, Some(Collation::from_name(name)));
            let (before, now) = (of(before, from), of(now, to));
            assert_eq!(before.keeps_code_page(&now), keeps, "{before} to {now}");
        }
    }

    #[test]
    fn what_earlier_versions_wrote_is_read() {
        let text = r#"{"Id": {"type": "int"}, "Name": {"type": "nvarchar(5)", "collation": "Latin1_General_CI_AS"}}"#;
        let columns: BTreeMap<String, SourceColumn> =
            serde_json::from_str(text).unwrap_or_default();
        let before = SourceColumns(columns);
        let mut now = before.clone();
        assert!(now.get("Id").is_some());
        if let Some(id) = now.0.get_mut("Id") {
            id.id = Some(1);
        }
        assert!(
            now.check(&before, Coverage::Incremental, "dbo.T", "")
                .is_ok()
        );
    }
}
