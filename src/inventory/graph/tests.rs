use oci::Manifest;
use policy::{Bounds, Caller, Subject};

use super::*;
use crate::content::samples::{Sample, blob, image, image_about, index, index_about, signature};

mod plain_rules;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

/// The fallback tag of an image.
fn fallback(image: &Digest, ending: &str) -> Tag {
    tag(&format!("{}{ending}", image.to_string().replace(':', "-")))
}

/// How a graph learns what the inventory would teach it.
impl Graph {
    fn adds(&mut self, digest: &Digest, manifest: &Manifest) -> bool {
        self.learn(&Lesson::of_manifest(digest, manifest), DAY)
    }

    fn points(&mut self, tag: &Tag, digest: &Digest, at: Timestamp) -> bool {
        self.learn(&Lesson::Tag { tag: tag.clone(), digest: digest.clone(), at }, DAY)
    }

    fn is_pushed<'p>(
        &mut self,
        who: impl Into<Pusher<'p>>,
        digest: &Digest,
        at: Timestamp,
    ) -> bool {
        let lessons = Lesson::of_push(who.into(), digest, at);
        // Each of them is learned, whatever came of the one before.
        let news: Vec<bool> = lessons.iter().map(|lesson| self.learn(lesson, DAY)).collect();
        news.contains(&true)
    }

    fn loses(&mut self, tag: &Tag, at: Timestamp, deleted: bool) -> bool {
        self.learn(&Lesson::NoTag { tag: tag.clone(), at, deleted }, DAY)
    }

    fn loses_manifest(&mut self, digest: &Digest, at: Timestamp) -> bool {
        self.learn(&Lesson::NoManifest { digest: digest.clone(), at }, DAY)
    }
}

fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn after(start: Timestamp, later: Duration) -> Clock {
    Clock { now: start + later, linger: DAY, freshness: Duration::ZERO }
}

/// A graph with a clock, and a caller who may read the tag `open`.
struct World {
    graph: Graph,
    start: Timestamp,
}

impl World {
    fn new(manifests: &[&Sample]) -> Self {
        let mut graph = Graph::default();
        for sample in manifests {
            graph.adds(&sample.digest, &sample.manifest);
            graph.attest(&sample.digest);
        }
        Self { graph, start: start() }
    }

    fn tagged(mut self, name: &str, digest: &Digest) -> Self {
        self.graph.points(&tag(name), digest, self.start);
        self
    }

    fn reads(&self, digest: &Digest) -> bool {
        self.reads_after(digest, Duration::ZERO)
    }

    fn reads_after(&self, digest: &Digest, later: Duration) -> bool {
        let sight = |tag: &Tag| match tag.as_str() {
            "open" => Sight::Open,
            "closed" => Sight::Closed,
            _ => Sight::Silent,
        };
        let clock = after(self.start, later);
        self.graph.is_vouched_for(digest, &sight, clock, &mut Walk::new(1000)).unwrap()
    }
}

#[test]
fn a_tag_vouches_for_its_manifest_and_all_that_it_is_made_of() {
    let (amd, arm) = (image("config 1", &["base", "app"]), image("config 2", &["base"]));
    let both = index(&[&amd, &arm]);
    let world = World::new(&[&amd, &arm, &both]).tagged("open", &both.digest);
    for content in ["config 1", "base", "app", "config 2"] {
        assert!(world.reads(&blob(content)), "{content}");
    }
    assert!(world.reads(&both.digest) && world.reads(&amd.digest) && world.reads(&arm.digest));
    assert!(!world.reads(&blob("other")));
}

#[test]
fn nothing_flows_upwards_or_sideways() {
    let (mine, theirs) = (image("config 1", &["base"]), image("config 2", &["base", "secret"]));
    let both = index(&[&mine, &theirs]);
    let world = World::new(&[&mine, &theirs, &both])
        .tagged("open", &mine.digest)
        .tagged("closed", &both.digest);
    assert!(world.reads(&blob("base")), "the bytes are the same");
    for hidden in [&both.digest, &theirs.digest, &blob("config 2"), &blob("secret")] {
        assert!(!world.reads(hidden), "{hidden}");
    }
}

