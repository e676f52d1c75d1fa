use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci::Digest;
use serde_json::{Value, json};

use crate::content::samples;
use crate::signature::bundle::{BUNDLE, pre_authentication_encoding};
use crate::signature::sample::{Pair, bundle_of, digest, message_bundle, statement, trusted};
use crate::signature::{PublicKey, Rejected, TrustedKeys, bundle};

/// A signature that cosign made in a workflow; see the README beside it.
const REAL: &str = include_str!("../../../tests/fixtures/signing/bundle_v03.json");

/// What the real one signs.
const REAL_IMAGE: &str = "sha256:c811d58de79c92f03214e63aa339484e488d694ae8a6283b5f3f17a9faf50172";

/// Made by another implementation; see the README beside them.
const KEYED: [&str; 2] = [
    include_str!("../../../tests/fixtures/signing/keyed_envelope.json"),
    include_str!("../../../tests/fixtures/signing/keyed_message.json"),
];

struct Scene {
    pair: Pair,
    image: Digest,
}

fn scene() -> Scene {
    Scene { pair: Pair::p256(), image: samples::blob("image") }
}

impl Scene {
    fn good(&self) -> Value {
        bundle_of(&self.pair, &statement(&self.image))
    }

    fn says(&self, written: &Value) -> Result<String, Rejected> {
        let keys = trusted(&[("release-key", &self.pair)]);
        bundle(&keys, &self.image, written.to_string().as_bytes()).map(str::to_owned)
    }

    /// What is said of a statement that the trusted key signed, changed in this way.
    fn says_of(&self, pointer: &str, value: Value) -> Result<String, Rejected> {
        self.says(&bundle_of(&self.pair, &changed(statement(&self.image), pointer, value)))
    }
}

fn changed(mut document: Value, pointer: &str, value: Value) -> Value {
    *document.pointer_mut(pointer).unwrap() = value;
    document
}

#[test]
fn a_trusted_key_that_signed_the_image_is_named() {
    let scene = scene();
    assert_eq!(scene.says(&scene.good()).unwrap(), "release-key");
}

