//! Lists show what their reader may read, page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::gate::Setup;
use crate::support::images::{Blob, Image, OCI_INDEX, fallback_tag};
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;
use crate::support::upstream::{Reply, Upstream, answer};

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
            let is_number = !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit());
            assert_eq!(status, if is_number { 200 } else { 400 }, "{target}?n={n}");
        }
    }
}

#[test]
fn cursors_are_sealed() {
    let scene = scene();
    let bob = scene.client("bob");
    let next = |answer: &Answer| {
        let link = answer.header("link").unwrap();
        bob.target_of(link.trim_start_matches('<').split_once('>').unwrap().0)
    };
    let target = next(&bob.get("/v2/team/app/tags/list?n=1").expect(200));
    let cursor = target.split_once("cursor=").unwrap().1;
    let unsealed = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    assert!(!String::from_utf8_lossy(&unsealed).contains("team"), "{unsealed:?}");
    assert_eq!(bob.get(&target).expect(200).json()["tags"], json!(["rc-2"]));
    // It is for this reader and this place in this list.
    for forged in [
        target.replacen("cursor=", "cursor=A", 1),
        target.replace("last=rc-1", "last=rc-2"),
        target.replace("team/app/tags/list", "_catalog"),
        format!("/v2/_catalog?cursor={cursor}"),
        "/v2/team/app/tags/list?cursor=x".to_owned(),
    ] {
        let answer = scene.unasked(|| bob.get(&forged));
        assert_eq!(answer.status, 400, "{forged}");
    }
    scene.unasked(|| scene.client("alice").get(&target)).expect(400);
    assert_eq!(
        scene.client("dave").get(&target).status,
        scene.client("dave").get("/v2/team/app/tags/list").status
    );
}

/// An image with an artifact about it, and the fallback tag that says so, as clients make it.
fn attach(scene: &Scene, tag: &str, image: &Image) -> Image {
    let alice = scene.client("alice");
    alice.push("team/app", tag, image);
    let artifact = Image::artifact(tag, &image.manifest);
    alice.push("team/app", artifact.digest(), &artifact);
    let mut entry = artifact.manifest.descriptor();
    entry["artifactType"] = json!("application/vnd.example.sbom");
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]});
    let index = Blob::json(OCI_INDEX, &index);
    alice.put_manifest("team/app", &fallback_tag(image.digest(), ""), &index).expect(201);
    artifact
}

#[test]
fn referrers_show_artifacts_about_what_the_reader_may_read() {
    let scene = scene();
    let (open, hidden) = (Image::oci("open"), Image::oci("hidden"));
    let artifact = attach(&scene, "rc-5", &open);
    attach(&scene, "hidden", &hidden);
    let bob = scene.client("bob");
    bob.get("/v2/team/app/manifests/rc-5").expect(200);
    let at = |digest: &str| format!("/v2/team/app/referrers/{digest}");
    // docker-registry 2.8.2 does not have this address: what clients keep under a tag is shown.
    let answer = bob.get(&at(open.digest())).expect(200);
    assert_eq!(answer.header("content-type"), Some(OCI_INDEX));
    assert_eq!(answer.header("oci-filters-applied"), None);
    let index = answer.json();
    assert_eq!(index["mediaType"], json!(OCI_INDEX));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(index["manifests"][0]["digest"], json!(artifact.digest()));
    for (kind, count) in [("sbom", 1), ("signature", 0)] {
        let target = format!("{}?artifactType=application/vnd.example.{kind}", at(open.digest()));
        let chosen = bob.get(&target).expect(200);
        assert_eq!(chosen.header("oci-filters-applied"), Some("artifactType"));
        assert_eq!(chosen.json()["manifests"].as_array().unwrap().len(), count, "{kind}");
    }
    bob.get(&format!("/v2/team/app/manifests/{}", artifact.digest())).expect(200);
    // What belongs to a hidden image is as hidden as one that is not there, by every address.
    let unknown = Blob::new("x", b"never pushed".to_vec()).digest;
    for user in ["bob", "dave"] {
        let client = scene.client(user);
        let shape = |target: &str, digest: &str| {
            client.get(target).shape(digest).1.replace(&fallback_tag(digest, ""), "…")
        };
        let answer = client.get(&at(hidden.digest()));
        assert!(matches!(answer.status, 403 | 404), "{user}: {answer:?}");
        assert_eq!(shape(&at(hidden.digest()), hidden.digest()), shape(&at(&unknown), &unknown));
        let tag = |digest: &str| format!("/v2/team/app/manifests/{}", fallback_tag(digest, ""));
        assert_ne!(client.get(&tag(hidden.digest())).status, 200, "{user}");
        assert_eq!(shape(&tag(hidden.digest()), hidden.digest()), shape(&tag(&unknown), &unknown));
    }
    // The tags that belong to images are shown with them.
    let tags = bob.tags("team/app");
    assert!(tags.contains(&fallback_tag(open.digest(), "")), "{tags:?}");
    assert!(!tags.contains(&fallback_tag(hidden.digest(), "")), "{tags:?}");
    // An image that nothing was attached to: the registry itself says that it has no referrers, so
    // that clients go on to make the tag.
    let bare = Image::oci("lists");
    let straight = scene.registry.client().get(&at(bare.digest()));
    let through = scene.client("alice").get(&at(bare.digest()));
    assert_eq!((through.status, through.text()), (straight.status, straight.text()));
}

