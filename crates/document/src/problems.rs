//! Collecting mistakes.

use std::borrow::Cow;

use crate::diagnostic::{Diagnostics, Severity};
use crate::{Mistake, Place, SourceFile};

/// More than this nobody reads, and an absurd file must not fill the memory.
const MAX: usize = 1000;

/// What the readers of one or several files noted so far.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Found>,
    omitted: usize,
    has_errors: bool,
    secrets: Vec<Place>,
    secret_keys: &'static [&'static str],
}

#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) severity: Severity,
    /// Where; `None` is the first file as a whole.
    pub(crate) place: Option<Place>,
    pub(crate) mistake: Mistake,
}

impl Problems {
    /// Notes a mistake at a place.
    pub fn at(&mut self, place: Place, mistake: Mistake) {
        self.note(Found { severity: Severity::Error, place: Some(place), mistake });
    }

    /// Notes something that is probably not meant so, and does no harm.
    pub fn warn(&mut self, place: Place, mistake: Mistake) {
        self.note(Found { severity: Severity::Warning, place: Some(place), mistake });
    }

    /// Notes a mistake of the first file as a whole: something is missing.
    pub fn nowhere(&mut self, mistake: Mistake) {
        self.note(Found { severity: Severity::Error, place: None, mistake });
    }

    /// What stands there is secret: it is never shown.
    pub fn hide(&mut self, place: Place) {
        self.secrets.push(place);
    }

    /// Values of these keys are secret.
    pub(crate) fn hide_keys(&mut self, keys: &'static [&'static str]) {
        self.secret_keys = keys;
    }

    pub(crate) fn is_secret(&self, key: &str) -> bool {
        self.secret_keys.contains(&key)
    }

    /// Whether nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether something worse than a warning was noted.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// Whether further mistakes are counted only.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.len() >= MAX
    }

    /// What was noted, in the order of the files and of the places in them. `files` are the ones
    /// that were read, by their index.
    #[must_use]
    pub fn into_diagnostics(mut self, files: &[SourceFile]) -> Diagnostics {
        self.found.sort_by_key(|found| found.place.map(|place| (place.file, place.start)));
        let texts: Vec<_> =
            files.iter().enumerate().map(|(index, file)| self.masked(index, &file.text)).collect();
        Diagnostics::new(&self.found, files, &texts, self.omitted)
    }

    fn note(&mut self, found: Found) {
        self.has_errors |= found.severity == Severity::Error;
        if self.is_full() {
            self.omitted += 1;
        } else {
            self.found.push(found);
        }
    }

    /// The text of a file with the secret parts replaced by stars, byte for byte, so that places
    /// stay right.
    fn masked<'t>(&self, file: usize, text: &'t str) -> Cow<'t, str> {
        let mut secrets = self.secrets.iter().filter(|place| place.file == file).peekable();
        if secrets.peek().is_none() {
            return Cow::Borrowed(text);
        }
        let mut bytes = text.as_bytes().to_vec();
        for place in secrets {
            for byte in bytes.get_mut(place.range()).unwrap_or_default() {
                if !byte.is_ascii_whitespace() {
                    *byte = b'*';
                }
            }
        }
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }
}
