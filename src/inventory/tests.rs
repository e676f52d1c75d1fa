use async_trait::async_trait;
use policy::Subject;
use proptest::prelude::*;

use super::*;
use crate::content::samples::{Sample, blob, image, index, signature};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn inventory(max_bytes: usize) -> Inventory {
    let settings = Settings { max_bytes, linger: DAY, ..Settings::default() };
    Inventory::new(settings, Arc::new(Forgetful))
}

/// Room for all that these tests teach.
const ROOM: usize = 1 << 20;

fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

fn vouched(
    inventory: &Inventory,
    repository: &RepositoryName,
    digest: &Digest,
    sight: impl Fn(&Tag) -> Sight,
    now: Timestamp,
) -> bool {
    inventory.is_vouched_for(repository, digest, sight, now).unwrap()
}

#[test]
fn what_is_not_known_is_not_vouched_for() {
    let inventory = inventory(ROOM);
    let (here, sample, now) = (repository("team/app"), image("config", &[]), start());
    assert!(!vouched(&inventory, &here, &sample.digest, |_| Sight::Open, now));
    assert!(!inventory.is_artifact(&here, &sample.digest));
    assert!(!inventory.knows(&here, &sample.digest));
    inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
    assert!(!vouched(&inventory, &here, &sample.digest, |_| Sight::Open, now), "no tag");
}

#[test]
fn repositories_know_nothing_of_each_other() {
    let inventory = inventory(ROOM);
    let (here, there) = (repository("team/app"), repository("team/other"));
    let (sample, now) = (image("config", &["layer"]), start());
    let alice = Subject::User("alice".to_owned());
    inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
    inventory.saw_tag(&there, &tag("v1"), &sample.digest, now);
    inventory.saw_push(&here, &alice, &blob("mine"), now);
    assert!(!vouched(&inventory, &here, &blob("layer"), |_| Sight::Open, now));
    assert!(!vouched(&inventory, &there, &blob("layer"), |_| Sight::Open, now));
    assert!(inventory.is_own(&here, &alice, &blob("mine"), now));
    assert!(!inventory.is_own(&there, &alice, &blob("mine"), now));
}

#[test]
fn a_manifest_tells_what_it_is_and_what_it_is_about() {
    let inventory = inventory(ROOM);
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
    let inventory = inventory(ROOM);
    let (here, now) = (repository("team/app"), start());
    let (app, other) = (image("config", &["1", "2"]), image("other", &["3"]));
    for (name, sample) in [("open", &app), ("closed", &other)] {
        inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
        inventory.saw_tag(&here, &tag(name), &sample.digest, now);
    }
    let first = |names: &[&str]| {
        let digests: Vec<_> = names.iter().map(|name| blob(name)).collect();
        let digests: Vec<_> = digests.iter().collect();
        inventory.first_unvouched(&here, &digests, only_open, now).unwrap().cloned()
    };
    assert_eq!(first(&["1", "2", "config"]), None);
    assert_eq!(first(&[]), None);
    assert_eq!(first(&["1", "3", "4"]), Some(blob("3")));
    let nowhere = repository("team/none");
    assert_eq!(
        inventory.first_unvouched(&nowhere, &[&blob("1")], only_open, now),
        Ok(Some(&blob("1")))
    );
}

#[test]
fn one_repository_larger_than_all_the_room_does_not_stay() {
    let inventory = inventory(2000);
    let (here, now) = (repository("team/app"), start());
    let mut before = 0;
    for number in 0..100 {
        inventory.saw_tag(&here, &tag("v1"), &blob(&number.to_string()), now);
        let (counted, held) = inventory.0.room.counted();
        assert_eq!(counted, held);
        if counted < before {
            assert_eq!(counted, 0);
            break;
        }
        before = counted;
    }
    assert_eq!(inventory.0.room.counted(), (0, 0));
    assert!(!vouched(&inventory, &here, &blob("3"), |_| Sight::Open, now));
    inventory.saw_tag(&here, &tag("v1"), &blob("3"), now);
    assert!(vouched(&inventory, &here, &blob("3"), |_| Sight::Open, now), "it is learned again");
}

#[test]
fn the_repositories_that_were_used_last_stay() {
    let inventory = inventory(16_000);
    let now = start();
    let names: Vec<_> = (0..9).map(|number| repository(&format!("team/app{number}"))).collect();
    let (often, seldom) = names.split_first().unwrap();
    for name in &names {
        inventory.saw_tag(name, &tag("v1"), &blob("x"), now);
    }
    for number in 0..100 {
        assert!(vouched(&inventory, often, &blob("x"), |_| Sight::Open, now), "{number}");
        let name = &seldom[number % seldom.len()];
        inventory.saw_tag(name, &tag("v1"), &blob(&number.to_string()), now);
    }
    let is_forgotten = |name| !vouched(&inventory, name, &blob("x"), |_| Sight::Open, now);
    assert!(seldom.iter().any(is_forgotten));
    let last = &seldom[99 % seldom.len()];
    assert!(vouched(&inventory, last, &blob("99"), |_| Sight::Open, now));
}

