//! Finding records in the trail again, the newest first.
//!
//! The files are read backwards, as they are, while the writer writes and puts them aside; there is
//! no index. One question reads a bounded part of them, and goes on from there with the next one.

mod backwards;
mod filter;
mod found;
mod trail;

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use self::backwards::{Backwards, Line};
pub use self::filter::Filter;
pub use self::found::Found;
use self::trail::Opened;
pub(crate) use self::trail::Place;
use super::Settings;

/// How long a question reads at most, such as from a disk that is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far the order of lines may be from that of the ends of what they tell of.
const DISORDER: SignedDuration = SignedDuration::from_mins(1);

/// After so many lines that are too old, older ones are not looked for. More than one, as a clock
/// may have been wrong for a while.
const TOO_OLD: usize = 1000;

/// What is asked of the trail.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Which records.
    pub filter: Filter,
    /// Where to go on; none begins with the newest.
    pub(crate) after: Option<Place>,
    /// At most so many.
    pub limit: usize,
    /// Bytes to look at; the last line may go beyond them.
    pub most: u64,
}

/// What was found. It may be nothing, and yet there may be more.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The newest first.
    pub records: Vec<Found>,
    /// Where to go on; none at the end of the trail.
    pub(crate) next: Option<Place>,
    /// Lines that are no records.
    pub skipped: u64,
    /// The time of the last record that was read, whether it was meant or not.
    pub read_to: Option<Timestamp>,
    /// All that happened before the question was asked is in the files. Otherwise the trail cannot
    /// be written at the moment.
    pub is_current: bool,
}

/// Looks into the files, which takes its time.
pub(super) fn search(settings: &Settings, question: &Question) -> io::Result<Page> {
    let opened = match &question.after {
        Some(place) => Opened::at(settings, place)?,
        None => Opened::newest(settings)?,
    };
    let filter = question.filter.prepared();
    let too_old = question.filter.since.and_then(|since| since.checked_sub(DISORDER).ok());
    let (began, mut left, mut old) = (Instant::now(), question.most, 0);
    let mut page = Page::default();
    let mut reading = opened;
    while let Some(opened) = reading {
        let mut lines = Backwards::new(&opened.file, opened.before)?;
        let begin = lines.place();
        loop {
            let is_full = page.records.len() >= question.limit
                || begin - lines.place() > left
                || began.elapsed() > PATIENCE;
            if is_full {
                page.next = opened.place(lines.place())?;
                match page.next {
                    Some(_) => return Ok(page),
                    // There is no whole line in this one.
                    None => break,
                }
            }
            let line = match lines.previous() {
                Ok(Some(Line::Whole(line))) => line,
                Ok(Some(Line::TooLong)) => {
                    page.skipped += 1;
                    continue;
                }
                Ok(None) => break,
                // It was cut while it was read.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    page.skipped += 1;
                    break;
                }
                Err(error) => return Err(error),
            };
            // A line that need not be read may be old all the same.
            if !filter.may_be(line) && too_old.is_none() {
                continue;
            }
            let Some(found) = Found::read(line) else {
                page.skipped += 1;
                continue;
            };
            page.read_to = Some(found.time());
            old = if too_old.is_some_and(|too_old| found.end() < too_old) { old + 1 } else { 0 };
            if old > TOO_OLD {
                return Ok(page);
            }
            if filter.is_meant(&found) {
                page.records.push(found);
            }
        }
        left = left.saturating_sub(begin);
        reading = opened.older(settings)?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
