use std::fs;

use aws_lc_rs::signature::{ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING};

use crate::content::samples;
use crate::pem;
use crate::signature::sample::{Pair, payload, trusted};
use crate::signature::{
    InvalidKey, KeyFiles, KeyFilesError, PublicKey, TrustedKeys, UnfitKeys, check_name,
    simple_signing,
};
use crate::watch::Reloaded;

fn refused(text: impl AsRef<[u8]>) -> InvalidKey {
    PublicKey::from_pem(text.as_ref()).unwrap_err()
}

#[test]
fn a_file_with_anything_but_one_public_key_is_refused() {
    let pem = Pair::p256().pem();
    assert!(PublicKey::from_pem(format!("release 2026\n\n{pem}\n").as_bytes()).is_ok());
    assert_eq!(refused(""), InvalidKey::None);
    assert_eq!(refused("not a key"), InvalidKey::None);
    assert_eq!(refused(pem.replace("PUBLIC KEY", "CERTIFICATE")), InvalidKey::None);
    assert_eq!(refused(format!("{pem}{}", Pair::p256().pem())), InvalidKey::Several);
    assert_eq!(refused(&pem[..pem.len() - 20]), InvalidKey::Damaged);
    assert_eq!(refused(pem.replace("MFkw", "MFk")), InvalidKey::Damaged);
    assert_eq!(refused(pem::encode("PUBLIC KEY", b"").as_bytes()), InvalidKey::Kind);
}

#[test]
fn a_private_key_is_known_by_its_name_whatever_it_is_called() {
    for kind in ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY"] {
        assert_eq!(refused(pem::encode(kind, b"secret").as_bytes()), InvalidKey::Private);
    }
    // Also when a public one stands before it.
    let both = format!("{}{}", Pair::p256().pem(), &*pem::encode("PRIVATE KEY", b"secret"));
    assert_eq!(refused(both), InvalidKey::Private);
}

#[test]
fn keys_of_other_kinds_and_other_spellings_are_refused() {
    for other in [&ECDSA_P521_SHA512_ASN1_SIGNING, &ECDSA_P256K1_SHA256_ASN1_SIGNING] {
        assert_eq!(refused(Pair::ecdsa(other).pem()), InvalidKey::Kind);
    }
    assert_eq!(refused(RSA), InvalidKey::Kind);
    let der = Pair::p256().der();
    // A bare point, something behind the key, and a part of it.
    for der in [&der[26..], &[&der[..], b"\0"].concat(), &der[..der.len() - 1]] {
        assert_eq!(refused(pem::encode("PUBLIC KEY", der).as_bytes()), InvalidKey::Kind);
    }
    let ed25519 = Pair::ed25519().der();
    assert_eq!(refused(pem::encode("PUBLIC KEY", &ed25519[12..]).as_bytes()), InvalidKey::Kind);
}

#[test]
fn a_key_on_p384_may_hash_with_sha256() {
    // Made with `openssl dgst -sha256 -sign`, as the crypto library of the gate does not sign so.
    let key = PublicKey::from_pem(P384.as_bytes()).unwrap();
    let keys = TrustedKeys::new([("p384".into(), key)].into()).unwrap();
    let image = samples::blob("image");
    let says = simple_signing(&keys, &image, &payload(&image), P384_SHA256);
    assert_eq!(says.unwrap(), "p384");
}

#[test]
fn one_key_cannot_have_two_names() {
    let pair = Pair::p256();
    let keys = [("a".into(), pair.public()), ("b".into(), pair.public())];
    let error = TrustedKeys::new(keys.into()).unwrap_err();
    assert_eq!(error, UnfitKeys::Same { first: "a".into(), second: "b".into() });
}

