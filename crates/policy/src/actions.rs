//! Sets of actions, and the words for them in policy files.

use document::{Mistake, did_you_mean, listed};

use crate::Action;
use crate::flag_name::FlagName;

/// A set of actions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Actions {
    kinds: Kinds,
    /// In order, each once.
    flags: Box<[FlagName]>,
}

/// A set of actions, which says of flags only whether there are any. It takes so little room that
/// it can stand where a decision looks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds(u16);

/// Some flags.
const FLAGS: u16 = 1 << 9;
/// `flag:*`, until it is known which flags there are.
const ANY_FLAG: u16 = 1 << 10;

/// The words of policy files: each action, and two that are short for several. Those of setting a
/// flag are not among them.
pub(crate) const WORDS: [&str; 11] = [
    "pull",
    "inspect",
    "create",
    "overwrite",
    "push",
    "attach",
    "delete",
    "all",
    "report",
    "scan",
    "break-glass",
];

/// What actions are called elsewhere.
const ELSEWHERE: [(&[&str], &str); 3] = [
    (&["read", "get", "list", "download"], "pull"),
    (&["write", "put", "upload", "publish"], "push"),
    (&["*", "any", "admin"], "all"),
];

/// The help to a word that is no action: what may be meant, or what there is.
pub(crate) fn help(word: &str) -> String {
    let meant = ELSEWHERE.into_iter().find(|(others, _)| others.contains(&word));
    meant
        .map(|(_, own)| format!("did you mean `{own}`?"))
        .or_else(|| did_you_mean(word, WORDS))
        .unwrap_or_else(|| format!("actions are {}, `flag:NAME`", listed(&WORDS)))
}

impl Actions {
    pub(crate) fn of(actions: &[Action]) -> Self {
        let kinds = actions.iter().fold(0, |set, &action| set | bits(action));
        let flag = |action: &Action| match action {
            Action::Flag(name) => Some(*name),
            _ => None,
        };
        Self { kinds: Kinds(kinds), flags: in_order(actions.iter().filter_map(flag)) }
    }

    /// Reads one word of a policy file.
    ///
    /// # Errors
    /// There is no such word.
    pub(crate) fn read(word: &str) -> Result<Self, Mistake> {
        if let Some(set) = Self::from_word(word) {
            return Ok(set);
        }
        match FlagName::in_word(word) {
            Some("*") => Ok(Self { kinds: Kinds(ANY_FLAG), flags: Box::default() }),
            Some(name) => match FlagName::new(name) {
                Ok(name) => Ok(Self::of(&[Action::Flag(name)])),
                Err(error) => Err(Mistake::of(&error)),
            },
            None => Err(Mistake::new(format!("unknown action `{word}`")).help(help(word))),
        }
    }

    /// What one of [`WORDS`] stands for.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "push" => Some(Self::of(&[Action::Create, Action::Overwrite])),
            "all" => Some(Self::of(&[
                Action::Pull,
                Action::Create,
                Action::Overwrite,
                Action::Attach,
                Action::Delete,
            ])),
            _ => {
                let mut all = Action::ALL.into_iter();
                all.find(|action| action.as_str() == word).map(|action| Self::of(&[action]))
            }
        }
    }

    /// What is allowed where these are: to inspect is to read, so it takes `pull` along.
    pub(crate) fn granted(self) -> Self {
        self.taking_along(Action::Inspect, Action::Pull)
    }

    /// What is denied where these are: whoever may not read may not inspect either.
    pub(crate) fn withheld(self) -> Self {
        self.taking_along(Action::Pull, Action::Inspect)
    }

    fn taking_along(self, one: Action, other: Action) -> Self {
        if self.contains(one) { self.union(Self::of(&[other])) } else { self }
    }

    /// With `flag:*` written out: all of these, which are in order.
    pub(crate) fn with_flags(mut self, all: &[FlagName]) -> Self {
        if self.has_any_flag() {
            self.kinds.0 &= !ANY_FLAG;
            if !all.is_empty() {
                self.kinds.0 |= FLAGS;
                self.flags = all.into();
            }
        }
        self
    }

    /// Whether `flag:*` is among them.
    pub(crate) fn has_any_flag(&self) -> bool {
        self.kinds.0 & ANY_FLAG != 0
    }

    /// The flags that are named.
    pub(crate) fn flags(&self) -> &[FlagName] {
        &self.flags
    }

    pub(crate) fn kinds(&self) -> Kinds {
        self.kinds
    }

    pub(crate) fn contains(&self, action: Action) -> bool {
        match action {
            Action::Flag(name) => self.has_any_flag() || self.flags.binary_search(&name).is_ok(),
            _ => self.kinds.may_contain(action),
        }
    }

    /// Whether all of `other` are among these.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        other.without(self).is_empty()
    }

    pub(crate) fn without(&self, other: &Self) -> Self {
        let left = |flag: &FlagName| !other.contains(Action::Flag(*flag));
        let flags: Box<[_]> = self.flags.iter().copied().filter(left).collect();
        let mut kinds = self.kinds.0 & !(other.kinds.0 & !FLAGS);
        if flags.is_empty() {
            kinds &= !FLAGS;
        }
        Self { kinds: Kinds(kinds), flags }
    }

    pub(crate) fn union(self, other: Self) -> Self {
        let kinds = Kinds(self.kinds.0 | other.kinds.0);
        let flags = match (self.flags, other.flags) {
            (flags, none) | (none, flags) if none.is_empty() => flags,
            (some, more) => in_order(some.iter().chain(&more).copied()),
        };
        Self { kinds, flags }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.0 == 0
    }

    /// In the order of [`Action::ALL`], and the flags that are named after those.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Action> {
        let plain = Action::ALL.into_iter().filter(|&action| self.contains(action));
        plain.chain(self.flags.iter().copied().map(Action::Flag))
    }
}

