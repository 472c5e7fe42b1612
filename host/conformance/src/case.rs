//! Case files: what a strategy is shown, and what it should answer.

use icehost_plan::{Contents, Delta, LogicalType, Table, Value, Watermark};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::batch::Row;
use crate::error::CaseError;
use crate::table::{TableText, columns};

/// A file of cases.
#[derive(Debug, Clone)]
pub struct CaseFile {
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
}

/// One case; the strategy's kind decides which of the fields count.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The table that is read, or merged into.
    pub(crate) table: Table,
    pub(crate) options: Map<String, Json>,
    pub(crate) watermark: Option<Watermark>,
    /// One for each probe.
    pub(crate) readings: Vec<Value>,
    /// Rows that were read, for `advance`.
    pub(crate) rows: u64,
    /// One for each aggregate that the plan observes.
    pub(crate) observed: Vec<Value>,
    pub(crate) delta: Option<Delta>,
    /// Whether a merger's plan has to do for a lake table.
    pub(crate) lake: bool,
    /// Rows for a transformer.
    pub(crate) batch: Vec<Row>,
    pub(crate) expected: Expected,
}

/// What should come back; a case must say something.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) probes: Option<Vec<String>>,
    pub(crate) plan: Option<String>,
    pub(crate) watermark: Option<Vec<String>>,
    /// The layout of that watermark.
    pub(crate) format: Option<u32>,
    /// Names of the columns that a transformer reads.
    pub(crate) inputs: Option<Vec<String>>,
    /// Columns that it writes, as `NAME TYPE` or `NAME TYPE null`.
    pub(crate) outputs: Option<Vec<String>>,
    /// The rows that it keeps.
    pub(crate) batch: Option<Vec<Row>>,
    /// The code of the error.
    pub(crate) error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    table: Option<TableText>,
    delta: Option<DeltaText>,
    batch: Option<Vec<Row>>,
    #[serde(default)]
    options: Map<String, Json>,
    format: Option<u32>,
    /// Whether the merger is for lake tables, too; true unless it is said here or for the case.
    lake: Option<bool>,
    #[serde(rename = "case", default)]
    cases: Vec<CaseText>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DeltaText {
    columns: Vec<String>,
    contents: ContentsText,
    operation: Option<String>,
    #[serde(default)]
    rows: u64,
    /// When the run began, as `timestamp:…` in UTC or as `timestamp-tz:…`.
    run_time: Option<String>,
}

