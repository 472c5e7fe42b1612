//! Marks that somebody sets by hand, checked against those that the strategy keeps.
//!
//! The contract lets a strategy choose its marks and declare none, so what it wrote last is what is known of them.
//! Where it never wrote any, those of the shipped strategies are known; of others nothing is, and they refuse
//! themselves what they cannot read.

use icehost_config::nearest;
use icehost_lake::LakeTable;
use icehost_plan::{LogicalType, Value, Watermark};
use icehost_sync::{SUMMARY_WATERMARK, WatermarkRecord};

use crate::failure::Failure;

/// Strategies whose mark bears the name of a column, and the kinds that it may have.
const CURSORS: [(&str, &[LogicalType]); 2] = [
    (
        "timestamp",
        &[
            LogicalType::Date,
            LogicalType::Timestamp,
            LogicalType::TimestampTz,
        ],
    ),
    ("id", &[LogicalType::Integer, LogicalType::Decimal]),
];
/// The mark of `rowversion`, and how many bytes it has.
const ROWVERSION: (&str, usize) = ("below", 8);
/// The mark of `full-refresh`: how many rows it has read.
const FULL_REFRESH: &str = "rows";

/// What is known of a strategy's marks.
pub(super) struct Known {
    strategy: String,
    /// What it wrote last.
    last: Option<Watermark>,
    /// The lake table's columns, each with its kind.
    columns: Vec<(String, LogicalType)>,
}

impl Known {
    /// Of a strategy and a lake table; `last` is the watermark that is there, of whatever strategy.
    pub(super) fn of(table: &LakeTable, strategy: &str, last: Option<&WatermarkRecord>) -> Known {
        let is_its_own = |record: &WatermarkRecord| record.strategy == strategy;
        let last = last.filter(|record| is_its_own(record)).cloned();
        let columns = table.columns().unwrap_or_default();
        Known {
            strategy: strategy.to_owned(),
            last: last
                .or_else(|| earlier(table).find(is_its_own))
                .map(|record| record.watermark),
            columns: columns
                .iter()
                .map(|column| column.describe())
                .map(|column| (column.name, column.column_type.logical()))
                .collect(),
        }
    }

    /// The layout that the marks are in.
    pub(super) fn format(&self) -> Option<u32> {
        self.last.as_ref().map(|last| last.format)
    }

    /// The marks, in the order that the strategy keeps them in. `format` is the layout that they are given in.
    ///
    /// # Errors
    /// A name that is none of the strategy's marks, a value of another type, and marks without the one that the
    /// strategy goes on from.
    pub(super) fn check(
        &self,
        format: u32,
        mut given: Vec<(String, Value)>,
    ) -> Result<Vec<(String, Value)>, Failure> {
        let is_known =
            |last: &&Watermark| last.format == format && !self.is_another_cursor(last, &given);
        let Some(last) = self.last.as_ref().filter(is_known) else {
            for (name, value) in &given {
                self.check_shipped(name, value)?;
            }
            return Ok(given);
        };
        let names = || last.marks.iter().map(|(name, _)| name.as_str());
        for (name, value) in &given {
            let Some(known) = last.mark(name) else {
                return Err(self.unknown(name, names()));
            };
            match known {
                // Nothing had been read: the column's type is that of what will be.
                Value::Null => self.check_kind(name, value, self.kind(name), None)?,
                known => self.check_kind(name, value, known.kind(), Some(known))?,
            }
        }
        let place = |name: &str| names().position(|known| known == name);
        given.sort_by_key(|(name, _)| place(name));
        match names().next() {
            Some(first) if given.first().is_none_or(|(name, _)| name != first) => {
                Err(Failure::config(
                    format!(
                        "strategy '{}' goes on from its mark '{first}', which is not given",
                        self.strategy
                    ),
                    format!("set it too: --mark '{first}=KIND:VALUE'"),
                ))
            }
            _ => Ok(given),
        }
    }

