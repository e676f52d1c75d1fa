//! The language as its description says it, slowly: no index, no compiled patterns, groups by
//! repeating until nothing changes. The policy engine is held to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex};

use jiff::Timestamp;
use oci::RepositoryName;
use policy::{Caller, Circumstances, Subject};
use regex::Regex;
use semver::{Version, VersionReq};

/// A policy that is known to be free of mistakes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    /// `None`: external.
    pub(crate) groups: BTreeMap<String, Option<Vec<String>>>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) subjects: Vec<String>,
    pub(crate) except_subjects: Vec<String>,
    pub(crate) images: Vec<Image>,
    pub(crate) except_images: Vec<Image>,
    pub(crate) conditions: Conditions,
    pub(crate) allow: Vec<String>,
    pub(crate) deny: Vec<String>,
}

/// An image pattern.
#[derive(Debug, Clone)]
pub(crate) enum Image {
    Text(String),
    Map { repository: Part, tag: Option<Part> },
}

/// What a pattern says of the repository, or of the tag.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Text(String),
    Regex(String),
    Semver(String),
}

/// When, from where and with what a rule holds, as it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) starts: Option<String>,
    pub(crate) expires: Option<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) kinds: Vec<String>,
}

/// Which rules allow and which deny.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) allowing: BTreeSet<String>,
    pub(crate) denying: BTreeSet<String>,
    /// The credential does not reach as far.
    pub(crate) is_beyond: bool,
}

impl Verdict {
    pub(crate) fn is_allowed(&self) -> bool {
        self.denying.is_empty() && !self.allowing.is_empty() && !self.is_beyond
    }

    /// The rules of which the first is named as the reason.
    pub(crate) fn deciding(&self) -> BTreeSet<String> {
        if !self.denying.is_empty() {
            self.denying.clone()
        } else if self.is_beyond {
            BTreeSet::new()
        } else {
            self.allowing.clone()
        }
    }
}

impl Document {
    /// The document as a policy file.
    pub(crate) fn yaml(&self) -> String {
        let mut text = String::from("groups:\n");
        for (name, members) in &self.groups {
            match members {
                Some(members) => text += &format!("  {name}: {members:?}\n"),
                None => text += &format!("  {name}: external\n"),
            }
        }
        if self.groups.is_empty() {
            text = String::new();
        }
        text += "rules:\n";
        for rule in &self.rules {
            text += &format!("  - name: {}\n    subjects: {:?}\n", rule.name, rule.subjects);
            text += &format!("    images: {}\n", image_list(&rule.images));
            let mut except = Vec::new();
            if !rule.except_subjects.is_empty() {
                except.push(format!("subjects: {:?}", rule.except_subjects));
            }
            if !rule.except_images.is_empty() {
                except.push(format!("images: {}", image_list(&rule.except_images)));
            }
            if !except.is_empty() {
                text += &format!("    except: {{{}}}\n", except.join(", "));
            }
            text += &rule.conditions.yaml();
            if !rule.allow.is_empty() {
                text += &format!("    allow: {:?}\n", rule.allow);
            }
            if !rule.deny.is_empty() {
                text += &format!("    deny: {:?}\n", rule.deny);
            }
        }
        if self.rules.is_empty() { text + "  []\n" } else { text }
    }

    pub(crate) fn decide(
        &self,
        caller: &Caller,
        action: &str,
        repository: &str,
        tag: Option<&str>,
    ) -> Verdict {
        let held = self.groups_of(caller);
        let carried = self.carried_groups(caller, &held);
        let is_beyond = caller.bounds.as_ref().is_some_and(|bounds| {
            let reaches = bounds.images().iter().flat_map(|image| choices(image));
            !bounds.actions().any(|bound| bound.as_str() == action)
                || !reaches.into_iter().any(|image| matches(&image, repository, tag))
        });
        let mut verdict = Verdict { is_beyond, ..Verdict::default() };
        for rule in &self.rules {
            // What is no version is denied, left out of what is allowed and not left out of what
            // is denied.
            let applies = |groups: &BTreeSet<String>, is_denial: bool| {
                rule.subjects.iter().any(|it| is(it, caller, groups))
                    && covers(&rule.images, caller, groups, repository, tag, is_denial)
                    && !rule.except_subjects.iter().any(|it| is(it, caller, &held))
                    && !covers(&rule.except_images, caller, &held, repository, tag, !is_denial)
            };
            // Inspecting is reading more: allowed, it allows to read; who may not read may not.
            let allows = rule
                .allow
                .iter()
                .any(|word| means(word, action) || (word == "inspect" && action == "pull"));
            let denies = rule
                .deny
                .iter()
                .any(|word| means(word, action) || (means(word, "pull") && action == "inspect"));
            if denies && rule.conditions.hold(&caller.circumstances, true) && applies(&held, true) {
                verdict.denying.insert(rule.name.clone());
            }
            if allows
                && rule.conditions.hold(&caller.circumstances, false)
                && applies(&carried, false)
            {
                verdict.allowing.insert(rule.name.clone());
            }
        }
        verdict
    }

