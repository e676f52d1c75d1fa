//! A registry for tests: it answers as it is told to, on a port of its own, and notes what it was
//! asked.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use oci::{Digest, ManifestType};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::{Credentials, Host, Origin, Redirects, Settings, Timeouts, Upstream};
use crate::content::samples::Sample;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, from 1.
    pub(crate) connection: usize,
}

impl Asked {
    /// Such as `GET /v2/`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// In place of the body: its pieces, until there is none.
    pieces: Option<Pieces>,
    how: How,
}

type Piece = dyn Fn(usize) -> Option<Vec<u8>> + Send + Sync;

#[derive(Clone)]
struct Pieces(Arc<Piece>);

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pieces")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Whole,
    /// Before the request's body is read, which is read afterwards.
    Early,
    /// The connection ends in the middle of the body.
    Broken,
    /// The connection ends without an answer, once the request is read.
    Nothing,
    /// No answer, and the connection stays.
    Never,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), pieces: None, how: How::Whole }
    }

    /// A body without a length, made piece by piece as the other side takes it.
    pub(crate) fn in_pieces(
        status: u16,
        piece: impl Fn(usize) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self { pieces: Some(Pieces(Arc::new(piece))), ..Self::new(status, "") }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn early(self) -> Self {
        Self { how: How::Early, ..self }
    }

    pub(crate) fn broken(self) -> Self {
        Self { how: How::Broken, ..self }
    }

    pub(crate) fn nothing() -> Self {
        Self { how: How::Nothing, ..Self::new(200, "") }
    }

    pub(crate) fn never() -> Self {
        Self { how: How::Never, ..Self::new(200, "") }
    }

    /// A manifest with the headers that tell what it is.
    pub(crate) fn manifest(sample: &Sample) -> Self {
        Self::new(200, sample.bytes.clone())
            .with("content-type", sample.media_type())
            .with("docker-content-digest", &sample.digest)
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The registry. It ends with the runtime that it was started in.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    closing: Notify,
}

impl Fake {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            closing: Notify::new(),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = accepting.connections.fetch_add(1, Ordering::Relaxed) + 1;
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move {
                    let closing = shared.closing.notified();
                    tokio::select! {
                        () = serve(stream, number, &shared) => {}
                        () = closing => {}
                    }
                });
            }
        });
        Self { address, shared }
    }

    /// Connections that came so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Ends all connections that are open.
    pub(crate) fn close_all(&self) {
        self.shared.closing.notify_waiters();
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Method and target of each request, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            scheme: Scheme::HTTP,
            authority: self.authority(),
            base_path: String::new(),
            credentials: Some(Credentials {
                username: "gate".to_owned(),
                password: crate::secret::Secret::new("secret".to_owned()),
                password_file: None,
            }),
            ca: None,
            host: Host::Upstream,
            redirects: Redirects::Pass,
            timeouts: Timeouts {
                connect: Duration::from_secs(5),
                response: Duration::from_secs(20),
                idle: Duration::from_secs(20),
            },
            idle_connections: 8,
        }
    }

    pub(crate) fn authority(&self) -> Authority {
        self.address.to_string().parse().unwrap()
    }

    pub(crate) fn upstream(&self) -> Upstream {
        upstream(self.settings())
    }
}

/// An upstream behind a gate that clients find at `https://gate.example`.
pub(crate) fn upstream(settings: Settings) -> Upstream {
    let public = Origin { tls: true, authority: Authority::from_static("gate.example") };
    Upstream::new(settings, public).unwrap()
}

/// A connection: requests one after the other, until either side has enough.
async fn serve(mut stream: TcpStream, connection: usize, shared: &Shared) {
    let mut read = Vec::new();
    while let Some((mut asked, early)) = head(&mut stream, &mut read, connection, shared).await {
        if let Some(reply) = &early {
            write(&mut stream, reply, &asked).await;
        }
        let Some(body) = body(&mut stream, &mut read, &asked).await else { return };
        asked.body = body;
        shared.asked.lock().unwrap().push(asked.clone());
        if early.is_some() {
            continue;
        }
        let reply = (shared.script)(&asked);
        match reply.how {
            How::Nothing => return,
            How::Never => std::future::pending().await,
            How::Whole | How::Early => write(&mut stream, &reply, &asked).await,
            How::Broken => return write(&mut stream, &reply, &asked).await,
        }
    }
}

/// Reads a head, and asks the script whether it is answered before its body.
async fn head(
    stream: &mut TcpStream,
    read: &mut Vec<u8>,
    connection: usize,
    shared: &Shared,
) -> Option<(Asked, Option<Reply>)> {
    let end = loop {
        match read.windows(4).position(|window| window == b"\r\n\r\n") {
            Some(end) => break end,
            None => more(stream, read).await?,
        }
    };
    let text = String::from_utf8(read.drain(..end + 4).collect()).unwrap();
    let mut lines = text.trim_end().split("\r\n");
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let asked = Asked {
        method: words.next()?,
        target: words.next()?,
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        body: Vec::new(),
        connection,
    };
    let has_body = asked.headers.contains_key("content-length")
        || asked.headers.contains_key("transfer-encoding");
    let early =
        if has_body { Some((shared.script)(&asked)).filter(|r| r.how == How::Early) } else { None };
    Some((asked, early))
}

