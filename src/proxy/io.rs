//! What lies between TLS and the socket: reads in large pieces, and no patience with clients that
//! do not take what they asked for.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::settings::Limits;

/// Bytes that one read takes from the socket.
const BLOCK: usize = 64 << 10;

/// Reads into this much space or more go to the socket directly. TLS reads 4 KiB at a time.
const LARGE: usize = 8 << 10;

/// Blocks that a worker keeps for its next reads.
const KEPT: usize = 16;

/// The time over which the rate is measured.
const MINUTE: Duration = Duration::from_secs(60);

/// A connection as TLS sees it.
///
/// Reads are served from blocks that a worker's connections share: a connection holds one only
/// while bytes wait in it, so an idle one holds none. A client that stops taking what is written,
/// or takes it too slowly, gets an error of kind `TimedOut`.
///
/// The system must not hoard what is written, or a slow client looks like one that stands still:
/// set `TCP_NOTSENT_LOWAT` on the socket.
#[derive(Debug)]
pub struct Guarded<T> {
    io: T,
    unread: Option<Unread>,
    pace: Pace,
}

impl<T> Guarded<T> {
    /// Takes `idle_timeout` and `minimum_rate` from the limits.
    pub fn new(io: T, limits: &Limits) -> Self {
        Self { io, unread: None, pace: Pace::new(limits) }
    }

    /// The connection itself, for its addresses.
    pub fn get_ref(&self) -> &T {
        &self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread.is_none() {
            if into.remaining() >= LARGE {
                return Pin::new(&mut this.io).poll_read(cx, into);
            }
            let mut block = Block::take();
            let mut space = ReadBuf::new(&mut block.0);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut space))?;
            let end = space.filled().len();
            this.unread = Some(Unread { block, start: 0, end });
        }
        if let Some(unread) = &mut this.unread
            && unread.give(into)
        {
            this.unread = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.pace.written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, pieces);
        this.pace.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.pace.flushed(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// Bytes that were read and not asked for yet.
#[derive(Debug)]
struct Unread {
    block: Block,
    start: usize,
    end: usize,
}

impl Unread {
    /// Copies what fits. True when nothing is left.
    fn give(&mut self, into: &mut ReadBuf<'_>) -> bool {
        let rest = self.block.0.get(self.start..self.end).unwrap_or_default();
        let fits = rest.get(..into.remaining()).unwrap_or(rest);
        into.put_slice(fits);
        self.start += fits.len();
        self.start == self.end
    }
}

/// Space for one read. It goes back to its worker when it is dropped, and is wiped by nobody: only
/// what the last read filled is ever looked at.
#[derive(Debug)]
struct Block(Vec<u8>);

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Block {
    fn take() -> Self {
        let free = FREE.with_borrow_mut(Vec::pop);
        Self(free.unwrap_or_else(|| vec![0; BLOCK]))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let block = mem::take(&mut self.0);
        // Fails only while the worker's thread ends.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(block);
            }
        });
    }
}

/// How fast the client takes what is written. Only time in which bytes wait for it counts: a
/// connection may be quiet for as long as it likes.
#[derive(Debug)]
struct Pace {
    idle_timeout: Duration,
    minimum_rate: u64,
    /// What has to wait, and since when.
    waiting: Option<(Waiting, Instant)>,
    /// Made at the first wait. It is left to run out when a wait ends, as the next one mostly comes
    /// soon: that saves a registration for each piece of a long body.
    timer: Option<Pin<Box<Sleep>>>,
    /// How long bytes had to wait since the rate was last looked at.
    waited: Duration,
    /// How many went out since then.
    sent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Write,
    Flush,
}

impl Pace {
    fn new(limits: &Limits) -> Self {
        Self {
            idle_timeout: limits.idle_timeout,
            minimum_rate: limits.minimum_rate,
            waiting: None,
            timer: None,
            waited: Duration::ZERO,
            sent: 0,
        }
    }

    fn written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.wait(Waiting::Write, cx).map(Err),
            Poll::Ready(Ok(count)) => Poll::Ready(self.proceed(count as u64).map(|()| count)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn flushed(
        &mut self,
        cx: &mut Context<'_>,
        flushed: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        match flushed {
            Poll::Pending => self.wait(Waiting::Flush, cx).map(Err),
            // A socket's flush is always ready; that tells nothing about a write that waits.
            Poll::Ready(Ok(())) if matches!(self.waiting, Some((Waiting::Flush, _))) => {
                Poll::Ready(self.proceed(0))
            }
            Poll::Ready(result) => Poll::Ready(result),
        }
    }

    /// Bytes wait. Ready with an error when they do so for too long.
    fn wait(&mut self, what: Waiting, cx: &mut Context<'_>) -> Poll<io::Error> {
        let (_, since) = *self.waiting.get_or_insert_with(|| (what, Instant::now()));
        let deadline = since + self.idle_timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client stopped taking what it asked for",
                ));
            }
            timer.as_mut().reset(deadline);
        }
    }

    /// Bytes went out.
    fn proceed(&mut self, count: u64) -> io::Result<()> {
        self.sent = self.sent.saturating_add(count);
        let Some((_, since)) = self.waiting.take() else {
            return Ok(());
        };
        self.waited += since.elapsed();
        if self.waited < MINUTE {
            return Ok(());
        }
        let expected = self.minimum_rate.saturating_mul(self.waited.as_secs());
        if self.sent < expected {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client takes what it asked for too slowly",
            ));
        }
        self.waited = Duration::ZERO;
        self.sent = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
