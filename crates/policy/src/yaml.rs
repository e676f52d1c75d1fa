//! A YAML file as a tree in which every part knows its place.
//!
//! Deserializing with serde stops at the first mistake and forgets where the others were, so
//! policy files are read from the parser's events. The parser is `granit-parser`: it is the one
//! inside `serde-saphyr`, which reads the configuration, so the program holds one reading of YAML;
//! it is maintained, passes the YAML test suite, has no unsafe code, and gives byte spans.
//!
//! Scalars stay text, so a tag `1.10` is never a number. What a policy does not need is refused
//! rather than ignored: anchors and aliases (and with them alias bombs), type tags, directives,
//! several documents in a file, deep nesting, files over 4 MiB.

use std::collections::{HashMap, hash_map};

use granit_parser::{Event, Parser, ScanError};

use crate::diagnostic::{At, Findings, Mistake, Span};

/// No policy that people can review is larger.
pub(crate) const MAX_FILE_SIZE: usize = 4 << 20;
/// The lists in a rule's `except` are the deepest part of a policy, at 5.
const MAX_DEPTH: usize = 16;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    /// A key without a value.
    Nothing,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Already reported; nothing more is said about it.
    Broken,
}

/// A key of a map with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) value: Node,
}

#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// Reads a file. `None`: it is no YAML; that has been reported. A file without content is
/// [`Value::Nothing`].
pub(crate) fn read(file: usize, text: &str, findings: &mut Findings<'_>) -> Option<Node> {
    if text.len() > MAX_FILE_SIZE {
        let start = Span { start: 0, end: 0, line: 1 };
        let mistake = Mistake::error(At { file, span: start }, "the file is larger than 4 MiB")
            .help("a policy may be spread over many files");
        findings.report(mistake);
        return None;
    }
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut tree = Tree { file, text, findings, open: Vec::new(), root: None, documents: 0 };
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => {
                tree.refuse_type_tag(&event, &span);
                tree.take(event, place(&span));
            }
            Err(error) => {
                tree.not_yaml(&error);
                return None;
            }
        }
        if tree.open.len() > MAX_DEPTH {
            return None;
        }
    }
    let nothing = Node { span: Span { start: 0, end: 0, line: 1 }, value: Value::Nothing };
    Some(tree.root.unwrap_or(nothing))
}

fn place(span: &granit_parser::Span) -> Span {
    let range = span.byte_range().unwrap_or_default();
    Span { start: range.start, end: range.end, line: span.start.line() }
}

