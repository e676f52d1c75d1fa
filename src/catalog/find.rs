//! Looking for images by their names, tags, digests and labels.

use memchr::memmem::Finder;
use oci::{Digest, RepositoryName, Tag};

use super::known::Known;
use super::told::Told;
use super::words::{Fit, Inside, Words};

/// A tag that was found, and how well it fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit<'a> {
    pub(crate) repository: &'a RepositoryName,
    pub(crate) tag: &'a Tag,
    pub(crate) digest: &'a Digest,
    pub(crate) told: Option<&'a Told>,
    pub(crate) fit: Fit,
}

impl<'a> Hit<'a> {
    /// A label is what fits: it tells what is in the image.
    pub(crate) fn is_by_label(&self) -> bool {
        self.fit == Fit::Label
    }

    /// The label for which it was found; none where its name says why.
    pub(crate) fn label(&self, known: &'a Known, words: &Words) -> Option<&'a str> {
        let named = (self.repository.as_str(), self.tag.as_str(), self.digest);
        let mut labels = known.parts(self.digest).filter_map(|(_, told)| told.labels.as_deref());
        labels.find_map(|labels| words.label(named, labels))
    }
}

/// Whether it, or what it holds as an index, may have labels.
fn may_have_labels(told: &Told) -> bool {
    told.labels.is_some() || told.is_index()
}

/// What a tag leads to.
struct Held<'a> {
    known: &'a Known,
    digest: &'a Digest,
    told: Option<&'a Told>,
    may_have_labels: bool,
}

impl Inside for Held<'_> {
    fn has_label(&self, wanted: &Finder<'_>) -> bool {
        let parts = self.known.parts_of(self.digest, self.told);
        let mut labels = parts.filter_map(|(_, told)| told.labels.as_ref());
        self.may_have_labels && labels.any(|labels| wanted.find(labels.as_bytes()).is_some())
    }

    fn has_part(&self, is_wanted: impl Fn(&Digest) -> bool) -> bool {
        let mut parts = self.known.parts_of(self.digest, self.told);
        // Of a platform of which nothing is told, its index still says that it is there.
        parts.any(|(part, told)| is_wanted(part) || told.children.iter().any(&is_wanted))
    }
}

/// The tags that fit all words, the best first, and then by name.
pub(crate) fn search<'a>(known: &'a Known, words: &Words) -> Vec<Hit<'a>> {
    let (mut hits, mut looked_up) = (Vec::new(), Vec::new());
    for (repository, tags) in known.repositories() {
        // What is asked of the name need be asked once for all its tags.
        let of_name = words.of_name(repository.as_str());
        // Where clients keep what is attached to an image is shown with the image.
        let is_listed = |tag: &Tag| tag.referrers_subject().is_none() || words.begin(tag);
        // First of all: none of these look-ups waits for another, so the memory answers several of them
        // together.
        looked_up.clear();
        looked_up.extend(tags.iter().map(|(tag, digest)| {
            let told = known.told(digest);
            (tag, digest, told, told.is_some_and(may_have_labels))
        }));
        for &(tag, digest, told, may_have_labels) in &looked_up {
            if !is_listed(tag) {
                continue;
            }
            let held = Held { known, digest, told, may_have_labels };
            if let Some(fit) = words.fit(&of_name, (tag.as_str(), digest), &held) {
                hits.push(Hit { repository, tag, digest, told, fit });
            }
        }
    }
    // Stable: what fits as well stays in the order of names.
    hits.sort_by_key(|hit| hit.fit);
    hits
}

#[cfg(test)]
mod tests {
    use super::super::known::tests::{digest, index, known};
    use super::*;
    use crate::release::{Brief, Description};

    fn some() -> Known {
        known(&[
            ("team/backend/api", "v1.2.0", 1),
            ("team/backend/api", "latest", 1),
            ("team/backend/worker", "v1.2.0", 2),
            ("library/postgres", "16-alpine", 3),
            ("api/gateway", "dev", 4),
            ("apis", "v1", 5),
        ])
    }

    fn found_in(known: &Known, query: &str) -> Vec<String> {
        let hits = search(known, &Words::new(query));
        hits.iter().map(|hit| format!("{}:{}", hit.repository, hit.tag)).collect()
    }

    fn found(query: &str) -> Vec<String> {
        found_in(&some(), query)
    }

    #[test]
    fn whole_words_come_before_beginnings_and_these_before_parts() {
        assert_eq!(
            found("api"),
            ["api/gateway:dev", "team/backend/api:latest", "team/backend/api:v1.2.0", "apis:v1"]
        );
        assert_eq!(found("ateway"), ["api/gateway:dev"]);
    }

    #[test]
    fn all_words_have_to_fit_and_a_tag_is_a_word_too() {
        assert_eq!(found("team v1.2"), ["team/backend/api:v1.2.0", "team/backend/worker:v1.2.0"]);
        assert_eq!(found("API latest"), ["team/backend/api:latest"]);
        assert_eq!(found("team/backend/api:v1.2.0"), ["team/backend/api:v1.2.0"]);
        assert_eq!(found("api nothing"), Vec::<String>::new());
    }

