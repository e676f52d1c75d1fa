//! Image patterns: as text, and as maps for what text cannot say.

use document::{Entry, Mistake, Node, Value, nearest};

use super::values::exactly;
use super::{Lowering, MAX_ALTERNATIVES};
use crate::alternatives;
use crate::expressions::Names;
use crate::image_pattern::{ImagePattern, RepositoryPattern, TagPattern};
use crate::versions::Versions;
use crate::written::ImageEntry;

impl Lowering<'_> {
    pub(super) fn images(&mut self, node: &Node, what: &str) -> Vec<ImageEntry> {
        let items = self.list(node, what, false);
        exactly(items.len(), items.iter().filter_map(|item| self.image(item)))
    }

    pub(super) fn image(&mut self, node: &Node) -> Option<ImageEntry> {
        let what = "an image pattern";
        let patterns = match &node.value {
            Value::Map { entries, .. } if is_meant_as_map(entries) => {
                self.image_map(node, entries)?
            }
            Value::Map { .. } => {
                let mistake = node.refusal(what, "text")?;
                let help = "put a pattern that begins with `{` or holds `: ` in quotes";
                self.problems.at(node.place, mistake.help(help));
                return None;
            }
            _ => node.read(what, self.problems, ImagePattern::parse)?.value,
        };
        // One pattern is what was written; the others are what its alternatives add.
        let more = patterns.len().saturating_sub(1);
        let Some(left) = self.shared.alternatives.checked_sub(more) else {
            self.problems.at(node.place, too_many());
            return None;
        };
        self.shared.alternatives = left;
        Some(ImageEntry { place: node.place, patterns })
    }

    fn image_map(&mut self, node: &Node, entries: &[Entry]) -> Option<Vec<ImagePattern>> {
        let mut section = node.section("an image pattern", self.problems)?;
        let repository = section.take("repository", self.problems);
        let tag = section.take("tag", self.problems);
        let is_whole = section.lacks("tag");
        let lacks_repository = section.lacks("repository");
        let is_known = |entry: &Entry| matches!(entry.key.as_str(), "repository" | "tag");
        let has_unknown = entries.iter().any(|entry| !is_known(entry));
        section.finish(self.problems);
        // An unknown key is probably where the repository is.
        if lacks_repository && !has_unknown {
            let mistake = Mistake::new("the pattern names no repository");
            let help = "add `repository: …`; every repository is `repository: \"**\"`";
            self.problems.at(node.place, mistake.help(help));
        }
        let repositories = repository.and_then(|node| self.repositories(node));
        let tags = match tag {
            Some(node) => self.tags(node),
            None => is_whole.then(|| vec![TagPattern::Whole]),
        };
        let (repositories, tags) = (repositories?, tags?);
        let count = repositories.len().saturating_mul(tags.len());
        if count > alternatives::MAX_ALTERNATIVES {
            self.problems.at(node.place, alternatives::too_many());
            return None;
        }
        let patterns = repositories.iter().flat_map(|repository| {
            tags.iter().map(|tags| ImagePattern::new(repository.clone(), tags.clone()))
        });
        Some(exactly(count, patterns))
    }

    fn repositories(&mut self, node: &Node) -> Option<Vec<RepositoryPattern>> {
        let what = "`repository`";
        if !matches!(node.value, Value::Map { .. }) {
            return self.text_or_map(node, what, "`{regex: …}`", RepositoryPattern::parse);
        }
        let mut section = node.section(what, self.problems)?;
        let regex = section.take("regex", self.problems);
        let is_empty = section.is_empty();
        section.finish(self.problems);
        if is_empty {
            self.says_nothing(node, what, "write text, or `{regex: …}`");
        }
        let expressions = &mut self.shared.expressions;
        let regex = regex?
            .read("`regex`", self.problems, |text| expressions.read(Names::Repositories, text))?;
        Some(vec![RepositoryPattern::Regex(regex.value)])
    }

    fn tags(&mut self, node: &Node) -> Option<Vec<TagPattern>> {
        let what = "`tag`";
        if !matches!(node.value, Value::Map { .. }) {
            let forms = "`{regex: …}` or `{semver: …}`";
            return self.text_or_map(node, what, forms, TagPattern::parse);
        }
        let mut section = node.section(what, self.problems)?;
        let regex = section.take("regex", self.problems);
        let semver = section.entry("semver", self.problems);
        let is_empty = section.is_empty();
        section.finish(self.problems);
        if is_empty {
            self.says_nothing(node, what, "write text, `{regex: …}` or `{semver: …}`");
        }
        if let (Some(regex), Some(semver)) = (regex, semver) {
            let mistake = Mistake::new("a tag is matched by `regex` or by `semver`, not by both")
                .label("a second way to match it")
                .also(regex.place, "the first")
                .help("keep one of them; two patterns in the list match what either matches");
            self.problems.at(semver.key_place, mistake);
            return None;
        }
        let expressions = &mut self.shared.expressions;
        let pattern = if let Some(node) = regex {
            let regex =
                node.read("`regex`", self.problems, |text| expressions.read(Names::Tags, text))?;
            TagPattern::Regex(regex.value)
        } else {
            let semver = semver?.value.read("`semver`", self.problems, Versions::parse)?;
            TagPattern::Semver(semver.value.into())
        };
        Some(vec![pattern])
    }

    fn text_or_map<T>(
        &mut self,
        node: &Node,
        what: &str,
        maps: &str,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        if let Value::Text(_) = node.value {
            return Some(node.read(what, self.problems, read)?.value);
        }
        let mistake = node.refusal(what, &format!("text, or {maps}"))?;
        self.problems.at(node.place, mistake);
        None
    }

    fn says_nothing(&mut self, node: &Node, what: &str, help: &str) {
        self.problems.at(node.place, Mistake::new(format!("{what} says nothing")).help(help));
    }
}

/// Whether a map was written on purpose, and not by a space after a colon or by braces.
fn is_meant_as_map(entries: &[Entry]) -> bool {
    entries.iter().any(|Entry { key, .. }| {
        matches!(key.as_str(), "tag" | "tags" | "regex" | "semver")
            || nearest(key, ["repository"]).is_some()
    })
}

fn too_many() -> Mistake {
    Mistake::new(format!(
        "the alternatives of all files make more than {MAX_ALTERNATIVES} patterns"
    ))
    .help("use `*` in the place of long lists of alternatives")
}
