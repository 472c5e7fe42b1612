//! Microsoft's own T-SQL parser: every snapshot of a lowering passes, and the judge can say no.
//!
//! What the end-to-end cases send is judged by tests/run.sh, after them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use icehost_tests::Bed;

/// Runs the judge on a text; its exit code and what it prints.
fn judge(arguments: &[&str], stdin: &str) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/tsql.sh");
    let mut child = Command::new(&script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn every_snapshot_of_a_lowering_is_t_sql() {
    let (code, said) = judge(&["snapshots"], "");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_is_not_t_sql_is_told_with_grammar_and_place() {
    for (batch, faults) in [
        (
            "SELECT [Id]\nFROM WHERE 1 = 1",
            ["2016: 2:6: ", "2017: 2:6: ", "2019: 2:6: ", "Azure: 2:6: "].as_slice(),
        ),
        ("SELECT [Id] FROM [T] WHERE [Id] == 1", &["2016: 1:34: "]),
        (
            "MERGE [T] AS T USING [S] AS S ON 1 = 1 WHEN MATCHED THEN",
            &["Azure: "],
        ),
        // Newer than the newest grammar
        ("SELECT 1 WHERE 1 IS NOT DISTINCT FROM 2", &["2019: 1:25: "]),
        ("DECLARE @a int = 1, @a", &["2017: "]),
    ] {
        let (code, said) = judge(&["batch"], batch);
        assert_eq!(code, Some(1), "{batch}\n{said}");
        for fault in faults {
            assert!(said.contains(fault), "{fault}\n{said}");
        }
    }
    // In SQL Server 2017 and later
    let (code, said) = judge(
        &["batch"],
        "SELECT STRING_AGG([a], ',') WITHIN GROUP (ORDER BY [a]) FROM [T]",
    );
    assert_eq!(code, Some(1));
    assert!(
        said.contains("2016: ") && !said.contains("2017: "),
        "{said}"
    );
}

#[test]
fn what_development_servers_are_sent_is_judged_with_its_declarations() {
    let directory = tempfile::tempdir().unwrap();
    let record = |file: &str, declarations: &str, text: &str| {
        let record = format!(
            "{} {}\n{declarations}{text}",
            declarations.len(),
            text.len()
        );
        std::fs::write(directory.path().join(file), record).unwrap();
    };
    let judge = |more: &[&str]| {
        let path = directory.path().display().to_string();
        judge(&[&["cases", path.as_str()], more].concat(), "")
    };
    record("a", "", "SELECT N'é' FROM [T]");
    record("b", "@P1 int,@P2 nvarchar(10) OUTPUT", "SELECT @P1");
    assert_eq!(
        judge(&[]),
        (Some(0), "3 statements judged, 0 with faults\n".to_owned())
    );
    let (code, said) = judge(&["4"]);
    assert_eq!(
        code,
        Some(1),
        "too few: the recording does not work\n{said}"
    );

    record("c", "@P1 int,@P2", "SELECT @P1");
    let (code, said) = judge(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("declared, c"), "{said}");
}

#[test]
fn all_that_a_sync_sends_is_t_sql() {
    let bed = Bed::on_development_server();
    bed.source()
        .execute("CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Changed datetime2(3) NOT NULL)");
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (1, '2026-01-01'), (2, '2026-01-02')");
    bed.sync_to_target("dbo.T", "demo.t")
        .arg("--create-target")
        .run()
        .success();
    let sent = bed.server().statistics().statements_seen();
    assert!(sent.len() > 20, "{sent:?}");
    let directory = tempfile::tempdir().unwrap();
    let records: String = sent
        .iter()
        .map(|text| format!("0 {}\n{text}", text.len()))
        .collect();
    std::fs::write(directory.path().join("sent"), records).unwrap();
    let (code, said) = judge(
        &["cases", &directory.path().display().to_string(), "20"],
        "",
    );
    assert_eq!(code, Some(0), "{said}");
}
