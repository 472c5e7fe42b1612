//! A registry in memory, on one port of this machine: the distribution protocol as far as artifacts need it,
//! written for the tests and sharing no code with the client. It can ask for a login, and it can misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

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

const TOKEN: &str = "a-token-for-tests";

impl TestRegistry {
    /// Starts one that is empty.
    pub fn start() -> TestRegistry {
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
                let shared = Arc::clone(&shared);
                // A client that goes away is no failure of the registry.
                std::thread::spawn(move || stream.and_then(|stream| serve(stream, port, &shared)));
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

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// What the length in front says; `None` for none.
    length: Option<usize>,
}

impl Response {
    fn new(status: u16, body: Vec<u8>) -> Response {
        let length = Some(body.len());
        Response {
            status,
            headers: Vec::new(),
            body,
            length,
        }
    }

    fn error(status: u16, message: &str) -> Response {
        let body = serde_json::json!({ "errors": [{ "code": "ERROR", "message": message }] });
        Response::new(status, body.to_string().into_bytes())
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }
}

fn serve(mut stream: TcpStream, port: u16, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(request) = read(&mut stream)? else {
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
    let mut head = format!(
        "HTTP/1.1 {} Whatever\r\nConnection: close\r\n",
        response.status
    );
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = response.length {
        head += &format!("Content-Length: {length}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(&response.body)?;
    }
    Ok(())
}

/// `None` for what is not HTTP: a TLS handshake, for example.
fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    reader.by_ref().take(8192).read_until(b'\n', &mut line)?;
    let Ok(line) = String::from_utf8(line) else {
        return Ok(None);
    };
    let mut words = line.split_whitespace();
    let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    }))
}

impl State {
    fn answer(&mut self, request: &Request, port: u16) -> Response {
        let misbehaviour = self.misbehaviour.clone();
        if misbehaviour == Some(Misbehaviour::Fails) {
            return Response::error(500, "no\u{1b}[31m luck\u{202e}");
        }
        if let Some(refusal) = self.refusal(request, port) {
            return refusal;
        }
        let Some(rest) = request.path.strip_prefix("/v2/") else {
            return Response::error(404, "no such page");
        };
        if let Some((repository, version)) = rest.split_once("/manifests/") {
            return self.on_manifest(request, repository, version, misbehaviour);
        }
        if let Some((repository, what)) = rest.split_once("/blobs/") {
            return self.on_blob(request, repository, what, misbehaviour);
        }
        Response::new(200, b"{}".to_vec())
    }

    /// The answer to those who have no business here, and the token for those who want one.
    fn refusal(&self, request: &Request, port: u16) -> Option<Response> {
        let given = request.headers.get("authorization").map(String::as_str);
        let basic =
            |user: &str, password: &str| format!("Basic {}", base64(&format!("{user}:{password}")));
        match self.login.as_ref()? {
            Login::Basic(user, password) => (given != Some(&basic(user, password))).then(|| {
                Response::error(401, "authentication required")
                    .with("WWW-Authenticate", "Basic realm=\"registry\"")
            }),
            Login::Token(user, password) if request.path == "/token" => {
                let body = match given {
                    Some(given)
                        if given == basic(user, password)
                            && request.query.contains("scope=repository") =>
                    {
                        serde_json::json!({ "token": TOKEN })
                    }
                    _ => return Some(Response::error(401, "wrong password")),
                };
                Some(Response::new(200, body.to_string().into_bytes()))
            }
            Login::Token(..) if given == Some(&format!("Bearer {TOKEN}")) => None,
            Login::Token(..) => {
                let realm = match &self.misbehaviour {
                    Some(Misbehaviour::TokensAt(realm)) => realm.clone(),
                    _ => format!("http://127.0.0.1:{port}/token"),
                };
                let challenge = format!("Bearer realm=\"{realm}\",service=\"tests\"");
                Some(
                    Response::error(401, "authentication required")
                        .with("WWW-Authenticate", challenge),
                )
            }
        }
    }

    fn on_manifest(
        &mut self,
        request: &Request,
        repository: &str,
        version: &str,
        misbehaviour: Option<Misbehaviour>,
    ) -> Response {
        let key = (repository.to_owned(), version.to_owned());
        if request.method == "PUT" {
            let kind = request
                .headers
                .get("content-type")
                .cloned()
                .unwrap_or_default();
            let digest = sha256(&request.body);
            self.manifests.insert(
                (repository.to_owned(), digest.clone()),
                (kind, request.body.clone()),
            );
            self.tags.insert(key, digest.clone());
            return Response::new(201, Vec::new()).with("Docker-Content-Digest", digest);
        }
        let digest = match version.starts_with("sha256:") {
            true => Some(version.to_owned()),
            false => self.tags.get(&key).cloned(),
        };
        let found = digest.and_then(|digest| {
            let manifest = self
                .manifests
                .get(&(repository.to_owned(), digest.clone()))?;
            Some((digest, manifest.clone()))
        });
        let Some((digest, (kind, mut bytes))) = found else {
            return Response::error(404, "manifest unknown");
        };
        match misbehaviour {
            Some(Misbehaviour::WrongManifest) => bytes.push(b' '),
            Some(Misbehaviour::HugeManifest) => bytes.resize(2 << 20, b' '),
            _ => {}
        }
        Response::new(200, bytes)
            .with("Content-Type", kind)
            .with("Docker-Content-Digest", digest)
    }

    fn on_blob(
        &mut self,
        request: &Request,
        repository: &str,
        what: &str,
        misbehaviour: Option<Misbehaviour>,
    ) -> Response {
        match request.method.as_str() {
            "POST" => {
                let location = format!("/v2/{repository}/blobs/uploads/1?state=x");
                return Response::new(202, Vec::new()).with("Location", location);
            }
            "PUT" => {
                let digest = sha256(&request.body);
                if !request.query.contains(&digest.replace(':', "%3A")) {
                    return Response::error(400, "digest did not match uploaded content");
                }
                self.blobs
                    .insert((repository.to_owned(), digest), request.body.clone());
                return Response::new(201, Vec::new());
            }
            _ => {}
        }
        let Some(mut bytes) = self
            .blobs
            .get(&(repository.to_owned(), what.to_owned()))
            .cloned()
        else {
            return Response::error(404, "blob unknown");
        };
        match misbehaviour {
            Some(Misbehaviour::RedirectBlobs(to)) => {
                return Response::new(307, Vec::new())
                    .with("Location", format!("{to}{}", request.path));
            }
            Some(Misbehaviour::WrongBlob) => bytes[0] ^= 1,
            Some(Misbehaviour::TruncatedBlob) => {
                let mut response = Response::new(200, bytes);
                response.body.truncate(10);
                return response;
            }
            Some(Misbehaviour::EndlessBlob) => {
                bytes.resize(bytes.len() + (1 << 20), 0);
                let mut response = Response::new(200, bytes);
                response.length = None;
                return response;
            }
            _ => {}
        }
        Response::new(200, bytes)
    }
}

/// `sha256:…`
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = String::from("sha256:");
    for byte in <sha2::Sha256 as sha2::Digest>::digest(bytes) {
        digest += &format!("{byte:02x}");
    }
    digest
}

/// Text in base64, written here because the product's is another's.
pub fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            encoded.push(if i <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    encoded
}
