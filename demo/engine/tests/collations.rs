//! When two texts are one: case, accent, kana, width, the two `i`, blanks; and when nobody can say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use kit::Kit;

const DOUBT: u32 = 50107;

fn equal(kit: &mut Kit, a: &str, b: &str, collation: &str) -> Option<bool> {
    let collected = kit.try_run(&format!(
        "SELECT IIF({a} = {b} COLLATE {collation}, 1, 0), IIF({b} = {a} COLLATE {collation}, 1, 0)"
    ));
    if let Some(error) = collected.errors.first() {
        assert_eq!(
            error.number, DOUBT,
            "{a} = {b} COLLATE {collation}: {error}"
        );
        return None;
    }
    let row: Vec<_> = collected.sets[0].rows[0].iter().map(kit::show).collect();
    assert_eq!(row[0], row[1], "{a} = {b} COLLATE {collation}");
    Some(row[0] == "1")
}

#[test]
fn flags_say_which_differences_count() {
    let mut kit = Kit::new();
    let collations = [
        "Latin1_General_CI_AS",
        "Latin1_General_CS_AS",
        "Latin1_General_100_CI_AI",
        "Latin1_General_CS_AI",
        "Latin1_General_CI_AS_KS",
        "Latin1_General_CI_AS_WS",
        "Latin1_General_100_CS_AS_KS_WS_SC",
        "Latin1_General_BIN2",
        "SQL_Latin1_General_CP1_CI_AS",
    ];
    for (a, b, expected) in [
        ("N'abc'", "N'ABC'", "101011001"),
        ("N'é'", "N'É'", "101011001"),
        ("N'é'", "N'e'", "001100000"),
        ("N'É'", "N'e'", "001000000"),
        ("N'ж'", "N'Ж'", "101011001"),
        ("N'か'", "N'カ'", "111101001"),
        ("N'カ'", "N'ｶ'", "111110001"),
        ("N'か'", "N'ｶ'", "111100001"),
        ("N'Ａ'", "N'A'", "111110001"),
        ("N'ａ'", "N'A'", "101010001"),
        ("N'３'", "N'3'", "111110001"),
        ("N'³'", "N'3'", "111110001"),
        ("N'a'", "N'a  '", "111111111"),
        ("N' a'", "N'a'", "000000000"),
        ("N'ı'", "N'I'", "0?0?00000"),
        ("N'ı'", "N'i'", "0?0?00000"),
        ("N'漢'", "N'字'", "000000000"),
        ("N'co-op'", "N'coop'", "000000000"),
    ] {
        for (collation, flag) in collations.iter().zip(expected.chars()) {
            // A dotless i without its dot's accent: nobody says.
            if flag == '?' || a == "N'ı'" && collation.contains("_AI") {
                continue;
            }
            assert_eq!(
                equal(&mut kit, a, b, collation),
                Some(flag == '1'),
                "{a} and {b} under {collation}"
            );
        }
    }
}

#[test]
fn turkish_and_azeri_have_two_letters_i() {
    let mut kit = Kit::new();
    for collation in [
        "Turkish_CI_AS",
        "Turkish_100_CI_AS",
        "Azeri_Latin_100_CI_AS_SC",
    ] {
        for (a, b, expected) in [
            ("N'kir'", "N'KIR'", false),
            ("N'kır'", "N'KIR'", true),
            ("N'kir'", "N'KİR'", true),
            ("N'kır'", "N'kir'", false),
            ("N'ÇĞ'", "N'çğ'", true),
        ] {
            assert_eq!(
                equal(&mut kit, a, b, collation),
                Some(expected),
                "{a} and {b} under {collation}"
            );
        }
    }
    kit.run("CREATE TABLE t (k nvarchar(10) COLLATE turkish_ci_as NOT NULL PRIMARY KEY); INSERT t VALUES (N'kir'), (N'KIR')");
    assert_eq!(kit.error("INSERT t VALUES (N'KİR')"), 2627);
    assert_eq!(kit.value("SELECT k FROM t WHERE k = N'kır'"), "KIR");
    assert_eq!(
        kit.value("SELECT collation_name FROM sys.columns WHERE object_id = OBJECT_ID('t')"),
        "Turkish_CI_AS"
    );
}

