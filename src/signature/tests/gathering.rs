use std::collections::BTreeMap;

use oci::{Digest, RepositoryName};
use serde_json::{Value, json};

use crate::content::samples;
use crate::inventory::Budget;
use crate::signature::sample::{
    Pair, bundle_manifest, bundle_of, digest, payload, signature_manifest, simple_layer, statement,
    trusted,
};
use crate::signature::{Found, MAX_CONTENT, MAX_LAYERS, signatures, signers};
use crate::upstream::Error;
use crate::upstream::fake::{Fake, Reply};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A registry that has one image, and what is attached to it.
#[derive(Clone)]
struct Registry {
    image: Digest,
    /// By path below the repository.
    content: BTreeMap<String, Reply>,
    referrers: Vec<Value>,
    lists_referrers: bool,
}

impl Registry {
    fn new() -> Self {
        let image = samples::blob("image");
        Self { image, content: BTreeMap::new(), referrers: Vec::new(), lists_referrers: true }
    }

    fn put(&mut self, path: String, reply: Reply) {
        self.content.insert(path, reply);
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.put(format!("blobs/{}", digest(bytes)), Reply::new(200, bytes));
    }

    /// What cosign 2 does: a manifest at `sha256-HEX.sig`, and the payload of each layer.
    fn tagged(mut self, layers: &[Value], payloads: &[&[u8]]) -> Self {
        payloads.iter().for_each(|payload| self.blob(payload));
        let tag = format!("{}.sig", self.tag());
        self.put(format!("manifests/{tag}"), Reply::new(200, signature_manifest(layers)));
        self
    }

    fn signed_by(self, pairs: &[&Pair]) -> Self {
        let payload = payload(&self.image);
        let layer = |pair: &&Pair| simple_layer(&payload, &pair.sign_text(&payload));
        let layers: Vec<_> = pairs.iter().map(layer).collect();
        self.tagged(&layers, &[&payload])
    }

    /// What cosign 3 does: a manifest that refers to the image, and the bundle.
    fn referred(mut self, bundle: &Value, annotations: &Value) -> Self {
        let bundle = bundle.to_string().into_bytes();
        let manifest = bundle_manifest(&bundle, &self.image);
        self.blob(&bundle);
        self.put(format!("manifests/{}", digest(&manifest)), Reply::new(200, manifest.clone()));
        self.referrers.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": BUNDLE,
            "digest": digest(&manifest).to_string(),
            "size": manifest.len(),
            "annotations": annotations,
        }));
        self
    }

    fn bundled_by(self, pair: &Pair) -> Self {
        let bundle = bundle_of(pair, &statement(&self.image));
        self.referred(&bundle, &Value::Null)
    }

    /// `sha256-HEX`.
    fn tag(&self) -> String {
        self.image.to_string().replace(':', "-")
    }

    async fn start(&self) -> Fake {
        let mut here = self.clone();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": here.referrers,
        });
        let at = match here.lists_referrers {
            true => format!("referrers/{}", here.image),
            false => format!("manifests/{}", here.tag()),
        };
        here.content.entry(at).or_insert(Reply::new(200, index.to_string()));
        Fake::start(move |asked| {
            let path = asked.target.strip_prefix("/v2/team/app/").unwrap();
            here.content.get(path).cloned().unwrap_or_else(|| Reply::new(404, "{}"))
        })
        .await
    }

    async fn found(&self, keys: &[(&str, &Pair)]) -> Result<Found, Error> {
        let fake = self.start().await;
        let (upstream, repository) = (fake.upstream(), repository());
        signatures(&upstream, &repository, &self.image, &trusted(keys), &Budget::new(1000)).await
    }

    /// Who signed, and why the rest does not count.
    async fn says(&self, keys: &[(&str, &Pair)]) -> (Vec<String>, Vec<String>) {
        let found = self.found(keys).await.unwrap();
        (
            found.signers.iter().map(ToString::to_string).collect(),
            found.passed_over.iter().map(ToString::to_string).collect(),
        )
    }
}

fn repository() -> RepositoryName {
    RepositoryName::new("team/app").unwrap()
}

