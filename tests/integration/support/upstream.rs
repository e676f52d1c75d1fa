//! An upstream that misbehaves as it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What it does once it has read the head of a request.
pub(crate) enum Reply {
    /// Writes this and keeps the connection.
    Whole(Vec<u8>),
    /// Writes this and ends the connection.
    Cut(Vec<u8>),
    /// Writes this and then says nothing more.
    Stall(Vec<u8>),
}

/// A server with one answer for each kind of request. Requests with bodies are answered before
/// their bodies are read, and their connection ends then.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    closed: Arc<Mutex<bool>>,
}

impl Upstream {
    /// `answer` gets the request's first line and head.
    pub(crate) fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, closed) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<bool>>::default());
        let (answer, log, end) = (Arc::new(answer), Arc::clone(&heads), Arc::clone(&closed));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if *end.lock().unwrap() {
                    return;
                }
                let (answer, log, end) = (Arc::clone(&answer), Arc::clone(&log), Arc::clone(&end));
                thread::spawn(move || serve(stream.unwrap(), &*answer, &log, &end));
            }
        });
        Self { address, heads, closed }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far, `GET /v2/` apart.
    pub(crate) fn heads(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        heads.iter().filter(|head| !head.starts_with("GET /v2/ ")).cloned().collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        *self.closed.lock().unwrap() = true;
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&str) -> Reply,
    log: &Mutex<Vec<String>>,
    end: &Mutex<bool>,
) {
    while let Some(head) = read_head(&mut stream) {
        log.lock().unwrap().push(head.clone());
        match answer(&head) {
            Reply::Whole(bytes) => {
                if stream.write_all(&bytes).is_err() || has_body(&head) {
                    return;
                }
            }
            Reply::Cut(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Reply::Stall(bytes) => {
                let _ = stream.write_all(&bytes);
                while !*end.lock().unwrap() {
                    thread::sleep(Duration::from_millis(50));
                }
                return;
            }
        }
    }
}

fn has_body(head: &str) -> bool {
    let head = head.to_ascii_lowercase();
    head.contains("transfer-encoding:")
        || head.lines().any(|line| line.starts_with("content-length:") && !line.ends_with(": 0"))
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// A whole answer with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}
