//! The `trust` section: other gates whose tokens are accepted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use document::{Located, Mistake, Node, Problems, Value};

use super::units::duration;
use super::written::{path, value};
use crate::certificate;
use crate::fetch::HttpsUrl;
use crate::files;
use crate::identity::peers::{GroupMapping, PeerName, Settings};
use crate::jwks::JwksLocation;
use crate::public_url::PublicUrl;
use crate::token::{MAX_JWKS, VerifyingKeys};

/// One entry as written.
pub(super) struct Peer {
    name: Option<Located<PeerName>>,
    issuer: Option<Located<PublicUrl>>,
    jwks: Option<Located<String>>,
    ca: Option<Located<PathBuf>>,
    groups: GroupMapping,
    max_ttl: Option<Duration>,
    revocations: Option<Located<Revocations>>,
    poll: Option<Duration>,
}

enum Revocations {
    At(HttpsUrl),
    None,
}

const MAX_TTL: Duration = Duration::from_secs(3600);
const POLL: Duration = Duration::from_secs(5);

/// A list of revocations holds for ten minutes; several looks have to fit into that.
const LONGEST_POLL: Duration = Duration::from_secs(120);

/// Reads the section.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Vec<Peer> {
    let nodes = node.list("`trust`", problems).unwrap_or_default();
    nodes.iter().filter_map(|node| peer(node, problems)).collect()
}

fn peer(node: &Node, problems: &mut Problems) -> Option<Peer> {
    let mut section = node.section("a gate that is trusted", problems)?;
    for (key, help) in [
        ("name", "it is the first part of its subjects: `peer:NAME/…`"),
        ("issuer", "write its `public_url`, such as `https://gate.example:5443`"),
    ] {
        if section.lacks(key) {
            problems.at(node.place, Mistake::new(format!("a gate without `{key}`")).help(help));
        }
    }
    let peer = Peer {
        name: section.read("name", problems, |text| {
            text.parse().map_err(|error| Mistake::of(&error).help("such as `eu`"))
        }),
        issuer: section.read("issuer", problems, issuer),
        jwks: section.read("jwks", problems, |text| Ok(text.to_owned())),
        ca: section.read("ca", problems, path),
        groups: section
            .take("groups", problems)
            .map(|node| groups(node, problems))
            .unwrap_or_default(),
        max_ttl: value(section.read("max_ttl", problems, duration)),
        revocations: section.read("revocations", problems, revocations),
        poll: value(section.read("poll", problems, poll)),
    };
    section.finish(problems);
    Some(peer)
}

fn issuer(text: &str) -> Result<PublicUrl, Mistake> {
    let issuer = PublicUrl::new(text)?;
    if !issuer.is_https() {
        return Err(Mistake::new("a gate that is not https")
            .help("whoever sits on the way could speak for it, and read its tokens"));
    }
    Ok(issuer)
}

fn revocations(text: &str) -> Result<Revocations, Mistake> {
    match text {
        "none" => Ok(Revocations::None),
        _ => HttpsUrl::new(text).map(Revocations::At).map_err(|mistake| {
            mistake.maybe_help(
                (!text.contains("://"))
                    .then_some("write where its list of revocations is, or `none` to do without"),
            )
        }),
    }
}

fn poll(text: &str) -> Result<Duration, Mistake> {
    let poll = duration(text)?;
    if poll > LONGEST_POLL {
        return Err(Mistake::new("too long: what the other gate revokes would count late")
            .help(format!("write at most `{}s`", LONGEST_POLL.as_secs())));
    }
    Ok(poll)
}

/// `{theirs: ours}` or `{theirs: [ours, ours]}`.
fn groups(node: &Node, problems: &mut Problems) -> GroupMapping {
    let entries = node.map("`groups`", problems).unwrap_or_default();
    let mut mapping = Vec::new();
    for entry in entries {
        if entry.key.starts_with("group:") {
            problems.at(entry.key_place, group_prefix());
        }
        let ours = match &entry.value.value {
            Value::List(nodes) if nodes.is_empty() => {
                let help = "name a group of this gate, or remove the entry";
                problems.at(entry.value.place, Mistake::new("no group").help(help));
                Vec::new()
            }
            Value::List(nodes) => nodes.iter().filter_map(|node| group(node, problems)).collect(),
            _ => group(&entry.value, problems).into_iter().collect(),
        };
        mapping.push((entry.key.clone(), ours));
    }
    mapping.into_iter().collect()
}

