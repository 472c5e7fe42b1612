//! What is not to be in the lake never is.

use icehost_tests::{Bed, Command, Dump, assert_nowhere};

const KEY: &str = "a key for hashes, of some length";

fn people() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Email nvarchar(40) NULL, Phone varchar(20) NULL,
            Salary decimal(18,2) NULL, Country nvarchar(10) NOT NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.People VALUES (1, N'ann@example.com', '+41 44 123', 100, N'CH', '2026-01-01'),
            (2, NULL, NULL, NULL, N'FR', '2026-01-01'), (3, N'ann@example.com', '12', 7, N'DE', '2026-01-01')",
    );
    bed
}

fn sync(bed: &Bed) -> Command {
    bed.sync_to_target("dbo.People", "demo.people")
        .args([
            "--column-rule",
            "Email=hash",
            "--column-rule",
            "Phone=truncate:3",
        ])
        .args([
            "--column-rule",
            "Salary=null",
            "--column-rule",
            "Country=constant:EU",
        ])
        .args(["--hash-key-env", "HASH_KEY", "--create-target"])
        .env("HASH_KEY", KEY)
}

#[test]
fn values_are_hashed_cut_emptied_and_replaced_before_they_are_written() {
    let bed = people();
    assert_eq!(sync(&bed).json()["rows_inserted"], 3);
    let mut target = bed.target();
    let rows = target.rows("SELECT Id, Email, Phone, Salary, Country FROM dbo.People ORDER BY Id");
    let hash = rows[0][1].clone();
    assert_eq!(hash.len(), 64);
    assert_eq!(rows[0], ["1", &hash, "+41", "NULL", "EU"]);
    // Who reads the lake's schema is told what the columns hold.
    let metadata = bed.lake("demo.people").join("metadata");
    let metadata = icehost_tests::below(&metadata).into_iter();
    let metadata = metadata.filter(|file| file.to_string_lossy().ends_with(".metadata.json"));
    let text = std::fs::read_to_string(metadata.max().unwrap()).unwrap();
    let doc = "nvarchar(64), the hash of nvarchar(40)";
    assert!(text.contains(doc), "{text}");
    assert_eq!(rows[1], ["2", "NULL", "NULL", "NULL", "EU"]);
    assert_eq!(rows[2], ["3", &hash, "12", "NULL", "EU"]);
    bed.target_dump("dbo.People").assert_equals(
        &Dump::agreed(&bed.lake("demo.people"), None),
        "target",
        "lake",
    );
    // Neither in values nor in the bounds of manifests, nor the key anywhere.
    assert_nowhere(&bed.lake("demo.people"), &["ann@example", "44 123", KEY]);

    bed.source().execute(
        "UPDATE dbo.People SET Email = N'bob@example.com', Modified = '2026-01-02' WHERE Id = 3",
    );
    assert_eq!(sync(&bed).json()["rows_updated"], 1);
    let after = target.value("SELECT Email FROM dbo.People WHERE Id = 3");
    assert_eq!(after.len(), 64);
    assert_ne!(after, hash);
}

/// A detector that is not shown the column that it would go by must not take the next best one.
#[test]
fn a_cursor_with_a_rule_is_refused_whatever_else_could_be_taken() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Number int IDENTITY NOT NULL, Born date NULL,
            ModifiedDate datetime2 NOT NULL, Note nvarchar(20) NULL);
         INSERT INTO dbo.T (Id, Born, ModifiedDate, Note) VALUES (1, '2026-01-01', '2026-01-01', N'a');
         CREATE TABLE dbo.Two (Id int NOT NULL PRIMARY KEY, Born date NOT NULL, Died date NOT NULL);
         INSERT INTO dbo.Two VALUES (1, '2026-01-01', '2026-01-01')",
    );
    let sync = |table: &str, strategy: &str, rule: &str| {
        bed.sync(table, &table.to_lowercase())
            .args(["--strategy", strategy, "--merge", "upsert"])
            .args(["--column-rule", rule])
    };
    let by_modified = "ModifiedDate=constant:2026-01-01";
    for (table, strategy, rule, says) in [
        (
            "dbo.T",
            "timestamp",
            by_modified,
            "it would be 'ModifiedDate'",
        ),
        ("dbo.T", "id", "Number=constant:1", "it would be 'Number'"),
        // Without the rule nothing is obvious.
        (
            "dbo.Two",
            "timestamp",
            "Died=constant:2026-01-01",
            "it is not obvious",
        ),
    ] {
        let run = sync(table, strategy, rule).run();
        let run = run.failure(&[says, "hint: say in the options"]);
        assert!(!run.stderr.contains("its only date"), "{}", run.stderr);
        assert!(!bed.lake(&table.to_lowercase()).exists(), "{rule}");
        sync(table, strategy, rule)
            .arg("--dry-run")
            .run()
            .failure(&[says]);
    }
    // What the options say is no choice of the strategy's, and a rule for a column that it would not take hides nothing.
    sync("dbo.T", "timestamp", by_modified)
        .args([
            "--strategy-option",
            "column=Born",
            "--strategy-option",
            "nulls=every-run",
        ])
        .run()
        .success();
    let run = bed
        .verify("dbo.T", "dbo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--column-rule", by_modified])
        .run();
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(said.contains("it would be 'ModifiedDate'"), "{said}");
    sync("dbo.Two", "timestamp", "Died=constant:2026-01-01")
        .args(["--strategy-option", "column=Born"])
        .run()
        .success();
    bed.sync("dbo.T", "dbo.other")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args([
            "--column-rule",
            "Born=constant:2026-01-01",
            "--column-rule",
            "Number=constant:1",
        ])
        .run()
        .success();
}