    #[test]
    fn one_wrong_letter_is_forgiven_in_words_of_five() {
        for query in ["postgers", "postgre", "postgress", "pastgres", "ostgres"] {
            assert_eq!(found(query), ["library/postgres:16-alpine"], "{query}");
        }
        assert_eq!(found("pastgers"), Vec::<String>::new());
        assert_eq!(found("dov"), Vec::<String>::new());
    }

    #[test]
    fn one_wrong_letter_is_forgiven_in_names_of_several_parts() {
        let api = ["team/backend/api:latest", "team/backend/api:v1.2.0"];
        assert_eq!(found("team/backned/api"), api);
        assert_eq!(found("team/backned").len(), 3);
        assert_eq!(found("library/postgers"), ["library/postgres:16-alpine"]);
        assert_eq!(found("postgers:16"), ["library/postgres:16-alpine"]);
        assert_eq!(found("postgres:16-apline"), ["library/postgres:16-alpine"]);
        assert_eq!(found("library/postgers:17"), [""; 0]);
        assert_eq!(found("libary/postgers"), [""; 0]);
    }

    #[test]
    fn an_image_is_found_as_clients_name_it() {
        let all = "3".repeat(62);
        assert_eq!(found("library/postgres:16-alpine"), ["library/postgres:16-alpine"]);
        let pinned = format!("library/postgres@sha256:{}", "03".repeat(32));
        assert_eq!(found(&pinned), ["library/postgres:16-alpine"]);
        let both = format!("library/postgres:16-alpine@sha256:{}", "03".repeat(32));
        assert_eq!(found(&both), ["library/postgres:16-alpine"]);
        for other in [
            format!("library/mysql@sha256:{}", "03".repeat(32)),
            format!("library/postgres@sha256:03{all}"),
        ] {
            assert_eq!(found(&other), [""; 0], "{other}");
        }
        // A platform leads to the index that holds it.
        let mut known = some();
        index(&mut known, 1, &[7]);
        let platform = format!("team/backend/api@sha256:{}", "07".repeat(32));
        let expected = ["team/backend/api:latest", "team/backend/api:v1.2.0"];
        assert_eq!(found_in(&known, &platform), expected);
    }

    #[test]
    fn a_digest_is_found_by_how_it_begins() {
        assert_eq!(found("sha256:0303"), ["library/postgres:16-alpine"]);
        assert_eq!(found("0404040"), ["api/gateway:dev"]);
    }

    #[test]
    fn tags_of_tools_are_found_by_their_names_alone() {
        let subject = "7".repeat(64);
        let (tag, signature) = (format!("sha256-{subject}"), format!("sha256-{subject}.sig"));
        let known = known(&[
            ("team/api", "v1", 1),
            ("team/api", &tag, 2),
            ("team/api", &signature, 3),
            ("team/api", "sha256-short", 4),
        ]);
        let listed = ["team/api:sha256-short", "team/api:v1"];
        assert_eq!(found_in(&known, ""), listed);
        assert_eq!(found_in(&known, "api"), listed);
        let all = [format!("team/api:{tag}"), format!("team/api:{signature}")];
        assert_eq!(found_in(&known, &tag), all);
        assert_eq!(found_in(&known, &signature), all[1..]);
    }

    #[test]
    fn nothing_asked_is_everything() {
        assert_eq!(found(" ").len(), 6);
    }

    #[test]
    fn labels_are_found_after_names_and_by_key_and_value() {
        let mut known = some();
        let labels = [("org.example.team", "Payments"), ("gateway", "no")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let description = Some(Description { labels, ..Description::default() });
        known.tell(&digest(5), Some(Brief { description, ..Brief::default() }));
        for query in [
            "payments",
            "org.example.team=payments",
            "org.example.team=pay",
            "label:payments",
            "label:org.example.team",
            "apis label:org.example.team=payments",
        ] {
            let words = Words::new(query);
            let hits = search(&known, &words);
            assert_eq!(hits.len(), 1, "{query}");
            assert_eq!((hits[0].digest, hits[0].is_by_label()), (&digest(5), true), "{query}");
            let label = hits[0].label(&known, &words);
            assert_eq!(label, Some("org.example.team=payments"), "{query}");
        }
        assert_eq!(found_in(&known, "gateway"), ["api/gateway:dev", "apis:v1"]);
        let words = Words::new("gateway");
        let labels: Vec<_> =
            search(&known, &words).iter().map(|hit| hit.label(&known, &words)).collect();
        assert_eq!(labels, [None, Some("gateway=no")]);
        for query in ["team=payments", "org.example.team=ments", "label:postgres", "paymenst"] {
            assert_eq!(found_in(&known, query), Vec::<String>::new(), "{query}");
        }
    }
}
