//! The `federation` section: providers whose ID tokens are taken.

use std::path::{Path, PathBuf};
use std::time::Duration;

use document::{Entry, Located, Mistake, Node, Place, Problems, Section, Value};

use super::sign_in::{self, WrittenSignIn};
use super::units::duration;
use super::written::{path, value};
use crate::certificate;
use crate::fetch::HttpsUrl;
use crate::files;
use crate::identity::federation::{
    ClaimPath, Condition, Part, SESSION, Settings, SubjectKind, Template, check_name,
    no_requirement,
};
use crate::jwks::JwksLocation;
use crate::public_url::PublicUrl;
use crate::token::{MAX_JWKS, VerifyingKeys};

/// An entry as written. What is missing of it was noted.
pub(super) struct Provider {
    place: Place,
    name: Option<Located<String>>,
    issuer: Option<Located<HttpsUrl>>,
    audience: Option<Located<String>>,
    jwks: Option<Located<String>>,
    /// Whether `jwks` is there, even if it cannot be read.
    has_jwks: bool,
    ca: Option<Located<PathBuf>>,
    require: Option<Located<Vec<Condition>>>,
    subject: Option<Located<Template>>,
    groups: Vec<(String, Vec<Condition>)>,
    session: Option<Duration>,
    sign_in: Option<WrittenSignIn>,
}

/// The longest text that a claim is compared with, in bytes.
const MAX_VALUE: usize = 1024;

/// Reads the list.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Vec<Provider> {
    let nodes = node.list("`federation`", problems).unwrap_or_default();
    nodes.iter().filter_map(|node| provider(node, problems)).collect()
}

fn provider(node: &Node, problems: &mut Problems) -> Option<Provider> {
    let mut section = node.section("a provider", problems)?;
    let missing = |key: &str, help: &str, section: &Section<'_>, problems: &mut Problems| {
        if section.lacks(key) {
            let mistake = Mistake::new(format!("a provider without `{key}`"));
            problems.at(node.place, mistake.help(help));
        }
    };
    missing("name", "name it, such as `github`: it is in `oidc:github`", &section, problems);
    missing("issuer", "write the `iss` of its tokens", &section, problems);
    missing("audience", "write a name of this gate, such as its host", &section, problems);
    missing("subject", "say who has a token, such as `\"gh/{repository_id}\"`", &section, problems);
    if section.lacks("require") {
        problems.at(node.place, no_requirement());
    }
    let name = section.read("name", problems, |text| check_name(text).map(|()| text.to_owned()));
    let kind = section.read("kind", problems, |text| match text {
        "user" => Ok(SubjectKind::User),
        "service" => Ok(SubjectKind::Service),
        _ => Err(Mistake::new("neither `user` nor `service`")),
    });
    let kind = value(kind).unwrap_or_default();
    let sign_in = section.take("sign_in", problems);
    let entry = Provider {
        place: node.place,
        name,
        issuer: section.read("issuer", problems, issuer),
        audience: section.read("audience", problems, audience),
        has_jwks: !section.lacks("jwks"),
        jwks: section.read("jwks", problems, |text| Ok(text.to_owned())),
        ca: section.read("ca", problems, path),
        require: section.take("require", problems).and_then(|node| required(node, problems)),
        subject: section.read("subject", problems, |text| Template::new(text, kind)),
        groups: match section.take("groups", problems) {
            Some(node) => groups(node, problems),
            None => Vec::new(),
        },
        session: value(section.read("session", problems, session)),
        sign_in: sign_in.and_then(|node| sign_in::read(node, kind, problems)),
    };
    section.finish(problems);
    Some(entry)
}

fn issuer(text: &str) -> Result<HttpsUrl, Mistake> {
    let url = HttpsUrl::new(text)?;
    if url.has_query() {
        return Err(Mistake::new("a `?` in the address of an issuer").help("issuers have none"));
    }
    Ok(url)
}

fn audience(text: &str) -> Result<String, Mistake> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(Mistake::new("not an audience")
            .help("write a name of this gate, such as its host, and have tokens made for it"));
    }
    Ok(text.to_owned())
}