#[tokio::test]
async fn an_image_without_signatures_has_no_signers() {
    let says = Registry::new().says(&[("key", &Pair::p256())]).await;
    assert_eq!(says, (vec![], vec![]));
    let mut registry = Registry::new();
    registry.lists_referrers = false;
    registry.put(format!("manifests/{}", registry.tag()), Reply::new(404, ""));
    assert_eq!(registry.says(&[("key", &Pair::p256())]).await, (vec![], vec![]));
}

#[tokio::test]
async fn every_place_is_looked_at() {
    let pair = Pair::p256();
    let keys = [("key", &pair)];
    let tagged = Registry::new().signed_by(&[&pair]);
    assert_eq!(tagged.says(&keys).await.0, ["key"]);
    let mut referred = Registry::new().bundled_by(&pair);
    assert_eq!(referred.says(&keys).await.0, ["key"]);
    referred.lists_referrers = false;
    assert_eq!(referred.says(&keys).await.0, ["key"], "the tag in the place of the list");
}

#[tokio::test]
async fn all_signers_are_named_in_order_and_once() {
    let (one, two, three) = (Pair::p256(), Pair::p384(), Pair::ed25519());
    let registry = Registry::new().signed_by(&[&two, &two, &Pair::p256()]).bundled_by(&one);
    let fake = registry.start().await;
    let keys = trusted(&[("two", &two), ("one", &one), ("three", &three)]);
    let (upstream, budget) = (fake.upstream(), Budget::new(100));
    let names = signers(&upstream, &repository(), &registry.image, &keys, &budget).await.unwrap();
    assert_eq!(names.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["one", "two"]);
}

