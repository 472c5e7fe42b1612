//! What a run has learnt of the servers that it talks to: which ones it has reached, and which logins were refused.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::driver::{self, Client};
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Result, ServerMessage, SqlServerError};

/// The pause before a server that is away is looked for again; doubled each time, up to [`LONGEST_PAUSE`].
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// "Login failed for user": what counts the tries and may lock the account. The server does not say whether it was the
/// user or the password.
const LOGIN_FAILED: u32 = 18456;
/// Refusals of a database, which say nothing of the login and nothing of other databases: it cannot be opened, is being
/// recovered, restored or moved, or is a replica's that is not the primary (SQL Server, "Database Engine events and
/// errors").
const OF_DATABASE: [u32; 11] = [904, 911, 921, 922, 927, 976, 978, 983, 4060, 4064, 40613];
/// Refusals of a server that starts, stops, is upgraded or has no room: paused, not ready yet, too many connections,
/// only administrators, script upgrade, shutting down; and those of Azure SQL that its documentation calls transient.
const OF_STATE: [u32; 13] = [
    17142, 17187, 17188, 17189, 17809, 18401, 18451, 18461, 40197, 40501, 40540, 49918, 6005,
];
/// States of [`LOGIN_FAILED`] that are the server's and not the login's, where it tells them apart: paused, shutting
/// down.
const STATES_OF_SERVER: [u8; 2] = [13, 23];

/// Behind the answer to a login that was refused.
const TRIED_ONCE: &str = "tried once, and not again in this run";

/// What a run has learnt of the servers that it talks to. Clones share it: every connection of a run should have one.
///
/// A server that has been reached once is waited for when it is away, and a login that was refused is not tried again,
/// whichever of the run's connections asks.
#[derive(Clone, Default)]
pub struct Servers(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Hosts and ports that have let this run in, and those with the database.
    reached: HashSet<(String, u16, Option<String>)>,
    logins: HashMap<Login, Arc<tokio::sync::Mutex<Standing>>>,
    /// Databases that were refused to a login.
    closed: HashMap<(Login, Option<String>), SqlServerError>,
}

/// A server, a user, and what tells the password from another one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Login {
    host: String,
    port: u16,
    user: String,
    secret: [u8; 32],
}

/// What is known of a login.
#[derive(Clone)]
enum Standing {
    /// Nobody has asked yet.
    Unknown,
    Good,
    Refused(SqlServerError),
}

/// A turn to log in; kept until the server has answered.
pub(crate) struct Turn {
    /// Held by the first alone: whoever comes meanwhile waits for its answer.
    first: Option<tokio::sync::OwnedMutexGuard<Standing>>,
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").finish_non_exhaustive()
    }
}