#[test]
fn head_of_a_list_is_its_get_without_the_body() {
    let scene = scene();
    let open = Image::oci("open");
    attach(&scene, "rc-5", &open);
    let bob = scene.client("bob");
    bob.get("/v2/team/app/manifests/rc-5").expect(200);
    let referrers = format!("/v2/team/app/referrers/{}", open.digest());
    for target in
        ["/v2/team/app/tags/list", "/v2/team/app/tags/list?n=1", "/v2/_catalog", &referrers]
    {
        let (get, head) = (bob.get(target).expect(200), bob.head(target).expect(200));
        assert!(head.body.is_empty());
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{target} {name}");
        }
        assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()), "{target}");
        assert_eq!(head.header("link").is_some(), get.header("link").is_some(), "{target}");
    }
    let absent = bob.head("/v2/zoo/hidden/tags/list");
    assert_eq!(absent.status, bob.get("/v2/zoo/hidden/tags/list").status);
}

/// More tags than one page of the gate has, in a registry that has no pages of tags and gives them
/// in the order of its disk.
#[test]
fn clients_find_every_tag_page_by_page_and_none_that_is_hidden() {
    let scene = scene();
    let count = 10_050;
    scene.registry.add_tags("team/app", "a", (0..count).map(|number| format!("rc-x{number:05}")));
    scene.registry.add_tags("team/app", "a", (0..500).map(|number| format!("secret-{number}")));
    let expected = |mut tags: Vec<String>| {
        tags.sort();
        let own = ["rc-1", "rc-2", "rc-3", "rc-4"].map(str::to_owned);
        let all: Vec<_> =
            own.into_iter().chain((0..count).map(|number| format!("rc-x{number:05}"))).collect();
        assert_eq!(tags.len(), all.len());
        assert_eq!(tags, all);
    };
    let bob = scene.client("bob");
    let pages = pages(&bob, "/v2/team/app/tags/list", "tags");
    let sizes: Vec<_> = pages.iter().map(|(entries, _)| entries.len()).collect();
    assert_eq!(sizes, [10_000, 54]);
    assert!(entries(&pages).is_sorted());
    expected(entries(&pages));
    let list = Skopeo::signed_in(&scene.gate, "bob").list("team/app").ok();
    let list: Value = serde_json::from_str(&list.out).unwrap();
    expected(serde_json::from_value(list["Tags"].clone()).unwrap());
}

/// An upstream with a million tags and no pages.
#[test]
fn a_million_tags_take_no_more_memory_than_a_thousand() {
    let tags = |count: u32| {
        let names = (0..count).rev().map(|n| format!("\"rc-{n:07}-of-a-list-without-pages\""));
        let names = names.collect::<Vec<_>>().join(",");
        format!("{{\"name\":\"x\",\"tags\":[{names}]}}").into_bytes()
    };
    let (small, large) = (tags(1000), tags(1_000_000));
    assert!(large.len() > 30 << 20);
    let upstream = Upstream::start(move |head| {
        let body = match head.split(' ').nth(1).unwrap() {
            target if target.starts_with("/v2/team/app/tags/list") => &large,
            target if target.starts_with("/v2/team/small/tags/list") => &small,
            _ => return Reply::Whole(answer("200 OK", "", b"{}")),
        };
        Reply::Whole(answer("200 OK", "Content-Type: application/json\r\n", body))
    });
    let gate = Setup::new(&upstream.url(), POLICY).user("alice", &[]).user("bob", &[]).start();
    let alice = gate.client("alice");
    alice.get("/v2/team/small/tags/list").expect(200);
    // For the token, which costs a password.
    alice.get("/v2/team/app/manifests/v1");
    let before = gate.memory();
    for (query, shown) in [("?n=3", 3), ("", 10_000)] {
        let list = alice.get(&format!("/v2/team/app/tags/list{query}")).expect(200);
        let list = list.json()["tags"].as_array().unwrap().clone();
        assert_eq!(list.len(), shown, "{query}");
        assert_eq!(list[0], "rc-0000000-of-a-list-without-pages");
    }
    let growth = gate.peak_memory().saturating_sub(before);
    assert!(growth < 16 << 20, "{growth} bytes");
}
