//! The audit trail: who asked for what, what was decided and why, as lines of JSON.
//!
//! One thread writes. Most records are queued and written soon; those that must not be lost are
//! written through to the disk before their request goes on.

mod denials;
mod file;
mod line;
mod record;
pub mod search;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use self::denials::Denials;
pub use self::record::{Decision, Record};
pub(crate) use self::record::{cut_reason, cut_text};
use self::search::{Found, Page, Question};
use self::writer::{Message, Status, Writer};

/// Records that may wait to be written.
const QUEUE: usize = 8192;

/// How long a request waits for its record to be safe, such as on a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Questions of one kind that are answered at once. Others wait.
const QUESTIONS: usize = 2;

/// The configuration's `audit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the lines go.
    pub file: PathBuf,
    /// Bytes after which a new file is begun. Default 100 MiB.
    pub rotate: u64,
    /// How many earlier files are kept, as `FILE.1` (the latest), `FILE.2` and so on. Default 10.
    pub keep: usize,
}

impl Settings {
    /// The defaults for a file.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self { file, rotate: 100 << 20, keep: 10 }
    }
}

/// Why there can be no audit trail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or made.
    #[error(
        "cannot write the audit trail `{}` (`audit.file`): its folder must exist and this user \
         must be able to write there", path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no thread to write with.
    #[error("cannot start the thread that writes the audit trail")]
    Thread(#[source] io::Error),
}

/// A record could not be made safe. What it tells of must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail cannot be written; the log says why")]
pub struct Unwritten;

/// Why the trail could not be searched.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// Others are searching.
    #[error("too many search the audit trail at the moment; try again")]
    Busy,
    /// A file cannot be read.
    #[error("the audit trail `{}` cannot be read", path.display())]
    File {
        /// The newest of the files.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// For whom the trail is searched. One kind does not wait for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// An administrator, for anything.
    Administrator,
    /// Anybody, for a request of their own.
    Anybody,
}

/// Why something was not written through.
enum Failed {
    /// The queue did not take it.
    Refused,
    /// It may still be written later.
    Unwritten,
}

/// The audit trail of this process.
#[derive(Debug)]
pub struct Audit {
    settings: Settings,
    denials: Denials,
    /// Turns to search, of administrators and of everybody.
    readers: [Arc<Semaphore>; 2],
    queue: mpsc::Sender<Message>,
    status: Arc<Status>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Audit {
    /// Opens the file, which is made for its owner alone, and appends to it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let writer = Writer::open(settings)
            .map_err(|source| Error::Open { path: settings.file.clone(), source })?;
        let status = writer.status();
        let (queue, messages) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(messages))
            .map_err(Error::Thread)?;
        let readers = [(); 2].map(|()| Arc::new(Semaphore::new(QUESTIONS)));
        let (settings, thread) = (settings.clone(), Mutex::new(Some(thread)));
        let denials = Denials::default();
        Ok(Self { settings, denials, readers, queue, status, thread })
    }

    /// Has a record written soon. Never blocks: where the queue is full, the record is lost, and
    /// counted.
    pub fn queue(&self, record: Record) {
        self.denials.note(&record);
        if self.queue.try_send(Message::Record(Box::new(record))).is_err() {
            self.status.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes a record through to the disk, with all that were queued before it.
    ///
    /// # Errors
    /// That failed, took longer than 5 s, or writing fails at present; the caller must refuse. The record may still be
    /// written later.
    pub async fn flush(&self, record: Record) -> Result<(), Unwritten> {
        if self.is_failing() {
            self.queue(record);
            return Err(Unwritten);
        }
        self.denials.note(&record);
        let result = self.through(Some(Box::new(record))).await;
        if matches!(result, Err(Failed::Refused)) {
            self.status.lost.fetch_add(1, Ordering::Relaxed);
        }
        result.map_err(|_| Unwritten)
    }

    /// Writes through to the disk what was queued up to now, such as why a login failed.
    ///
    /// # Errors
    /// That failed, took longer than 5 s, or writing fails at present. What was queued is still
    /// tried.
    pub async fn settle(&self) -> Result<(), Unwritten> {
        if self.is_failing() {
            return Err(Unwritten);
        }
        self.through(None).await.map_err(|_| Unwritten)
    }

    /// What was written of a denial, if it is one of the latest. Others are in the files.
    #[must_use]
    pub fn denied(&self, request_id: &str) -> Option<Found> {
        self.denials.find(request_id)
    }

    /// Searches the files, after what happened until now was written to them.
    ///
    /// # Errors
    /// They cannot be read, or others search for so long that there was no turn within 5 s.
    pub async fn search(&self, reader: Reader, question: Question) -> Result<Page, Unread> {
        let [administrators, anybody] = &self.readers;
        let turns = match reader {
            Reader::Administrator => administrators,
            Reader::Anybody => anybody,
        };
        let turn = timeout(PATIENCE, Arc::clone(turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Unread::Busy) };
        let is_current = self.settle().await.is_ok();
        let settings = self.settings.clone();
        let searching = tokio::task::spawn_blocking(move || {
            // Who went away does not give the turn to somebody else while this goes on.
            let _turn = turn;
            search::search(&settings, &question)
        });
        let failed = |source| Unread::File { path: self.settings.file.clone(), source };
        let page = searching.await.map_err(io::Error::other).flatten().map_err(failed)?;
        Ok(Page { is_current, ..page })
    }

    /// Has everything up to now written, and waits for it: as long as that can take, and no longer than
    /// there is hope. The thread tries on where the disk fails, and looks at nothing new meanwhile.
    async fn through(&self, record: Option<Box<Record>>) -> Result<(), Failed> {
        let mut failing = self.status.failing.subscribe();
        let hopeless = timeout(PATIENCE, failing.wait_for(|is_failing| *is_failing));
        tokio::pin!(hopeless);
        let (done, written) = oneshot::channel();
        tokio::select! {
            biased;
            sent = self.queue.send(Message::Flush(record, done)) => {
                sent.map_err(|_| Failed::Refused)?;
            }
            _ = &mut hopeless => return Err(Failed::Refused),
        }
        tokio::select! {
            biased;
            written = written => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(Unwritten)) | Err(_) => Err(Failed::Unwritten),
            },
            _ = &mut hopeless => Err(Failed::Unwritten),
        }
    }

    /// Records that wait to be written.
    #[must_use]
    pub fn queue_length(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Records that were never written, since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.status.lost.load(Ordering::Relaxed)
    }

    /// Whether writing fails at present.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        *self.status.failing.borrow()
    }

    /// Writes what is queued and ends. Records that come later are lost. Where the disk fails, it
    /// is tried once more and then given up.
    pub async fn close(&self) {
        self.status.closing.store(true, Ordering::Relaxed);
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // Gone without an answer is closed, too.
            let _ = closed.await;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has nothing left to do, so this does not block.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