fn session(text: &str) -> Result<Duration, Mistake> {
    let session = duration(text)?;
    if session < Duration::from_secs(60) {
        return Err(Mistake::new("too short a session")
            .help("docker does not cope with less than a minute: write at least `60s`"));
    }
    Ok(session)
}

fn required(node: &Node, problems: &mut Problems) -> Option<Located<Vec<Condition>>> {
    let entries = node.map("`require`", problems)?;
    if entries.is_empty() {
        problems.at(node.place, no_requirement());
        return None;
    }
    let conditions: Option<Vec<_>> = entries
        .iter()
        .map(|entry| {
            let claim = claim(&entry.key, entry.key_place, problems);
            let values = values(&entry.value, &format!("`{}`", entry.key), problems);
            Some(Condition { claim: claim?, values: values? })
        })
        // All of them are read first, so that all mistakes are told.
        .collect::<Vec<_>>()
        .into_iter()
        .collect();
    Some(Located { value: conditions?, place: node.place })
}

fn claim(text: &str, place: Place, problems: &mut Problems) -> Option<ClaimPath> {
    ClaimPath::new(text).map_err(|mistake| problems.at(place, mistake)).ok()
}

/// One value, or a list of those of which one is enough.
fn values(node: &Node, what: &str, problems: &mut Problems) -> Option<Vec<String>> {
    let one = |node: &Node, problems: &mut Problems| {
        value(node.read(what, problems, |text| {
            if text.is_empty() || text.len() > MAX_VALUE {
                return Err(Mistake::new("a value that no claim has")
                    .help(format!("write 1 to {MAX_VALUE} bytes")));
            }
            Ok(text.to_owned())
        }))
    };
    let Value::List(nodes) = &node.value else {
        return one(node, problems).map(|value| vec![value]);
    };
    if nodes.is_empty() {
        let mistake = Mistake::new("none of no values is ever right");
        problems.at(node.place, mistake.help("name at least one"));
        return None;
    }
    let values: Vec<_> = nodes.iter().map(|node| one(node, problems)).collect();
    values.into_iter().collect()
}

fn groups(node: &Node, problems: &mut Problems) -> Vec<(String, Vec<Condition>)> {
    let entries = node.map("`groups`", problems).unwrap_or_default();
    entries.iter().filter_map(|entry| group(entry, problems)).collect()
}

fn group(entry: &Entry, problems: &mut Problems) -> Option<(String, Vec<Condition>)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@+-/".contains(c);
    let name = &entry.key;
    let fits = name.len() <= 128 && name.chars().all(plain) && !name.split('/').any(str::is_empty);
    if !fits {
        problems.at(
            entry.key_place,
            Mistake::new("not the name of a group")
                .help("write it as policy does, without `group:`; the claim is on the right"),
        );
    }
    let conditions: Vec<_> = match &entry.value.value {
        Value::List(nodes) if nodes.is_empty() => {
            let mistake = Mistake::new(format!("nobody can be in the group `{name}`"));
            problems.at(entry.value.place, mistake.help("name a claim, or remove the group"));
            return None;
        }
        Value::List(nodes) => nodes.iter().map(|node| condition(node, problems)).collect(),
        _ => vec![condition(&entry.value, problems)],
    };
    let conditions: Option<Vec<_>> = conditions.into_iter().collect();
    Some((name.clone(), conditions?)).filter(|_| fits)
}

/// `{claim: groups, value: release-managers}`
fn condition(node: &Node, problems: &mut Problems) -> Option<Condition> {
    let mut section = node.section("a mapping to a group", problems)?;
    for key in ["claim", "value"] {
        if section.lacks(key) {
            let mistake = Mistake::new(format!("a mapping to a group without `{key}`"));
            let help = "write it as `{claim: groups, value: release-managers}`";
            problems.at(node.place, mistake.help(help));
        }
    }
    let claim = section.read("claim", problems, ClaimPath::new);
    let values = section.take("value", problems).and_then(|node| values(node, "`value`", problems));
    section.finish(problems);
    Some(Condition { claim: value(claim)?, values: values? })
}