#[test]
fn what_nobody_can_say_is_refused() {
    let mut kit = Kit::new();
    let collation = "Latin1_General_CI_AS";
    for (a, b) in [
        ("N'straße'", "N'STRASSE'"),
        ("N'æ'", "N'ae'"),
        ("N'ﬁn'", "N'fin'"),
        ("N'ſ'", "N's'"),
        ("N'σ'", "N'ς'"),
        ("N'a' + NCHAR(0x200B)", "N'a'"),
        ("N'e' + NCHAR(0x301)", "N'é'"),
        ("N'a' + NCHAR(0xA0)", "N'a'"),
        ("N'っ'", "N'つ'"),
        ("N'①'", "N'1'"),
        ("N'①'", "N'x'"),
        ("NCHAR(7)", "N''"),
        ("N'😀'", "N'😁'"),
    ] {
        assert_eq!(equal(&mut kit, a, b, collation), None, "{a} and {b}");
        assert_eq!(
            equal(&mut kit, a, b, "Latin1_General_BIN2"),
            Some(false),
            "{a} and {b}"
        );
    }
    for (a, b, expected) in [
        ("N'straße'", "N'straße '", true),
        ("N'Straße'", "N'straße'", true),
        ("N'straße'", "N'strasze'", false),
        ("N'Æ'", "N'æ'", true),
        ("N'ø'", "N'u'", false),
        ("N'x😀'", "N'X😀'", true),
        ("N'x😀'", "N'y😀'", false),
    ] {
        assert_eq!(
            equal(&mut kit, a, b, collation),
            Some(expected),
            "{a} and {b}"
        );
    }
    kit.run(
        "CREATE TABLE t (k nvarchar(20) NOT NULL PRIMARY KEY); INSERT t VALUES (N'straße'), (N'x')",
    );
    let failure = kit.failure("INSERT t VALUES (N'STRASSE')");
    assert_eq!(failure.number, DOUBT);
    assert!(
        failure.message.contains("'STRASSE'")
            && failure.message.contains("SQL_Latin1_General_CP1_CI_AS"),
        "{failure}"
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM t"),
        "2",
        "nothing of the statement stays"
    );
    assert_eq!(
        kit.error("SELECT DISTINCT v FROM (VALUES (N'ss'), (N'ß')) AS t(v)"),
        DOUBT
    );
    assert_eq!(kit.error("IF N'ss' = N'ß' SELECT 1"), DOUBT);
    assert_eq!(
        kit.error(
            "SELECT COUNT(*) FROM t WHERE k IN (SELECT N'strasse' UNION ALL SELECT k FROM t)"
        ),
        DOUBT
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM t WHERE k LIKE N'stra%'"),
        "1"
    );
}

#[test]
fn varchar_under_a_collation_of_sql_server_compares_byte_by_byte() {
    let mut kit = Kit::new();
    let sql = "SQL_Latin1_General_CP1_CI_AS";
    for (a, b, expected) in [
        ("'straße'", "'strasse'", Some(false)),
        ("CHAR(179)", "'3'", Some(false)),
        ("CHAR(230)", "'ae'", Some(false)),
        ("CHAR(230)", "CHAR(198)", Some(true)),
        ("CHAR(233)", "CHAR(201)", Some(true)),
        ("CHAR(233)", "'e'", Some(false)),
        // Of these the tables do not show what belongs together.
        ("CHAR(138)", "CHAR(154)", None),
        // One nvarchar makes the comparison one of nvarchar.
        ("CHAR(179)", "N'3'", Some(true)),
    ] {
        assert_eq!(equal(&mut kit, a, b, sql), expected, "{a} and {b}");
    }
    assert_eq!(
        equal(&mut kit, "CHAR(179)", "'3'", "Latin1_General_CI_AS"),
        Some(true)
    );
    assert_eq!(
        equal(&mut kit, "CHAR(179)", "'3'", "Latin1_General_CI_AS_WS"),
        Some(false)
    );
}

