//! Strategies that change rows on their way to the lake.

use icehost_tests::{Bed, Command, Dump, assert_nowhere};

fn orders() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, TenantId int NULL, Email nvarchar(40) NOT NULL,
            Total decimal(18,2) NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.Orders VALUES (1, 7, N'ann@example.com', 10.50, '2026-01-01'), (2, 8, N'bob@other.org', NULL, '2026-01-01'),
            (3, 7, N'cy@example.com', 7, '2026-01-01'), (4, NULL, N'dee@other.org', 1, '2026-01-01')",
    );
    bed
}

fn sync(bed: &Bed, transforms: &[&str]) -> Command {
    bed.sync_to_target("dbo.Orders", "demo.orders")
        .arg("--create-target")
        .args(transforms.iter().copied())
}

const OF_SEVEN: [&str; 4] = [
    "--transform",
    "tenant-filter",
    "--transform-option",
    "tenants=7",
];

fn emails(bed: &Bed) -> Vec<Vec<String>> {
    bed.target_dump("dbo.Orders").assert_equals(
        &Dump::agreed(&bed.lake("demo.orders"), None),
        "target",
        "lake",
    );
    bed.target()
        .rows("SELECT Id, Email FROM dbo.Orders ORDER BY Id")
}

#[test]
fn what_is_masked_is_nowhere_in_the_lake() {
    let bed = orders();
    let mask = [
        "--transform",
        "mask",
        "--transform-option",
        "columns=email",
        "--transform-option",
        "until=@",
    ];
    assert_eq!(sync(&bed, &mask).json()["rows_inserted"], 4);
    assert_eq!(
        emails(&bed),
        [
            ["1", "***@example.com"],
            ["2", "***@other.org"],
            ["3", "**@example.com"],
            ["4", "***@other.org"]
        ]
    );
    assert_nowhere(&bed.lake("demo.orders"), &["ann@", "bob@", "cy@", "dee@"]);
    bed.source().execute(
        "UPDATE dbo.Orders SET Email = N'eve@x.org', Modified = '2026-01-02' WHERE Id = 2",
    );
    assert_eq!(sync(&bed, &mask).json()["rows_updated"], 1);
    assert_eq!(emails(&bed)[1], ["2", "***@x.org"]);
}

#[test]
fn rows_of_other_tenants_stay_out_and_those_that_go_over_to_them_go() {
    let bed = orders();
    let report = sync(&bed, &OF_SEVEN).json();
    assert_eq!(report["rows_extracted"], 4);
    assert_eq!(report["rows_inserted"], 2);
    assert_eq!(emails(&bed).len(), 2);
    assert_nowhere(&bed.lake("demo.orders"), &["bob@", "dee@"]);

    bed.source().execute(
        "UPDATE dbo.Orders SET TenantId = 8, Email = N'secret', Modified = '2026-01-02' WHERE Id = 3;
         UPDATE dbo.Orders SET TenantId = 7, Modified = '2026-01-02' WHERE Id = 4",
    );
    let report = sync(&bed, &OF_SEVEN).json();
    assert_eq!(report["rows_deleted"], 1, "{report}");
    assert_eq!(
        emails(&bed),
        [["1", "ann@example.com"], ["4", "dee@other.org"]]
    );
    assert_nowhere(&bed.lake("demo.orders"), &["secret"]);
    // What is dropped is read again, and dropped again.
    assert_eq!(sync(&bed, &OF_SEVEN).json()["snapshot_created"], false);

    // A run that drops everything changes nothing.
    bed.source()
        .execute("INSERT INTO dbo.Orders VALUES (5, 9, N'x', 1, '2026-01-03')");
    for _ in 0..2 {
        let report = sync(&bed, &OF_SEVEN).json();
        assert_eq!(report["snapshot_created"], false, "{report}");
    }
    assert_eq!(emails(&bed).len(), 2);
}

#[test]
fn an_appending_lake_takes_only_what_is_kept() {
    let bed = orders();
    let append = |bed: &Bed| {
        bed.sync("dbo.Orders", "demo.orders")
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .args(OF_SEVEN)
            .json()
    };
    assert_eq!(append(&bed)["rows_appended"], 2);
    bed.source()
        .execute("UPDATE dbo.Orders SET TenantId = 8, Modified = '2026-01-02' WHERE Id = 3");
    // That row and the one that was dropped before.
    let report = append(&bed);
    assert_eq!(report["rows_appended"], 0, "{report}");
    let lake = Dump::agreed(&bed.lake("demo.orders"), None);
    let before = "an appending table keeps what it has";
    assert!(format!("{lake:?}").contains("cy@example.com"), "{before}");
}

