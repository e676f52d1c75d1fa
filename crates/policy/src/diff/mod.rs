//! Which decisions two policies make differently.
//!
//! Nothing is asked about that is alike by itself: only rules that stand in one policy alone, or that
//! speak of groups with other members, can make a difference, and only where they match. There, one
//! image is made for every set of patterns that an image can match, one caller for every set of
//! subjects that somebody can be, and one moment between any two at which a condition begins or ends.
//! Both policies decide on each of them, and where they differ, that is a change, told in the words of
//! the rules.

mod administrators;
mod ask;
mod askers;
mod beside;
mod both;
mod budget;
mod cells;
mod delegations;
mod entries;
mod grammar;
mod images;
mod instances;
mod limits;
mod meetings;
mod names;
mod people;
mod ranges;
mod reading;
mod rows;
mod seats;
mod shape;
mod situation;
mod spelling;
mod steps;
mod tags;
mod taken;
mod texts;
mod walk;
mod when;
mod who;
mod words;

use std::fmt;

use jiff::Timestamp;
use oci::{RepositoryName, Tag};

use crate::Action;
use crate::actions::{Actions, WORDS};
use crate::caller::Caller;
use crate::decide::RuleRef;
use crate::policy::Policy;

use ask::Asking;
use both::Both;
pub use delegations::{Delegated, DelegationChange};
pub use limits::Limit;
pub use when::When;

/// What another policy would decide differently.
#[derive(Debug)]
pub struct Comparison<'p> {
    /// In the order of who it is, what it is and what may be done.
    pub changes: Vec<Change<'p>>,
    /// Who becomes an administrator or is none any more, in the order of who it is.
    pub administrators: Vec<Administrators>,
    /// Which files are held back otherwise, in the order of the files.
    pub delegations: Vec<Delegated>,
    /// Whether that is everything: no bound was come to.
    pub is_complete: bool,
    /// The bounds that were. Policies whose patterns overlap in so many ways that it would take hours
    /// are looked at as far as it goes.
    pub limits: Vec<Limit>,
}

/// How far a comparison is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Rules and callers are told apart.
    Beginning,
    /// Images are looked for that rules which differ are about.
    Images,
    /// Both policies are asked.
    Asking {
        /// About so many repositories so far.
        done: usize,
        /// Of so many.
        of: usize,
    },
    /// What differs is put together.
    Telling,
}

/// Callers who may manage the gate, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrators {
    /// Who, in the words of policy files.
    pub who: String,
    /// Whether they become one, or are none any more.
    pub is_one: bool,
}

/// Decisions that change in the same way.
#[derive(Debug, Clone)]
pub struct Change<'p> {
    /// Whom it is about, in the words of policy files: `group:backend`; `users such as user:ab` where
    /// no pattern of subjects says who they are.
    pub who: String,
    /// What is decided otherwise, in the order of [`Action::ALL`].
    pub actions: Vec<Action>,
    /// The images, as a pattern: `team/backend/**:v*`; with `except` or `within` where one pattern
    /// does not say it.
    pub images: String,
    /// Whether it is allowed from now on, or no longer.
    pub is_allowed: bool,
    /// In which circumstances.
    pub when: When,
    /// The rules that decide in the old policy; none where it is denied because no rule allows it.
    pub old: Vec<RuleRef<'p>>,
    /// Whether the old policy denies any of it because no rule allows it.
    pub old_by_default: bool,
    /// As `old`, in the new policy.
    pub new: Vec<RuleRef<'p>>,
    /// As `old_by_default`, in the new policy.
    pub new_by_default: bool,
    /// One of the decisions.
    pub example: Example,
}

/// A question that two policies answer differently.
#[derive(Debug, Clone)]
pub struct Example {
    /// Who asks, before the old policy.
    pub old_caller: Caller,
    /// Likewise before the new one: the groups that a source may assert can differ.
    pub new_caller: Caller,
    /// What for.
    pub action: Action,
    /// On what.
    pub repository: RepositoryName,
    /// On which tag of it. `None`: the repository as a whole, or what is untagged.
    pub tag: Option<Tag>,
}

/// Finds out what `new` decides otherwise than `old`, from the time `at` on.
#[must_use]
pub fn compare<'p>(old: &'p Policy, new: &'p Policy, at: Timestamp) -> Comparison<'p> {
    compare_watched(old, new, at, &mut |_| {})
}

/// The same, and says how far it is.
#[must_use]
pub fn compare_watched<'p>(
    old: &'p Policy,
    new: &'p Policy,
    at: Timestamp,
    watch: &mut dyn FnMut(Progress),
) -> Comparison<'p> {
    watch(Progress::Beginning);
    Asking::new(Both { old, new }, at).run(watch)
}

/// "user:alice becomes an administrator"
impl fmt::Display for Administrators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what =
            if self.is_one { "becomes an administrator" } else { "is no administrator any more" };
        write!(f, "{} {what}", self.who)
    }
}

impl Change<'_> {
    /// The actions in the words of policy files: `push` where it is `create` and `overwrite`, `all`
    /// where it is all that this stands for.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut rest = Actions::of(&self.actions);
        for word in ["all", "push"] {
            if let Some(meant) = Actions::from_word(word).filter(|it| rest.includes(it)) {
                words.push(word.to_owned());
                rest = rest.without(&meant);
            }
        }
        words.extend(rest.iter().map(|action| action.to_string()));
        // What is no word is a flag, and comes last.
        let place = |word: &str| WORDS.iter().position(|known| *known == word);
        words.sort_by_key(|word| place(word).unwrap_or(WORDS.len()));
        words
    }
}

/// "group:backend may no longer overwrite team/backend/**:v*, until 2027-01-01"
impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let may = if self.is_allowed { "may now" } else { "may no longer" };
        write!(f, "{} {may} {} {}", self.who, self.words().join(", "), self.images)?;
        if self.when != When::default() {
            write!(f, ", {}", self.when)?;
        }
        Ok(())
    }
}