#[test]
fn an_artifact_follows_its_subject_but_an_image_with_one_does_not() {
    let app = image("config", &["layer"]);
    let signature = signature("signed", Some(&app.digest));
    let sneaky = image_about("secret config", &["secret layer"], Some(&app.digest));
    let world = World::new(&[&app, &signature, &sneaky])
        .tagged("open", &app.digest)
        .tagged("closed", &sneaky.digest);
    assert!(world.reads(&signature.digest) && world.reads(&blob("signed")));
    for hidden in [&sneaky.digest, &blob("secret config"), &blob("secret layer")] {
        assert!(!world.reads(hidden), "{hidden}");
    }
}

#[test]
fn what_may_have_come_as_a_blob_opens_nothing() {
    let (mine, inner) = (image("config", &["layer"]), image("inner config", &["inner layer"]));
    let claims = signature("claimed", Some(&mine.digest));
    let outer = image("outer config", &["none"]);
    let named = Facts { blobs: Box::new([inner.digest.clone()]), ..Facts::from(&outer.manifest) };
    let mut world =
        World::new(&[&mine, &inner]).tagged("open", &mine.digest).tagged("open", &outer.digest);
    let lesson = Lesson::Manifest { digest: outer.digest, facts: Arc::new(named) };
    world.graph.learn(&lesson, DAY);
    world.graph.adds(&claims.digest, &claims.manifest);
    let mut walk = Walk::new(1000);
    let sight = |_: &Tag| Sight::Open;
    for (digest, is_open) in [
        // A layer is content, even if that looks like a manifest.
        (&inner.digest, true),
        (&blob("inner layer"), false),
        (&claims.digest, false),
        (&blob("claimed"), false),
    ] {
        let clock = after(world.start, Duration::ZERO);
        let graph = &world.graph;
        assert_eq!(graph.is_vouched_for(digest, &sight, clock, &mut walk), Ok(is_open), "{digest}");
    }
    let clock = after(world.start, Duration::ZERO);
    let mut believing = Walk::believing(1000);
    let may_be = |walk: &mut Walk| {
        world.graph.is_vouched_for(&blob("claimed"), &sight, clock, walk).unwrap()
    };
    assert!(may_be(&mut believing));
    let doubtful = world.graph.doubtful(&blob("claimed"), &sight, clock, 1000).unwrap();
    assert_eq!(doubtful, std::slice::from_ref(&claims.digest));
    world.graph.attest(&claims.digest);
    assert!(world.reads(&claims.digest) && world.reads(&blob("claimed")));
}

#[test]
fn a_signature_of_a_hidden_image_is_hidden_and_one_of_a_signature_follows_both() {
    let (open, closed) = (image("a", &["1"]), image("b", &["2"]));
    let of_closed = signature("of closed", Some(&closed.digest));
    let of_open = signature("of open", Some(&open.digest));
    let of_signature = signature("of signature", Some(&of_open.digest));
    let world = World::new(&[&open, &closed, &of_closed, &of_open, &of_signature])
        .tagged("open", &open.digest)
        .tagged("closed", &closed.digest);
    assert!(world.reads(&blob("of signature")));
    assert!(!world.reads(&of_closed.digest) && !world.reads(&blob("of closed")));
}

#[test]
fn no_index_is_reached_through_a_subject() {
    let app = image("config", &["layer"]);
    let (secret, note) = (image("secret", &["layer 2"]), signature("note", None));
    let of_images = index_about(&[&secret], Some(&app.digest));
    let of_artifacts = index_about(&[&note], Some(&app.digest));
    let world =
        World::new(&[&app, &secret, &note, &of_images, &of_artifacts]).tagged("open", &app.digest);
    for hidden in [&of_images, &secret, &of_artifacts, &note] {
        assert!(!world.reads(&hidden.digest), "{}", hidden.digest);
    }
}

#[test]
fn a_fallback_tag_follows_the_image_that_it_names() {
    for ending in ["", ".sig", ".att", ".sbom"] {
        let app = image("config", &["layer"]);
        let signature = signature("signed", None);
        let list = index(&[&signature]);
        let name = fallback(&app.digest, ending);
        let world = World::new(&[&app, &signature, &list]).tagged("open", &app.digest).tagged(
            name.as_str(),
            if ending.is_empty() { &list.digest } else { &signature.digest },
        );
        assert!(world.reads(&signature.digest) && world.reads(&blob("signed")), "{ending:?}");
        assert_eq!(world.reads(&list.digest), ending.is_empty());
    }
}