#[test]
fn names_are_those_of_policies() {
    for name in ["release-key", "a", "Team_1.2", &"x".repeat(128)] {
        check_name(name).unwrap();
    }
    for name in ["", "a b", "a/b", "é", "a*", &"x".repeat(129)] {
        check_name(name).unwrap_err();
    }
    let keys = trusted(&[("b", &Pair::p256()), ("a", &Pair::p256())]);
    assert_eq!(keys.names().collect::<Vec<_>>(), ["a", "b"]);
    assert!(keys.contains("a") && !keys.contains("c"));
}

#[test]
fn files_that_change_take_effect_and_wrong_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cosign.pub");
    let (old, new) = (Pair::p256(), Pair::p256());
    fs::write(&file, old.pem()).unwrap();
    let keys = Reloaded::start(KeyFiles([("key".into(), file.clone())].into())).unwrap();
    let image = samples::blob("image");
    let signed_by = |pair: &Pair| {
        let payload = payload(&image);
        let signature = pair.sign_text(&payload);
        simple_signing(&keys.current(), &image, &payload, &signature).is_ok()
    };
    assert!(signed_by(&old) && !signed_by(&new));
    fs::write(&file, "").unwrap();
    let error = keys.poll().unwrap_err();
    assert!(matches!(error, KeyFilesError::Invalid { source: InvalidKey::None, .. }));
    assert!(signed_by(&old), "the last good one stays");
    fs::remove_file(&file).unwrap();
    assert!(matches!(keys.poll(), Err(KeyFilesError::Unreadable { .. })));
    assert!(signed_by(&old));
    fs::write(&file, new.pem()).unwrap();
    assert!(keys.poll().unwrap());
    assert!(signed_by(&new) && !signed_by(&old));
}

#[test]
fn a_file_that_becomes_another_ones_key_leaves_both_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.pub", "two.pub"].map(|name| folder.path().join(name));
    let pair = Pair::p256();
    fs::write(&one, pair.pem()).unwrap();
    fs::write(&two, Pair::p256().pem()).unwrap();
    let files = KeyFiles([("one".into(), one), ("two".into(), two.clone())].into());
    let keys = Reloaded::start(files).unwrap();
    fs::write(&two, pair.pem()).unwrap();
    assert!(matches!(keys.poll(), Err(KeyFilesError::Unfit(_))));
    assert_eq!(keys.current().len(), 2);
}

/// A public key of RSA, 2048 bits.
const RSA: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAjXzyN7RZrjHbsBlVyiF1\n\
JQWNESj6Ezdgq5hB4+grlzUty0WLFX0aDlvKQk75W0uxG41IYKpgL/2L93MvvUWh\n\
OigosSdfJwn3vvAxQySlv9Vo+FS200+oc7z+W7laBykONDUTdgWTUYQemHVPP8r+\n\
VZ6giFZDiVX0OZ6WvRX8PgD9PnNy72Q4Lae7vcLE0KvjpKxbxv+Wk/eISNECQ6p6\n\
iAMgMW7BfU3m8kf5m5c32XusQfwgXeBYzDTsKb5+6X/kQ4+S1nPaO3QjlpsUOsyg\n\
KW/sooyIILkT+/WnwSgslUI734rX85c7MF9wDBF2z4FDBKp0tHIuRSiuHSHzmm7d\n\
jwIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

const P384: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEiYaBSfmMN3gb4mKFNVIgxKnCuFGv/c+5\n\
JhXjQCMsb+KBldUH6DC2tCeg4AowFObBgLyCtr7m+3pRTqMRGv1Ht7ppIFjYirIp\n\
yjIXhhlfLw3vyfMYu0pZzAbtr2RrrCfz\n\
-----END PUBLIC KEY-----\n\
";

/// The signature of the payload of the image `image`.
const P384_SHA256: &str = "\
MGQCMB36P22KcgV5FHDCr4IQSEHybZy9Z5LMJqbu76LwhnYDslgjLhSOGycbbnvzVnjvtQIwP8FeBOGU\
PjRvNvnrMsVhIxPF9/a8oGYtJ2JIvnALIchvl41dlZwEOVDwXyYVmKuR";
