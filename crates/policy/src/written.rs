//! A policy file as its administrator wrote it: every part with its place, nothing looked up yet.

use document::Place;

use crate::actions::Actions;
use crate::conditions::Conditions;
use crate::image_pattern::ImagePattern;
use crate::subject_pattern::SubjectPattern;

/// One file.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) groups: Vec<GroupEntry>,
    pub(crate) rules: Vec<RuleEntry>,
    pub(crate) administrators: Vec<SubjectEntry>,
}

/// Text, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// A group.
#[derive(Debug)]
pub(crate) struct GroupEntry {
    pub(crate) name: Word,
    pub(crate) members: Members,
}

/// Who belongs to a group.
#[derive(Debug)]
pub(crate) enum Members {
    /// Whomever an identity source says.
    External,
    Listed(Vec<SubjectEntry>),
    /// What was written has been reported.
    Unreadable,
}

/// A subject in a list.
#[derive(Debug)]
pub(crate) struct SubjectEntry {
    pub(crate) written: Word,
    pub(crate) pattern: SubjectPattern,
}

/// An image pattern in a list; several patterns, if alternatives were written.
#[derive(Debug)]
pub(crate) struct ImageEntry {
    pub(crate) place: Place,
    pub(crate) patterns: Vec<ImagePattern>,
}

/// A rule.
#[derive(Debug)]
pub(crate) struct RuleEntry {
    pub(crate) name: Word,
    pub(crate) subjects: Vec<SubjectEntry>,
    pub(crate) images: Vec<ImageEntry>,
    pub(crate) except: ExceptEntry,
    pub(crate) conditions: Conditions,
    pub(crate) allow: Actions,
    pub(crate) deny: Actions,
}

/// Whom and what a rule leaves out.
#[derive(Debug, Default)]
pub(crate) struct ExceptEntry {
    pub(crate) subjects: Vec<SubjectEntry>,
    pub(crate) images: Vec<ImageEntry>,
}