    /// Whether the marks are those of another column than the one that was read by: its watermark goes on as a new one.
    fn is_another_cursor(&self, last: &Watermark, given: &[(String, Value)]) -> bool {
        let Some(kinds) = self.cursor_kinds() else {
            return false;
        };
        let could_be = |name: &str| self.kind(name).is_some_and(|kind| kinds.contains(&kind));
        let is_other = |name: &str| last.mark(name).is_none() && could_be(name);
        given.iter().all(|(name, _)| is_other(name))
    }

    /// The kinds of columns that the strategy can go by; `None` for one that goes by none.
    fn cursor_kinds(&self) -> Option<&'static [LogicalType]> {
        let mut cursors = CURSORS.iter();
        let (_, kinds) = cursors.find(|(name, _)| *name == self.strategy)?;
        Some(kinds)
    }

    /// What is known of the shipped strategies without a watermark of theirs.
    fn check_shipped(&self, name: &str, value: &Value) -> Result<(), Failure> {
        if let Some(kinds) = self.cursor_kinds() {
            let fit = self.columns.iter().filter(|(_, kind)| kinds.contains(kind));
            return match self.kind(name) {
                Some(kind) if kinds.contains(&kind) => {
                    self.check_kind(name, value, Some(kind), None)
                }
                _ => Err(self.unknown(name, fit.map(|(name, _)| name.as_str()))),
            };
        }
        match self.strategy.as_str() {
            "rowversion" => {
                let (mark, bytes) = ROWVERSION;
                match value {
                    _ if name != mark => Err(self.unknown(name, [mark].into_iter())),
                    Value::Binary(given) if given.len() == bytes => Ok(()),
                    _ => Err(Failure::config(
                        format!("mark '{name}' is a rowversion, of {bytes} bytes"),
                        format!("for example --mark {mark}=binary:0x00000000000007d1"),
                    )),
                }
            }
            "full-refresh" if name != FULL_REFRESH => {
                Err(self.unknown(name, [FULL_REFRESH].into_iter()))
            }
            "full-refresh" => self.check_kind(name, value, Some(LogicalType::Integer), None),
            _ => Ok(()),
        }
    }

    /// The kind of the column that a mark is named after.
    fn kind(&self, name: &str) -> Option<LogicalType> {
        let column = self.columns.iter();
        let mut column = column.filter(|(column, _)| column.eq_ignore_ascii_case(name));
        column.next().map(|(_, kind)| *kind)
    }

    fn check_kind(
        &self,
        name: &str,
        value: &Value,
        wanted: Option<LogicalType>,
        last: Option<&Value>,
    ) -> Result<(), Failure> {
        let (Some(given), Some(wanted)) = (value.kind(), wanted) else {
            return Ok(());
        };
        if given == wanted {
            return Ok(());
        }
        Err(Failure::config(
            format!(
                "mark '{name}' of strategy '{}' is of type {wanted}, not {given}",
                self.strategy
            ),
            match last {
                Some(last) => format!("write it as the stored one is: --mark '{name}={last}'"),
                None => format!("write it as --mark '{name}={wanted}:VALUE'"),
            },
        ))
    }

    fn unknown<'k>(&self, name: &str, known: impl Iterator<Item = &'k str> + Clone) -> Failure {
        let message = format!("strategy '{}' has no mark '{name}'", self.strategy);
        let hint = match nearest(name, known.clone()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => match known.collect::<Vec<&str>>() {
                none if none.is_empty() => "it keeps none: each run reads everything".to_owned(),
                names => format!("its marks are: {}", names.join(", ")),
            },
        };
        Failure::config(message, hint)
    }
}

/// Watermarks of the table's snapshots, the newest first.
pub(super) fn earlier(table: &LakeTable) -> impl Iterator<Item = WatermarkRecord> {
    let snapshots = table.snapshots().into_iter().rev();
    snapshots.filter_map(|snapshot| {
        let text = snapshot.summary.get(SUMMARY_WATERMARK)?;
        serde_json::from_str(text).ok()?
    })
}
