//! Flags.

use document::{Entry, Mistake, Node, Value};

use super::Lowering;
use super::amounts::duration;
use crate::flag_name::FlagName;
use crate::image_pattern::TagPattern;
use crate::written::{FlagEntry, ImageEntry, Word};

impl Lowering<'_> {
    pub(super) fn flags(&mut self, node: &Node) -> Vec<FlagEntry> {
        let entries = node.map("`flags`", self.problems).unwrap_or_default();
        entries.iter().map(|entry| self.flag(entry)).collect()
    }

    fn flag(&mut self, Entry { key, key_place, value }: &Entry) -> FlagEntry {
        let written = Word { text: key.clone(), place: *key_place };
        let name = self.flag_name(&written);
        let mut entry = FlagEntry { written, name, carries: Vec::new(), expires_after: None };
        if value.value == Value::Null {
            return entry;
        }
        let Some(mut section) = value.section(&format!("flag `{key}`"), self.problems) else {
            return entry;
        };
        if let Some(carries) = section.take("carries", self.problems) {
            entry.carries = self.repositories_of(carries, "`carries`");
        }
        let life = section.read("expires_after", self.problems, duration);
        entry.expires_after = life.map(|life| life.value);
        section.finish(self.problems);
        entry
    }

    pub(super) fn flag_name(&mut self, written: &Word) -> Option<FlagName> {
        let name = match FlagName::in_word(&written.text) {
            Some(bare) => Err(Mistake::new("`flag:` is not part of a flag's own name")
                .help(format!("write `{bare}` here, and `flag:{bare}` in rules"))),
            None => FlagName::new(&written.text).map_err(|error| Mistake::of(&error)),
        };
        name.map_err(|mistake| self.problems.at(written.place, mistake)).ok()
    }

    /// Patterns of whole repositories.
    fn repositories_of(&mut self, node: &Node, what: &str) -> Vec<ImageEntry> {
        let entries = self.constant_images(node, what);
        for entry in &entries {
            if entry.patterns.iter().any(|pattern| pattern.tags != TagPattern::Whole) {
                let mistake = Mistake::new(format!("a tag cannot stand in {what}"));
                let help = "a flag belongs to a digest and never to a tag: name repositories";
                self.problems.at(entry.place, mistake.help(help));
            }
        }
        entries
    }

    /// Image patterns that mean the same for everybody.
    pub(super) fn constant_images(&mut self, node: &Node, what: &str) -> Vec<ImageEntry> {
        let entries = self.images(node, what);
        self.refuse_variables(&entries, what);
        entries
    }

    pub(super) fn refuse_variables(&mut self, entries: &[ImageEntry], what: &str) {
        for entry in entries {
            if entry.patterns.iter().any(|pattern| pattern.uses_user || pattern.uses_group) {
                let mistake = Mistake::new(format!("a variable cannot stand in {what} here"));
                let help = "what is asked of an image does not depend on its reader: write the name, or `*`";
                self.problems.at(entry.place, mistake.help(help));
            }
        }
    }
}
