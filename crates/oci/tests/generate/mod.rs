//! Operations and request targets, generated.

mod spelling;

use oci::{Digest, Operation, Page, Read, Reference, RepositoryName, SessionId, Tag, UploadStart};
use proptest::prelude::*;
use proptest::{collection, option, sample};

pub(crate) use spelling::{spelled, style};

/// The words that have a meaning elsewhere in an address.
const WORDS: [&str; 8] =
    ["blobs", "uploads", "manifests", "tags", "list", "referrers", "v2", "catalog"];

/// Any repository, with a liking for words that could confuse a reader.
pub(crate) fn repository() -> BoxedStrategy<RepositoryName> {
    let segment = prop_oneof![
        sample::select(WORDS.as_slice()).prop_map(str::to_owned),
        "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}",
    ];
    let segments = collection::vec(segment, 1..6);
    segments.prop_map(|segments| RepositoryName::new(&segments.join("/")).unwrap()).boxed()
}

/// Any digest.
pub(crate) fn digest() -> BoxedStrategy<Digest> {
    let sha256 = any::<[u8; 32]>().prop_map(Digest::Sha256);
    let sha512 = any::<[[u8; 32]; 2]>().prop_map(|halves| {
        let bytes = halves.concat().try_into().unwrap();
        Digest::Sha512(Box::new(bytes))
    });
    prop_oneof![3 => sha256, 1 => sha512].boxed()
}

fn tag() -> BoxedStrategy<Tag> {
    let text = prop_oneof![
        3 => "[A-Za-z0-9_][A-Za-z0-9._-]{0,10}",
        1 => sample::select(WORDS.as_slice()).prop_map(str::to_owned),
        1 => "sha256-[0-9a-f]{64}(\\.sig)?",
    ];
    text.prop_map(|text| Tag::new(&text).unwrap()).boxed()
}

fn reference(digest: BoxedStrategy<Digest>) -> BoxedStrategy<Reference> {
    prop_oneof![tag().prop_map(Reference::Tag), digest.prop_map(Reference::Digest)].boxed()
}

fn session() -> BoxedStrategy<SessionId> {
    let text = prop_oneof![
        "[A-Za-z0-9_-]{1,40}",
        "[A-Za-z0-9._~-]{2,40}[a-z]",
        sample::select(WORDS.as_slice()).prop_map(str::to_owned),
    ];
    text.prop_map(|text| SessionId::new(&text).unwrap()).boxed()
}

fn read() -> BoxedStrategy<Read> {
    sample::select(vec![Read::Get, Read::Head]).boxed()
}

fn cursor() -> BoxedStrategy<Option<String>> {
    option::weighted(0.3, "[A-Za-z0-9._~-]{1,20}").boxed()
}

fn page() -> BoxedStrategy<Page> {
    let last = prop_oneof!["[a-z/&=+%;#? ]{1,10}", "\\PC{1,20}"];
    (option::of(any::<u32>()), option::of(last), cursor())
        .prop_map(|(n, last, cursor)| Page { n, last, cursor })
        .boxed()
}

fn start(
    repository: BoxedStrategy<RepositoryName>,
    digest: BoxedStrategy<Digest>,
) -> BoxedStrategy<UploadStart> {
    let algorithms = ["sha256", "sha512"].map(|name| name.parse().unwrap());
    prop_oneof![
        option::of(sample::select(algorithms.to_vec()))
            .prop_map(|algorithm| UploadStart::Session { algorithm }),
        digest.clone().prop_map(|digest| UploadStart::Monolithic { digest }),
        (digest, option::of(repository))
            .prop_map(|(digest, from)| UploadStart::Mount { digest, from }),
    ]
    .boxed()
}

