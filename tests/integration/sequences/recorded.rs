//! Reads what was recorded.

use std::collections::BTreeSet;

/// The requests of one client for one errand.
pub(super) struct Sequence {
    pub(super) name: String,
    pub(super) requests: Vec<Request>,
}

impl Sequence {
    /// Every repository that it is about, or mounts from.
    pub(super) fn repositories(&self) -> BTreeSet<&str> {
        let things = self.requests.iter().map(|request| &request.thing);
        things.flat_map(|thing| [thing.repository(), thing.source()]).flatten().collect()
    }
}

/// One request that was recorded, once for each time that it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) thing: Thing,
    /// Whether a token came with it.
    pub(super) is_signed: bool,
    /// Its body came in chunks.
    pub(super) is_chunked: bool,
    pub(super) status: u16,
}

/// What it was about. Repositories are as they were recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Thing {
    Ping,
    Catalog,
    Tag(String, String),
    Manifest(String),
    Blob(String),
    Uploads(String),
    Mount { into: String, from: String },
    Upload(String),
    Finish(String),
    Tags(String),
    Referrers(String),
}

impl Thing {
    /// The repository that it is about.
    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Self::Ping | Self::Catalog => None,
            Self::Tag(repository, _)
            | Self::Manifest(repository)
            | Self::Blob(repository)
            | Self::Uploads(repository)
            | Self::Mount { into: repository, .. }
            | Self::Upload(repository)
            | Self::Finish(repository)
            | Self::Tags(repository)
            | Self::Referrers(repository) => Some(repository),
        }
    }

    /// The repository that a blob is mounted from.
    pub(super) fn source(&self) -> Option<&str> {
        match self {
            Self::Mount { from, .. } => Some(from),
            _ => None,
        }
    }

    /// The tag, where one is named.
    pub(super) fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag(_, tag) => Some(tag),
            _ => None,
        }
    }
}

/// All of it.
pub(super) fn sequences() -> Vec<Sequence> {
    let text = include_str!("../../fixtures/clients/sequences.md");
    let mut sequences = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            sequences.push(Sequence { name: name.to_owned(), requests: Vec::new() });
        } else if let Some(line) = line.strip_prefix("- ")
            && let Some(sequence) = sequences.last_mut()
            && let Some((request, times)) = request(line)
        {
            sequence.requests.extend(std::iter::repeat_n(request, times));
        }
    }
    sequences
}

/// `METHOD REPOSITORY THING {body} [credential] -> STATUS …  xN`; none where it is about tokens, or
/// not about a request at all.
fn request(line: &str) -> Option<(Request, usize)> {
    if line.starts_with("!!") || line.starts_with('(') || line.contains(" token") {
        return None;
    }
    let (asked, answered) = line.split_once(" -> ").expect(line);
    let mut words = asked.split(' ');
    let method = words.next().expect(line).to_owned();
    let first = words.next().expect(line);
    let thing = match first {
        "/v2/" => Thing::Ping,
        catalog if catalog.starts_with("/v2/_catalog") => Thing::Catalog,
        repository => thing(repository.to_owned(), words.next().expect(line)),
    };
    let times = answered.rsplit_once("  x").map_or(1, |(_, times)| times.parse().expect(line));
    let status = answered.split(' ').next().expect(line).parse().expect(line);
    let request = Request {
        method,
        thing,
        is_signed: asked.ends_with("[B]"),
        is_chunked: asked.contains("{chunked"),
        status,
    };
    Some((request, times))
}

fn thing(repository: String, word: &str) -> Thing {
    match word {
        "M:DGST" => Thing::Manifest(repository),
        "BLOB" => Thing::Blob(repository),
        "UPL/" => Thing::Uploads(repository),
        "UPL/ID" => Thing::Upload(repository),
        "UPL/ID?digest" => Thing::Finish(repository),
        "REFERRERS" => Thing::Referrers(repository),
        _ if word.starts_with("TAGS") => Thing::Tags(repository),
        _ => match (word.strip_prefix("M:"), word.strip_prefix("UPL/?from=")) {
            (Some(tag), _) => Thing::Tag(repository, tag.to_owned()),
            (_, Some(mount)) => {
                let from = mount.split('&').next().unwrap().to_owned();
                Thing::Mount { into: repository, from }
            }
            _ => panic!("what is {word:?}?"),
        },
    }
}

#[test]
fn what_was_recorded_is_understood() {
    let sequences = sequences();
    assert!(sequences.len() > 100, "{}", sequences.len());
    let of = |name: &str| {
        let sequence = sequences.iter().find(|sequence| sequence.name == name).unwrap();
        sequence
            .requests
            .iter()
            .map(|request| format!("{} {:?} {}", request.method, request.thing, request.status))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("d20-rt-push")[..4],
        [
            "GET Ping 401",
            "HEAD Blob(\"w/tiny\") 404",
            "POST Mount { into: \"w/tiny\", from: \"team/tiny\" } 201",
            "HEAD Blob(\"w/tiny\") 200",
        ]
    );
    assert_eq!(of("ctr16-pull").len(), 8);
}
