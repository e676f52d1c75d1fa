//! What is known of each kind of registry, and all that the gate does otherwise.

use super::outcome::Part::{self, Body, Header, Status};

/// A kind of registry.
pub(super) struct Kind {
    /// Steps that it does not answer as the specification says.
    pub(super) deviates: &'static [&'static str],
    /// What the gate does otherwise than it, on purpose.
    pub(super) otherwise: &'static [Otherwise],
}

/// Something that the gate does otherwise.
pub(super) struct Otherwise {
    #[expect(dead_code, reason = "for people")]
    pub(super) why: &'static str,
    /// What differs then; nothing else does.
    pub(super) parts: &'static [Part],
    pub(super) steps: &'static [&'static str],
}

/// What the gate refuses in front of every registry, whatever that would answer: requests that are
/// none, or that could be understood in two ways.
pub(super) const REFUSED: &[(u16, &str, &[&str])] = &[
    (
        400,
        "DIGEST_INVALID",
        &[
            "in one request under no digest",
            "no digest is mounted",
            "a manifest under no digest",
            "HEAD of a manifest under no digest",
            "a manifest is pushed under no digest",
            "referrers of no digest",
        ],
    ),
    (400, "NAME_INVALID", &["a blob is mounted from no name"]),
    (400, "TAG_INVALID", &["a manifest is pushed under no tag"]),
    (404, "MANIFEST_UNKNOWN", &["what is no tag", "HEAD of what is no tag"]),
    (400, "PAGINATION_NUMBER_INVALID", &["less than no tags", "how many tags is no number"]),
    (
        400,
        "MANIFEST_INVALID",
        &[
            "an empty object is pushed",
            "a manifest is pushed as another type",
            "what is both image and index is pushed",
            "a key stands twice",
            "a layer lies somewhere else",
        ],
    ),
    (413, "SIZE_INVALID", &["a manifest of four and a half megabytes is pushed"]),
    (
        405,
        "UNSUPPORTED",
        &[
            "a blob is not pushed to its own address",
            "a manifest is posted",
            "a blob is posted",
            "uploads are listed",
            "tags are deleted",
            "the catalogue is posted",
            "the API is posted",
        ],
    ),
    (404, "UNSUPPORTED", &["an address that no registry has"]),
    // Nobody was given such a location by the gate.
    (
        404,
        "BLOB_UPLOAD_UNKNOWN",
        &[
            "an upload that nobody began is asked after",
            "an upload that nobody began goes on",
            "an upload that nobody began ends",
            "an upload that nobody began is given up",
        ],
    ),
];

/// Version 2.8.2, of Debian.
pub(super) const DOCKER_REGISTRY: Kind = Kind {
    deviates: &[
        "in one request under no digest",
        "its second chunk comes first",
        "the same chunk comes again",
        "an image, asked for as anything",
        "a manifest under no digest",
        "HEAD of a manifest under no digest",
        "a blob as a manifest",
        "HEAD of a blob as a manifest",
        "referrers of an image",
        "referrers of one type",
        "referrers of a type that nobody has",
        "referrers of what has none",
        "referrers of an absent image",
        "the API is posted",
        "referrers with a list at a fallback tag",
        "referrers with a longer list",
        "a manifest is pushed under no digest",
        "an empty object is pushed",
        "a key stands twice",
        "a layer lies somewhere else",
        "a manifest of four and a half megabytes is pushed",
    ],
    otherwise: &[
        GIVEN_UP,
        Otherwise {
            why: "this registry ignores `n` and `last` of tags; the gate pages by itself",
            parts: &[Header("link"), Body],
            steps: &["two tags", "two tags after one"],
        },
        Otherwise {
            why: "likewise, where nothing follows",
            parts: &[Body],
            steps: &[
                "tags after one",
                "tags after one that is not there",
                "tags after the last",
                "no tags",
            ],
        },
        Otherwise {
            why: "the gate answers HEAD where it answers GET",
            parts: &[Status, Header("allow"), Header("content-length")],
            steps: &["HEAD of the tags"],
        },
        Otherwise {
            why: "the gate lists what is at the fallback tag, where the registry has no list",
            parts: &[Status, Header("content-type"), Body],
            steps: &["referrers with a list at a fallback tag", "referrers with a longer list"],
        },
    ],
};

/// The same where it deletes nothing.
pub(super) const DOCKER_REGISTRY_WITHOUT_DELETES: Kind = Kind {
    deviates: &[],
    otherwise: &[Otherwise { steps: &["an upload is given up all the same"], ..GIVEN_UP }],
};

const GIVEN_UP: Otherwise = Otherwise {
    why: "an upload that is gone has no name any more",
    parts: &[Header("docker-upload-uuid")],
    steps: &["it is given up", "the upload in its place is given up"],
};

/// `ferro-oci-server` 1.0.0.
pub(super) const FERRO: Kind = Kind {
    deviates: &[
        "nor tags",
        "a blob is mounted from elsewhere",
        "tags of an absent repository",
        "an empty object is pushed",
        "a manifest is pushed as another type",
        "what is both image and index is pushed",
        "a key stands twice",
    ],
    otherwise: &[
        Otherwise {
            why: "the gate answers HEAD where it answers GET",
            parts: &[Status, Header("content-length")],
            steps: &["HEAD of the tags"],
        },
        Otherwise {
            why: "the gate looks whether there is more before it says so",
            parts: &[Header("link")],
            steps: &["one repository"],
        },
    ],
};
