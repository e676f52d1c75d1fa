//! The tree of a YAML file.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle};

use super::{Mistake, Problems};

/// Deeper than any file of ours, and far from the end of the stack.
const MAX_DEPTH: usize = 16;

/// A value and its place in the file, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What stands there.
    pub value: Value,
    /// Where.
    pub span: Range<usize>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Any other scalar, as text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map {
        /// In the order of the file; no key twice.
        entries: Vec<Entry>,
        /// Whether it is written with braces.
        flow: bool,
    },
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its place.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// What it is, for a message.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map { .. } => "a mapping",
        }
    }
}

/// Reads the one document that `text` holds. `None` if it cannot be read as one, which is then
/// noted; duplicate keys are noted too, and the first of them counts.
pub fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut builder = Builder { parser: Parser::new_from_str(text), problems, length: text.len() };
    match builder.document() {
        Ok(node) => Some(node),
        Err((span, mistake)) => {
            problems.at(&span, mistake);
            None
        }
    }
}

type Fatal = (Range<usize>, Mistake);

struct Builder<'a, 'p> {
    parser: Parser<'a, StrInput<'a>>,
    problems: &'p mut Problems,
    length: usize,
}

impl<'a> Builder<'a, '_> {
    fn document(&mut self) -> Result<Node, Fatal> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => {
                    return Ok(root.unwrap_or(Node { value: Value::Null, span: 0..0 }));
                }
                _ if root.is_some() => {
                    return Err((
                        span,
                        Mistake::new("a second document in one file")
                            .help("keep one document, without `---` in its middle"),
                    ));
                }
                event => root = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Range<usize>, depth: usize) -> Result<Node, Fatal> {
        if depth > MAX_DEPTH {
            return Err((span, Mistake::new("nested too deeply")));
        }
        let anchored = event.anchor_id().is_some();
        if anchored || event.is_alias() || event.tag().is_some() {
            return Err((
                span,
                Mistake::new("anchors, aliases and tags are not accepted here")
                    .help("write the value out"),
            ));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let value = match text.as_ref() {
                    "" | "~" | "null" if plain => Value::Null,
                    _ => Value::Text(text.into_owned()),
                };
                Ok(Node { value, span })
            }
            Event::SequenceStart(..) => self.list(span.start, depth),
            Event::MappingStart(style, ..) => {
                self.map(span.start, style == StructureStyle::Flow, depth)
            }
            _ => Err((span, Mistake::new("not expected here"))),
        }
    }

    fn list(&mut self, start: usize, depth: usize) -> Result<Node, Fatal> {
        let mut nodes = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Node { value: Value::List(nodes), span: start..span.end });
            }
            nodes.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: usize, flow: bool, depth: usize) -> Result<Node, Fatal> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let span = start..key_span.end;
                return Ok(Node { value: Value::Map { entries, flow }, span });
            }
            let key = self.node(event, key_span.clone(), depth + 1)?;
            let Node { value: Value::Text(key), .. } = key else {
                let mistake = Mistake::new(format!("{} cannot be a key", key.kind()));
                return Err((key.span, mistake));
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if entries.iter().any(|entry| entry.key == key) {
                let mistake = Mistake::new(format!("the key `{key}` stands here twice"));
                self.problems.at(&key_span, mistake.help("keep one of them"));
            } else {
                entries.push(Entry { key, key_span, value });
            }
        }
    }

    /// The next event that carries data, and its place.
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Fatal> {
        loop {
            match self.parser.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, self.range(span))),
                Some(Err(error)) => {
                    let at = error.marker().byte_offset().unwrap_or(self.length);
                    let at = at.min(self.length);
                    return Err((
                        at..at,
                        Mistake::new(format!("not valid YAML: {}", error.info())),
                    ));
                }
                None => return Ok((Event::StreamEnd, self.length..self.length)),
            }
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        span.byte_range().unwrap_or(self.length..self.length)
    }
}
