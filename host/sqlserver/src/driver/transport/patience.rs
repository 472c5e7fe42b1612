//! How long a connection waits for the other side.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// What an error of a statement's limit is marked by; no socket gives this kind.
pub(in crate::driver) const STATEMENT_TIMEOUT: io::ErrorKind = io::ErrorKind::QuotaExceeded;

/// Limits of the waits of an open connection; `None` waits without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::driver) struct WaitLimits {
    /// For more of an answer that has begun, and for room to send more of a request.
    pub(in crate::driver) idle: Option<Duration>,
    /// For the beginning of an answer.
    pub(in crate::driver) answer: Option<Duration>,
}

/// Follows what comes and goes, and ends a wait that takes too long.
#[derive(Default)]
pub(super) struct Patience {
    limits: WaitLimits,
    /// Bytes of the answer have come.
    begun: bool,
    /// Bytes that the socket had received when it was last looked at.
    received: u64,
    /// When the wait began that is under way.
    since: Option<Instant>,
    /// Fires at the end of a wait or before it: moving it with every wait would cost more than a look at the clock.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Bytes to come.
    Read,
    /// Room for bytes to go.
    Write,
}

impl Patience {
    pub(super) fn set(&mut self, limits: WaitLimits) {
        self.limits = limits;
        self.timer = None;
        self.since = None;
    }

    /// Bytes of a request went out: what comes from now on is its answer. `received` are the bytes that the socket has
    /// received so far, below TLS.
    pub(super) fn sent(&mut self, received: u64) {
        self.begun = false;
        self.received = received;
        self.since = None;
    }

    /// Bytes of an answer came.
    pub(super) fn came(&mut self, received: u64) {
        self.begun = true;
        self.received = received;
        self.since = None;
    }

    /// Waits on, unless it has been too long. Below TLS a part of a record may have come of which nothing is to be seen
    /// above.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        wait: Wait,
        received: u64,
    ) -> Poll<io::Result<T>> {
        if received != self.received {
            self.received = received;
            self.begun |= wait == Wait::Read;
            self.since = None;
        }
        let limit = match (wait, self.begun) {
            (Wait::Read, false) => self.limits.answer,
            _ => self.limits.idle,
        };
        let Some(limit) = limit else {
            return Poll::Pending;
        };
        let now = Instant::now();
        let end = *self.since.get_or_insert(now) + limit;
        if now >= end {
            return Poll::Ready(Err(self.late(wait, limit)));
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        // One that was set for an earlier wait fires early; one that was set for a longer one must not fire late.
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= end {
                return Poll::Ready(Err(self.late(wait, limit)));
            }
            timer.as_mut().reset(end);
        }
        Poll::Pending
    }

    fn late(&self, wait: Wait, limit: Duration) -> io::Error {
        let seconds = limit.as_secs_f64();
        match (wait, self.begun) {
            (Wait::Read, false) => io::Error::new(
                STATEMENT_TIMEOUT,
                format!("no answer came within {seconds} s"),
            ),
            (Wait::Read, true) => io::Error::new(
                io::ErrorKind::TimedOut,
                format!("an answer stopped in its middle, and nothing came for {seconds} s"),
            ),
            (Wait::Write, _) => io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the server took nothing of what was sent for {seconds} s"),
            ),
        }
    }
}