#[tokio::test]
async fn a_good_signature_counts_beside_bad_ones() {
    let (pair, stranger) = (Pair::p256(), Pair::p256());
    let image = Registry::new().image;
    let (payload, other) = (payload(&image), payload(&samples::blob("another image")));
    let good = pair.sign_text(&payload);
    let mut without = simple_layer(&payload, &good);
    without["annotations"] = Value::Null;
    let mut keyless = simple_layer(&payload, &stranger.sign_text(&payload));
    keyless["annotations"]["dev.sigstore.cosign/certificate"] = json!("-----BEGIN …");
    let mut wide = simple_layer(&payload, &good);
    wide["mediaType"] = json!(samples::LAYER);
    let mut nameless = simple_layer(&payload, &good);
    nameless["digest"] = json!("sha256:1");
    let layers = [
        simple_layer(&payload, &stranger.sign_text(&payload)),
        simple_layer(&other, &pair.sign_text(&other)),
        simple_layer(&payload, &good[..good.len() - 3]),
        without,
        keyless,
        wide,
        nameless,
        simple_layer(b"never pushed", &good),
        simple_layer(&payload, &good),
    ];
    let registry = Registry::new().tagged(&layers, &[&payload, &other]);
    let keys = [("key", &pair), ("another", &Pair::p256())];
    let (signers, passed_over) = registry.says(&keys).await;
    assert_eq!(signers, ["key"]);
    assert_eq!(
        passed_over,
        [
            "no trusted key made it",
            "it is about another image",
            "it is not base64",
            "the payload has no signature",
            "it was made with a certificate, and not with a key pair",
            "it is neither a simple signing payload nor a sigstore bundle of version 0.3",
            "its content is not that of its digest",
            "it is listed, but gone",
        ]
    );
    // Each bad one is bad without the good one beside it.
    for bad in &layers[..8] {
        let alone = Registry::new().tagged(std::slice::from_ref(bad), &[&payload, &other]);
        let (signers, passed_over) = alone.says(&keys).await;
        assert_eq!((signers.len(), passed_over.len()), (0, 1), "{bad}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let pair = Pair::p256();
    let large = vec![b' '; MAX_CONTENT + 1];
    let layer = simple_layer(&large, &pair.sign_text(&large));
    let mut understated = layer.clone();
    understated["size"] = json!(2);
    for layer in [layer, understated] {
        let registry = Registry::new().tagged(&[layer], &[&large]);
        let says = registry.says(&[("key", &pair)]).await;
        assert_eq!(says.1, [format!("it has more than {MAX_CONTENT} bytes")]);
        assert!(says.0.is_empty());
    }
}

#[tokio::test]
async fn a_thousand_layers_cost_no_more_than_the_first_few() {
    let (pair, stranger) = (Pair::p256(), Pair::p256());
    let payload = payload(&Registry::new().image);
    let bad = simple_layer(&payload, &stranger.sign_text(&payload));
    let good = simple_layer(&payload, &pair.sign_text(&payload));
    let last = |count: usize| {
        let mut layers = vec![bad.clone(); count];
        layers.push(good.clone());
        Registry::new().tagged(&layers, &[&payload])
    };
    let keys = [("key", &pair)];
    assert_eq!(last(MAX_LAYERS - 1).says(&keys).await.0, ["key"]);
    let registry = last(1000);
    let fake = registry.start().await;
    let (upstream, budget) = (fake.upstream(), Budget::new(1000));
    let found =
        signatures(&upstream, &repository(), &registry.image, &trusted(&keys), &budget).await;
    let found = found.unwrap();
    assert!(found.signers.is_empty());
    assert_eq!(found.passed_over.len(), MAX_LAYERS + 1);
    assert_eq!(fake.lines().len(), MAX_LAYERS + 2, "the tag, the layers and the referrers");
    // What refers to the image is looked at all the same.
    assert_eq!(last(1000).bundled_by(&pair).says(&keys).await.0, ["key"]);
}

#[tokio::test]
async fn a_thousand_referrers_cost_no_more_than_the_first_few() {
    let (pair, stranger) = (Pair::p256(), Pair::p256());
    let mut registry = Registry::new().bundled_by(&stranger);
    registry.referrers = vec![registry.referrers[0].clone(); 1000];
    for lists in [true, false] {
        registry.lists_referrers = lists;
        let (signers, passed_over) = registry.says(&[("key", &pair)]).await;
        assert!(signers.is_empty());
        assert_eq!(passed_over.len(), MAX_LAYERS + 1);
    }
}

#[tokio::test]
async fn what_says_that_it_is_no_signature_is_not_fetched() {
    let (pair, mut registry) = (Pair::p256(), Registry::new());
    let provenance =
        json!({ "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1" });
    let mut attested = statement(&registry.image);
    attested["predicateType"] = json!("https://slsa.dev/provenance/v1");
    for number in 0..100 {
        attested["predicate"] = json!({ "number": number });
        registry = registry.referred(&bundle_of(&pair, &attested), &provenance);
        registry.referrers.push(json!({
            "artifactType": "application/spdx+json",
            "digest": samples::blob(&format!("sbom {number}")).to_string(),
        }));
    }
    let mut registry = registry.bundled_by(&pair);
    let fake = registry.start().await;
    let (upstream, budget) = (fake.upstream(), Budget::new(4));
    let keys = trusted(&[("key", &pair)]);
    let names = signers(&upstream, &repository(), &registry.image, &keys, &budget).await.unwrap();
    assert_eq!(names, ["key".into()]);
    // One that does not say so is fetched, and is none.
    attested["predicate"] = json!({});
    registry.referrers.clear();
    let registry = registry.referred(&bundle_of(&pair, &attested), &Value::Null);
    let says = registry.says(&[("key", &pair)]).await;
    assert_eq!(says, (vec![], vec!["it is an attestation, and no signature".to_owned()]));
}

#[tokio::test]
async fn nothing_is_asked_where_no_key_is_trusted_or_none_is_missing() {
    let pair = Pair::p256();
    let registry = Registry::new().signed_by(&[&pair]).bundled_by(&pair);
    let fake = registry.start().await;
    let (upstream, budget) = (fake.upstream(), Budget::new(100));
    let ask = async |keys: &[(&str, &Pair)]| {
        signers(&upstream, &repository(), &registry.image, &trusted(keys), &budget).await.unwrap()
    };
    assert!(ask(&[]).await.is_empty());
    assert_eq!(fake.lines().len(), 0);
    assert_eq!(ask(&[("key", &pair)]).await.len(), 1);
    assert_eq!(fake.lines().len(), 2, "the tag and the payload");
}

#[tokio::test]
async fn content_that_is_kept_elsewhere_is_fetched_from_there() {
    let pair = Pair::p256();
    let mut registry = Registry::new().signed_by(&[&pair]);
    let payload = payload(&registry.image);
    let storage = {
        let payload = payload.clone();
        Fake::start(move |asked| {
            assert!(!asked.headers.contains_key("authorization"));
            Reply::new(200, payload.clone())
        })
        .await
    };
    let location = format!("http://{}/bucket", storage.address);
    let moved = Reply::new(307, "").with("location", location);
    registry.put(format!("blobs/{}", digest(&payload)), moved);
    assert_eq!(registry.says(&[("key", &pair)]).await.0, ["key"]);
}

#[tokio::test]
async fn manifests_that_are_none_are_passed_over() {
    let pair = Pair::p256();
    for manifest in ["", "[]", "{}", r#"{"layers":null}"#, r#"{"layers":[{}]}"#, r#"{"layers":5}"#]
    {
        let mut registry = Registry::new().bundled_by(&pair);
        let tag = format!("manifests/{}.sig", registry.tag());
        registry.put(tag, Reply::new(200, manifest));
        assert_eq!(registry.says(&[("key", &pair)]).await.0, ["key"], "{manifest}");
        let mut registry = Registry::new();
        registry.put(format!("manifests/{}", registry.tag()), Reply::new(200, manifest));
        registry.lists_referrers = false;
        assert!(registry.says(&[("key", &pair)]).await.0.is_empty());
    }
    let mut registry = Registry::new().bundled_by(&pair);
    registry.content.retain(|path, _| !path.starts_with("manifests/"));
    let says = registry.says(&[("key", &pair)]).await;
    assert_eq!(says, (vec![], vec!["it is listed, but gone".to_owned()]));
}

#[tokio::test]
async fn an_upstream_that_fails_is_not_taken_for_one_without_signatures() {
    let (pair, stranger) = (Pair::p256(), Pair::p256());
    let keys = [("key", &pair)];
    let whole = Registry::new().signed_by(&[&stranger]).bundled_by(&pair);
    assert_eq!(whole.says(&keys).await.0, ["key"]);
    let mut paths: Vec<String> = whole.content.keys().cloned().collect();
    paths.push(format!("referrers/{}", whole.image));
    assert_eq!(paths.len(), 5, "a tag, a payload, a manifest, a bundle, a list");
    for path in &paths {
        for fault in [
            Reply::new(500, ""),
            Reply::new(503, ""),
            Reply::new(429, ""),
            Reply::new(403, ""),
            Reply::nothing(),
            Reply::new(200, "{\"manifests\":[").broken(),
        ] {
            let mut registry = whole.clone();
            registry.put(path.clone(), fault.clone());
            assert!(registry.found(&keys).await.is_err(), "{path} {fault:?}");
        }
    }
    // Other bytes than the digest says are a fault of the registry as well.
    for path in paths.iter().filter(|path| path.contains("sha256:") && !path.starts_with("ref")) {
        let mut registry = whole.clone();
        registry.put(path.clone(), Reply::new(200, "{}"));
        assert!(matches!(registry.found(&keys).await, Err(Error::Wrong(_))), "{path}");
    }
    let mut listless = whole.clone();
    listless.lists_referrers = false;
    listless.put(format!("manifests/{}", listless.tag()), Reply::new(500, ""));
    assert!(listless.found(&keys).await.is_err());
}

#[tokio::test]
async fn no_more_is_asked_than_the_budget_allows() {
    let pair = Pair::p256();
    let registry = Registry::new().signed_by(&[&Pair::p256()]).bundled_by(&pair);
    let keys = trusted(&[("key", &pair)]);
    // The tag, a payload, the list, a manifest and its bundle.
    for requests in 0..=5 {
        let fake = registry.start().await;
        let (upstream, budget) = (fake.upstream(), Budget::new(requests));
        let names = signers(&upstream, &repository(), &registry.image, &keys, &budget).await;
        assert_eq!(names.is_ok(), requests == 5, "{requests}");
        assert!(names.is_ok() || matches!(names, Err(Error::Budget(_))));
        assert_eq!(fake.lines().len(), requests);
    }
}