#[tokio::test]
async fn repositories_that_are_not_there_take_no_more_than_the_room() {
    const ROOM: usize = 200_000;
    let inventory = inventory(ROOM);
    let (here, now) = (repository("team/app"), start());
    let mut most = 0;
    for number in 0..2000 {
        inventory.saw_tag(&here, &tag("v1"), &blob("x"), now);
        // As a question by digest does, whatever is there.
        let absent = repository(&format!("team/absent-{number}"));
        inventory.recall(&absent, now).await;
        drop(inventory.0.room.flight(&absent));
        most = most.max(inventory.0.room.len());
        let (counted, held) = inventory.0.room.counted();
        assert!(counted == held && counted <= ROOM, "{counted} {held}");
    }
    assert!(most > 50 && most < 500, "{most} repositories");
    assert!(vouched(&inventory, &here, &blob("x"), |_| Sight::Open, now), "what is used stays");
}

/// Notes what it is told, and knows what it was given.
#[derive(Default)]
struct Notes {
    learned: Mutex<Vec<String>>,
    known: Vec<Lesson>,
    asked: Mutex<Vec<Option<Timestamp>>>,
}

#[async_trait]
impl Journal for Notes {
    fn learned(&self, repository: &RepositoryName, lesson: &Lesson) {
        use Lesson::*;
        let text = match lesson {
            Tag { tag, .. } => format!("{tag} points"),
            NoTag { tag, deleted, .. } => format!("no {tag}, deleted {deleted}"),
            NoManifest { .. } => "no manifest".to_owned(),
            Manifest { .. } => "a manifest".to_owned(),
            Push { pusher, .. } => format!("a push of {pusher}"),
        };
        lock_notes(&self.learned).push(format!("{repository}: {text}"));
    }

    async fn recall(&self, _: &RepositoryName, since: Option<Timestamp>) -> Option<Vec<Lesson>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(since);
        // The first time it cannot be read.
        (asked.len() > 1).then(|| self.known.clone())
    }

    async fn settle(&self) {}
}

fn lock_notes(notes: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    notes.lock().unwrap()
}

#[test]
fn the_journal_is_told_what_is_new_and_nothing_else() {
    let notes = Arc::new(Notes::default());
    let inventory = Inventory::new(Settings::default(), Arc::clone(&notes) as Arc<dyn Journal>);
    let (here, sample) = (repository("a"), image("config", &["layer"]));
    let (alice, v1) = (Subject::User("alice".to_owned()), tag("v1"));
    let new = |at: u64, act: &dyn Fn(Timestamp)| {
        act(start() + Duration::from_secs(at));
        std::mem::take(&mut *lock_notes(&notes.learned)).join(", ")
    };
    let see = |at: Timestamp| inventory.saw_tag(&here, &v1, &sample.digest, at);
    let read = |_: Timestamp| inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
    let push = |at: Timestamp| inventory.saw_push(&here, &alice, &sample.digest, at);
    assert_eq!(new(0, &see), "a: v1 points");
    assert_eq!(new(0, &read), "a: a manifest");
    assert_eq!(new(0, &push), "a: a push of user:alice");
    for at in [0, 1, 30, 59] {
        assert_eq!(new(at, &|at| (see(at), read(at), push(at)).2), "", "{at}");
    }
    assert_eq!(new(60, &see), "a: v1 points", "it would linger for longer");
    assert_eq!(new(60, &push), "a: a push of user:alice");
    assert_eq!(new(119, &see), "");
    // A tag that moves away and comes back is news each time.
    let other = |at: Timestamp| inventory.saw_tag(&here, &v1, &blob("other"), at);
    assert_eq!(new(121, &other), "a: v1 points");
    assert_eq!(new(122, &see), "a: v1 points");
    let unlisted = |at: Timestamp| inventory.saw_list(&here, &[], at);
    assert_eq!(new(123, &unlisted), "a: no v1, deleted false");
    assert_eq!(new(124, &unlisted), "");
    let delete = |at: Timestamp| inventory.tag_deleted(&here, &v1, at);
    assert_eq!(new(125, &delete), "a: no v1, deleted true");
    let applied = Lesson::Tag { tag: tag("v2"), digest: blob("x"), at: start() };
    assert_eq!(new(126, &|_| inventory.apply(&here, &applied)), "");
    assert!(vouched(&inventory, &here, &blob("x"), |_| Sight::Open, start()));
}

