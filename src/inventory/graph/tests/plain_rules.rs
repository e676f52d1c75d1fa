//! The graph beside a second one that is written down as plainly as can be.

use jiff::SignedDuration;
use oci::{Descriptor, ManifestType};
use proptest::prelude::*;

use super::*;
use crate::content::samples::{EMPTY, IMAGE_CONFIG, LAYER, SIGNATURE};

/// A manifest that need not hash to its digest, so that cycles can be made.
#[derive(Debug, Clone, Default)]
struct Made {
    is_artifact: bool,
    content: Vec<Digest>,
    children: Vec<Digest>,
    subject: Option<Digest>,
}

impl Made {
    fn is_index(&self) -> bool {
        !self.children.is_empty()
    }

    fn manifest(&self) -> Manifest {
        let describe = |media_type: &str, digest: &Digest| Descriptor {
            media_type: media_type.to_owned(),
            digest: digest.clone(),
            size: 2,
            platform: None,
            has_urls: false,
        };
        let image = ManifestType::OciImage;
        let (config, layer) =
            if self.is_artifact { (EMPTY, SIGNATURE) } else { (IMAGE_CONFIG, LAYER) };
        let (first, rest) = self.content.split_first().unzip();
        Manifest {
            media_type: if self.is_index() { ManifestType::OciIndex } else { image },
            config: first.map(|digest| describe(config, digest)),
            layers: rest.unwrap_or_default().iter().map(|d| describe(layer, d)).collect(),
            children: self.children.iter().map(|d| describe(image.as_str(), d)).collect(),
            subject: self.subject.as_ref().map(|digest| describe(image.as_str(), digest)),
            artifact_type: None,
        }
    }
}

/// The rules of reading by digest, written down as slowly and plainly as can be.
#[derive(Default)]
struct Reference {
    manifests: HashMap<Digest, Made>,
    pointers: Vec<(Tag, Digest, Timestamp)>,
}

impl Reference {
    fn readable(&self, sight: &impl Fn(&Tag) -> Sight, now: Timestamp) -> HashSet<Digest> {
        let day = SignedDuration::try_from(DAY).unwrap();
        let counts = |seen: &Timestamp| now.duration_since(*seen) < day;
        let pointing = self.pointers.iter().filter(|(_, _, seen)| counts(seen));
        // Manifests that are open with all that they name.
        let mut open: HashSet<Digest> = pointing
            .clone()
            .filter(|(tag, _, _)| sight(tag) == Sight::Open)
            .map(|(_, digest, _)| digest.clone())
            .collect();
        loop {
            let before = open.len();
            for (digest, made) in &self.manifests {
                if open.contains(digest) {
                    open.extend(made.children.iter().cloned());
                }
                if made.is_artifact
                    && made.subject.as_ref().is_some_and(|subject| open.contains(subject))
                {
                    open.insert(digest.clone());
                }
            }
            for (tag, digest, _) in pointing.clone() {
                let is_about = tag.referrers_subject().is_some_and(|s| open.contains(&s));
                let follows = is_about && sight(tag) != Sight::Closed;
                if follows && (self.is_artifact(digest) || self.lists_artifacts(digest)) {
                    open.insert(digest.clone());
                }
            }
            if open.len() == before {
                let named = open.iter().filter_map(|digest| self.manifests.get(digest));
                let named: Vec<_> = named.flat_map(|made| made.content.clone()).collect();
                open.extend(named);
                return open;
            }
        }
    }

    fn is_artifact(&self, digest: &Digest) -> bool {
        self.manifests.get(digest).is_some_and(|made| made.is_artifact)
    }

