//! Which records are meant.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use memchr::memmem::Finder;
use serde_json::Value;

use super::super::Decision;
use super::Found;

/// What is looked for. Everything that is named has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Fields with their values, which have to be these.
    pub fields: Vec<(&'static str, String)>,
    /// One of these events; none: whatever it is.
    pub events: &'static [&'static str],
    /// What was decided.
    pub decision: Option<Decision>,
    /// A repository, or where it ends in `*`, the beginning of its name.
    pub repository: Option<String>,
    /// A tag, a digest, or the beginning of a digest.
    pub reference: Option<String>,
    /// From where the request came.
    pub address: Option<IpAddr>,
    /// Words that have to be in one of the texts each, in whatever case.
    pub words: Vec<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// The same for many lines.
    pub(super) fn prepared(&self) -> Prepared<'_> {
        let plain = |text: &&str| {
            text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        };
        let whole = self.fields.iter().map(|(_, value)| value.as_str());
        let parts = [
            self.repository.as_deref().map(beginning),
            self.reference.as_deref(),
            self.decision.map(Decision::as_str),
        ];
        let texts = whole.chain(parts.into_iter().flatten()).filter(plain);
        let needles = texts.map(|text| Finder::new(text.as_bytes()).into_owned()).collect();
        let words = self.words.iter().map(|word| word.to_lowercase()).collect();
        Prepared { filter: self, needles, words }
    }

    fn is_of_time(&self, found: &Found) -> bool {
        self.since.is_none_or(|since| found.time() >= since)
            && self.until.is_none_or(|until| found.time() < until)
    }

    fn is_of_image(&self, found: &Found) -> bool {
        let of_repository = self.repository.as_deref().is_none_or(|wanted| {
            found.text("repository").is_some_and(|repository| {
                let part = beginning(wanted);
                if part == wanted { repository == wanted } else { repository.starts_with(part) }
            })
        });
        let of_reference = self.reference.as_deref().is_none_or(|wanted| {
            let is_beginning = wanted.contains(':');
            let is_it = |text: &str| text == wanted || is_beginning && text.starts_with(wanted);
            let mut references = found.text("reference").into_iter().flat_map(|it| it.split(','));
            references.any(is_it) || found.text("digest").is_some_and(is_it)
        });
        of_repository && of_reference
    }
}

/// What a repository has to begin with.
fn beginning(pattern: &str) -> &str {
    pattern.trim_end_matches('*')
}

/// As people write it, for the record of the search.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &String| format!("`{text}`");
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.fields.iter().map(|(name, value)| format!("{name} {}", quoted(value))));
        parts.extend(self.decision.map(|it| format!("decision `{it}`")));
        parts.extend(self.repository.iter().map(|it| format!("repository {}", quoted(it))));
        parts.extend(self.reference.iter().map(|it| format!("reference {}", quoted(it))));
        parts.extend(self.address.map(|it| format!("address `{it}`")));
        parts.extend(self.words.iter().map(|it| format!("word {}", quoted(it))));
        parts.extend(self.since.map(|it| format!("since {it}")));
        parts.extend(self.until.map(|it| format!("until {it}")));
        if parts.is_empty() { f.write_str("everything") } else { f.write_str(&parts.join(", ")) }
    }
}

/// A filter that looks at many lines.
pub(super) struct Prepared<'a> {
    filter: &'a Filter,
    /// What has to stand in the line as it is: reading a line takes longer than looking for these.
    needles: Vec<Finder<'static>>,
    /// In lower case.
    words: Vec<String>,
}

impl Prepared<'_> {
    /// Whether a line may be one that is meant.
    pub(super) fn may_be(&self, line: &[u8]) -> bool {
        self.needles.iter().all(|needle| needle.find(line).is_some())
    }

    pub(super) fn is_meant(&self, found: &Found) -> bool {
        let Filter { fields, events, decision, address, .. } = self.filter;
        let is_one = || events.iter().any(|it| found.text("event") == Some(it));
        (events.is_empty() || is_one())
            && fields.iter().all(|(name, value)| found.text(name) == Some(value.as_str()))
            && decision.is_none_or(|it| found.text("decision") == Some(it.as_str()))
            && address
                .is_none_or(|it| found.text("address").and_then(|a| a.parse().ok()) == Some(it))
            && self.filter.is_of_time(found)
            && self.filter.is_of_image(found)
            && self.has_words(found)
    }

    fn has_words(&self, found: &Found) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let mut texts = Vec::new();
        found.fields().iter().for_each(|(_, value)| collect(value, &mut texts));
        self.words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.to_lowercase()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}
