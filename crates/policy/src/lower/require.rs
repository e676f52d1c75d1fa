//! What a gate asks for.

use document::{Mistake, Node, Place, Section};
use oci::RepositoryName;

use super::Lowering;
use super::amounts::{duration, size};
use crate::gate::{BaseImages, Occasion, PlatformPattern, Require, ValuePattern, Vulnerabilities};
use crate::image_pattern::ImagePattern;
use crate::path::PathPattern;
use crate::written::Word;

/// The keys that ask for something.
const ASKING: [&str; 8] = [
    "vulnerabilities",
    "flags",
    "signed_by",
    "labels",
    "max_age",
    "max_size",
    "media_types",
    "base_images",
];

/// The longest name of a key or a label.
const MAX: usize = 256;

impl Lowering<'_> {
    /// What is asked for, and the names of flags where they stand.
    pub(super) fn require(&mut self, node: &Node, on: &[Occasion]) -> (Require, Vec<Word>) {
        let Some(mut section) = node.section("`require`", self.problems) else {
            return Default::default();
        };
        let flags = section.take("flags", self.problems);
        let flags = flags.map(|node| self.words(node, "`flags`", "a flag")).unwrap_or_default();
        let names = flags.iter().filter_map(|word| self.flag_name(word)).collect();
        let keys = section.take("signed_by", self.problems);
        let keys = keys.map(|node| self.words(node, "`signed_by`", "the name of a key"));
        let labels = section.take("labels", self.problems);
        let max_age = self.not_on_push("max_age", &mut section, on);
        let max_age = max_age.and_then(|node| node.read("`max_age`", self.problems, duration));
        let max_size = section.read("max_size", self.problems, size);
        let types = section.take("media_types", self.problems);
        let bases = section.take("base_images", self.problems);
        let platforms = section.take("platforms", self.problems);
        let scans = self.not_on_push("vulnerabilities", &mut section, on);
        let require = Require {
            flags: names,
            signed_by: self.key_names(keys.unwrap_or_default()),
            labels: labels.map(|node| self.labels(node)).unwrap_or_default(),
            max_age: max_age.map(|age| age.value),
            max_size: max_size.map(|size| size.value),
            media_types: types.map(|node| self.media_types(node)).unwrap_or_default(),
            base_images: bases.map(|node| self.base_images(node)).unwrap_or_default(),
            platforms: platforms.map(|node| self.platforms(node)).unwrap_or_default(),
            vulnerabilities: scans.and_then(|node| self.vulnerabilities(node)),
        };
        let asks = |key: &&str| !section.lacks(key);
        // What could not be read was asked for all the same.
        let is_nothing = !ASKING.iter().any(asks)
            || (!ASKING.iter().skip(1).any(asks)
                && require.vulnerabilities.as_ref().is_some_and(Vulnerabilities::is_nothing));
        if section.finish(self.problems).is_empty() && is_nothing {
            let mistake = Mistake::new("the gate asks for nothing")
                .label("everything passes")
                .help("name what an image needs: `flags`, `signed_by`, `labels`, `max_age`, `vulnerabilities`, …");
            self.problems.at(node.place, mistake);
        }
        (require, flags)
    }

    /// What cannot be known of an image while it is pushed.
    fn not_on_push<'n>(
        &mut self,
        key: &'static str,
        section: &mut Section<'n>,
        on: &[Occasion],
    ) -> Option<&'n Node> {
        let entry = section.entry(key, self.problems)?;
        if on.contains(&Occasion::Push) {
            let mistake =
                Mistake::new(format!("`{key}` cannot be asked for when an image is pushed"))
                    .label("nothing is known of it yet")
                    .help("ask for it in a gate of its own with `on: [pull]`");
            self.problems.at(entry.key_place, mistake);
        }
        Some(&entry.value)
    }

    fn words(&mut self, node: &Node, what: &str, each: &str) -> Vec<Word> {
        let items = self.list(node, what, false);
        items.iter().filter_map(|item| self.text(item, each)).collect()
    }

    fn key_names(&mut self, words: Vec<Word>) -> Vec<Box<str>> {
        let mut names = Vec::with_capacity(words.len());
        for Word { text, place } in words {
            let is_plain =
                |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | '/');
            if text.is_empty() || text.len() > MAX || !text.chars().all(is_plain) {
                let mistake = Mistake::new(format!("`{}` names no key", text.escape_debug()));
                let help = "name one of the `trusted_keys` in the configuration";
                self.problems.at(place, mistake.help(help));
            } else {
                names.push(text.into());
            }
        }
        names
    }

    fn labels(&mut self, node: &Node) -> Vec<(Box<str>, ValuePattern)> {
        let entries = node.map("`labels`", self.problems).unwrap_or_default();
        if entries.is_empty() {
            self.names_nothing(node.place, "`labels`");
        }
        let mut labels = Vec::with_capacity(entries.len());
        for entry in entries {
            let what = format!("label `{}`", entry.key);
            let pattern = entry.value.read(&what, self.problems, value);
            labels.extend(pattern.map(|pattern| (entry.key.as_str().into(), pattern.value)));
        }
        labels
    }

    fn media_types(&mut self, node: &Node) -> Vec<ValuePattern> {
        let items = self.list(node, "`media_types`", false);
        let read = items.iter().filter_map(|item| item.read("a media type", self.problems, value));
        read.map(|pattern| pattern.value).collect()
    }

    /// Each in a repository of its own: the registry is looked through for them.
    fn base_images(&mut self, node: &Node) -> Vec<BaseImages> {
        let what = "`base_images`";
        let mut bases = Vec::new();
        for entry in self.constant_images(node, what) {
            for pattern in entry.patterns {
                let ImagePattern { repository, tags, uses_user, uses_group } = pattern;
                if let Some(Ok(name)) = repository.literal().map(RepositoryName::new) {
                    bases.push(BaseImages::new(name, tags));
                } else if !uses_user && !uses_group {
                    let mistake = Mistake::new(format!("`{repository}` is not one repository"))
                        .label("base images are looked for in repositories that are known by name")
                        .help("write the whole name; the tag may be a pattern: `base/debian:12*`");
                    self.problems.at(entry.place, mistake);
                    break;
                }
            }
        }
        bases
    }

    fn platforms(&mut self, node: &Node) -> Vec<PlatformPattern> {
        let items = self.list(node, "`platforms`", false);
        let read = items.iter().filter_map(|item| item.read("a platform", self.problems, platform));
        read.map(|platform| platform.value).collect()
    }

    pub(super) fn names_nothing(&mut self, place: Place, what: &str) {
        let mistake = Mistake::new(format!("{what} is empty")).help("name at least one");
        self.problems.at(place, mistake);
    }
}

fn platform(text: &str) -> Result<PlatformPattern, Mistake> {
    PlatformPattern::new(text).ok_or_else(|| {
        Mistake::new(format!("`{}` is no platform", text.escape_debug()))
            .help("write `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`, such as `linux/arm64`")
    })
}

/// A pattern over values: segments joined by `/`, as in repositories.
fn value(text: &str) -> Result<ValuePattern, Mistake> {
    let refuse = |message: &str, help: &str| Err(Mistake::new(message).help(help));
    if text.is_empty() {
        return refuse("the value is empty", "`**` is any value");
    }
    if text.starts_with('/') {
        return refuse(
            "a value cannot begin with `/` here",
            "begin with `**`, which is any number of parts",
        );
    }
    if text.split('/').any(|part| part.contains("**") && part != "**") {
        return refuse(
            "`**` has to be a whole part of the value",
            "`*` is anything up to the next `/`, `**` any number of parts",
        );
    }
    Ok(ValuePattern(PathPattern::of_name(text)))
}
