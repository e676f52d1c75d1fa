//! What real clients ask for, request by request: the gate asks the registry for that and for
//! nothing more.

mod body;
mod recorded;
mod replay;
mod repository;

use std::ops::RangeInclusive;

use recorded::{Request, Sequence, Thing, sequences};
use replay::Replay;

use crate::support::client::{Client, Credentials};
use crate::support::gate::Setup;
use crate::support::images::Image;
use crate::support::recorder::Seen;
use crate::support::scene::Scene;

/// One caller with whole repositories, one with some tags of each, and two who may not both create
/// and overwrite.
const POLICY: &str = r#"
rules:
  - name: whole-repositories
    subjects: [user:whole]
    images: ["whole/**"]
    allow: [all]
  - name: some-tags
    subjects: [user:tags]
    images: ["tags/**:{v1,before,new,new2,new3,rt,t2,t9,a,b}"]
    allow: [pull, push, attach]
  - name: no-overwriting
    subjects: [user:creates]
    images: ["creates/**"]
    allow: [pull, create, attach]
  - name: no-creating
    subjects: [user:moves]
    images: ["moves/**"]
    allow: [pull, overwrite]
"#;

const USERS: &[(&str, &[&str])] =
    &[("whole", &[]), ("tags", &[]), ("creates", &[]), ("moves", &[])];

/// Those that pull or push, each once, though some clients do alike.
fn errands() -> Vec<Sequence> {
    let mut errands: Vec<Sequence> = Vec::new();
    for sequence in sequences() {
        // Deletes and artifacts have tests of their own; what was refused is no errand.
        let others = ["delete", "discover", "anon-", "bob-"];
        let is_other = others.iter().any(|other| sequence.name.contains(other));
        let is_errand = sequence.requests.iter().any(|request| {
            is_for_the_registry(request) && request.status < 300 && request.thing != Thing::Catalog
        });
        if is_errand && !is_other && errands.iter().all(|known| known.requests != sequence.requests)
        {
            errands.push(sequence);
        }
    }
    errands
}

/// With a token for all repositories of an errand.
fn signed(scene: &Scene, user: &str, sequence: &Sequence) -> Client {
    let client = scene.client(user);
    let scope = |name| format!("repository:{user}/{}/{name}:pull,push", sequence.name);
    let scopes: Vec<_> = sequence.repositories().into_iter().map(scope).collect();
    let scopes: Vec<_> = scopes.iter().map(String::as_str).collect();
    client.with(Credentials::Bearer(client.token(&scopes)))
}

/// How many requests to the registry one request may cost, if it was sent as this one; `sets_tag`
/// also where the tag is that of what is about an image.
type Costs = fn(request: &Request, sets_tag: bool) -> RangeInclusive<usize>;

/// Replays every errand as `user`. Gives how many requests were sent and how many came out of it.
fn replay(user: &str, costs: Costs) -> [usize; 2] {
    // What the gate looks at by itself is not counted here.
    let quiet = |setup: Setup| setup.setting("inventory", "{crawl: false}");
    let scene = Scene::with(POLICY, USERS, quiet);
    let (registry, anybody) = (scene.registry.client(), scene.gate.anonymous());
    let (mut wrong, mut sent, mut asked) = (Vec::new(), 0, 0);
    for sequence in errands() {
        let caller = signed(&scene, user, &sequence);
        let prefix = format!("{user}/{}", sequence.name);
        let mut errand = Replay::prepare(&sequence, prefix, &registry, &caller);
        for (number, request) in errand.requests().iter().enumerate() {
            // Whoever it is that brings no token: once is enough.
            if user != "whole" && !is_for_the_registry(request) {
                continue;
            }
            let (answer, seen) = scene.recorder.during(|| errand.send(request, &caller, &anybody));
            let lines: Vec<_> = seen.iter().map(Seen::line).collect();
            let place = format!("{} {number}: {request:?}", sequence.name);
            if answer.status != request.status {
                wrong.push(format!("{place} is answered {} {}", answer.status, answer.text()));
            }
            let is_about = lines.iter().any(|line| line.contains("/manifests/sha256-"));
            let sets_tag = request.method == "PUT" && (request.thing.tag().is_some() || is_about);
            if !costs(request, sets_tag).contains(&lines.len()) {
                wrong.push(format!("{place} costs {lines:?}"));
            }
            sent += usize::from(is_for_the_registry(request));
            asked += lines.len();
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    [sent, asked]
}

/// What the gate does not answer by itself: `/v2/`, and whatever comes without a token that covers
/// it.
fn is_for_the_registry(request: &Request) -> bool {
    request.is_signed && request.status != 401 && request.thing != Thing::Ping
}

fn one(request: &Request) -> RangeInclusive<usize> {
    let cost = usize::from(is_for_the_registry(request));
    cost..=cost
}

/// A client that looks for what is not there. The gate may know that by itself.
fn is_look_for_nothing(request: &Request) -> bool {
    request.method == "HEAD"
        && request.status == 404
        && matches!(request.thing, Thing::Blob(_) | Thing::Manifest(_))
}

#[test]
fn with_whole_repositories_each_request_costs_one() {
    let [sent, asked] = replay("whole", |request, _| one(request));
    assert_eq!(sent, asked);
    assert!(sent > 500, "{sent}");
}

#[test]
fn with_some_tags_each_request_costs_one() {
    let [sent, asked] = replay("tags", |request, sets_tag| match one(request) {
        one if is_look_for_nothing(request) => 0..=*one.end(),
        // The tag of what is about an image is set by `attach`, which may only add to it.
        _ if sets_tag && request.thing.tag().is_none() => 2..=2,
        one => one,
    });
    assert!(asked <= sent && asked > sent / 2, "{asked} of {sent}");
}

#[test]
fn who_may_not_overwrite_costs_one_look_for_each_tag_that_is_pushed() {
    replay("creates", |request, sets_tag| match one(request) {
        one if sets_tag => 2 * one.start()..=2 * one.end(),
        one => one,
    });
}

#[test]
fn who_may_not_create_costs_one_look_for_each_tag_that_is_pushed() {
    let scene = Scene::new(POLICY, USERS);
    let [old, new] = ["old", "new"].map(Image::oci);
    let mover = scene.client("moves");
    scene.registry.client().push("moves/app", "v1", &old);
    new.blobs().for_each(|blob| drop(mover.push_blob("moves/app", blob).expect(201)));
    for (tag, status) in [("v1", 201), ("v2", 403)] {
        let push = || mover.put_manifest("moves/app", tag, &new.manifest).expect(status);
        let (_, seen) = scene.recorder.during(push);
        let lines: Vec<_> = seen.iter().map(Seen::line).collect();
        let target = format!("/v2/moves/app/manifests/{tag}");
        let expected = [format!("HEAD {target}"), format!("PUT {target}")];
        assert_eq!(lines, expected[..1 + usize::from(status == 201)]);
    }
}