    /// Asserted and declared groups, and the groups that contain them.
    pub(crate) fn groups_of(&self, caller: &Caller) -> BTreeSet<String> {
        self.closed(caller.groups.iter().cloned().collect(), |member, groups| {
            is(member, caller, groups)
        })
    }

    /// The groups that the credential carries, as far as its holder has them, and the groups that
    /// contain them.
    fn carried_groups(&self, caller: &Caller, held: &BTreeSet<String>) -> BTreeSet<String> {
        let Some(granting) = &caller.granting else { return held.clone() };
        let carried = granting.iter().filter(|group| held.contains(*group)).cloned().collect();
        self.closed(carried, |member, groups| {
            member.starts_with("group:") && is(member, caller, groups)
        })
    }

    fn closed(
        &self,
        mut groups: BTreeSet<String>,
        is_member: impl Fn(&str, &BTreeSet<String>) -> bool,
    ) -> BTreeSet<String> {
        loop {
            let before = groups.len();
            for (name, members) in &self.groups {
                let members = members.as_deref().unwrap_or_default();
                if members.iter().any(|member| is_member(member, &groups)) {
                    groups.insert(name.clone());
                }
            }
            if groups.len() == before {
                return groups;
            }
        }
    }
}

fn image_list(images: &[Image]) -> String {
    let image = |image: &Image| match image {
        Image::Text(text) => format!("{text:?}"),
        Image::Map { repository, tag } => {
            let tag = tag.as_ref().map(|tag| format!(", tag: {}", tag.yaml()));
            format!("{{repository: {}{}}}", repository.yaml(), tag.unwrap_or_default())
        }
    };
    format!("[{}]", images.iter().map(image).collect::<Vec<_>>().join(", "))
}

impl Part {
    fn yaml(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Regex(text) => format!("{{regex: {text:?}}}"),
            Self::Semver(text) => format!("{{semver: {text:?}}}"),
        }
    }
}

impl Conditions {
    fn yaml(&self) -> String {
        let mut text = String::new();
        for (key, time) in [("starts", &self.starts), ("expires", &self.expires)] {
            if let Some(time) = time {
                text += &format!("    {key}: {time}\n");
            }
        }
        if !self.networks.is_empty() {
            text += &format!("    networks: {:?}\n", self.networks);
        }
        if !self.kinds.is_empty() {
            text += &format!("    token: {{kind: {:?}}}\n", self.kinds);
        }
        text
    }

    /// Where something is not known, `unknown` is the answer.
    fn hold(&self, here: &Circumstances, unknown: bool) -> bool {
        let time = |text: &String| -> Timestamp {
            let text = if text.contains('T') { text.clone() } else { format!("{text}T00:00:00Z") };
            text.parse().unwrap()
        };
        let network = |text: &String, address: IpAddr| {
            let (first, bits) = text.split_once('/').unwrap_or((text, "128"));
            let wanted: IpAddr = first.parse().unwrap();
            let count = bits.parse::<usize>().unwrap().min(binary(wanted).len());
            binary(wanted).get(..count) == binary(address.to_canonical()).get(..count)
                && wanted.is_ipv4() == address.to_canonical().is_ipv4()
        };
        self.starts.as_ref().is_none_or(|text| here.at.map_or(unknown, |at| at >= time(text)))
            && self
                .expires
                .as_ref()
                .is_none_or(|text| here.at.map_or(unknown, |at| at < time(text)))
            && (self.networks.is_empty()
                || here
                    .address
                    .map_or(unknown, |address| self.networks.iter().any(|it| network(it, address))))
            && (self.kinds.is_empty()
                || here.credential.map_or(unknown, |credential| {
                    self.kinds.iter().any(|kind| kind == credential.as_str())
                }))
    }
}

/// An address digit by digit.
fn binary(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("{:0128b}", u128::from(address)),
    }
}

fn means(word: &str, action: &str) -> bool {
    match word {
        "push" => ["create", "overwrite"].contains(&action),
        "all" => ["pull", "create", "overwrite", "attach", "delete"].contains(&action),
        _ => word == action,
    }
}

/// Whether a caller with these groups is the subject that is written.
fn is(written: &str, caller: &Caller, groups: &BTreeSet<String>) -> bool {
    let (kind, pattern) = written.split_once(':').unwrap_or((written, ""));
    match (kind, &caller.subject) {
        ("anyone", _) | ("authenticated", Subject::User(_) | Subject::Service(_)) => true,
        ("user", Subject::User(name)) | ("service", Subject::Service(name)) => path(pattern, name),
        ("peer", Subject::Peer { gate, name }) => path(pattern, &format!("{gate}/{name}")),
        ("group", _) => groups.iter().any(|group| path(pattern, group)),
        _ => false,
    }
}

