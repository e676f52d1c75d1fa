//! What a person reads of a file with mistakes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::{UPSTREAM, folder, parse, told};

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"listne: 127.0.0.1:5443
listen:
  - {address: 0.0.0.0:5443, tls: no}
  - {address: nowhere}
  - tls: off
public_url: http://gate.example/v2
management: {listen: 5480}
upstream:
  url: http://127.0.0.1:5000/v2
  timeouts: {connect: 5}
  url: twice
  host: client
  redirects: drop
mirrors: {Docker.io: UPPER}
tokens: {access_ttl: 5s}
limits:
  connections: -1
  manifest_size: 4M
  idle_timeout: 0s
trusted_proxies: [10.1.2.3/8]
log: {format: xml, level: "info=="}
audit: [a]
inventory:
policies: {a: b}
users: "${NOPE}"
signing_keys: $
"#;
    assert_snapshot!(told(&folder(), text), @r#"
    error: unknown key `listne` in the configuration
     --> GATE/portcullis.yaml:1:1
      |
    1 | listne: 127.0.0.1:5443
      | ^^^^^^
      |
      = help: did you mean `listen`?

    error: neither `on` nor `off`
     --> GATE/portcullis.yaml:3:34
      |
    3 |   - {address: 0.0.0.0:5443, tls: no}
      |                                  ^^

    error: not an address to listen on
     --> GATE/portcullis.yaml:4:15
      |
    4 |   - {address: nowhere}
      |               ^^^^^^^
      |
      = help: write an IP address and a port, such as `127.0.0.1:5443` or `[::]:5443`

    error: a listener without an `address`
     --> GATE/portcullis.yaml:5:5
      |
    5 |   - tls: off
      |     ^^^^^^^^

    error: not the address of a gate
     --> GATE/portcullis.yaml:6:13
      |
    6 | public_url: http://gate.example/v2
      |             ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write scheme, host and port alone, such as `https://gate.example:5443`

    error: not an address to listen on
     --> GATE/portcullis.yaml:7:22
      |
    7 | management: {listen: 5480}
      |                      ^^^^
      |
      = help: write an IP address and a port, such as `127.0.0.1:5443` or `[::]:5443`

    error: the upstream's address goes too far
     --> GATE/portcullis.yaml:9:8
      |
    9 |   url: http://127.0.0.1:5000/v2
      |        ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave out `/v2`: the gate adds it

    error: not a duration
      --> GATE/portcullis.yaml:10:23
       |
    10 |   timeouts: {connect: 5}
       |                       ^
       |
       = help: write a whole number and s, m, h or d, such as `30s`

    error: the key `url` is written twice
      --> GATE/portcullis.yaml:11:3
       |
    11 |   url: twice
       |   ^^^ the second time
       |
      ::: GATE/portcullis.yaml:9:3
       |
     9 |   url: http://127.0.0.1:5000/v2
       |   --- the first time

    error: neither `upstream` nor `preserve`
      --> GATE/portcullis.yaml:12:9
       |
    12 |   host: client
       |         ^^^^^^

    error: neither `pass` nor `follow`
      --> GATE/portcullis.yaml:13:14
       |
    13 |   redirects: drop
       |              ^^^^

    error: `Docker.io` is no registry host
      --> GATE/portcullis.yaml:14:11
       |
    14 | mirrors: {Docker.io: UPPER}
       |           ^^^^^^^^^
       |
       = help: write it in lower case, such as `docker.io`

    error: `UPPER` cannot be a part of a repository name: lower-case letters and digits, joined by `.`, `_`, `__` or dashes
      --> GATE/portcullis.yaml:14:22
       |
    14 | mirrors: {Docker.io: UPPER}
       |                      ^^^^^

    error: too short a life for a token
      --> GATE/portcullis.yaml:15:22
       |
    15 | tokens: {access_ttl: 5s}
       |                      ^^
       |
       = help: docker does not cope with less than a minute: write at least `60s`

    error: not a number that fits here
      --> GATE/portcullis.yaml:17:16
       |
    17 |   connections: -1
       |                ^^
       |
       = help: write a whole number from 1 to 1000000

    error: not a size
      --> GATE/portcullis.yaml:18:18
       |
    18 |   manifest_size: 4M
       |                  ^^
       |
       = help: write a whole number and a unit (kB, MB, GB, KiB, MiB, GiB), such as `4MiB`

    error: a duration of nothing
      --> GATE/portcullis.yaml:19:17
       |
    19 |   idle_timeout: 0s
       |                 ^^
       |
       = help: write at least `1s`

    error: an address inside a network: the network itself is `10.0.0.0/8`
      --> GATE/portcullis.yaml:20:19
       |
    20 | trusted_proxies: [10.1.2.3/8]
       |                   ^^^^^^^^^^

    error: neither `text` nor `json`
      --> GATE/portcullis.yaml:21:15
       |
    21 | log: {format: xml, level: "info=="}
       |               ^^^

    error: not a log level
      --> GATE/portcullis.yaml:21:27
       |
    21 | log: {format: xml, level: "info=="}
       |                           ^^^^^^^^
       |
       = help: write error, warn, info, debug or trace, or a filter such as `info,hyper=debug`

    error: `audit` has to be a map
      --> GATE/portcullis.yaml:22:8
       |
    22 | audit: [a]
       |        ^^^ this is a list

    error: `inventory` has no value
      --> GATE/portcullis.yaml:23:1
       |
    23 | inventory:
       | ^^^^^^^^^
       |
       = help: give it one, or remove the key

    error: `policies` has to be text
      --> GATE/portcullis.yaml:24:11
       |
    24 | policies: {a: b}
       |           ^^^^^^ this is a map

    error: the environment variable `NOPE` is not set
      --> GATE/portcullis.yaml:25:8
       |
    25 | users: "${NOPE}"
       |        ^^^^^^^^^
       |
       = help: set it for the gate's process, or write the value here

    error: a lone dollar sign
      --> GATE/portcullis.yaml:26:15
       |
    26 | signing_keys: $
       |               ^
       |
       = help: write `${NAME}` for an environment variable, `$$` for a dollar sign
    "#);
}

