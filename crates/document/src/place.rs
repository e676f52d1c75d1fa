//! Places in files.

use std::ops::Range;
use std::path::Path;

/// A file, as its mistakes are to name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path. It is shown, and never opened.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl SourceFile {
    /// The file at `path`, which holds `text`.
    #[must_use]
    pub fn new(path: &Path, text: &str) -> Self {
        Self { path: path.display().to_string(), text: text.to_owned() }
    }
}

/// A part of one of the files that are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which file, by its index.
    pub file: usize,
    /// The first byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
    /// The line of `start`, from 1.
    pub line: usize,
}

impl Place {
    /// Where a file begins.
    #[must_use]
    pub fn start_of(file: usize) -> Self {
        Self { file, start: 0, end: 0, line: 1 }
    }

    /// From the start of this place to the end of `last`.
    #[must_use]
    pub fn up_to(self, last: Self) -> Self {
        Self { end: last.end.max(self.end), ..self }
    }

    /// The bytes of its file.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub place: Place,
}
