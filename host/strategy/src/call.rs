//! One call of a component: a fresh sandbox, under limits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{Store, Trap, UpdateDeadline};

use crate::error::{Operation, StrategyError, TrapReason};
use crate::guest_log::GuestLog;
use crate::limits::{Exceeded, Meter};
use crate::runtime::Shared;
use icehost_untrusted::shown;

/// Most handles that a component holds at once; a strategy has no use for any.
const MAX_HANDLES: usize = 64;
/// Added to the deadline for the outer timeout, which only ends what the epoch cannot: a call that waits.
const GRACE: Duration = Duration::from_secs(2);

/// What a running component has on the host's side.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) log: GuestLog,
    meter: Meter,
    /// When the call that runs is ended.
    ends: Instant,
}

impl crate::bindings::types::Host for Guest {}

/// Where a strategy's calls run.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    pub(crate) shared: Arc<Shared>,
    pub(crate) strategy: Arc<str>,
}

pub(crate) type Running<'a, R> = Pin<Box<dyn Future<Output = wasmtime::Result<R>> + Send + 'a>>;

impl Sandbox {
    pub(crate) fn new(shared: Arc<Shared>, strategy: &str) -> Self {
        Sandbox {
            shared,
            strategy: strategy.into(),
        }
    }

    /// Runs `guest` in a fresh store and turns whatever ends it into an error with a reason.
    pub(crate) async fn call<R, F>(
        &self,
        operation: Operation,
        guest: F,
    ) -> Result<R, StrategyError>
    where
        F: for<'s> FnOnce(&'s mut Store<Guest>) -> Running<'s, R>,
    {
        Session::new(self.clone(), self.shared.limits.result_bytes)
            .call(operation, guest)
            .await
    }

    fn store(&self, result_bytes: usize) -> Store<Guest> {
        let limits = &self.shared.limits;
        let mut store = Store::new(
            &self.shared.engine,
            Guest {
                log: GuestLog::new(
                    Arc::clone(&self.strategy),
                    Arc::clone(&self.shared.told),
                    limits,
                ),
                meter: Meter::new(limits),
                ends: Instant::now(),
            },
        );
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(result_bytes);
        store.set_max_component_handles(MAX_HANDLES);
        // Each tick yields, so that a busy component never holds up the other tasks of its thread.
        store.epoch_deadline_callback(|context| {
            if Instant::now() < context.data().ends {
                Ok(UpdateDeadline::Yield(1))
            } else {
                Err(wasmtime::Error::new(Exceeded::Deadline))
            }
        });
        store
    }
}

/// A sandbox that lives on from call to call, until one of them goes wrong. Time and results are bounded for
/// each call, log messages for all of them, and memory until it is renewed.
pub(crate) struct Session {
    sandbox: Sandbox,
    /// What one call returns, in bytes of the host's memory, roughly.
    result_bytes: usize,
    /// `None` once a call has gone wrong: a component that trapped is in no state that could be relied on.
    store: Option<Store<Guest>>,
}

impl Session {
    pub(crate) fn new(sandbox: Sandbox, result_bytes: usize) -> Session {
        let store = Some(sandbox.store(result_bytes));
        Session {
            sandbox,
            result_bytes,
            store,
        }
    }

    /// The linear memory of what runs in it, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let store = self.store.as_ref();
        store.map_or(0, |store| store.data().meter.memory())
    }

    /// Lets go of what runs in it. What is left of the log's bounds stays what is left.
    pub(crate) fn renew(&mut self) {
        if let Some(old) = self.store.take() {
            let mut store = self.sandbox.store(self.result_bytes);
            store.data_mut().log = old.into_data().log;
            self.store = Some(store);
        }
    }

    /// Runs `guest` and turns whatever ends it into an error with a reason.
    pub(crate) async fn call<R, F>(
        &mut self,
        operation: Operation,
        guest: F,
    ) -> Result<R, StrategyError>
    where
        F: for<'s> FnOnce(&'s mut Store<Guest>) -> Running<'s, R>,
    {
        // Taken out, so that it is gone too where this call is given up before its end.
        let Some(mut store) = self.store.take() else {
            return Err(self.trap(operation, TrapReason::Gone));
        };
        let shared = &self.sandbox.shared;
        let started = Instant::now();
        let deadline = shared.limits.deadline;
        store.data_mut().ends = started + deadline;
        store.set_epoch_deadline(1);
        if shared.count_fuel {
            // It cannot fail where the engine counts.
            let _ = store.set_fuel(u64::MAX);
        }
        let result = match tokio::time::timeout(deadline + GRACE, guest(&mut store)).await {
            Ok(result) => result,
            Err(_) => Err(wasmtime::Error::new(Exceeded::Deadline)),
        };
        let last_error = store.data_mut().log.last_error();
        shared.counters.add(&store, store.data().meter.memory());
        let result = match result {
            Ok(result) => {
                self.store = Some(store);
                Ok(result)
            }
            Err(error) => {
                drop(store);
                Err(self.trap(operation, self.trap_reason(&error, last_error)))
            }
        };
        shared.spent(started.elapsed());
        result
    }

    fn trap(&self, operation: Operation, reason: TrapReason) -> StrategyError {
        StrategyError::Trap {
            strategy: self.sandbox.strategy.to_string(),
            operation,
            reason,
        }
    }

    fn trap_reason(&self, error: &wasmtime::Error, last_error: Option<String>) -> TrapReason {
        let limits = &self.sandbox.shared.limits;
        if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
            return match exceeded {
                Exceeded::Deadline => TrapReason::Deadline(limits.deadline),
                Exceeded::Memory { limit, wanted } => TrapReason::Memory {
                    limit: *limit,
                    wanted: *wanted,
                },
                Exceeded::Tables { limit } => TrapReason::Tables(*limit),
            };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => return TrapReason::Stack,
            Some(Trap::UnreachableCodeReached) => return TrapReason::Aborted(last_error),
            // Rust puts its own stack at the bottom of linear memory: overflowing it runs below address 0.
            Some(Trap::MemoryOutOfBounds) => {
                return TrapReason::Fault(
                    "it accessed memory out of bounds (a stack overflow?)".to_owned(),
                );
            }
            Some(trap) => return TrapReason::Fault(format!("it trapped: {trap}")),
            None => {}
        }
        let text = format!("{error:#}");
        // The engine has no public type for this error, only its text.
        if text.contains("fuel allocated for hostcalls has been exhausted") {
            return TrapReason::ResultTooLarge(self.result_bytes);
        }
        // What the system says when it refuses memory: the engine's own words, none of the component's.
        if text.contains("(os error 12)") {
            return TrapReason::NoRoom(shown(&text));
        }
        TrapReason::Fault(format!("it broke the component model: {}", shown(&text)))
    }
}
