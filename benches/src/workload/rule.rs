//! A rule in a form that every contestant can translate.

use std::fmt;

use policy::Action;

/// One rule: for one subject, about one set of images.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Unique.
    pub name: String,
    /// For whom.
    pub who: Who,
    /// In which repositories.
    pub repositories: Repositories,
    /// For which tags there.
    pub tags: Tags,
    /// Doing what.
    pub actions: &'static [Action],
    /// Whether the rule allows it, or denies it.
    pub allow: bool,
}

/// For whom a rule is. `Display` writes it as policies do.
#[derive(Debug, Clone)]
pub enum Who {
    /// A person.
    User(String),
    /// A program.
    Service(String),
    /// The members of a group.
    Group(String),
    /// Whoever has an account.
    Authenticated,
    /// Everybody.
    Anyone,
}

/// Which repositories a rule is about.
#[derive(Debug, Clone)]
pub enum Repositories {
    /// One.
    Exactly(String),
    /// One, and all below it.
    Below(String),
    /// By a regular expression, anchored at both ends.
    Regex {
        /// The expression.
        regex: String,
        /// Patterns with `*` for anything, one of which matches what the expression matches and, of
        /// what is asked in the workload, nothing else.
        like: Vec<String>,
    },
}

/// Which tags a rule is about.
#[derive(Debug, Clone, Copy)]
pub enum Tags {
    /// The whole repository, with what is untagged.
    Whole,
    /// Those that begin so.
    BeginningWith(&'static str),
    /// By a regular expression, anchored at both ends.
    Regex {
        /// The expression.
        regex: &'static str,
        /// As for repositories.
        like: &'static str,
    },
    /// The versions of [`VERSIONS`].
    Versions,
}

/// The one range of versions of all workloads, in the forms of all contestants.
pub const VERSIONS: Versions =
    Versions { semver: ">=2.0, <3", regex: r"v?2(\.\d+){0,2}", like: ["2", "2.*", "v2", "v2.*"] };

/// A range of versions.
#[derive(Debug, Clone, Copy)]
pub struct Versions {
    /// As a requirement.
    pub semver: &'static str,
    /// As a regular expression, anchored at both ends.
    pub regex: &'static str,
    /// As patterns with `*`, as for repositories.
    pub like: [&'static str; 4],
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Anyone => f.write_str("anyone"),
        }
    }
}
