//! A TLS connection on which anything can be written, well formed or not.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::client::{Client, Connection, runtime};

const PATIENCE: Duration = Duration::from_secs(60);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One connection to a server, below HTTP.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    rest: Vec<u8>,
}

/// An answer as it stood on the wire.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    /// `Forbidden: …` of `HTTP/1.1 403 Forbidden: …`
    pub(crate) fn reason(&self) -> &str {
        self.head.lines().next().unwrap().splitn(3, ' ').nth(2).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

impl Wire {
    pub(crate) fn open(client: &Client) -> Self {
        let stream: Box<dyn Stream> = match runtime().block_on(client.connect()) {
            Connection::Plain(stream) => Box::new(stream),
            Connection::Tls(stream) => stream,
        };
        Self { stream, rest: Vec::new() }
    }

    /// Writes these bytes. That the other side closes early is seen when reading.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        runtime().block_on(async {
            let _ = self.stream.write_all(bytes.as_ref()).await;
            let _ = self.stream.flush().await;
        });
    }

    /// Reads the next answer; none where the connection ends first.
    ///
    /// # Panics
    /// When nothing comes for a long time.
    pub(crate) fn answer(&mut self) -> Option<Raw> {
        let mut raw = self.head_of_answer()?;
        let length = raw.header("content-length").map_or(0, |n| n.parse().unwrap());
        while self.rest.len() < length {
            if !self.read() {
                return None;
            }
        }
        raw.body = self.rest.drain(..length).collect();
        Some(raw)
    }

    /// Reads the head of the next answer and lets its body be: for answers to `HEAD`.
    pub(crate) fn head_of_answer(&mut self) -> Option<Raw> {
        loop {
            if let Some(end) = find(&self.rest, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                self.rest.drain(..end + 4);
                return Some(Raw { status, head, body: Vec::new() });
            }
            if !self.read() {
                return None;
            }
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Option<Raw> {
        self.send(bytes);
        self.answer()
    }

    /// So many bytes, or none where the connection ends before.
    pub(crate) fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.rest.len() < length {
            if !self.read() {
                return None;
            }
        }
        Some(self.rest.drain(..length).collect())
    }

    /// Whether the other side ends the connection, with nothing more to say.
    pub(crate) fn ends(&mut self) -> bool {
        !self.read() && self.rest.is_empty()
    }

    fn read(&mut self) -> bool {
        let mut buffer = vec![0; 16 << 10];
        let read = self.stream.read(&mut buffer);
        let read = runtime().block_on(async { timeout(PATIENCE, read).await });
        match read.unwrap_or_else(|_| panic!("neither an answer nor an end in {PATIENCE:?}")) {
            Ok(length) => {
                self.rest.extend_from_slice(&buffer[..length]);
                length > 0
            }
            Err(_reset) => false,
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