async fn body(stream: &mut TcpStream, read: &mut Vec<u8>, asked: &Asked) -> Option<Vec<u8>> {
    if asked.headers.contains_key("transfer-encoding") {
        let mut whole = Vec::new();
        loop {
            let end = loop {
                match read.windows(2).position(|window| window == b"\r\n") {
                    Some(end) => break end,
                    None => more(stream, read).await?,
                }
            };
            let size: Vec<u8> = read.drain(..end + 2).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16);
            let chunk = take(stream, read, size.unwrap() + 2).await?;
            if chunk.len() == 2 {
                return Some(whole);
            }
            whole.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }
    let length = asked.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    take(stream, read, length).await
}

async fn take(stream: &mut TcpStream, read: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    while read.len() < count {
        more(stream, read).await?;
    }
    Some(read.drain(..count).collect())
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(read).await.ok()? > 0).then_some(())
}

async fn write(stream: &mut TcpStream, reply: &Reply, asked: &Asked) {
    let mut message = format!("HTTP/1.1 {} Said\r\n", reply.status);
    for (name, value) in &reply.headers {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    if reply.pieces.is_some() {
        message.push_str("transfer-encoding: chunked\r\n");
    } else if reply.status != 204 {
        message.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    message.push_str("\r\n");
    let mut message = message.into_bytes();
    if asked.method != "HEAD" {
        let shown = if reply.how == How::Broken { reply.body.len() / 2 } else { reply.body.len() };
        message.extend_from_slice(&reply.body[..shown]);
    }
    // A client that is gone is found out at the next read.
    let _ = stream.write_all(&message).await;
    if let Some(Pieces(piece)) = reply.pieces.as_ref().filter(|_| asked.method != "HEAD") {
        let pieces = (0..).map_while(|number| piece(number));
        for piece in pieces.filter(|piece| !piece.is_empty()).chain([Vec::new()]) {
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(&piece);
            chunk.extend_from_slice(b"\r\n");
            if stream.write_all(&chunk).await.is_err() {
                return;
            }
        }
    }
}

/// The script of a plain registry: what it holds by repository, and 404 for the rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    repositories: BTreeMap<String, Shelved>,
    is_down: bool,
}

#[derive(Debug, Clone, Default)]
struct Shelved {
    tags: BTreeMap<String, Sample>,
    manifests: Vec<Sample>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// Lists of what refers to a manifest, by its digest.
    referrers: BTreeMap<String, Vec<u8>>,
}

impl Shelf {
    pub(crate) fn tagged(mut self, repository: &str, tag: &str, sample: &Sample) -> Self {
        let shelved = self.repositories.entry(repository.to_owned()).or_default();
        shelved.tags.insert(tag.to_owned(), sample.clone());
        self.untagged(repository, sample)
    }

    pub(crate) fn untagged(mut self, repository: &str, sample: &Sample) -> Self {
        let shelved = self.repositories.entry(repository.to_owned()).or_default();
        shelved.manifests.push(sample.clone());
        self
    }

    /// With content, by its digest.
    pub(crate) fn blob(mut self, repository: &str, digest: &Digest, content: &[u8]) -> Self {
        let shelved = self.repositories.entry(repository.to_owned()).or_default();
        shelved.blobs.insert(digest.to_string(), content.to_owned());
        self
    }

    /// With these descriptors in the list of what refers to a manifest.
    pub(crate) fn referred(mut self, repository: &str, to: &Digest, by: &Value) -> Self {
        let list = json!({ "schemaVersion": 2, "manifests": by }).to_string();
        let shelved = self.repositories.entry(repository.to_owned()).or_default();
        shelved.referrers.insert(to.to_string(), list.into_bytes());
        self
    }

    /// The registry says from now on that it cannot answer.
    pub(crate) fn go_down(&mut self) {
        self.is_down = true;
    }

    pub(crate) fn answer(&self, asked: &Asked) -> Reply {
        if self.is_down {
            return Reply::new(503, "");
        }
        self.find(asked).unwrap_or_else(|| Reply::new(404, r#"{"errors":[]}"#))
    }

    fn find(&self, asked: &Asked) -> Option<Reply> {
        let path = asked.target.split('?').next()?.strip_prefix("/v2/")?;
        if path == "_catalog" {
            let names: Vec<_> = self.repositories.keys().collect();
            return Some(Reply::new(200, json!({ "repositories": names }).to_string()));
        }
        if let Some(name) = path.strip_suffix("/tags/list") {
            let tags: Vec<_> = self.repositories.get(name)?.tags.keys().collect();
            return Some(Reply::new(200, json!({ "name": name, "tags": tags }).to_string()));
        }
        if let Some((name, digest)) = path.split_once("/blobs/") {
            let blob = self.repositories.get(name)?.blobs.get(digest)?;
            return Some(Reply::new(200, blob.clone()));
        }
        if let Some((name, digest)) = path.split_once("/referrers/") {
            let list = self.repositories.get(name)?.referrers.get(digest)?;
            let kind = ManifestType::OciIndex.as_str();
            return Some(Reply::new(200, list.clone()).with("content-type", kind));
        }
        let (name, reference) = path.split_once("/manifests/")?;
        let shelved = self.repositories.get(name)?;
        let sample = shelved.tags.get(reference).or_else(|| {
            shelved.manifests.iter().find(|sample| sample.digest.to_string() == reference)
        })?;
        Some(Reply::manifest(sample))
    }
}
