//! What is wrong, and what to do about it.

use std::error::Error;

use annotate_snippets::{Group, Level};

use crate::diagnostic::renderer;
use crate::text::printable;
use crate::{Causes, Place};

/// What is wrong with a value and what to write instead, without its place.
///
/// Where a value may be secret, the message does not repeat it: the shown line does, and there
/// secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub(crate) message: String,
    pub(crate) label: String,
    pub(crate) also: Vec<(Place, String)>,
    pub(crate) help: Option<String>,
}

impl Mistake {
    /// What is wrong, without the remedy.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The remedy, where there is one.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// A mistake without a remedy of its own. The message is lower case, without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), label: String::new(), also: Vec::new(), help: None }
    }

    /// What an error tells, with its causes.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self::new(Causes(error).to_string())
    }

    /// Adds the remedy.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        self.maybe_help(Some(help))
    }

    /// Adds the remedy, if there is one.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(Into::into).or(self.help);
        self
    }

    /// Says of what the message speaks: `--upstream` for an argument.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// What stands beside the underline.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place that belongs to it.
    #[must_use]
    pub fn also(mut self, place: Place, label: impl Into<String>) -> Self {
        self.also.push((place, label.into()));
        self
    }

    /// As text for people, with colours or without: the message, and below it the remedy.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = renderer(colour);
        let error = Level::ERROR.primary_title(printable(&self.message));
        let help = self.help.as_deref().map(|help| Level::HELP.primary_title(printable(help)));
        let titles = std::iter::once(error).chain(help);
        let lines = titles.map(|title| renderer.render(&[Group::with_title(title)]));
        lines.collect::<Vec<_>>().join("\n")
    }
}
