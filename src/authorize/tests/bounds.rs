//! A credential that is bound to images and actions: what it does not reach it neither reads nor
//! writes, by whatever address.

use policy::Bounds;

use super::*;
use crate::content::samples::image_about;

/// The same caller with a credential for so much.
fn bound(name: &str, images: &[&str], actions: &[&str]) -> Principal {
    let images = images.iter().map(ToString::to_string).collect();
    let bounds = Bounds::new(images, actions).unwrap();
    let caller = Caller { bounds: Some(Arc::new(bounds)), ..user(name).caller };
    Principal { caller, ..user(name) }
}

/// Requests of every kind, by tag, digest, child and blob.
const REQUESTS: [&str; 32] = [
    "GET team/app/manifests/v2",
    "HEAD team/app/manifests/v2",
    "GET team/app/manifests/dev",
    "HEAD team/app/manifests/dev",
    "GET team/app/manifests/FALLBACK",
    "GET team/app/manifests/MULTI",
    "HEAD team/app/manifests/ARM",
    "GET team/app/manifests/TWO",
    "GET team/app/manifests/THREE",
    "GET team/app/manifests/SIGNATURE",
    "GET team/app/manifests/COSIGNED",
    "GET team/app/manifests/DEV",
    "HEAD team/app/manifests/DEV",
    "GET team/app/manifests/DEV-MULTI",
    "GET team/app/manifests/HIDDEN",
    "GET team/app/manifests/DEV-SIGNATURE",
    "GET team/app/manifests/LOOSE",
    "GET team/app/manifests/OWN",
    "GET team/app/blobs/BASE-LAYER",
    "GET team/app/blobs/SIGNED",
    "GET team/app/blobs/DEV-LAYER",
    "HEAD team/app/blobs/DEV-LAYER",
    "GET team/app/referrers/TWO",
    "GET team/app/referrers/DEV",
    "GET team/app/tags/list",
    "GET team/other/tags/list",
    "GET team/other/manifests/v1",
    "POST team/app/blobs/uploads/",
    "DELETE team/app/manifests/v2",
    "DELETE team/app/manifests/dev",
    "DELETE team/app/manifests/TWO",
    "DELETE team/app/blobs/BASE-LAYER",
];

const PUTS: [&str; 5] = [
    "PUT team/app/manifests/v99",
    "PUT team/app/manifests/v2",
    "PUT team/app/manifests/dev",
    "PUT team/app/manifests/FALLBACK",
    "PUT team/other/manifests/v1",
];

/// Manifests that everybody could push, with a subject and without one.
fn pushable(world: &World) -> [Sample; 4] {
    let subject = |of: &Sample| image_about("own config", &["own layer"], Some(&of.digest));
    [
        image("own config", &["own layer"]),
        signature("note", None),
        subject(&world.content.two),
        subject(&world.content.dev),
    ]
}

/// What somebody is told of everything, with what it has pushed with that credential.
async fn everything(world: &World, who: &Principal) -> Vec<(String, String)> {
    for name in ["{}", "note", "own config", "own layer"] {
        world.inventory.saw_push(&repository("team/app"), &who.caller, &blob(name), world.now);
    }
    let mut told = Vec::new();
    for request in REQUESTS {
        told.push((request.to_owned(), world.ask(who, request).await));
    }
    for request in PUTS {
        for (number, sample) in pushable(world).iter().enumerate() {
            told.push((format!("{request} #{number}"), world.put(who, request, sample).await));
        }
    }
    told
}

fn is_permitted(outcome: &str) -> bool {
    !outcome.starts_with(|first: char| first.is_ascii_digit())
}

