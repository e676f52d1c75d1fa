//! What of an answer must be the same with and without the gate.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::support::client::Answer;

/// Headers that are passed on as they are.
const SAME: [&str; 10] = [
    "accept-ranges",
    "content-range",
    "docker-content-digest",
    "etag",
    "oci-chunk-min-length",
    "oci-filters-applied",
    "oci-subject",
    "oci-tag",
    "range",
    "content-length",
];

/// An answer without what may differ: where uploads are, how parameters are ordered, what an error
/// says in words.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) status: u16,
    headers: BTreeMap<&'static str, String>,
    body: Content,
    /// docker-registry gives tags in any order.
    in_order: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// Which errors, by their codes.
    Errors(Vec<String>),
    Json(Value),
    Bytes(Vec<u8>),
}

/// A part of an answer that may be declared to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Status,
    Header(&'static str),
    Body,
}

impl Outcome {
    /// Of a step that goes where an earlier answer did not point.
    pub(super) fn nowhere() -> Self {
        let body = Content::Bytes(Vec::new());
        Self { status: 0, headers: BTreeMap::new(), body, in_order: true }
    }

    pub(super) fn of(answer: &Answer) -> Self {
        let mut headers = BTreeMap::new();
        for name in SAME {
            // The length of a text that may differ, or of nothing.
            let is_length = name == "content-length";
            if let Some(value) = answer.header(name)
                && !(is_length && (answer.status >= 300 || !answer.body.is_empty() || value == "0"))
            {
                headers.insert(name, value.to_owned());
            }
        }
        if let Some(value) = answer.header("content-type")
            && !answer.body.is_empty()
        {
            let essence = value.split(';').next().unwrap().trim().to_ascii_lowercase();
            headers.insert("content-type", essence);
        }
        if let Some(value) = answer.header("allow") {
            headers.insert("allow", methods(value));
        }
        if let Some(value) = answer.header("location") {
            headers.insert("location", place(value));
        }
        if let Some(value) = answer.header("link") {
            headers.insert("link", link(value));
        }
        if answer.header("docker-upload-uuid").is_some() {
            headers.insert("docker-upload-uuid", "some".to_owned());
        }
        let mut body = Content::of(answer);
        let mut in_order = true;
        if let Content::Json(list) = &mut body {
            for key in ["tags", "repositories"] {
                if let Some(entries) = list.get_mut(key).and_then(Value::as_array_mut) {
                    in_order = entries.is_sorted_by_key(|entry| entry.as_str());
                    entries.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
                }
            }
        }
        // Referrers have no order.
        if let Content::Json(Value::Object(list)) = &mut body
            && let Some(Value::Array(entries)) = list.get_mut("manifests")
        {
            entries.sort_by_key(|entry| entry["digest"].to_string());
        }
        Self { status: answer.status, headers, body, in_order }
    }

    /// Whether it is an error of one code; where there is no body, of any.
    pub(super) fn is_refusal(&self, status: u16, code: &str) -> bool {
        self.status == status
            && match &self.body {
                Content::Errors(codes) => *codes == [code],
                Content::Bytes(bytes) => bytes.is_empty(),
                Content::Json(_) => false,
            }
    }

    /// Whether a list, if it is one, goes in the order of bytes, as the specification says of tags.
    pub(super) fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// In which parts they differ.
    pub(super) fn differences(&self, other: &Self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.status != other.status {
            parts.push(Part::Status);
        }
        let mut names: Vec<_> = self.headers.keys().chain(other.headers.keys()).copied().collect();
        names.sort_unstable();
        names.dedup();
        let differs = |name: &&'static str| self.headers.get(name) != other.headers.get(name);
        parts.extend(names.into_iter().filter(differs).map(Part::Header));
        if self.body != other.body {
            parts.push(Part::Body);
        }
        parts
    }
}

impl Content {
    fn of(answer: &Answer) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
            // What is between the parts of a multipart answer is drawn by lot.
            let text = answer.text();
            let content_type = answer.header("content-type").unwrap_or_default();
            return match content_type.split_once("boundary=") {
                Some((_, boundary)) => Self::Bytes(text.replace(boundary, "…").into_bytes()),
                None => Self::Bytes(answer.body.to_vec()),
            };
        };
        let Some(errors) = value.get("errors").and_then(Value::as_array) else {
            // A list, a manifest or a blob: of lists only the meaning counts.
            let is_list =
                ["tags", "repositories", "manifests"].iter().any(|key| value.get(key).is_some());
            let is_stored = answer.header("docker-content-digest").is_some();
            return match is_list && !is_stored {
                true => Self::Json(value),
                false => Self::Bytes(answer.body.to_vec()),
            };
        };
        let codes = errors.iter().map(|error| {
            assert!(error["message"].is_string(), "an error without a message: {value}");
            error["code"].as_str().expect("an error's code").to_owned()
        });
        Self::Errors(codes.collect())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} ", self.status, self.headers)?;
        match &self.body {
            Content::Errors(codes) => write!(f, "errors {codes:?}"),
            Content::Json(value) => write!(f, "{value}"),
            Content::Bytes(bytes) if bytes.len() > 200 => write!(f, "{} bytes", bytes.len()),
            Content::Bytes(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
        }
    }
}

/// The methods of `Allow` in order. That HEAD goes with GET is known to some and not said by others.
fn methods(allow: &str) -> String {
    let mut methods: Vec<_> = allow.split(',').map(str::trim).filter(|m| *m != "HEAD").collect();
    methods.sort_unstable();
    methods.join(", ")
}

/// A location without its origin and, where it is an upload, without which.
fn place(location: &str) -> String {
    let path = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => location,
    };
    match path.split_once("/blobs/uploads/") {
        Some((repository, _)) => format!("{repository}/blobs/uploads/…"),
        None => path.to_owned(),
    }
}

/// A link without its origin, its parameters in order, and without the cursor that only its maker
/// can read.
fn link(value: &str) -> String {
    let (url, relation) = value.trim_start_matches('<').split_once('>').unwrap_or((value, ""));
    let url = place(url);
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let mut parameters: Vec<_> =
        query.split('&').filter(|parameter| !parameter.starts_with("cursor=")).collect();
    parameters.sort_unstable();
    format!("{path}?{}{}", parameters.join("&").replace("%2F", "/"), relation.replace(' ', ""))
}