/// Whether one of the patterns matches. Where it asks for a version and there is none, `unknown` is
/// the answer.
fn covers(
    images: &[Image],
    caller: &Caller,
    groups: &BTreeSet<String>,
    repository: &str,
    tag: Option<&str>,
    unknown: bool,
) -> bool {
    let variables = variables(caller, groups);
    images.iter().any(|image| {
        variables.iter().any(|(user, group)| {
            let choices =
                |text: &str| choices(&text.replace("${user}", user).replace("${group}", group));
            match image {
                Image::Text(text) => {
                    choices(text).iter().any(|text| matches(text, repository, tag))
                }
                Image::Map { repository: wanted, tag: wanted_tag } => {
                    let is_there = match wanted {
                        Part::Text(text) => choices(text).iter().any(|it| path(it, repository)),
                        Part::Regex(text) => regex(text, repository),
                        Part::Semver(_) => unreachable!(),
                    };
                    let is_tagged = match (wanted_tag, tag) {
                        (None, _) => true,
                        (Some(_), None) => false,
                        (Some(Part::Text(text)), Some(tag)) => {
                            choices(text).iter().any(|it| glob(it, tag))
                        }
                        (Some(Part::Regex(text)), Some(tag)) => regex(text, tag),
                        (Some(Part::Semver(range)), Some(tag)) => version(tag)
                            .map_or(unknown, |it| VersionReq::parse(range).unwrap().matches(&it)),
                    };
                    is_there && is_tagged
                }
            }
        })
    })
}

/// An expression by another engine. Compiling takes long, and the expressions are few.
fn regex(text: &str, name: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap();
    let regex = compiled
        .entry(text.to_owned())
        .or_insert_with(|| Regex::new(&format!("^(?:{text})$")).unwrap());
    regex.is_match(name)
}

/// The version that a tag is, its short forms filled up with zeros.
fn version(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    match text.matches('.').count() {
        0 => Version::parse(&format!("{text}.0.0")).ok().filter(|it| it.pre.is_empty()),
        1 => Version::parse(&format!("{text}.0")).ok().filter(|it| it.pre.is_empty()),
        _ => Version::parse(text).ok(),
    }
}

/// Whether an image pattern with neither variables nor alternatives matches.
fn matches(image: &str, repository: &str, tag: Option<&str>) -> bool {
    match image.split_once(':') {
        None => path(image, repository),
        Some((pattern, tags)) => {
            path(pattern, repository) && tag.is_some_and(|tag| glob(tags, tag))
        }
    }
}

/// What `${user}` and `${group}` stand for, in every way there is. Each choice of an alternative
/// stands for itself: where `${user}` means nothing, a choice without it still means something.
fn variables(caller: &Caller, groups: &BTreeSet<String>) -> Vec<(String, String)> {
    let is_segment = |name: &str| !name.contains('/') && RepositoryName::new(name).is_ok();
    let user = match &caller.subject {
        Subject::User(name) if is_segment(name) => name,
        // Stands in no name of a repository and in no tag.
        _ => "\0",
    };
    let groups = groups.iter().map(String::as_str).filter(|name| is_segment(name));
    groups.chain(["\0"]).map(|group| (user.to_owned(), group.to_owned())).collect()
}

/// Writes alternatives out, the innermost first.
fn choices(text: &str) -> Vec<String> {
    let Some(end) = text.find('}') else { return vec![text.to_owned()] };
    let start = text[..end].rfind('{').unwrap();
    let choices_here = text[start + 1..end].split(',');
    choices_here
        .flat_map(|choice| choices(&format!("{}{choice}{}", &text[..start], &text[end + 1..])))
        .collect()
}

fn path(pattern: &str, text: &str) -> bool {
    fn segments(pattern: &[&str], text: &[&str]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (["**", rest @ ..], _) => {
                segments(rest, text) || (!text.is_empty() && segments(pattern, &text[1..]))
            }
            ([first, rest @ ..], [segment, others @ ..]) => {
                glob(first, segment) && segments(rest, others)
            }
            _ => false,
        }
    }
    segments(&pattern.split('/').collect::<Vec<_>>(), &text.split('/').collect::<Vec<_>>())
}

fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            glob(&pattern[1..], text) || (!text.is_empty() && glob(pattern, &text[1..]))
        }
        (Some('?'), Some(_)) => glob(&pattern[1..], &text[1..]),
        (Some(one), Some(other)) => one == other && glob(&pattern[1..], &text[1..]),
        _ => false,
    }
}
