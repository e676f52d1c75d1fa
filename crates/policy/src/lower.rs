//! From the tree of a file to its document, reporting everything that does not belong there.

use crate::actions::{self, Actions};
use crate::diagnostic::{At, Findings, Mistake, Span};
use crate::document::{
    Document, ExceptEntry, GroupEntry, ImageEntry, Members, RuleEntry, SubjectEntry, Word,
};
use crate::image_pattern::ImagePattern;
use crate::subject_pattern::SubjectPattern;
use crate::suggest;
use crate::yaml::{Entry, Key, Node, Value};

/// Names travel in denials, metrics and the audit trail.
const MAX_NAME: usize = 128;

/// Lowers one file.
pub(crate) fn lower(file: usize, root: Node, findings: &mut Findings<'_>) -> Document {
    let mut lowering = Lowering { file, findings };
    lowering.document(root)
}

struct Lowering<'a, 'f> {
    file: usize,
    findings: &'a mut Findings<'f>,
}

impl Lowering<'_, '_> {
    fn document(&mut self, root: Node) -> Document {
        let mut document = Document::default();
        if matches!(root.value, Value::Nothing) {
            return document;
        }
        let known = ["groups", "rules", "administrators"];
        for Entry { key, value } in self.map(root, "a policy file") {
            match key.text.as_str() {
                "groups" => document.groups = self.groups(value),
                "rules" => document.rules = self.rules(value),
                "administrators" => {
                    document.administrators = self.subjects(value, "`administrators`");
                }
                _ => self.unknown_key(&key, "a policy file", &known),
            }
        }
        document
    }

    fn groups(&mut self, node: Node) -> Vec<GroupEntry> {
        let entries = self.map(node, "`groups`");
        let mut groups = Vec::with_capacity(entries.len());
        for Entry { key, value } in entries {
            let name = self.word(key.text, key.span);
            self.check_group_name(&name);
            let members = match &value.value {
                Value::Text(text) if text == "external" => Members::External,
                Value::Text(text) => {
                    let mistake = Mistake::error(
                        self.at(value.span),
                        format!("the members of group `{}` have to be a list", name.text),
                    )
                    .help(format!(
                        "write `[{text}]`, or `external` for a group of an identity source"
                    ));
                    self.findings.report(mistake);
                    Members::Unreadable
                }
                Value::Broken => Members::Unreadable,
                _ => {
                    let what = format!("the members of group `{}`", name.text);
                    Members::Listed(self.subject_list(value, &what, true))
                }
            };
            groups.push(GroupEntry { name, members });
        }
        groups
    }

    fn check_group_name(&mut self, name: &Word) {
        let text = &name.text;
        let message = if text.is_empty() || text.len() > MAX_NAME {
            format!("the name of a group has 1 to {MAX_NAME} characters")
        } else if text.contains('*') {
            format!("the name of group `{text}` holds a `*`")
        } else if text.trim() != text || text.chars().any(char::is_control) {
            format!("the name of group `{}` has white space around it", text.escape_debug())
        } else if text.split('/').any(str::is_empty) {
            format!("a part of the name of group `{text}` is empty")
        } else if let Some(bare) = text.strip_prefix("group:") {
            let mistake = Mistake::error(name.at, "`group:` is not part of a group's own name")
                .help(format!("write `{bare}` here, and `group:{bare}` where it is used"));
            self.findings.report(mistake);
            return;
        } else {
            return;
        };
        self.findings.report(Mistake::error(name.at, message));
    }

