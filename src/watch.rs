//! Files that take effect when they change, without a restart.
//!
//! Content is compared, not times or names of files: that sees a Kubernetes `..data` symlink
//! change, an editor that saves by renaming, and a network file system alike.

use std::fmt;
use std::io;
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

    /// What to do about a failure, where its message does not say so.
    fn help(_: &Self::Error) -> Option<String> {
        None
    }
}

/// A value that follows its files. The last good one stays in force while they are wrong.
pub struct Reloaded<S: Source> {
    source: S,
    current: ArcSwap<S::Value>,
    seen: Mutex<Look>,
}

/// What the files looked like.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    Content(Fingerprint),
    Unreadable(String),
}

impl<S: Source> Reloaded<S> {
    /// Loads for the first time.
    ///
    /// # Errors
    /// There is no last good value yet, so any failure is one.
    pub fn start(source: S) -> Result<Self, S::Error> {
        let content = source.read()?;
        let seen = Look::Content(S::fingerprint(&content));
        let value = source.load(content)?;
        Ok(Self { source, current: ArcSwap::from_pointee(value), seen: Mutex::new(seen) })
    }

    /// The value in force.
    pub fn current(&self) -> Guard<Arc<S::Value>> {
        self.current.load()
    }

    /// Looks at the files, and puts a new value in force if they changed and are right. Blocks on
    /// the files, and for a moment when they changed. True if there is a new value.
    ///
    /// # Errors
    /// The files changed and are wrong. Told, here and in the log, once for each content and not at
    /// every look.
    pub fn poll(&self) -> Result<bool, S::Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, _) = self.look();
        if first == *seen {
            return Ok(false);
        }
        thread::sleep(SETTLE);
        let (look, content) = self.look();
        if look != first {
            return Ok(false);
        }
        *seen = look;
        match content.and_then(|content| self.source.load(content)) {
            Ok(value) => {
                self.current.store(Arc::new(value));
                tracing::info!("{} changed and is in force", self.source.name());
                Ok(true)
            }
            Err(error) => {
                tracing::error!(
                    error = %Causes(&error),
                    help = S::help(&error),
                    "{} changed and is wrong; the last good one stays in force",
                    self.source.name()
                );
                Err(error)
            }
        }
    }

    fn look(&self) -> (Look, Result<S::Content, S::Error>) {
        let content = self.source.read();
        let look = match &content {
            Ok(content) => Look::Content(S::fingerprint(content)),
            Err(error) => Look::Unreadable(Causes(error).to_string()),
        };
        (look, content)
    }
}

impl<S: Source> fmt::Debug for Reloaded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reloaded").field(&self.source.name()).finish()
    }
}

