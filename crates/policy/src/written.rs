//! A policy file as its administrator wrote it: every part with its place, nothing looked up yet.

use document::{Located, Place};
use jiff::{SignedDuration, Timestamp};
use reports::VulnerabilityId;

use crate::actions::Actions;
use crate::conditions::Conditions;
use crate::flag_name::FlagName;
use crate::gate::{Covered, Grace, Occasion, PackagePattern, Require};
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
    pub(crate) flags: Vec<FlagEntry>,
    /// The key, where it is written.
    pub(crate) flags_place: Option<Place>,
    pub(crate) gates: Vec<GateEntry>,
    pub(crate) exceptions: Vec<ExceptionEntry>,
    /// The key, where it is written.
    pub(crate) exceptions_place: Option<Place>,
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
    /// The words for flags among them.
    pub(crate) flags: Vec<Word>,
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

/// A flag.
#[derive(Debug)]
pub(crate) struct FlagEntry {
    pub(crate) written: Word,
    /// None: what was written has been reported.
    pub(crate) name: Option<FlagName>,
    /// Whole repositories.
    pub(crate) carries: Vec<ImageEntry>,
    pub(crate) expires_after: Option<SignedDuration>,
}

/// A gate.
#[derive(Debug)]
pub(crate) struct GateEntry {
    pub(crate) name: Word,
    /// Without variables.
    pub(crate) images: Vec<ImageEntry>,
    /// None is written: anyone.
    pub(crate) subjects: Vec<SubjectEntry>,
    /// Its images are without variables.
    pub(crate) except: ExceptEntry,
    pub(crate) on: Vec<Occasion>,
    pub(crate) require: Require,
    /// The names of the flags among that.
    pub(crate) flags: Vec<Word>,
    pub(crate) grace: Grace,
    pub(crate) is_enforced: bool,
}

/// A vulnerability that is let pass.
#[derive(Debug)]
pub(crate) struct ExceptionEntry {
    pub(crate) place: Place,
    pub(crate) cve: VulnerabilityId,
    pub(crate) package: Option<PackagePattern>,
    pub(crate) images: Vec<Covered>,
    pub(crate) reason: String,
    pub(crate) by: String,
    pub(crate) expires: Located<Timestamp>,
}
