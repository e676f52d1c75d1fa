//! Lists show what their reader may read, page by page.

use serde_json::{Value, json};

use crate::support::client::{Ask, Client};
use crate::support::images::{Blob, Image};
use crate::support::scene::Scene;

/// bob sees `rc-*` of one repository; carol all of another; dave nothing.
const POLICY: &str = r#"
rules:
  - name: owner
    subjects: [user:alice]
    images: ["**"]
    allow: [pull, push, attach, delete]
  - name: candidates
    subjects: [user:bob]
    images: ["team/app:rc-*"]
    allow: [pull]
  - name: tools
    subjects: [user:carol]
    images: ["tools/**"]
    allow: [pull]
"#;

const USERS: &[(&str, &[&str])] = &[("alice", &[]), ("bob", &[]), ("carol", &[]), ("dave", &[])];

fn scene() -> Scene {
    let scene = Scene::new(POLICY, USERS);
    let alice = scene.client("alice");
    let image = Image::oci("lists");
    alice.push("team/app", "rc-1", &image);
    for tag in ["a", "b", "rc-2", "rc-3", "rc-4", "s", "z"] {
        alice.put_manifest("team/app", tag, &image.manifest).expect(201);
    }
    for repository in ["tools/a", "tools/b", "zoo/hidden"] {
        alice.push(repository, "v1", &image);
    }
    scene
}

/// Follows `Link` to the end and gives each page's entries with the link behind it.
fn pages(client: &Client, target: &str, field: &str) -> Vec<(Vec<String>, Option<String>)> {
    let (mut pages, mut next) = (Vec::new(), Some(target.to_owned()));
    while let Some(target) = next {
        assert!(pages.len() < 50, "the pages have no end: {pages:?}");
        let answer = client.get(&target).expect(200);
        let link = answer.header("link").map(str::to_owned);
        next = link.as_deref().map(|link| {
            let (url, parameters) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
            assert!(parameters.replace(' ', "").contains("rel=\"next\""), "{link}");
            client.target_of(url)
        });
        let entries: Vec<String> = serde_json::from_value(answer.json()[field].clone()).unwrap();
        pages.push((entries, link));
    }
    pages
}

fn entries(pages: &[(Vec<String>, Option<String>)]) -> Vec<String> {
    pages.iter().flat_map(|(entries, _)| entries.clone()).collect()
}

#[test]
fn tags_are_those_that_the_reader_may_pull() {
    let scene = scene();
    assert_eq!(scene.client("bob").tags("team/app"), ["rc-1", "rc-2", "rc-3", "rc-4"]);
    assert_eq!(scene.client("alice").tags("team/app").len(), 8);
    let answer = scene.client("bob").get("/v2/team/app/tags/list").json();
    assert_eq!(answer["name"], "team/app");
}

#[test]
fn pages_of_tags_are_full_and_name_nothing_hidden() {
    let scene = scene();
    let bob = scene.client("bob");
    for n in 1..=5 {
        let pages = pages(&bob, &format!("/v2/team/app/tags/list?n={n}"), "tags");
        assert_eq!(entries(&pages), ["rc-1", "rc-2", "rc-3", "rc-4"], "n={n}");
        for (entries, link) in &pages {
            assert!(entries.len() <= n);
            assert!(link.is_none() || entries.len() == n, "a page that is not full: {entries:?}");
            let link = link.clone().unwrap_or_default();
            for hidden in ["last=a&", "last=b&", "last=s&", "last=z&", "=s>", "=z>"] {
                assert!(!link.contains(hidden), "{link}");
            }
        }
    }
    let after =
        |last: &str| pages(&bob, &format!("/v2/team/app/tags/list?n=2&last={last}"), "tags");
    assert_eq!(entries(&after("rc-2")), ["rc-3", "rc-4"]);
    assert_eq!(entries(&after("b")), ["rc-1", "rc-2", "rc-3", "rc-4"]);
    assert_eq!(entries(&after("rc-4")), Vec::<String>::new());
}

