//! A batch transformer for version 0.2.0 of the contract, without an SDK.

use std::cell::Cell;

wit_bindgen::generate!({
    path: "../../../../../../wit/0.2.0",
    world: "batch-transformer",
});

use exports::icehost::strategy::batch_transform::{
    Guest as Transform, Transformation, Transformed,
};
use exports::icehost::strategy::metadata::{Description, Guest as Metadata};
use icehost::strategy::logging::{Level, log};
use icehost::strategy::types::{Column, Error, LogicalType, Table};

struct Transformer;

thread_local! {
    static OPENED: Cell<bool> = const { Cell::new(false) };
}

impl Metadata for Transformer {
    fn describe() -> Description {
        Description {
            name: "previous-transformer".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "drops all rows but the second and the fourth of each batch of eight or fewer".to_owned(),
            options_schema: r#"{"type":"object"}"#.to_owned(),
        }
    }
}

impl Transform for Transformer {
    fn open(_: Table, _: String) -> Result<Transformation, Error> {
        OPENED.set(true);
        let name = Column {
            name: "Name".to_owned(),
            kind: LogicalType::Text,
            native_type: "nvarchar(50)".to_owned(),
            nullable: true,
            key_position: None,
            identity: false,
            writable: true,
        };
        Ok(Transformation {
            inputs: vec![0],
            outputs: vec![name],
        })
    }

    fn apply(batch: Vec<u8>) -> Result<Transformed, Error> {
        let opened = OPENED.get();
        log(Level::Info, "a batch", &[("bytes".to_owned(), batch.len().to_string())]);
        Ok(Transformed {
            columns: None,
            keep: opened.then(|| vec![0b1010]),
        })
    }
}

export!(Transformer);
