//! A key that is spelled anew, and is the same for source and target: the target's row has the new spelling, whatever the
//! merge does with rows that are there.

use icehost_tests::Bed;

/// A key's type, two spellings of one, and what the target's table has beside the source's columns.
const KEYS: [[&str; 3]; 4] = [
    ["varchar(20)", "'ann'", "'Ann'"],
    ["varchar(20)", "'ann'", "'ann '"],
    ["varbinary(20)", "0x01", "0x0100"],
    ["nvarchar(20) COLLATE Latin1_General_CI_AS", "N'é'", "N'É'"],
];

const MERGES: [(&str, &[&str], &str, &str); 4] = [
    ("upsert", &[], ", PRIMARY KEY (K)", ""),
    (
        "soft-delete",
        &[],
        ", IsDeleted bit NOT NULL, PRIMARY KEY (K)",
        " WHERE IsDeleted = 0",
    ),
    (
        "scd2",
        &[],
        ", ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL",
        " WHERE ValidTo IS NULL",
    ),
    (
        "scd2",
        &["--merge-option", "from=M"],
        ", ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL",
        " WHERE ValidTo IS NULL",
    ),
];

#[test]
fn a_key_that_is_spelled_anew_is_written_by_every_merge() {
    for [kind, one, other] in KEYS {
        for (merge, options, own, counts) in MERGES {
            let bed = Bed::new();
            let columns = format!("K {kind} NOT NULL, N varchar(9) NULL, M datetime2(3) NOT NULL");
            bed.source().execute(&format!(
                "CREATE TABLE dbo.T ({columns}, PRIMARY KEY (K));
                 INSERT INTO dbo.T VALUES ({one}, 'a', '2026-01-01')"
            ));
            bed.target()
                .execute(&format!("CREATE TABLE dbo.T ({columns}{own})"));
            let sync = || {
                bed.sync("dbo.T", "demo.t")
                    .args(["--strategy", "full-refresh", "--lake-merge", "upsert"])
                    .args(["--merge", merge, "--target", &bed.target_url()])
                    .args(options.iter().copied())
                    .json()
            };
            let assert_equal = |what: &str| {
                let rows = |filter: &str| {
                    format!(
                        "SELECT CONVERT(varchar(100), CONVERT(varbinary(50), K), 1), \
                         CONVERT(varchar(100), CONVERT(varbinary(50), N), 1) FROM dbo.T{filter}"
                    )
                };
                assert_eq!(
                    bed.target().rows(&rows(counts)),
                    bed.source().rows(&rows("")),
                    "{what}: {kind}, {merge} {options:?}"
                );
            };
            sync();
            bed.source()
                .execute(&format!("UPDATE dbo.T SET K = {other}"));
            sync();
            assert_equal("the key alone");
            bed.source()
                .execute(&format!("UPDATE dbo.T SET K = {one}, M = '2026-02-01'"));
            sync();
            assert_equal("with the time");
            bed.source().execute("UPDATE dbo.T SET N = 'A'");
            sync();
            assert_equal("another column");
            if merge == "scd2" {
                let current = bed
                    .target()
                    .value("SELECT COUNT(*) FROM dbo.T WHERE ValidTo IS NULL");
                assert_eq!(current, "1");
            }
        }
    }
}