impl Servers {
    /// Connects and logs in. A server that has let this run in before, and does not now, is tried again until `away` is
    /// over.
    pub(crate) async fn connect(&self, endpoint: &Endpoint, away: Duration) -> Result<Client> {
        let started = Instant::now();
        let mut pause = SHORTEST_PAUSE;
        let mut tries = 1u32;
        loop {
            let error = match driver::connect(endpoint, self).await {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            if !self.is_away(endpoint, &error) || away.is_zero() {
                return Err(error);
            }
            let waited = started.elapsed();
            if waited + pause > away {
                let seconds = waited.as_secs_f64();
                let hint = "see whether the server is up again; --reconnect-timeout waits longer for one \
                     that is away";
                return Err(error
                    .context(format!("{tries} tries within {seconds:.0} s"))
                    .with_hint(hint)
                    .given_up());
            }
            if tries == 1 {
                tracing::warn!(
                    %endpoint,
                    %error,
                    "the server is away, and is tried again for up to {} s",
                    away.as_secs_f64()
                );
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            tries += 1;
        }
    }

    /// Whether the server has let this run in before.
    pub(crate) fn has_reached(&self, endpoint: &Endpoint) -> bool {
        self.known().reached.contains(&place(endpoint, None))
    }

    /// Whether an error is that of a server, or of a database, that was there and will be again.
    fn is_away(&self, endpoint: &Endpoint, error: &SqlServerError) -> bool {
        if error.is_given_up() {
            return false;
        }
        let database = match (error.kind(), error.login()) {
            (ErrorKind::Connect | ErrorKind::ConnectionLost | ErrorKind::Timeout, _) => None,
            (_, Some(said)) if OF_DATABASE.contains(&said.number) => {
                Some(endpoint.database.as_deref())
            }
            (_, Some(said)) if is_of_server(said) || error.is_transient() => None,
            _ => return false,
        };
        self.known().reached.contains(&place(endpoint, database))
    }

    /// Waits for the turn to log in. The first with a login goes alone.
    ///
    /// # Errors
    /// The answer that this login has had before, where it was refused.
    pub(crate) async fn turn(&self, endpoint: &Endpoint) -> Result<Turn> {
        let login = login(endpoint);
        let standing = {
            let mut known = self.known();
            let key = (login.clone(), endpoint.database.clone());
            if let Some(error) = known.closed.get(&key) {
                return Err(error.clone().remark(TRIED_ONCE));
            }
            let standing = known.logins.entry(login);
            Arc::clone(
                standing.or_insert_with(|| Arc::new(tokio::sync::Mutex::new(Standing::Unknown))),
            )
        };
        let held = standing.lock_owned().await;
        match &*held {
            Standing::Unknown => Ok(Turn { first: Some(held) }),
            Standing::Good => Ok(Turn { first: None }),
            Standing::Refused(error) => Err(error.clone().remark(TRIED_ONCE)),
        }
    }

    /// Takes note that the server let a login in.
    pub(crate) async fn let_in(&self, endpoint: &Endpoint, turn: Turn) {
        let database = Some(endpoint.database.as_deref());
        let places = [place(endpoint, None), place(endpoint, database)];
        self.known().reached.extend(places);
        self.stands(endpoint, turn, Standing::Good).await;
    }

    /// Takes note of how a login failed, and gives that as it is to be told: to the first in the same words as to all
    /// others, so that it is one cause.
    pub(crate) async fn failed(
        &self,
        endpoint: &Endpoint,
        turn: Turn,
        error: SqlServerError,
    ) -> SqlServerError {
        match (error.kind(), error.login()) {
            // It has not judged the login.
            (ErrorKind::Login, Some(said)) if is_of_server(said) => error,
            (ErrorKind::Login, Some(said)) if OF_DATABASE.contains(&said.number) => {
                if self.is_away(endpoint, &error) {
                    return error;
                }
                let key = (login(endpoint), endpoint.database.clone());
                self.known().closed.insert(key, error.clone());
                error.remark(TRIED_ONCE)
            }
            // Wrong, disabled, locked, expired.
            (ErrorKind::Login, Some(_)) => {
                self.stands(endpoint, turn, Standing::Refused(error.clone()))
                    .await;
                error.remark(TRIED_ONCE)
            }
            _ => error,
        }
    }

    async fn stands(&self, endpoint: &Endpoint, turn: Turn, standing: Standing) {
        match turn.first {
            Some(mut held) => *held = standing,
            None if matches!(standing, Standing::Refused(_)) => {
                let slot = self.known().logins.get(&login(endpoint)).cloned();
                if let Some(slot) = slot {
                    *slot.lock().await = standing;
                }
            }
            None => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a refused login says that server or database are away for a while.
pub(crate) fn is_unready(said: &ServerMessage) -> bool {
    // No such database, none that the login may open, or that is its own: those stay.
    let stays = [911, 4060, 4064].contains(&said.number);
    is_of_server(said) || (OF_DATABASE.contains(&said.number) && !stays)
}

/// Whether a refused login says something of the server, and nothing of the login or the database.
fn is_of_server(said: &ServerMessage) -> bool {
    match said.number {
        LOGIN_FAILED => STATES_OF_SERVER.contains(&said.state),
        number => OF_STATE.contains(&number),
    }
}

/// The server; with `Some`, the database as well, `Some(None)` being the login's own.
fn place(endpoint: &Endpoint, database: Option<Option<&str>>) -> (String, u16, Option<String>) {
    let database = database.map(|name| name.unwrap_or_default().to_lowercase());
    (endpoint.host.to_lowercase(), endpoint.port, database)
}

fn login(endpoint: &Endpoint) -> Login {
    let secret = endpoint.password().unwrap_or_default();
    Login {
        host: endpoint.host.to_lowercase(),
        port: endpoint.port,
        user: endpoint.user.clone().unwrap_or_default().to_lowercase(),
        secret: Sha256::digest(secret.as_bytes()).into(),
    }
}
