//! A registry in memory, on one port of this machine: the distribution protocol as far as artifacts need it,
//! written for the tests and sharing no code with the client. It can ask for a login, and it can misbehave.

mod answer;
mod encoding;
mod http;
mod tls;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub use encoding::{base64, sha256};
use rustls::ServerConfig;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misbehaviour {
    /// A byte of each blob is another one.
    WrongBlob,
    /// A byte of each manifest is another one, but the header names the digest of what was pushed.
    WrongManifest,
    /// Blobs end early.
    TruncatedBlob,
    /// Blobs are followed by a MiB of zeros, without a length in front.
    EndlessBlob,
    /// A manifest of two MiB.
    HugeManifest,
    /// Blobs are elsewhere: at this address, followed by the path.
    RedirectBlobs(String),
    /// Everything fails, and says so with control characters.
    Fails,
    /// Tokens are to be had at this address.
    TokensAt(String),
}

/// How the registry wants to know who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// With user and password.
    Basic(String, String),
    /// With a token, which is given for user and password.
    Token(String, String),
}

/// One request: method and path, and what its `Authorization` was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `GET /v2/…`
    pub request: String,
    /// The header, if there was one.
    pub authorization: Option<String>,
}

#[derive(Default)]
struct State {
    /// By repository and digest.
    blobs: BTreeMap<(String, String), Vec<u8>>,
    manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    /// By repository and tag.
    tags: BTreeMap<(String, String), String>,
    misbehaviour: Option<Misbehaviour>,
    login: Option<Login>,
    seen: Vec<Seen>,
}

/// A running registry.
pub struct TestRegistry {
    port: u16,
    state: Arc<Mutex<State>>,
    stopping: Arc<AtomicBool>,
}

impl TestRegistry {
    /// Starts one that is empty.
    pub fn start() -> TestRegistry {
        TestRegistry::start_with(None)
    }

    /// Starts one that speaks TLS; its certificate, as PEM, is its own authority.
    pub fn start_with_tls() -> (TestRegistry, String) {
        let (config, certificate) = tls::config();
        (TestRegistry::start_with(Some(config)), certificate)
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> TestRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (shared, stop) = (Arc::clone(&state), Arc::clone(&stopping));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                std::thread::spawn(move || {
                    // A client that goes away is no failure of the registry.
                    let _ = stream.and_then(|stream| match tls {
                        Some(config) => serve(tls::accept(config, stream)?, port, &shared),
                        None => serve(stream, port, &shared),
                    });
                });
            }
        });
        TestRegistry {
            port,
            state,
            stopping,
        }
    }

    /// `127.0.0.1:PORT`
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A reference to a version of `acme/NAME`.
    pub fn reference(&self, name_and_tag: &str) -> String {
        format!("{}/acme/{name_and_tag}", self.host())
    }

    /// Lets it misbehave, or no longer.
    pub fn misbehave(&self, how: impl Into<Option<Misbehaviour>>) {
        self.state().misbehaviour = how.into();
    }

    /// Lets it ask for a login.
    pub fn want(&self, login: Login) {
        self.state().login = Some(login);
    }

    /// Lets a tag name what another one names.
    pub fn move_tag(&self, name: &str, tag: &str, to: &str) {
        let mut state = self.state();
        let repository = format!("acme/{name}");
        let digest = state.tags[&(repository.clone(), to.to_owned())].clone();
        state.tags.insert((repository, tag.to_owned()), digest);
    }

    /// Changes the manifest under a tag.
    pub fn change_manifest(
        &self,
        name: &str,
        tag: &str,
        change: impl FnOnce(&mut serde_json::Value),
    ) {
        let mut state = self.state();
        let repository = format!("acme/{name}");
        let digest = state.tags[&(repository.clone(), tag.to_owned())].clone();
        let (kind, bytes) = state.manifests[&(repository.clone(), digest)].clone();
        let mut manifest = serde_json::from_slice(&bytes).expect("a manifest");
        change(&mut manifest);
        let bytes = serde_json::to_vec(&manifest).expect("JSON");
        let digest = sha256(&bytes);
        state
            .manifests
            .insert((repository.clone(), digest.clone()), (kind, bytes));
        state.tags.insert((repository, tag.to_owned()), digest);
    }

    /// The bytes of a blob, and of a manifest by its tag.
    pub fn blob(&self, name: &str, digest: &str) -> Vec<u8> {
        self.state().blobs[&(format!("acme/{name}"), digest.to_owned())].clone()
    }

    /// The manifest under a tag, and its digest.
    pub fn manifest(&self, name: &str, tag: &str) -> (String, serde_json::Value) {
        let state = self.state();
        let repository = format!("acme/{name}");
        let digest = state.tags[&(repository.clone(), tag.to_owned())].clone();
        let (_, bytes) = &state.manifests[&(repository, digest.clone())];
        (digest, serde_json::from_slice(bytes).expect("a manifest"))
    }

    /// What has been asked so far; forgotten with that.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked")
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the thread that listens.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// One request, one answer.
fn serve(mut stream: impl Read + Write, port: u16, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = http::read(&mut stream)? else {
        return Ok(());
    };
    let response = {
        let mut state = state.lock().expect("no thread panicked");
        state.seen.push(Seen {
            request: format!("{} {}", request.method, request.path),
            authorization: request.headers.get("authorization").cloned(),
        });
        state.answer(&request, port)
    };
    http::write(&mut stream, &request.method, &response)
}