#[tokio::test]
async fn what_is_kept_is_recalled_until_it_could_be_read_and_then_what_is_new() {
    let (here, sample) = (repository("a"), image("config", &["layer"]));
    let at = start();
    let known = vec![
        Lesson::Tag { tag: tag("v1"), digest: sample.digest.clone(), at },
        Lesson::of_manifest(&sample.digest, &sample.manifest),
    ];
    let notes = Arc::new(Notes { known, ..Notes::default() });
    let inventory = Inventory::new(Settings::default(), Arc::clone(&notes) as Arc<dyn Journal>);
    assert!(!vouched(&inventory, &here, &blob("layer"), |_| Sight::Open, at));
    let later = at + Duration::from_secs(30);
    inventory.recall(&here, at).await;
    assert!(!vouched(&inventory, &here, &blob("layer"), |_| Sight::Open, at));
    for now in [at, later] {
        inventory.recall(&here, now).await;
        assert!(vouched(&inventory, &here, &blob("layer"), |_| Sight::Open, at));
    }
    assert_eq!(*notes.asked.lock().unwrap(), [None, None, Some(at)]);
    assert!(lock_notes(&notes.learned).is_empty(), "it is known there");
}

#[test]
fn what_others_learn_is_taken_in_where_the_repository_is_in_memory() {
    let inventory = inventory(usize::MAX);
    let (here, there) = (repository("a"), repository("b"));
    inventory.saw_tag(&here, &tag("v1"), &blob("1"), start());
    let lesson = Lesson::Tag { tag: tag("v2"), digest: blob("2"), at: start() };
    for name in [&here, &there] {
        inventory.follow(name, &lesson);
    }
    assert!(vouched(&inventory, &here, &blob("2"), |_| Sight::Open, start()));
    assert!(!vouched(&inventory, &there, &blob("2"), |_| Sight::Open, start()));
    assert!(inventory.0.room.holds(&here) && !inventory.0.room.holds(&there));
}

#[derive(Debug, Clone)]
enum Step {
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

fn step() -> impl Strategy<Value = Step> {
    let (repository, sample) = (0..3_usize, 0..samples().len());
    let name = prop::sample::select(vec!["open", "closed", "other"]);
    prop_oneof![
        2 => (repository.clone(), name.clone(), sample.clone()).prop_map(|(r, t, s)| Step::Tag(r, t, s)),
        2 => (repository.clone(), sample.clone()).prop_map(|(r, s)| Step::Manifest(r, s)),
        1 => (repository.clone(), sample.clone()).prop_map(|(r, s)| Step::Push(r, s)),
        1 => (repository.clone(), name).prop_map(|(r, t)| Step::DeleteTag(r, t)),
        1 => (repository, sample).prop_map(|(r, s)| Step::DeleteManifest(r, s)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn forgetting_allows_nothing_more_and_loses_no_count(
        steps in prop::collection::vec(step(), 1..60),
        max_bytes in 0..6000_usize,
    ) {
        let (small, large) = (inventory(max_bytes), inventory(usize::MAX));
        let samples = samples();
        let names: Vec<_> = ["a", "b", "c"].into_iter().map(repository).collect();
        let alice = Subject::User("alice".to_owned());
        let now = start();
        for step in steps {
            for inventory in [&small, &large] {
                match &step {
                    Step::Tag(repository, name, sample) => {
                        let digest = &samples[*sample].digest;
                        inventory.saw_tag(&names[*repository], &tag(name), digest, now);
                    }
                    Step::Manifest(repository, sample) => {
                        let Sample { digest, manifest, .. } = &samples[*sample];
                        inventory.saw_manifest(&names[*repository], digest, manifest);
                    }
                    Step::Push(repository, sample) => {
                        let digest = &samples[*sample].digest;
                        inventory.saw_push(&names[*repository], &alice, digest, now);
                    }
                    Step::DeleteTag(repository, name) => {
                        inventory.tag_deleted(&names[*repository], &tag(name), now);
                    }
                    Step::DeleteManifest(repository, sample) => {
                        let digest = &samples[*sample].digest;
                        inventory.manifest_deleted(&names[*repository], digest, now);
                    }
                }
                let (counted, held) = inventory.0.room.counted();
                prop_assert_eq!(counted, held);
            }
            prop_assert!(small.0.room.counted().0 <= max_bytes);
            let content = samples.iter().flat_map(|sample| {
                std::iter::once(&sample.digest).chain(sample.manifest.references())
            });
            for (digest, name) in content.flat_map(|digest| names.iter().map(move |n| (digest, n))) {
                for question in [
                    |i: &Inventory, n: &_, d: &_, now| {
                        vouched(i, n, d, only_open, now)
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
