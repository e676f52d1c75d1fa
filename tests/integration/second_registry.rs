//! What can only be seen in front of a registry that does more, or less, than docker-registry does:
//! it indexes what is about an image, and keeps no account of which repository a blob belongs to.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::ferro::Ferro;
use crate::support::gate::{Gate, Setup};
use crate::support::images::{Blob, Image, OCI_MANIFEST, manifest, sha256};

/// bob may read one release; eve may sign it; mallory develops beside it.
const POLICY: &str = r#"
rules:
  - name: owner
    subjects: [user:alice]
    images: ["**"]
    allow: [all]
  - name: one-release
    subjects: [user:bob]
    images: ["team/app:v1"]
    allow: [pull]
  - name: signer
    subjects: [user:eve]
    images: ["team/app:v1"]
    allow: [pull, attach]
  - name: developer
    subjects: [user:mallory]
    images: ["team/app:dev-*"]
    allow: [pull, push]
"#;

struct Stage {
    gate: Gate,
    registry: Ferro,
    v1: Image,
    secret: Image,
}

fn stage() -> Stage {
    let registry = Ferro::start();
    let mut setup = Setup::new(&format!("http://{}", registry.address()), POLICY);
    for user in ["alice", "bob", "eve", "mallory"] {
        setup = setup.user(user, &[]);
    }
    let gate = setup.setting("inventory", "{crawl: false}").start();
    let (v1, secret) = (Image::oci("v1"), Image::oci("secret"));
    let alice = gate.client("alice");
    alice.push("team/app", "v1", &v1);
    alice.push("team/app", "prod", &secret);
    Stage { gate, registry, v1, secret }
}

/// What a list of referrers names.
fn named(client: &Client, target: &str) -> Vec<String> {
    let index = client.get(target).expect(200).json();
    assert_eq!(index["mediaType"], json!("application/vnd.oci.image.index.v1+json"));
    let digest = |entry: &Value| entry["digest"].as_str().unwrap().to_owned();
    index["manifests"].as_array().unwrap().iter().map(digest).collect()
}

fn referrers(digest: &str) -> String {
    format!("/v2/team/app/referrers/{digest}")
}

#[test]
fn referrers_are_for_who_may_read_the_image_and_only_artifacts_are_shown() {
    let stage = stage();
    let Stage { gate, v1, secret, .. } = &stage;
    let (alice, bob) = (gate.client("alice"), gate.client("bob"));
    let (about, about_secret) =
        (Image::artifact("about v1", &v1.manifest), Image::artifact("about", &secret.manifest));
    alice.push("team/app", about.digest(), &about);
    alice.push("team/app", about_secret.digest(), &about_secret);
    // An image that says it is about another is no artifact, and opens nothing of itself.
    let posing = manifest(OCI_MANIFEST, &secret.config, &secret.layers, Some(&v1.manifest));
    alice.put_manifest("team/app", &posing.digest, &posing).expect(201);

    assert_eq!(named(&alice, &referrers(v1.digest())).len(), 2);
    assert_eq!(named(&bob, &referrers(v1.digest())), [about.digest()]);
    bob.get(&format!("/v2/team/app/manifests/{}", about.digest())).expect(200);
    bob.get(&format!("/v2/team/app/blobs/{}", about.layers[0].digest)).expect(200);
    bob.get(&format!("/v2/team/app/manifests/{}", posing.digest)).expect(404);
    bob.get(&format!("/v2/team/app/blobs/{}", secret.layers[0].digest)).expect(404);

    let of_type = |kind| format!("{}?artifactType={kind}", referrers(v1.digest()));
    let sboms = bob.get(&of_type("application/vnd.example.sbom")).expect(200);
    assert_eq!(sboms.header("oci-filters-applied"), Some("artifactType"));
    assert_eq!(sboms.json()["manifests"].as_array().map(Vec::len), Some(1));
    assert!(named(&bob, &of_type("application/vnd.example.none")).is_empty());

    let never = sha256(b"never pushed");
    let [hidden, absent] = [secret.digest(), &never].map(|digest| {
        let answer = bob.get(&referrers(digest));
        assert_ne!(answer.status, 200);
        answer.shape(digest)
    });
    assert_eq!(hidden, absent);
    bob.get(&format!("/v2/team/app/manifests/{}", about_secret.digest())).expect(404);
}

#[test]
fn nobody_without_the_right_to_attach_adds_to_the_referrers_of_an_image() {
    let stage = stage();
    let Stage { gate, v1, secret, .. } = &stage;
    let (alice, eve, mallory) = (gate.client("alice"), gate.client("eve"), gate.client("mallory"));
    eve.get("/v2/team/app/manifests/v1").expect(200);
    for (client, image, status) in
        [(&eve, v1, 201), (&eve, secret, 403), (&mallory, v1, 403), (&mallory, secret, 403)]
    {
        let artifact = Image::artifact(&format!("{status} {}", image.digest()), &image.manifest);
        artifact.blobs().for_each(|blob| drop(client.push_blob("team/app", blob).expect(201)));
        let answer = client.put_manifest("team/app", artifact.digest(), &artifact.manifest);
        let added = answer.expect(status).header("oci-subject").map(str::to_owned);
        assert_eq!(added.as_deref(), (status == 201).then_some(image.digest()));
    }
    assert_eq!(named(&alice, &referrers(v1.digest())).len(), 1);
    assert!(named(&alice, &referrers(secret.digest())).is_empty());
}

#[test]
fn a_blob_is_readable_where_it_belongs_although_the_registry_gives_it_out_anywhere() {
    let stage = stage();
    let Stage { gate, registry, v1, .. } = &stage;
    let (alice, bob, mallory) = (gate.client("alice"), gate.client("bob"), gate.client("mallory"));
    let shared = Blob::new("", b"in another repository alone".to_vec());
    alice.push_blob("other/app", &shared).expect(201);
    let target = format!("/v2/team/app/blobs/{}", shared.digest);
    // This registry does not keep repositories apart; so the gate has to.
    Client::plain(registry.address()).get(&target).expect(200);
    for client in [&bob, &mallory] {
        client.get("/v2/team/app/manifests/v1");
        client.get(&target).expect(404);
        client.head(&target).expect(404);
        client.get(&format!("/v2/other/app/blobs/{}", shared.digest)).expect(403);
    }
    bob.get(&format!("/v2/team/app/blobs/{}", v1.layers[0].digest)).expect(200);
}
