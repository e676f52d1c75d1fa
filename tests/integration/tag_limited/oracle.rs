//! Nothing tells what is denied from what is not there: not the status, not a header, not a word of
//! the body, and not what the registry is asked for.

use std::collections::BTreeMap;

use super::{POLICY, USERS};
use crate::support::client::{Answer, Ask, Client};
use crate::support::images::{Image, OCI_MANIFEST, fallback_tag, manifest};
use crate::support::recorder::Seen;
use crate::support::scene::Scene;

/// wanda works on everything but what is in production.
const ALL_BUT: &str = r#"
  - name: all-of-it
    subjects: [user:wanda]
    images: ["team/app"]
    allow: [pull, push, delete]
  - name: but-for-production
    subjects: [user:wanda]
    images: ["team/app:prod-*"]
    deny: [pull, push, delete]
"#;

/// Of each of the two.
const SAMPLES: usize = 25;

/// All of an answer that its reader could learn from, without what tells requests apart.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    reason: String,
    headers: BTreeMap<String, String>,
    body: String,
    /// What the registry was asked for, as long answers are told by their time.
    cost: usize,
}

fn told(answer: &Answer, seen: &[Seen], image: &Image) -> Told {
    let id = answer.header("x-request-id").unwrap();
    let same = |text: &str| {
        // An upload's location is sealed anew each time.
        let text = text.split_inclusive("/blobs/uploads/").next().unwrap_or(text);
        image.all().fold(text.replace(id, "…"), |text, blob| {
            let tag = fallback_tag(&blob.digest, "");
            // On the status line it may be cut.
            let text = text.replace(&blob.digest, "…").replace(&tag, "…");
            text.split(&tag[..20]).next().unwrap_or_default().to_owned()
        })
    };
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value));
    // The number of a request and the name of an upload have more digits or fewer.
    let is_said = |name: &&str| {
        !["date", "x-request-id", "docker-upload-uuid", "content-length"].contains(name)
    };
    let headers = headers.filter(|(name, _)| is_said(name));
    Told {
        status: answer.status,
        reason: same(&answer.reason),
        headers: headers
            .map(|(name, value)| (name.to_owned(), same(value.to_str().unwrap())))
            .collect(),
        body: same(&answer.text()),
        cost: seen.len(),
    }
}

/// One way, in words and as a request.
type Way = (&'static str, fn(&Client, &Image) -> Answer);

/// Every way to ask after an image, or a layer of it, that is not for the caller.
fn ways(user: &str) -> Vec<Way> {
    let mut ways: Vec<Way> = vec![
        ("its manifest", |client, image| client.get(&manifest_of(image))),
        ("HEAD of its manifest", |client, image| client.head(&manifest_of(image))),
        ("its manifest, if it is new", |client, image| {
            let etag = format!("\"{}\"", image.digest());
            client.send("GET", &manifest_of(image), &Ask::headers(&[("if-none-match", &etag)]))
        }),
        ("its config", |client, image| client.get(&blob_of(&image.config.digest))),
        ("its layer", |client, image| client.get(&blob_of(&image.layers[0].digest))),
        ("HEAD of its layer", |client, image| client.head(&blob_of(&image.layers[1].digest))),
        ("a part of its layer", |client, image| {
            let target = blob_of(&image.layers[1].digest);
            client.send("GET", &target, &Ask::headers(&[("range", "bytes=0-3")]))
        }),
        ("its manifest as a blob", |client, image| client.get(&blob_of(image.digest()))),
        ("its referrers", |client, image| {
            client.get(&format!("/v2/team/app/referrers/{}", image.digest()))
        }),
        ("what is about it", |client, image| {
            client.get(&format!("/v2/team/app/manifests/{}", fallback_tag(image.digest(), ".sig")))
        }),
        ("to delete it", |client, image| client.delete(&manifest_of(image))),
        ("to delete its layer", |client, image| client.delete(&blob_of(&image.layers[0].digest))),
    ];
    if user == "bob" {
        ways.push(("to mount its layer", |client, image| {
            let digest = &image.layers[0].digest;
            let target = format!("/v2/home/bob/blobs/uploads/?mount={digest}&from=team/app");
            client.send("POST", &target, &Ask::default())
        }));
    }
    if ["mallory", "wanda"].contains(&user) {
        ways.push(("to name its layer", |client, image| {
            let named = manifest(OCI_MANIFEST, &image.config, &image.layers, None);
            client.put_manifest("team/app", "dev-named", &named)
        }));
    }
    ways
}

fn manifest_of(image: &Image) -> String {
    format!("/v2/team/app/manifests/{}", image.digest())
}

fn blob_of(digest: &str) -> String {
    format!("/v2/team/app/blobs/{digest}")
}

#[test]
fn what_is_denied_reads_as_what_is_not_there_in_every_way() {
    // What was looked up once need not be looked up again before the end.
    let more = |setup: crate::support::gate::Setup| {
        setup.setting("inventory", "{crawl: false, freshness: 24h}")
    };
    let policy = format!("{}\n{}", POLICY.trim_end(), ALL_BUT.trim_start_matches('\n'));
    let users = [USERS, &[("wanda", &[][..])]].concat();
    let scene = Scene::with(&policy, &users, more);
    let owner = scene.registry.client();
    owner.push("team/app", "v1", &Image::oci("v1"));
    let pairs: Vec<_> = (0..SAMPLES)
        .map(|n| {
            let [there, absent] =
                ["there", "absent"].map(|word| Image::oci(&format!("{word} {n}")));
            owner.push("team/app", &format!("prod-{n}"), &there);
            (there, absent)
        })
        .collect();
    let mut differences = Vec::new();
    for (user, _) in users.iter().filter(|(user, _)| !["alice", "cora"].contains(user)) {
        let client = scene.client(user);
        for (way, ask) in ways(user) {
            // Whatever is found out at first is found out now.
            ask(&client, &Image::oci(&format!("{user} {way}")));
            for (number, (there, absent)) in pairs.iter().enumerate() {
                let told = |image| {
                    let (answer, seen) = scene.recorder.during(|| ask(&client, image));
                    told(&answer, &seen, image)
                };
                // Neither comes always first.
                let (denied, nothing) = if number % 2 == 0 {
                    let denied = told(there);
                    (denied, told(absent))
                } else {
                    let nothing = told(absent);
                    (told(there), nothing)
                };
                if denied != nothing {
                    differences.push(format!("{user}, {way}:\n  {denied:?}\n  {nothing:?}"));
                    break;
                }
                assert!(!(200..=201).contains(&denied.status), "{user}, {way}: {denied:?}");
            }
        }
        for method in ["GET", "HEAD", "DELETE"] {
            let ask = |tag: &str| {
                let target = format!("/v2/team/app/manifests/{tag}");
                let answer = scene.unasked(|| client.send(method, &target, &Ask::default()));
                answer.shape(tag)
            };
            assert_eq!(ask("prod-1"), ask("prod-never"), "{method} as {user}");
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
