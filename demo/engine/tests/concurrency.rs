//! Several transactions at work on one table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use icehost_devengine::Session;
use kit::{Collected, Kit, run, show};

fn events() -> Kit {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE e (id int NOT NULL PRIMARY KEY, code varchar(10) NOT NULL UNIQUE, n int NOT NULL, v rowversion)");
    kit.run("INSERT e (id, code, n) VALUES (1, 'one', 0), (2, 'two', 0), (3, 'three', 0)");
    kit.run("CREATE TABLE heap (a int, b int); INSERT heap VALUES (1, 0), (2, 0)");
    kit
}

fn ok(session: &mut Session, sql: &str) -> Collected {
    let collected = run(session, sql);
    assert!(collected.errors.is_empty(), "{sql}: {:?}", collected.errors);
    collected
}

fn value(session: &mut Session, sql: &str) -> String {
    show(&ok(session, sql).sets.last().unwrap().rows[0][0])
}

fn error(session: &mut Session, sql: &str) -> u32 {
    run(session, sql)
        .errors
        .first()
        .map_or(0, |error| error.number)
}

/// Runs a statement on a thread of its own; the session comes back with what it gave.
fn aside(mut session: Session, sql: &'static str) -> JoinHandle<(Session, Collected)> {
    std::thread::spawn(move || {
        let collected = run(&mut session, sql);
        (session, collected)
    })
}

