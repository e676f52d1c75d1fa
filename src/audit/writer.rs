//! The thread that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::{mpsc, oneshot, watch};

use super::file::Rotated;
use super::{Record, Settings, Unwritten, line};
use crate::log::Causes;

/// Records that are written, and made safe, at once.
const BATCH: usize = 1024;

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// What the thread is asked to do.
pub(super) enum Message {
    /// To write soon.
    Record(Box<Record>),
    /// To write through what came before, with a last record where there is one, and tell.
    Flush(Option<Box<Record>>, oneshot::Sender<Result<(), Unwritten>>),
    /// To write what came before, take nothing more, and tell.
    Close(oneshot::Sender<()>),
}

/// What others may know of the thread.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) lost: AtomicU64,
    /// The last attempt to write failed.
    pub(super) failing: watch::Sender<bool>,
    /// The process ends: nothing is tried for long.
    pub(super) closing: AtomicBool,
}

/// The thread's own state.
pub(super) struct Writer {
    settings: Settings,
    file: Rotated,
    status: Arc<Status>,
}

/// Records on their way to the disk together.
#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    /// How much of `lines` is in the file.
    written: usize,
    records: u64,
    /// Who waits for them to be safe.
    waiting: Vec<oneshot::Sender<Result<(), Unwritten>>>,
}

impl Batch {
    fn answer(&mut self, result: Result<(), Unwritten>) {
        for waiting in self.waiting.drain(..) {
            // Whoever waited may have gone.
            let _ = waiting.send(result);
        }
    }

    /// Takes a line that was written in part as not written.
    fn back_to_line(&mut self) {
        let written = self.lines.get(..self.written).unwrap_or_default();
        self.written = written.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    }

    fn clear(&mut self) {
        self.lines.clear();
        self.written = 0;
        self.records = 0;
    }
}

impl Writer {
    pub(super) fn open(settings: &Settings) -> io::Result<Self> {
        let file = Rotated::open(settings)?;
        Ok(Self { settings: settings.clone(), file, status: Arc::default() })
    }

    pub(super) fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Writes until it is closed or nobody can send any more.
    pub(super) fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut received = Vec::with_capacity(BATCH);
        let mut batch = Batch::default();
        let mut closers = Vec::new();
        while messages.blocking_recv_many(&mut received, BATCH) > 0 {
            for message in received.drain(..) {
                match message {
                    Message::Record(record) => self.add(&mut batch, &record),
                    Message::Flush(record, waiting) => {
                        if let Some(record) = record {
                            self.add(&mut batch, &record);
                        }
                        batch.waiting.push(waiting);
                    }
                    Message::Close(closer) => {
                        messages.close();
                        closers.push(closer);
                    }
                }
            }
            self.write(&mut batch);
            batch.clear();
        }
        for closer in closers {
            // Whoever asked may have gone.
            let _ = closer.send(());
        }
    }

    fn add(&self, batch: &mut Batch, record: &Record) {
        match line::append(&mut batch.lines, record) {
            Ok(()) => batch.records += 1,
            Err(error) => {
                tracing::error!(error = %Causes(&error), "a record of the audit trail is lost");
                self.status.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Writes a batch, and does not give up until the process ends. Whoever waits is told of the
    /// first failure.
    fn write(&mut self, batch: &mut Batch) {
        if let Err(error) = self.file.rotate() {
            tracing::error!(
                error = %Causes(&error),
                "cannot begin a new file for the audit trail; the present one grows on"
            );
        }
        let mut result = self.attempt(batch);
        if let Err(error) = &result {
            self.status.failing.send_replace(true);
            tracing::error!(
                error = %Causes(error),
                "cannot write the audit trail `{}`; trying on", self.settings.file.display()
            );
            batch.answer(Err(Unwritten));
        }
        while result.is_err() {
            if self.status.closing.load(Ordering::Relaxed) {
                self.status.lost.fetch_add(batch.records, Ordering::Relaxed);
                tracing::error!(records = batch.records, "the end of the audit trail is lost");
                return;
            }
            thread::sleep(RETRY);
            result = self.reopen().and_then(|()| self.attempt(batch));
        }
        batch.answer(Ok(()));
        if self.status.failing.send_replace(false) {
            tracing::info!("the audit trail is written again");
        }
    }

    fn attempt(&mut self, batch: &mut Batch) -> io::Result<()> {
        let wanted = batch.lines.len();
        while batch.written < wanted {
            let rest = batch.lines.get(batch.written..).unwrap_or_default();
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => batch.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    batch.back_to_line();
                    return Err(error);
                }
            }
        }
        if !batch.waiting.is_empty() {
            // After a failed sync nobody knows what is on the disk. Twice is better than never.
            self.file.sync().inspect_err(|_| batch.written = 0)?;
        }
        Ok(())
    }

    /// A file may work again under its name only, such as after its disk was mounted anew. Opening
    /// closes off a line that was cut, so that it is written again whole.
    fn reopen(&mut self) -> io::Result<()> {
        self.file = Rotated::open(&self.settings)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_is_written_again_whole_and_no_other() {
        for (written, again_from) in [(0, 0), (1, 0), (2, 2), (4, 2), (6, 6)] {
            let mut batch = Batch { lines: b"a\nbcd\n".to_vec(), written, ..Batch::default() };
            batch.back_to_line();
            assert_eq!(batch.written, again_from, "{written}");
        }
    }
}
