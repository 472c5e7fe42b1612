//! A proxy between the program and a server, which stalls, breaks and goes away when a case asks for it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a thread that stalls looks whether it is over.
const LOOK: Duration = Duration::from_millis(20);
/// What is read at a time.
const PIECE: usize = 4096;

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing more comes, and the connection stays.
    Stall,
    /// The connection breaks.
    Break,
    /// What comes instead never ends.
    Flood(Flood),
}

/// An answer without end, or one that says more than any server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// Rows of one byte.
    Rows,
    /// One value, in chunks.
    Value,
    /// Messages.
    Infos,
    /// Errors.
    Errors,
    /// Ends of statements.
    Dones,
    /// Environment changes.
    Changes,
    /// Descriptions of columns.
    Columns,
}

/// More than this is not sent, whatever the program does.
const MOST: u64 = 3 << 30;

impl Flood {
    /// What comes first, and what comes over and over (MS-TDS 2.2.7).
    fn tokens(self) -> (Vec<u8>, Vec<u8>) {
        let text =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let columns = |info: &[u8], name: &str| {
            let mut token = vec![0x81, 1, 0, 0, 0, 0, 0, 0, 0];
            token.extend(info);
            token.push(name.len() as u8);
            token.extend(text(name));
            token
        };
        let message = |token: u8, class: u8| {
            let words = "x".repeat(500);
            let mut body = 50_000u32.to_le_bytes().to_vec();
            body.extend([1, class]);
            body.extend((words.len() as u16).to_le_bytes());
            body.extend(text(&words));
            body.extend([0, 0, 1, 0, 0, 0]);
            let mut message = vec![token];
            message.extend((body.len() as u16).to_le_bytes());
            message.extend(body);
            message
        };
        match self {
            Flood::Rows => (columns(&[0x30], "a"), vec![0xD1, 7]),
            Flood::Value => {
                let mut first = columns(&[0xE7, 0xFF, 0xFF, 9, 4, 0xD0, 0, 0x34], "a");
                first.push(0xD1);
                first.extend(0xFFFF_FFFF_FFFF_FFFEu64.to_le_bytes());
                let mut chunk = 0x1_0000u32.to_le_bytes().to_vec();
                chunk.resize(chunk.len() + 0x1_0000, b' ');
                (first, chunk)
            }
            Flood::Infos => (Vec::new(), message(0xAB, 0)),
            Flood::Errors => (Vec::new(), message(0xAA, 16)),
            Flood::Dones => {
                // DONEINPROC, more to come
                let mut done = vec![0xFF, 1, 0, 0, 0];
                done.extend([0; 8]);
                (Vec::new(), done)
            }
            Flood::Changes => {
                // The database's name
                let mut body = vec![1, 100];
                body.extend(text(&"d".repeat(100)));
                body.push(0);
                let mut change = vec![0xE3];
                change.extend((body.len() as u16).to_le_bytes());
                change.extend(body);
                (Vec::new(), change)
            }
            Flood::Columns => (Vec::new(), columns(&[0x30], &"c".repeat(120))),
        }
    }

    /// Sends it until the program has had enough.
    fn send(self, to: &mut TcpStream, sent: &AtomicU64) {
        let (first, again) = self.tokens();
        let mut body = first;
        while sent.load(Ordering::SeqCst) < MOST {
            while body.len() < 30_000 {
                body.extend(&again);
            }
            let rest = body.split_off(30_000);
            let mut packet = vec![0x04, 0];
            packet.extend((body.len() as u16 + 8).to_be_bytes());
            packet.extend([0, 0, 1, 0]);
            packet.extend(&body);
            body = rest;
            if to.write_all(&packet).is_err() {
                return;
            }
            sent.fetch_add(packet.len() as u64, Ordering::SeqCst);
        }
    }
}

/// When a fault acts.
#[derive(Debug, Clone)]
pub enum When {
    /// After so many bytes of the server, over all connections.
    Received(u64),
    /// After so many bytes of the program, over all connections.
    Sent(u64),
    /// After so many bytes of the answer to the first request that contains a text. Only in the clear.
    Answer(String, u64),
    /// After so many bytes from the program since the first request that contains a text. Only in the clear.
    Request(String, u64),
}

