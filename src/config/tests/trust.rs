//! The gates that are trusted.

use std::fs;
use std::time::Duration;

use insta::assert_snapshot;

use super::{UPSTREAM, folder, parse, told};
use crate::fetch::HttpsUrl;
use crate::identity::peers::Settings;
use crate::jwks::JwksLocation;

const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "use": "sig",
  "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn trust(folder: &tempfile::TempDir, text: &str) -> Vec<Settings> {
    parse(folder, &format!("{UPSTREAM}{text}")).unwrap().trust
}

fn url(text: &str) -> HttpsUrl {
    HttpsUrl::new(text).unwrap()
}

#[test]
fn a_name_and_an_address_are_enough() {
    let folder = folder();
    let trust = trust(&folder, "trust: [{name: eu, issuer: 'https://Gate.example:5443/'}]");
    let [eu] = &trust[..] else { panic!("{trust:?}") };
    assert_eq!((eu.name.as_str(), eu.issuer.as_str()), ("eu", "https://gate.example:5443"));
    let jwks = url("https://gate.example:5443/.well-known/jwks.json");
    assert_eq!(eu.jwks, JwksLocation::Url(jwks));
    let revocations = url("https://gate.example:5443/.well-known/revocations");
    assert_eq!(eu.revocations, Some(revocations));
    assert_eq!((eu.max_ttl, eu.poll), (Duration::from_secs(3600), Duration::from_secs(5)));
    assert!(eu.ca.is_none());
    assert!(eu.groups.ours(&["eu".to_owned()]).is_empty(), "nothing is implied");
    assert!(trust_of_nobody(&folder));
}

fn trust_of_nobody(folder: &tempfile::TempDir) -> bool {
    trust(folder, "").is_empty() && trust(folder, "trust: []").is_empty()
}

#[test]
fn every_key_of_a_gate_is_heard() {
    let folder = folder();
    fs::write(folder.path().join("eu.json"), KEYS).unwrap();
    let trust = trust(
        &folder,
        r"
trust:
  - name: eu
    issuer: https://gate.example
    jwks: eu.json
    ca: certs/ca.crt
    groups: {ci: builders, release: [releasers, readers]}
    max_ttl: 5m
    revocations: https://other.example/list
    poll: 1s
  - {name: us, issuer: 'https://us.example', jwks: 'https://keys.example/a', revocations: none}
",
    );
    let [eu, us] = &trust[..] else { panic!("{trust:?}") };
    assert_eq!(eu.jwks, JwksLocation::File(folder.path().join("eu.json")));
    assert_eq!(eu.ca, Some(folder.path().join("certs/ca.crt")));
    let theirs = ["release", "ci", "admin"].map(str::to_owned);
    assert_eq!(eu.groups.ours(&theirs), ["builders", "readers", "releasers"]);
    assert_eq!((eu.max_ttl.as_secs(), eu.poll.as_secs()), (300, 1));
    assert_eq!(eu.revocations, Some(url("https://other.example/list")));
    assert_eq!(us.jwks, JwksLocation::Url(url("https://keys.example/a")));
    assert!(us.revocations.is_none());
}

