//! A policy file as its administrator wrote it: every part with its place, nothing looked up yet.

use document::Place;

use crate::actions::Actions;
use crate::conditions::Conditions;
use crate::image_pattern::ImagePattern;
use crate::path::PathPattern;
use crate::subject_pattern::SubjectPattern;

/// One file.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Which one, by its index.
    pub(crate) file: usize,
    pub(crate) groups: Vec<GroupEntry>,
    pub(crate) rules: Vec<RuleEntry>,
    pub(crate) administrators: Vec<SubjectEntry>,
    /// The key, where it is written.
    pub(crate) administrators_place: Option<Place>,
    pub(crate) delegations: Vec<DelegationEntry>,
    /// The key, where it is written.
    pub(crate) delegations_place: Option<Place>,
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

/// What files may speak of.
#[derive(Debug)]
pub(crate) struct DelegationEntry {
    pub(crate) files: FilesEntry,
    pub(crate) images_place: Place,
    pub(crate) images: Vec<ImageEntry>,
    /// As subjects, written without `group:`.
    pub(crate) groups: Vec<SubjectEntry>,
}

/// A pattern over paths below the policy folder.
#[derive(Debug)]
pub(crate) struct FilesEntry {
    pub(crate) written: Word,
    pub(crate) pattern: PathPattern,
}

/// A rule.
#[derive(Debug)]
pub(crate) struct RuleEntry {
    pub(crate) name: Word,
    pub(crate) subjects: Vec<SubjectEntry>,
    pub(crate) images: Vec<ImageEntry>,
    pub(crate) except: ExceptEntry,
    pub(crate) conditions: Conditions,
    pub(crate) places: ConditionPlaces,
    pub(crate) allow: Actions,
    pub(crate) deny: Actions,
}

/// Where the conditions of a rule are written that may be warned of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConditionPlaces {
    pub(crate) expires: Option<Place>,
    /// The list of kinds.
    pub(crate) kind: Option<Place>,
}

/// Whom and what a rule leaves out.
#[derive(Debug, Default)]
pub(crate) struct ExceptEntry {
    pub(crate) subjects: Vec<SubjectEntry>,
    pub(crate) images: Vec<ImageEntry>,
}
