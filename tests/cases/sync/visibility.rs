//! What a login is not shown of its source: masks, and rows behind a policy.

use icehost_tests::{Bed, Command, READER};

fn people() -> Bed {
    let bed = Bed::on_development_server();
    bed.source().execute(
        "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY,
            Email varchar(50) MASKED WITH (FUNCTION = 'email()') NULL,
            Changed datetime2(3) MASKED WITH (FUNCTION = 'default()') NOT NULL, Note nvarchar(9) NULL);
         INSERT INTO dbo.People VALUES (1, 'ann@example.com', '2026-01-31', N'a'), (2, NULL, '2026-02-01', NULL)",
    );
    bed
}

/// A sync whose login may only read.
fn as_reader(bed: &Bed, arguments: &[&str]) -> Command {
    let url = bed.source_url();
    let reader = url.replacen("mssql://sa:", &format!("mssql://{READER}:"), 1);
    assert_ne!(reader, url);
    Command::new(["sync", "--source", &reader, "--table", "dbo.People"])
        .args(["--warehouse", &bed.warehouse().display().to_string()])
        .args(["--lake-table", "demo.people", "--merge", "upsert"])
        .args(arguments.iter().copied())
}

#[test]
fn a_mask_is_never_taken_for_a_value_unless_the_user_says_so() {
    let bed = people();
    let all = ["--strategy", "full-refresh"];
    as_reader(&bed, &all).run().failure(&[
        "table dbo.People, column 'Email': the login is not shown its values but a mask",
        "GRANT UNMASK",
        "--exclude-columns 'Email'",
        "--allow-masked 'Email'",
    ]);
    as_reader(&bed, &[&all[..], &["--allow-masked", "Email"]].concat())
        .run()
        .failure(&["column 'Changed'"]);
    assert!(!bed.lake("demo.people").exists());

    let report = as_reader(
        &bed,
        &[&all[..], &["--allow-masked", "email,Changed"]].concat(),
    )
    .json();
    assert_eq!(report["rows_appended"], 2);
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("the login is shown masks instead of the values of 'Email', 'Changed'"),
        "{warnings}"
    );
}

#[test]
fn columns_that_are_masked_can_be_left_out_and_who_sees_them_carries_them() {
    let bed = people();
    let without = [
        "--strategy",
        "full-refresh",
        "--exclude-columns",
        "Email,Changed",
    ];
    assert_eq!(as_reader(&bed, &without).json()["rows_appended"], 2);
    // The owner of the database is shown everything.
    let report = bed
        .sync("dbo.People", "demo.all")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    assert_eq!(report["rows_appended"], 2);
    icehost_tests::Dump::agreed(&bed.lake("demo.all"), None).assert_equals(
        &bed.source_dump("dbo.People"),
        "lake",
        "source",
    );
}

#[test]
fn a_masked_cursor_and_a_masked_key_are_refused_always() {
    let bed = people();
    let cursor = [
        "--strategy",
        "timestamp",
        "--strategy-option",
        "column=Changed",
        "--allow-masked",
        "Email,Changed",
    ];
    as_reader(&bed, &cursor).run().failure(&[
        "column 'Changed': the login is not shown its values but a mask, and the change detector decides by it what to read",
        "GRANT UNMASK",
    ]);
    let keyed = [
        "--strategy",
        "full-refresh",
        "--merge-option",
        "keys=Email",
        "--allow-masked",
        "Email,Changed",
    ];
    as_reader(&bed, &keyed)
        .run()
        .failure(&["column 'Email'", "rows are found again by it"]);
    bed.source()
        .execute("ALTER TABLE dbo.People ALTER COLUMN Id ADD MASKED WITH (FUNCTION = 'default()')");
    let all = [
        "--strategy",
        "full-refresh",
        "--allow-masked",
        "Id,Email,Changed",
    ];
    as_reader(&bed, &all)
        .run()
        .failure(&["column 'Id'", "rows are found again by it"]);
}

#[test]
fn rows_that_a_policy_may_hide_are_not_taken_for_deleted() {
    let bed = Bed::on_development_server();
    let mut source = bed.source();
    source.execute(
        "CREATE TABLE dbo.Sales (Id int NOT NULL PRIMARY KEY, Region nvarchar(9) NOT NULL);
         INSERT INTO dbo.Sales VALUES (1, N'east'), (2, N'west')",
    );
    let sync = |more: &[&str]| {
        bed.sync("dbo.Sales", "demo.sales")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--merge-option", "delete-missing=true"])
            .args(more.iter().copied())
    };
    sync(&[]).json();
    source.execute("CREATE SCHEMA rls");
    source.execute(
        "CREATE FUNCTION rls.allowed (@region AS nvarchar(9)) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok WHERE @region = N'east'",
    );
    source.execute(
        "CREATE SECURITY POLICY rls.regions ADD FILTER PREDICATE rls.allowed(Region) ON dbo.Sales WITH (STATE = ON)",
    );
    sync(&[]).run().failure(&[
        "security policy regions may hide rows of dbo.Sales from the login, and rows that are not found would be deleted",
        "--allow-row-filter",
    ]);
    // Who says that every row is seen is believed, and warned.
    let report = sync(&["--allow-row-filter"]).json();
    assert_eq!(report["rows_removed"], 2, "{report}");
    assert_eq!(report["rows_appended"], 1, "{report}");
    assert!(report["warnings"].to_string().contains("may hide rows"));
    source.execute("ALTER SECURITY POLICY rls.regions WITH (STATE = OFF)");
    assert_eq!(sync(&[]).json()["rows_appended"], 2);
}