fn group(node: &Node, problems: &mut Problems) -> Option<String> {
    value(node.read("a group of this gate", problems, |text| {
        if text.starts_with("group:") {
            return Err(group_prefix());
        }
        // As policy files name groups.
        let fits = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '*';
        if text.len() > 128 || !text.chars().all(fits) || text.split('/').any(str::is_empty) {
            return Err(Mistake::new("not the name of a group")
                .help("write it as the policies do, without `group:`"));
        }
        Ok(text.to_owned())
    }))
}

fn group_prefix() -> Mistake {
    Mistake::new("a group with its prefix").help("here it is written without `group:`")
}

/// Fills in what was left out and looks at the files that are named; paths are relative to `folder`.
pub(super) fn resolve(
    folder: &Path,
    written: &[Peer],
    own: Option<&PublicUrl>,
    problems: &mut Problems,
) -> Vec<Settings> {
    unambiguous(written, own, problems);
    written.iter().filter_map(|peer| resolve_one(folder, peer, problems)).collect()
}

/// A token must lead to one entry, and a subject to one gate.
fn unambiguous(written: &[Peer], own: Option<&PublicUrl>, problems: &mut Problems) {
    each_once("name", written.iter().filter_map(|peer| peer.name.as_ref()), problems);
    each_once("issuer", written.iter().filter_map(|peer| peer.issuer.as_ref()), problems);
    for issuer in written.iter().filter_map(|peer| peer.issuer.as_ref()) {
        if Some(&issuer.value) == own {
            let mistake = Mistake::new("this gate itself")
                .help("it knows its own tokens: name the other gate, or remove the entry");
            problems.at(issuer.place, mistake);
        }
    }
}

fn each_once<'a, T: PartialEq + 'a>(
    key: &str,
    values: impl Iterator<Item = &'a Located<T>>,
    problems: &mut Problems,
) {
    let mut before: Vec<&Located<T>> = Vec::new();
    for value in values {
        if let Some(first) = before.iter().find(|other| other.value == value.value) {
            let mistake = Mistake::new(format!("two gates have the same `{key}`"))
                .label("the second time")
                .also(first.place, "the first time");
            problems.at(value.place, mistake);
        }
        before.push(value);
    }
}

fn resolve_one(folder: &Path, written: &Peer, problems: &mut Problems) -> Option<Settings> {
    let ca = written.ca.as_ref().map(|ca| (folder.join(&ca.value), ca.place));
    if let Some((path, place)) = &ca
        && let Err(error) = certificate::read_chain(path)
    {
        problems.at(*place, error.mistake());
    }
    let (name, issuer) = (written.name.as_ref()?, written.issuer.as_ref()?);
    let at = |path: &str| HttpsUrl::new(&format!("{}{path}", issuer.value)).ok();
    let jwks = match &written.jwks {
        None => JwksLocation::Url(at("/.well-known/jwks.json")?),
        Some(jwks) => keys(folder, jwks, problems)?,
    };
    let revocations = match &written.revocations {
        None => Some(at("/.well-known/revocations")?),
        Some(Located { value: Revocations::At(url), .. }) => Some(url.clone()),
        Some(Located { value: Revocations::None, .. }) => None,
    };
    if let Some((_, place)) = &ca
        && revocations.is_none()
        && matches!(jwks, JwksLocation::File(_))
    {
        let mistake = Mistake::new("`ca` is of no use: nothing is fetched from that gate");
        problems.at(*place, mistake.help("remove it"));
    }
    Some(Settings {
        name: name.value.clone(),
        issuer: issuer.value.clone(),
        jwks,
        ca: ca.map(|(path, _)| path),
        groups: written.groups.clone(),
        max_ttl: written.max_ttl.unwrap_or(MAX_TTL),
        revocations,
        poll: written.poll.unwrap_or(POLL),
    })
}

/// Where the keys are. A file has to hold some.
fn keys(folder: &Path, written: &Located<String>, problems: &mut Problems) -> Option<JwksLocation> {
    let location = JwksLocation::new(&written.value, folder);
    let wrong = match &location {
        Ok(JwksLocation::File(path)) => match files::read(path, MAX_JWKS as u64) {
            Ok(Some(json)) => {
                VerifyingKeys::from_jwks(&json).err().map(|error| Mistake::of(&error))
            }
            Ok(None) => Some(Mistake::new("the key set is larger than 256 KiB")),
            Err(error) => {
                let mistake = Mistake::new(format!("cannot read the key set: {error}"));
                Some(mistake.help("`curl ISSUER/.well-known/jwks.json` gets it"))
            }
        },
        Ok(_) => None,
        Err(mistake) => Some(mistake.clone()),
    };
    if let Some(mistake) = wrong {
        problems.at(written.place, mistake);
    }
    location.ok()
}
