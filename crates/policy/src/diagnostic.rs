//! What is wrong with a policy, for a person: message, place, underline, help.
//!
//! Every mistake of every file is collected, so that one run of a check shows all of them. A
//! diagnostic keeps the line it speaks of rather than the whole file.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::SourceFile;

/// More than this nobody reads, and an absurd file must not fill the memory.
const MAX_DIAGNOSTICS: usize = 1000;
/// Longer lines are named but not shown.
const MAX_SHOWN_LINE: usize = 1000;

/// Whether the policy can be used in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The policy is refused.
    Error,
    /// The policy is loaded, but probably not meant so.
    Warning,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the policy can be used in spite of it.
    pub severity: Severity,
    /// The file, as it was named to [`Policy::compile`](crate::Policy::compile).
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that can be said.
    pub help: Option<String>,
    excerpts: Vec<Excerpt>,
}

/// A line of a file with a part of it underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    file: String,
    line: usize,
    column: usize,
    /// The line, unless it is too long to be shown.
    text: Option<String>,
    underline: Range<usize>,
    label: String,
}

/// Everything that was found in the files of a policy, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
}

impl Diagnostics {
    /// Whether the policy has to be refused.
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
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for diagnostic in &self.list {
            text.push_str(&renderer.render(&[diagnostic.group()]));
            text.push_str("\n\n");
        }
        if self.omitted > 0 {
            text.push_str(&format!("and {} more\n\n", self.omitted));
        }
        text.truncate(text.trim_end().len());
        text
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
        for (index, excerpt) in self.excerpts.iter().enumerate() {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            group = match &excerpt.text {
                Some(text) => group.element(
                    Snippet::source(text)
                        .path(&excerpt.file)
                        .line_start(excerpt.line)
                        .annotation(kind.span(excerpt.underline.clone()).label(&excerpt.label)),
                ),
                None => group.element(
                    Origin::path(&excerpt.file).line(excerpt.line).char_column(excerpt.column),
                ),
            };
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }
}

/// A place in the files of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    /// Which file, by its index.
    pub(crate) file: usize,
    pub(crate) span: Span,
}

/// A part of one file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The line of `start`, from 1.
    pub(crate) line: usize,
}

/// One mistake on its way into the list.
pub(crate) struct Mistake {
    severity: Severity,
    at: At,
    message: String,
    label: String,
    also: Vec<(At, String)>,
    help: Option<String>,
}

impl Mistake {
    pub(crate) fn error(at: At, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, at, message.into())
    }

    pub(crate) fn warning(at: At, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, at, message.into())
    }

    fn new(severity: Severity, at: At, message: String) -> Self {
        Self { severity, at, message, label: String::new(), also: Vec::new(), help: None }
    }

    /// What stands beside the underline.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place that belongs to it.
    pub(crate) fn also(mut self, at: At, label: impl Into<String>) -> Self {
        self.also.push((at, label.into()));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// Collects the mistakes of all files.
pub(crate) struct Findings<'a> {
    files: &'a [SourceFile],
    found: Vec<(usize, usize, Diagnostic)>,
    omitted: usize,
    has_errors: bool,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(files: &'a [SourceFile]) -> Self {
        Self { files, found: Vec::new(), omitted: 0, has_errors: false }
    }

    pub(crate) fn report(&mut self, mistake: Mistake) {
        self.has_errors |= mistake.severity == Severity::Error;
        if self.is_full() {
            self.omitted += 1;
            return;
        }
        let primary = self.excerpt(mistake.at, mistake.label);
        let mut diagnostic = Diagnostic {
            severity: mistake.severity,
            file: primary.file.clone(),
            line: primary.line,
            column: primary.column,
            message: printable(mistake.message),
            help: mistake.help.map(printable),
            excerpts: vec![primary],
        };
        for (at, label) in mistake.also {
            diagnostic.excerpts.push(self.excerpt(at, label));
        }
        self.found.push((mistake.at.file, mistake.at.span.start, diagnostic));
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// Whether further mistakes are counted only.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS
    }

    /// The list, in the order of the files and of the places in them.
    pub(crate) fn into_diagnostics(mut self) -> Diagnostics {
        self.found.sort_by_key(|(file, start, _)| (*file, *start));
        let list = self.found.into_iter().map(|(_, _, diagnostic)| diagnostic).collect();
        Diagnostics { list, omitted: self.omitted }
    }

    fn excerpt(&self, at: At, label: String) -> Excerpt {
        let (path, text) = match self.files.get(at.file) {
            Some(file) => (file.path.as_str(), file.text.as_str()),
            None => ("", ""),
        };
        let start = floor_char_boundary(text, at.span.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(line_start..).unwrap_or_default();
        let line = line.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let from = (start - line_start).min(line.len());
        let to = floor_char_boundary(line, at.span.end.saturating_sub(line_start)).max(from);
        let to = from + line.get(from..to).unwrap_or_default().trim_end().len();
        Excerpt {
            file: path.to_owned(),
            line: at.span.line,
            column: line.get(..from).unwrap_or_default().chars().count() + 1,
            text: (line.len() <= MAX_SHOWN_LINE).then(|| line.to_owned()),
            underline: from..to,
            label: printable(label),
        }
    }
}

/// What files say is repeated in messages; control characters in it would act on the terminal.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            safe.extend(char.escape_default());
        } else {
            safe.push(char);
        }
    }
    safe
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}