#[test]
fn keys_joins_groups_and_merges_follow_the_collation() {
    let mut kit = Kit::new();
    kit.run(
        "CREATE TABLE w (k nvarchar(10) NOT NULL PRIMARY KEY, n int); INSERT w VALUES (N'Ａ3', 1)",
    );
    assert_eq!(kit.error("INSERT w VALUES (N'a³', 2)"), 2627);
    kit.run("MERGE w AS t USING (SELECT N'a３' AS k, 5 AS n) AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.n);");
    assert_eq!(kit.rows("SELECT k, n FROM w"), ["Ａ3|5"]);
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM w JOIN (SELECT N'A³' AS k) AS s ON s.k = w.k"),
        "1"
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM (SELECT v FROM (VALUES (N'か'), (N'カ'), (N'ｶ')) AS t(v) GROUP BY v) AS g"),
        "1"
    );
    assert_eq!(
        kit.value("SELECT COUNT(DISTINCT v COLLATE Japanese_CI_AS_KS_WS) FROM (VALUES (N'か'), (N'カ'), (N'ｶ')) AS t(v)"),
        "3"
    );
    kit.run("CREATE TABLE x (k nvarchar(10) COLLATE Latin1_General_CI_AS_WS NOT NULL UNIQUE); INSERT x VALUES (N'Ａ'), (N'A'), (N'³'), (N'3')");
    assert_eq!(kit.error("SELECT * FROM w JOIN x ON w.k = x.k"), 468);
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM w JOIN x ON w.k = x.k COLLATE Latin1_General_BIN2"),
        "0"
    );
}

#[test]
fn small_letters_come_before_capitals_and_accents_after_letters() {
    let mut kit = Kit::new();
    assert_eq!(
        kit.rows("SELECT v FROM (VALUES (N'B'), (N'a'), (N'b'), (N'A'), (N'é'), (N'f'), (N'e'), (N'1'), (N'_')) AS t(v) ORDER BY v COLLATE Latin1_General_CS_AS"),
        ["_", "1", "a", "A", "b", "B", "e", "é", "f"]
    );
    assert_eq!(
        kit.rows("SELECT v FROM (VALUES (N'B'), (N'a'), (N'b'), (N'A')) AS t(v) ORDER BY v COLLATE Latin1_General_BIN2"),
        ["A", "B", "a", "b"]
    );
}

#[test]
fn names_are_read_as_documented() {
    let mut kit = Kit::new();
    for name in [
        "Latin1_General_100_CI_AS_SC",
        "latin1_general_ci_as",
        "Latin1_General_100_BIN2",
        "Latin1_General_BIN",
        "SQL_Latin1_General_CP1_CS_AS",
        "Japanese_XJIS_140_CI_AS_KS_WS_VSS",
    ] {
        kit.run(&format!("SELECT N'a' COLLATE {name}"));
    }
    for name in [
        "Latin1_General_AS_CI",
        "Latin1_General_CI",
        "Latin1_General_CI_AS_SC",
        "Latin1_General_CI_AS_UTF8",
        "SQL_Latin1_General_CP1_BIN",
        "SQL_Latin1_General_CP1_CS_AI",
        "Latin1_General_100_CI_AS_VSS",
        "Nonsense",
    ] {
        assert_eq!(
            kit.error(&format!("SELECT N'a' COLLATE {name}")),
            448,
            "{name}"
        );
    }
    assert_eq!(
        kit.error("SELECT N'a' COLLATE Danish_Norwegian_CI_AS"),
        50104
    );
    assert_eq!(
        kit.error("CREATE TABLE t (a varchar(9) COLLATE Turkish_CI_AS)"),
        50104
    );
    for (name, expected) in [
        ("Latin1_General_CI_AS", "1252|1033|196609|0"),
        ("Turkish_100_CS_AI_WS", "1254|1055|65538|2"),
        ("Latin1_General_100_BIN2_UTF8", "65001|1033|0|2"),
    ] {
        assert_eq!(
            kit.value(&format!("SELECT CONVERT(int, COLLATIONPROPERTY('{name}', 'CodePage')), CONVERT(int, COLLATIONPROPERTY('{name}', 'LCID')), CONVERT(int, COLLATIONPROPERTY('{name}', 'ComparisonStyle')), CONVERT(int, COLLATIONPROPERTY('{name}', 'Version'))")),
            expected
        );
    }
}

