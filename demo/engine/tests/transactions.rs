//! Transactions, isolation, locks, errors inside transactions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use icehost_devengine::session::{EnvChange, IsolationLevel, TransactionRequest};
use kit::{Collected, Kit, cancel, run};

fn counters() -> Kit {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE c (id int PRIMARY KEY, n int NOT NULL); INSERT c VALUES (1, 0), (2, 0); CREATE TABLE d (id int PRIMARY KEY, n int); INSERT d VALUES (1, 0)");
    kit
}

#[test]
fn nesting_savepoints_and_rollback() {
    let mut kit = counters();
    let collected = kit.run(
        "BEGIN TRAN; UPDATE c SET n = 1; SAVE TRAN s; UPDATE c SET n = 2; ROLLBACK TRAN s; COMMIT",
    );
    assert!(matches!(
        collected.changes[..],
        [
            EnvChange::BeginTransaction { .. },
            EnvChange::CommitTransaction { .. }
        ]
    ));
    assert_eq!(kit.rows("SELECT n FROM c"), ["1", "1"]);
    assert_eq!(
        kit.value("BEGIN TRAN; BEGIN TRAN; SELECT @@TRANCOUNT; COMMIT; ROLLBACK"),
        "2"
    );
    assert_eq!(kit.error("COMMIT"), 3902);
    assert_eq!(kit.error("ROLLBACK"), 3903);
    kit.run("BEGIN TRAN; CREATE TABLE e (a int); INSERT e VALUES (1); DROP TABLE d; ROLLBACK");
    assert_eq!(kit.error("SELECT * FROM e"), 208);
    assert_eq!(kit.value("SELECT COUNT(*) FROM d"), "1");
    kit.run("BEGIN TRAN; DROP TABLE d; CREATE TABLE d (x int); COMMIT; SELECT x FROM d");
}

#[test]
fn xact_abort_and_statement_errors() {
    let mut kit = counters();
    let collected = kit.try_run("BEGIN TRAN; INSERT c VALUES (3, 0); INSERT c VALUES (1, 0); INSERT c VALUES (4, 0); COMMIT");
    assert_eq!(collected.errors[0].number, 2627);
    assert_eq!(kit.value("SELECT COUNT(*) FROM c"), "4");
    let collected = kit.try_run("SET XACT_ABORT ON; BEGIN TRAN; INSERT c VALUES (5, 0); INSERT c VALUES (1, 0); INSERT c VALUES (6, 0); COMMIT");
    assert_eq!(collected.errors.len(), 1);
    assert!(collected.errors[0].aborts_batch);
    assert_eq!(kit.value("SELECT COUNT(*) FROM c"), "4");
    assert_eq!(kit.value("SELECT @@TRANCOUNT"), "0");
}

#[test]
fn try_catch() {
    let mut kit = counters();
    assert_eq!(
        kit.rows("BEGIN TRY INSERT c VALUES (1, 0); SELECT 'no'; END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_SEVERITY(), XACT_STATE(); END CATCH"),
        ["2627|14|0"]
    );
    assert_eq!(
        kit.rows("SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; INSERT c VALUES (9, 9); SELECT 1/0; END TRY BEGIN CATCH SELECT XACT_STATE(), @@TRANCOUNT; ROLLBACK; END CATCH"),
        ["-1|1"]
    );
    assert_eq!(kit.value("SELECT COUNT(*) FROM c WHERE id = 9"), "0");
    let failure =
        kit.failure("BEGIN TRY THROW 50001, N'mine', 3 END TRY BEGIN CATCH THROW END CATCH");
    assert_eq!(
        (failure.number, failure.state, failure.message.as_str()),
        (50001, 3, "mine")
    );
    assert_eq!(
        kit.failure("RAISERROR(N'%s has %d', 16, 2, N'it', 5)")
            .message,
        "it has 5"
    );
    assert_eq!(kit.value("BEGIN TRY EXEC('SELECT * FROM nope') END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH"), "208");
}