struct Rule {
    when: When,
    fault: Fault,
}

struct State {
    upstream: SocketAddr,
    rules: Mutex<Vec<Rule>>,
    received: AtomicU64,
    sent: AtomicU64,
    connections: AtomicU64,
    /// Rules that have acted.
    acted: AtomicU64,
    /// Bytes of floods.
    flooded: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
    over: AtomicBool,
    away: AtomicBool,
}

/// Listens on a port of its own until it is dropped.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    /// In front of a server.
    pub fn new(upstream: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("the port").port();
        let state = Arc::new(State {
            upstream,
            rules: Mutex::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            acted: AtomicU64::new(0),
            flooded: AtomicU64::new(0),
            open: Mutex::default(),
            over: AtomicBool::new(false),
            away: AtomicBool::new(false),
        });
        let mut proxy = Proxy {
            port,
            state,
            listening: None,
        };
        proxy.listen(listener);
        proxy
    }

    fn listen(&mut self, listener: TcpListener) {
        listener.set_nonblocking(true).expect("non-blocking");
        let state = Arc::clone(&self.state);
        self.listening = Some(std::thread::spawn(move || accept(&listener, &state)));
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL of the server as one of the proxy, in the clear.
    pub fn clear(&self, url: &str) -> String {
        self.url(url, "encrypt=disable")
    }

    /// A URL of the server as one of the proxy, with these options instead of its own.
    pub fn url(&self, url: &str, options: &str) -> String {
        let (base, _) = url.split_once('?').unwrap_or((url, ""));
        let (login, rest) = base.rsplit_once('@').expect("a login");
        let database = rest.split_once('/').map_or("", |(_, database)| database);
        format!("{login}@127.0.0.1:{}/{database}?{options}", self.port)
    }

    /// Orders a fault, which acts once.
    pub fn order(&self, when: When, fault: Fault) {
        self.rules().push(Rule { when, fault });
    }

    /// Takes back what was ordered, and breaks every connection.
    pub fn forget(&self) {
        self.rules().clear();
        self.break_all();
    }

    /// Faults that have acted.
    pub fn acted(&self) -> u64 {
        self.state.acted.load(Ordering::SeqCst)
    }

    /// Bytes of floods that the program has let come.
    pub fn flooded(&self) -> u64 {
        self.state.flooded.load(Ordering::SeqCst)
    }

    /// Bytes that came from the server so far.
    pub fn received(&self) -> u64 {
        self.state.received.load(Ordering::SeqCst)
    }

    /// Bytes that came from the program so far.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Breaks every connection, and refuses new ones.
    pub fn go_away(&mut self) {
        self.state.away.store(true, Ordering::SeqCst);
        if let Some(listening) = self.listening.take() {
            listening.join().expect("the listener's thread");
        }
        self.break_all();
    }

    /// Takes connections again.
    pub fn come_back(&mut self) {
        self.state.away.store(false, Ordering::SeqCst);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).expect("the same port");
        self.listen(listener);
    }

    /// Breaks every connection.
    pub fn break_all(&self) {
        for socket in lock(&self.state.open).drain(..) {
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        lock(&self.state.rules)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.break_all();
        if let Some(listening) = self.listening.take() {
            let _ended = listening.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    while !state.over.load(Ordering::SeqCst) && !state.away.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((client, _)) => {
                state.connections.fetch_add(1, Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(state.upstream) else {
                    continue;
                };
                serve(client, server, state);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn serve(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    client.set_nonblocking(false).expect("blocking");
    let copy = |socket: &TcpStream| socket.try_clone().expect("a second handle");
    {
        let mut open = lock(&state.open);
        open.push(copy(&client));
        open.push(copy(&server));
    }
    // What an answer may still have before its fault acts.
    let armed: Arc<Mutex<Option<(u64, Fault)>>> = Arc::default();
    let up = Pump {
        from: copy(&client),
        to: copy(&server),
        state: Arc::clone(state),
        armed: Arc::clone(&armed),
    };
    let down = Pump {
        from: server,
        to: client,
        state: Arc::clone(state),
        armed,
    };
    std::thread::spawn(move || up.requests());
    std::thread::spawn(move || down.answers());
}

/// One direction of a connection.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    state: Arc<State>,
    armed: Arc<Mutex<Option<(u64, Fault)>>>,
}

impl Pump {
    fn requests(mut self) {
        let mut seen: Vec<u8> = Vec::new();
        // What may still be sent, of a request that is to stall.
        let mut left: Option<(u64, Fault)> = None;
        let mut piece = [0; PIECE];
        while let Ok(read @ 1..) = self.from.read(&mut piece) {
            let bytes = &piece[..read];
            seen.extend_from_slice(bytes);
            let before = self.state.sent.fetch_add(read as u64, Ordering::SeqCst);
            {
                let mut rules = lock(&self.state.rules);
                let met = rules.iter().position(|rule| match &rule.when {
                    When::Answer(text, _) | When::Request(text, _) => {
                        let text: Vec<u8> =
                            text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                        seen.windows(text.len()).any(|window| window == text)
                    }
                    When::Sent(after) => before + read as u64 > *after,
                    When::Received(_) => false,
                });
                if let Some(met) = met {
                    let rule = rules.remove(met);
                    match rule.when {
                        When::Answer(_, after) => {
                            *lock(&self.armed) = Some((after, rule.fault));
                        }
                        When::Request(_, after) => left = Some((after, rule.fault)),
                        When::Sent(after) => {
                            left = Some((after.saturating_sub(before), rule.fault));
                        }
                        When::Received(_) => {}
                    }
                }
            }
            // A text may stand across two pieces; packet headers do not cut the ones that cases look for.
            seen.drain(..seen.len().saturating_sub(2 * PIECE));
            if !self.pass_on(&piece[..read], &mut left) {
                return;
            }
        }
        let _closed = self.to.shutdown(Shutdown::Both);
    }

    fn answers(mut self) {
        let mut piece = [0; PIECE];
        while let Ok(read @ 1..) = self.from.read(&mut piece) {
            let before = self.state.received.fetch_add(read as u64, Ordering::SeqCst);
            let mut left = lock(&self.armed).take();
            {
                let mut rules = lock(&self.state.rules);
                let met = rules.iter().position(|rule| match rule.when {
                    When::Received(after) => before + read as u64 > after,
                    _ => false,
                });
                if let Some(met) = met {
                    let rule = rules.remove(met);
                    if let When::Received(after) = rule.when {
                        left = Some((after.saturating_sub(before), rule.fault));
                    }
                }
            }
            if !self.pass_on(&piece[..read], &mut left) {
                return;
            }
            if left.is_some() {
                *lock(&self.armed) = left;
            }
        }
        let _closed = self.to.shutdown(Shutdown::Both);
    }

    /// Passes bytes on; false where a fault has acted or the connection is gone.
    fn pass_on(&mut self, bytes: &[u8], left: &mut Option<(u64, Fault)>) -> bool {
        let Some((most, fault)) = left else {
            return self.to.write_all(bytes).is_ok();
        };
        let passed = usize::try_from(*most)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        if self.to.write_all(&bytes[..passed]).is_err() {
            return false;
        }
        *most -= passed as u64;
        if passed == bytes.len() && *most > 0 {
            return true;
        }
        self.state.acted.fetch_add(1, Ordering::SeqCst);
        match fault {
            Fault::Break => {
                let _closed = self.to.shutdown(Shutdown::Both);
                let _closed = self.from.shutdown(Shutdown::Both);
            }
            Fault::Flood(flood) => {
                let flood = *flood;
                flood.send(&mut self.to, &self.state.flooded);
                let _closed = self.to.shutdown(Shutdown::Both);
                let _closed = self.from.shutdown(Shutdown::Both);
            }
            // The handles live on; whoever opened them closes them.
            Fault::Stall => {
                while !self.state.over.load(Ordering::SeqCst) {
                    std::thread::sleep(LOOK);
                }
            }
        }
        false
    }
}
