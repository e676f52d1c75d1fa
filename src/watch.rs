//! Files that take effect when they change, without a restart.
//!
//! Content is compared, not times or names of files: that sees a Kubernetes `..data` symlink
//! change, an editor that saves by renaming, and a network file system alike.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use aws_lc_rs::digest;

use crate::log::Causes;

/// How often the app looks.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Content that differs must stay the same for this long before it is loaded: a file that is still
/// being written may be shorter than it will be and valid all the same, such as a policy of which
/// the last denial is not there yet.
const SETTLE: Duration = Duration::from_millis(100);

/// So many looks at files that do not settle are too many: a start takes them as they are then, and a
/// gate that runs says so.
const TRIES: u32 = 20;

/// The SHA-256 of everything that was read. `Display` writes it in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of several contents in order. Each counts with its length, so that moving a byte from one
    /// to the next makes a difference.
    pub fn of<'a>(contents: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for content in contents {
            context.update(&(content.len() as u64).to_be_bytes());
            context.update(content);
        }
        let mut sum = [0; 32];
        sum.copy_from_slice(context.finish().as_ref());
        Self(sum)
    }
}

impl Fingerprint {
    /// The sum itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(sum: [u8; 32]) -> Self {
        Self(sum)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Where a value comes from: read, then understood. The two are apart because reading happens each
/// second and understanding only after a change.
pub trait Source: Send + Sync + 'static {
    /// What is read: bytes, mostly.
    type Content;
    /// What becomes of it.
    type Value: Send + Sync + 'static;
    /// Why either failed.
    type Error: std::error::Error + 'static;

    /// What log lines call it, such as `the server certificate`.
    fn name(&self) -> &'static str;

    /// Reads the files.
    ///
    /// # Errors
    /// A file is missing or cannot be read.
    fn read(&self) -> Result<Self::Content, Self::Error>;

    /// Stands for the content: equal for equal content and for no other.
    fn fingerprint(content: &Self::Content) -> Fingerprint;

    /// Understands what was read.
    ///
    /// # Errors
    /// The content is wrong.
    fn load(&self, content: Self::Content) -> Result<Self::Value, Self::Error>;

    /// For how long content that differs must stay the same before it is loaded.
    fn settle(&self) -> Duration {
        SETTLE
    }

    /// What log lines say of the value that counts.
    fn standing(&self) -> &'static str {
        "in force"
    }

    /// What to do about a failure, where its message does not say so.
    fn help(_: &Self::Error) -> Option<String> {
        None
    }
}

/// A value that follows its files. The last good one stays in force while they are wrong.
pub struct Reloaded<S: Source> {
    source: S,
    current: ArcSwap<S::Value>,
    seen: Mutex<Seen>,
    stale: AtomicBool,
}

/// What the files looked like when they were last loaded or refused, and what is in force.
#[derive(Debug)]
struct Seen {
    look: Look,
    in_force: Fingerprint,
    /// How many looks in a row found files that were changing.
    restless: u32,
}

/// What the files looked like.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    Content(Fingerprint),
    Unreadable(String),
}

/// Files that cannot be used at the start. Another value may take their place, for as long as they
/// stay as they are.
#[derive(Debug)]
pub struct Refused<S: Source> {
    /// Why.
    pub error: S::Error,
    source: S,
    look: Look,
}

impl<S: Source> Refused<S> {
    /// Puts a value in force that does not come from the files, but from content with this
    /// fingerprint. They are taken up as soon as they are others, and right.
    pub fn replaced_by(self, value: S::Value, in_force: Fingerprint) -> (Reloaded<S>, S::Error) {
        (Reloaded::new(self.source, value, self.look, in_force), self.error)
    }
}

impl<S: Source> Reloaded<S> {
    /// Loads for the first time.
    ///
    /// # Errors
    /// There is no last good value yet, so any failure is one.
    pub fn start(source: S) -> Result<Self, S::Error> {
        let look = look(&source);
        Self::first(source, look).map_err(|refused| refused.error)
    }

    /// The same where there is a last good value that could take the place of wrong files. Content
    /// other than `known` must have settled: a crash may have come in the middle of a change.
    ///
    /// # Errors
    /// Any failure, with what it takes to go on in spite of it.
    pub fn start_settled(source: S, known: Option<Fingerprint>) -> Result<Self, Box<Refused<S>>> {
        let mut found = look(&source);
        for _ in 0..TRIES {
            if known.is_some_and(|known| found.0 == Look::Content(known)) {
                break;
            }
            thread::sleep(source.settle());
            let before = std::mem::replace(&mut found, look(&source));
            if before.0 == found.0 {
                break;
            }
        }
        Self::first(source, found)
    }

