use proptest::prelude::*;

use policy::Subject;

use super::*;
use crate::content::samples::{Sample, blob, image, index, signature};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn inventory(max_edges: usize) -> Inventory {
    Inventory::new(Settings { max_edges, linger: DAY, ..Settings::default() })
}

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

fn recount(inventory: &Inventory) -> usize {
    inventory.repositories.iter().map(|graph| lock(graph.value()).edges()).sum()
}

fn counted(inventory: &Inventory) -> usize {
    inventory.edges.load(Ordering::Relaxed)
}

#[test]
fn what_is_not_known_is_not_vouched_for() {
    let inventory = inventory(100);
    let (here, sample, now) = (repository("team/app"), image("config", &[]), Instant::now());
    assert!(!inventory.is_vouched_for(&here, &sample.digest, |_| Sight::Open, now));
    assert!(!inventory.is_artifact(&here, &sample.digest));
    assert!(!inventory.knows(&here, &sample.digest));
    inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
    assert!(!inventory.is_vouched_for(&here, &sample.digest, |_| Sight::Open, now), "no tag");
}

#[test]
fn repositories_know_nothing_of_each_other() {
    let inventory = inventory(100);
    let (here, there) = (repository("team/app"), repository("team/other"));
    let (sample, now) = (image("config", &["layer"]), Instant::now());
    let alice = Subject::User("alice".to_owned());
    inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
    inventory.saw_tag(&there, &tag("v1"), &sample.digest, now);
    inventory.saw_push(&here, &alice, &blob("mine"), now);
    assert!(!inventory.is_vouched_for(&here, &blob("layer"), |_| Sight::Open, now));
    assert!(!inventory.is_vouched_for(&there, &blob("layer"), |_| Sight::Open, now));
    assert!(inventory.is_own(&here, &alice, &blob("mine"), now));
    assert!(!inventory.is_own(&there, &alice, &blob("mine"), now));
}

#[test]
fn a_manifest_tells_what_it_is_and_what_it_is_about() {
    let inventory = inventory(100);
    let here = repository("team/app");
    let app = image("config", &[]);
    let (list, note) = (index(&[&app]), signature("signed", Some(&app.digest)));
    for sample in [&app, &list, &note] {
        inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
    }
    assert!(inventory.knows(&here, &list.digest) && !inventory.knows(&here, &blob("config")));
    assert_eq!(inventory.subject_of(&here, &note.digest), Some(app.digest.clone()));
    assert!(inventory.is_artifact(&here, &note.digest));
    assert!(
        !inventory.is_artifact(&here, &list.digest) && !inventory.is_artifact(&here, &app.digest)
    );
}

#[test]
fn of_several_digests_the_first_that_is_hidden_is_named() {
    let inventory = inventory(1000);
    let (here, now) = (repository("team/app"), Instant::now());
    let (app, other) = (image("config", &["1", "2"]), image("other", &["3"]));
    for (name, sample) in [("open", &app), ("closed", &other)] {
        inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
        inventory.saw_tag(&here, &tag(name), &sample.digest, now);
    }
    let first = |names: &[&str]| {
        let digests: Vec<_> = names.iter().map(|name| blob(name)).collect();
        let digests: Vec<_> = digests.iter().collect();
        inventory.first_unvouched(&here, &digests, only_open, now).cloned()
    };
    assert_eq!(first(&["1", "2", "config"]), None);
    assert_eq!(first(&[]), None);
    assert_eq!(first(&["1", "3", "4"]), Some(blob("3")));
    let nowhere = repository("team/none");
    assert_eq!(
        inventory.first_unvouched(&nowhere, &[&blob("1")], only_open, now),
        Some(&blob("1"))
    );
}

#[test]
fn one_repository_larger_than_all_the_room_does_not_stay() {
    let inventory = inventory(10);
    let (here, now) = (repository("team/app"), Instant::now());
    for number in 0..11 {
        inventory.saw_tag(&here, &tag("v1"), &blob(&number.to_string()), now);
    }
    assert_eq!((counted(&inventory), recount(&inventory)), (0, 0));
    assert!(!inventory.is_vouched_for(&here, &blob("3"), |_| Sight::Open, now));
    inventory.saw_tag(&here, &tag("v1"), &blob("3"), now);
    assert!(
        inventory.is_vouched_for(&here, &blob("3"), |_| Sight::Open, now),
        "it is learned again"
    );
}