#[test]
fn all_mistakes_about_trust_are_told_with_their_remedies() {
    let folder = folder();
    fs::write(folder.path().join("keys.json"), KEYS).unwrap();
    fs::write(folder.path().join("bad.json"), "{}").unwrap();
    let text = r"public_url: https://here.example
upstream: {url: 'http://127.0.0.1:5000'}
trust:
  - {name: eu/west, issuer: 'http://gate.example'}
  - {issuer: gate.example}
  - {name: 'a:b'}
  - {name: self, issuer: 'https://here.example/'}
  - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
  - {name: one, issuer: 'https://two.example', jwks: 'http://two.example/keys', poll: 10m}
  - {name: two, issuer: 'https://one.example', jwks: bad.json, revocations: never}
  - {name: three, issuer: 'https://three.example', jwks: none.json, revocations: 'ftp://x', max_ttl: 0s}
  - {name: four, issuer: 'https://four.example', jwks: keys.json, revocations: none, ca: certs/ca.crt}
  - {name: five, issuer: 'https://five.example', ca: none.crt, group: {}}
  - nobody
";
    assert_snapshot!(told(&folder, text), @r#"
    error: not a name for a gate: 1 to 64 letters, digits and `._-`
     --> GATE/portcullis.yaml:4:12
      |
    4 |   - {name: eu/west, issuer: 'http://gate.example'}
      |            ^^^^^^^
      |
      = help: such as `eu`

    error: a gate that is not https
     --> GATE/portcullis.yaml:4:29
      |
    4 |   - {name: eu/west, issuer: 'http://gate.example'}
      |                             ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: whoever sits on the way could speak for it, and read its tokens

    error: a gate without `name`
     --> GATE/portcullis.yaml:5:5
      |
    5 |   - {issuer: gate.example}
      |     ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: it is the first part of its subjects: `peer:NAME/…`

    error: not the address of a gate
     --> GATE/portcullis.yaml:5:14
      |
    5 |   - {issuer: gate.example}
      |              ^^^^^^^^^^^^
      |
      = help: write scheme, host and port alone, such as `https://gate.example:5443`

    error: a gate without `issuer`
     --> GATE/portcullis.yaml:6:5
      |
    6 |   - {name: 'a:b'}
      |     ^^^^^^^^^^^^^
      |
      = help: write its `public_url`, such as `https://gate.example:5443`

    error: not a name for a gate: 1 to 64 letters, digits and `._-`
     --> GATE/portcullis.yaml:6:12
      |
    6 |   - {name: 'a:b'}
      |            ^^^^^
      |
      = help: such as `eu`

    error: this gate itself
     --> GATE/portcullis.yaml:7:26
      |
    7 |   - {name: self, issuer: 'https://here.example/'}
      |                          ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: it knows its own tokens: name the other gate, or remove the entry

    error: no group
     --> GATE/portcullis.yaml:8:61
      |
    8 |   - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
      |                                                             ^^
      |
      = help: name a group of this gate, or remove the entry

    error: a group with its prefix
     --> GATE/portcullis.yaml:8:65
      |
    8 |   - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
      |                                                                 ^^^^^^^^^
      |
      = help: here it is written without `group:`

    error: a group with its prefix
     --> GATE/portcullis.yaml:8:76
      |
    8 |   - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
      |                                                                            ^^^^^^^^^
      |
      = help: here it is written without `group:`

    error: not the name of a group
     --> GATE/portcullis.yaml:8:90
      |
    8 |   - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
      |                                                                                          ^^
      |
      = help: write it as the policies do, without `group:`

    error: a group of this gate has to be text
     --> GATE/portcullis.yaml:8:97
      |
    8 |   - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
      |                                                                                                 ^^ this is a map

    error: two gates have the same `name`
     --> GATE/portcullis.yaml:9:12
      |
    9 |   - {name: one, issuer: 'https://two.example', jwks: 'http://two.example/keys', poll: 10m}
      |            ^^^ the second time
      |
     ::: GATE/portcullis.yaml:8:12
      |
    8 |   - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
      |            --- the first time

    error: an address that is not https
     --> GATE/portcullis.yaml:9:54
      |
    9 |   - {name: one, issuer: 'https://two.example', jwks: 'http://two.example/keys', poll: 10m}
      |                                                      ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: over plain http, whoever sits on the way decides who may log in

    error: too long: what the other gate revokes would count late
     --> GATE/portcullis.yaml:9:87
      |
    9 |   - {name: one, issuer: 'https://two.example', jwks: 'http://two.example/keys', poll: 10m}
      |                                                                                       ^^^
      |
      = help: write at most `120s`

    error: two gates have the same `issuer`
      --> GATE/portcullis.yaml:10:25
       |
    10 |   - {name: two, issuer: 'https://one.example', jwks: bad.json, revocations: never}
       |                         ^^^^^^^^^^^^^^^^^^^^^ the second time
       |
      ::: GATE/portcullis.yaml:8:25
       |
     8 |   - {name: one, issuer: 'https://one.example', groups: {ci: [], 'group:a': 'group:b', c: '', d: {}}}
       |                         --------------------- the first time

    error: this is no JWK set: an object with a list of objects, `keys`, is expected: missing field `keys` at line 1 column 2
      --> GATE/portcullis.yaml:10:54
       |
    10 |   - {name: two, issuer: 'https://one.example', jwks: bad.json, revocations: never}
       |                                                      ^^^^^^^^

    error: not an address
      --> GATE/portcullis.yaml:10:77
       |
    10 |   - {name: two, issuer: 'https://one.example', jwks: bad.json, revocations: never}
       |                                                                             ^^^^^
       |
       = help: write where its list of revocations is, or `none` to do without

    error: cannot read the key set: No such file or directory (os error 2)
      --> GATE/portcullis.yaml:11:58
       |
    11 |   - {name: three, issuer: 'https://three.example', jwks: none.json, revocations: 'ftp://x', max_ttl: 0s}
       |                                                          ^^^^^^^^^
       |
       = help: `curl ISSUER/.well-known/jwks.json` gets it

    error: an address that is not https
      --> GATE/portcullis.yaml:11:82
       |
    11 |   - {name: three, issuer: 'https://three.example', jwks: none.json, revocations: 'ftp://x', max_ttl: 0s}
       |                                                                                  ^^^^^^^^^
       |
       = help: over plain http, whoever sits on the way decides who may log in

    error: a duration of nothing
      --> GATE/portcullis.yaml:11:102
       |
    11 |   - {name: three, issuer: 'https://three.example', jwks: none.json, revocations: 'ftp://x', max_ttl: 0s}
       |                                                                                                      ^^
       |
       = help: write at least `1s`

    error: `ca` is of no use: nothing is fetched from that gate
      --> GATE/portcullis.yaml:12:90
       |
    12 |   - {name: four, issuer: 'https://four.example', jwks: keys.json, revocations: none, ca: certs/ca.crt}
       |                                                                                          ^^^^^^^^^^^^
       |
       = help: remove it

    error: cannot read GATE/none.crt: No such file or directory (os error 2)
      --> GATE/portcullis.yaml:13:54
       |
    13 |   - {name: five, issuer: 'https://five.example', ca: none.crt, group: {}}
       |                                                      ^^^^^^^^
       |
       = help: put it there, or make some for development: `portcullis certs dev GATE`

    error: unknown key `group` in a gate that is trusted
      --> GATE/portcullis.yaml:13:64
       |
    13 |   - {name: five, issuer: 'https://five.example', ca: none.crt, group: {}}
       |                                                                ^^^^^
       |
       = help: did you mean `groups`?

    error: a gate that is trusted has to be a map
      --> GATE/portcullis.yaml:14:5
       |
    14 |   - nobody
       |     ^^^^^^ this is text
    "#);
}

#[test]
fn trust_is_a_list() {
    assert_snapshot!(told(&folder(), &format!("{UPSTREAM}trust: {{eu: https://gate.example}}")), @r#"
    error: `trust` has to be a list
     --> GATE/portcullis.yaml:2:8
      |
    2 | trust: {eu: https://gate.example}
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^ this is a map
    "#);
}

#[test]
fn the_gates_of_the_example_trust_each_other() {
    let example = |name: &str| {
        let path = format!("{}/examples/trust/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(format!("{path}/portcullis.yaml")).unwrap();
        let sources = crate::policy_folder::read(format!("{path}/policies").as_ref()).unwrap();
        let compiled = policy::Policy::compile(&sources.files).unwrap();
        assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
        parse(&folder(), &text).unwrap()
    };
    let (eu, us) = (example("eu"), example("us"));
    assert_eq!(eu.trust[0].issuer, us.public_url);
    assert_eq!(us.trust[0].issuer, eu.public_url);
    assert_eq!(us.trust[0].groups.ours(&["release".to_owned()]), ["eu-builders", "releasers"]);
}