#[test]
fn a_column_that_gets_another_code_page_has_the_characters_that_the_page_has() {
    let mut kit = Kit::new();
    let alter = |to: &str| format!("ALTER TABLE p ALTER COLUMN {to} NULL");
    kit.run("CREATE TABLE p (c varchar(4) COLLATE Latin1_General_100_CI_AS_SC_UTF8 NULL, f char(4) COLLATE Cyrillic_General_CI_AS NULL, l varchar(4) NULL)");
    kit.run("INSERT p VALUES (N'éй', N'Ж', N'é')");
    // Its bytes do not fit, or what stands for it is not documented.
    assert_eq!(
        kit.error(&alter("f char(1) COLLATE Latin1_General_100_CI_AS_SC_UTF8")),
        8152
    );
    assert_eq!(
        kit.error(&alter("l varchar(4) COLLATE Cyrillic_General_CI_AS")),
        50103
    );
    kit.run(&alter("c varchar(4) COLLATE Latin1_General_CI_AS"));
    kit.run(&alter("f char(4) COLLATE Latin1_General_100_CI_AS_SC_UTF8"));
    kit.run(&alter(
        "l varchar(2) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
    ));
    assert_eq!(
        kit.rows(
            "SELECT CAST(c AS nvarchar(9)), CAST(f AS nvarchar(9)), CAST(l AS nvarchar(9)) FROM p"
        ),
        ["é?|Ж  |é"]
    );
}

#[test]
fn varchar_of_another_code_page_holds_what_the_page_has_and_counts_bytes() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE p (id int NOT NULL PRIMARY KEY, c varchar(4) COLLATE Cyrillic_General_CI_AS NULL, f char(4) COLLATE Cyrillic_General_100_BIN2 NULL, j varchar(4) COLLATE Japanese_CI_AS NULL, u varchar(4) COLLATE Latin1_General_100_CI_AS_SC_UTF8 NULL)");
    kit.run(
        "INSERT p VALUES (1, N'Жёлт', N'Ж', N'テト', N'éй'), (2, N'abc   ', NULL, N'ﾃﾄab', N'😀')",
    );
    kit.run("UPDATE p SET c = N'№' WHERE id = 2");
    let as_unicode = |name: &str| format!("CAST({name} AS nvarchar(9))");
    assert_eq!(
        kit.rows(&format!(
            "SELECT {}, {} + N'.', {}, {} FROM p ORDER BY id",
            as_unicode("c"),
            as_unicode("f"),
            as_unicode("j"),
            as_unicode("u")
        )),
        ["Жёлт|Ж   .|テト|éй", "№|NULL|ﾃﾄab|😀"]
    );
    assert_eq!(kit.value("SELECT COUNT(*) FROM p WHERE f = N'Ж'"), "1");
    assert_eq!(
        kit.value("SELECT CAST(CAST(N'日本語' COLLATE Latin1_General_100_CI_AS_SC_UTF8 AS varchar(6)) AS nvarchar(9))"),
        "日本"
    );
    for (statement, expected) in [
        ("UPDATE p SET c = N'é'", 50103),
        ("UPDATE p SET j = N'テトt'", 2628),
        ("UPDATE p SET u = N'éйt'", 2628),
        ("SELECT DATALENGTH(u) FROM p", 50103),
        ("SELECT CAST(c AS varbinary(9)) FROM p", 50103),
        ("SELECT CAST(c AS varchar(2)) FROM p", 50103),
        (
            "SELECT CAST(N'é' COLLATE Cyrillic_General_CI_AS AS varchar(9))",
            50103,
        ),
        (
            "SELECT CAST(N'日' COLLATE Japanese_CI_AS AS varchar(1))",
            50103,
        ),
        (
            "SELECT CAST(N'a' COLLATE Turkish_CI_AS AS varchar(9))",
            50103,
        ),
        ("SELECT c COLLATE Latin1_General_CI_AS FROM p", 50103),
        ("SELECT COUNT(*) FROM p WHERE c = N'жёлт'", 50107),
    ] {
        assert_eq!(kit.error(statement), expected, "{statement}");
    }
}

#[test]
fn half_of_a_surrogate_pair_is_refused() {
    let mut kit = Kit::new();
    for statement in [
        "SELECT NCHAR(55357)",
        "SELECT LEFT(N'😀', 1)",
        "SELECT SUBSTRING(N'a😀', 2, 1)",
        "SELECT STUFF(N'😀', 1, 1, N'')",
        "SELECT CAST(0x3DD8 AS nvarchar(9))",
    ] {
        assert_eq!(kit.error(statement), 50103, "{statement}");
    }
    assert_eq!(kit.value("SELECT NCHAR(65536)"), "NULL");
    assert_eq!(kit.value("SELECT RIGHT(N'a😀', 2)"), "😀");
}
