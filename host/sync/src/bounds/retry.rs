//! Trying again after failures that pass.

use std::future::Future;
use std::time::Duration;

use rand::Rng;
use tokio_util::sync::CancellationToken;

use crate::bounds::stop;
use crate::{Event, Observer, SyncError};

/// How often and how patiently a transient failure is tried again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts in all; 1 never tries again.
    pub attempts: u32,
    /// Wait before the second attempt; it doubles from then on.
    pub first_delay: Duration,
    /// Longest wait.
    pub longest_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            attempts: 5,
            first_delay: Duration::from_millis(250),
            longest_delay: Duration::from_secs(15),
        }
    }
}

impl RetryPolicy {
    /// The wait after failed attempt `attempt` (from 1), before jitter.
    fn delay(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        self.first_delay
            .saturating_mul(1 << doublings)
            .min(self.longest_delay)
    }

    /// Runs `attempt` until it succeeds, fails for good, or was tried often enough.
    ///
    /// Each attempt starts from the beginning: it must leave nothing behind when it fails. Waits are drawn
    /// between half and the whole of the delay, so that many jobs that failed together do not return
    /// together. Cancellation ends a wait at once, and an attempt within a second, wherever it is, unless it is
    /// about to commit.
    pub async fn run<T, F>(
        &self,
        observer: &dyn Observer,
        cancel: &CancellationToken,
        attempt: impl FnMut() -> F,
    ) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, SyncError>>,
    {
        self.run_within(stop::ATTEMPT, observer, cancel, attempt)
            .await
    }

    /// The same, where an attempt has `moment` to end by itself once it is cancelled.
    pub(crate) async fn run_within<T, F>(
        &self,
        moment: Duration,
        observer: &dyn Observer,
        cancel: &CancellationToken,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, SyncError>>,
    {
        let mut number = 1;
        loop {
            let error = match stop::stoppable(cancel, moment, attempt()).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if number >= self.attempts || !error.is_transient() || cancel.is_cancelled() {
                return Err(error);
            }
            let delay = self
                .delay(number)
                .mul_f64(rand::rng().random_range(0.5..=1.0));
            observer.event(Event::Retrying {
                attempt: number,
                of: self.attempts,
                delay,
                error: &error,
            });
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = cancel.cancelled() => return Err(SyncError::cancelled()),
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let delays: Vec<u128> = [1, 2, 3, 8, 99]
            .into_iter()
            .map(|attempt| policy.delay(attempt).as_millis())
            .collect();
        assert_eq!(delays, [250, 500, 1000, 15000, 15000]);
    }
}