#[test]
fn what_is_no_artifact_does_not_follow_through_a_fallback_tag() {
    let app = image("config", &["layer"]);
    let secret = image("secret", &["layer 2"]);
    let note = signature("note", None);
    let (mixed, empty) = (index(&[&note, &secret]), index(&[]));
    for hidden in [&secret, &mixed, &empty] {
        let world = World::new(&[&app, &secret, &note, &mixed, &empty])
            .tagged("open", &app.digest)
            .tagged(fallback(&app.digest, "").as_str(), &hidden.digest);
        assert!(!world.reads(&hidden.digest), "{}", hidden.digest);
        assert!(!world.reads(&secret.digest));
    }
}

#[test]
fn a_signature_of_one_platform_follows_an_image_that_is_known_by_its_index_alone() {
    let (child, signature) = (image("config", &["layer"]), signature("signed", None));
    let both = index(&[&child]);
    let world = World::new(&[&both, &signature])
        .tagged("open", &both.digest)
        .tagged(fallback(&child.digest, ".sig").as_str(), &signature.digest);
    assert!(world.reads(&child.digest));
    assert!(world.reads(&signature.digest) && world.reads(&blob("signed")));
}

#[test]
fn what_a_tag_pointed_at_counts_until_it_has_lingered() {
    let (old, new) = (image("old", &["1"]), image("new", &["2"]));
    let mut world = World::new(&[&old, &new]).tagged("open", &old.digest);
    world.graph.points(&tag("open"), &new.digest, world.start + DAY / 2);
    let last = Duration::from_millis(1);
    assert!(
        world.reads_after(&old.digest, DAY - last) && world.reads_after(&blob("1"), DAY - last)
    );
    assert!(!world.reads_after(&old.digest, DAY) && !world.reads_after(&blob("1"), DAY));
    assert!(world.reads_after(&new.digest, DAY));
    world.graph.points(&tag("open"), &old.digest, world.start + DAY);
    assert!(world.reads_after(&old.digest, DAY + DAY / 2), "it was seen again");
}

#[test]
fn a_fallback_tag_lingers_no_longer_than_others() {
    let (app, signature) = (image("config", &["layer"]), signature("signed", None));
    let mut world = World::new(&[&app, &signature])
        .tagged(fallback(&app.digest, ".sig").as_str(), &signature.digest);
    world.graph.points(&tag("open"), &app.digest, world.start + DAY);
    assert!(world.reads_after(&app.digest, DAY));
    assert!(world.reads_after(&signature.digest, DAY - Duration::from_secs(1)));
    assert!(!world.reads_after(&signature.digest, DAY));
}

#[test]
fn another_form_of_a_manifest_replaces_nothing() {
    let (child, converted) = (image("config", &["layer"]), image("docker", &["layer"]));
    let both = index(&[&child]);
    let world =
        World::new(&[&both, &child]).tagged("open", &both.digest).tagged("open", &converted.digest);
    assert!(world.reads(&both.digest) && world.reads(&converted.digest));
}

#[test]
fn own_content_is_ones_own_until_it_has_lingered() {
    let (alice, bob) = (Subject::User("alice".into()), Subject::Service("alice".into()));
    let mut graph = Graph::default();
    let start = start();
    graph.is_pushed(&alice, &blob("x"), start);
    let is_own = |graph: &Graph, who: &Subject, later| {
        graph.is_own(who.into(), &blob("x"), after(start, later))
    };
    assert!(is_own(&graph, &alice, DAY - Duration::from_millis(1)));
    assert!(!is_own(&graph, &alice, DAY));
    assert!(!is_own(&graph, &bob, Duration::ZERO));
    assert!(!graph.is_own((&alice).into(), &blob("y"), after(start, Duration::ZERO)));
    graph.is_pushed(&alice, &blob("x"), start + DAY);
    assert!(is_own(&graph, &alice, DAY), "it was pushed again");
}

#[test]
fn what_was_pushed_with_bounds_is_ones_own_with_these_and_with_none() {
    let bounds = |image: &str| Arc::new(Bounds::new(vec![image.to_owned()], ["all"]).unwrap());
    let whole = Caller::new(Subject::User("alice".into()), Vec::new());
    let [bound, other] =
        ["app:rc-*", "app:v*"].map(|image| Caller { bounds: Some(bounds(image)), ..whole.clone() });
    let mut graph = Graph::default();
    let start = start();
    graph.is_pushed(&bound, &blob("candidate"), start);
    graph.is_pushed(&whole, &blob("version"), start);
    let is_own = |who: &Caller, name: &str| {
        graph.is_own(who.into(), &blob(name), after(start, Duration::ZERO))
    };
    assert_eq!([&whole, &bound, &other].map(|who| is_own(who, "candidate")), [true, true, false]);
    assert_eq!([&whole, &bound, &other].map(|who| is_own(who, "version")), [true, false, false]);
    // Another token with the same bounds is as good.
    assert!(is_own(&Caller { bounds: Some(bounds("app:rc-*")), ..whole.clone() }, "candidate"));
}

