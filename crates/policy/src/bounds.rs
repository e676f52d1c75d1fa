//! The most that a credential may do, as image patterns and actions.

use document::Mistake;

use crate::Action;
use crate::actions::{Actions, WORDS};
use crate::glob::Bindings;
use crate::image_pattern::ImagePattern;
use crate::policy::Image;

/// Image patterns and actions beyond which a credential does not reach, whatever policy grants its
/// holder. Bounds narrow: they never allow anything by themselves.
#[derive(Debug, Clone)]
pub struct Bounds {
    images: Vec<String>,
    actions: Actions,
    patterns: Vec<ImagePattern>,
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
    /// actions: `pull` (to inspect, too), `push`, `all`, and each action by its name.
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
            let read = Actions::from_word(word).ok_or_else(|| {
                let help = document::did_you_mean(word, WORDS)
                    .unwrap_or_else(|| format!("write one of: {}", WORDS.join(", ")));
                Mistake::new(format!("`{word}` is no action")).help(help)
            })?;
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

    /// The actions, each once, in the order of [`Action::ALL`].
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        self.actions.iter()
    }

    /// Whether they reach as far as doing `action` to the image.
    #[must_use]
    pub fn cover(&self, action: Action, image: Image<'_>) -> bool {
        let repository = image.repository.as_str();
        let tag = image.tag.map(oci::Tag::as_str);
        self.actions.contains(action)
            && self.patterns.iter().any(|pattern| {
                pattern.repository.matches(repository, Bindings::default())
                    && pattern.tags.matches(tag, Bindings::default())
            })
    }
}