#[test]
fn several_are_applied_in_their_order_in_ranges_too() {
    let bed = orders();
    let mut both = OF_SEVEN[..2].to_vec();
    both.extend(["--transform", "mask", "--transform-option"]);
    both.extend(["tenant-filter:tenants=7", "--transform-option"]);
    both.extend(["mask:columns=Email", "--parallel", "2", "--range-rows", "1"]);
    let report = sync(&bed, &both).json();
    assert_eq!(report["rows_inserted"], 2, "{report}");
    assert!(report["ranges"].as_u64().unwrap() > 1, "{report}");
    assert_eq!(
        emails(&bed),
        [["1", "***************"], ["3", "**************"]]
    );
    let unclear = ["--transform-option", "character=#"];
    both.extend(unclear);
    sync(&bed, &both)
        .run()
        .failure(&["does not say which transformer", "NAME:KEY=VALUE"]);
}

#[test]
fn what_a_transformer_cannot_do_is_refused_before_anything_is_written() {
    let bed = orders();
    for (transform, option, says) in [
        ("mask", "columns=Id", "'Id' is int and not text"),
        ("mask", "columns=Nothing", "no column 'Nothing'"),
        ("mask", "colour=red", "does not take these options"),
        (
            "tenant-filter",
            "tenants=x",
            "'x' is no value of 'TenantId'",
        ),
        (
            "upsert",
            "keys=Id",
            "'upsert' is a merger, and a batch transformer is wanted",
        ),
        ("nothing", "a=b", "there is no strategy 'nothing'"),
    ] {
        bed.sync("dbo.Orders", "demo.orders")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--transform", transform, "--transform-option", option])
            .run()
            .failure(&[says, "hint"]);
        assert!(!bed.lake("demo.orders").exists(), "{transform} {option}");
    }
}

#[test]
fn a_first_load_that_was_begun_without_is_begun_again() {
    let bed = orders();
    let ranges = ["--parallel", "2", "--range-rows", "1"];
    sync(&bed, &ranges)
        .env("FAILPOINTS", "sync::range-read=2*off->return")
        .run()
        .failure(&["error"]);
    let with: Vec<&str> = OF_SEVEN.iter().chain(&ranges).copied().collect();
    let done = sync(&bed, &with).run().success();
    assert!(
        done.stderr.contains("the transformers changed"),
        "{}",
        done.stderr
    );
    assert_eq!(emails(&bed).len(), 2);
}

#[test]
fn tenants_of_one_file_each_have_their_own() {
    let bed = orders();
    let file = bed.path("icehost.toml");
    let text = format!(
        "[connections.source]\nurl = \"{}\"\nallow-inline-secret = true\n\n\
         [strategies.of-tenant]\nshipped = \"tenant-filter\"\noptions = {{ column = \"TenantId\" }}\n\n\
         [pipelines.orders]\ntenants = \"all\"\nsource = \"source\"\ntable = \"dbo.Orders\"\nwarehouse = \"lake\"\n\
         strategy = \"timestamp\"\nmerge = \"upsert\"\ntransform = [\"of-tenant\", \"mask\"]\n\
         transform-options = {{ mask = {{ columns = [\"Email\"], keep-first = 1 }} }}\n\n\
         [tenants.seven]\nlake-namespace = \"seven\"\ntransform-options = {{ of-tenant = {{ tenants = [\"7\"] }} }}\n\n\
         [tenants.eight]\nlake-namespace = \"eight\"\ntransform-options = {{ of-tenant = {{ tenants = [\"8\"] }} }}\n",
        bed.source_url()
    );
    let file_name = file.display().to_string();
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Command::new(["check", "--config", &file_name]).run()
    };
    check(&text.replace("mask = {", "musk = {"))
        .failure(&["'musk', which is not in 'transform'", "did you mean 'mask'"]);
    check(&text.replace("[\"Email\"]", "[\"Total\"]"))
        .failure(&["'Total' is decimal(18,2) and not text"]);
    check(&text.replace(
        "[\"of-tenant\", \"mask\"]",
        "[\"of-tenant\", \"upsert\", \"mask\"]",
    ))
    .failure(&["a batch transformer is wanted here"]);
    check(&text).success();
    Command::new(["sync", "--config", &file_name])
        .run()
        .success();
    let rows = |tenant: &str| {
        let lake = bed.path("lake").join(tenant).join("orders");
        format!("{:?}", Dump::agreed(&lake, None))
    };
    let (seven, eight) = (rows("seven"), rows("eight"));
    assert!(
        seven.contains("a**************") && !seven.contains("b************"),
        "{seven}"
    );
    assert!(
        eight.contains("b************") && !eight.contains("a**************"),
        "{eight}"
    );
}
