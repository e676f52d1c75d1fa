//! Mistakes in a file, and how they are shown.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// What is wrong with a value and what to write instead, without its place.
///
/// The message does not repeat the value: the shown line does, and there secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Lower case, no full stop.
    pub message: String,
    /// The remedy.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake without a remedy of its own.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// What an error tells, with its causes.
    pub fn of(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self::new(message)
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As text for people, with colours or without: the message, and below it the remedy.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        self.render_with(&renderer(colour))
    }

    fn render_with(&self, renderer: &Renderer) -> String {
        let error = Level::ERROR.primary_title(self.message.as_str());
        let help = self.help.as_deref().map(|help| Level::HELP.primary_title(help));
        let titles = std::iter::once(error).chain(help);
        let lines = titles.map(|title| renderer.render(&[Group::with_title(title)]));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A mistake and its place, in bytes of the file; no place where something is missing as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub mistake: Mistake,
    /// Where.
    pub span: Option<Range<usize>>,
}

/// What the readers of one file noted so far.
#[derive(Debug, Default)]
pub struct Problems {
    list: Vec<Problem>,
    masks: Vec<Range<usize>>,
}

impl Problems {
    /// Notes a mistake at a place.
    pub fn at(&mut self, span: &Range<usize>, mistake: Mistake) {
        self.list.push(Problem { mistake, span: Some(span.clone()) });
    }

    /// Notes a mistake that has no place.
    pub fn nowhere(&mut self, mistake: Mistake) {
        self.list.push(Problem { mistake, span: None });
    }

    /// This part of the file is secret: it is never shown.
    pub fn mask(&mut self, span: &Range<usize>) {
        self.masks.push(span.clone());
    }

    /// Whether nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What was noted, as an error about the file at `path` with this `text`.
    #[must_use]
    pub fn into_error(self, path: &Path, text: &str) -> InvalidDocument {
        let mut problems = self.list;
        problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        InvalidDocument { path: path.to_owned(), text: masked(text, &self.masks), problems }
    }
}

/// A file with mistakes. `Display` shows all of them, each with the line that it is about.
#[derive(Clone)]
pub struct InvalidDocument {
    path: PathBuf,
    text: String,
    problems: Vec<Problem>,
}

impl InvalidDocument {
    /// The mistakes, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// All mistakes as text for people, with colours or without.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = renderer(colour);
        let path = self.path.display().to_string();
        let shown: Vec<String> =
            self.problems.iter().map(|problem| self.show(&renderer, &path, problem)).collect();
        shown.join("\n\n")
    }

    fn show(&self, renderer: &Renderer, path: &str, problem: &Problem) -> String {
        let Mistake { message, help } = &problem.mistake;
        let Some(span) = &problem.span else {
            let message = format!("{path}: {message}");
            return Mistake { message, help: help.clone() }.render_with(renderer);
        };
        let snippet = Snippet::source(self.text.as_str())
            .path(path)
            .annotation(AnnotationKind::Primary.span(on_one_line(&self.text, span)));
        let help = help.as_deref().map(|help| Level::HELP.message(help));
        let title = Level::ERROR.primary_title(message.as_str());
        renderer.render(&[Group::with_title(title).element(snippet).elements(help)])
    }
}

impl fmt::Display for InvalidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The text is left out: it may hold secrets that no reader came to mask.
impl fmt::Debug for InvalidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidDocument")
            .field("path", &self.path)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl Error for InvalidDocument {}

fn renderer(colour: bool) -> Renderer {
    if colour { Renderer::styled() } else { Renderer::plain() }
}

/// The part of `span` on its first line: an underline below a whole section helps nobody. Bounds
/// that lie inside a character or behind the end are moved to where they may be.
fn on_one_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end).max(start);
    let line = text.get(start..end).unwrap_or_default().lines().next().unwrap_or_default();
    start..start + line.trim_end().len()
}

/// `text` with the secret parts replaced by stars, byte for byte, so that places stay right.
/// Secrets are also looked for by their key, as a file that cannot be parsed has no readers.
fn masked(text: &str, masks: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let by_key = text.match_indices("password:").map(|(at, key)| {
        let start = at + key.len();
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.find([',', '}', '\n']).unwrap_or(rest.len());
        start..start + length
    });
    for span in masks.iter().cloned().chain(by_key) {
        for byte in bytes.get_mut(span).unwrap_or_default() {
            if !byte.is_ascii_whitespace() {
                *byte = b'*';
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
