//! A batch transformer that does whatever wrong thing its option names. It goes round the SDK where that would
//! keep it from it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use icehost_sdk::__private::base::exports::icehost::strategy::metadata;
use icehost_sdk::__private::transform::exports::icehost::strategy::batch_transform as wit;
use icehost_sdk::__private::{base, transform};
use icehost_sdk::arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use icehost_sdk::arrow::schema::DataType;
use icehost_sdk::log::{Level, log};
use icehost_sdk::{Column, Error, LogicalType, Table, Transformation};

struct Hostile;

thread_local! {
    static WRONG: RefCell<String> = const { RefCell::new(String::new()) };
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static HOARD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl metadata::Guest for Hostile {
    fn describe() -> metadata::Description {
        metadata::Description {
            name: "hostile-transformer".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "misbehaves as told".to_owned(),
            options_schema: r#"{"type":"object","properties":{"wrong":{"type":"string"}}}"#.to_owned(),
        }
    }
}

fn column(name: &str, native_type: &str) -> Column {
    Column::new(name, LogicalType::Text, native_type)
}

impl wit::Guest for Hostile {
    fn open(table: Table, options: String) -> Result<Transformation, Error> {
        let wrong = options.split('"').nth(3).unwrap_or_default().to_owned();
        let name = table.find("Name").unwrap_or_default();
        let upper = column("Name", "nvarchar(max)").nullable();
        let declared = match wrong.as_str() {
            "ordinal" => Transformation::new(vec![99], vec![]),
            "twice" => Transformation::new(vec![name, name], vec![]),
            "key" => Transformation::new(vec![], vec![column("Id", "int")]),
            "no-name" => Transformation::new(vec![], vec![column("", "int")]),
            "garbled-name" => Transformation::new(vec![], vec![column("a\u{1b}[2Jb", "int")]),
            "long-name" => Transformation::new(vec![], vec![column(&"x".repeat(200), "int")]),
            "case" => Transformation::new(vec![], vec![column("NAME", "int")]),
            "type" => Transformation::new(vec![], vec![column("New", "decimal(50,2)")]),
            "rowversion" => Transformation::new(vec![], vec![column("New", "rowversion")]),
            "written-twice" => {
                Transformation::new(vec![], vec![column("New", "int"), column("new", "int")])
            }
            "flood" => Transformation::new(vec![], vec![column("New", "int"); 2000]),
            "endless-open" => loop {},
            "refuse" => return Err(Error::unsupported_table("not-mine", "it is not mine")),
            "adds" => Transformation::new(vec![name], vec![column("New", "int")]),
            other => match other.strip_prefix("value ") {
                Some(kind) => Transformation::new(vec![name], vec![column("New", kind)]),
                None => Transformation::new(vec![name], vec![upper]),
            },
        };
        WRONG.set(wrong);
        Ok(declared)
    }

    fn apply(batch: Vec<u8>) -> Result<wit::Transformed, Error> {
        CALLS.set(CALLS.get() + 1);
        let calls = CALLS.get();
        let rows = rows(&batch);
        let texts = |rows: usize| Arc::new(StringArray::from(vec![Some("x"); rows])) as ArrayRef;
        let named = |name: &str, column: ArrayRef| stream(name, column);
        let columns = WRONG.with_borrow(|wrong| match wrong.as_str() {
            "garbage" => Some(vec![0x5a; 1000]),
            "nothing-at-all" => Some(Vec::new()),
            "cut" => {
                let mut whole = named("Name", texts(rows));
                whole.truncate(whole.len() / 2);
                Some(whole)
            }
            "other-name" => Some(named("Nome", texts(rows))),
            "other-type" => Some(named("Name", Arc::new(Int32Array::from(vec![1; rows])))),
            "more-rows" => Some(named("Name", texts(rows + 1))),
            "endless-loop" => loop {},
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1u8; 1 << 20]);
                }
            }
            "hoard" => {
                // A little more with each batch
                for i in 0..30 {
                    log(Level::Info, &format!("line {i} of batch {calls}"), &[]);
                }
                HOARD.with_borrow_mut(|hoard| hoard.push(vec![1u8; 8 << 20]));
                None
            }
            "huge" => Some(vec![1; 40 << 20]),
            "panic-later" if calls == 2 => panic!("not another one"),
            "chatter" => {
                for i in 0..1_000_000 {
                    log(Level::Info, &format!("line {i}"), &[]);
                }
                None
            }
            "count" => Some(named(
                "Name",
                Arc::new(StringArray::from(vec![calls.to_string(); rows])),
            )),
            "unchanged" | "adds" | "keep-short" | "keep-long" | "panic-later" => None,
            other => Some(match other.strip_prefix("value ") {
                Some(kind) => impossible(kind, rows),
                None => batch.clone(),
            }),
        });
        let keep = WRONG.with_borrow(|wrong| match wrong.as_str() {
            "keep-short" => Some(Vec::new()),
            "keep-long" => Some(vec![0xff; rows.div_ceil(8) + 1]),
            _ => None,
        });
        Ok(wit::Transformed { columns, keep })
    }
}

