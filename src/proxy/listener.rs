//! Listening: workers, accepting, limits, TLS, and the end of it.
//!
//! Each worker is a thread with a runtime of its own and a socket of its own on the same port
//! (`SO_REUSEPORT`), so what belongs to one connection stays on one core.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use super::io::Guarded;
use super::{Gate, Limits, Listen, request};

/// Connections that the system completes before a worker takes them.
const BACKLOG: i32 = 4096;

/// How long to wait when no connection can be accepted, such as for want of file descriptors.
const RECOVERY: Duration = Duration::from_millis(100);

/// Bytes that the system takes from us before they are sent; small, so that a slow client is seen
/// to be slow.
const UNSENT: u32 = 256 << 10;

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else does.
    #[error("{0} is in use by another program: stop that one, or choose another port with `{1}`")]
    InUse(SocketAddr, &'static str),
    /// Anything else.
    #[error("cannot listen on {address} (`{key}`)")]
    Failed {
        /// The address.
        address: SocketAddr,
        /// Where it is configured.
        key: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl ListenError {
    /// Sorts the system's error.
    #[must_use]
    pub fn new(address: SocketAddr, key: &'static str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            Self::InUse(address, key)
        } else {
            Self::Failed { address, key, source }
        }
    }
}

/// One address, bound once for each worker.
pub struct Bound {
    /// The address, with the port that was found where 0 was asked for.
    pub address: SocketAddr,
    tls: bool,
    sockets: Vec<Socket>,
}

impl Bound {
    /// Binds the address for so many workers.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn new(listen: &Listen, workers: usize) -> Result<Self, ListenError> {
        let failed = |source| ListenError::new(listen.address, "listen", source);
        let first = socket(listen.address, false).map_err(failed)?;
        let address = first
            .local_addr()
            .and_then(|address| {
                address.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
            })
            .map_err(failed)?;
        // Bound alone, as another gate that shares ports would not be noticed; then shared.
        drop(first);
        let sockets = (0..workers).map(|_| socket(address, true)).collect::<Result<_, _>>();
        Ok(Self { address, tls: listen.tls, sockets: sockets.map_err(failed)? })
    }
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Tells connections to come to an end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The signal and what hears it.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    async fn stopped(&mut self) {
        // A sender that is gone has stopped too.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}

/// What all workers share.
pub struct Listeners {
    gate: Arc<Gate>,
    tls: Option<Arc<ServerConfig>>,
    open: AtomicUsize,
    by_address: DashMap<IpAddr, usize>,
}

impl Listeners {
    /// Serves the gate, with TLS where a listener asks for it.
    #[must_use]
    pub fn new(gate: Arc<Gate>, tls: Option<Arc<ServerConfig>>) -> Arc<Self> {
        Arc::new(Self { gate, tls, open: AtomicUsize::new(0), by_address: DashMap::new() })
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes one socket of each address for a worker.
    #[must_use]
    pub fn share(bound: &mut [Bound]) -> Vec<(Socket, bool)> {
        bound
            .iter_mut()
            .filter_map(|bound| bound.sockets.pop().map(|socket| (socket, bound.tls)))
            .collect()
    }

    /// A worker: accepts until told to stop, and returns when its connections have ended or the
    /// time to do so is over.
    ///
    /// # Errors
    /// There can be no runtime, or a socket is unusable.
    pub fn work(self: &Arc<Self>, sockets: Vec<(Socket, bool)>, stop: &Stop) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let alive = Arc::new(());
            let mut accepting = Vec::new();
            for (socket, tls) in sockets {
                let listener = TcpListener::from_std(socket.into())?;
                let acceptor = match (tls, &self.tls) {
                    (true, Some(config)) => Some(TlsAcceptor::from(Arc::clone(config))),
                    (true, None) => return Err(io::Error::other("a TLS listener without TLS")),
                    (false, _) => None,
                };
                let this = Arc::clone(self);
                let (stop, alive) = (stop.clone(), Arc::clone(&alive));
                accepting.push(tokio::spawn(this.accept(listener, acceptor, stop, alive)));
            }
            for accepting in accepting {
                accepting.await.map_err(io::Error::other)?;
            }
            let drained = async {
                while Arc::strong_count(&alive) > 1 {
                    sleep(Duration::from_millis(10)).await;
                }
            };
            if timeout(self.gate.limits.drain_timeout, drained).await.is_err() {
                tracing::warn!(
                    "connections were still in use at the end of `limits.drain_timeout`"
                );
            }
            Ok(())
        })
    }

    async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
        mut stop: Stop,
        alive: Arc<()>,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.stopped() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(slot) = Slot::take(&self, peer.ip()) else {
                        tracing::warn!(%peer, "too many connections: this one is closed");
                        continue;
                    };
                    let this = Arc::clone(&self);
                    let acceptor = acceptor.clone();
                    let (stop, alive) = (stop.clone(), Arc::clone(&alive));
                    tokio::spawn(async move {
                        this.connection(stream, peer, acceptor, stop, alive).await;
                        drop(slot);
                    });
                }
                // A connection that was gone before it was taken, or no descriptor left: neither
                // ends the gate, and a pause keeps it from spinning.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(RECOVERY).await;
                }
            }
        }
    }

    async fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        acceptor: Option<TlsAcceptor>,
        stop: Stop,
        alive: Arc<()>,
    ) {
        let limits = &self.gate.limits;
        // Without either option the connection works, only less well.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        let stream = Guarded::new(stream, limits);
        let connection = Arc::new(Connection { peer, tls: acceptor.is_some(), _alive: alive });
        let Some(acceptor) = acceptor else {
            return self.serve(stream, false, connection, stop).await;
        };
        let handshaking = self.gate.metrics.handshaking();
        match timeout(limits.handshake_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                drop(handshaking);
                let session = stream.get_ref().1;
                self.gate.metrics.handshake(session);
                let is_h2 = session.alpn_protocol() == Some(b"h2");
                self.serve(stream, is_h2, connection, stop).await;
            }
            Ok(Err(error)) => {
                self.gate.metrics.handshake_failed("error");
                tracing::debug!(%peer, %error, "TLS handshake failed");
            }
            Err(_) => {
                self.gate.metrics.handshake_failed("timeout");
                tracing::debug!(%peer, "TLS handshake took too long");
            }
        }
    }

    async fn serve<T>(&self, stream: T, is_h2: bool, connection: Arc<Connection>, mut stop: Stop)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = connection.peer;
        let _open = self.gate.metrics.open();
        let gate = Arc::clone(&self.gate);
        // hyper has no timer for what comes before the first request of HTTP/2.
        let asked = Arc::new(AtomicBool::new(false));
        let first = Arc::clone(&asked);
        let service = service_fn(move |request| {
            first.store(true, Ordering::Relaxed);
            let answer = request::answer(Arc::clone(&gate), Arc::clone(&connection), request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let limits = &self.gate.limits;
        let io = TokioIo::new(stream);
        let ended = if is_h2 {
            let connection = h2(limits).serve_connection(io, service);
            let mut connection = std::pin::pin!(connection);
            let silent = async {
                sleep(limits.header_timeout).await;
                if asked.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = silent => {
                    tracing::debug!(%peer, "no request came");
                    return;
                }
                () = stop.stopped() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        } else {
            let connection = h1(limits).serve_connection(io, service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.stopped() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

/// HTTP/1.1. The timer is what makes the header timeout fire.
fn h1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    builder
}

/// HTTP/2, with every bound set that an attacker could otherwise choose.
fn h2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(32 << 10)
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(64)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(limits.idle_timeout)
        .keep_alive_timeout(limits.header_timeout);
    builder
}

/// A connection's place under the limits; dropped, it is free again.
struct Slot {
    listeners: Arc<Listeners>,
    address: IpAddr,
}

impl Slot {
    fn take(listeners: &Arc<Listeners>, address: IpAddr) -> Option<Self> {
        let limits = &listeners.gate.limits;
        let address = address.to_canonical();
        if listeners.open.fetch_add(1, Ordering::Relaxed) >= limits.connections {
            listeners.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        // From here on, dropping the slot gives both back.
        let slot = Self { listeners: Arc::clone(listeners), address };
        let mut of_address = listeners.by_address.entry(address).or_insert(0);
        *of_address += 1;
        let fits = *of_address <= limits.connections_per_address;
        drop(of_address);
        fits.then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.listeners.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(mut of_address) = self.listeners.by_address.get_mut(&self.address) {
            *of_address -= 1;
        }
        self.listeners.by_address.remove_if(&self.address, |_, open| *open == 0);
    }
}

#[cfg(test)]
mod tests;