#[test]
fn readers_wait_for_writers_and_time_out() {
    let mut kit = counters();
    let mut writer = kit.other();
    assert!(
        run(&mut writer, "BEGIN TRAN; UPDATE c SET n = 5")
            .errors
            .is_empty()
    );
    assert_eq!(kit.error("SET LOCK_TIMEOUT 50; SELECT * FROM c"), 1222);
    assert_eq!(kit.value("SELECT MAX(n) FROM c WITH (NOLOCK)"), "5");
    let handle = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        run(&mut writer, "COMMIT");
    });
    let start = Instant::now();
    assert_eq!(kit.value("SET LOCK_TIMEOUT -1; SELECT MAX(n) FROM c"), "5");
    assert!(start.elapsed() >= Duration::from_millis(50));
    handle.join().unwrap();
}

#[test]
fn snapshot_isolation() {
    let mut kit = counters();
    assert_eq!(
        kit.error("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SELECT * FROM c"),
        3952
    );
    kit.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ALTER DATABASE test SET ALLOW_SNAPSHOT_ISOLATION ON");
    assert_eq!(
        kit.value("SELECT snapshot_isolation_state_desc FROM sys.databases WHERE name = 'test'"),
        "ON"
    );
    let mut reader = kit.other();
    run(
        &mut reader,
        "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT * FROM d",
    );
    kit.run("UPDATE c SET n = 7; BEGIN TRAN; UPDATE c SET n = 8");
    let seen = run(&mut reader, "SELECT MAX(n) FROM c");
    assert_eq!(
        kit::show(&seen.sets[0].rows[0][0]),
        "0",
        "the version as of the transaction's first read"
    );
    kit.run("COMMIT");
    let failed = run(&mut reader, "UPDATE c SET n = 9 WHERE id = 1");
    assert_eq!(failed.errors[0].number, 3960);
    assert_eq!(reader.transaction_descriptor(), 0);
}

#[test]
fn read_committed_snapshot_does_not_wait() {
    let mut kit = counters();
    kit.run("ALTER DATABASE test SET READ_COMMITTED_SNAPSHOT ON");
    let mut writer = kit.other();
    run(&mut writer, "BEGIN TRAN; UPDATE c SET n = 5");
    assert_eq!(kit.value("SELECT MAX(n) FROM c"), "0");
}

#[test]
fn deadlocks_have_a_victim() {
    let kit = counters();
    let (mut one, mut two) = (kit.other(), kit.other());
    run(&mut one, "BEGIN TRAN; UPDATE c SET n = 1");
    run(&mut two, "BEGIN TRAN; UPDATE d SET n = 2");
    let waiting = std::thread::spawn(move || {
        let collected = run(&mut one, "UPDATE d SET n = 1; COMMIT");
        collected.errors.first().map(|error| error.number)
    });
    std::thread::sleep(Duration::from_millis(100));
    let collected = run(&mut two, "UPDATE c SET n = 2; COMMIT");
    let numbers = [
        collected.errors.first().map(|error| error.number),
        waiting.join().unwrap(),
    ];
    assert!(
        numbers.contains(&Some(1205)) && numbers.contains(&None),
        "{numbers:?}"
    );
}

#[test]
fn dropping_a_session_rolls_back() {
    let mut kit = counters();
    let mut other = kit.other();
    run(&mut other, "CREATE TABLE #t (a int); BEGIN TRAN; DELETE c");
    drop(other);
    assert_eq!(kit.value("SELECT COUNT(*) FROM c"), "2");
}

#[test]
fn transaction_manager_requests() {
    let mut kit = counters();
    let mut sink = Collected::default();
    kit.session
        .transaction_manager(
            TransactionRequest::Begin {
                isolation: Some(IsolationLevel::Serializable),
                name: String::new(),
            },
            &mut sink,
        )
        .unwrap();
    assert_ne!(kit.session.transaction_descriptor(), 0);
    kit.run("UPDATE c SET n = 3");
    kit.session
        .transaction_manager(
            TransactionRequest::Rollback {
                name: String::new(),
                begin_again: None,
            },
            &mut sink,
        )
        .unwrap();
    assert_eq!(kit.session.transaction_descriptor(), 0);
    assert_eq!(sink.changes.len(), 2);
    assert_eq!(kit.value("SELECT MAX(n) FROM c"), "0");
    assert_eq!(
        kit.session
            .transaction_manager(TransactionRequest::Commit { begin_again: None }, &mut sink)
            .unwrap_err()
            .number,
        3902
    );
}

