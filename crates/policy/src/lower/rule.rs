//! Rules.

use super::{Lowering, MAX_NAME};
use crate::actions::Actions;
use crate::diagnostic::{At, Mistake, Span};
use crate::document::{ExceptEntry, RuleEntry, Word};
use crate::yaml::{Entry, Node, Value};

impl Lowering<'_, '_> {
    pub(super) fn rules(&mut self, node: Node) -> Vec<RuleEntry> {
        let rules = self.list(node, "`rules`", true);
        rules.into_iter().filter_map(|node| self.rule(node)).collect()
    }

    fn rule(&mut self, node: Node) -> Option<RuleEntry> {
        if matches!(node.value, Value::Broken) {
            return None;
        }
        let at = self.at(node.span);
        let known = ["name", "subjects", "except", "images", "allow", "deny", "comment"];
        let (mut name, mut subjects, mut images) = (None, None, None);
        let (mut allow, mut deny) = (None, None);
        // A key that is written wrong is not missing too.
        let mut misspelt = Vec::new();
        let mut except = ExceptEntry::default();
        let readable = matches!(node.value, Value::Map(_));
        for Entry { key, value } in self.map(node, "a rule") {
            match key.text.as_str() {
                "name" => name = Some(self.rule_name(value)),
                "subjects" => subjects = Some(self.subjects(value, "`subjects`")),
                "except" => except = self.except(value),
                "images" => images = Some(self.images(value, "`images`")),
                "allow" => allow = Some((key.span, self.actions(value, "`allow`"))),
                "deny" => deny = Some((key.span, self.actions(value, "`deny`"))),
                "comment" => {
                    self.text(value, "`comment`");
                }
                _ => misspelt.extend(self.unknown_key(&key, "a rule", &known)),
            }
        }
        if !readable {
            return None;
        }
        let called = match &name {
            Some(Some(name)) => format!("rule `{}`", name.text),
            _ => "a rule".to_owned(),
        };
        if name.is_none() && !misspelt.contains(&"name") {
            self.missing(
                at,
                "a rule without a name",
                "`name: …` appears in denials and the audit trail",
            );
        }
        if subjects.is_none() && !misspelt.contains(&"subjects") {
            self.missing(
                at,
                &format!("{called} does not say for whom it is"),
                "add `subjects: […]`; everybody is `[anyone]`",
            );
        }
        if images.is_none() && !misspelt.contains(&"images") {
            self.missing(
                at,
                &format!("{called} does not say for which images it is"),
                "add `images: […]`; every image is `[\"**\"]`",
            );
        }
        if allow.is_none()
            && deny.is_none()
            && !misspelt.contains(&"allow")
            && !misspelt.contains(&"deny")
        {
            self.missing(
                at,
                &format!("{called} neither allows nor denies anything"),
                "add `allow: […]` or `deny: […]`",
            );
        }
        self.check_contradiction(&called, allow, deny);
        Some(RuleEntry {
            name: name.flatten().unwrap_or(Word { text: String::new(), at }),
            subjects: subjects.unwrap_or_default(),
            images: images.unwrap_or_default(),
            except,
            allow: allow.map(|(_, actions)| actions).unwrap_or_default(),
            deny: deny.map(|(_, actions)| actions).unwrap_or_default(),
        })
    }

    fn check_contradiction(
        &mut self,
        called: &str,
        allow: Option<(Span, Actions)>,
        deny: Option<(Span, Actions)>,
    ) {
        let (Some((allow_span, allow)), Some((deny_span, deny))) = (allow, deny) else { return };
        if let Some(action) = allow.iter().find(|&action| deny.withheld().contains(action)) {
            let mistake = Mistake::error(
                self.at(deny_span),
                format!("{called} allows and denies `{action}`"),
            )
            .label("denied here")
            .also(self.at(allow_span), "allowed here")
            .help("leave one of them out; a denial would win");
            self.findings.report(mistake);
        }
    }

    fn rule_name(&mut self, node: Node) -> Option<Word> {
        let name = self.text(node, "`name`")?;
        let is_plain =
            |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | '/');
        if name.text.is_empty() || name.text.len() > MAX_NAME || !name.text.chars().all(is_plain) {
            let mistake = Mistake::error(
                name.at,
                format!("`{}` is not a name for a rule", name.text.escape_debug()),
            )
            .help(format!("1 to {MAX_NAME} letters, digits, `-`, `_`, `.` and `/`"));
            self.findings.report(mistake);
        }
        Some(name)
    }

    fn except(&mut self, node: Node) -> ExceptEntry {
        let mut except = ExceptEntry::default();
        let at = self.at(node.span);
        let readable = matches!(node.value, Value::Map(_));
        let entries = self.map(node, "`except`");
        if readable && entries.is_empty() {
            self.missing(
                at,
                "`except` leaves nobody and nothing out",
                "remove it, or name `subjects` or `images`",
            );
        }
        for Entry { key, value } in entries {
            match key.text.as_str() {
                "subjects" => except.subjects = self.subjects(value, "`subjects`"),
                "images" => except.images = self.images(value, "`images`"),
                _ => {
                    self.unknown_key(&key, "`except`", &["subjects", "images"]);
                }
            }
        }
        except
    }

    fn missing(&mut self, at: At, message: &str, help: &str) {
        self.findings.report(Mistake::error(at, message).help(help));
    }
}
