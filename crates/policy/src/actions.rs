//! Sets of actions, and the words for them in policy files.

use crate::Action;

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Actions(u8);

/// The words of policy files: each action, and two that are short for several.
pub(crate) const WORDS: [&str; 8] =
    ["pull", "inspect", "create", "overwrite", "push", "attach", "delete", "all"];

impl Actions {
    pub(crate) fn of(actions: &[Action]) -> Self {
        actions.iter().fold(Self::default(), |set, &action| set.union(Self(bit(action))))
    }

    /// Reads one word of a policy file.
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
            _ => word.parse().ok().map(|action| Self::of(&[action])),
        }
    }

    /// What is allowed where these are: to inspect is to read, so it takes `pull` along.
    pub(crate) fn granted(self) -> Self {
        if self.contains(Action::Inspect) { self.union(Self::of(&[Action::Pull])) } else { self }
    }

    /// What is denied where these are: whoever may not read may not inspect either.
    pub(crate) fn withheld(self) -> Self {
        if self.contains(Action::Pull) { self.union(Self::of(&[Action::Inspect])) } else { self }
    }

    pub(crate) fn contains(self, action: Action) -> bool {
        self.0 & bit(action) != 0
    }

    /// Whether all of `other` are among these.
    pub(crate) fn includes(self, other: Self) -> bool {
        other.without(self).is_empty()
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |&action| self.contains(action))
    }
}

fn bit(action: Action) -> u8 {
    match action {
        Action::Pull => 1,
        Action::Inspect => 2,
        Action::Create => 4,
        Action::Overwrite => 8,
        Action::Attach => 16,
        Action::Delete => 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
