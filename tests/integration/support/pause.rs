//! Sits between a gate and its upstream and stops what is on its way, until it is told to go on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Far more than any test needs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where the next request that begins so is stopped.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    /// Before the upstream gets it.
    Request(String),
    /// Before the gate gets the answer to it.
    Answer(String),
}

/// The connection; stops listening when dropped.
pub(crate) struct Pause {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: Option<Stop>,
    stopped: bool,
    /// What is stopped never arrives.
    lost: bool,
    seen: Vec<String>,
    closed: bool,
}

impl Pause {
    pub(crate) fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.state.lock().unwrap().closed {
                    return;
                }
                let (client, shared) = (client.unwrap(), Arc::clone(&accepting));
                thread::spawn(move || relay(client, upstream, &shared));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs `act` in a thread of its own until what it asks for is stopped, then `meanwhile`; lets
    /// go, and gives what came of both.
    pub(crate) fn during<A: Send, B>(
        &self,
        stop: Stop,
        act: impl FnOnce() -> A + Send,
        meanwhile: impl FnOnce() -> B,
    ) -> (A, B) {
        self.shared.state.lock().unwrap().next = Some(stop);
        thread::scope(|scope| {
            let acting = scope.spawn(act);
            self.wait(|state| state.stopped);
            let came = meanwhile();
            self.shared.state.lock().unwrap().stopped = false;
            self.shared.changed.notify_all();
            (acting.join().unwrap(), came)
        })
    }

    /// What is stopped is lost.
    pub(crate) fn lose(&self) {
        self.shared.state.lock().unwrap().lost = true;
    }

    /// The first lines of the requests so far that begin so.
    pub(crate) fn seen(&self, start: &str) -> usize {
        let state = self.shared.state.lock().unwrap();
        state.seen.iter().filter(|line| line.starts_with(start)).count()
    }

    fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.shared.state.lock().unwrap();
        let waited =
            self.shared.changed.wait_timeout_while(state, PATIENCE, |state| !until(state)).unwrap();
        assert!(!waited.1.timed_out(), "nothing was stopped");
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().closed = true;
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// Waits as long as this is stopped. False: it is lost.
    fn stop(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.stopped = true;
        self.changed.notify_all();
        let state =
            self.changed.wait_timeout_while(state, PATIENCE, |state| state.stopped).unwrap().0;
        !state.lost
    }

    /// Notes a request, and tells where it is to be stopped.
    fn request(&self, piece: &[u8]) -> Option<Stop> {
        let text = String::from_utf8_lossy(piece);
        let line = text.lines().next().filter(|line| line.ends_with(" HTTP/1.1"))?;
        let mut state = self.state.lock().unwrap();
        state.seen.push(line.to_owned());
        state.next.take_if(|stop| {
            let (Stop::Request(start) | Stop::Answer(start)) = stop;
            line.starts_with(start.as_str())
        })
    }
}

/// A request that matters here is written in one piece, on a connection that waits for its answer.
fn relay(mut client: TcpStream, upstream: SocketAddr, shared: &Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(upstream) else { return };
    let stops_answer = Arc::new(AtomicBool::new(false));
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let answering = (Arc::clone(shared), Arc::clone(&stops_answer));
    thread::spawn(move || {
        let ((mut server, mut client), (shared, stops)) = (back, answering);
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = server.read(&mut buffer) {
            if stops.swap(false, Ordering::SeqCst) && !shared.stop() {
                break;
            }
            if client.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        match shared.request(&buffer[..length]) {
            Some(Stop::Request(_)) if !shared.stop() => break,
            Some(Stop::Answer(_)) => stops_answer.store(true, Ordering::SeqCst),
            _ => {}
        }
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}
