//! Rows that are larger than a batch, within the memory limit: counted in bytes of the heap.

use icehost_tests::{Bed, Command};

const MIB: u64 = 1 << 20;
/// Compiled strategies and connections, as far as they are on the heap.
const ITSELF: u64 = 12 * MIB;

/// Six rows of `size` bytes on the wire: a third of them are text, and the others bytes. They hardly compress: what
/// comes again is further away than a compressor looks.
fn bed(size: u64) -> Bed {
    const SEED: u64 = MIB;
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Huge (Id int NOT NULL PRIMARY KEY, Text nvarchar(max) NULL, Bytes varbinary(max) NULL,
            Modified datetime2(3) NOT NULL);
         CREATE TABLE dbo.Seed (Text varchar(max) NOT NULL)",
    );
    let mut state = 7u64;
    let mut letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'0' + (state >> 58) as u8)
    };
    let seed: String = (0..SEED)
        .map(|_| letter())
        .map(|c| if c == '\'' { '.' } else { c })
        .collect();
    bed.source()
        .execute(&format!("INSERT INTO dbo.Seed VALUES ('{seed}')"));
    let (characters, bytes) = (size / 6, size * 2 / 3);
    let long = |bytes: u64| {
        format!(
            "LEFT(CONCAT(value, REPLICATE(Text, {})), {bytes})",
            bytes / SEED + 1
        )
    };
    bed.source().execute(&format!(
        "INSERT INTO dbo.Huge
         SELECT value, CAST({} AS nvarchar(max)), CAST({} AS varbinary(max)), DATEADD(second, value, '2026-01-01')
         FROM GENERATE_SERIES(1, 6) CROSS JOIN dbo.Seed",
        long(characters),
        long(bytes)
    ));
    bed
}

fn limited(command: Command, limit: u64) -> Command {
    command
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--memory-limit", &format!("{limit}MiB"), "--retries", "0"])
}

/// A row is in memory seven times at once, and nothing beside it.
#[track_caller]
fn assert_takes_seven_rows(command: &Command, what: &str, size: u64) {
    let (run, peak) = command.counted();
    assert_eq!(run.code, Some(0), "{what}\n{}", run.stderr);
    assert!(
        peak < ITSELF + 7 * size,
        "{what}: {} MiB of heap with rows of {} MiB",
        peak / MIB,
        size / MIB
    );
    // A bound that holds because the rows are not what they are said to be would prove nothing.
    assert!(peak > 2 * size, "{what}: {peak}");
}

#[test]
fn rows_as_large_as_the_limit_allows_keep_it_on_their_way_into_the_lake() {
    for (limit, size) in [(64, 2 * MIB), (256, 19 * MIB)] {
        let bed = bed(size);
        let sync = limited(bed.sync("dbo.Huge", "demo.huge"), limit);
        assert_takes_seven_rows(&sync, "sync", size);
        assert!(ITSELF + 7 * size < limit * MIB * 3 / 4);
        let (larger, peak) = limited(bed.sync("dbo.Huge", "demo.none"), limit / 4 + 32).counted();
        larger.failure(&["a row has more than", "--memory-limit", "--exclude-columns"]);
        assert!(peak < ITSELF + (limit / 4 - 8) * MIB, "{peak}");
    }
}

#[test]
fn several_connections_share_the_room_for_large_rows() {
    let bed = bed(4 * MIB);
    let sync = limited(bed.sync("dbo.Huge", "demo.huge"), 192).args([
        "--parallel",
        "2",
        "--range-rows",
        "3",
    ]);
    assert_takes_seven_rows(&sync, "sync", 8 * MIB);
}

#[test]
fn rows_are_delivered_and_compared_one_at_a_time_where_they_are_large() {
    let size = 8 * MIB;
    let bed = bed(size);
    let targeted = |command: Command| {
        let target = bed.target_url();
        limited(command, 128).args(["--target", &target])
    };
    let sync = targeted(bed.sync("dbo.Huge", "demo.huge"));
    assert_takes_seven_rows(&sync.arg("--create-target"), "sync", size);
    let load = bed.load("demo.huge", "dbo.Again");
    let load = load.args(["--merge", "upsert", "--create-target"]);
    assert_takes_seven_rows(&load.args(["--memory-limit", "128MiB"]), "load", size);
    let verify = || targeted(bed.verify("dbo.Huge", "demo.huge"));
    assert_takes_seven_rows(&verify(), "verify", size);
    // Not one row agrees, and all are compared column by column.
    bed.target()
        .execute("UPDATE dbo.Huge SET Text = CONCAT('x', Text)");
    let (run, peak) = verify().counted();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(peak < ITSELF + 7 * size, "{} MiB of heap", peak / MIB);
}