    fn first(
        source: S,
        (look, content): (Look, Result<S::Content, S::Error>),
    ) -> Result<Self, Box<Refused<S>>> {
        match content.and_then(|content| Ok((S::fingerprint(&content), source.load(content)?))) {
            Ok((in_force, value)) => Ok(Self::new(source, value, look, in_force)),
            Err(error) => Err(Box::new(Refused { error, source, look })),
        }
    }

    fn new(source: S, value: S::Value, look: Look, in_force: Fingerprint) -> Self {
        Self {
            source,
            current: ArcSwap::from_pointee(value),
            stale: AtomicBool::new(look != Look::Content(in_force)),
            seen: Mutex::new(Seen { look, in_force, restless: 0 }),
        }
    }

    /// Where values come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The value in force.
    pub fn current(&self) -> Guard<Arc<S::Value>> {
        self.current.load()
    }

    /// Whether what is in force was something else than what the files held at the last look: they
    /// are wrong, or do not come to rest.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Looks at the files, and puts a new value in force if they changed and are right. Blocks on
    /// the files, and for a moment when they changed. True if there is a new value.
    ///
    /// # Errors
    /// The files changed and are wrong. Told, here and in the log, once for each content and not at
    /// every look.
    pub fn poll(&self) -> Result<bool, S::Error> {
        self.poll_by(Cause::Interval)
    }

    /// The same. Whoever asks for it by a signal is told again of what is still wrong.
    ///
    /// # Errors
    /// As above.
    pub fn poll_by(&self, cause: Cause) -> Result<bool, S::Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, _) = look(&self.source);
        let in_force = Look::Content(seen.in_force);
        self.stale.store(first != in_force, Ordering::Relaxed);
        if first == seen.look && (cause == Cause::Interval || first == in_force) {
            seen.restless = 0;
            return Ok(false);
        }
        thread::sleep(self.source.settle());
        let (settled, content) = look(&self.source);
        if settled != first {
            seen.restless += 1;
            if seen.restless == TRIES {
                tracing::error!(
                    "{} does not come to rest; the last good one stays {}",
                    self.source.name(),
                    self.source.standing()
                );
            }
            return Ok(false);
        }
        (seen.look, seen.restless) = (settled, 0);
        match content.and_then(|content| Ok((S::fingerprint(&content), self.source.load(content)?)))
        {
            Ok((in_force, value)) => {
                self.current.store(Arc::new(value));
                seen.in_force = in_force;
                self.stale.store(false, Ordering::Relaxed);
                let (name, standing) = (self.source.name(), self.source.standing());
                tracing::info!("{name} changed and is {standing}");
                Ok(true)
            }
            Err(error) => {
                tracing::error!(
                    error = %Causes(&error),
                    help = S::help(&error),
                    "{} changed and is wrong; the last good one stays {}",
                    self.source.name(),
                    self.source.standing()
                );
                Err(error)
            }
        }
    }
}

fn look<S: Source>(source: &S) -> (Look, Result<S::Content, S::Error>) {
    let content = source.read();
    let look = match &content {
        Ok(content) => Look::Content(S::fingerprint(content)),
        Err(error) => Look::Unreadable(Causes(error).to_string()),
    };
    (look, content)
}

impl<S: Source> fmt::Debug for Reloaded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reloaded").field(&self.source.name()).finish()
    }
}

/// Why it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Some time has passed.
    Interval,
    /// Somebody asked for it, by SIGHUP.
    Hangup,
}

/// A thread that looks at intervals until it is dropped.
#[derive(Debug)]
pub struct Watch {
    nudge: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Calls `look` after each interval. One that panics is told in the log, and the next one is
    /// made all the same: otherwise nothing would ever be reloaded again.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn every(
        interval: Duration,
        mut look: impl FnMut(Cause) + Send + 'static,
    ) -> io::Result<Self> {
        let (nudge, nudged) = mpsc::channel();
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            loop {
                let cause = match nudged.recv_timeout(interval) {
                    Ok(()) => Cause::Hangup,
                    Err(RecvTimeoutError::Timeout) => Cause::Interval,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                // What it works on is replaced as a whole or not at all.
                if catch_unwind(AssertUnwindSafe(|| look(cause))).is_err() {
                    tracing::error!("files were not reloaded: looking at them had panicked");
                }
            }
        })?;
        Ok(Self { nudge: Some(nudge), thread: Some(thread) })
    }

    /// Has it look now, for SIGHUP. Does not wait for it.
    pub fn now(&self) {
        if let Some(nudge) = &self.nudge {
            // Fails only if the thread is gone, and then there is nobody to tell.
            let _ = nudge.send(());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed when it happened.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
