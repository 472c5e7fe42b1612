#![allow(clippy::unwrap_used, clippy::panic)]

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use proptest::prelude::*;

use super::*;

/// A column of every type in which the host carries values, each with this NULL pattern.
fn batch(valid: &[bool], seed: i64) -> RecordBatch {
    let some = |i: usize| valid[i].then_some(seed.wrapping_mul(i as i64 + 1));
    let rows = 0..valid.len();
    let mut uuids = FixedSizeBinaryBuilder::new(16);
    for i in rows.clone() {
        match some(i) {
            Some(v) => uuids.append_value(i128::from(v).to_be_bytes()).unwrap(),
            None => uuids.append_null(),
        }
    }
    let all = || rows.clone().map(some);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "bool",
            Arc::new(
                all()
                    .map(|v| v.map(|v| v % 2 == 0))
                    .collect::<BooleanArray>(),
            ),
        ),
        (
            "int",
            Arc::new(all().map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        ),
        ("long", Arc::new(all().collect::<Int64Array>())),
        (
            "real",
            Arc::new(all().map(|v| v.map(|v| v as f32)).collect::<Float32Array>()),
        ),
        (
            "double",
            Arc::new(all().map(|v| v.map(|v| v as f64)).collect::<Float64Array>()),
        ),
        (
            "decimal",
            Arc::new(
                all()
                    .map(|v| v.map(i128::from))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(38, 4)
                    .unwrap(),
            ),
        ),
        (
            "date",
            Arc::new(all().map(|v| v.map(|v| v as i32)).collect::<Date32Array>()),
        ),
        ("time", Arc::new(all().collect::<Time64MicrosecondArray>())),
        (
            "timestamp",
            Arc::new(all().collect::<TimestampMicrosecondArray>()),
        ),
        (
            "zoned",
            Arc::new(
                all()
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("+00:00"),
            ),
        ),
        (
            "text",
            Arc::new(
                all()
                    .map(|v| v.map(|v| format!("ä{v}")))
                    .collect::<StringArray>(),
            ),
        ),
        ("uuid", Arc::new(uuids.finish())),
        (
            "binary",
            Arc::new(BinaryArray::from_iter(
                all().map(|v| v.map(i64::to_be_bytes)),
            )),
        ),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn refusal(batch: &RecordBatch, declared: &RecordBatch) -> String {
    let bytes = encode(batch).unwrap();
    decode(bytes, &declared.schema(), declared.num_rows()).unwrap_err()
}

proptest! {
    #[test]
    fn what_is_written_is_read(valid in proptest::collection::vec(any::<bool>(), 0..40), seed: i64) {
        let batch = batch(&valid, seed);
        let read = decode(encode(&batch).unwrap(), &batch.schema(), batch.num_rows()).unwrap();
        prop_assert_eq!(read, batch);
    }

    #[test]
    fn a_stream_that_is_cut_is_refused(valid in proptest::collection::vec(any::<bool>(), 1..20), cut in 0.0..1.0f64) {
        let batch = batch(&valid, 7);
        let mut bytes = encode(&batch).unwrap();
        // The mark of the end, 8 bytes, may be missing (Arrow columnar format, "IPC streaming format").
        let length = ((bytes.len() - 9) as f64 * cut) as usize;
        bytes.truncate(length);
        prop_assert!(decode(bytes, &batch.schema(), batch.num_rows()).is_err());
    }

    /// Whatever is in a stream, it is read or refused; and what is read can be looked at.
    #[test]
    fn a_damaged_stream_is_read_or_refused(
        valid in proptest::collection::vec(any::<bool>(), 1..20),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let batch = batch(&valid, 7);
        let mut bytes = encode(&batch).unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = decode(bytes, &batch.schema(), batch.num_rows()) {
            prop_assert_eq!(read.num_rows(), batch.num_rows());
            let shown = format!("{read:?}");
            prop_assert!(!shown.is_empty());
        }
    }

    #[test]
    fn bytes_of_any_kind_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let batch = batch(&[true], 7);
        prop_assert!(decode(bytes, &batch.schema(), 1).is_err());
    }
}

