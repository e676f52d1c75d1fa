//! The keys whose signatures of images count.

use std::fs;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::{UPSTREAM, folder, parse, told};
use crate::signature::sample::Pair;
use crate::watch::Reloaded;

/// A folder with public keys, and what stands beside them by mistake.
fn folder_of_keys() -> TempDir {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("keys")).unwrap();
    let pem = Pair::p256().pem();
    fs::write(at("keys/cosign.pub"), &pem).unwrap();
    fs::write(at("keys/copy.pub"), &pem).unwrap();
    fs::write(at("keys/other.pub"), Pair::ed25519().pem()).unwrap();
    fs::write(at("keys/cosign.key"), pem.replace("PUBLIC", "ENCRYPTED SIGSTORE PRIVATE")).unwrap();
    fs::write(at("keys/rsa.pub"), pem.replace("MFkw", "MFgw")).unwrap();
    fs::write(at("keys/large.pub"), [b' '; 100_000]).unwrap();
    folder
}

#[test]
fn keys_are_named_and_lie_beside_the_configuration() {
    let folder = folder_of_keys();
    let text = "trusted_keys: {release-key: keys/cosign.pub, qa: keys/other.pub}\n";
    let files = parse(&folder, &format!("{UPSTREAM}{text}")).unwrap().trusted_keys;
    let found: Vec<_> = files.0.iter().map(|(name, path)| (&**name, path.clone())).collect();
    let at = |name: &str| folder.path().join(name);
    assert_eq!(found, [("qa", at("keys/other.pub")), ("release-key", at("keys/cosign.pub"))]);
    assert_eq!(Reloaded::start(files).unwrap().current().len(), 2);
}

#[test]
fn every_key_that_is_of_no_use_is_told_with_its_place() {
    let text = r#"trusted_keys:
  release-key: keys/cosign.pub
  release-key: keys/other.pub
  "release key": keys/other.pub
  private: keys/cosign.key
  rsa: keys/rsa.pub
  absent: keys/absent.pub
  large: keys/large.pub
  certificate: certs/server.crt
  alias: keys/copy.pub
  list: [keys/cosign.pub]
"#;
    assert_snapshot!(told(&folder_of_keys(), &format!("{UPSTREAM}{text}")), @"");
}
