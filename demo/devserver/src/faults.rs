//! Faults that a test can order: what a network or a busy server does to a client, at the level of the wire.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use icehost_devengine::session::SqlError;

/// No count-down is running.
const IDLE: i64 = -1;

/// When, relative to a statement, a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The statement arrived and was not run.
    BeforeExecution,
    /// The statement was run, its result never reached the client.
    AfterExecution,
}

/// What happens to a statement that a fault matched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Fail(SqlError),
    Drop(When),
    Delay(Duration),
}

#[derive(Debug)]
struct StatementFault {
    /// In lower case.
    contains: String,
    times: u32,
    effect: Effect,
}

/// The faults of one server. Each acts once, or as often as it says, on whichever connection meets it first.
#[derive(Debug)]
pub struct Faults {
    packets_until_drop: AtomicI64,
    received_until_drop: AtomicI64,
    refused_logins: Mutex<(u32, u32)>,
    statements: Mutex<Vec<StatementFault>>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            packets_until_drop: AtomicI64::new(IDLE),
            received_until_drop: AtomicI64::new(IDLE),
            refused_logins: Mutex::default(),
            statements: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(packets: u64) -> i64 {
    i64::try_from(packets).unwrap_or(i64::MAX)
}

impl Faults {
    /// Breaks a connection once `packets` more response packets have gone out after logins.
    pub fn drop_connection_after_packets(&self, packets: u64) {
        self.packets_until_drop
            .store(count(packets), Ordering::SeqCst);
    }

    /// Breaks a connection once `packets` more request packets have arrived after logins; within a bulk load
    /// these are its rows.
    pub fn drop_connection_after_received_packets(&self, packets: u64) {
        self.received_until_drop
            .store(count(packets), Ordering::SeqCst);
    }

    /// Breaks the connection of the next statement whose text contains `sql_contains`, without regard to case.
    pub fn drop_connection_on(&self, sql_contains: &str, when: When) {
        self.on_statement(sql_contains, 1, Effect::Drop(when));
    }

    /// Refuses the next `logins` logins as a server does that has no connection to spare (17809).
    pub fn refuse_logins(&self, logins: u32) {
        self.refuse_logins_with(logins, 17809);
    }

    /// Refuses the next `logins` logins with an error of this number.
    pub fn refuse_logins_with(&self, logins: u32, number: u32) {
        *lock(&self.refused_logins) = (logins, number);
    }

    /// Answers the next statement whose text contains `sql_contains` with an error instead of running it.
    ///
    /// 1205 (deadlock victim) rolls the session's transaction back first, as SQL Server does.
    pub fn fail_next(&self, sql_contains: &str, number: u32) {
        self.fail_times(sql_contains, number, 1);
    }

    /// Answers the next statement whose text contains `sql_contains` with an error of this text, as `RAISERROR` in a
    /// trigger does.
    pub fn fail_saying(&self, sql_contains: &str, text: &str) {
        let error = SqlError {
            message: text.to_owned(),
            ..error(50000)
        };
        self.on_statement(sql_contains, 1, Effect::Fail(error));
    }

    /// Like [`Self::fail_next`], for the next `times` such statements.
    pub fn fail_times(&self, sql_contains: &str, number: u32, times: u32) {
        self.on_statement(sql_contains, times, Effect::Fail(error(number)));
    }

    /// Lets the next statement whose text contains `sql_contains` wait before it runs; an attention ends the
    /// wait.
    pub fn delay(&self, sql_contains: &str, duration: Duration) {
        self.on_statement(sql_contains, 1, Effect::Delay(duration));
    }

    /// Calls off every fault that has not acted yet.
    pub fn clear(&self) {
        self.packets_until_drop.store(IDLE, Ordering::SeqCst);
        self.received_until_drop.store(IDLE, Ordering::SeqCst);
        *lock(&self.refused_logins) = (0, 0);
        lock(&self.statements).clear();
    }

    fn on_statement(&self, contains: &str, times: u32, effect: Effect) {
        lock(&self.statements).push(StatementFault {
            contains: contains.to_lowercase(),
            times,
            effect,
        });
    }

