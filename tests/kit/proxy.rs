//! A proxy between the program and a server, which stalls, breaks, damages what it passes on and goes away when a case
//! asks for it.

mod flood;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use flood::Flood;

use crate::Bed;

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
    /// A bit of one byte is another one.
    Flip(u8),
    /// So many bytes do not arrive, as far as they were read together.
    Lose(usize),
    /// So many bytes arrive twice, as far as they were read together.
    Repeat(usize),
}

impl Fault {
    /// Whether something else arrives than was sent.
    fn damages(self) -> bool {
        match self {
            Fault::Flip(_) | Fault::Lose(_) | Fault::Repeat(_) => true,
            Fault::Stall | Fault::Break | Fault::Flood(_) => false,
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
    /// Whether requests may be damaged.
    damaging: bool,
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
            damaging: false,
            port,
            state,
            listening: None,
        };
        proxy.listen(listener);
        proxy
    }

    /// In front of a bed's server, for faults that damage.
    pub fn damaging(bed: &Bed) -> Proxy {
        assert!(bed.may_be_damaged(), "its statements are judged");
        let mut proxy = Proxy::new(bed.server().addr());
        proxy.damaging = true;
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
        assert!(
            self.damaging || !fault.damages(),
            "{fault:?}: only on the way to a server whose statements nobody judges"
        );
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

    /// Passes bytes on; false where a fault has ended the connection or it is gone.
    fn pass_on(&mut self, bytes: &[u8], left: &mut Option<(u64, Fault)>) -> bool {
        let Some((most, fault)) = left else {
            return self.to.write_all(bytes).is_ok();
        };
        let passed = usize::try_from(*most)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (before, after) = bytes.split_at(passed);
        if self.to.write_all(before).is_err() {
            return false;
        }
        *most -= passed as u64;
        let fault = *fault;
        if after.is_empty() && (*most > 0 || fault.damages()) {
            return true;
        }
        self.state.acted.fetch_add(1, Ordering::SeqCst);
        match fault {
            Fault::Break => {
                self.close();
                false
            }
            Fault::Flood(flood) => {
                flood.send(&mut self.to, &self.state.flooded);
                self.close();
                false
            }
            // The handles live on; whoever opened them closes them.
            Fault::Stall => {
                while !self.state.over.load(Ordering::SeqCst) {
                    std::thread::sleep(LOOK);
                }
                false
            }
            Fault::Flip(bit) => {
                let mut damaged = after.to_vec();
                damaged[0] ^= 1 << (bit % 8);
                *left = None;
                self.to.write_all(&damaged).is_ok()
            }
            Fault::Lose(number) => {
                *left = None;
                self.to.write_all(&after[number.min(after.len())..]).is_ok()
            }
            Fault::Repeat(number) => {
                *left = None;
                let again = &after[..number.min(after.len())];
                self.to.write_all(again).is_ok() && self.to.write_all(after).is_ok()
            }
        }
    }

    fn close(&self) {
        let _closed = self.to.shutdown(Shutdown::Both);
        let _closed = self.from.shutdown(Shutdown::Both);
    }
}
