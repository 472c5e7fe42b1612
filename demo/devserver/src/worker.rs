//! The session's side of a connection: a thread that runs one request after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use icehost_devengine::Session;
use icehost_devengine::session::{Cancel, Parameter, ResultSink, SqlError, StatementDone};
use tokio::sync::{mpsc, oneshot};

use crate::bulk::Announced;
use crate::faults::{Effect, When};
use crate::input::Input;
use crate::login::{Login, TdsVersion};
use crate::packet::PacketType;
use crate::prepared::Prepared;
use crate::protocol_error::ProtocolError;
use crate::response::{Output, Response};
use crate::server::Shared;
use crate::token::environment;
use crate::{request_headers, rpc, transaction};

/// Stack of a session's thread: expressions may nest as deep as the engine allows.
const STACK: usize = 16 << 20;
/// How many pieces of a response may wait for a slow client.
const PIECES: usize = 4;
/// How often a delayed statement looks for an attention.
const DELAY_STEP: Duration = Duration::from_millis(5);

/// What is to be done before a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reset {
    No,
    Session,
    /// All but the transaction.
    KeepTransaction,
}

/// A request as the connection hands it over.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) kind: PacketType,
    pub(crate) reset: Reset,
    pub(crate) input: Input,
}

/// A session and what the protocol keeps with it.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Session,
    pub(crate) response: Response,
    pub(crate) prepared: Prepared,
    pub(crate) cancel: Cancel,
    pub(crate) announced: Option<Announced>,
    /// A fault ordered that the connection break once the request is done.
    disconnect: bool,
}

/// The connection's hold on its session.
#[derive(Debug)]
pub(crate) struct SessionHandle {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) output: mpsc::Receiver<Output>,
    pub(crate) cancel: Cancel,
    /// The database that the session opened in.
    pub(crate) database: String,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{0}")]
    Refused(SqlError),
    #[error("no thread for the session: {0}")]
    Thread(#[from] std::io::Error),
    #[error("the session's thread ended while it opened")]
    Lost,
}

/// Opens a session on a thread of its own.
///
/// # Errors
/// What the engine refuses: 4060 for an unknown database.
pub(crate) async fn open(
    shared: Arc<Shared>,
    login: &Login,
    version: TdsVersion,
) -> Result<SessionHandle, OpenError> {
    let cancel = Cancel::default();
    let (requests, incoming) = mpsc::channel(1);
    let (outgoing, output) = mpsc::channel(PIECES);
    let (opened, opening) = oneshot::channel();
    let response = Response::new(
        outgoing,
        Arc::clone(&cancel),
        version.has_null_compression(),
        shared.kept_results.clone(),
    );
    let worker_cancel = Arc::clone(&cancel);
    let database = Some(login.database.clone()).filter(|name| !name.is_empty());
    let (user, host, application) = (
        login.user.clone(),
        login.host.clone(),
        login.application.clone(),
    );
    std::thread::Builder::new()
        .name("tds-session".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let mut session = match Session::open(&shared.engine, database.as_deref(), &user) {
                Ok(session) => session,
                Err(error) => {
                    let _gone = opened.send(Err(error));
                    return;
                }
            };
            session.set_client(&host, &application);
            if shared.is_reader(&user) {
                session.limit_to_reading();
            }
            if shared.is_writer(&user) {
                session.limit_to_reading_and_writing();
            }
            if opened.send(Ok(session.database().to_owned())).is_err() {
                return;
            }
            Worker {
                shared,
                session,
                response,
                prepared: Prepared::default(),
                cancel: worker_cancel,
                announced: None,
                disconnect: false,
            }
            .run(incoming);
        })?;
    match opening.await {
        Ok(Ok(database)) => Ok(SessionHandle {
            requests,
            output,
            cancel,
            database,
        }),
        Ok(Err(error)) => Err(OpenError::Refused(error)),
        Err(_) => Err(OpenError::Lost),
    }
}

