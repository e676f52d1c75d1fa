//! Rules.

use document::{Mistake, Node, Place};

use super::values::exactly;
use super::{Lowering, MAX_NAME};
use crate::actions::Actions;
use crate::written::{ExceptEntry, RuleEntry, Word};

/// Keys of which a rule needs one, and what is said to one without any of them.
const NEEDED: [(&[&str], &str, &str); 3] = [
    (&["subjects"], "does not say for whom it is", "add `subjects: […]`; everybody is `[anyone]`"),
    (
        &["images"],
        "does not say for which images it is",
        "add `images: […]`; every image is `[\"**\"]`",
    ),
    (&["allow", "deny"], "neither allows nor denies anything", "add `allow: […]` or `deny: […]`"),
];

impl Lowering<'_> {
    pub(super) fn rules(&mut self, node: &Node) -> Vec<RuleEntry> {
        let rules = self.list(node, "`rules`", true);
        exactly(rules.len(), rules.iter().filter_map(|node| self.rule(node)))
    }

    fn rule(&mut self, node: &Node) -> Option<RuleEntry> {
        let place = node.place;
        let mut section = node.section("a rule", self.problems)?;
        let name = section.take("name", self.problems);
        let name = name.and_then(|node| self.own_name(node, "rule"));
        let subjects = section.take("subjects", self.problems);
        let subjects = subjects.map(|node| self.subjects(node, "`subjects`"));
        let except = section.take("except", self.problems).map(|node| self.except(node));
        let images = section.take("images", self.problems);
        let images = images.map(|node| self.images(node, "`images`"));
        let allow = section.entry("allow", self.problems);
        let mut flags = Vec::new();
        let allow = allow.map(|entry| {
            let (actions, named) = self.actions(&entry.value, "`allow`");
            flags.extend(named);
            (entry.key_place, actions)
        });
        let deny = section.entry("deny", self.problems);
        let deny = deny.map(|entry| {
            let (actions, named) = self.actions(&entry.value, "`deny`");
            flags.extend(named);
            (entry.key_place, actions)
        });
        let (conditions, places) = self.conditions(&mut section);
        section.read("comment", self.problems, |_| Ok(()));
        let mut missing = vec!["name", "subjects", "images", "allow", "deny"];
        missing.retain(|key| section.lacks(key));
        let misspelt = section.finish(self.problems);
        missing.retain(|key| !misspelt.contains(key));

        let called = match &name {
            Some(name) => format!("rule `{}`", name.text),
            None => "a rule".to_owned(),
        };
        if missing.contains(&"name") {
            let mistake = Mistake::new("a rule without a name");
            self.problems
                .at(place, mistake.help("`name: …` appears in denials and the audit trail"));
        }
        for (keys, message, help) in NEEDED {
            if keys.iter().all(|key| missing.contains(key)) {
                self.problems.at(place, Mistake::new(format!("{called} {message}")).help(help));
            }
        }
        self.check_contradiction(&called, allow.as_ref(), deny.as_ref());
        Some(RuleEntry {
            name: name.unwrap_or(Word { text: String::new(), place }),
            subjects: subjects.unwrap_or_default(),
            images: images.unwrap_or_default(),
            except: except.unwrap_or_default(),
            conditions,
            places,
            allow: allow.map(|(_, actions)| actions).unwrap_or_default(),
            deny: deny.map(|(_, actions)| actions).unwrap_or_default(),
            flags,
        })
    }

    fn check_contradiction(
        &mut self,
        called: &str,
        allow: Option<&(Place, Actions)>,
        deny: Option<&(Place, Actions)>,
    ) {
        let (Some((allow_place, allow)), Some((deny_place, deny))) = (allow, deny) else { return };
        let withheld = deny.clone().withheld();
        if let Some(action) = allow.iter().find(|&action| withheld.contains(action)) {
            let mistake = Mistake::new(format!("{called} allows and denies `{action}`"))
                .label("denied here")
                .also(*allow_place, "allowed here")
                .help("leave one of them out; a denial would win");
            self.problems.at(*deny_place, mistake);
        }
    }

    /// The name of a rule or a gate.
    pub(super) fn own_name(&mut self, node: &Node, kind: &str) -> Option<Word> {
        let name = self.text(node, "`name`")?;
        let is_plain =
            |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | '/');
        if name.text.is_empty() || name.text.len() > MAX_NAME || !name.text.chars().all(is_plain) {
            let text = name.text.escape_debug();
            let mistake = Mistake::new(format!("`{text}` is not a name for a {kind}"))
                .help(format!("1 to {MAX_NAME} letters, digits, `-`, `_`, `.` and `/`"));
            self.problems.at(name.place, mistake);
        }
        Some(name)
    }

    pub(super) fn except(&mut self, node: &Node) -> ExceptEntry {
        let Some(mut section) = node.section("`except`", self.problems) else {
            return ExceptEntry::default();
        };
        if section.is_empty() {
            let mistake = Mistake::new("`except` leaves nobody and nothing out");
            self.problems.at(node.place, mistake.help("remove it, or name `subjects` or `images`"));
        }
        let subjects = section.take("subjects", self.problems);
        let images = section.take("images", self.problems);
        section.finish(self.problems);
        ExceptEntry {
            subjects: subjects.map_or(Vec::new(), |node| self.subjects(node, "`subjects`")),
            images: images.map_or(Vec::new(), |node| self.images(node, "`images`")),
        }
    }
}
