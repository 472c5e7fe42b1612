//! INSERT, UPDATE, DELETE, MERGE, OUTPUT, triggers, identity, constraints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use kit::Kit;

fn items() -> Kit {
    let mut kit = Kit::new();
    kit.run(
        "CREATE TABLE dbo.Items (
            Id int NOT NULL, Name nvarchar(20) NOT NULL, Price money NULL, Stamp rowversion,
            Created datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Total AS (Price * 2),
            CONSTRAINT PK_Items PRIMARY KEY CLUSTERED (Id), CONSTRAINT UQ_Name UNIQUE (Name), CONSTRAINT CK_Price CHECK (Price >= 0))",
    );
    kit.run("INSERT INTO Items (Id, Name, Price) VALUES (1, N'one', 1.5), (2, N'two', 2), (3, N'three', NULL)");
    kit
}

#[test]
fn insert_forms() {
    let mut kit = items();
    assert_eq!(
        kit.rows("SELECT Id, CONVERT(varchar(10), Total) FROM Items ORDER BY Id"),
        ["1|3.00", "2|4.00", "3|NULL"]
    );
    let done = kit
        .run("INSERT Items (Id, Name) SELECT Id + 10, Name + N'x' FROM Items")
        .done;
    assert_eq!(done[0].rows, Some(3));
    assert_eq!(
        kit.rows(
            "INSERT INTO Items (Id, Name) OUTPUT inserted.Id, inserted.Name VALUES (20, N'out')"
        ),
        ["20|out"]
    );
    assert_eq!(kit.error("INSERT INTO Items (Id, Name) VALUES (30)"), 109);
    assert_eq!(
        kit.error("INSERT INTO Items (Id, Nope) VALUES (30, 1)"),
        207
    );
    assert_eq!(
        kit.error("INSERT INTO Items (Id, Name, Total) VALUES (30, N'a', 1)"),
        271
    );
    assert_eq!(
        kit.error("INSERT INTO Items (Id, Name, Stamp) VALUES (30, N'a', 0x01)"),
        273
    );
    assert_eq!(kit.error("INSERT INTO Nope VALUES (1)"), 208);
}

#[test]
fn constraint_errors_name_what_broke() {
    let mut kit = items();
    let failures: Vec<String> = [
        "INSERT INTO Items (Id, Name) VALUES (1, N'again')",
        "INSERT INTO Items (Id, Name) VALUES (9, N'ONE ')",
        "INSERT INTO Items (Id, Name, Price) VALUES (9, N'neg', -1)",
        "INSERT INTO Items (Id, Name) VALUES (9, NULL)",
        "INSERT INTO Items (Id, Name) VALUES (9, N'a name that is far too long')",
        "UPDATE Items SET Name = NULL WHERE Id = 1",
        "UPDATE Items SET Stamp = 0x00",
        "UPDATE Items SET Id = 2 WHERE Id = 1",
        "INSERT INTO Items (Id, Name) VALUES (99999999999, N'a')",
        "INSERT INTO Items (Id, Name) VALUES ('x', N'a')",
    ]
    .into_iter()
    .map(|sql| kit.failure(sql).to_string())
    .collect();
    insta::assert_debug_snapshot!(failures);
    assert_eq!(kit.value("SELECT COUNT(*) FROM Items"), "3");
}

#[test]
fn statements_are_atomic_and_keys_may_swap() {
    let mut kit = items();
    assert_eq!(
        kit.error("UPDATE Items SET Id = CASE WHEN Id < 3 THEN Id + 1 ELSE Id END"),
        2627
    );
    assert_eq!(
        kit.rows("SELECT Id FROM Items ORDER BY Id"),
        ["1", "2", "3"]
    );
    kit.run("UPDATE Items SET Id = 4 - Id");
    assert_eq!(
        kit.rows("SELECT Id, Name FROM Items ORDER BY Id"),
        ["1|three", "2|two", "3|one"]
    );
    assert_eq!(
        kit.error("INSERT INTO Items (Id, Name) VALUES (50, N'fifty'), (1, N'dup')"),
        2627
    );
    assert_eq!(kit.value("SELECT COUNT(*) FROM Items WHERE Id = 50"), "0");
    kit.run("UPDATE Items SET Id = Id + 1");
    assert_eq!(kit.value("SELECT Name FROM Items WHERE Id = 4"), "one");
}