    fn lists_artifacts(&self, digest: &Digest) -> bool {
        self.manifests.get(digest).is_some_and(|made| {
            made.is_index() && made.children.iter().all(|child| self.is_artifact(child))
        })
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add(usize, Made),
    Point(Tag, usize),
    Push(bool, usize),
    Wait(u64),
    DeleteTag(Tag),
    DeleteManifest(usize),
    /// The list of tags is read, and these are all.
    List(Vec<Tag>),
}

/// So few digests that they meet, and meet themselves.
const DIGESTS: usize = 8;

fn numbered(number: usize) -> Digest {
    blob(&number.to_string())
}

fn made() -> impl Strategy<Value = Made> {
    let some = |size| prop::collection::vec((0..DIGESTS).prop_map(numbered), size);
    let subject = || prop::option::of((0..DIGESTS).prop_map(numbered));
    prop_oneof![
        3 => (any::<bool>(), some(1..4), subject()).prop_map(|(is_artifact, content, subject)| {
            Made { is_artifact, content, subject, ..Made::default() }
        }),
        1 => (some(1..4), subject()).prop_map(|(children, subject)| {
            Made { children, subject, ..Made::default() }
        }),
    ]
}

fn any_tag() -> impl Strategy<Value = Tag> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "c"]).prop_map(tag),
        (0..DIGESTS, prop::sample::select(vec!["", ".sig"]))
            .prop_map(|(number, ending)| fallback(&numbered(number), ending)),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..DIGESTS, made()).prop_map(|(number, made)| Step::Add(number, made)),
        6 => (any_tag(), 0..DIGESTS).prop_map(|(tag, number)| Step::Point(tag, number)),
        1 => (any::<bool>(), 0..DIGESTS).prop_map(|(who, number)| Step::Push(who, number)),
        2 => (0..30_u64).prop_map(Step::Wait),
        1 => any_tag().prop_map(Step::DeleteTag),
        1 => (0..DIGESTS).prop_map(Step::DeleteManifest),
        1 => prop::collection::vec(any_tag(), 0..4).prop_map(Step::List),
    ];
    prop::collection::vec(step, 1..40)
}

/// Counts again what the graph keeps count of, from both sides.
fn recount(graph: &Graph) -> usize {
    let from_tags: usize = graph.tags.values().map(Tagged::pointers).sum();
    let to_tags: usize = graph.pointers.values().map(Vec::len).sum();
    assert_eq!(from_tags, to_tags);
    let children: usize = graph.manifests.values().map(|known| known.children.len()).sum();
    from_tags + graph.pushes.values().map(Vec::len).sum::<usize>() + children
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// What is missing from a list lingers, and what is forgotten had lingered.
    #[test]
    fn the_graph_answers_as_the_plain_rules_do(
        steps in steps(),
        open in prop::collection::btree_set(any_tag(), 1..3),
        closed in prop::collection::btree_set(any_tag(), 0..4),
    ) {
        let (mut graph, mut reference) = (Graph::default(), Reference::default());
        let mut now = start();
        let sight = |tag: &Tag| match (open.contains(tag), closed.contains(tag)) {
            (true, _) => Sight::Open,
            (false, true) => Sight::Closed,
            (false, false) => Sight::Silent,
        };
        for step in steps {
            match step {
                Step::Add(number, made) => {
                    graph.adds(&numbered(number), &made.manifest());
                    graph.attest(&numbered(number));
                    reference.manifests.entry(numbered(number)).or_insert(made);
                }
                Step::Point(tag, number) => {
                    graph.points(&tag, &numbered(number), now);
                    reference.pointers.push((tag, numbered(number), now));
                }
                Step::Push(who, number) => {
                    let subject = Subject::User(who.to_string());
                    graph.is_pushed(&subject, &numbered(number), now);
                }
                Step::Wait(hours) => now += Duration::from_secs(hours * 3600),
                Step::DeleteTag(tag) => {
                    graph.loses(&tag, now, true);
                    reference.pointers.retain(|(name, _, _)| *name != tag);
                }
                Step::DeleteManifest(number) => {
                    graph.loses_manifest(&numbered(number), now);
                    reference.pointers.retain(|(_, digest, _)| *digest != numbered(number));
                }
                Step::List(tags) => {
                    graph.saw_list(&tags, Clock { now, linger: DAY, freshness: Duration::ZERO });
                }
            }
            prop_assert_eq!(graph.lengths, recount(&graph));
            let readable = reference.readable(&sight, now);
            // One walk for all of them, so that what it remembers is held to the rules too.
            let digests: Vec<_> = (0..DIGESTS).map(numbered).collect();
            let mut walk = Walk::new(100_000);
            let clock = Clock { now, linger: DAY, freshness: Duration::ZERO };
            for digest in &digests {
                prop_assert_eq!(
                    graph.is_vouched_for(digest, &sight, clock, &mut walk),
                    Ok(readable.contains(digest)),
                    "{}", digest
                );
            }
        }
    }
}