/// A column `New` of values that the type does not have.
fn impossible(kind: &str, rows: usize) -> Vec<u8> {
    let moment = |value: i64| TimestampMicrosecondArray::from(vec![value; rows]);
    let column: ArrayRef = match kind {
        "decimal(5,2)" => {
            let values = Decimal128Array::from(vec![i128::MAX; rows]);
            Arc::new(values.with_data_type(DataType::Decimal128(5, 2)))
        }
        "money" => {
            let values = Decimal128Array::from(vec![i128::from(i64::MAX) + 1; rows]);
            Arc::new(values.with_data_type(DataType::Decimal128(19, 4)))
        }
        "tinyint" => Arc::new(Int32Array::from(vec![-70_000; rows])),
        "smallint" => Arc::new(Int32Array::from(vec![32_768; rows])),
        "int" => Arc::new(Int32Array::from(vec![None; rows])),
        "float" => Arc::new(Float64Array::from(vec![f64::NAN; rows])),
        "real" => Arc::new(Float32Array::from(vec![f32::INFINITY; rows])),
        "date" => Arc::new(Date32Array::from(vec![i32::MAX; rows])),
        "time(6)" => Arc::new(Time64MicrosecondArray::from(vec![-1; rows])),
        "datetime2(6)" => Arc::new(moment(i64::MAX)),
        "datetimeoffset(6)" => Arc::new(moment(i64::MIN).with_timezone("+00:00")),
        "datetime2(0)" => Arc::new(moment(1)),
        "datetime" => Arc::new(moment(5_000)),
        "smalldatetime" => Arc::new(moment(-3_000_000_000_000_000)),
        "binary(2)" => Arc::new(BinaryArray::from(vec![&[1u8, 2, 3][..]; rows])),
        "varbinary(2)" => Arc::new(BinaryArray::from(vec![&[1u8, 2, 3][..]; rows])),
        // UTF-8 that is broken below
        "nvarchar(9)" => Arc::new(StringArray::from(vec!["~BROKEN~"; rows])),
        _ => Arc::new(StringArray::from(vec!["too long\u{1b}[2J"; rows])),
    };
    let mut bytes = stream("New", column);
    if kind == "nvarchar(9)" {
        for at in 0..bytes.len().saturating_sub(8) {
            if &bytes[at..at + 8] == b"~BROKEN~" {
                bytes[at] = 0xff;
            }
        }
    }
    bytes
}

fn rows(batch: &[u8]) -> usize {
    let mut reader = arrow_ipc::reader::StreamReader::try_new(batch, None).unwrap();
    reader.next().unwrap().unwrap().num_rows()
}

fn stream(name: &str, column: ArrayRef) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

base::export_base_bindings!(Hostile with_types_in base);
transform::export_transform_bindings!(Hostile with_types_in transform);
