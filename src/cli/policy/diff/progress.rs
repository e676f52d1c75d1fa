//! How far a long comparison is, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use policy::Progress;

/// What takes less is done before anybody wonders.
const FIRST: Duration = Duration::from_secs(2);
const EACH: Duration = Duration::from_secs(1);

/// Does something that may take long, and shows how far it is on standard error, unless `is_shown` is
/// false or that is no terminal.
pub(super) fn watched<T>(is_shown: bool, what: impl FnOnce(&mut dyn FnMut(Progress)) -> T) -> T {
    if is_shown && io::stderr().is_terminal() {
        shown(&mut io::stderr(), FIRST, what)
    } else {
        what(&mut |_| {})
    }
}

/// The line is written by a thread of its own: one part of the work may take long, too.
fn shown<T>(
    to: &mut (impl Write + Send),
    first: Duration,
    what: impl FnOnce(&mut dyn FnMut(Progress)) -> T,
) -> T {
    let latest = Mutex::new(Progress::Beginning);
    let begun = Instant::now();
    thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let latest = &latest;
        scope.spawn(move || {
            let mut wait = first;
            let mut was_shown = false;
            while is_done.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let now = *latest.lock().unwrap_or_else(PoisonError::into_inner);
                // Where it cannot be shown, the comparison goes on.
                let _ = write!(to, "\r{}\x1b[K", line(now, begun.elapsed()));
                let _ = to.flush();
                (wait, was_shown) = (EACH, true);
            }
            if was_shown {
                let _ = write!(to, "\r\x1b[K");
                let _ = to.flush();
            }
        });
        let result = what(&mut |progress| {
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        });
        drop(done);
        result
    })
}

fn line(progress: Progress, since: Duration) -> String {
    let what = match progress {
        Progress::Beginning => "telling rules and callers apart".to_owned(),
        Progress::Images => "looking for images".to_owned(),
        Progress::Asking { done, of } => format!("asking about repositories: {done} of {of}"),
        Progress::Telling => "putting differences together".to_owned(),
    };
    format!("comparing, {} s: {what}", since.as_secs())
}

/// How far a long file has been read.
pub(super) struct Lines<'a> {
    name: &'a str,
    is_shown: bool,
    next: Instant,
    was_shown: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(name: &'a str, is_shown: bool) -> Self {
        let is_shown = is_shown && io::stderr().is_terminal();
        Self { name, is_shown, next: Instant::now() + EACH, was_shown: false }
    }

    pub(super) fn at(&mut self, lines: u64) {
        if self.is_shown && lines.is_multiple_of(1000) && Instant::now() >= self.next {
            eprint!("\r{}: {lines} lines", self.name);
            (self.was_shown, self.next) = (true, Instant::now() + EACH);
        }
    }

    pub(super) fn end(&self) {
        if self.was_shown {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;

    use super::*;

    /// Passes on what is written.
    struct Paper(Sender<String>);

    impl Write for Paper {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(text.to_vec()).unwrap()).unwrap();
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_takes_long_says_how_far_it_is_and_takes_it_back() {
        let (paper, written) = channel();
        let mut first = String::new();
        let result = shown(&mut Paper(paper), Duration::ZERO, |watch| {
            watch(Progress::Asking { done: 3, of: 7 });
            while !first.contains("s: ") {
                first += &written.recv().unwrap();
            }
            5
        });
        assert_eq!(result, 5);
        assert!(first.starts_with("\rcomparing, "), "{first:?}");
        let rest: String = written.try_iter().collect();
        assert!(rest.ends_with("\r\x1b[K"), "{rest:?}");
    }

    #[test]
    fn what_is_done_soon_says_nothing() {
        let mut nothing = Vec::new();
        shown(&mut nothing, Duration::from_secs(3600), |watch| watch(Progress::Images));
        assert!(nothing.is_empty(), "{nothing:?}");
    }

    #[test]
    fn a_line_of_progress_tells_the_part_and_the_time() {
        let line = line(Progress::Asking { done: 3, of: 7 }, Duration::from_secs(4));
        assert_eq!(line, "comparing, 4 s: asking about repositories: 3 of 7");
    }
}