#[test]
fn update_and_delete_with_from() {
    let mut kit = items();
    kit.run("CREATE TABLE #s (Id int PRIMARY KEY, Name nvarchar(20)); INSERT #s VALUES (1, N'uno'), (3, N'tres'), (7, N'x')");
    let done = kit.run("UPDATE t SET t.Name = s.Name, Price = 9 FROM dbo.Items AS t INNER JOIN #s AS s ON s.Id = t.Id").done;
    assert_eq!(done[0].rows, Some(2));
    assert_eq!(
        kit.rows("SELECT Name FROM Items ORDER BY Id"),
        ["uno", "two", "tres"]
    );
    assert_eq!(kit.rows("DELETE t OUTPUT deleted.Id, s.Name FROM Items t JOIN #s s ON s.Id = t.Id WHERE t.Id > 1"), ["3|tres"]);
    assert_eq!(kit.rows("UPDATE Items SET Price += 1 OUTPUT deleted.Id, CAST(deleted.Price AS int), CAST(inserted.Price AS int) WHERE Id = 1"), ["1|9|10"]);
    kit.run("DELETE FROM Items WHERE Id IN (SELECT Id FROM #s)");
    assert_eq!(kit.rows("SELECT Id FROM Items"), ["2"]);
    kit.run("INSERT INTO Items (Id, Name) SELECT s.Id, s.Name FROM #s s WHERE NOT EXISTS (SELECT 1 FROM Items t WHERE t.Id = s.Id)");
    assert_eq!(kit.value("SELECT COUNT(*) FROM Items"), "4");
}

#[test]
fn merge_does_all_three() {
    let mut kit = items();
    kit.run("CREATE TABLE #s (Id int PRIMARY KEY, Name nvarchar(20) NOT NULL); INSERT #s VALUES (1, N'uno'), (9, N'nine')");
    assert_eq!(
        kit.rows(
            "MERGE INTO dbo.Items WITH (HOLDLOCK) AS T USING #s AS S ON T.Id = S.Id
             WHEN MATCHED AND T.Name <> S.Name THEN UPDATE SET Name = S.Name
             WHEN NOT MATCHED BY TARGET THEN INSERT (Id, Name) VALUES (S.Id, S.Name)
             WHEN NOT MATCHED BY SOURCE AND T.Id = 3 THEN DELETE
             OUTPUT $action, inserted.Id, deleted.Id, deleted.Name;"
        ),
        [
            "UPDATE|1|1|one",
            "INSERT|9|NULL|NULL",
            "DELETE|NULL|3|three"
        ]
    );
    assert_eq!(
        kit.rows("SELECT Id, Name FROM Items ORDER BY Id"),
        ["1|uno", "2|two", "9|nine"]
    );
    assert_eq!(
        kit.error("MERGE Items AS T USING #s AS S ON T.Id = S.Id WHEN MATCHED THEN DELETE"),
        10713
    );
    assert_eq!(
        kit.error("MERGE Items AS T USING (SELECT 1 AS Id UNION ALL SELECT 1) AS S ON T.Id = S.Id WHEN MATCHED THEN UPDATE SET Price = 1;"),
        8672
    );
    kit.run("CREATE TABLE #log (act nvarchar(10), id int); MERGE Items AS T USING (VALUES (2), (5)) AS S(Id) ON T.Id = S.Id WHEN MATCHED THEN UPDATE SET Price = 3 WHEN NOT MATCHED THEN INSERT (Id, Name) VALUES (S.Id, CONCAT(N'n', S.Id)) OUTPUT $action, inserted.Id INTO #log (act, id);");
    assert_eq!(
        kit.rows("SELECT act, COUNT(*) FROM #log GROUP BY act ORDER BY act"),
        ["INSERT|1", "UPDATE|1"]
    );
}

#[test]
fn identity_rules() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE a (id int IDENTITY(10,5) PRIMARY KEY, v int); CREATE TABLE b (id int IDENTITY PRIMARY KEY, v int)");
    kit.run("INSERT a VALUES (1), (2)");
    assert_eq!(kit.rows("SELECT id FROM a ORDER BY id"), ["10", "15"]);
    assert_eq!(kit.value("SELECT SCOPE_IDENTITY()"), "15");
    assert_eq!(kit.error("INSERT a (id, v) VALUES (1, 1)"), 544);
    kit.run("SET IDENTITY_INSERT a ON; INSERT a (id, v) VALUES (100, 1)");
    let failure = kit.failure("SET IDENTITY_INSERT b ON");
    assert_eq!(
        (failure.number, failure.message.contains("'test.dbo.a'")),
        (8107, true)
    );
    assert_eq!(kit.error("INSERT a (v) VALUES (1)"), 545);
    kit.run("SET IDENTITY_INSERT a OFF; INSERT a VALUES (3)");
    assert_eq!(kit.value("SELECT MAX(id) FROM a"), "105");
    assert_eq!(kit.value("SELECT IDENT_CURRENT('a')"), "105");
    assert_eq!(kit.error("UPDATE a SET id = 1"), 8102);
    kit.run("BEGIN TRAN; INSERT a VALUES (4); ROLLBACK; INSERT a VALUES (5)");
    assert_eq!(kit.value("SELECT MAX(id) FROM a"), "115");
    kit.run("TRUNCATE TABLE a; INSERT a VALUES (6)");
    assert_eq!(kit.rows("SELECT id FROM a"), ["10"]);
}

