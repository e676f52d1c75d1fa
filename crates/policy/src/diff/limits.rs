//! Where a comparison was not complete.

use std::fmt;

use super::ask::MAX_QUESTIONS;
use super::images::MAX_NAMES;
use super::names::MAX_STEPS_OF_NAMES;
use super::tags::MAX_STEPS_OF_ONE;
use super::walk::{MAX_DEPTH, MAX_PATHS, MAX_STEPS};

/// A bound that a comparison came to, and where: beyond it, there may be changes that it does not
/// tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// The patterns of repositories overlap in too many ways.
    Repositories,
    /// The patterns of tags overlap in too many ways, in repositories such as this one.
    Tags {
        /// A repository.
        repository: String,
    },
    /// A variable stands for more names than are asked about.
    Names {
        /// The pattern that it is in.
        images: String,
        /// How many names there are.
        names: usize,
    },
    /// What a variable stands for is told apart in too many ways.
    Variables {
        /// The pattern that it is in.
        images: String,
    },
    /// The patterns of subjects overlap in too many ways.
    Subjects {
        /// Of which ones: "users".
        of: &'static str,
    },
    /// The rules of repositories such as this one are about more groups than are asked about together.
    Groups {
        /// A repository.
        repository: String,
        /// How many groups.
        groups: usize,
        /// In how many of them a caller is at a time that is asked about.
        together: usize,
    },
    /// Likewise, who is an administrator.
    Administrators {
        /// How many groups.
        groups: usize,
        /// In how many of them at a time.
        together: usize,
    },
    /// There were too many questions.
    Questions {
        /// In how many repositories none was asked.
        left: usize,
        /// Of how many.
        of: usize,
    },
}

/// "the tags of team/app: their patterns overlap in too many ways, looked at as far as 50000000 steps go"
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repositories => write!(
                f,
                "repositories: their patterns overlap in too many ways, looked at as far as \
                 {MAX_PATHS} names, {MAX_DEPTH} segments and {MAX_STEPS} steps go"
            ),
            Self::Tags { repository } => write!(
                f,
                "tags of {repository}: their patterns overlap in too many ways, looked at as far as \
                 {MAX_STEPS_OF_ONE} steps go"
            ),
            Self::Names { images, names } => write!(
                f,
                "{images}: its variable stands for {names} names, of which {MAX_NAMES} were asked about"
            ),
            Self::Variables { images } => write!(
                f,
                "{images}: other patterns tell the names that its variable stands for apart in too many \
                 ways, or by versions of which a name is a part; looked at as far as \
                 {MAX_STEPS_OF_NAMES} steps go"
            ),
            Self::Subjects { of } => write!(
                f,
                "{of}: their patterns overlap in too many ways, looked at as far as {MAX_PATHS} names, \
                 {MAX_DEPTH} segments and {MAX_STEPS} steps go"
            ),
            Self::Groups { repository, groups, together } => write!(
                f,
                "{repository}: its rules are about {groups} groups, and callers were asked about who \
                 are in {together} of them at most"
            ),
            Self::Administrators { groups, together } => write!(
                f,
                "administrators: they are named by {groups} groups, and callers were asked about who \
                 are in {together} of them at most"
            ),
            Self::Questions { left, of } => write!(
                f,
                "{left} of {of} repositories: not asked about after {MAX_QUESTIONS} questions"
            ),
        }
    }
}
