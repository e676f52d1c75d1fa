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
    assert_snapshot!(told(&folder_of_keys(), &format!("{UPSTREAM}{text}")), @r#"
    error: the key `release-key` is written twice
     --> GATE/portcullis.yaml:4:3
      |
    4 |   release-key: keys/other.pub
      |   ^^^^^^^^^^^ the second time
      |
     ::: GATE/portcullis.yaml:3:3
      |
    3 |   release-key: keys/cosign.pub
      |   ----------- the first time

    error: not the name of a key: 1 to 128 letters, digits, `_`, `.` and `-`
     --> GATE/portcullis.yaml:5:3
      |
    5 |   "release key": keys/other.pub
      |   ^^^^^^^^^^^^^
      |
      = help: it is what gates name in `signed_by`

    error: cannot use the public key GATE/keys/cosign.key: it holds a private key
     --> GATE/portcullis.yaml:6:12
      |
    6 |   private: keys/cosign.key
      |            ^^^^^^^^^^^^^^^
      |
      = help: the gate only checks: leave that key with whoever signs, and name the file that `cosign public-key --key cosign.key` prints

    error: cannot use the public key GATE/keys/rsa.pub: its key is none that is known here: ECDSA on P-256 or P-384, or Ed25519
     --> GATE/portcullis.yaml:7:8
      |
    7 |   rsa: keys/rsa.pub
      |        ^^^^^^^^^^^^
      |
      = help: `cosign generate-key-pair` makes one on P-256

    error: cannot read the public key GATE/keys/absent.pub: No such file or directory (os error 2)
     --> GATE/portcullis.yaml:8:11
      |
    8 |   absent: keys/absent.pub
      |           ^^^^^^^^^^^^^^^

    error: cannot read the public key GATE/keys/large.pub: file too large
     --> GATE/portcullis.yaml:9:10
      |
    9 |   large: keys/large.pub
      |          ^^^^^^^^^^^^^^

    error: cannot use the public key GATE/certs/server.crt: it holds no public key in PEM form
      --> GATE/portcullis.yaml:10:16
       |
    10 |   certificate: certs/server.crt
       |                ^^^^^^^^^^^^^^^^
       |
       = help: name what `cosign generate-key-pair` calls `cosign.pub`; it begins with `-----BEGIN PUBLIC KEY-----`

    error: one key under two names
      --> GATE/portcullis.yaml:11:10
       |
    11 |   alias: keys/copy.pub
       |          ^^^^^^^^^^^^^
       |
      ::: GATE/portcullis.yaml:3:16
       |
     3 |   release-key: keys/cosign.pub
       |                --------------- the first one
       |
       = help: keep one of them: one signature would count as two

    error: the key `list` has to be text
      --> GATE/portcullis.yaml:12:9
       |
    12 |   list: [keys/cosign.pub]
       |         ^^^^^^^^^^^^^^^^^ this is a list
    "#);
}