#[test]
fn triggers_see_what_changed() {
    let mut kit = items();
    kit.run(
        "CREATE TABLE audit (n int IDENTITY, what varchar(10), old nvarchar(20), new nvarchar(20))",
    );
    kit.run(
        "CREATE TRIGGER tr_items ON dbo.Items AFTER INSERT, UPDATE, DELETE AS
         BEGIN
            SET NOCOUNT ON;
            INSERT INTO audit (what, old, new)
            SELECT CASE WHEN d.Id IS NULL THEN 'ins' WHEN i.Id IS NULL THEN 'del' ELSE 'upd' END, d.Name, i.Name
            FROM inserted i FULL JOIN deleted d ON d.Id = i.Id;
         END",
    );
    kit.run("INSERT Items (Id, Name) VALUES (4, N'four'); UPDATE Items SET Name = N'FOUR!' WHERE Id = 4; DELETE Items WHERE Id = 4");
    assert_eq!(
        kit.rows("SELECT what, old, new FROM audit ORDER BY n"),
        ["ins|NULL|four", "upd|four|FOUR!", "del|FOUR!|NULL"]
    );
    assert_eq!(
        kit.error("INSERT Items (Id, Name) OUTPUT inserted.Id VALUES (5, N'five')"),
        334
    );
    kit.run("CREATE TABLE #o (id int); INSERT Items (Id, Name) OUTPUT inserted.Id INTO #o VALUES (5, N'five')");
    assert_eq!(kit.rows("SELECT id FROM #o"), ["5"]);
    assert_eq!(
        kit.value("SELECT name FROM sys.triggers WHERE parent_id = OBJECT_ID('dbo.Items')"),
        "tr_items"
    );
    kit.run("DISABLE TRIGGER tr_items ON dbo.Items; DELETE Items WHERE Id = 5");
    assert_eq!(kit.value("SELECT COUNT(*) FROM audit"), "4");
}

#[test]
fn rowversion_grows_with_every_write() {
    let mut kit = items();
    let before = kit.value("SELECT MAX(Stamp) FROM Items");
    kit.run("UPDATE Items SET Price = 1 WHERE Id = 1");
    let after = kit.value("SELECT MAX(Stamp) FROM Items");
    assert!(after > before, "{before} {after}");
    assert_eq!(
        kit.value("SELECT CASE WHEN MIN_ACTIVE_ROWVERSION() = @@DBTS + 1 THEN 1 ELSE 0 END"),
        "1"
    );
    let mut other = kit.other();
    kit::run(
        &mut other,
        "BEGIN TRAN; UPDATE Items SET Price = 2 WHERE Id = 2",
    );
    kit.run("CREATE TABLE z (id int, rv rowversion); INSERT z (id) VALUES (1)");
    assert_eq!(
        kit.value(
            "SELECT CASE WHEN MIN_ACTIVE_ROWVERSION() < (SELECT MAX(rv) FROM z) THEN 1 ELSE 0 END"
        ),
        "1"
    );
    kit::run(&mut other, "COMMIT");
    assert_eq!(
        kit.value(
            "SELECT CASE WHEN MIN_ACTIVE_ROWVERSION() > (SELECT MAX(rv) FROM z) THEN 1 ELSE 0 END"
        ),
        "1"
    );
}

#[test]
fn altering_tables() {
    let mut kit = items();
    kit.run("ALTER TABLE Items ADD Extra int NOT NULL CONSTRAINT DF_Extra DEFAULT 5, Note varchar(5) NULL");
    assert_eq!(
        kit.rows("SELECT Extra, Note FROM Items WHERE Id = 1"),
        ["5|NULL"]
    );
    kit.run("ALTER TABLE Items ALTER COLUMN Note nvarchar(10) NULL");
    assert_eq!(kit.error("ALTER TABLE Items DROP COLUMN Extra"), 5074);
    kit.run("ALTER TABLE Items DROP CONSTRAINT DF_Extra; ALTER TABLE Items DROP COLUMN Extra");
    assert_eq!(kit.error("SELECT Extra FROM Items"), 207);
    kit.run(
        "ALTER TABLE Items DROP CONSTRAINT UQ_Name; INSERT Items (Id, Name) VALUES (8, N'one')",
    );
    assert_eq!(kit.error("CREATE UNIQUE INDEX ux ON Items (Name)"), 1505);
    kit.run("CREATE INDEX ix ON Items (Name DESC) INCLUDE (Price)");
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM sys.indexes WHERE object_id = OBJECT_ID('Items')"),
        "2"
    );
}