#[test]
fn content_that_has_expired_makes_room_first() {
    // What lingers for no time has expired when it is learned.
    let inventory =
        Inventory::new(Settings { max_edges: 4, linger: Duration::ZERO, ..Settings::default() });
    let now = Instant::now();
    for number in 0..5 {
        let name = repository(&format!("team/app{number}"));
        inventory.saw_tag(&name, &tag("v1"), &blob("x"), now);
    }
    assert_eq!((counted(&inventory), recount(&inventory)), (0, 0));
    assert!(inventory.repositories.is_empty(), "an empty repository is not kept either");
}

#[derive(Debug, Clone)]
enum Lesson {
    Tag(usize, &'static str, usize),
    Manifest(usize, usize),
    Push(usize, usize),
    DeleteTag(usize, &'static str),
    DeleteManifest(usize, usize),
}

fn only_open(tag: &Tag) -> Sight {
    if tag.as_str() == "open" { Sight::Open } else { Sight::Closed }
}

fn samples() -> Vec<Sample> {
    let (one, two) = (image("config 1", &["base", "a"]), image("config 2", &["base"]));
    let note = signature("signed", Some(&one.digest));
    vec![index(&[&one, &two]), index(&[&note]), one, two, note]
}

fn lesson() -> impl Strategy<Value = Lesson> {
    let (repository, sample) = (0..3_usize, 0..samples().len());
    let name = prop::sample::select(vec!["open", "closed", "other"]);
    prop_oneof![
        2 => (repository.clone(), name.clone(), sample.clone()).prop_map(|(r, t, s)| Lesson::Tag(r, t, s)),
        2 => (repository.clone(), sample.clone()).prop_map(|(r, s)| Lesson::Manifest(r, s)),
        1 => (repository.clone(), sample.clone()).prop_map(|(r, s)| Lesson::Push(r, s)),
        1 => (repository.clone(), name).prop_map(|(r, t)| Lesson::DeleteTag(r, t)),
        1 => (repository, sample).prop_map(|(r, s)| Lesson::DeleteManifest(r, s)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn forgetting_allows_nothing_more_and_loses_no_count(
        lessons in prop::collection::vec(lesson(), 1..60),
        max_edges in 0..40_usize,
    ) {
        let (small, large) = (inventory(max_edges), inventory(usize::MAX));
        let samples = samples();
        let names: Vec<_> = ["a", "b", "c"].into_iter().map(repository).collect();
        let alice = Subject::User("alice".to_owned());
        let now = Instant::now();
        for lesson in lessons {
            for inventory in [&small, &large] {
                match &lesson {
                    Lesson::Tag(repository, name, sample) => {
                        let digest = &samples[*sample].digest;
                        inventory.saw_tag(&names[*repository], &tag(name), digest, now);
                    }
                    Lesson::Manifest(repository, sample) => {
                        let Sample { digest, manifest, .. } = &samples[*sample];
                        inventory.saw_manifest(&names[*repository], digest, manifest);
                    }
                    Lesson::Push(repository, sample) => {
                        let digest = &samples[*sample].digest;
                        inventory.saw_push(&names[*repository], &alice, digest, now);
                    }
                    Lesson::DeleteTag(repository, name) => {
                        inventory.tag_deleted(&names[*repository], &tag(name));
                    }
                    Lesson::DeleteManifest(repository, sample) => {
                        let digest = &samples[*sample].digest;
                        inventory.manifest_deleted(&names[*repository], digest);
                    }
                }
                prop_assert_eq!(counted(inventory), recount(inventory));
            }
            prop_assert!(counted(&small) <= max_edges);
            let content = samples.iter().flat_map(|sample| {
                std::iter::once(&sample.digest).chain(sample.manifest.references())
            });
            for (digest, name) in content.flat_map(|digest| names.iter().map(move |n| (digest, n))) {
                for question in [
                    |i: &Inventory, n: &_, d: &_, now| {
                        i.is_vouched_for(n, d, only_open, now)
                    },
                    |i: &Inventory, n: &_, d: &_, _| i.is_artifact(n, d),
                    |i: &Inventory, n: &_, d: &_, now| {
                        i.is_own(n, &Subject::User("alice".to_owned()), d, now)
                    },
                ] {
                    prop_assert!(
                        !question(&small, name, digest, now) || question(&large, name, digest, now)
                    );
                }
            }
        }
    }
}