impl Kinds {
    /// Whether the set contains the action, or for a flag, whether it contains any.
    pub(crate) fn may_contain(self, action: Action) -> bool {
        self.0 & bits(action) != 0
    }
}

fn in_order(flags: impl Iterator<Item = FlagName>) -> Box<[FlagName]> {
    let mut flags: Vec<_> = flags.collect();
    flags.sort_unstable();
    flags.dedup();
    flags.into()
}

fn bits(action: Action) -> u16 {
    match action {
        Action::Pull => 1,
        Action::Inspect => 1 << 1,
        Action::Create => 1 << 2,
        Action::Overwrite => 1 << 3,
        Action::Attach => 1 << 4,
        Action::Delete => 1 << 5,
        Action::Report => 1 << 6,
        Action::Scan => 1 << 7,
        Action::BreakGlass => 1 << 8,
        Action::Flag(_) => FLAGS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(name: &str) -> Action {
        Action::Flag(FlagName::new(name).unwrap())
    }

    #[test]
    fn each_word_means_its_actions() {
        let meaning = |word| Actions::from_word(word).unwrap().iter().collect::<Vec<_>>();
        assert_eq!(meaning("push"), [Action::Create, Action::Overwrite]);
        assert!(!meaning("all").contains(&Action::Inspect));
        assert_eq!(meaning("all").len(), 5);
        assert_eq!(Actions::from_word("read"), None);
        assert!(WORDS.iter().all(|word| Actions::from_word(word).is_some()));
    }

    #[test]
    fn inspecting_includes_reading() {
        assert!(Actions::of(&[Action::Inspect]).granted().contains(Action::Pull));
        assert!(!Actions::of(&[Action::Pull]).granted().contains(Action::Inspect));
        assert!(Actions::of(&[Action::Pull]).withheld().contains(Action::Inspect));
        assert!(!Actions::of(&[Action::Inspect]).withheld().contains(Action::Pull));
    }

    #[test]
    fn flags_are_told_apart_and_stand_in_no_other_word() {
        let tested = Actions::read("flag:tested").unwrap();
        assert!(tested.contains(flag("tested")) && !tested.contains(flag("signed-off")));
        assert!(!Actions::of(&Action::ALL).contains(flag("tested")));
        assert!(Actions::read("flag:*").unwrap().includes(&tested));
        let both = Actions::of(&[flag("b"), Action::Pull, flag("a"), flag("b")]);
        assert_eq!(both.iter().collect::<Vec<_>>(), [Action::Pull, flag("a"), flag("b")]);
        let rest = both.without(&Actions::of(&[flag("a"), Action::Pull]));
        assert_eq!(rest, Actions::of(&[flag("b")]));
        assert!(rest.without(&Actions::of(&[flag("b")])).is_empty());
    }

    #[test]
    fn any_flag_is_each_that_is_declared() {
        let names = ["a", "b"].map(|name| FlagName::new(name).unwrap());
        let all = Actions::read("flag:*").unwrap().with_flags(&names);
        assert_eq!(all, Actions::of(&[flag("a"), flag("b")]));
        assert!(Actions::read("flag:*").unwrap().with_flags(&[]).is_empty());
    }
}