    fn rules(&mut self, node: Node) -> Vec<RuleEntry> {
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
                _ => self.unknown_key(&key, "a rule", &known),
            }
        }
        if !readable {
            return None;
        }
        let called = match &name {
            Some(Some(name)) => format!("rule `{}`", name.text),
            _ => "a rule".to_owned(),
        };
        if name.is_none() {
            self.missing(
                at,
                "a rule without a name",
                "`name: …` appears in denials and the audit trail",
            );
        }
        if subjects.is_none() {
            self.missing(
                at,
                &format!("{called} does not say for whom it is"),
                "add `subjects: […]`; everybody is `[anyone]`",
            );
        }
        if images.is_none() {
            self.missing(
                at,
                &format!("{called} does not say for which images it is"),
                "add `images: […]`; every image is `[\"**\"]`",
            );
        }
        if allow.is_none() && deny.is_none() {
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
                _ => self.unknown_key(&key, "`except`", &["subjects", "images"]),
            }
        }
        except
    }

    fn subjects(&mut self, node: Node, what: &str) -> Vec<SubjectEntry> {
        self.subject_list(node, what, false)
    }

    fn subject_list(&mut self, node: Node, what: &str, may_be_empty: bool) -> Vec<SubjectEntry> {
        let items = self.list(node, what, may_be_empty);
        items.into_iter().filter_map(|item| self.subject(item)).collect()
    }

    fn subject(&mut self, node: Node) -> Option<SubjectEntry> {
        if let Value::Map(entries) = &node.value
            && let [Entry { key, value: Node { value: Value::Text(name), .. } }] =
                entries.as_slice()
        {
            let mistake = Mistake::error(self.at(node.span), "a subject has to be text")
                .label("a map with one key, because of the space after the colon")
                .help(format!("write `{}:{name}`", key.text));
            self.findings.report(mistake);
            return None;
        }
        let written = self.text(node, "a subject")?;
        match SubjectPattern::parse(&written.text) {
            Ok(pattern) => Some(SubjectEntry { written, pattern }),
            Err(invalid) => {
                let text = &written.text;
                let help = invalid.help.unwrap_or_else(|| {
                    format!("write `user:{text}`, `service:{text}` or `group:{text}`")
                });
                self.findings.report(Mistake::error(written.at, invalid.message).help(help));
                None
            }
        }
    }

    fn images(&mut self, node: Node, what: &str) -> Vec<ImageEntry> {
        let items = self.list(node, what, false);
        items.into_iter().filter_map(|item| self.image(item)).collect()
    }

    fn image(&mut self, node: Node) -> Option<ImageEntry> {
        let help = match &node.value {
            Value::Map(_) => Some("put a pattern that begins with `{` or holds `: ` in quotes"),
            _ => None,
        };
        let written = self.text_or(node, "an image pattern", help)?;
        match ImagePattern::parse(&written.text) {
            Ok(patterns) => Some(ImageEntry { at: written.at, patterns }),
            Err(invalid) => {
                let mistake = Mistake::error(written.at, invalid.message).maybe_help(invalid.help);
                self.findings.report(mistake);
                None
            }
        }
    }

    fn actions(&mut self, node: Node, what: &str) -> Actions {
        let mut set = Actions::default();
        for item in self.list(node, what, false) {
            let Some(word) = self.text(item, "an action") else { continue };
            match Actions::from_word(&word.text) {
                Some(actions) => set = set.union(actions),
                None => {
                    let help = suggest::did_you_mean(&word.text, actions::WORDS)
                        .unwrap_or_else(|| format!("actions are {}", listed(&actions::WORDS)));
                    let message = format!("unknown action `{}`", word.text);
                    self.findings.report(Mistake::error(word.at, message).help(help));
                }
            }
        }
        set
    }

    fn map(&mut self, node: Node, what: &str) -> Vec<Entry> {
        match node.value {
            Value::Map(entries) => entries,
            _ => {
                self.unexpected(&node, what, "a map", None);
                Vec::new()
            }
        }
    }

    fn list(&mut self, node: Node, what: &str, may_be_empty: bool) -> Vec<Node> {
        match node.value {
            Value::List(items) => {
                if items.is_empty() && !may_be_empty {
                    let mistake = Mistake::error(self.at(node.span), format!("{what} is empty"));
                    self.findings.report(mistake.help("name at least one"));
                }
                items
            }
            Value::Text(ref text) => {
                let help = format!("write `[{text}]`");
                self.unexpected(&node, what, "a list", Some(&help));
                Vec::new()
            }
            _ => {
                self.unexpected(&node, what, "a list", None);
                Vec::new()
            }
        }
    }

    fn text(&mut self, node: Node, what: &str) -> Option<Word> {
        self.text_or(node, what, None)
    }

    fn text_or(&mut self, node: Node, what: &str, help: Option<&str>) -> Option<Word> {
        match node.value {
            Value::Text(text) => Some(self.word(text, node.span)),
            _ => {
                self.unexpected(&node, what, "text", help);
                None
            }
        }
    }

    fn unexpected(&mut self, node: &Node, what: &str, expected: &str, help: Option<&str>) {
        let found = match node.value {
            Value::Nothing => "nothing",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Broken => return,
        };
        let mistake = Mistake::error(self.at(node.span), format!("{what} has to be {expected}"))
            .label(format!("this is {found}"))
            .maybe_help(help.map(str::to_owned));
        self.findings.report(mistake);
    }

    fn unknown_key(&mut self, key: &Key, place: &str, known: &[&str]) {
        let help = suggest::did_you_mean(&key.text, known.iter().copied())
            .unwrap_or_else(|| format!("keys of {place} are {}", listed(known)));
        let mistake =
            Mistake::error(self.at(key.span), format!("unknown key `{}` in {place}", key.text));
        self.findings.report(mistake.help(help));
    }

    fn missing(&mut self, at: At, message: &str, help: &str) {
        self.findings.report(Mistake::error(at, message).help(help));
    }

    fn word(&self, text: String, span: Span) -> Word {
        Word { text, at: self.at(span) }
    }

    fn at(&self, span: Span) -> At {
        At { file: self.file, span }
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