/// A thread that looks at intervals until it is dropped.
#[derive(Debug)]
pub struct Watch {
    nudge: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Calls `look` after each interval.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn every(interval: Duration, mut look: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let (nudge, nudged) = mpsc::channel();
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            while !matches!(nudged.recv_timeout(interval), Err(RecvTimeoutError::Disconnected)) {
                look();
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
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::*;

    /// A file that holds a number.
    struct Number(PathBuf);

    #[derive(Debug, thiserror::Error)]
    enum NumberError {
        #[error("cannot read it")]
        Read(#[source] io::Error),
        #[error("not a number")]
        Parse(#[source] std::num::ParseIntError),
    }

    impl Source for Number {
        type Content = String;
        type Value = u32;
        type Error = NumberError;

        fn name(&self) -> &'static str {
            "the number"
        }

        fn read(&self) -> Result<String, NumberError> {
            fs::read_to_string(&self.0).map_err(NumberError::Read)
        }

        fn fingerprint(content: &String) -> Fingerprint {
            Fingerprint::of([content.as_bytes()])
        }

        fn load(&self, content: String) -> Result<u32, NumberError> {
            content.trim().parse().map_err(NumberError::Parse)
        }
    }

    fn replace(path: &Path, text: &str) {
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    #[test]
    fn a_changed_file_takes_effect_and_an_unchanged_one_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        fs::write(&path, "1").unwrap();
        let number = Reloaded::start(Number(path.clone())).unwrap();
        assert!(matches!(number.poll(), Ok(false)));

        replace(&path, "2");
        assert!(matches!(number.poll(), Ok(true)));
        assert_eq!(**number.current(), 2);

        // The same content under a new inode and time is no change.
        replace(&path, "2");
        assert!(matches!(number.poll(), Ok(false)));
    }

    #[test]
    fn the_last_good_value_stays_and_a_failure_is_told_once_for_each_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        fs::write(&path, "1").unwrap();
        let number = Reloaded::start(Number(path.clone())).unwrap();

        fs::write(&path, "one").unwrap();
        assert!(matches!(number.poll(), Err(NumberError::Parse(_))));
        assert!(matches!(number.poll(), Ok(false)));
        fs::write(&path, "two").unwrap();
        assert!(matches!(number.poll(), Err(NumberError::Parse(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(number.poll(), Err(NumberError::Read(_))));
        assert!(matches!(number.poll(), Ok(false)));
        assert_eq!(**number.current(), 1);

        fs::write(&path, "3").unwrap();
        assert!(matches!(number.poll(), Ok(true)));
        assert_eq!(**number.current(), 3);
    }

    #[test]
    fn a_symlink_that_is_turned_elsewhere_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("v1", "1"), ("v2", "2")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("number"), text).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/number", at("number")).unwrap();
        let number = Reloaded::start(Number(at("number"))).unwrap();

        symlink("v2", at("..tmp")).unwrap();
        fs::rename(at("..tmp"), at("..data")).unwrap();
        assert!(matches!(number.poll(), Ok(true)));
        assert_eq!(**number.current(), 2);
    }

    /// Gives each look at the content another one, as a file that grows does.
    struct Growing(Mutex<Vec<&'static str>>);

    impl Source for Growing {
        type Content = &'static str;
        type Value = &'static str;
        type Error = NumberError;

        fn name(&self) -> &'static str {
            "the text"
        }

        fn read(&self) -> Result<&'static str, NumberError> {
            let mut texts = self.0.lock().unwrap();
            Ok(if texts.len() > 1 { texts.remove(0) } else { texts[0] })
        }

        fn fingerprint(content: &&'static str) -> Fingerprint {
            Fingerprint::of([content.as_bytes()])
        }

        fn load(&self, content: &'static str) -> Result<&'static str, NumberError> {
            Ok(content)
        }
    }

    #[test]
    fn what_is_still_being_written_is_not_loaded() {
        let texts = vec!["allow, deny", "al", "allow", "allow, deny some"];
        let text = Reloaded::start(Growing(Mutex::new(texts))).unwrap();
        assert!(matches!(text.poll(), Ok(false)), "it grew between two looks");
        assert_eq!(**text.current(), "allow, deny");
        assert!(matches!(text.poll(), Ok(true)));
        assert_eq!(**text.current(), "allow, deny some");
    }

    #[test]
    fn a_nudge_makes_the_watch_look_at_once_and_a_drop_ends_it() {
        let (looked, looks) = mpsc::channel();
        let watch = Watch::every(Duration::from_secs(3600), move || {
            looked.send(()).unwrap();
        })
        .unwrap();
        watch.now();
        looks.recv().unwrap();
        drop(watch);
        assert!(looks.recv().is_err(), "the thread and its sender are gone");
    }

    #[test]
    fn the_watch_looks_again_and_again_by_itself() {
        let (looked, looks) = mpsc::channel();
        let watch = Watch::every(Duration::from_millis(1), move || {
            let _ = looked.send(());
        })
        .unwrap();
        for _ in 0..3 {
            looks.recv().unwrap();
        }
        drop(watch);
    }

    proptest! {
        #[test]
        fn a_byte_that_moves_to_the_next_file_changes_the_fingerprint(
            text in prop::collection::vec(any::<u8>(), 1..40),
            cut in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
        ) {
            let (cut, other) = (cut.index(text.len()), other.index(text.len()));
            let print = |at: usize| Fingerprint::of([&text[..at], &text[at..]]);
            prop_assert_eq!(print(cut) == print(other), cut == other);
        }
    }
}
