//! Files of the lake that are small and hold, or say that they hold, more than there is memory for: refused by name,
//! before memory is taken.

use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use icehost_tests::maintenance::newest_version;
use icehost_tests::{Bed, Command, python_script, python_text};

use crate::foreign::foreign_table;

const MIB: u64 = 1 << 20;
/// A run that reads nothing of the lake's rows.
const ITSELF: u64 = 24 * MIB;

#[track_caller]
fn assert_refused(command: &Command, most: u64, told: &[&str]) {
    let (run, peak) = command.counted();
    run.failure(told);
    assert!(peak < most, "{} MiB of heap for {told:?}", peak / MIB);
}

/// A table of one row, and where its data file is.
fn table() -> (Bed, PathBuf) {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V nvarchar(max) NULL);
         INSERT INTO dbo.T VALUES (1, N'one')",
    );
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "full-refresh", "--merge", "append-only"])
        .json();
    let file = files(&bed.lake("demo.t"), "parquet");
    let [file] = file.as_slice() else {
        panic!("{file:?}")
    };
    (bed, file.clone())
}

fn files(table: &Path, kind: &str) -> Vec<PathBuf> {
    let files = icehost_tests::below(table).into_iter();
    let kind = Some(std::ffi::OsStr::new(kind));
    files.filter(|file| file.extension() == kind).collect()
}

fn load(bed: &Bed, lake_table: &str) -> Command {
    bed.load(lake_table, "dbo.Loaded")
        .args(["--merge", "append-only", "--create-target"])
        .args(["--retries", "0"])
}

#[test]
fn a_file_with_more_than_there_is_memory_for_is_refused_before_it_is_unpacked() {
    let (bed, file) = table();
    for (kind, told, limit) in [
        ("value", "a row that takes 513 MiB", "4819MiB"),
        ("page", "pages that take 196 MiB", "301MiB"),
        ("dictionary", "pages that take 201 MiB", "307MiB"),
    ] {
        let arguments = [kind.to_owned(), file.display().to_string()];
        let size = python_script("readers/write_bomb.py", &arguments);
        assert!(size.trim().parse::<u64>().unwrap() < MIB, "{kind}: {size}");
        let limited = load(&bed, "demo.t").args(["--memory-limit", "96MiB"]);
        let name = file.file_name().unwrap().to_str().unwrap();
        let hint = format!("give the run a --memory-limit of {limit} or more");
        assert_refused(&limited, ITSELF, &[told, name, "demo.t", &hint]);
        if kind == "value" {
            // Without a limit there is one too.
            let told = ["a row that takes 513 MiB", "there is memory for 256"];
            assert_refused(&load(&bed, "demo.t"), ITSELF, &told);
        }
    }
}

/// The end of a Parquet file: a footer and its length.
fn ending(footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", footer, &length, b"PAR1"].concat()
}

#[test]
fn a_footer_that_says_more_than_it_holds_is_refused_before_room_is_made_for_it() {
    let (bed, file) = table();
    let limited = load(&bed, "demo.t").args(["--memory-limit", "96MiB"]);
    // A version, and two thousand million parts of a schema, or ten million row groups that are there.
    let says = [0x15, 4, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0, 0];
    fs::write(&file, ending(&says)).unwrap();
    let told = ["its footer ends before what it says to hold", "demo.t"];
    assert_refused(&limited, ITSELF, &told);
    let mut groups = vec![0x15, 4, 0x29, 0xfc, 0x80, 0xad, 0xe2, 4];
    groups.resize(groups.len() + 10_000_000, 0);
    fs::write(&file, ending(&groups)).unwrap();
    let told = ["its footer has more than 4000000 entries", "demo.t"];
    assert_refused(&limited, ITSELF + 10 * MIB, &told);
    // As long as a disk has room, and of which nothing is written.
    let mut large = fs::File::create(&file).unwrap();
    large.set_len(1 << 30).unwrap();
    large.seek(std::io::SeekFrom::End(0)).unwrap();
    let length = (1u32 << 30) - 100;
    large.write_all(&length.to_le_bytes()).unwrap();
    large.write_all(b"PAR1").unwrap();
    drop(large);
    let told = ["its footer has more than 67108864 bytes", "demo.t"];
    assert_refused(&limited, ITSELF, &told);
}

/// Text for Python that packs zeros, so many MiB of them.
fn packed(packer: &str, mib: u64, path: &Path, before: &str) {
    let told = python_text(&format!(
        "import zlib
packer = {packer}
packed = b''.join(packer.compress(bytes(1 << 20)) for _ in range({mib})) + packer.flush()
def long(value):
    value <<= 1
    out = b''
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])
open({:?}, 'wb').write({before})
print(len(packed))",
        path.display().to_string()
    ));
    assert!(told.trim().parse::<u64>().unwrap() < 2 * MIB, "{told}");
}

#[test]
fn metadata_that_unpack_to_more_than_is_read_are_refused_before_they_are() {
    let bed = Bed::new();
    foreign_table(&bed, &[]);
    let table = bed.lake("foreign.people");
    // All manifests, whichever the newest snapshot has.
    for manifest in files(&table, "avro") {
        let name = manifest.file_name().unwrap().to_str().unwrap();
        if name.starts_with("snap-") {
            continue;
        }
        packed(
            "zlib.compressobj(9, zlib.DEFLATED, -15)",
            1025,
            &manifest,
            r"b'Obj\x01\x02' + long(10) + b'avro.codec' + long(7) + b'deflate' + b'\x00' + b'm' * 16 + long(1) + long(len(packed)) + packed + b'm' * 16",
        );
    }
    let load = load(&bed, "foreign.people").args(["--memory-limit", "96MiB"]);
    let told = ["the manifest ", "it has more than 1073741824 bytes"];
    assert_refused(&load, ITSELF, &told);

    let (_, newest) = newest_version(&table);
    let gzip = "zlib.compressobj(9, zlib.DEFLATED, 31)";
    packed(gzip, 513, &newest, "packed");
    let told = ["table metadata", "it has more than 536870912 bytes"];
    assert_refused(&load, ITSELF, &told);
}

/// In the file it stands once, and in a batch as often as there are rows.
#[test]
fn a_large_value_that_rows_have_in_common_keeps_the_memory_limit() {
    const LIMIT: u64 = 96;
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V nvarchar(max) NULL);
         INSERT INTO dbo.T SELECT value, CASE WHEN value <= 1000 THEN N'' ELSE REPLICATE(CAST(N'abcdefgh' AS nvarchar(max)), 5000) END
         FROM GENERATE_SERIES(1, 2500)",
    );
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "full-refresh", "--merge", "append-only"])
        .json();
    let [file] = files(&bed.lake("demo.t"), "parquet")
        .try_into()
        .unwrap_or_else(|files| panic!("{files:?}"));
    assert!(fs::metadata(&file).unwrap().len() < MIB);
    let limited = load(&bed, "demo.t").args(["--memory-limit", &format!("{LIMIT}MiB")]);
    let (run, peak) = limited.counted();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(peak < LIMIT * MIB * 3 / 4, "{} MiB of heap", peak / MIB);
    let rows = "SELECT CONCAT(COUNT(*), ' ', SUM(LEN(V)), ' ', MIN(V)) FROM dbo.Loaded";
    assert_eq!(bed.target().value(rows), format!("2500 {} ", 1500 * 40_000));
}