/// Resolves the entries, looks at the files that they name and relates the entries to each other;
/// paths are relative to `folder`. Without those of which something is missing.
pub(super) fn resolve(
    folder: &Path,
    written: &[Provider],
    public_url: Option<&PublicUrl>,
    problems: &mut Problems,
) -> Vec<Settings> {
    let mut resolved: Vec<(Settings, &Provider)> = Vec::new();
    let mut names: Vec<&Located<String>> = Vec::new();
    for provider in written {
        if let Some(name) = &provider.name {
            if let Some(first) = names.iter().find(|first| first.value == name.value) {
                let mistake = Mistake::new(format!("two providers are named `{}`", name.value));
                problems.at(name.place, mistake.also(first.place, "the first one"));
            }
            names.push(name);
        }
        let settings = settings(folder, provider, public_url, problems);
        let Some(settings) = settings else { continue };
        for (part, mistake) in settings.mistakes() {
            problems.at(provider.place_of(part), mistake);
        }
        if let Some((_, other)) = resolved.iter().find(|(other, _)| settings.overlaps(other)) {
            problems.at(
                provider.place_of(Part::Subject),
                Mistake::new("callers of two issuers could have the same name")
                    .also(other.place_of(Part::Subject), "the other one")
                    .help("let names begin differently, such as `gh/` and `gl/`"),
            );
        }
        resolved.push((settings, provider));
    }
    resolved.into_iter().map(|(settings, _)| settings).collect()
}

impl Provider {
    fn place_of(&self, part: Part) -> Place {
        let place = match part {
            Part::Audience => self.audience.as_ref().map(|located| located.place),
            Part::Require => self.require.as_ref().map(|located| located.place),
            Part::Subject => self.subject.as_ref().map(|located| located.place),
        };
        place.unwrap_or(self.place)
    }
}

fn settings(
    folder: &Path,
    written: &Provider,
    public_url: Option<&PublicUrl>,
    problems: &mut Problems,
) -> Option<Settings> {
    let ca = written.ca.as_ref().map(|ca| Located { value: folder.join(&ca.value), ..*ca });
    if let Some(ca) = &ca
        && let Err(error) = certificate::read_chain(&ca.value)
    {
        problems.at(ca.place, error.mistake());
    }
    let jwks = key_set(folder, written, problems);
    let name = &written.name.as_ref()?.value;
    let sign_in = written.sign_in.as_ref();
    let sign_in =
        sign_in.map(|sign_in| sign_in::resolve(folder, sign_in, name, public_url, problems));
    Some(Settings {
        name: name.clone(),
        issuer: written.issuer.as_ref()?.value.clone(),
        audience: written.audience.as_ref()?.value.clone(),
        jwks: jwks?,
        ca: value(ca),
        require: written.require.as_ref()?.value.clone(),
        subject: written.subject.as_ref()?.value.clone(),
        groups: written.groups.clone(),
        session: written.session.unwrap_or(SESSION),
        // Not there, or missing something.
        sign_in: match sign_in {
            Some(sign_in) => Some(sign_in?),
            None => None,
        },
    })
}

/// As written, else where discovery leads.
fn key_set(folder: &Path, written: &Provider, problems: &mut Problems) -> Option<JwksLocation> {
    if !written.has_jwks {
        return Some(JwksLocation::Discovery(written.issuer.as_ref()?.value.clone()));
    }
    let Located { value, place } = written.jwks.as_ref()?;
    let checked = JwksLocation::new(value, folder).and_then(|location| {
        if let JwksLocation::File(path) = &location {
            check_file(path)?;
        }
        Ok(location)
    });
    checked.map_err(|mistake| problems.at(*place, mistake)).ok()
}

fn check_file(path: &Path) -> Result<(), Mistake> {
    let path_text = path.display();
    let unreadable = |error: &dyn std::fmt::Display| {
        Mistake::new(format!("cannot read the key set {path_text}: {error}"))
            .help("put it there, or write an `https://` address")
    };
    let bytes = files::read(path, MAX_JWKS as u64).map_err(|error| unreadable(&error))?;
    let bytes = bytes.ok_or_else(|| unreadable(&format!("more than {MAX_JWKS} bytes")))?;
    VerifyingKeys::from_jwks(&bytes).map(|_| ()).map_err(|error| Mistake::of(&error))
}
