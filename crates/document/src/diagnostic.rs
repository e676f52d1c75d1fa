//! Mistakes as they are shown to a person: message, place, underline, help.
//!
//! A diagnostic keeps the line it speaks of rather than the whole file.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::problems::Found;
use crate::text::{printable, shown};
use crate::{Place, SourceFile};

/// Longer lines are named but not shown.
const MAX_SHOWN_LINE: usize = 1000;

/// Whether the files can be used in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// They are refused.
    Error,
    /// They are used, but probably not meant so.
    Warning,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the files can be used in spite of it.
    pub severity: Severity,
    /// The file, as [`SourceFile`] names it.
    pub file: String,
    /// Where in the file; `None` where something is missing as a whole.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that can be said.
    pub help: Option<String>,
    excerpts: Vec<Excerpt>,
}

/// A character of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A line of a file with a part of it underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    file: String,
    position: Position,
    /// The line, unless it is too long to be shown.
    text: Option<String>,
    underline: Range<usize>,
    label: String,
}

/// Everything that was found in the files, in their order. `Display` shows all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
}

impl Diagnostics {
    pub(crate) fn new(
        found: &[Found],
        files: &[SourceFile],
        texts: &[Cow<'_, str>],
        omitted: usize,
    ) -> Self {
        let files = Files { files, texts };
        Self { list: found.iter().map(|found| files.diagnostic(found)).collect(), omitted }
    }

    /// Whether the files have to be refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.omitted
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each of them; of an absurd number, the first thousand.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// All of them as text with the lines in question, coloured for a terminal or not.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = renderer(colour);
        let shown = self.iter().map(|diagnostic| renderer.render(&[diagnostic.group()]));
        let omitted = (self.omitted > 0).then(|| format!("and {} more", self.omitted));
        shown.chain(omitted).collect::<Vec<_>>().join("\n\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

impl Diagnostic {
    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&self.message));
        if self.position.is_none() {
            group = group.element(Origin::path(&self.file));
        }
        for (index, excerpt) in self.excerpts.iter().enumerate() {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let Position { line, column } = excerpt.position;
            group = match &excerpt.text {
                Some(text) => group.element(
                    Snippet::source(text)
                        .path(&excerpt.file)
                        .line_start(line)
                        .annotation(kind.span(excerpt.underline.clone()).label(&excerpt.label)),
                ),
                None => {
                    let origin = Origin::path(&excerpt.file).line(line).char_column(column);
                    let label = Some(&excerpt.label).filter(|label| !label.is_empty());
                    let note = label.map(|label| Level::NOTE.message(label));
                    group.element(origin).elements(note)
                }
            };
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }
}

/// The files, and their texts without secrets.
struct Files<'a> {
    files: &'a [SourceFile],
    texts: &'a [Cow<'a, str>],
}

impl Files<'_> {
    fn diagnostic(&self, found: &Found) -> Diagnostic {
        let mistake = &found.mistake;
        let primary = found.place.map(|place| self.excerpt(place, &mistake.label));
        let also = mistake.also.iter().map(|(place, label)| self.excerpt(*place, label));
        Diagnostic {
            severity: found.severity,
            file: self.path(found.place.map_or(0, |place| place.file)),
            position: primary.as_ref().map(|excerpt| excerpt.position),
            message: printable(&mistake.message).into_owned(),
            help: mistake.help.as_deref().map(|help| printable(help).into_owned()),
            excerpts: primary.into_iter().chain(also).collect(),
        }
    }

    fn path(&self, file: usize) -> String {
        self.files.get(file).map(|file| printable(&file.path).into_owned()).unwrap_or_default()
    }

    /// The first line of a place: an underline below a whole section helps nobody.
    fn excerpt(&self, place: Place, label: &str) -> Excerpt {
        let text = self.texts.get(place.file).map_or("", AsRef::as_ref);
        let start = text.floor_char_boundary(place.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(line_start..).unwrap_or_default();
        let line = line.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let from = (start - line_start).min(line.len());
        let to = line.floor_char_boundary(place.end.saturating_sub(line_start)).max(from);
        let to = from + line.get(from..to).unwrap_or_default().trim_end().len();
        let column = line.get(..from).unwrap_or_default().chars().count() + 1;
        Excerpt {
            file: self.path(place.file),
            position: Position { line: place.line, column },
            text: (line.len() <= MAX_SHOWN_LINE).then(|| shown(line)),
            underline: from..to,
            label: printable(label).into_owned(),
        }
    }
}

pub(crate) fn renderer(colour: bool) -> Renderer {
    if colour { Renderer::styled() } else { Renderer::plain() }
}

#[cfg(test)]
mod tests;
