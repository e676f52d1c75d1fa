//! The most that a credential may do, as image patterns and actions.

use std::fmt;

use document::Mistake;
use oci::RepositoryName;

use crate::Action;
use crate::actions::Actions;
use crate::glob::Bindings;
use crate::image_pattern::{ImagePattern, TagPattern, Undecided};
use crate::policy::Image;

/// Image patterns and actions beyond which a credential does not reach, whatever policy grants its
/// holder. Bounds narrow: they never allow anything by themselves.
#[derive(Debug, Clone)]
pub struct Bounds {
    images: Vec<String>,
    actions: Actions,
    patterns: Vec<ImagePattern>,
}

/// How much of a repository bounds reach.
#[derive(Debug)]
pub(crate) enum Reach {
    /// Nothing in it.
    Nothing,
    /// Everything, also what is untagged.
    Whole,
    /// The tags that match one of these.
    Tags(Vec<TagPattern>),
}

/// As few words as make these actions in [`Bounds::new`].
fn words(actions: &Actions) -> Vec<String> {
    let push = Actions::of(&[Action::Create, Action::Overwrite]);
    let pull = Actions::of(&[Action::Pull]);
    let mut words = Vec::new();
    let mut rest = actions.clone();
    let all = Actions::of(&Action::REGISTRY);
    let read = pull.clone().union(Actions::of(&[Action::Inspect]));
    for (word, short, long) in [("all", &all, &all), ("pull", &pull, &read), ("push", &push, &push)]
    {
        if rest.includes(short) {
            words.push(word.to_owned());
            rest = rest.without(long);
        }
    }
    words.extend(rest.iter().map(|action| action.to_string()));
    words
}

/// "pull, push on `team/app`, `team/web:v*`".
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on ", words(&self.actions).join(", "))?;
        for (index, image) in self.images.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}`{image}`")?;
        }
        Ok(())
    }
}

/// Two bounds are the same where they are written in the same way.
impl PartialEq for Bounds {
    fn eq(&self, other: &Self) -> bool {
        self.images == other.images && self.actions == other.actions
    }
}

impl Eq for Bounds {}

impl Bounds {
    /// Reads image patterns, as policy files write them but without variables, and words for
    /// actions: `pull` (to inspect, too), `push`, `all`, and each action by its name. `all` is what
    /// [`Action::REGISTRY`] lists.
    ///
    /// # Errors
    /// There is no pattern or no action, or one of them cannot be read.
    pub fn new(
        images: Vec<String>,
        actions: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, Mistake> {
        let mut set = Actions::default();
        for word in actions {
            let word = word.as_ref();
            let read = Actions::read(word)?;
            if read.has_any_flag() {
                return Err(Mistake::new("`flag:*` stands for flags that are not known yet")
                    .help("name each flag"));
            }
            set = set.union(read);
        }
        if set.contains(Action::Pull) {
            set = set.union(Actions::of(&[Action::Inspect]));
        }
        if set.is_empty() {
            return Err(Mistake::new("no action is named").help("`all` is every action"));
        }
        if images.is_empty() {
            return Err(Mistake::new("no image is named").help("`**` is every image"));
        }
        let mut patterns = Vec::new();
        for text in &images {
            for pattern in ImagePattern::parse(text)? {
                if pattern.uses_user || pattern.uses_group {
                    return Err(Mistake::new(format!("`{text}` holds a variable"))
                        .help("write the name itself"));
                }
                patterns.push(pattern);
            }
        }
        Ok(Self { images, actions: set, patterns })
    }

    /// The patterns as written.
    #[must_use]
    pub fn images(&self) -> &[String] {
        &self.images
    }

    /// The actions, each once, in the order of [`Action::ALL`]; flags after those.
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        self.actions.iter()
    }

    /// How much of a repository they reach with `action`: what [`Bounds::cover`] says of each tag.
    pub(crate) fn reach(&self, action: Action, repository: &RepositoryName) -> Reach {
        if !self.actions.contains(action) {
            return Reach::Nothing;
        }
        let there = |pattern: &&ImagePattern| {
            pattern.repository.matches(repository.as_str(), Bindings::default())
        };
        let mut tags = Vec::new();
        for pattern in self.patterns.iter().filter(there) {
            match &pattern.tags {
                TagPattern::Whole => return Reach::Whole,
                some => tags.push(some.clone()),
            }
        }
        if tags.is_empty() { Reach::Nothing } else { Reach::Tags(tags) }
    }

    /// Whether they reach as far as doing `action` to the image.
    #[must_use]
    pub fn cover(&self, action: Action, image: Image<'_>) -> bool {
        let repository = image.repository.as_str();
        let tag = image.tag.map(oci::Tag::as_str);
        self.actions.contains(action)
            && self.patterns.iter().any(|pattern| {
                pattern.repository.matches(repository, Bindings::default())
                    && pattern.tags.matches(tag, Bindings::default(), Undecided::Differs)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(images: &[&str], actions: &[&str]) -> Bounds {
        Bounds::new(images.iter().map(ToString::to_string).collect(), actions).unwrap()
    }

    #[test]
    fn bounds_are_told_in_the_words_that_make_them() {
        for actions in [
            &["pull"][..],
            &["inspect"],
            &["pull", "push"],
            &["push", "attach"],
            &["pull", "create"],
            &["overwrite", "delete"],
            &["all"],
        ] {
            let told = bounds(&["team/**", "app:v*"], actions).to_string();
            assert_eq!(told, format!("{} on `team/**`, `app:v*`", actions.join(", ")));
        }
        let told = bounds(&["a"], &["all", "pull", "inspect"]).to_string();
        assert_eq!(told, "all on `a`");
    }

    #[test]
    fn bounds_that_cannot_be_meant_are_refused() {
        let refused = |images: &[&str], actions: &[&str]| {
            let images = images.iter().map(ToString::to_string).collect();
            Bounds::new(images, actions).unwrap_err().render(false)
        };
        insta::assert_snapshot!(
            [
                refused(&["team/app"], &[]),
                refused(&[], &["pull"]),
                refused(&["team/app"], &["pul"]),
                refused(&["team/${user}"], &["pull"]),
                refused(&["team/App"], &["pull"]),
            ]
            .join("\n"),
            @r"
        error: no action is named
        help: `all` is every action
        error: no image is named
        help: `**` is every image
        error: unknown action `pul`
        help: did you mean `pull`?
        error: `team/${user}` holds a variable
        help: write the name itself
        error: no repository matches `App`: `A` is upper case
        help: repository names are lower case: `app`
        "
        );
    }
}
