//! Ports behind which there is no SQL Server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use icehost_tests::{Command, Run};

/// A program that answers each connection with these bytes, and keeps it open; how often it was asked.
struct Stranger {
    port: u16,
    asked: Arc<AtomicU32>,
}

impl Stranger {
    fn saying(banner: &'static [u8]) -> Stranger {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || answer(stream, banner));
            }
        });
        Stranger { port, asked }
    }

    fn sync(&self, options: &str) -> Command {
        let source = format!(
            "mssql://sa:x@127.0.0.1:{}/d?connect_timeout=2{options}",
            self.port
        );
        Command::new(["sync", "--source", &source, "--table", "dbo.T"])
            .args([
                "--strategy",
                "timestamp",
                "--merge",
                "upsert",
                "--warehouse",
                "w",
            ])
            .in_directory(std::env::temp_dir())
    }
}

fn answer(mut stream: TcpStream, banner: &[u8]) {
    let mut asked = [0; 4096];
    let _read = stream.read(&mut asked);
    let _written = stream.write_all(banner);
    while matches!(stream.read(&mut asked), Ok(read) if read > 0) {}
}

#[test]
fn what_is_no_sql_server_is_asked_once_and_told_by_what_it_speaks() {
    for (banner, says) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..],
            "it speaks HTTP",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "it speaks TLS"),
        // Less than a header.
        (b"hi", "none of the protocol TDS"),
        (b"J\0\0\0\n8.0.36\0", "none of the protocol TDS"),
        // A header of an answer that is none.
        (
            b"\x04\x01\xff\xff\0\0\0\0",
            "none to the first message of TDS",
        ),
    ] {
        for options in ["", "&encrypt=disable"] {
            let stranger = Stranger::saying(banner);
            let run = stranger.sync(options).run().failure(&[
                "no SQL Server",
                says,
                "hint: check host and port",
                "named instance",
            ]);
            assert!(!run.stderr.contains("again"), "{says}: {}", run.stderr);
            assert_eq!(stranger.asked.load(Ordering::SeqCst), 1, "{says}");
        }
    }
}

#[test]
fn what_never_says_a_word_is_waited_for_once() {
    let stranger = Stranger::saying(b"");
    let started = Instant::now();
    let run: Run = stranger
        .sync("")
        .run()
        .failure(&["did not answer within 2 s", "hint: "]);
    assert!(!run.stderr.contains("again"), "{}", run.stderr);
    assert_eq!(stranger.asked.load(Ordering::SeqCst), 1);
    assert!(started.elapsed() < Duration::from_secs(9));
}