/// The run's time of a case that does not say it: 2026-01-31T12:00:00Z.
pub(crate) const RUN_TIME: i64 = 17_698_608_000_000_000;

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum ContentsText {
    Upserts,
    Changes,
    Snapshot,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    name: String,
    table: Option<TableText>,
    delta: Option<DeltaText>,
    options: Option<Map<String, Json>>,
    lake: Option<bool>,
    /// The layout of the watermark; 1 unless it is said here or for the file.
    format: Option<u32>,
    watermark: Option<Vec<String>>,
    #[serde(default)]
    readings: Vec<String>,
    #[serde(default)]
    rows: u64,
    #[serde(default)]
    observed: Vec<String>,
    batch: Option<Vec<Row>>,
    expect: ExpectText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectText {
    probes: Option<Vec<String>>,
    plan: Option<String>,
    watermark: Option<Vec<String>>,
    format: Option<u32>,
    inputs: Option<Vec<String>>,
    outputs: Option<Vec<String>>,
    batch: Option<Vec<Row>>,
    error: Option<String>,
}

impl CaseFile {
    /// Reads a file's text; `name` is what messages call it.
    ///
    /// # Errors
    /// Text that is no TOML, with line and column; keys, types and values that are unknown; a case without a
    /// table or an expectation.
    pub fn parse(name: &str, text: &str) -> Result<CaseFile, CaseError> {
        let file: FileText =
            toml::from_str(text).map_err(|e| CaseError::new(name, e.to_string().trim_end()))?;
        if file.cases.is_empty() {
            return Err(CaseError::new(name, "there is no [[case]] in it"));
        }
        let cases = file
            .cases
            .iter()
            .map(|case| {
                case.read(&file)
                    .map_err(|why| CaseError::new(name, format!("case '{}': {why}", case.name)))
            })
            .collect::<Result<_, _>>()?;
        Ok(CaseFile {
            name: name.to_owned(),
            cases,
        })
    }
}

impl CaseText {
    fn read(&self, file: &FileText) -> Result<Case, String> {
        let table = self.table.as_ref().or(file.table.as_ref());
        let table = table.ok_or("it has no [table], and neither has the file")?;
        let delta = self.delta.as_ref().or(file.delta.as_ref());
        let expect = &self.expect;
        let expected = Expected {
            probes: expect.probes.clone(),
            plan: expect.plan.clone(),
            watermark: expect.watermark.clone(),
            format: expect.format,
            inputs: expect.inputs.clone(),
            outputs: expect.outputs.clone(),
            batch: expect.batch.clone(),
            error: expect.error.clone(),
        };
        let answer =
            expected.plan.is_some() || expected.watermark.is_some() || expected.batch.is_some();
        if expected.error.is_some() && answer {
            return Err("it expects both an error and an answer".to_owned());
        }
        if expected.format.is_some() && expected.watermark.is_none() {
            return Err("it expects a format of no watermark".to_owned());
        }
        let format = self.format.or(file.format).unwrap_or(1);
        let mut options = file.options.clone();
        options.extend(self.options.clone().unwrap_or_default());
        Ok(Case {
            name: self.name.clone(),
            table: table.table()?,
            options,
            watermark: match &self.watermark {
                Some(marks) => Some(watermark(format, marks)?),
                None => None,
            },
            readings: values(&self.readings)?,
            rows: self.rows,
            observed: values(&self.observed)?,
            delta: delta.map(DeltaText::read).transpose()?,
            lake: self.lake.or(file.lake).unwrap_or(true),
            batch: self
                .batch
                .clone()
                .or_else(|| file.batch.clone())
                .unwrap_or_default(),
            expected,
        })
    }
}

impl DeltaText {
    fn read(&self) -> Result<Delta, String> {
        let columns = columns(&self.columns)?;
        let operation = self.operation.as_ref().map(|name| {
            let position = columns.iter().position(|column| {
                column.name == *name && column.column_type.logical() == LogicalType::Integer
            });
            position
                .map(|position| position as u32)
                .ok_or_else(|| format!("the delta has no integer column '{name}'"))
        });
        Ok(Delta {
            operation: operation.transpose()?,
            columns,
            contents: match self.contents {
                ContentsText::Upserts => Contents::Upserts,
                ContentsText::Changes => Contents::Changes,
                ContentsText::Snapshot => Contents::Snapshot,
            },
            rows: self.rows,
            run_time: match self.run_time.as_deref() {
                None => RUN_TIME,
                Some(text) => moment(text)?,
            },
        })
    }
}

fn moment(text: &str) -> Result<i64, String> {
    match value(text)? {
        Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. } => Ok(ticks),
        _ => Err(format!(
            "run-time is '{text}', which is no moment such as timestamp:2026-01-31T12:00:00"
        )),
    }
}

/// Marks as `NAME=KIND:VALUE`, in layout version 1.
fn watermark(format: u32, marks: &[String]) -> Result<Watermark, String> {
    let marks = marks.iter().map(|text| {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("the mark '{text}' is not NAME=KIND:VALUE"))?;
        Ok::<_, String>((name.to_owned(), self::value(value)?))
    });
    Ok(Watermark {
        format,
        marks: marks.collect::<Result<_, _>>()?,
    })
}

fn values(texts: &[String]) -> Result<Vec<Value>, String> {
    texts.iter().map(|text| value(text)).collect()
}

fn value(text: &str) -> Result<Value, String> {
    text.parse()
        .map_err(|error: icehost_plan::PlanError| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn run_time(line: &str) -> Result<i64, String> {
        let text = format!(
            "[table]\nname = \"dbo.T\"\ncolumns = [\"Id int\"]\n[delta]\ncontents = \"upserts\"\n\
             columns = [\"Id int\"]\n{line}\n[[case]]\nname = \"one\"\nexpect = {{}}\n"
        );
        let file = CaseFile::parse("cases.toml", &text).map_err(|error| error.to_string())?;
        let delta = file.cases[0].delta.as_ref();
        delta.map(|delta| delta.run_time).ok_or_else(String::new)
    }

    #[test]
    fn a_run_begins_when_its_case_says_so() {
        assert_eq!(
            run_time(""),
            run_time("run-time = \"timestamp:2026-01-31T12:00:00\"")
        );
        assert_eq!(
            run_time("run-time = \"timestamp-tz:1970-01-01T01:00:00.0000001+01:00\""),
            Ok(1)
        );
        let error = run_time("run-time = \"integer:1\"").unwrap_err();
        assert!(error.contains("which is no moment"), "{error}");
    }
}