#[test]
fn other_columns_than_declared_are_refused_by_name() {
    let of = |name: &str, column: ArrayRef| RecordBatch::try_from_iter([(name, column)]).unwrap();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let declared = of("a", Arc::clone(&texts));
    let integers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    assert_eq!(
        refusal(&of("a", Arc::clone(&integers)), &declared),
        "column 'a' is of Arrow type Int, and was declared such that it is Utf8"
    );
    assert_eq!(
        refusal(&of("b", Arc::clone(&texts)), &declared),
        "column 'b' stands where 'a' was declared"
    );
    let two = RecordBatch::try_from_iter([("a", Arc::clone(&texts)), ("b", integers)]).unwrap();
    assert_eq!(
        refusal(&two, &declared),
        "there are 2 columns, and 1 were declared"
    );
    let dictionary: DictionaryArray<Int32Type> = vec!["a"].into_iter().collect();
    assert_eq!(
        refusal(&of("a", Arc::new(dictionary)), &declared),
        "column 'a' is encoded with a dictionary; give its values as they are"
    );
}

#[test]
fn another_number_of_rows_is_refused() {
    let one = batch(&[true], 1);
    let two = batch(&[true, true], 1);
    assert_eq!(
        refusal(&two, &one),
        "there are 2 rows, and 1 were handed over"
    );
    assert_eq!(
        refusal(&one, &two),
        "there are 1 rows, and 2 were handed over"
    );
}

#[test]
fn a_null_where_none_is_declared_is_refused() {
    let nulls = batch(&[false], 1);
    let fields: Vec<Field> = nulls
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(false))
        .collect();
    let why = decode(encode(&nulls).unwrap(), &Arc::new(Schema::new(fields)), 1).unwrap_err();
    assert!(why.contains("non-nullable"), "{why}");
}

#[test]
fn a_second_batch_is_refused() {
    let batch = batch(&[true], 1);
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let why = decode(bytes, &batch.schema(), 1).unwrap_err();
    assert_eq!(why, "the stream goes on after its batch");
}

#[test]
fn bytes_behind_the_end_of_the_stream_are_refused() {
    let batch = batch(&[true], 1);
    let whole = encode(&batch).unwrap();
    assert!(decode(whole.clone(), &batch.schema(), 1).is_ok());
    for more in [&b"x"[..], &[0; 8], b"a whole message of somebody's"] {
        let bytes = [&whole, more].concat();
        let why = decode(bytes, &batch.schema(), 1).unwrap_err();
        assert_eq!(why, "the stream goes on after its batch");
    }
}

#[test]
fn bytes_behind_the_last_buffer_are_refused() {
    let batch = batch(&[true], 1);
    let whole = encode(&batch).unwrap();
    // The batch is the last message before the mark of the end, which has 8 bytes; its body's length is found by
    // what it is.
    let mut stream = Stream {
        bytes: &whole,
        at: 0,
    };
    stream.message().unwrap().unwrap();
    let (_, body) = stream.message().unwrap().unwrap();
    let length = (body.1 as i64).to_le_bytes();
    let at = whole[..body.0]
        .windows(8)
        .rposition(|w| w == length)
        .unwrap();
    let with = |more: usize| {
        let mut bytes = whole.clone();
        bytes[at..at + 8].copy_from_slice(&((body.1 + more) as i64).to_le_bytes());
        let end = body.0 + body.1;
        bytes.splice(end..end, vec![7; more]);
        decode(bytes, &batch.schema(), 1)
    };
    assert!(with(0).is_ok());
    for more in [64, 4096] {
        let why = with(more).unwrap_err();
        assert!(why.contains("bytes behind its last buffer"), "{why}");
    }
}