#[test]
fn cancellation_stops_waiting_and_scanning() {
    let kit = counters();
    let flag = cancel();
    let mut session = kit.other();
    let setter = flag.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        setter.store(true, Ordering::Relaxed);
    });
    let start = Instant::now();
    let mut sink = Collected::default();
    session.execute("WAITFOR DELAY '00:00:20'", Vec::new(), &flag, &mut sink);
    assert!(start.elapsed() < Duration::from_secs(5));
    let flag = cancel();
    let setter = flag.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        setter.store(true, Ordering::Relaxed);
    });
    session.execute(
        "SELECT COUNT(*) FROM GENERATE_SERIES(1, 2000000000)",
        Vec::new(),
        &flag,
        &mut sink,
    );
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn application_locks() {
    let mut kit = counters();
    assert_eq!(kit.value("DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'job', @LockMode = 'Exclusive', @LockOwner = 'Session'; SELECT @r"), "0");
    let mut other = kit.other();
    let refused = run(
        &mut other,
        "DECLARE @r int; EXEC @r = sp_getapplock N'job', 'Exclusive', 'Session', 0; SELECT @r",
    );
    assert_eq!(kit::show(&refused.sets[0].rows[0][0]), "-1");
    kit.run("EXEC sp_releaseapplock N'job', 'Session'");
    let granted = run(
        &mut other,
        "DECLARE @r int; EXEC @r = sp_getapplock N'job', 'Exclusive', 'Session', 0; SELECT @r",
    );
    assert_eq!(kit::show(&granted.sets[0].rows[0][0]), "0");
}

#[test]
fn nested_batches_keep_their_settings_and_temporary_tables_to_themselves() {
    let mut kit = counters();
    assert_eq!(
        kit.error("EXEC sp_executesql N'CREATE TABLE #inner (a int)'; SELECT * FROM #inner"),
        208
    );
    kit.run("CREATE TABLE #outer (a int); EXEC('INSERT #outer VALUES (1)')");
    assert_eq!(kit.value("SELECT COUNT(*) FROM #outer"), "1");
    assert_eq!(
        kit.run("EXEC('SET NOCOUNT ON'); UPDATE c SET n = 1")
            .done
            .last()
            .unwrap()
            .rows,
        Some(2)
    );
    let mut sink = Collected::default();
    kit.session.execute_body(
        "CREATE TABLE #body (a int)",
        Vec::new(),
        &cancel(),
        &mut sink,
    );
    assert_eq!(kit.error("SELECT * FROM #body"), 208);
    assert_eq!(kit.error("BEGIN TRAN one; ROLLBACK TRAN other"), 6401);
    kit.run("ROLLBACK");
}

#[test]
fn long_chains_end_in_an_error_and_not_in_a_crash() {
    let mut kit = counters();
    let ors = (0..3000)
        .map(|n| format!("id = {n}"))
        .collect::<Vec<_>>()
        .join(" OR ");
    assert_eq!(
        kit.value(&format!("SELECT COUNT(*) FROM c WHERE {ors}")),
        "2"
    );
    let sum = vec!["1"; 5000].join(" + ");
    assert_eq!(kit.error(&format!("SELECT {sum}")), 8631);
    assert_eq!(
        kit.value(&format!("SELECT {}", vec!["1"; 290].join(" + "))),
        "290"
    );
    let nested = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(kit.error(&nested), 191);
    let cases = format!(
        "SELECT {}1{}",
        "CASE WHEN 1=1 THEN ".repeat(90),
        " END".repeat(90)
    );
    let collected = kit.try_run(&cases);
    assert_eq!(collected.sets.len() + collected.errors.len(), 1);
    let unions = vec!["SELECT 1"; 250].join(" UNION ALL ");
    assert_eq!(
        kit.value(&format!("SELECT COUNT(*) FROM ({unions}) t(a)")),
        "250"
    );
}
