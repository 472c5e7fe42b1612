//! The server: its socket, what its connections share, and its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use icehost_devengine::Server;
use icehost_devengine::session::SqlError;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::connection::ConnectionError;
use crate::faults::Faults;
use crate::handshake;
use crate::kept_results::KeptResults;
use crate::login::Login;
use crate::packet::ReadError;
use crate::recording::Recording;
use crate::statistics::Statistics;
use crate::tls::{Certificate, Tls};

/// How long `stop` waits for connections to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long accepting pauses when it fails, as it does while file descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Threads that move bytes; statements run on threads of their own.
const IO_THREADS: usize = 2;

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) engine: Arc<Server>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) reader: Option<String>,
    pub(crate) writer: Option<String>,
    pub(crate) tls: Tls,
    pub(crate) certificate: Certificate,
    pub(crate) faults: Faults,
    pub(crate) statistics: Statistics,
    pub(crate) kept_results: Option<Arc<KeptResults>>,
    pub(crate) recording: Option<Recording>,
}

impl Shared {
    /// Whether a login is one of the server's.
    pub(crate) fn admits(&self, login: &Login) -> bool {
        let names = [Some(&self.user), self.reader.as_ref(), self.writer.as_ref()];
        // None is left out for the others: each takes the same time.
        names.into_iter().flatten().fold(false, |known, name| {
            known | login.is_by(name, &self.password)
        })
    }

    /// Whether the user may read and write rows, and nothing else.
    pub(crate) fn is_writer(&self, user: &str) -> bool {
        let writer = self.writer.as_ref();
        writer.is_some_and(|writer| writer.eq_ignore_ascii_case(user))
    }

    /// Whether the user may only read.
    pub(crate) fn is_reader(&self, user: &str) -> bool {
        let reader = self.reader.as_ref();
        reader.is_some_and(|reader| reader.eq_ignore_ascii_case(user))
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address does not read, or cannot be bound.
    #[error("listening on {address} failed: {source}")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No certificate for encrypted connections.
    #[error("making a certificate for encrypted connections failed: {0}")]
    Certificate(String),
    /// A database could not be created.
    #[error("creating database {name} failed: {source}")]
    Database {
        /// Its name.
        name: String,
        /// What the engine said.
        source: SqlError,
    },
    /// The password is empty.
    #[error("the password for login {user} is empty")]
    EmptyPassword {
        /// The login.
        user: String,
    },
    /// The file for statements could not be created.
    #[error("creating a file for statements in {} failed: {source}", .directory.display())]
    Recording {
        /// The directory asked for.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No threads to run on.
    #[error("starting the server's threads failed: {0}")]
    Threads(std::io::Error),
}

impl StartError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { .. } => Some(
                "give an address of this machine and a free port, such as 127.0.0.1:0, which takes any free one".into(),
            ),
            Self::EmptyPassword { .. } => Some("give a password".into()),
            Self::Database { .. } => Some("name each database once, and none that the server has by itself".into()),
            Self::Recording { .. } => Some("name a directory that you may write to".into()),
            Self::Certificate(_) | Self::Threads(_) => None,
        }
    }
}

/// The settings of a server that is not running yet.
#[derive(Debug, Clone)]
pub struct Builder {
    user: String,
    password: String,
    reader: Option<String>,
    writer: Option<String>,
    listen: String,
    tls: Tls,
    own_authority: bool,
    databases: Vec<String>,
    name: Option<String>,
    replay_bytes: Option<usize>,
    recording: Option<PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            user: "sa".to_owned(),
            password: "Dev-Server-1".to_owned(),
            reader: None,
            writer: None,
            listen: "127.0.0.1:0".to_owned(),
            tls: Tls::default(),
            own_authority: false,
            databases: Vec::new(),
            name: None,
            replay_bytes: None,
            recording: None,
        }
    }
}

impl Builder {
    /// The login that may do everything; `sa` unless said otherwise.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// A second login, with the same password, which may read everywhere and do nothing else.
    #[must_use]
    pub fn reader(mut self, user: impl Into<String>) -> Self {
        self.reader = Some(user.into());
        self
    }

    /// A third login, with the same password, which may read and write the rows of every table and do nothing else.
    #[must_use]
    pub fn writer(mut self, user: impl Into<String>) -> Self {
        self.writer = Some(user.into());
        self
    }