#[tokio::test]
async fn a_credential_for_some_tags_reads_what_these_vouch_for() {
    let world = World::new().await;
    let token = bound("a-whole", &["team/app:v*"], &["pull"]);
    let mut permitted = Vec::new();
    for request in REQUESTS {
        let outcome = world.ask(&token, request).await;
        if is_permitted(&outcome) {
            permitted.push(format!("{request}: {outcome}"));
        }
    }
    insta::assert_snapshot!(permitted.join("\n"), @"
    GET team/app/manifests/v2: plain, by CALLER
    HEAD team/app/manifests/v2: plain, by CALLER
    GET team/app/manifests/FALLBACK: artifact only
    GET team/app/manifests/MULTI: plain
    HEAD team/app/manifests/ARM: plain
    GET team/app/manifests/TWO: plain
    GET team/app/manifests/THREE: plain
    GET team/app/manifests/SIGNATURE: plain
    GET team/app/manifests/COSIGNED: plain
    GET team/app/blobs/BASE-LAYER: plain
    GET team/app/blobs/SIGNED: plain
    GET team/app/referrers/TWO: plain
    GET team/app/tags/list: plain
    ");
    assert_eq!(
        world.ask(&token, "GET team/app/manifests/dev").await,
        "403 DENIED: pull of team/app:dev is denied: the token does not reach as far as `pull` on \
         team/app:dev: it is bound to pull on `team/app:v*`"
    );
    assert_eq!(
        world.ask(&token, "GET team/app/manifests/DEV").await,
        "404 MANIFEST_UNKNOWN: manifest unknown"
    );
}

#[tokio::test]
async fn a_credential_for_some_tags_is_as_good_as_a_rule_for_them() {
    let world = World::new().await;
    let token = bound("a-whole", &["team/app:v*", "team/other"], &["all"]);
    let by_bounds = everything(&world, &token).await;
    let by_rule = everything(&world, &user("b-tags")).await;
    for ((request, bound), (_, ruled)) in by_bounds.iter().zip(&by_rule) {
        let start = |outcome: &str| outcome.split(", by").next().unwrap()[..4].to_owned();
        assert_eq!(
            (is_permitted(bound), start(bound)),
            (is_permitted(ruled), start(ruled)),
            "{request}\n{bound}\n{ruled}"
        );
    }
    let permitted = by_bounds.iter().filter(|(_, outcome)| is_permitted(outcome)).count();
    assert!((15..by_bounds.len() - 15).contains(&permitted), "{permitted}");
}

#[tokio::test]
async fn no_bounds_gain_anything() {
    let images = [&["**"][..], &["team/app:v*"], &["team/*:dev*", "team/other"]];
    let actions = [&["all"][..], &["pull", "attach"], &["overwrite", "delete"]];
    let mut narrower = 0;
    for who in ["a-whole", "c-but", "g-attach"] {
        let whole = everything(&World::new().await, &user(who)).await;
        for images in images {
            for actions in actions {
                let token = bound(who, images, actions);
                let bounded = everything(&World::new().await, &token).await;
                for ((request, bounded), (_, whole)) in bounded.iter().zip(&whole) {
                    assert!(
                        !is_permitted(bounded) || is_permitted(whole),
                        "{who} {images:?} {actions:?} {request}\n{bounded}\n{whole}"
                    );
                    narrower += usize::from(is_permitted(whole) && !is_permitted(bounded));
                }
            }
        }
    }
    assert!(narrower > 200, "{narrower}");
}

#[tokio::test]
async fn what_one_pushed_elsewhere_a_bound_credential_does_not_read() {
    let world = World::new().await;
    let app = repository("team/app");
    let token = bound("a-whole", &["team/app:v*"], &["pull", "push"]);
    world.inventory.saw_push(&app, &user("a-whole").caller, &blob("own"), world.now);
    for request in ["GET team/app/manifests/OWN", "GET team/app/blobs/OWN"] {
        assert!(world.ask(&token, request).await.starts_with("404"), "{request}");
    }
    world.inventory.saw_push(&app, &token.caller, &blob("own"), world.now);
    assert_eq!(world.ask(&token, "GET team/app/blobs/OWN").await, "plain");
    assert_eq!(world.ask(&user("a-whole"), "GET team/app/blobs/OWN").await, "plain");
}

#[tokio::test]
async fn nothing_is_mounted_from_beyond_the_bounds() {
    let world = World::new().await;
    let request = "POST team/other/blobs/uploads/?mount=DEV-LAYER&from=team/app";
    let an_upload = "plain, as /v2/team/other/blobs/uploads/";
    assert_eq!(world.ask(&user("a-whole"), request).await, "plain");
    for images in [&["team/other"][..], &["team/other", "team/app:v*"]] {
        assert_eq!(world.ask(&bound("a-whole", images, &["all"]), request).await, an_upload);
    }
    let there = bound("a-whole", &["team/app"], &["all"]);
    assert!(world.ask(&there, request).await.starts_with("403 DENIED"));
}

#[tokio::test]
async fn the_right_to_attach_holds_beside_the_right_to_create() {
    let mut world = World::new().await;
    world.policy = policy(
        r#"
rules:
  - {name: who, subjects: ["user:who"], images: ["team/app"], allow: [pull, create, attach]}
"#,
    );
    let app = repository("team/app");
    let another = signature("note", Some(&world.content.two.digest));
    let one = index(&[&world.content.signature]);
    let (more, other) = (index(&[&world.content.signature, &another]), index(&[&another]));
    let image = image("own config", &[]);
    world.inventory.saw_manifest(&app, &another.digest, &another.manifest);
    let shelf = world.content.shelf().untagged("team/app", &another);
    *world.shelf.lock().unwrap() = shelf.tagged("team/app", &world.content.fallback(), &one);
    let attach = bound("who", &["team/app"], &["pull", "attach"]);
    for who in [&user("who"), &attach] {
        world.inventory.saw_push(&app, &who.caller, &blob("own config"), world.now);
        let request = "PUT team/app/manifests/FALLBACK";
        let told = world.put(who, request, &more).await;
        assert!(told.starts_with("manifest, lock alone"), "{told}");
        let told = world.put(who, request, &other).await;
        assert!(told.contains("would take something away"), "{told}");
        let told = world.put(who, request, &image).await;
        assert!(told.contains("the action `attach` is for signatures"), "{told}");
        let versions = world.put(who, "PUT team/app/manifests/v2", &image).await;
        assert!(versions.starts_with("403 DENIED"), "{versions}");
    }
    // What does not exist yet is for whoever may create: anything, and not for the other.
    let request = format!("PUT team/app/manifests/{}", world.content.fallback_of(&image));
    assert!(is_permitted(&world.put(&user("who"), &request, &image).await));
    assert!(!is_permitted(&world.put(&attach, &request, &image).await));
}
