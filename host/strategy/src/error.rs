//! What can go wrong with a strategy that is loaded.

use std::fmt;
use std::time::Duration;

use icehost_plan::{ColumnGrant, PlanError};
use icehost_untrusted::Hint;

use crate::options_schema::OptionDescription;
use crate::{Kind, LoadError};

/// A function of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Being instantiated, before any function is called.
    Start,
    /// `metadata.describe`
    Describe,
    /// `change-detection.probes`
    Probes,
    /// `change-detection.plan` or `merge.plan`
    Plan,
    /// `change-detection.advance`
    Advance,
    /// `batch-transform.open`
    Open,
    /// `batch-transform.apply`
    Apply,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Start => "starting",
            Operation::Describe => "describing itself",
            Operation::Probes => "choosing probes",
            Operation::Plan => "planning",
            Operation::Advance => "advancing the watermark",
            Operation::Open => "declaring its columns",
            Operation::Apply => "transforming a batch",
        })
    }
}

/// Why a component was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrapReason {
    /// It ran past [`Limits::deadline`](crate::Limits::deadline).
    Deadline(Duration),
    /// It wanted more than [`Limits::memory_bytes`](crate::Limits::memory_bytes).
    Memory {
        /// What it may have, in bytes.
        limit: usize,
        /// What it would have had, in bytes.
        wanted: usize,
    },
    /// It wanted more than [`Limits::table_elements`](crate::Limits::table_elements).
    Tables(usize),
    /// Its calls nest too deep.
    Stack,
    /// It returned or logged more than [`Limits::result_bytes`](crate::Limits::result_bytes) at once.
    ResultTooLarge(usize),
    /// It panicked, or ended itself in another way. With the last error that it logged.
    Aborted(Option<String>),
    /// The system had no memory or address space for it.
    NoRoom(String),
    /// It broke a rule of WebAssembly or of the component model.
    Fault(String),
    /// An earlier call of the same instance went wrong, or was given up.
    Gone,
}

impl fmt::Display for TrapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrapReason::Deadline(limit) => {
                write!(f, "it ran longer than {limit:?} (an endless loop?)")
            }
            TrapReason::Memory { limit, .. } => {
                write!(f, "it wanted more than {limit} bytes of memory")
            }
            TrapReason::Tables(limit) => write!(f, "it wanted more than {limit} table elements"),
            TrapReason::Stack => f.write_str("its call stack overflowed (endless recursion?)"),
            TrapReason::ResultTooLarge(limit) => {
                write!(f, "it handed over more than {limit} bytes at once")
            }
            TrapReason::Aborted(None) => f.write_str("it aborted without a message"),
            TrapReason::Aborted(Some(message)) => write!(f, "it aborted: {message}"),
            TrapReason::NoRoom(reason) => write!(f, "there was no room for it: {reason}"),
            TrapReason::Fault(reason) => f.write_str(reason),
            TrapReason::Gone => f.write_str("an earlier call had not ended as it should"),
        }
    }
}

/// The kinds of errors that a strategy may return; `failure` in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The options contradict each other or the table.
    InvalidOptions,
    /// The strategy cannot serve the table.
    UnsupportedTable,
    /// The watermark no longer covers the source; only reading everything again helps.
    StaleWatermark,
    /// The rows are not what the strategy can work with.
    BadData,
    /// The strategy says that it, or the host, broke the contract.
    Internal,
}

/// What a strategy goes by, for errors about that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The options that it takes.
    pub options: Vec<OptionDescription>,
    /// The columns that it is shown.
    pub columns: ColumnGrant,
}

/// A strategy that could not be loaded or did not give a usable answer.
///
/// `Display` is what happened, [`StrategyError::hint`] what to do next. Text that the component wrote is cut
/// and cleaned of control characters before it is shown.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// The WebAssembly engine did not start.
    #[error("cannot set up the WebAssembly engine: {reason}")]
    Engine {
        /// Why not.
        reason: String,
    },
    /// The file is not a strategy that this host runs.
    #[error("cannot load strategy '{strategy}': {error}")]
    Load {
        /// What the user called it.
        strategy: String,
        /// What is wrong.
        error: LoadError,
    },
    /// It is a strategy of another kind.
    #[error("'{strategy}' is a {is}, and a {wanted} is wanted here")]
    WrongKind {
        /// The strategy.
        strategy: String,
        /// What it is.
        is: Kind,
        /// What was wanted.
        wanted: Kind,
    },
    /// The options do not fit the schema.
    #[error("strategy '{strategy}' does not take these options: {}", .problems.join("; "))]
    Options {
        /// The strategy.
        strategy: String,
        /// What is wrong with each.
        problems: Vec<String>,
        /// What it does take.
        available: Vec<OptionDescription>,
    },
    /// It broke a bound or trapped.
    #[error("strategy '{strategy}' was stopped while {operation}: {reason}")]
    Trap {
        /// The strategy.
        strategy: String,
        /// What it was doing.
        operation: Operation,
        /// Why it was stopped.
        reason: TrapReason,
    },
    /// It returned an error.
    #[error("strategy '{strategy}' says: {message}{} [{code}]", about(.column))]
    Failure {
        /// The strategy.
        strategy: String,
        /// What it was doing.
        operation: Operation,
        /// What kind of error.
        kind: FailureKind,
        /// Stable and chosen by the strategy.
        code: String,
        /// For people.
        message: String,
        /// Name of the column that it is about.
        column: Option<String>,
        /// What it had to go by.
        terms: Box<Terms>,
    },
    /// It returned a value that its column cannot have.
    #[error(
        "strategy '{strategy}' returned an impossible value: column '{column}', {row}: {reason}"
    )]
    Value {
        /// The strategy.
        strategy: String,
        /// The column that it writes.
        column: String,
        /// The row's key, such as `row Id = 7`, or its number in the batch where there is no key.
        row: String,
        /// The value, escaped and cut, and why it cannot be.
        reason: String,
    },
    /// It returned something that the host will not act on.
    #[error("strategy '{strategy}' returned an invalid answer while {operation}: {error}")]
    InvalidPlan {
        /// The strategy.
        strategy: String,
        /// What it was doing.
        operation: Operation,
        /// What is wrong with the answer.
        error: PlanError,
    },
}