#[test]
fn rules_that_a_column_cannot_have_are_refused_before_anything_is_written() {
    let bed = people();
    for (rule, says) in [
        ("Email=mask", "'mask' is no column rule"),
        ("Nothing=null", "there is no such column"),
        ("Id=constant:1", "it is part of the key"),
        ("Country=null", "it is NOT NULL"),
        ("Email=hash", "a hash without a key"),
    ] {
        bed.sync("dbo.People", "demo.people")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--column-rule", rule])
            .run()
            .failure(&[says, "hint"]);
        assert!(!bed.lake("demo.people").exists(), "{rule}");
    }
    let short = sync(&bed).env("HASH_KEY", "secret");
    let told = short.run().failure(&["has 6 bytes, and needs 16"]);
    assert!(!told.stderr.contains("secret"));
}

#[test]
fn the_same_in_ranges_and_from_a_file() {
    let bed = people();
    let file = bed.path("icehost.toml");
    std::fs::write(
        &file,
        format!(
            "[connections.source]\nurl = \"{}\"\nallow-inline-secret = true\n\n\
             [pipelines.people]\nsource = \"source\"\ntable = \"dbo.People\"\nwarehouse = \"lake\"\n\
             strategy = \"timestamp\"\nmerge = \"upsert\"\nrange-rows = 1\nhash-key-env = \"HASH_KEY\"\n\
             column-rules = {{ Email = \"hash\", Salary = \"null\" }}\n",
            bed.source_url()
        ),
    )
    .unwrap();
    let file_text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, file_text.replace("Salary = ", "Id = ")).unwrap();
    Command::new(["check", "--config", &file.display().to_string()])
        .env("HASH_KEY", KEY)
        .run()
        .failure(&["column 'Id' of dbo.People: it is part of the key"]);
    std::fs::write(&file, file_text).unwrap();
    let report = Command::new(["sync", "--config", &file.display().to_string()])
        .env("HASH_KEY", KEY)
        .json();
    assert!(
        report.to_string().contains("\"rows_extracted\":3"),
        "{report}"
    );
    let lake = Dump::agreed(&bed.path("lake").join("dbo/people"), None);
    let text = format!("{lake:?}");
    assert!(
        !text.contains("ann@example") && text.contains("CH"),
        "{text}"
    );
}

#[test]
fn what_is_left_of_a_char_is_carried_as_it_is_and_filled_up_by_a_target() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Codes (Id int NOT NULL PRIMARY KEY, Code char(6) NOT NULL, Wide nchar(6) NULL,
            Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.Codes VALUES (1, 'abc', N'äöü', '2026-01-01'), (2, 'abcdef', NULL, '2026-01-02')",
    );
    let sync = bed
        .sync_to_target("dbo.Codes", "demo.codes")
        .args(["--column-rule", "Code=truncate:2"])
        .args(["--column-rule", "Wide=truncate:2", "--create-target"]);
    assert_eq!(sync.clone().json()["rows_inserted"], 2);
    let lake = Dump::agreed(&bed.lake("demo.codes"), None).rows;
    assert!(lake[0].starts_with(r#"["1","ab","äö","#), "{lake:?}");
    assert!(lake[1].starts_with(r#"["2","ab",null,"#), "{lake:?}");
    let lengths = "SELECT Code + '|', Wide + N'|' FROM dbo.Codes ORDER BY Id";
    assert_eq!(
        bed.target().rows(lengths),
        [["ab    |", "äö    |"], ["ab    |", "NULL"]]
    );
    // The same row again is no other one.
    let again = sync.clone().json();
    assert_eq!(again["rows_appended"], 0, "{again}");
    sync.comparison().unwrap().run().success();
}