/// Any operation on these repositories, reads of these digests and of others.
pub(crate) fn operation(
    repository: &BoxedStrategy<RepositoryName>,
    known: &BoxedStrategy<Digest>,
) -> BoxedStrategy<Operation> {
    let d = prop_oneof![known.clone(), digest()].boxed();
    let (r, e) = (repository.clone(), session());
    prop_oneof![
        read().prop_map(Operation::Ping),
        (read(), r.clone(), reference(d.clone())).prop_map(|(read, repository, reference)| {
            Operation::ReadManifest { read, repository, reference }
        }),
        (r.clone(), tag()).prop_map(|(repository, tag)| Operation::PutManifest {
            repository,
            reference: Reference::Tag(tag),
            tags: Vec::new()
        }),
        (r.clone(), digest(), collection::btree_set(tag(), 0..4)).prop_map(
            |(repository, digest, tags)| Operation::PutManifest {
                repository,
                reference: Reference::Digest(digest),
                tags: tags.into_iter().collect(),
            }
        ),
        (r.clone(), reference(digest())).prop_map(|(repository, reference)| {
            Operation::DeleteManifest { repository, reference }
        }),
        (read(), r.clone(), d.clone()).prop_map(|(read, repository, digest)| {
            Operation::ReadBlob { read, repository, digest }
        }),
        (r.clone(), digest())
            .prop_map(|(repository, digest)| Operation::DeleteBlob { repository, digest }),
        (r.clone(), start(r.clone(), d.clone()))
            .prop_map(|(repository, start)| Operation::StartUpload { repository, start }),
        (r.clone(), e.clone())
            .prop_map(|(repository, session)| Operation::UploadStatus { repository, session }),
        (r.clone(), e.clone())
            .prop_map(|(repository, session)| Operation::UploadChunk { repository, session }),
        (r.clone(), e.clone(), digest()).prop_map(|(repository, session, digest)| {
            Operation::FinishUpload { repository, session, digest }
        }),
        (r.clone(), e)
            .prop_map(|(repository, session)| Operation::CancelUpload { repository, session }),
        (read(), r.clone(), page()).prop_map(|(read, repository, page)| Operation::ListTags {
            read,
            repository,
            page
        }),
        (read(), page()).prop_map(|(read, page)| Operation::Catalog { read, page }),
        (read(), r, d, option::of("[ -~]{1,30}"), cursor()).prop_map(
            |(read, repository, digest, artifact_type, cursor)| Operation::Referrers {
                read,
                repository,
                digest,
                artifact_type,
                cursor,
            }
        ),
    ]
    .boxed()
}

/// A small change to a request target.
#[derive(Debug, Clone)]
enum Change {
    /// Something new.
    Insert(&'static str),
    /// Another spelling of the same character.
    Encode { upper: bool },
    /// Something less.
    Remove,
}

/// What some reader could drop, decode or split at.
const INSERTIONS: [&str; 36] = [
    "%",
    "%2f",
    "%2F",
    "%2e%2e/",
    "%00",
    "%61",
    "%25",
    "%2561",
    "/",
    "//",
    "/./",
    "/../",
    ".",
    "..",
    ";",
    ";x",
    "\\",
    "#",
    "?",
    "&",
    "&x=1",
    "&n=1",
    "&digest=",
    "?access_token=t",
    "=",
    "+",
    " ",
    "A",
    ":",
    "@",
    "é",
    "~",
    "*",
    "manifests/",
    "blobs/uploads/",
    "_catalog",
];

impl Change {
    fn apply(&self, target: &mut String, at: sample::Index) {
        let starts: Vec<_> = target.char_indices().map(|(start, _)| start).collect();
        if starts.is_empty() {
            return;
        }
        let start = starts[at.index(starts.len())];
        match self {
            Self::Insert(text) => target.insert_str(start, text),
            Self::Remove => drop(target.remove(start)),
            Self::Encode { upper } => {
                let removed = target.remove(start).to_string();
                let code =
                    |byte| if *upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
                target.insert_str(start, &removed.bytes().map(code).collect::<String>());
            }
        }
    }
}

/// A target that somebody meddled with.
pub(crate) fn mutated(target: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let change = prop_oneof![
        2 => sample::select(INSERTIONS.as_slice()).prop_map(Change::Insert),
        2 => any::<bool>().prop_map(|upper| Change::Encode { upper }),
        1 => Just(Change::Remove),
    ];
    let changes = collection::vec((change, any::<sample::Index>()), 1..3);
    (target, changes)
        .prop_map(|(mut target, changes)| {
            changes.iter().for_each(|(change, at)| change.apply(&mut target, *at));
            target
        })
        .boxed()
}

/// Path and query of a request target.
pub(crate) fn split(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}
