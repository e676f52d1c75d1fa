//! From the events of the parser to the tree.
//!
//! The parser is `granit-parser`: it is maintained, passes the YAML test suite, has no unsafe code,
//! and gives byte spans.

use std::collections::{HashMap, hash_map};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use crate::{Entry, Mistake, Node, Place, Problems, Value};

/// Deeper than any file of ours.
const MAX_DEPTH: usize = 16;

/// A kind of file: how much it may hold, and what those who write it are told.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What a file of this kind is called, with its article: `a policy file`.
    pub name: &'static str,
    /// How large it may be, in whole MiB.
    pub max_mib: usize,
    /// What to do about a file that is larger.
    pub too_large: &'static str,
    /// What to do about a second document in a file.
    pub second_document: &'static str,
    /// What to do instead of using an anchor.
    pub instead_of_anchors: &'static str,
    /// Keys whose values are never shown.
    pub secret_keys: &'static [&'static str],
}

/// Reads the one document of the file with this index. `None`: it is no YAML; that has been noted.
/// A file without content is [`Value::Null`]. Of a key that is there twice, the first one counts.
pub fn parse(kind: &Kind, file: usize, text: &str, problems: &mut Problems) -> Option<Node> {
    hide_by_key(kind, file, text, problems);
    if text.len() > kind.max_mib << 20 {
        let mistake = Mistake::new(format!("the file is larger than {} MiB", kind.max_mib));
        problems.at(Place::start_of(file), mistake.help(kind.too_large));
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
    let mut tree = Tree {
        kind,
        file,
        text,
        problems,
        open: Vec::new(),
        items: Vec::new(),
        entries: Vec::new(),
        root: None,
        documents: 0,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => {
                tree.refuse_type_tag(&event, &span);
                tree.take(event, place(file, &span));
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
    Some(tree.root.unwrap_or(Node { value: Value::Null, place: Place::start_of(file) }))
}

/// Secrets are also looked for by the text of their key: the tree of a file that is no YAML does
/// not reach them.
fn hide_by_key(kind: &Kind, file: usize, text: &str, problems: &mut Problems) {
    problems.hide_keys(kind.secret_keys);
    for key in kind.secret_keys {
        for (at, key) in text.match_indices(&format!("{key}:")) {
            let start = at + key.len();
            let rest = text.get(start..).unwrap_or_default();
            let end = start + rest.find([',', '}', '\n']).unwrap_or(rest.len());
            // Only the bytes count.
            problems.hide(Place { file, start, end, line: 0 });
        }
    }
}

fn place(file: usize, span: &Span) -> Place {
    let range = span.byte_range().unwrap_or_default();
    Place { file, start: range.start, end: range.end, line: span.start.line() }
}

/// The tree as it grows.
struct Tree<'a> {
    kind: &'a Kind,
    file: usize,
    text: &'a str,
    problems: &'a mut Problems,
    /// The collections that have not ended, outermost first.
    open: Vec<Open>,
    /// Of all open lists. They are taken off where a list ends, so that each takes as much memory as
    /// it needs: files hold many short ones.
    items: Vec<Node>,
    /// Of all open maps, likewise.
    entries: Vec<Entry>,
    root: Option<Node>,
    documents: usize,
}

enum Open {
    /// Its items begin at `from`.
    List { place: Place, from: usize },
    /// Its entries begin at `from`.
    Map { place: Place, flow: bool, from: usize, seen: HashMap<String, Place>, next: Next },
}

/// What comes next in a map.
enum Next {
    Key,
    Value(String, Place),
    /// The value of a key that was refused.
    Skipped,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, place: Place) {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    let mistake =
                        Mistake::new(format!("{} holds one YAML document", self.kind.name));
                    self.problems.at(place, mistake.help(self.kind.second_document));
                }
            }
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let value = match text.as_ref() {
                    "" | "~" | "null" if plain => Value::Null,
                    _ => Value::Text(text.into_owned()),
                };
                self.add(Node { value, place });
            }
            Event::SequenceStart(..) => {
                self.begin(place, Open::List { place, from: self.items.len() });
            }
            Event::MappingStart(style, ..) => {
                let map = Open::Map {
                    place,
                    flow: style == StructureStyle::Flow,
                    from: self.entries.len(),
                    seen: HashMap::new(),
                    next: Next::Key,
                };
                self.begin(place, map);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (start, value) = match self.open.pop() {
                    Some(Open::List { place, from }) => {
                        (place, Value::List(self.items.drain(from..).collect()))
                    }
                    Some(Open::Map { place, from, flow, .. }) => {
                        let entries = self.entries.drain(from..).collect();
                        (place, Value::Map { entries, flow })
                    }
                    None => return,
                };
                self.add(Node { value, place: start.up_to(place) });
            }
            Event::Anchor(..) => {
                let mistake =
                    Mistake::new(format!("YAML anchors are not used in {}", self.kind.name));
                self.problems.at(place, mistake.help(self.kind.instead_of_anchors));
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let mistake =
                    Mistake::new(format!("YAML aliases are not used in {}", self.kind.name))
                        .label("read as an alias because of the `*` at its start")
                        .help("text that begins with `*` has to stand in quotes");
                self.problems.at(place, mistake);
                self.add(Node { value: Value::Broken, place });
            }
            _ => {}
        }
    }

    fn begin(&mut self, place: Place, open: Open) {
        self.open.push(open);
        if self.open.len() > MAX_DEPTH {
            self.problems.at(place, self.too_deep());
        }
    }

    fn add(&mut self, node: Node) {
        let expects_key = matches!(self.open.last(), Some(Open::Map { next: Next::Key, .. }));
        if expects_key {
            let value = self.key(node);
            if let Some(Open::Map { next, .. }) = self.open.last_mut() {
                *next = value;
            }
            return;
        }
        match self.open.last_mut() {
            // A second document has been noted; the first is the one that is read.
            None => {
                self.root.get_or_insert(node);
            }
            Some(Open::List { .. }) => self.items.push(node),
            Some(Open::Map { next, .. }) => {
                if let Next::Value(key, key_place) = std::mem::replace(next, Next::Key) {
                    if self.problems.is_secret(&key) {
                        self.problems.hide(node.place);
                    }
                    self.entries.push(Entry { key, key_place, value: node });
                }
            }
        }
    }

    /// Reads a key of the innermost map.
    fn key(&mut self, node: Node) -> Next {
        let place = node.place;
        let text = match node.value {
            Value::Text(text) => text,
            Value::Broken => return Next::Skipped,
            Value::Null | Value::List(_) | Value::Map { .. } => {
                let mistake = Mistake::new("a key has to be text").help(QUOTES);
                self.problems.at(place, mistake);
                return Next::Skipped;
            }
        };
        let Some(Open::Map { seen, .. }) = self.open.last_mut() else { return Next::Skipped };
        match seen.entry(text.clone()) {
            hash_map::Entry::Occupied(first) => {
                let mistake = Mistake::new(format!("the key `{text}` is written twice"))
                    .label("the second time")
                    .also(*first.get(), "the first time");
                self.problems.at(place, mistake);
                Next::Skipped
            }
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(place);
                Next::Value(text, place)
            }
        }
    }

    /// A type tag would change what a value means.
    fn refuse_type_tag(&mut self, event: &Event<'_>, span: &Span) {
        if event.tag().is_some() {
            let mistake =
                Mistake::new(format!("YAML type tags are not used in {}", self.kind.name))
                    .help("leave out the `!…`; text that begins with `!` has to stand in quotes");
            self.problems.at(place(self.file, &span.tag_span().unwrap_or(*span)), mistake);
        }
    }

    fn not_yaml(&mut self, error: &ScanError) {
        let marker = error.marker();
        let start = marker.byte_offset().unwrap_or(self.text.len());
        let place = Place { file: self.file, start, end: start + 1, line: marker.line() };
        let mut mistake = match error.kind() {
            ErrorKind::RecursionLimitExceeded => self.too_deep(),
            _ => Mistake::new("this is not valid YAML").label(error.info()),
        };
        if self.text.get(..start).is_some_and(|before| before.ends_with(['}', ']'])) {
            mistake = mistake.help(QUOTES);
        } else {
            mistake = mistake.maybe_help(remedy(&error.info()));
        }
        // The parser names where the text began that the tab is in the way of.
        let tab = self.tab_behind(start).filter(|_| error.info().contains("tab"));
        let place = tab.unwrap_or(place);
        if tab.is_some() {
            mistake = mistake.help("indent with spaces: YAML knows no tabs there");
        }
        self.problems.at(place, mistake);
    }

    /// The first tab in the indentation of a line that begins behind `start`, or of its own.
    fn tab_behind(&self, start: usize) -> Option<Place> {
        let mut at = 0;
        for (index, line) in self.text.split_inclusive('\n').enumerate() {
            let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
            let tab = line.get(..indentation).and_then(|blank| blank.find('\t'));
            if let Some(tab) = tab.filter(|_| at + line.len() > start) {
                let start = at + tab;
                return Some(Place { file: self.file, start, end: start + 1, line: index + 1 });
            }
            at += line.len();
        }
        None
    }

    fn too_deep(&self) -> Mistake {
        Mistake::new(format!("nested too deeply for {}", self.kind.name))
    }
}

/// What to do where the parser says this, as far as that is clear.
fn remedy(info: &str) -> Option<&'static str> {
    const REMEDIES: [(&str, &str); 10] = [
        ("unclosed bracket", "close it, or look whether the file was cut short"),
        ("unclosed quote", "close the quotes"),
        ("in multiline quoted scalar", "close the quotes"),
        ("expected '-' indicator", "indent it as the lines that it belongs to, with spaces"),
        ("expected key", "indent it as the lines that it belongs to, with spaces"),
        ("expected ',' or", "separate what stands in brackets by commas, and close them"),
        ("simple key expect", "a key is followed by `: ` and its value"),
        (
            "mapping values are not allowed",
            "keys stand below each other; text that holds `: ` has to stand in quotes",
        ),
        ("unknown escape character", "in `'…'` a `\\` stands for itself"),
        ("unexpected character", "text that begins with it has to stand in quotes"),
    ];
    REMEDIES.into_iter().find(|(sign, _)| info.contains(sign)).map(|(_, remedy)| remedy)
}

const QUOTES: &str = "text that begins with `{` or `[` has to stand in quotes";

#[cfg(test)]
mod tests;