impl Worker {
    fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(mut request) = requests.blocking_recv() {
            match request.reset {
                Reset::No => {}
                Reset::KeepTransaction if self.session.transaction_descriptor() != 0 => {
                    request.input.skip_to_end();
                    self.response.begin(false);
                    self.response.fail(
                        ProtocolError::Unsupported(
                            "resetting a connection within a transaction".into(),
                        )
                        .to_sql_error(),
                    );
                    continue;
                }
                Reset::Session | Reset::KeepTransaction => self.reset(),
            }
            if request.kind == PacketType::BulkLoad {
                self.bulk_load(request.input);
            } else {
                self.announced = None;
                if let Err(error) = self.handle(request.kind, &mut request.input) {
                    tracing::warn!(%error, "a request was refused");
                    self.response.begin(false);
                    self.response.fail(error.to_sql_error());
                    continue;
                }
            }
            if std::mem::take(&mut self.disconnect) {
                self.response.disconnect();
                return;
            }
            self.response.end();
        }
    }

    fn handle(&mut self, kind: PacketType, input: &mut Input) -> Result<(), ProtocolError> {
        let descriptor = request_headers::read(input)?;
        let current = self.session.transaction_descriptor();
        if descriptor != 0 && descriptor != current {
            self.response.begin(false);
            let _gone = self.response.error(SqlError {
                number: 3989,
                state: 1,
                class: 16,
                message: "New request is not allowed to start because it should come with valid transaction \
                          descriptor."
                    .to_owned(),
                line: 1,
                aborts_batch: true,
            });
            return Ok(());
        }
        match kind {
            PacketType::SqlBatch => {
                let text = crate::input::utf16(input.rest(), "the text of a batch")?;
                self.response.begin(false);
                self.record(&text, "");
                self.execute_batch(&text);
                if let Some(target) = self.session.take_bulk() {
                    self.announced = Some(Announced {
                        statement: text,
                        target,
                    });
                }
                Ok(())
            }
            PacketType::Rpc => {
                for call in rpc::read(input)? {
                    if self.response.is_cancelled() {
                        break;
                    }
                    self.call(call);
                }
                Ok(())
            }
            PacketType::TransactionManager => {
                let request = transaction::read(input)?;
                tracing::debug!(?request, "transaction request");
                self.response.begin(false);
                let result = self
                    .session
                    .transaction_manager(request, &mut self.response);
                let done = StatementDone {
                    rows: None,
                    command: 0,
                    error: result.is_err(),
                };
                if let Err(error) = result {
                    let _gone = self.response.error(error);
                }
                let _gone = self.response.done(done);
                Ok(())
            }
            other => Err(ProtocolError::invalid(format!(
                "{other:?} is not a request"
            ))),
        }
    }

    /// Records a statement as it came, where that is asked for.
    pub(crate) fn record(&self, text: &str, declarations: &str) {
        if let Some(recording) = &self.shared.recording {
            recording.note(text, declarations);
        }
    }

    /// Runs a batch unless a fault says otherwise.
    fn execute_batch(&mut self, text: &str) {
        if self.meets_no_fault(text, 0) {
            self.session
                .execute(text, Vec::new(), &self.cancel, &mut self.response);
        }
    }

    /// Runs the body of an `sp_executesql` or of one of its kin unless a fault says otherwise, and returns
    /// its output parameters. Temporary tables and SET options end with it.
    pub(crate) fn execute_body(
        &mut self,
        text: &str,
        parameters: Vec<Parameter>,
    ) -> Vec<Parameter> {
        if !self.meets_no_fault(text, parameters.len()) {
            return Vec::new();
        }
        self.session
            .execute_body(text, parameters, &self.cancel, &mut self.response)
    }

    /// Notes a statement and lets the fault act that is set for it. False where it is not to run.
    fn meets_no_fault(&mut self, text: &str, parameters: usize) -> bool {
        tracing::debug!(statement = text, parameters, "executing");
        self.shared.statistics.statement(text);
        match self.shared.faults.meet(text) {
            None => {}
            Some(Effect::Fail(error)) => {
                self.fail(error);
                return false;
            }
            Some(Effect::Drop(When::BeforeExecution)) => {
                self.disconnect = true;
                return false;
            }
            Some(Effect::Drop(When::AfterExecution)) => self.disconnect = true,
            Some(Effect::Delay(duration)) => self.wait(duration),
        }
        true
    }

    fn fail(&mut self, error: SqlError) {
        /// The session was chosen as a deadlock victim.
        const DEADLOCK_VICTIM: u32 = 1205;
        if error.number == DEADLOCK_VICTIM && self.session.transaction_descriptor() != 0 {
            let rollback = icehost_devengine::session::TransactionRequest::Rollback {
                name: String::new(),
                begin_again: None,
            };
            if let Err(error) = self
                .session
                .transaction_manager(rollback, &mut self.response)
            {
                let _gone = self.response.error(error);
            }
        }
        let _gone = self.response.error(error);
    }

    fn wait(&self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end && !self.cancel.load(Ordering::Relaxed) {
            std::thread::sleep(DELAY_STEP.min(end.saturating_duration_since(Instant::now())));
        }
    }

    /// `sp_reset_connection`, with what clients must hear of it.
    pub(crate) fn reset(&mut self) {
        let before = self.session.database().to_owned();
        self.session.reset();
        self.prepared.clear();
        self.announced = None;
        let after = self.session.database().to_owned();
        self.response.write(|out| {
            if after != before {
                environment::write_database(&after, &before, out);
            }
            environment::write_reset(out);
        });
    }
}
