use oci::Digest;
use proptest::prelude::*;

use crate::content::samples;
use crate::signature::sample::{Pair, payload, trusted};
use crate::signature::{Rejected, simple_signing};

struct Scene {
    pair: Pair,
    image: Digest,
}

fn scene() -> Scene {
    Scene { pair: Pair::p256(), image: samples::blob("image") }
}

impl Scene {
    /// What is said of a payload that the trusted key signed.
    fn says(&self, payload: &[u8]) -> Result<String, Rejected> {
        self.says_of(payload, &self.pair.sign_text(payload))
    }

    fn says_of(&self, payload: &[u8], signature: &str) -> Result<String, Rejected> {
        let other = Pair::p256();
        let keys = trusted(&[("another-key", &other), ("release-key", &self.pair)]);
        simple_signing(&keys, &self.image, payload, signature).map(str::to_owned)
    }
}

/// The payload with another text in it.
fn replaced(payload: &[u8], old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8(payload.to_vec()).unwrap();
    assert!(text.contains(old));
    text.replace(old, new).into_bytes()
}

#[test]
fn a_trusted_key_that_signed_the_image_is_named() {
    let scene = scene();
    assert_eq!(scene.says(&payload(&scene.image)).unwrap(), "release-key");
}

#[test]
fn keys_of_each_known_kind_are_checked() {
    let image = samples::blob("image");
    for pair in [Pair::p256(), Pair::p384(), Pair::ed25519()] {
        let (keys, payload) = (trusted(&[("key", &pair)]), payload(&image));
        let signature = pair.sign_text(&payload);
        assert_eq!(simple_signing(&keys, &image, &payload, &signature).unwrap(), "key");
    }
}

#[test]
fn an_image_named_by_sha512_is_signed_under_that_name() {
    let (pair, image) = (Pair::p256(), Digest::Sha512(Box::new([7; 64])));
    let (keys, payload) = (trusted(&[("key", &pair)]), payload(&image));
    let signature = pair.sign_text(&payload);
    assert_eq!(simple_signing(&keys, &image, &payload, &signature).unwrap(), "key");
}

#[test]
fn a_signature_of_another_image_is_none_of_this_one() {
    let scene = scene();
    let other = payload(&samples::blob("another image"));
    assert!(matches!(scene.says(&other), Err(Rejected::OtherImage)));
}

#[test]
fn a_payload_that_was_put_in_the_place_of_the_signed_one_does_not_count() {
    let scene = scene();
    let signature = scene.pair.sign_text(&payload(&samples::blob("another image")));
    let says = scene.says_of(&payload(&scene.image), &signature);
    assert!(matches!(says, Err(Rejected::UnknownKey)));
}

#[test]
fn a_signature_by_a_key_that_is_not_trusted_does_not_count() {
    let scene = scene();
    let payload = payload(&scene.image);
    let says = scene.says_of(&payload, &Pair::p256().sign_text(&payload));
    assert!(matches!(says, Err(Rejected::UnknownKey)));
}

#[test]
fn a_signed_text_that_is_no_signature_of_an_image_does_not_count() {
    let scene = scene();
    let good = payload(&scene.image);
    let container = "cosign container image signature";
    for other in ["atomic container signature", "Cosign container image signature", ""] {
        let says = scene.says(&replaced(&good, container, other));
        assert!(matches!(says, Err(Rejected::Kind(_))), "{other}");
    }
    let misspelt = replaced(&good, "docker-manifest-digest", "Docker-manifest-digest");
    let twice = replaced(&good, r#""type""#, r#""type":"","type""#);
    let untyped = replaced(&good, r#""type""#, r#""kind""#);
    let cut = &good[..good.len() - 1];
    for other in [&misspelt, &twice, &untyped, cut, b"", b"null", b"[]"] {
        assert!(matches!(scene.says(other), Err(Rejected::Unreadable(..))), "{other:?}");
    }
    let no_digest = replaced(&good, "sha256:", "sha256-");
    assert!(matches!(scene.says(&no_digest), Err(Rejected::OtherImage)));
}

#[test]
fn the_signer_may_call_the_image_as_it_likes_and_annotate_it() {
    let scene = scene();
    let payload = replaced(&payload(&scene.image), "registry.example/team/app", "");
    let payload = replaced(&payload, r#""optional":null"#, r#""optional":{"by":"ci"}"#);
    assert_eq!(scene.says(&payload).unwrap(), "release-key");
}

#[test]
fn a_signature_that_is_cut_short_or_no_base64_does_not_count() {
    let scene = scene();
    let payload = payload(&scene.image);
    let good = scene.pair.sign_text(&payload);
    for cut in [1, 2, 3, 5, good.len() - 1] {
        let says = scene.says_of(&payload, &good[..good.len() - cut]);
        assert!(matches!(says, Err(Rejected::Base64 | Rejected::UnknownKey)), "{cut}");
    }
    for other in [format!("{good}\n"), good.replace('M', "-"), format!(" {good}"), "é".to_owned()]
    {
        assert!(matches!(scene.says_of(&payload, &other), Err(Rejected::Base64)), "{other}");
    }
    assert!(matches!(scene.says_of(&payload, ""), Err(Rejected::UnknownKey)));
}

proptest! {
    /// Each change of a byte of either makes it worthless. (ECDSA's `s` has a twin; to reach it takes
    /// more than a byte.)
    #[test]
    fn no_byte_of_payload_or_signature_can_be_changed(at in any::<prop::sample::Index>(), bit in 0..8) {
        use base64::Engine as _;
        use base64::prelude::BASE64_STANDARD;
        let scene = scene();
        let (good, flip) = (payload(&scene.image), 1_u8 << bit);
        let signature = scene.pair.sign(&good);
        let mut changed = good.clone();
        changed[at.index(good.len())] ^= flip;
        prop_assert!(scene.says_of(&changed, &BASE64_STANDARD.encode(&signature)).is_err());
        let mut changed = signature.clone();
        changed[at.index(signature.len())] ^= flip;
        prop_assert!(scene.says_of(&good, &BASE64_STANDARD.encode(&changed)).is_err());
    }

    #[test]
    fn nothing_that_a_trusted_key_signs_makes_the_reader_fail(text in ".*", depth in 0_usize..3000) {
        let scene = scene();
        prop_assert!(scene.says(text.as_bytes()).is_err());
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        // What is not read may be nested as it likes.
        let payload = replaced(&payload(&scene.image), "null", if depth == 0 { "1" } else { &deep });
        prop_assert_eq!(scene.says(&payload).unwrap(), "release-key");
    }
}
