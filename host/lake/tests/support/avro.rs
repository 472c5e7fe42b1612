//! Avro files by the Avro library alone.

use std::collections::BTreeMap;
use std::fs;

use apache_avro::Reader;
use apache_avro::types::Value;

pub type Record = BTreeMap<String, Value>;

pub fn records(path: &str) -> (BTreeMap<String, String>, Vec<Record>) {
    let bytes = fs::read(path).unwrap();
    let reader = Reader::new(&bytes[..]).unwrap();
    let properties = reader
        .user_metadata()
        .iter()
        .map(|(key, value)| (key.clone(), String::from_utf8(value.clone()).unwrap()))
        .collect();
    let records = reader.map(|value| record(value.unwrap())).collect();
    (properties, records)
}

pub fn record(value: Value) -> Record {
    match value {
        Value::Record(fields) => fields.into_iter().map(|(k, v)| (k, unwrapped(v))).collect(),
        other => panic!("not a record: {other:?}"),
    }
}

fn unwrapped(value: Value) -> Value {
    match value {
        Value::Union(_, inner) => *inner,
        other => other,
    }
}

/// A map by field id, which Avro holds as an array of pairs.
pub fn by_field(value: &Value) -> BTreeMap<i32, Value> {
    let Value::Array(pairs) = value else {
        panic!("not a map: {value:?}");
    };
    pairs
        .iter()
        .map(|pair| {
            let mut pair = record(pair.clone());
            match (pair.remove("key"), pair.remove("value")) {
                (Some(Value::Int(key)), Some(value)) => (key, value),
                other => panic!("not a pair: {other:?}"),
            }
        })
        .collect()
}

pub fn text(value: &Value) -> &str {
    match value {
        Value::String(text) => text,
        other => panic!("not a string: {other:?}"),
    }
}

/// The manifests of a table's current snapshot, in the order of the list.
pub fn manifests(table: &icehost_lake::LakeTable) -> Vec<Record> {
    let metadata = super::foreign::metadata(table);
    let list = metadata.current_snapshot().unwrap().manifest_list();
    records(list).1
}

/// The entries of a manifest that is listed.
pub fn entries(manifest: &Record) -> Vec<Record> {
    records(text(&manifest["manifest_path"])).1
}

pub fn long(value: &Value) -> i64 {
    match value {
        Value::Long(number) => *number,
        Value::Int(number) => (*number).into(),
        other => panic!("not a number: {other:?}"),
    }
}