/// The tree as it grows.
struct Tree<'a, 'f> {
    file: usize,
    text: &'a str,
    findings: &'a mut Findings<'f>,
    /// The collections that have not ended, outermost first.
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

enum Open {
    List { span: Span, items: Vec<Node> },
    Map { span: Span, entries: Vec<Entry>, seen: HashMap<String, Span>, pending: Pending },
}

/// What comes next in a map.
enum Pending {
    Key,
    Value(Key),
    /// The value of a key that was refused.
    Skipped,
}

impl Tree<'_, '_> {
    fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    let mistake = self
                        .mistake(span, "a policy file holds one YAML document")
                        .help("move what follows `---` to a file of its own");
                    self.findings.report(mistake);
                }
            }
            Event::Scalar(text, style, ..) => {
                let empty = text.is_empty() && style == granit_parser::ScalarStyle::Plain;
                let null = style == granit_parser::ScalarStyle::Plain
                    && matches!(text.as_ref(), "~" | "null");
                let value =
                    if empty || null { Value::Nothing } else { Value::Text(text.into_owned()) };
                self.add(Node { span, value });
            }
            Event::SequenceStart(..) => self.begin(Open::List { span, items: Vec::new() }),
            Event::MappingStart(..) => {
                self.begin(Open::Map {
                    span,
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    pending: Pending::Key,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop() {
                    Some(Open::List { span: start, items }) => {
                        Node { span: join(start, span), value: Value::List(items) }
                    }
                    Some(Open::Map { span: start, entries, .. }) => {
                        Node { span: join(start, span), value: Value::Map(entries) }
                    }
                    None => return,
                };
                self.add(node);
            }
            Event::Anchor(..) => {
                let mistake = self
                    .mistake(span, "YAML anchors are not used in policy files")
                    .help("name the people in a group, and the group wherever they are meant");
                self.findings.report(mistake);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let mistake = self
                    .mistake(span, "YAML aliases are not used in policy files")
                    .label("read as an alias because of the `*` at its start")
                    .help("put a pattern that begins with `*` in quotes");
                self.findings.report(mistake);
                self.add(Node { span, value: Value::Broken });
            }
            _ => {}
        }
    }

    fn begin(&mut self, open: Open) {
        let (Open::List { span, .. } | Open::Map { span, .. }) = &open;
        let span = *span;
        self.open.push(open);
        if self.open.len() > MAX_DEPTH {
            let mistake = self.mistake(span, "nested too deeply for a policy");
            self.findings.report(mistake);
        }
    }

    fn add(&mut self, node: Node) {
        let expects_key = matches!(self.open.last(), Some(Open::Map { pending: Pending::Key, .. }));
        if expects_key {
            let next = match self.key(node) {
                Some(key) => Pending::Value(key),
                None => Pending::Skipped,
            };
            if let Some(Open::Map { pending, .. }) = self.open.last_mut() {
                *pending = next;
            }
            return;
        }
        match self.open.last_mut() {
            // A second document has been reported; the first is the one that is read.
            None => {
                self.root.get_or_insert(node);
            }
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, pending, .. }) => {
                if let Pending::Value(key) = std::mem::replace(pending, Pending::Key) {
                    entries.push(Entry { key, value: node });
                }
            }
        }
    }

    /// Reads a key of the innermost map. `None`: it was refused, and its value goes with it.
    fn key(&mut self, node: Node) -> Option<Key> {
        let text = match node.value {
            Value::Text(text) => text,
            Value::Broken => return None,
            Value::Nothing | Value::List(_) | Value::Map(_) => {
                let mistake = self
                    .mistake(node.span, "a key has to be text")
                    .help("a pattern that begins with `{` or `[` has to stand in quotes");
                self.findings.report(mistake);
                return None;
            }
        };
        let first = match self.open.last_mut() {
            Some(Open::Map { seen, .. }) => match seen.entry(text.clone()) {
                hash_map::Entry::Occupied(first) => Some(*first.get()),
                hash_map::Entry::Vacant(place) => {
                    place.insert(node.span);
                    None
                }
            },
            _ => None,
        };
        if let Some(first) = first {
            let mistake = self
                .mistake(node.span, format!("the key `{text}` is written twice"))
                .label("the second time")
                .also(self.at(first), "the first time");
            self.findings.report(mistake);
            return None;
        }
        Some(Key { text, span: node.span })
    }

    /// A type tag would change what a value means.
    fn refuse_type_tag(&mut self, event: &Event<'_>, span: &granit_parser::Span) {
        if event.tag().is_some() {
            let place = place(&span.tag_span().unwrap_or(*span));
            let mistake = self
                .mistake(place, "YAML type tags are not used in policy files")
                .help("leave out the `!…`; text that begins with `!` has to stand in quotes");
            self.findings.report(mistake);
        }
    }

    fn not_yaml(&mut self, error: &ScanError) {
        let marker = error.marker();
        let start = marker.byte_offset().unwrap_or(self.text.len());
        let span = Span { start, end: start + 1, line: marker.line() };
        let mut mistake = self.mistake(span, "this is not valid YAML").label(error.info());
        if self.text.get(..start).is_some_and(|before| before.ends_with(['}', ']'])) {
            mistake = mistake.help("a pattern that begins with `{` or `[` has to stand in quotes");
        }
        self.findings.report(mistake);
    }

    fn at(&self, span: Span) -> At {
        At { file: self.file, span }
    }

    fn mistake(&self, span: Span, message: impl Into<String>) -> Mistake {
        Mistake::error(self.at(span), message)
    }
}

/// From the first event of a collection to its last.
fn join(start: Span, end: Span) -> Span {
    Span { end: end.end.max(start.end), ..start }
}
