//! Bodies, in both directions: never held, always watched.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a window is over which the rate of a body is measured.
const RATE_WINDOW: Duration = Duration::from_secs(60);

/// The body of any message that the gate sends, to a client or to the upstream.
pub enum Body {
    /// Nothing.
    Empty,
    /// Known as a whole.
    Full(Bytes),
    /// Passed on as it comes.
    Stream(Box<Transfer>),
    /// Of one of the gate's own services.
    Service(axum::body::Body),
}

/// How a body is watched.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest wait for the next piece.
    pub idle: Duration,
    /// Bytes a second, over each minute spent waiting. 0 asks for nothing.
    pub minimum_rate: u64,
}

/// How a body went so far, for those who do not hold it.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    broken: AtomicBool,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Whole.
    Complete,
    /// Before its end, at either side.
    Broken,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender fell silent.
    #[error("no data for {} seconds", .0.as_secs())]
    Idle(Duration),
    /// The sender is slower than `limits.minimum_rate`.
    #[error("less than {0} bytes a second")]
    TooSlow(u64),
    /// Larger than what may be held.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    /// The connection failed.
    #[error("the connection broke off")]
    Connection(#[from] hyper::Error),
    /// One of the gate's own services failed.
    #[error("the answer could not be made")]
    Service(#[from] axum::Error),
}

type OnEnd = Box<dyn FnOnce(End) + Send>;

/// A body that passes through. It ends cleanly only if its source did.
pub struct Transfer {
    source: Incoming,
    pace: Pace,
    progress: Arc<Progress>,
    waiting: Option<Wait>,
    waited: Duration,
    received: u64,
    on_end: Option<OnEnd>,
}

/// A wait for the next piece.
struct Wait {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Progress {
    /// Bytes that have passed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts bytes that passed otherwise.
    pub fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether the source broke off.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

impl Transfer {
    /// Passes `source` on. `on_end` is called once, also if the transfer is dropped on its way.
    pub fn new(
        source: Incoming,
        pace: Pace,
        progress: Arc<Progress>,
        on_end: impl FnOnce(End) + Send + 'static,
    ) -> Self {
        Self {
            source,
            pace,
            progress,
            waiting: None,
            waited: Duration::ZERO,
            received: 0,
            on_end: Some(Box::new(on_end)),
        }
    }

    /// How it goes.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Calls `after` too when it ends.
    pub fn then(&mut self, after: impl FnOnce(End) + Send + 'static) {
        let before = self.on_end.take();
        self.on_end = Some(Box::new(move |end| {
            if let Some(before) = before {
                before(end);
            }
            after(end);
        }));
    }

    /// Holds the body, if it is not larger than `limit` bytes.
    ///
    /// # Errors
    /// It is larger, or broke off.
    pub async fn collect(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        if self.source.size_hint().lower() > limit as u64 {
            return Err(BodyError::TooLarge(limit));
        }
        let mut held = BytesMut::new();
        while let Some(frame) = self.frame().await {
            if let Ok(data) = frame?.into_data() {
                if held.len() + data.len() > limit {
                    return Err(BodyError::TooLarge(limit));
                }
                held.extend_from_slice(&data);
            }
        }
        Ok(held.freeze())
    }

    /// Reads and forgets up to `limit` bytes.
    ///
    /// # Errors
    /// It is larger, or broke off.
    pub async fn discard(&mut self, limit: usize) -> Result<(), BodyError> {
        let mut left = limit;
        while let Some(frame) = self.frame().await {
            let length = frame?.data_ref().map_or(0, Bytes::len);
            left = left.checked_sub(length).ok_or(BodyError::TooLarge(limit))?;
        }
        Ok(())
    }

    fn end(&mut self, end: End) {
        if let Some(on_end) = self.on_end.take() {
            on_end(end);
        }
    }

    /// Nothing came: starts the clock, or looks at it.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let idle = self.pace.idle;
        let wait = self.waiting.get_or_insert_with(|| {
            let since = Instant::now();
            Wait { since, timer: Box::pin(sleep_until(since + idle)) }
        });
        wait.timer.as_mut().poll(cx).map(|()| BodyError::Idle(idle))
    }

    /// Something came after a wait. Only time spent waiting counts: a slow taker is not the
    /// sender's fault.
    fn arrived(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.received += bytes as u64;
        self.progress.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(wait) = self.waiting.take() {
            self.waited += wait.since.elapsed();
        }
        if self.waited >= RATE_WINDOW {
            if self.received < self.pace.minimum_rate * self.waited.as_secs() {
                return Err(BodyError::TooSlow(self.pace.minimum_rate));
            }
            self.waited = Duration::ZERO;
            self.received = 0;
        }
        Ok(())
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let end = if self.source.is_end_stream() { End::Complete } else { End::Broken };
        self.end(end);
    }
}

impl HttpBody for Transfer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let outcome = match Pin::new(&mut this.source).poll_frame(cx) {
            Poll::Pending => match this.poll_overdue(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(error) => Err(error),
            },
            Poll::Ready(Some(Err(error))) => Err(error.into()),
            Poll::Ready(Some(Ok(frame))) => {
                this.arrived(frame.data_ref().map_or(0, Bytes::len)).map(|()| Some(frame))
            }
            Poll::Ready(None) => Ok(None),
        };
        match outcome {
            Ok(Some(frame)) if frame.is_data() => Poll::Ready(Some(Ok(frame))),
            // Trailers are not passed on: no operation has any.
            Ok(_) => {
                this.end(End::Complete);
                Poll::Ready(None)
            }
            Err(error) => {
                this.progress.broken.store(true, Ordering::Relaxed);
                this.end(End::Broken);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

impl Body {
    /// The bytes as a body.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(transfer) => Pin::new(transfer).poll_frame(cx),
            Self::Service(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) => false,
            Self::Stream(transfer) => transfer.is_end_stream(),
            Self::Service(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(transfer) => transfer.size_hint(),
            Self::Service(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
pub(crate) mod source;
#[cfg(test)]
mod tests;