    /// The effect of the first fault that this statement meets.
    pub(crate) fn meet(&self, statement: &str) -> Option<Effect> {
        let mut faults = lock(&self.statements);
        if faults.is_empty() {
            return None;
        }
        let statement = statement.to_lowercase();
        let index = faults
            .iter()
            .position(|fault| statement.contains(&fault.contains))?;
        let fault = faults.get_mut(index)?;
        fault.times = fault.times.saturating_sub(1);
        let effect = fault.effect.clone();
        if fault.times == 0 {
            faults.remove(index);
        }
        Some(effect)
    }

    /// The error for a login that is to be refused.
    pub(crate) fn refuse_login(&self) -> Option<SqlError> {
        let mut refused = lock(&self.refused_logins);
        if refused.0 == 0 {
            return None;
        }
        refused.0 -= 1;
        Some(error(refused.1))
    }

    /// Counts packets that went out; true where the connection is to break now.
    pub(crate) fn sent(&self, packets: u64) -> bool {
        count_down(&self.packets_until_drop, packets)
    }

    /// Counts packets that came in; true where the connection is to break now.
    pub(crate) fn received(&self, packets: u64) -> bool {
        count_down(&self.received_until_drop, packets)
    }
}

fn count_down(left: &AtomicI64, packets: u64) -> bool {
    if packets == 0 || left.load(Ordering::Relaxed) == IDLE {
        return false;
    }
    let mut due = false;
    let _unchanged = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        if left == IDLE {
            return None;
        }
        let after = left - count(packets);
        due = after <= 0;
        Some(if due { IDLE } else { after })
    });
    due
}

/// SQL Server's text and severity for the errors that tests ask for.
fn error(number: u32) -> SqlError {
    let (class, state, message) = match number {
        1204 => (
            19,
            4,
            "The instance of the SQL Server Database Engine cannot obtain a LOCK resource at this time.",
        ),
        1205 => (
            13,
            45,
            "Transaction was deadlocked on lock resources with another process and has been chosen as the deadlock \
             victim. Rerun the transaction.",
        ),
        1222 => (16, 45, "Lock request time out period exceeded."),
        3960 => (
            16,
            2,
            "Snapshot isolation transaction aborted due to update conflict. Retry the transaction or change the \
             isolation level for the update/delete statement.",
        ),
        4060 => (
            11,
            1,
            "Cannot open database requested by the login. The login failed.",
        ),
        9002 => (
            17,
            4,
            "The transaction log for database is full due to 'LOG_BACKUP'.",
        ),
        10928 => (
            20,
            1,
            "Resource ID: 1. The request limit for the database has been reached.",
        ),
        17809 => (
            20,
            1,
            "Could not connect because the maximum number of user connections has already been reached.",
        ),
        18401 => (
            14,
            1,
            "Login failed for user. Reason: Server is in script upgrade mode. Only administrator can connect at \
             this time.",
        ),
        18456 => (14, 1, "Login failed for user."),
        40501 => (
            20,
            1,
            "The service is currently busy. Retry the request after 10 seconds.",
        ),
        40613 => (
            17,
            1,
            "Database on server is not currently available. Please retry the connection later.",
        ),
        _ => (16, 1, "A fault that a test has ordered."),
    };
    SqlError {
        number,
        state,
        class,
        message: message.to_owned(),
        line: 1,
        aborts_batch: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_fault_acts_as_often_as_it_says() {
        let faults = Faults::default();
        faults.fail_times("merge into", 1205, 2);
        assert_eq!(faults.meet("SELECT 1"), None);
        assert!(
            matches!(faults.meet("MERGE INTO t"), Some(Effect::Fail(error)) if error.number == 1205)
        );
        assert!(faults.meet("merge into t").is_some());
        assert_eq!(faults.meet("merge into t"), None);
    }

    #[test]
    fn packets_are_counted_down_once() {
        let faults = Faults::default();
        assert!(!faults.sent(100));
        faults.drop_connection_after_packets(3);
        assert!(!faults.sent(2));
        assert!(faults.sent(2));
        assert!(!faults.sent(2));
    }

    #[test]
    fn logins_are_refused_and_then_not() {
        let faults = Faults::default();
        faults.refuse_logins(1);
        assert_eq!(faults.refuse_login().map(|error| error.number), Some(17809));
        assert_eq!(faults.refuse_login(), None);
    }
}