#[test]
fn a_fallback_tag_that_a_rule_denies_follows_nothing() {
    let (app, signature) = (image("config", &["layer"]), signature("signed", None));
    let name = fallback(&app.digest, ".sig");
    let world = World::new(&[&app, &signature])
        .tagged("open", &app.digest)
        .tagged(name.as_str(), &signature.digest);
    let reads = |fallback: Sight| {
        let sight = |tag: &Tag| if tag.as_str() == "open" { Sight::Open } else { fallback };
        let clock = after(world.start, Duration::ZERO);
        let walk = &mut Walk::new(1000);
        world.graph.is_vouched_for(&signature.digest, &sight, clock, walk).unwrap()
    };
    assert!(reads(Sight::Open) && reads(Sight::Silent));
    assert!(!reads(Sight::Closed));
}

#[test]
fn a_walk_has_so_many_steps_and_then_ends_with_no_answer() {
    let layers: Vec<_> = (0..50).map(|number| image(&number.to_string(), &["base"])).collect();
    let last = index(&[&layers[0]]);
    let mut samples: Vec<_> = layers.iter().collect();
    samples.push(&last);
    let world = World::new(&samples).tagged("open", &last.digest);
    let clock = after(world.start, Duration::ZERO);
    let sight = |tag: &Tag| if tag.as_str() == "open" { Sight::Open } else { Sight::Closed };
    let walk = |digest: &Digest, steps: usize| {
        let mut walk = Walk::new(steps);
        (world.graph.is_vouched_for(digest, &sight, clock, &mut walk), walk.steps)
    };
    assert_eq!(walk(&last.digest, 1), (Ok(true), 1), "a tag on it costs no step");
    assert_eq!(walk(&blob("base"), 1000), (Ok(true), 949));
    assert_eq!(walk(&blob("base"), 40), (Err(Exhausted), 0));
    assert_eq!(walk(&blob("base"), 0), (Err(Exhausted), 0));
}

#[test]
fn what_was_deleted_is_vouched_for_no_longer() {
    let (one, two) = (image("one", &["1"]), image("two", &["2"]));
    let mut world = World::new(&[&one, &two])
        .tagged("open", &one.digest)
        .tagged("open", &two.digest)
        .tagged("other", &two.digest);
    assert!(world.graph.loses_manifest(&one.digest, world.start));
    assert!(!world.reads(&one.digest) && !world.reads(&blob("1")));
    assert!(world.reads(&blob("2")));
    assert!(world.graph.loses(&tag("other"), world.start, true));
    assert!(world.reads(&blob("2")));
    assert!(world.graph.loses(&tag("open"), world.start, true));
    assert!(!world.reads(&two.digest) && !world.reads(&blob("2")));
    assert!(world.graph.pointers.is_empty());
}

#[test]
fn what_many_share_is_walked_once_for_all_that_is_asked() {
    let names: Vec<String> = (0..20).map(|number| format!("base {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let images: Vec<_> = (0..300).map(|number| image(&number.to_string(), &names)).collect();
    let first = &images[0];
    let world = World::new(&images.iter().collect::<Vec<_>>()).tagged("open", &first.digest);
    let clock = after(world.start, Duration::ZERO);
    let sight = |tag: &Tag| if tag.as_str() == "open" { Sight::Open } else { Sight::Closed };
    let digests: Vec<Digest> = names.iter().map(|name| blob(name)).collect();
    // The one readable image was made first, so it is looked at last.
    let mut walk = Walk::new(300 * names.len() + 1);
    for digest in &digests {
        assert_eq!(world.graph.is_vouched_for(digest, &sight, clock, &mut walk), Ok(true));
    }
    let strange = image("strange", &["strange"]);
    let found = world.graph.is_vouched_for(&strange.digest, &sight, clock, &mut walk);
    assert_eq!(found, Ok(false));
}
