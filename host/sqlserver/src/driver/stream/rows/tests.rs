//! Answers in packets of every size, cut off anywhere, and with bytes that no server sends.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::TcpStream as StdTcpStream;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::driver::{Cell, Fuse};
use crate::error::ErrorKind;

/// An answer of three columns: int NOT NULL, nvarchar(100), varchar(max).
fn answer(rows: &[(i32, Option<String>, Option<String>)], chunk: usize, nbc: bool) -> Vec<u8> {
    let mut bytes = vec![token::COLUMNS, 3, 0];
    let collation = [9, 4, 0xD0, 0, 0x34];
    for (info, name) in [
        (vec![0x38], "Id"),
        ([&[0xE7, 200, 0], collation.as_slice()].concat(), "Name"),
        (
            [&[0xA7, 0xFF, 0xFF], collation.as_slice()].concat(),
            "Notes",
        ),
    ] {
        bytes.extend([0; 6]);
        bytes.extend(info);
        bytes.push(name.len() as u8);
        bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
    }
    for (id, name, notes) in rows {
        if nbc {
            let nulls = u8::from(name.is_none()) << 1 | u8::from(notes.is_none()) << 2;
            bytes.extend([token::ROW_WITH_NULLS, nulls]);
        } else {
            bytes.push(token::ROW);
        }
        bytes.extend(id.to_le_bytes());
        match name {
            Some(name) => {
                let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
                bytes.extend((units.len() as u16).to_le_bytes());
                bytes.extend(units);
            }
            None if nbc => {}
            None => bytes.extend([0xFF; 2]),
        }
        match notes {
            Some(notes) => {
                bytes.extend((notes.len() as u64).to_le_bytes());
                for part in notes.as_bytes().chunks(chunk) {
                    bytes.extend((part.len() as u32).to_le_bytes());
                    bytes.extend(part);
                }
                bytes.extend([0; 4]);
            }
            None if nbc => {}
            None => bytes.extend([0xFF; 8]),
        }
    }
    bytes.push(token::DONE);
    bytes.extend([0x10, 0, 0xC1, 0]);
    bytes.extend((rows.len() as u64).to_le_bytes());
    bytes
}

/// Cuts a message into packets with bodies of this size.
fn packets(message: &[u8], body: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = message.len().div_ceil(body);
    for (at, part) in message.chunks(body).enumerate() {
        let length = (part.len() + 8) as u16;
        bytes.extend([4, u8::from(at + 1 == count)]);
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 0, at as u8, 0]);
        bytes.extend(part);
    }
    bytes
}

type Read = Result<Vec<Vec<Cell<'static>>>>;

/// What the reader makes of these bytes, sent in pieces of `piece` bytes.
fn read(bytes: Vec<u8>, piece: usize, most_rows: usize, most_bytes: usize) -> Read {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let sending = tokio::spawn(async move {
            for piece in bytes.chunks(piece) {
                // The reader may have seen enough.
                if server.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let fuse = Fuse::new(StdTcpStream::connect(address).unwrap());
        let endpoint = Endpoint::parse("mssql://sa:x@127.0.0.1").unwrap();
        let wire = Wire::over(client);
        let mut rows = Rows::new(wire, fuse.begin().unwrap(), &endpoint, 64 << 20);
        let mut all = Vec::new();
        let result = loop {
            match rows.next(most_rows, most_bytes).await {
                Ok(None) => break Ok(all),
                Err(error) => break Err(error),
                Ok(Some(block)) => {
                    assert!((1..=most_rows).contains(&block.rows));
                    for row in 0..block.rows {
                        let cells = (0..block.columns.len()).map(|column| {
                            block.cell(row, column).unwrap_or(Cell::Null).into_owned()
                        });
                        all.push(cells.collect());
                    }
                }
            }
        };
        sending.await.unwrap();
        result
    })
}

fn expected(rows: &[(i32, Option<String>, Option<String>)]) -> Vec<Vec<Cell<'static>>> {
    let text = |text: &Option<String>| match text {
        Some(text) => Cell::Text(text.clone().into()),
        None => Cell::Null,
    };
    rows.iter()
        .map(|(id, name, notes)| vec![Cell::Int(*id), text(name), text(notes)])
        .collect()
}

fn any_rows() -> impl Strategy<Value = Vec<(i32, Option<String>, Option<String>)>> {
    let row = (
        any::<i32>(),
        prop::option::of("[a-zä😀]{0,40}"),
        prop::option::of("[ -~]{0,300}"),
    );
    prop::collection::vec(row, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_arrive_whole_however_they_are_cut(
        rows in any_rows(), chunk in 1usize..200, body in 1usize..600, piece in 1usize..900,
        nbc in any::<bool>(), most_rows in 1usize..50, most_bytes in 1usize..2000,
    ) {
        let bytes = packets(&answer(&rows, chunk, nbc), body);
        let read = read(bytes, piece, most_rows, most_bytes).unwrap();
        prop_assert_eq!(read, expected(&rows));
    }

    #[test]
    fn an_answer_that_ends_early_is_a_lost_connection(
        rows in any_rows(), body in 1usize..600, kept in 0.0f64..1.0,
    ) {
        let mut bytes = packets(&answer(&rows, 50, false), body);
        bytes.truncate((bytes.len() as f64 * kept) as usize);
        let error = read(bytes, 500, 100, 1000).unwrap_err();
        prop_assert_eq!(error.kind(), &ErrorKind::ConnectionLost);
    }

    #[test]
    fn nonsense_is_an_error_or_other_rows_but_no_panic(
        rows in any_rows(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut message = answer(&rows, 50, true);
        for (at, byte) in changes {
            let at = at.index(message.len());
            message[at] = byte;
        }
        let _either = read(packets(&message, 300), 500, 100, 1000);
    }
}

#[test]
fn a_value_of_many_packets_makes_the_buffer_grow_and_shrink_again() {
    let long = "x".repeat(3 << 20);
    let mut rows = vec![(1, Some("short".to_owned()), Some(long))];
    rows.extend((2..2000).map(|id| (id, None, Some(format!("notes {id}")))));
    let bytes = packets(&answer(&rows, 8000, false), 4088);
    assert_eq!(read(bytes, 1 << 16, 500, 1 << 16).unwrap(), expected(&rows));
}

#[test]
fn an_error_of_the_server_comes_after_the_rows_before_it() {
    let rows = [(1, None, None), (2, None, None)];
    let mut message = answer(&rows, 50, false);
    message.truncate(message.len() - 13);
    let text: Vec<u8> = "out of space"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut body = Vec::new();
    body.extend(9002u32.to_le_bytes());
    body.extend([4, 17]);
    body.extend((text.len() as u16 / 2).to_le_bytes());
    body.extend(text);
    body.extend([0, 0]);
    body.extend(7u32.to_le_bytes());
    message.push(token::ERROR);
    message.extend((body.len() as u16).to_le_bytes());
    message.extend(body);
    message.push(token::DONE);
    message.extend([2, 0, 0xC1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let error = read(packets(&message, 512), 100, 100, 1000).unwrap_err();
    assert_eq!(error.number(), Some(9002));
    assert_eq!(
        error.to_string(),
        "out of space (error 9002, level 17, state 4)"
    );
}