    /// The server's name, `MACHINE` or `MACHINE\INSTANCE`, as `@@SERVERNAME` gives it; `icehost-devserver` unless
    /// said otherwise.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
        self
    }

    /// Where to listen, `address:port`; port 0 takes a free one. `127.0.0.1:0` unless said otherwise.
    #[must_use]
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// How to take part in encryption; [`Tls::Offered`] unless said otherwise.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Makes the certificate its own authority, as `openssl req -x509` does.
    #[must_use]
    pub fn own_authority(mut self) -> Self {
        self.own_authority = true;
        self
    }

    /// Creates a database at the start; call again for more.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.databases.push(name.into());
        self
    }

    /// Keeps results, up to this many bytes of them in all, and replays one when the same query comes again
    /// and nothing has changed that the result depends on. Off unless asked for: it is for measuring clients.
    #[must_use]
    pub fn replay_results(mut self, bytes: usize) -> Self {
        self.replay_bytes = Some(bytes);
        self
    }

    /// Keeps each distinct statement that clients send, and what its parameters are declared as, in a new file
    /// in this directory: batches, and the bodies of `sp_executesql` and of prepared statements.
    #[must_use]
    pub fn record_statements(mut self, directory: impl Into<PathBuf>) -> Self {
        self.recording = Some(directory.into());
        self
    }

    /// Starts the server on threads of its own, so that it runs on whatever its starter does.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self) -> Result<RunningServer, StartError> {
        if self.password.is_empty() {
            return Err(StartError::EmptyPassword { user: self.user });
        }
        let engine = self.name.as_deref().map_or_else(Server::new, Server::named);
        for name in &self.databases {
            engine
                .create_database(name)
                .map_err(|source| StartError::Database {
                    name: name.clone(),
                    source,
                })?;
        }
        let certificate = Certificate::generate(self.own_authority)
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        let listening = |source| StartError::Listen {
            address: self.listen.clone(),
            source,
        };
        let socket = std::net::TcpListener::bind(&self.listen).map_err(listening)?;
        socket.set_nonblocking(true).map_err(listening)?;
        let address = socket.local_addr().map_err(listening)?;
        let recording = match self.recording {
            None => None,
            Some(directory) => match Recording::create(&directory) {
                Ok(recording) => Some(recording),
                Err(source) => return Err(StartError::Recording { directory, source }),
            },
        };
        let shared = Arc::new(Shared {
            engine,
            user: self.user,
            password: self.password,
            reader: self.reader,
            writer: self.writer,
            tls: self.tls,
            certificate,
            faults: Faults::default(),
            statistics: Statistics::default(),
            kept_results: self.replay_bytes.map(KeptResults::new).map(Arc::new),
            recording,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(IO_THREADS)
            .thread_name("tds-io")
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let (stop, stopping) = watch::channel(false);
        let (stopped, has_stopped) = watch::channel(false);
        runtime.spawn(run(socket, Arc::clone(&shared), stopping, stopped));
        Ok(RunningServer {
            address,
            shared,
            stop,
            has_stopped,
            runtime: Some(runtime),
        })
    }
}

/// The development server, running in this process until it is stopped or dropped.
pub struct RunningServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    has_stopped: watch::Receiver<bool>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl std::fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl RunningServer {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The login's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.shared.user
    }

    /// The login's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.shared.password
    }

    /// The URL of a database: `mssql://user:password@address:port/database?…`, with encryption where the server
    /// offers it and trust in its self-made certificate.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let base = format!("mssql://{}", self.address);
        let Ok(mut url) = Url::parse(&base) else {
            return base;
        };
        // These fail only for URLs that have no host, which this one has.
        let _always = url.set_username(&self.shared.user);
        let _always = url.set_password(Some(&self.shared.password));
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(database);
        }
        match self.shared.tls {
            Tls::None => url.query_pairs_mut().append_pair("encrypt", "false"),
            Tls::Offered | Tls::Required => url
                .query_pairs_mut()
                .append_pair("encrypt", "true")
                .append_pair("trust_server_certificate", "true"),
        };
        url.into()
    }

    /// The certificate that encrypted connections present, in PEM, for clients that verify it. It is valid for
    /// `localhost`, `127.0.0.1` and `::1`.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.shared.certificate.pem
    }

    /// The engine behind the socket.
    #[must_use]
    pub fn engine(&self) -> &Arc<Server> {
        &self.shared.engine
    }

    /// Faults to order.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What the server has been asked to do so far.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.shared.statistics
    }

    /// How many results were replayed; see [`Builder::replay_results`].
    #[must_use]
    pub fn results_replayed(&self) -> u64 {
        self.shared
            .kept_results
            .as_ref()
            .map_or(0, |kept| kept.replayed())
    }

    /// Closes all connections and the socket, and waits until they are closed.
    pub async fn stop(mut self) {
        // A server that has ended by itself has nothing left to be told.
        let _ended = self.stop.send(true);
        let waiting = self.has_stopped.wait_for(|&stopped| stopped);
        if !matches!(tokio::time::timeout(STOP_TIMEOUT, waiting).await, Ok(Ok(_))) {
            tracing::warn!(
                "connections still open after {} s are cut",
                STOP_TIMEOUT.as_secs()
            );
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        let _ended = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Accepts connections until told to stop.
async fn run(
    socket: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
    stopped: watch::Sender<bool>,
) {
    let mut connections = JoinSet::new();
    match TcpListener::from_std(socket) {
        Err(error) => tracing::error!(%error, "the socket cannot be used"),
        Ok(listener) => loop {
            tokio::select! {
                () = told_to(&mut stopping) => break,
                Some(_ended) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) => {
                        connections.spawn(serve(socket, peer, Arc::clone(&shared)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "accepting a connection failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        },
    }
    connections.shutdown().await;
    // Nobody may be waiting any more.
    let _dropped = stopped.send(true);
}

/// Waits for the word, or for the end of whoever could give it.
async fn told_to(stopping: &mut watch::Receiver<bool>) {
    let _told = stopping.wait_for(|&stop| stop).await.is_ok();
}

async fn serve(socket: tokio::net::TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let _open = shared.statistics.connection();
    match handshake::serve(socket, Arc::clone(&shared)).await {
        Ok(()) => tracing::debug!(%peer, "connection closed"),
        Err(ConnectionError::Read(ReadError::Closed)) => {
            tracing::debug!(%peer, "the client closed the connection")
        }
        Err(error) => tracing::warn!(%peer, %error, "connection ended"),
    }
}