#[test]
fn the_text_that_is_signed_is_that_of_the_protocol() {
    // The example of the DSSE protocol.
    let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn bundles_that_another_implementation_made_are_understood() {
    let pem = include_bytes!("../../../tests/fixtures/signing/keyed.pub");
    let keys = [("npm".into(), PublicKey::from_pem(pem).unwrap())];
    let keys = TrustedKeys::new(keys.into()).unwrap();
    let image = digest(b"{\"schemaVersion\":2}\n");
    for written in KEYED {
        let written: Value = serde_json::from_str(written).unwrap();
        let written = changed(written, "/mediaType", json!(BUNDLE)).to_string();
        assert_eq!(bundle(&keys, &image, written.as_bytes()).unwrap(), "npm");
        let other = bundle(&keys, &samples::blob("another image"), written.as_bytes());
        assert!(matches!(other, Err(Rejected::OtherImage)));
    }
}

#[test]
fn a_real_bundle_is_read_and_has_no_trusted_key() {
    let (scene, image) = (scene(), REAL_IMAGE.parse().unwrap());
    let keys = trusted(&[("release-key", &scene.pair)]);
    assert!(matches!(bundle(&keys, &image, REAL.as_bytes()), Err(Rejected::Keyless)));
    // The same with a key in the place of its certificate: it is refused for its signature alone.
    let mut keyed: Value = serde_json::from_str(REAL).unwrap();
    let material = keyed["verificationMaterial"].as_object_mut().unwrap();
    material.remove("certificate").unwrap();
    material.insert("publicKey".to_owned(), json!({}));
    let says = bundle(&keys, &image, keyed.to_string().as_bytes());
    assert!(matches!(says, Err(Rejected::UnknownKey)));
    // And signed by a key, its own statement counts.
    let payload = BASE64_STANDARD.decode(keyed["dsseEnvelope"]["payload"].as_str().unwrap());
    let payload = payload.unwrap();
    let signed = pre_authentication_encoding("application/vnd.in-toto+json", &payload);
    keyed["dsseEnvelope"]["signatures"][0]["sig"] = json!(scene.pair.sign_text(&signed));
    let says = bundle(&keys, &image, keyed.to_string().as_bytes());
    assert_eq!(says.unwrap(), "release-key");
}

#[test]
fn the_key_of_a_real_bundle_is_the_one_that_made_it() {
    // Its certificate is not looked at by the gate; here it lends its key, to check that the bytes
    // of a real signature are understood.
    let mut bundle_json: Value = serde_json::from_str(REAL).unwrap();
    let material = bundle_json["verificationMaterial"].as_object_mut().unwrap();
    let certificate = material.remove("certificate").unwrap();
    material.insert("publicKey".to_owned(), json!({ "hint": "" }));
    let der = BASE64_STANDARD.decode(certificate["rawBytes"].as_str().unwrap()).unwrap();
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    let pem = crate::pem::encode("PUBLIC KEY", certificate.public_key().raw);
    let key = PublicKey::from_pem(pem.as_bytes()).unwrap();
    let keys = TrustedKeys::new([("workflow".into(), key)].into()).unwrap();
    let image = REAL_IMAGE.parse().unwrap();
    let says = bundle(&keys, &image, bundle_json.to_string().as_bytes());
    assert_eq!(says.unwrap(), "workflow");
}

#[test]
fn a_statement_about_another_image_does_not_count() {
    let scene = scene();
    let other = bundle_of(&scene.pair, &statement(&samples::blob("another image")));
    assert!(matches!(scene.says(&other), Err(Rejected::OtherImage)));
    let hex = scene.image.to_string().replace("sha256:", "");
    for digest in [
        json!({}),
        json!({ "sha512": hex.clone() }),
        json!({ "sha256": hex.to_uppercase() }),
        json!({ "sha256": hex[1..].to_owned() }),
        json!({ "sha256": scene.image.to_string() }),
    ] {
        let says = scene.says_of("/subject/0/digest", digest.clone());
        assert!(matches!(says, Err(Rejected::OtherImage)), "{digest}");
    }
    assert!(matches!(scene.says_of("/subject", json!([])), Err(Rejected::OtherImage)));
}

#[test]
fn a_statement_may_have_several_subjects() {
    let scene = scene();
    let one = |image: &Digest| statement(image)["subject"][0].clone();
    let subjects = json!([one(&samples::blob("another image")), one(&scene.image)]);
    assert_eq!(scene.says_of("/subject", subjects).unwrap(), "release-key");
}

#[test]
fn an_attestation_by_a_trusted_key_is_no_signature() {
    let scene = scene();
    for predicate in ["https://slsa.dev/provenance/v1", "https://sigstore.dev/cosign/sign/v2", ""] {
        let says = scene.says_of("/predicateType", json!(predicate));
        assert!(matches!(says, Err(Rejected::Attestation)), "{predicate}");
    }
}

#[test]
fn a_statement_of_another_kind_or_form_does_not_count() {
    let scene = scene();
    let says = scene.says_of("/_type", json!("https://in-toto.io/Statement/v0.1"));
    assert!(matches!(says, Err(Rejected::Kind(_))));
    for (pointer, value) in
        [("/subject", Value::Null), ("/predicateType", json!(1)), ("", json!([])), ("", json!(""))]
    {
        let says = scene.says_of(pointer, value);
        assert!(matches!(says, Err(Rejected::Unreadable(..))), "{pointer}");
    }
}

#[test]
fn an_envelope_that_was_changed_does_not_count() {
    let scene = scene();
    let other = statement(&samples::blob("another image"));
    let swapped = BASE64_STANDARD.encode(other.to_string());
    let cut = "eyJhIjoxfQ=";
    let by_stranger = bundle_of(&Pair::p256(), &statement(&scene.image));
    let signature = by_stranger["dsseEnvelope"]["signatures"].clone();
    let two = json!([signature[0], scene.good()["dsseEnvelope"]["signatures"][0]]);
    for (pointer, value, expected) in [
        ("/payload", json!(swapped), "UnknownKey"),
        ("/payload", json!(cut), "Base64"),
        ("/payloadType", json!("application/json"), "Kind(Envelope)"),
        ("/signatures", signature, "UnknownKey"),
        ("/signatures", two, "Signatures(2)"),
        ("/signatures", json!([]), "Signatures(0)"),
        ("/signatures/0/sig", json!("MEQCIA"), "Base64"),
        ("/signatures/0/sig", json!(""), "UnknownKey"),
    ] {
        let changed = changed(scene.good(), &format!("/dsseEnvelope{pointer}"), value);
        let why = scene.says(&changed).unwrap_err();
        assert_eq!(format!("{why:?}"), expected, "{pointer}");
    }
}

#[test]
fn a_signature_of_the_payload_without_its_type_does_not_count() {
    let scene = scene();
    let bare = scene.pair.sign_text(statement(&scene.image).to_string().as_bytes());
    let bundle = changed(scene.good(), "/dsseEnvelope/signatures/0/sig", json!(bare));
    assert!(matches!(scene.says(&bundle), Err(Rejected::UnknownKey)));
}

#[test]
fn a_bundle_of_another_version_or_form_does_not_count() {
    let scene = scene();
    for other in [
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        "",
    ] {
        let says = scene.says(&changed(scene.good(), "/mediaType", json!(other)));
        assert!(matches!(says, Err(Rejected::Kind(_))), "{other}");
    }
    let none = changed(scene.good(), "/dsseEnvelope", Value::Null);
    assert!(matches!(scene.says(&none), Err(Rejected::NoSignature)));
    let keyless = changed(scene.good(), "/verificationMaterial/publicKey", Value::Null);
    assert!(matches!(scene.says(&keyless), Err(Rejected::Keyless)));
    let mut both = scene.good();
    both["messageSignature"] = message_bundle(&scene.pair, b"{}")["messageSignature"].clone();
    assert!(matches!(scene.says(&both), Err(Rejected::Kind(_))));
    for other in [json!([]), json!({}), json!(null)] {
        assert!(matches!(scene.says(&other), Err(Rejected::Unreadable(..))));
    }
    let twice = scene.good().to_string().replacen('{', r#"{"mediaType":"","#, 1);
    let keys = trusted(&[("release-key", &scene.pair)]);
    let says = bundle(&keys, &scene.image, twice.as_bytes());
    assert!(matches!(says, Err(Rejected::Unreadable(..))));
}

#[test]
fn a_signature_of_the_manifest_itself_counts() {
    let manifest = samples::image("config", &["layer"]);
    let scene = Scene { pair: Pair::p256(), image: manifest.digest.clone() };
    let good = message_bundle(&scene.pair, &manifest.bytes);
    assert_eq!(scene.says(&good).unwrap(), "release-key");
}

#[test]
fn a_signature_of_another_text_than_the_manifest_does_not_count() {
    let manifest = samples::image("config", &["layer"]);
    let scene = Scene { pair: Pair::p256(), image: manifest.digest.clone() };
    let other = message_bundle(&scene.pair, b"{}");
    assert!(matches!(scene.says(&other), Err(Rejected::OtherImage)));
    // The digest is changed to fit, but the signature is of the other text.
    let hash = BASE64_STANDARD.encode(scene.image.as_bytes());
    let digest_at = "/messageSignature/messageDigest/digest";
    let forged = changed(other, digest_at, json!(hash));
    assert!(matches!(scene.says(&forged), Err(Rejected::UnknownKey)));
    let good = message_bundle(&scene.pair, &manifest.bytes);
    let algorithm_at = "/messageSignature/messageDigest/algorithm";
    let says = scene.says(&changed(good.clone(), algorithm_at, json!("SHA2_512")));
    assert!(matches!(says, Err(Rejected::OtherImage)));
    let says = scene.says(&changed(good, "/messageSignature/signature", json!("MEQ")));
    assert!(matches!(says, Err(Rejected::Base64)));
}

#[test]
fn a_key_that_signs_no_hashes_signs_no_manifest() {
    let manifest = samples::image("config", &["layer"]);
    let scene = Scene { pair: Pair::ed25519(), image: digest(&manifest.bytes) };
    let bundle = message_bundle(&scene.pair, &manifest.bytes);
    assert!(matches!(scene.says(&bundle), Err(Rejected::UnknownKey)));
    // In an envelope it is as good as the others.
    assert_eq!(scene.says(&scene.good()).unwrap(), "release-key");
}
