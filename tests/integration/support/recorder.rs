//! Sits between the gate and its upstream and writes down what passes, byte for byte, without
//! touching it. No client knows its port, so what it saw came through the gate.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// One request as it stood on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `GET /v2/`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// The recording connection; stops listening when dropped.
pub(crate) struct Recorder {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    seen: Vec<Seen>,
    closed: bool,
}

impl Recorder {
    pub(crate) fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let shared = Arc::clone(&log);
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.lock().unwrap().closed {
                    return;
                }
                let (client, log) = (client.unwrap(), Arc::clone(&shared));
                thread::spawn(move || relay(client, upstream, &log));
            }
        });
        Self { address, log }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.lock().unwrap().seen.clone()
    }

    /// Requests for content; the gate's own look whether the upstream is there (`GET /v2/`) apart.
    pub(crate) fn content(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.target != "/v2/").collect()
    }

    /// What `act` made the gate ask the upstream for.
    pub(crate) fn during<T>(&self, act: impl FnOnce() -> T) -> (T, Vec<Seen>) {
        let before = self.content().len();
        let result = act();
        (result, self.content().split_off(before))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.log.lock().unwrap().closed = true;
        let _ = TcpStream::connect(self.address);
    }
}

fn relay(client: TcpStream, upstream: SocketAddr, log: &Mutex<Log>) {
    let Ok(server) = TcpStream::connect(upstream) else { return };
    let (mut from_server, mut to_client) =
        (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (mut client, mut server) = (client, server);
    let mut parser = Parser::default();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let piece = &buffer[..length];
        {
            let mut log = log.lock().unwrap();
            parser.take(piece, &mut log.seen);
        }
        if server.write_all(piece).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

/// Finds the requests in one direction of a connection (RFC 9112).
#[derive(Default)]
struct Parser {
    part: Part,
    line: Vec<u8>,
}

#[derive(Default)]
enum Part {
    #[default]
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
}

impl Parser {
    fn take(&mut self, mut piece: &[u8], seen: &mut Vec<Seen>) {
        while !piece.is_empty() {
            match self.part {
                Part::Body(ref mut left) | Part::Chunk(ref mut left) => {
                    let step = piece.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    piece = &piece[step..];
                    *left -= step as u64;
                    if *left == 0 {
                        self.part = match self.part {
                            Part::Chunk(_) => Part::ChunkSize,
                            _ => Part::Head,
                        };
                    }
                }
                Part::Head | Part::ChunkSize | Part::Trailers => {
                    self.line.push(piece[0]);
                    piece = &piece[1..];
                    self.text(seen);
                }
            }
        }
    }

    fn text(&mut self, seen: &mut Vec<Seen>) {
        match self.part {
            Part::Head if self.line.ends_with(b"\r\n\r\n") => {
                let request = parse_head(&String::from_utf8_lossy(&self.line));
                let length = request.header("content-length").map_or(0, |n| n.parse().unwrap());
                self.part = match request.header("transfer-encoding") {
                    Some(_) => Part::ChunkSize,
                    None if length > 0 => Part::Body(length),
                    None => Part::Head,
                };
                seen.push(request);
            }
            Part::ChunkSize if self.line.ends_with(b"\r\n") => {
                let text = String::from_utf8_lossy(&self.line);
                let size = u64::from_str_radix(text.trim().split(';').next().unwrap(), 16).unwrap();
                self.part = if size == 0 { Part::Trailers } else { Part::Chunk(size + 2) };
            }
            Part::Trailers if self.line == b"\r\n" => self.part = Part::Head,
            Part::Trailers if self.line.ends_with(b"\r\n") => {}
            _ => return,
        }
        self.line.clear();
    }
}

fn parse_head(head: &str) -> Seen {
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let mut word = || first.next().unwrap_or_default().to_owned();
    Seen {
        method: word(),
        target: word(),
        headers: lines
            .map(|line| line.split_once(':').unwrap_or((line, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect(),
    }
}

#[test]
fn the_recorder_finds_every_request_in_a_stream_of_them() {
    let stream = b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET GET /b HTTP/1.1\r\n\r\n\
        PATCH /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHEAD /d HTTP/1.1\r\nX: y\r\n\r\n";
    for size in [1, 7, stream.len()] {
        let (mut parser, mut seen) = (Parser::default(), Vec::new());
        stream.chunks(size).for_each(|piece| parser.take(piece, &mut seen));
        let lines: Vec<_> = seen.iter().map(Seen::line).collect();
        assert_eq!(lines, ["POST /a", "GET /b", "PATCH /c", "HEAD /d"]);
        assert_eq!(seen[3].header("x"), Some("y"));
    }
}