#[test]
fn a_repository_without_a_visible_tag_reads_like_one_that_is_not_there() {
    let scene = scene();
    let shape = |client: &Client, repository: &str| {
        client.get(&format!("/v2/{repository}/tags/list")).shape(repository)
    };
    let bob = scene.client("bob");
    let (there, absent) = (shape(&bob, "zoo/hidden"), shape(&bob, "zoo/absent"));
    assert_eq!(there, absent);
    assert!(matches!(there.0, 403 | 404), "{there:?}");
}

#[test]
fn the_catalogue_shows_what_its_reader_may_read() {
    let scene = scene();
    for (user, expected) in [
        ("alice", &["team/app", "tools/a", "tools/b", "zoo/hidden"][..]),
        ("bob", &["team/app"]),
        ("carol", &["tools/a", "tools/b"]),
        ("dave", &[]),
    ] {
        let client = scene.client(user);
        for n in ["", "?n=1", "?n=2", "?n=100"] {
            let pages = pages(&client, &format!("/v2/_catalog{n}"), "repositories");
            assert_eq!(entries(&pages), expected, "{user} {n}");
            for (_, link) in pages {
                assert!(!link.unwrap_or_default().contains("hidden") || user == "alice");
            }
        }
    }
    scene.unasked(|| scene.gate.anonymous().get("/v2/_catalog")).expect(401);
}

#[test]
fn any_number_of_entries_may_be_asked_for() {
    let scene = scene();
    let alice = scene.client("alice");
    for target in ["/v2/team/app/tags/list", "/v2/_catalog"] {
        for n in [
            "0",
            "1",
            "2147483647",
            "4294967295",
            "4294967296",
            "99999999999999999999",
            "-1",
            "x",
            "",
        ] {
            let status = alice.get(&format!("{target}?n={n}")).status;
            assert!(matches!(status, 200 | 400), "{target}?n={n}: {status}");
        }
    }
}

#[test]
fn cursors_are_sealed() {
    let scene = scene();
    let bob = scene.client("bob");
    let first = bob.get("/v2/team/app/tags/list?n=1").expect(200);
    let link = first.header("link").unwrap();
    let target = bob.target_of(link.trim_start_matches('<').split_once('>').unwrap().0);
    if target.contains("cursor=") {
        let forged = target.replacen("cursor=", "cursor=A", 1);
        assert!(matches!(bob.get(&forged).status, 400 | 404), "{forged}");
    }
    // What another reader was given opens nothing more.
    assert_eq!(
        scene.client("dave").get(&target).status,
        scene.client("dave").get("/v2/team/app/tags/list").status
    );
}

#[test]
fn referrers_show_artifacts_about_what_the_reader_may_read() {
    let scene = scene();
    let alice = scene.client("alice");
    let subject = Image::oci("lists");
    let artifact = Image::artifact("sbom", &subject.manifest);
    alice.push("team/app", artifact.digest(), &artifact);
    let target = format!("/v2/team/app/referrers/{}", subject.digest());
    let answer = alice.get(&target);
    // docker-registry 2.8.2 does not have this address; clients fall back to tags then.
    assert!(matches!(answer.status, 200 | 404), "{answer:?}");
    if answer.status == 200 {
        assert_eq!(answer.json()["mediaType"], json!("application/vnd.oci.image.index.v1+json"));
    }
    let unknown = Blob::new("x", b"never pushed".to_vec()).digest;
    let hidden = scene.client("dave").get(&target);
    let absent = scene.client("dave").get(&format!("/v2/team/app/referrers/{unknown}"));
    assert_eq!(hidden.shape(subject.digest()), absent.shape(&unknown));
}

#[test]
fn head_of_a_list_is_its_get_without_the_body() {
    let scene = scene();
    let bob = scene.client("bob");
    let target = "/v2/team/app/tags/list";
    let (get, head) = (bob.get(target).expect(200), bob.send("HEAD", target, &Ask::default()));
    if head.status == 200 {
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-type"), get.header("content-type"));
    } else {
        head.expect(405);
    }
    let _: Value = get.json();
}