/// Waits long enough for a statement that does not wait for a lock.
fn is_waiting<T>(thread: &JoinHandle<T>) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(150) {
        if thread.is_finished() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

#[test]
fn writers_of_different_rows_do_not_wait_for_each_other() {
    let mut kit = events();
    let (mut a, mut b, mut c) = (kit.other(), kit.other(), kit.other());
    for session in [&mut a, &mut b, &mut c] {
        ok(session, "SET LOCK_TIMEOUT 0; BEGIN TRAN");
    }
    ok(&mut a, "INSERT e (id, code, n) VALUES (10, 'ten', 1)");
    ok(&mut b, "INSERT e (id, code, n) VALUES (11, 'eleven', 2)");
    ok(&mut c, "UPDATE e SET n = 5 WHERE id = 1");
    ok(&mut b, "DELETE e WHERE id = 2");
    ok(&mut a, "UPDATE e SET n = 7 WHERE code = 'three'");
    ok(&mut a, "INSERT heap VALUES (3, 3)");
    ok(&mut b, "INSERT heap VALUES (4, 4)");
    assert_eq!(error(&mut c, "UPDATE e SET n = 6 WHERE id = 3"), 1222);
    assert_eq!(
        error(&mut c, "INSERT e (id, code, n) VALUES (11, 'x', 2)"),
        1222
    );
    assert_eq!(
        error(&mut c, "INSERT e (id, code, n) VALUES (12, 'ten', 2)"),
        1222
    );
    assert_eq!(
        error(&mut c, "INSERT e (id, code, n) VALUES (2, 'again', 2)"),
        1222,
        "it may come back"
    );
    assert_eq!(
        error(&mut c, "UPDATE e SET n = n + 1 WHERE n < 100"),
        1222,
        "a scan meets them all"
    );
    assert_eq!(error(&mut c, "ALTER TABLE e ADD x int"), 1222);
    assert_eq!(error(&mut c, "TRUNCATE TABLE e"), 1222);
    // Each sees its own, and dirty readers see all.
    assert_eq!(value(&mut a, "SELECT COUNT(*) FROM e WITH (NOLOCK)"), "4");
    assert_eq!(value(&mut a, "SELECT n FROM e WHERE id = 10"), "1");
    ok(&mut b, "COMMIT");
    assert_eq!(kit.value("SELECT n FROM e WHERE id = 11"), "2");
    assert_eq!(
        error(&mut c, "INSERT e (id, code, n) VALUES (2, 'again', 2)"),
        0
    );
    ok(&mut a, "ROLLBACK");
    ok(&mut c, "COMMIT");
    assert_eq!(
        kit.rows("SELECT id, code, n FROM e ORDER BY id"),
        ["1|one|5", "2|again|2", "3|three|0", "11|eleven|2"]
    );
    assert_eq!(kit.rows("SELECT a FROM heap ORDER BY a"), ["1", "2", "4"]);
}

#[test]
fn readers_of_committed_rows_wait_for_what_they_come_across() {
    let mut kit = events();
    let mut writer = kit.other();
    ok(
        &mut writer,
        "BEGIN TRAN; UPDATE e SET n = 9 WHERE id = 1; INSERT e (id, code, n) VALUES (4, 'four', 0)",
    );
    kit.run("SET LOCK_TIMEOUT 0");
    assert_eq!(
        kit.value("SELECT n FROM e WHERE id = 2"),
        "0",
        "another row, by its key"
    );
    assert_eq!(kit.value("SELECT COUNT(*) FROM heap"), "2", "another table");
    assert_eq!(kit.error("SELECT n FROM e WHERE id = 1"), 1222);
    assert_eq!(
        kit.error("SELECT n FROM e WHERE id = 4"),
        1222,
        "it is there or not"
    );
    assert_eq!(kit.error("SELECT COUNT(*) FROM e"), 1222);
    assert_eq!(
        kit.error("IF EXISTS (SELECT 1 FROM e WHERE n = 9) SELECT 1"),
        1222
    );
    let reading = aside(kit.other(), "SELECT SUM(n) FROM e");
    assert!(is_waiting(&reading));
    // Who comes after the scan has begun does not hold it up.
    let mut later = kit.other();
    ok(&mut later, "BEGIN TRAN; UPDATE e SET n = 100 WHERE id = 3");
    ok(&mut writer, "COMMIT");
    let (_, seen) = reading.join().unwrap();
    assert_eq!(show(&seen.sets[0].rows[0][0]), "9");
    ok(&mut later, "COMMIT");
    assert_eq!(kit.value("SELECT SUM(n) FROM e"), "109");
}

#[test]
fn a_late_commit_becomes_visible_when_it_commits() {
    let mut kit = events();
    kit.run("ALTER DATABASE test SET ALLOW_SNAPSHOT_ISOLATION ON");
    let (mut early, mut late) = (kit.other(), kit.other());
    ok(
        &mut early,
        "BEGIN TRAN; INSERT e (id, code, n) VALUES (20, 'a', 20)",
    );
    ok(&mut late, "INSERT e (id, code, n) VALUES (21, 'b', 21)");
    let bound = "SELECT CONVERT(bigint, MIN_ACTIVE_ROWVERSION()), CONVERT(bigint, @@DBTS)";
    let rows = kit.rows(bound);
    let first = kit.value("SELECT CONVERT(bigint, v) FROM e WHERE id = 21");
    assert_eq!(
        rows,
        [format!("{}|{first}", first.parse::<i64>().unwrap() - 1)]
    );
    let snapshot = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SET LOCK_TIMEOUT 0";
    kit.run(snapshot);
    assert_eq!(
        kit.value("SELECT MAX(n) FROM e"),
        "21",
        "the later one is there"
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM e WHERE n = 20"),
        "0",
        "the earlier one is not"
    );
    kit.run("BEGIN TRAN");
    ok(&mut late, "UPDATE e SET n = 22 WHERE id = 21");
    assert_eq!(
        kit.value("SELECT MAX(n) FROM e"),
        "22",
        "taken at the first access, not at BEGIN"
    );
    ok(&mut early, "COMMIT");
    assert_eq!(kit.value("SELECT COUNT(*) FROM e WHERE n = 20"), "0");
    kit.run("COMMIT");
    assert_eq!(kit.value("SELECT COUNT(*) FROM e WHERE n = 20"), "1");
    let last = kit
        .value("SELECT CONVERT(bigint, @@DBTS)")
        .parse::<i64>()
        .unwrap();
    assert_eq!(
        kit.value("SELECT CONVERT(bigint, MIN_ACTIVE_ROWVERSION())"),
        (last + 1).to_string()
    );
}

#[test]
fn rowversions_of_open_transactions_bound_the_lowest_active_one() {
    let mut kit = events();
    let mut sessions: Vec<Session> = (0..4).map(|_| kit.other()).collect();
    let active = "SELECT CONVERT(bigint, MIN_ACTIVE_ROWVERSION())";
    let start: i64 = kit.value(active).parse().unwrap();
    for (number, session) in sessions.iter_mut().enumerate() {
        let number = number + 30;
        ok(
            session,
            &format!("BEGIN TRAN; INSERT e (id, code, n) VALUES ({number}, '{number}', 0)"),
        );
    }
    assert_eq!(kit.value(active), start.to_string());
    ok(&mut sessions[2], "COMMIT");
    assert_eq!(kit.value(active), start.to_string());
    ok(&mut sessions[0], "ROLLBACK");
    assert_eq!(kit.value(active), (start + 1).to_string());
    ok(&mut sessions[1], "COMMIT");
    assert_eq!(kit.value(active), (start + 3).to_string());
    ok(&mut sessions[3], "COMMIT");
    assert_eq!(kit.value(active), (start + 4).to_string());
}

#[test]
fn who_waits_for_a_row_sees_what_has_become_of_it() {
    let mut kit = events();
    let mut writer = kit.other();
    ok(
        &mut writer,
        "BEGIN TRAN; UPDATE e SET n = n + 1 WHERE id = 1",
    );
    let by_key = aside(kit.other(), "UPDATE e SET n = n + 10 WHERE id = 1");
    let by_other_key = aside(kit.other(), "UPDATE e SET n = n + 100 WHERE code = 'one'");
    let by_scan = aside(kit.other(), "UPDATE e SET n = n + 1000 WHERE n = 1");
    assert!(is_waiting(&by_key) && is_waiting(&by_other_key) && is_waiting(&by_scan));
    ok(&mut writer, "COMMIT");
    for thread in [by_key, by_other_key] {
        assert!(thread.join().unwrap().1.errors.is_empty());
    }
    let (_, scanned) = by_scan.join().unwrap();
    let found = scanned.done.last().unwrap().rows.unwrap();
    let expected = 111 + if found == 1 { 1000 } else { 0 };
    assert_eq!(
        kit.value("SELECT n FROM e WHERE id = 1"),
        expected.to_string()
    );
    // A row that goes while another waits for it is not there any more.
    ok(&mut writer, "BEGIN TRAN; DELETE e WHERE id = 2");
    let waiting = aside(kit.other(), "UPDATE e SET n = 5 WHERE id = 2");
    assert!(is_waiting(&waiting));
    ok(&mut writer, "COMMIT");
    assert_eq!(waiting.join().unwrap().1.done.last().unwrap().rows, Some(0));
    // An insert finds the key taken when the other has committed, and free when it has not.
    for (end, expected) in [("ROLLBACK", 0), ("COMMIT", 2627)] {
        ok(
            &mut writer,
            "BEGIN TRAN; INSERT e (id, code, n) VALUES (50, 'fifty', 0)",
        );
        let waiting = aside(kit.other(), "INSERT e (id, code, n) VALUES (50, 'L', 0)");
        assert!(is_waiting(&waiting));
        ok(&mut writer, end);
        let errors = waiting.join().unwrap().1.errors;
        assert_eq!(errors.first().map_or(0, |error| error.number), expected);
        kit.run("DELETE e WHERE id = 50");
    }
}

#[test]
fn merges_of_one_key_come_one_after_the_other() {
    let mut kit = events();
    for hint in ["", "WITH (HOLDLOCK) "] {
        let merge = |n: i32| {
            format!(
                "MERGE e {hint}AS t USING (SELECT 60 AS id, {n} AS n) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT (id, code, n) VALUES (s.id, 'sixty', s.n);"
            )
        };
        let (mut first, mut second) = (kit.other(), kit.other());
        ok(&mut first, &format!("BEGIN TRAN; {}", merge(1)));
        ok(&mut second, "SET LOCK_TIMEOUT 0");
        assert_eq!(error(&mut second, &merge(2)), 1222);
        let inserted = error(&mut second, "INSERT e (id, code, n) VALUES (61, '61', 0)");
        assert_eq!(inserted, if hint.is_empty() { 0 } else { 1222 });
        ok(&mut first, "COMMIT");
        assert_eq!(error(&mut second, &merge(2)), 0);
        assert_eq!(kit.value("SELECT n FROM e WHERE id = 60"), "2");
        kit.run("DELETE e WHERE id >= 60");
    }
}

#[test]
fn update_conflicts_under_snapshot_are_of_rows() {
    let mut kit = events();
    kit.run("ALTER DATABASE test SET ALLOW_SNAPSHOT_ISOLATION ON");
    let mut reader = kit.other();
    let begin = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT COUNT(*) FROM e";
    ok(&mut reader, begin);
    kit.run("UPDATE e SET n = 7 WHERE id = 1; INSERT e (id, code, n) VALUES (70, 'seventy', 0)");
    ok(
        &mut reader,
        "UPDATE e SET n = 8 WHERE id = 2; DELETE e WHERE id = 3; INSERT e (id, code, n) VALUES (71, 'x', 1)",
    );
    assert_eq!(
        value(&mut reader, "SELECT COUNT(*) FROM e"),
        "3",
        "its own on its snapshot"
    );
    assert_eq!(
        error(&mut reader, "INSERT e (id, code, n) VALUES (70, 'mine', 0)"),
        2627
    );
    ok(&mut reader, "COMMIT");
    assert_eq!(
        kit.rows("SELECT id, n FROM e ORDER BY id"),
        ["1|7", "2|8", "70|0", "71|1"]
    );
    ok(&mut reader, begin);
    kit.run("UPDATE e SET n = 9 WHERE id = 1");
    assert_eq!(
        error(&mut reader, "UPDATE e SET n = n + 1 WHERE id = 1"),
        3960
    );
    assert_eq!(
        reader.transaction_descriptor(),
        0,
        "the transaction is rolled back"
    );
    // Waiting for the other's end decides it.
    for (end, expected) in [("ROLLBACK", 0), ("COMMIT", 3960)] {
        let mut writer = kit.other();
        ok(&mut writer, "BEGIN TRAN; UPDATE e SET n = 10 WHERE id = 2");
        ok(&mut reader, begin);
        let waiting = aside(reader, "UPDATE e SET n = 11 WHERE id = 2");
        assert!(is_waiting(&waiting));
        ok(&mut writer, end);
        let (back, collected) = waiting.join().unwrap();
        assert_eq!(
            collected.errors.first().map_or(0, |error| error.number),
            expected
        );
        reader = back;
        run(&mut reader, "IF @@TRANCOUNT > 0 ROLLBACK");
    }
    ok(&mut reader, begin);
    kit.run("UPDATE e SET n = 77 WHERE id = 70");
    assert_eq!(
        error(&mut reader, "SELECT n FROM e WITH (UPDLOCK) WHERE id = 1"),
        50104
    );
    assert_eq!(value(&mut reader, "SELECT n FROM e WHERE id = 70"), "0");
    ok(
        &mut reader,
        "SELECT a FROM heap WITH (UPDLOCK, HOLDLOCK); ROLLBACK",
    );
    ok(&mut reader, begin);
    kit.run("ALTER TABLE e ADD x int");
    assert_eq!(error(&mut reader, "SELECT COUNT(*) FROM e"), 3961);
    ok(&mut reader, "ROLLBACK");
    ok(
        &mut reader,
        "BEGIN TRAN; SELECT COUNT(*) FROM heap; CREATE TABLE made (a int); INSERT made VALUES (1)",
    );
    assert_eq!(value(&mut reader, "SELECT COUNT(*) FROM made"), "1");
    ok(&mut reader, "COMMIT");
    assert_eq!(kit.value("SELECT COUNT(*) FROM made"), "1");
}

#[test]
fn deadlocks_on_rows_have_one_victim() {
    let mut kit = events();
    let (mut one, mut two) = (kit.other(), kit.other());
    ok(&mut one, "BEGIN TRAN; UPDATE e SET n = 1 WHERE id = 1");
    ok(&mut two, "BEGIN TRAN; UPDATE e SET n = 2 WHERE id = 2");
    let waiting = aside(one, "UPDATE e SET n = 1 WHERE id = 2; COMMIT");
    assert!(is_waiting(&waiting));
    assert_eq!(error(&mut two, "UPDATE e SET n = 2 WHERE id = 1"), 1205);
    assert_eq!(two.transaction_descriptor(), 0);
    assert!(waiting.join().unwrap().1.errors.is_empty());
    assert_eq!(kit.rows("SELECT n FROM e ORDER BY id"), ["1", "1", "0"]);
}

#[test]
fn many_rows_take_the_table_and_savepoints_give_rows_back() {
    let mut kit = events();
    let mut writer = kit.other();
    ok(
        &mut writer,
        "BEGIN TRAN; INSERT heap SELECT value, 0 FROM GENERATE_SERIES(1, 6000)",
    );
    kit.run("SET LOCK_TIMEOUT 0");
    assert_eq!(kit.error("INSERT heap VALUES (0, 0)"), 1222);
    ok(
        &mut writer,
        "ROLLBACK; BEGIN TRAN; INSERT heap SELECT value, 0 FROM GENERATE_SERIES(1, 4000)",
    );
    kit.run("BEGIN TRAN; INSERT heap VALUES (0, 0)");
    ok(
        &mut writer,
        "SAVE TRAN s; INSERT heap SELECT value, 0 FROM GENERATE_SERIES(1, 6000); ROLLBACK TRAN s; COMMIT",
    );
    kit.run("COMMIT");
    assert_eq!(kit.value("SELECT COUNT(*) FROM heap"), "4003");
    assert_eq!(kit.value("SELECT COUNT(*) FROM heap WHERE a = 0"), "1");
}

#[test]
fn writers_in_many_transactions_lose_nothing() {
    let mut kit = events();
    kit.run("DELETE e; CREATE TABLE sums (id int PRIMARY KEY, total int NOT NULL); INSERT sums VALUES (1, 0), (2, 0)");
    let threads: Vec<_> = (0..4)
        .map(|writer| {
            let mut session = kit.other();
            std::thread::spawn(move || {
                for turn in 0..60 {
                    let id = writer * 1000 + turn;
                    let which = 1 + (writer + turn) % 2;
                    let end = if turn % 7 == 0 { "ROLLBACK" } else { "COMMIT" };
                    let sql = format!("BEGIN TRAN; INSERT e (id, code, n) VALUES ({id}, '{id}', {turn}); UPDATE e SET n = n + 1 WHERE id = {id}; UPDATE sums SET total = total + 1 WHERE id = {which}; {end}");
                    ok(&mut session, &sql);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // Nine of sixty turns are rolled back.
    assert_eq!(kit.value("SELECT COUNT(*) FROM e"), (4 * 51).to_string());
    assert_eq!(
        kit.value("SELECT SUM(total) FROM sums"),
        (4 * 51).to_string()
    );
    assert_eq!(
        kit.value("SELECT COUNT(*) FROM e WHERE n <> id % 1000 + 1"),
        "0"
    );
    assert_eq!(
        kit.value("SELECT COUNT(DISTINCT v) FROM e"),
        (4 * 51).to_string()
    );
}