impl StrategyError {
    /// Whether a strategy says, by what it has been told of the source, that the watermark no longer covers it.
    pub fn contradicts_watermark(&self) -> bool {
        matches!(
            self,
            StrategyError::Failure {
                kind: FailureKind::StaleWatermark,
                operation: Operation::Plan | Operation::Advance,
                ..
            }
        )
    }

    /// What to do next.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            StrategyError::Load { error, .. } => error.hint().map(Hint::from),
            StrategyError::WrongKind { is, .. } => Some(Hint::new(match is {
                Kind::ChangeDetector => "give it with --strategy",
                Kind::Merger => "give it with --merge or --lake-merge",
                Kind::BatchTransformer => "give it with --transform",
            })),
            StrategyError::Options { available, .. } => Some(listed(available)),
            StrategyError::Failure { kind, terms, .. } => match kind {
                FailureKind::InvalidOptions => {
                    let listed = listed(&terms.options);
                    Some(match seen(&terms.columns) {
                        Some(seen) => listed.and(&seen),
                        None => listed,
                    })
                }
                FailureKind::StaleWatermark => Some(Hint::new(
                    "`icehost watermark set` with an earlier mark reads again from there and leaves out what the lake \
                     has; `icehost watermark clear` reads the whole table again",
                )),
                FailureKind::UnsupportedTable => seen(&terms.columns).map(Hint::from),
                FailureKind::BadData | FailureKind::Internal => None,
            },
            StrategyError::Trap {
                reason: TrapReason::Memory { limit, wanted },
                ..
            } => Some(Hint::from(format!(
                "nothing was changed; it may have {} MiB and wanted {}: give it that or more with --strategy-memory, \
                 or memory in its section; if no amount suffices, report it to the author of the strategy",
                limit >> 20,
                wanted.div_ceil(1 << 20)
            ))),
            StrategyError::Trap {
                operation: Operation::Apply,
                reason: TrapReason::ResultTooLarge(_),
                ..
            } => Some(Hint::new(
                "nothing was changed; a batch that comes back may take what the strategy may have: --strategy-memory, \
                 or memory in its section",
            )),
            StrategyError::Trap {
                reason: TrapReason::NoRoom(_),
                ..
            } => Some(Hint::new(icehost_untrusted::MEMORY)),
            StrategyError::Trap { .. }
            | StrategyError::InvalidPlan { .. }
            | StrategyError::Value { .. } => Some(Hint::new(
                "nothing was changed; report it to the author of the strategy, or use another one",
            )),
            StrategyError::Engine { .. } => None,
        }
    }
}

fn about(column: &Option<String>) -> String {
    match column {
        Some(column) => format!(" (column '{column}')"),
        None => String::new(),
    }
}

/// What keeps a strategy from seeing columns; `None` where it sees all.
fn seen(grant: &ColumnGrant) -> Option<String> {
    match grant {
        ColumnGrant::All => None,
        ColumnGrant::Only(columns) if columns.is_empty() => {
            Some("it is shown no column: its section grants none".to_owned())
        }
        ColumnGrant::Only(columns) => {
            let columns = columns.join(", ");
            Some(format!(
                "it is shown no other columns than its section grants: {columns}"
            ))
        }
        ColumnGrant::AllBut(columns) => {
            let columns = columns.join(", ");
            Some(format!(
                "it is not shown columns that have a rule, since what it reads of them is what they were before: \
                 {columns}; where their values may stand in the watermark, grant it columns by name: columns = […] in \
                 its section of the configuration file"
            ))
        }
    }
}

/// The options of a strategy, one per line.
fn listed(options: &[OptionDescription]) -> Hint {
    if options.is_empty() {
        return Hint::new("it takes no options");
    }
    options.iter().fold(Hint::new("it takes"), |hint, option| {
        hint.and(&format!("  {option}"))
    })
}