#[test]
fn an_empty_file_names_no_upstream() {
    let text = told(&folder(), "");
    assert_snapshot!(text, @"
    error: no `upstream.url`
    --> GATE/portcullis.yaml
     = help: name the registry behind the gate: `upstream: {url: http://127.0.0.1:5000}`
    ");
    assert_eq!(told(&folder(), "# nothing\n"), text);
    assert_eq!(told(&folder(), "log: {level: info}\n"), text);
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    assert_snapshot!(told(&folder(), "upstream: [a,\n  b}\n"), @"
    error: this is not valid YAML
     --> GATE/portcullis.yaml:1:11
      |
    1 | upstream: [a,
      |           ^ mismatched bracket '[' closed by '}'
    ");
    assert_snapshot!(told(&folder(), &format!("policies: &x b\nusers: *x\n{UPSTREAM}")), @"
    error: YAML anchors are not used in the configuration
     --> GATE/portcullis.yaml:1:11
      |
    1 | policies: &x b
      |           ^^
      |
      = help: write the value out wherever it is meant

    error: YAML aliases are not used in the configuration
     --> GATE/portcullis.yaml:2:8
      |
    2 | users: *x
      |        ^^ read as an alias because of the `*` at its start
      |
      = help: text that begins with `*` has to stand in quotes
    ");
    assert_snapshot!(told(&folder(), &format!("users: !!str b\n{UPSTREAM}")), @"
    error: YAML type tags are not used in the configuration
     --> GATE/portcullis.yaml:1:8
      |
    1 | users: !!str b
      |        ^^^^^
      |
      = help: leave out the `!…`; text that begins with `!` has to stand in quotes
    ");
    assert_snapshot!(told(&folder(), &format!("{UPSTREAM}---\nc: d\n")), @"
    error: the configuration holds one YAML document
     --> GATE/portcullis.yaml:2:1
      |
    2 | ---
      | ^^^
      |
      = help: keep one document, without `---` in its middle
    ");
    assert_snapshot!(told(&folder(), "- a\n"), @"
    error: the configuration has to be a map
     --> GATE/portcullis.yaml:1:1
      |
    1 | - a
      | ^^^ this is a list
    ");
    assert_snapshot!(told(&folder(), &format!("a: {}", "[".repeat(40))), @"
    error: nested too deeply for the configuration
     --> GATE/portcullis.yaml:1:20
      |
    1 | a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                    ^
    ");
    assert_snapshot!(told(&folder(), &format!("? [a]\n: b\n{UPSTREAM}")), @"
    error: a key has to be text
     --> GATE/portcullis.yaml:1:3
      |
    1 | ? [a]
      |   ^^^
      |
      = help: text that begins with `{` or `[` has to stand in quotes
    ");
}

#[test]
fn certificate_and_key_must_be_there_closed_and_a_pair() {
    let missing = tempfile::tempdir().unwrap();
    assert_snapshot!(told(&missing, UPSTREAM), @"
    error: cannot read GATE/certs/server.crt: No such file or directory (os error 2)
    --> GATE/portcullis.yaml
     = help: put it there, or make some for development: `portcullis certs dev GATE/certs`

    error: cannot read GATE/certs/server.key: No such file or directory (os error 2)
    --> GATE/portcullis.yaml
     = help: put it there, or make some for development: `portcullis certs dev GATE/certs`
    ");

    let named = format!("tls: {{certificate: certs/ca.key, key: certs/ca.crt}}\n{UPSTREAM}");
    let swapped = folder();
    fs::set_permissions(swapped.path().join("certs/ca.crt"), Permissions::from_mode(0o600))
        .unwrap();
    assert_snapshot!(told(&swapped, &named), @"
    error: GATE/certs/ca.key holds no certificate in PEM form
     --> GATE/portcullis.yaml:1:20
      |
    1 | tls: {certificate: certs/ca.key, key: certs/ca.crt}
      |                    ^^^^^^^^^^^^
      |
      = help: it must be PEM, with `BEGIN CERTIFICATE`

    error: GATE/certs/ca.crt holds no private key in PEM form
     --> GATE/portcullis.yaml:1:39
      |
    1 | tls: {certificate: certs/ca.key, key: certs/ca.crt}
      |                                       ^^^^^^^^^^^^
      |
      = help: it must be PEM, with `BEGIN PRIVATE KEY`, and not encrypted
    ");

    let named = format!("tls: {{certificate: certs/ca.crt, key: certs/server.key}}\n{UPSTREAM}");
    assert_snapshot!(told(&folder(), &named), @"
    error: the certificate GATE/certs/ca.crt and the key GATE/certs/server.key do not go together
     --> GATE/portcullis.yaml:1:20
      |
    1 | tls: {certificate: certs/ca.crt, key: certs/server.key}
      |                    ^^^^^^^^^^^^
      |
      = help: the first certificate of the file must be the one made for this key
    ");

    let open = folder();
    for mode in [0o604, 0o620] {
        fs::set_permissions(open.path().join("certs/server.key"), Permissions::from_mode(mode))
            .unwrap();
        assert!(parse(&open, UPSTREAM).is_err());
    }
    fs::set_permissions(open.path().join("certs/server.key"), Permissions::from_mode(0o644))
        .unwrap();
    assert_snapshot!(told(&open, UPSTREAM), @"
    error: the key GATE/certs/server.key is open to others (mode 644)
    --> GATE/portcullis.yaml
     = help: run `chmod 600 GATE/certs/server.key`
    ");
    fs::set_permissions(open.path().join("certs/server.key"), Permissions::from_mode(0o440))
        .unwrap();
    assert!(parse(&open, UPSTREAM).is_ok(), "as Kubernetes mounts it");
}

#[test]
fn the_public_url_fits_the_listeners() {
    let folder = folder();
    let clear = format!("public_url: http://gate.example\n{UPSTREAM}");
    assert_snapshot!(told(&folder, &clear), @"
    error: `public_url` is http, but the gate listens with TLS
     --> GATE/portcullis.yaml:1:13
      |
    1 | public_url: http://gate.example
      |             ^^^^^^^^^^^^^^^^^^^
      |
      = help: write https, as tokens must not travel in the clear
    ");
    let open = format!("listen: 0.0.0.0:5443\n{UPSTREAM}");
    assert_snapshot!(told(&folder, &open), @"
    error: `public_url` is needed when clients do not come over loopback
     --> GATE/portcullis.yaml:1:9
      |
    1 | listen: 0.0.0.0:5443
      |         ^^^^^^^^^^^^
      |
      = help: write the address that clients use: `public_url: https://gate.example`
    ");
    let free = format!("listen: 127.0.0.1:0\n{UPSTREAM}");
    assert_snapshot!(told(&folder, &free), @"
    error: `public_url` is needed when the port is 0
     --> GATE/portcullis.yaml:1:9
      |
    1 | listen: 127.0.0.1:0
      |         ^^^^^^^^^^^
      |
      = help: write the address that clients use: `public_url: https://gate.example`
    ");
}

#[test]
fn credentials_are_whole_and_said_once() {
    let folder = folder();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let told = |credentials: &str| {
        let url = "http://127.0.0.1:5000";
        told(&folder, &format!("upstream:\n  url: {url}\n  credentials: {credentials}\n"))
    };
    assert_snapshot!(told("{username: gate}"), @"
    error: `upstream.credentials` without a password
    --> GATE/portcullis.yaml
     = help: add `password_file`, or `password: ${VARIABLE}`
    ");
    assert_snapshot!(told("{password: a}"), @"
    error: `upstream.credentials` without a `username`
    --> GATE/portcullis.yaml
    ");
    assert_snapshot!(told("{username: gate, password: a, password_file: empty}"), @"
    error: both `password` and `password_file`
     --> GATE/portcullis.yaml:3:61
      |
    3 |   credentials: {username: gate, password: *, password_file: empty}
      |                                                             ^^^^^
      |
      = help: keep one of them
    ");
    assert_snapshot!(told("{username: 'a:b', password: a}"), @"
    error: `upstream.credentials` without a `username`
    --> GATE/portcullis.yaml

    error: a user name with a colon or a control character
     --> GATE/portcullis.yaml:3:27
      |
    3 |   credentials: {username: 'a:b', password: *}
      |                           ^^^^^
      |
      = help: Basic authentication cannot carry it
    ");
    assert_snapshot!(told("{username: gate, password_file: missing}"), @"
    error: cannot read GATE/missing: No such file or directory (os error 2)
     --> GATE/portcullis.yaml:3:48
      |
    3 |   credentials: {username: gate, password_file: missing}
      |                                                ^^^^^^^
    ");
    assert_snapshot!(told("{username: gate, password_file: empty}"), @"
    error: GATE/empty holds no password
     --> GATE/portcullis.yaml:3:48
      |
    3 |   credentials: {username: gate, password_file: empty}
      |                                                ^^^^^
      |
      = help: it must hold the password alone, on one line
    ");
    assert_snapshot!(told("[gate, a]"), @"
    error: `credentials` has to be a map
     --> GATE/portcullis.yaml:3:16
      |
    3 |   credentials: [gate, a]
      |                ^^^^^^^^^ this is a list
    ");
}
