//! Faults at places that are drawn: the run ends, with an error or having done its job, and the next one finishes it.
//!
//! Bytes that are altered in their place in the clear are no case of this: nothing tells them from what the server sent.
//! There, only that a command ends.
//!
//! `ICEHOST_TEST_PROXY_RUNS` says how many, `ICEHOST_TEST_PROXY_SEED` with which number to begin; each run says its own.

use std::time::{Duration, Instant};

use icehost_tests::proxy::{Fault, Proxy, When};
use icehost_tests::{Bed, Command, Run, customers};

const ROWS: u32 = 400;
/// Runs where nobody asks for more.
const RUNS: u64 = 12;
/// Longer than all the waits of a run together.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

fn asked(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// A sequence that follows from its seed (xorshift64*).
struct Drawn(u64);

impl Drawn {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % below.max(1)
    }

    fn of(seed: u64) -> Drawn {
        let mut drawn = Drawn(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        drawn.next(1);
        drawn
    }
}

fn sync(bed: &Bed, source: &str, target: &str) -> Command {
    Command::new(["sync", "--source", source, "--target", target])
        .args(["--table", "dbo.Customers", "--strategy", "timestamp"])
        .args(["--merge", "upsert", "--lake-table", "demo.customers"])
        .args(["--warehouse", &bed.warehouse().display().to_string()])
        .args([
            "--idle-timeout",
            "1",
            "--query-timeout",
            "2",
            "--reconnect-timeout",
            "1",
        ])
}

/// Source and target by way of one proxy.
fn urls(bed: &Bed, proxy: &Proxy, encrypted: bool) -> (String, String) {
    let options = match encrypted {
        true => "encrypt=true&trust_server_certificate=true&connect_timeout=2",
        false => "encrypt=disable&connect_timeout=2",
    };
    let url = |url: &str| proxy.url(url, options);
    (url(&bed.source_url()), url(&bed.target_url()))
}

fn through(bed: &Bed, proxy: &Proxy, encrypted: bool) -> Command {
    let (source, target) = urls(bed, proxy, encrypted);
    sync(bed, &source, &target)
}

/// Source, lake and target compared.
fn comparison(bed: &Bed, source: &str, target: &str) -> Command {
    Command::new(["verify", "--source", source, "--target", target])
        .args(["--table", "dbo.Customers", "--lake-table", "demo.customers"])
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--warehouse", &bed.warehouse().display().to_string()])
}

/// How the run ended; it must, and without a panic.
fn end(command: Command, what: &str) -> Run {
    let started = Instant::now();
    let mut child = command.spawn();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > ENDS_WITHIN {
            let _killed = child.kill();
            let run = Run::of(what.to_owned(), child);
            panic!("{what}: it hangs\n{}", run.stderr);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let run = Run::of(what.to_owned(), child);
    assert!(!run.stderr.contains("panicked"), "{what}\n{}", run.stderr);
    assert!(!run.stderr.contains("a defect"), "{what}\n{}", run.stderr);
    match run.code {
        Some(0) => {}
        Some(1) => assert!(run.stderr.contains("error: "), "{what}\n{}", run.stderr),
        _ => panic!("{what}: {:?}\n{}", run.code, run.stderr),
    }
    run
}

#[test]
fn a_fault_anywhere_ends_in_an_error_or_in_a_job_that_is_done() {
    let bed = customers::bed_for_damage(ROWS);
    let proxy = Proxy::damaging(&bed);
    // What goes over the wire in a run with a delta, which each of the runs below has.
    sync(&bed, &bed.source_url(), &bed.target_url())
        .run()
        .success();
    let bytes = [false, true].map(|encrypted| {
        customers::change(
            &bed,
            20,
            if encrypted {
                "2026-01-20"
            } else {
                "2026-01-10"
            },
        );
        let before = (proxy.received(), proxy.sent());
        through(&bed, &proxy, encrypted).run().success();
        (proxy.received() - before.0, proxy.sent() - before.1)
    });
    let first = asked("ICEHOST_TEST_PROXY_SEED", 1);
    let (mut failed, mut done) = (0, 0);
    for seed in first..first + asked("ICEHOST_TEST_PROXY_RUNS", RUNS) {
        let mut drawn = Drawn::of(seed);
        // Each change is later than those before it.
        let (day, hour, minute) = (1 + seed / 1440 % 28, seed / 60 % 24, seed % 60);
        let moment = format!("2026-02-{day:02} {hour:02}:{minute:02}");
        customers::change(&bed, 1 + drawn.next(20) as u32, &moment);
        let encrypted = drawn.next(2) == 1;
        let (received, sent) = bytes[usize::from(encrypted)];
        let when = match drawn.next(4) {
            0 => When::Sent(proxy.sent() + drawn.next(sent)),
            _ => When::Received(proxy.received() + drawn.next(received)),
        };
        let bytes = 1 + drawn.next(300) as usize;
        let fault = match drawn.next(if encrypted { 5 } else { 4 }) {
            0 => Fault::Stall,
            1 => Fault::Break,
            2 => Fault::Lose(bytes),
            3 => Fault::Repeat(bytes),
            _ => Fault::Flip(drawn.next(8) as u8),
        };
        let what = format!("seed {seed}: {fault:?} {when:?}, encrypted: {encrypted}");
        proxy.order(when, fault);
        let command = through(&bed, &proxy, encrypted).args(["--retries", "1"]);
        match end(command, &what).code {
            Some(0) => done += 1,
            _ => failed += 1,
        }
        proxy.forget();
        sync(&bed, &bed.source_url(), &bed.target_url())
            .run()
            .success();
        let verified = comparison(&bed, &bed.source_url(), &bed.target_url()).json();
        assert_eq!(verified["wrong"], 0, "{what}\n{verified}");
        assert_eq!(verified["pending"], 0, "{what}\n{verified}");
    }
    eprintln!("{failed} runs ended with an error, {done} did their job");
}

/// What is written would be the altered value; here nothing is.
#[test]
fn a_bit_that_is_altered_in_the_clear_ends_in_an_error_or_an_answer() {
    let bed = customers::bed_for_damage(ROWS);
    let proxy = Proxy::damaging(&bed);
    sync(&bed, &bed.source_url(), &bed.target_url())
        .run()
        .success();
    let (source, target) = urls(&bed, &proxy, false);
    let before = (proxy.received(), proxy.sent());
    let verified = comparison(&bed, &source, &target).json();
    assert_eq!(verified["wrong"], 0, "{verified}");
    let (received, sent) = (proxy.received() - before.0, proxy.sent() - before.1);
    let first = asked("ICEHOST_TEST_PROXY_SEED", 1);
    for seed in first..first + asked("ICEHOST_TEST_PROXY_RUNS", RUNS) {
        let mut drawn = Drawn::of(seed);
        let when = match drawn.next(4) {
            0 => When::Sent(proxy.sent() + drawn.next(sent)),
            _ => When::Received(proxy.received() + drawn.next(received)),
        };
        let fault = Fault::Flip(drawn.next(8) as u8);
        let what = format!("seed {seed}: {fault:?} {when:?}");
        proxy.order(when, fault);
        end(
            comparison(&bed, &source, &target).args([
                "--idle-timeout",
                "1",
                "--query-timeout",
                "2",
            ]),
            &what,
        );
        proxy.forget();
    }
}
