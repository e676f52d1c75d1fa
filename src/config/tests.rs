mod federation;
mod messages;
mod scanner;
mod sign_in;
mod trust;
mod trusted_keys;

use std::fs;

use document::{Node, Value};
use insta::assert_snapshot;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::certificate::make_development;
use crate::identity::federation::SubjectKind;
use crate::jwks::JwksLocation;

/// A folder with certificates, in which a configuration may stand.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    make_development(&folder.path().join("certs"), &[]).unwrap();
    folder
}

fn parse(folder: &TempDir, text: &str) -> Result<Config, Diagnostics> {
    let variable = |name: &str| (name == "SECRET").then(|| "from-the-environment".to_owned());
    Config::parse(&folder.path().join("portcullis.yaml"), text, variable)
}

/// What a person is told of a text, in a folder called GATE.
fn told(folder: &TempDir, text: &str) -> String {
    let path = folder.path().to_str().unwrap();
    parse(folder, text).unwrap_err().to_string().replace(path, "GATE")
}

const UPSTREAM: &str = "upstream: {url: \"http://127.0.0.1:5000\"}\n";

#[test]
fn the_upstream_alone_is_enough() {
    let folder = folder();
    let config = parse(&folder, UPSTREAM).unwrap();
    let at = |path: &str| folder.path().join(path);
    assert_eq!(config.file, at("portcullis.yaml"));
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.listen[0].address.to_string(), "127.0.0.1:5443");
    assert!(config.listen[0].tls);
    assert_eq!(config.public_url.as_str(), "https://localhost:5443");
    let tls = config.tls.unwrap();
    assert_eq!((tls.certificate, tls.key), (at("certs/server.crt"), at("certs/server.key")));
    assert_eq!(config.management.to_string(), "127.0.0.1:5480");
    assert_eq!(config.upstream.authority, "127.0.0.1:5000");
    assert_eq!(config.upstream.base_path, "");
    assert!(config.upstream.credentials.is_none());
    assert_eq!(config.upstream.timeouts.connect.as_secs(), 5);
    assert_eq!((config.policies, config.users), (at("policies"), at("users.yaml")));
    assert_eq!(config.htpasswd, None);
    assert!(!config.names_users);
    assert_eq!(config.signing_keys, at("state/keys"));
    assert_eq!(config.tokens.access_ttl.as_secs(), 3600);
    assert_eq!(config.inventory.linger.as_secs(), 86_400);
    assert_eq!((config.inventory.freshness.as_secs(), config.inventory.max_requests), (30, 2000));
    assert!(config.inventory.crawl);
    assert_eq!(config.audit_file, at("audit.jsonl"));
    assert_eq!((config.audit_rotate, config.audit_keep), (100 << 20, 10));
    assert_eq!(config.limits.manifest_size, 4 << 20);
    assert!(config.mirrors.is_empty() && config.trusted_proxies.is_empty());
    assert!(config.federation.is_empty() && config.trusted_keys.0.is_empty());
    assert_eq!(config.scanner, None);
    assert_eq!((config.log_format, config.log_level.as_str()), (LogFormat::Text, "info"));
}

#[test]
fn an_htpasswd_file_alone_may_take_the_place_of_the_users_file() {
    let folder = folder();
    let text = "upstream: {url: 'http://127.0.0.1:5000'}\nhtpasswd: passwords\n";
    let files = parse(&folder, text).unwrap().user_files();
    assert!(files.users_may_be_absent);
    assert_eq!(files.users, folder.path().join("users.yaml"));
    assert_eq!(files.htpasswd, Some(folder.path().join("passwords")));
    let named = parse(&folder, &format!("{text}users: users.yaml\n")).unwrap();
    assert!(!named.user_files().users_may_be_absent);
}

#[test]
fn a_shadow_policy_lies_beside_the_configuration_and_is_another_one() {
    let folder = folder();
    let text = format!("{UPSTREAM}shadow_policies: next\n");
    let config = parse(&folder, &text).unwrap();
    assert_eq!(config.shadow_policies, Some(folder.path().join("next")));
    assert_eq!(parse(&folder, UPSTREAM).unwrap().shadow_policies, None);
    let text = format!("{UPSTREAM}shadow_policies: policies\n");
    assert_snapshot!(told(&folder, &text), @"
    error: `shadow_policies` is the folder of `policies` itself
     --> GATE/portcullis.yaml:2:18
      |
    2 | shadow_policies: policies
      |                  ^^^^^^^^
      |
      = help: name a folder beside it, with the policy that is to be tried
    ");
    let mut first = Vec::new();
    for (policies, shadow) in [("policies", "policies/next"), ("all/now", "all"), ("./a", "a/./b/")]
    {
        let text = format!("{UPSTREAM}policies: {policies}\nshadow_policies: {shadow}\n");
        first.push(told(&folder, &text).lines().next().unwrap().to_owned());
    }
    assert_snapshot!(first.join("\n"), @"
    error: `shadow_policies` lies in the folder of `policies`: its rules would be in force
    error: the folder of `policies` lies in that of `shadow_policies`: its rules would be tried as well
    error: `shadow_policies` lies in the folder of `policies`: its rules would be in force
    ");
    for shadow in ["policies-next", "policies/../next"] {
        parse(&folder, &format!("{UPSTREAM}shadow_policies: {shadow}\n")).unwrap();
    }
}

#[test]
fn the_configuration_of_the_migration_lacks_nothing_but_its_certificate() {
    let text = include_str!("../../examples/migration/after/portcullis.yaml");
    let mistakes = Config::parse(Path::new("portcullis.yaml"), text, |_| None).unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes}");
    assert!(mistakes.iter().all(|mistake| mistake.message.contains("/etc/registry/server.")));
}

const EVERY_KEY: &str = r"
listen:
  - {address: '0.0.0.0:443'}
  - {address: '[::1]:80', tls: off}
public_url: https://Gate.example/
tls: {certificate: certs/server.crt, key: certs/server.key}
management: {listen: '0.0.0.0:9000'}
upstream:
  url: https://registry.example:8443/base/
  credentials: {username: gate, password_file: password}
  ca: certs/ca.crt
  host: preserve
  redirects: follow
  timeouts: {connect: 1s, response: 2m, idle: 3h}
  connections: {idle: 7}
mirrors: {docker.io: mirror/docker.io, 'localhost:5000': local}
policies: /etc/policies
shadow_policies: next
users: other.yaml
htpasswd: passwords
signing_keys: keys
state: {url: 'sqlite:/var/lib/gate.db', max_staleness: 8m}
tokens: {access_ttl: 60s, max_ttl: 20d, login_idle: 2d, login_max: 9d, session_idle: 1h,
  session_max: 1d}
federation:
  - name: corporate
    issuer: https://idp.example/all
    audience: gate.example
    jwks: https://idp.example/keys
    ca: certs/ca.crt
    require: {department: [build, test], level: 3}
    kind: user
    subject: '{preferred_username}'
    groups: {staff: {claim: level, value: 3}, release: [{claim: a.b, value: [x, y]}]}
    session: 2h
    sign_in: {client_id: gate, client_secret_file: client, scopes: [groups], title: Widgets Inc.}
trust:
  - name: eu
    issuer: https://gate-eu.example
    jwks: https://keys.example/eu
    ca: certs/ca.crt
    groups: {ci: builders, release: [releasers, readers]}
    max_ttl: 30m
    revocations: https://lists.example/eu
    poll: 7s
inventory: {crawl: false, freshness: 10s, linger: 2d, max_requests: 50}
audit: {file: log/audit, rotate: 1MB, keep: 0}
limits:
  connections: 1
  connections_per_address: 2
  manifest_size: 1MiB
  handshake_timeout: 3s
  header_timeout: 4s
  idle_timeout: 5s
  minimum_rate: 6
  drain_timeout: 7s
scanner:
  url: https://scanner.example/base
  authorization_file: scanner-secret
  ca: certs/ca.crt
  rescan_after: 3d
trusted_keys: {release-key: cosign.pub}
trusted_proxies: [10.0.0.0/8, '::1']
log: {format: json, level: 'warn,portcullis=debug'}
";

#[test]
fn every_key_is_heard() {
    let folder = folder();
    fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    let key = crate::signature::sample::Pair::p256().pem();
    fs::write(folder.path().join("cosign.pub"), key).unwrap();
    fs::write(folder.path().join("scanner-secret"), "Bearer x\n").unwrap();
    fs::write(folder.path().join("client"), "hush\n").unwrap();
    let config = parse(&folder, EVERY_KEY).unwrap();
    let listen: Vec<_> = config.listen.iter().map(|l| (l.address.to_string(), l.tls)).collect();
    assert_eq!(listen, [("0.0.0.0:443".to_owned(), true), ("[::1]:80".to_owned(), false)]);
    assert_eq!(config.public_url.as_str(), "https://gate.example");
    assert_eq!(config.management.to_string(), "0.0.0.0:9000");
    let upstream = config.upstream;
    assert_eq!(upstream.scheme, http::uri::Scheme::HTTPS);
    assert_eq!(upstream.authority, "registry.example:8443");
    assert_eq!(upstream.base_path, "/base");
    let credentials = upstream.credentials.unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.expose()), ("gate", "hunter2"));
    assert_eq!(upstream.ca, Some(folder.path().join("certs/ca.crt")));
    assert_eq!(upstream.host, crate::upstream::Host::Preserve);
    assert_eq!(upstream.redirects, crate::upstream::Redirects::Follow);
    let timeouts = upstream.timeouts;
    let seconds = [timeouts.connect, timeouts.response, timeouts.idle].map(|wait| wait.as_secs());
    assert_eq!(seconds, [1, 120, 10_800]);
    assert_eq!(upstream.idle_connections, 7);
    assert_eq!(config.state.url.to_string(), "sqlite:/var/lib/gate.db");
    assert_eq!(config.state.max_staleness.as_secs(), 480);
    assert_eq!(config.mirrors["docker.io"].as_str(), "mirror/docker.io");
    assert_eq!(config.mirrors["localhost:5000"].as_str(), "local");
    assert_eq!(config.policies, Path::new("/etc/policies"));
    assert_eq!(config.users, folder.path().join("other.yaml"));
    assert_eq!(config.htpasswd, Some(folder.path().join("passwords")));
    assert!(config.names_users);
    assert_eq!(config.signing_keys, folder.path().join("keys"));
    let tokens = config.tokens;
    let lives = [tokens.access_ttl, tokens.max_ttl, tokens.login_idle, tokens.login_max];
    assert_eq!(lives.map(|life| life.as_secs()), [60, 20 * 86_400, 2 * 86_400, 9 * 86_400]);
    let sessions = [tokens.session_idle, tokens.session_max];
    assert_eq!(sessions.map(|life| life.as_secs()), [3600, 86_400]);
    let provider = &config.federation[0];
    assert_eq!((provider.name.as_str(), provider.session.as_secs()), ("corporate", 7200));
    assert_eq!(provider.issuer.as_str(), "https://idp.example/all");
    assert_eq!(provider.audience, "gate.example");
    assert!(matches!(&provider.jwks, JwksLocation::Url(url) if url.host() == "idp.example"));
    assert_eq!(provider.ca, Some(folder.path().join("certs/ca.crt")));
    assert_eq!(provider.subject.kind(), SubjectKind::User);
    let required: Vec<_> =
        provider.require.iter().map(|c| (c.claim.as_str(), c.values.join(" "))).collect();
    assert_eq!(required, [("department", "build test".to_owned()), ("level", "3".to_owned())]);
    let groups: Vec<_> = provider.groups.iter().map(|(name, c)| (name.as_str(), c.len())).collect();
    assert_eq!(groups, [("staff", 1), ("release", 1)]);
    let sign_in = provider.sign_in.as_ref().unwrap();
    assert_eq!(sign_in.client_id.as_str(), "gate");
    assert_eq!(sign_in.client_secret_file, Some(folder.path().join("client")));
    assert_eq!((sign_in.scopes[0].as_str(), sign_in.scopes.len()), ("groups", 1));
    assert_eq!(sign_in.title.to_string(), "Widgets Inc.");
    let peer = &config.trust[0];
    assert_eq!((peer.name.as_str(), peer.issuer.as_str()), ("eu", "https://gate-eu.example"));
    assert!(matches!(&peer.jwks, JwksLocation::Url(url) if url.host() == "keys.example"));
    assert_eq!(peer.ca, Some(folder.path().join("certs/ca.crt")));
    let theirs = ["ci", "release"].map(str::to_owned);
    assert_eq!(peer.groups.ours(&theirs), ["builders", "readers", "releasers"]);
    assert_eq!((peer.max_ttl.as_secs(), peer.poll.as_secs()), (1800, 7));
    assert_eq!(peer.revocations.as_ref().unwrap().host(), "lists.example");
    assert_eq!(config.inventory.linger.as_secs(), 2 * 86_400);
    assert_eq!((config.inventory.freshness.as_secs(), config.inventory.max_requests), (10, 50));
    assert!(!config.inventory.crawl);
    assert_eq!(config.audit_file, folder.path().join("log/audit"));
    assert_eq!((config.audit_rotate, config.audit_keep), (1_000_000, 0));
    let limits = config.limits;
    assert_eq!((limits.connections, limits.connections_per_address), (1, 2));
    assert_eq!((limits.manifest_size, limits.minimum_rate), (1 << 20, 6));
    let waits = [
        limits.handshake_timeout,
        limits.header_timeout,
        limits.idle_timeout,
        limits.drain_timeout,
    ];
    assert_eq!(waits.map(|wait| wait.as_secs()), [3, 4, 5, 7]);
    let scanner = config.scanner.unwrap();
    assert_eq!(scanner.adapter.url.to_string(), "https://scanner.example/base");
    let secret = folder.path().join("scanner-secret");
    assert_eq!(scanner.adapter.authorization_file, Some(secret));
    assert_eq!(scanner.adapter.ca, Some(folder.path().join("certs/ca.crt")));
    assert_eq!(scanner.rescan_after.as_secs(), 3 * 86_400);
    assert!(config.trusted_keys.0.contains_key("release-key"));
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(
        (config.log_format, config.log_level.as_str()),
        (LogFormat::Json, "warn,portcullis=debug")
    );
}

#[test]
fn without_tls_no_certificate_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("listen: [{{address: '127.0.0.1:5080', tls: off}}]\n{UPSTREAM}");
    let config = parse(&folder, &text).unwrap();
    assert!(config.tls.is_none());
    assert_eq!(config.public_url.as_str(), "http://localhost:5080");
    let named = format!("public_url: http://gate.example\n{text}");
    assert_eq!(parse(&folder, &named).unwrap().public_url.as_str(), "http://gate.example");
    let behind = format!("public_url: https://gate.example\n{text}");
    assert!(parse(&folder, &behind).unwrap().public_url.is_https());
}

#[test]
fn the_upstream_is_an_address_and_nothing_else() {
    for url in [
        "registry:5000",
        "ftp://registry",
        "http://",
        "http://registry:x",
        "http://registry/a//b",
        "http://registry/a/../b",
        "http://registry/%61",
        "http://registry?x=y",
        "http://registry#x",
        "http://registry/v2/",
    ] {
        assert!(check_upstream(url).is_err(), "{url}");
    }
    for url in ["http://registry", "https://registry:5000/", "http://[::1]:5000/a/b.c"] {
        assert_eq!(check_upstream(url), Ok(()), "{url}");
    }
    let folder = folder();
    assert_snapshot!(told(&folder, "upstream: {url: 'http://registry/a?b'}"), @"
    error: a query or fragment in the upstream's address
     --> GATE/portcullis.yaml:1:17
      |
    1 | upstream: {url: 'http://registry/a?b'}
      |                 ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write scheme, host, port and perhaps a path alone
    ");
    let useless = "upstream: {url: 'http://registry', ca: certs/server.key}";
    assert_snapshot!(told(&folder, useless), @"
    error: `ca` is of no use: the upstream's address is http
     --> GATE/portcullis.yaml:1:40
      |
    1 | upstream: {url: 'http://registry', ca: certs/server.key}
      |                                        ^^^^^^^^^^^^^^^^
      |
      = help: write `https` in `upstream.url`, or remove `ca`

    error: GATE/certs/server.key holds no certificate in PEM form
     --> GATE/portcullis.yaml:1:40
      |
    1 | upstream: {url: 'http://registry', ca: certs/server.key}
      |                                        ^^^^^^^^^^^^^^^^
      |
      = help: it must be PEM, with `BEGIN CERTIFICATE`
    ");
}

#[test]
fn secrets_are_never_shown() {
    let folder = folder();
    for text in [
        "upstream: {url: 'http://gate:CANARY@registry', nope: 1}",
        "upstream: {url: 'http://registry', credentials: {password: CANARY, nope: 1}}",
        "upstream: {url: 'http://registry', credentials: {password: [CANARY]}}",
        "upstream:\n  credentials: {password: CANARY, a: [}",
        "upstream:\n  credentials: {username: a, password: x,CANARY}",
        "upstream:\n  credentials:\n    password: CANARY\n    password: CANARY2\n",
        "upstream:\n  credentials:\n    password: |\n      CANARY\n    password: x\n",
        "upstream: {credentials: {username: a, password: \"CANARY${NOPE}\"}}",
        "upstream: {credentials: {username: a, pasword: CANARY}}",
        "state: {url: 'postgres://gate:CANARY@db.example/gate', nope: 1}",
        "state: {url: 'postgers://gate:CANARY@db.example/gate'}",
        "state: {url: 'postgres://gate:CANARY@db.example:x/gate'}",
        "state: {url: postgres://gate:a,CANARY@db.example/gate}",
        "state: {uri: 'postgres://gate:CANARY@db.example/gate'}",
        "state: {url: ['postgres://gate:CANARY@db.example/gate']}",
        "state: {url: 'postgres://gate:CANARY@db.example/gate', a: [",
    ] {
        let error = parse(&folder, text).unwrap_err();
        for shown in [error.render(false), error.render(true), format!("{error:?}")] {
            assert!(!shown.contains("CANARY"), "{shown}");
        }
    }
    let text =
        "upstream: {url: 'http://registry', credentials: {username: gate, password: CANARY}}";
    let config = parse(&folder, text).unwrap();
    assert!(!format!("{config:?}").contains("CANARY"));
}

#[test]
fn variables_come_from_the_environment() {
    let folder = folder();
    let text =
        "upstream: {url: 'http://registry', credentials: {username: a$$b, password: '${SECRET}'}}";
    let credentials = parse(&folder, text).unwrap().upstream.credentials.unwrap();
    assert_eq!(credentials.username, "a$b");
    assert_eq!(credentials.password.expose(), "from-the-environment");
}

#[test]
fn the_management_address_is_found_in_a_broken_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis.yaml");
    for (text, address) in [
        ("management: {listen: '127.0.0.1:9000'}\nnope: 1\n", "127.0.0.1:9000"),
        ("", "127.0.0.1:5480"),
        ("a: [", "127.0.0.1:5480"),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(management_address(&path).unwrap().to_string(), address);
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis.yaml");
    fs::File::create(&path).unwrap().set_len(MAX_SIZE + 1).unwrap();
    assert!(matches!(Config::load(&path), Err(Error::TooLarge(_))));
}

/// Whose keys are names that the writer chooses.
const MAPPINGS: [&str; 5] =
    ["mirrors", "federation[].require", "federation[].groups", "trust[].groups", "trusted_keys"];

/// The names of the keys below a node, with dots between them, and `[]` for each entry of a list.
fn keys(node: &Node, name: &str, names: &mut Vec<String>) {
    match &node.value {
        Value::List(nodes) if ["federation", "trust"].contains(&name) => {
            for node in nodes {
                keys(node, &format!("{name}[]"), names);
            }
        }
        Value::Map { entries, .. } if !MAPPINGS.contains(&name) => {
            for entry in entries {
                let dot = if name.is_empty() { "" } else { "." };
                keys(&entry.value, &format!("{name}{dot}{}", entry.key), names);
            }
        }
        _ => names.push(name.to_owned()),
    }
}

#[test]
fn the_manual_lists_every_key_and_no_other() {
    let manual = include_str!("../../docs/operations.md");
    let (_, manual) = manual.split_once("| key | default | meaning |").unwrap();
    let (table, _) = manual.split_once("\n\n").unwrap();
    let mut listed: Vec<String> = table
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let root = document::parse(&CONFIGURATION, 0, EVERY_KEY, &mut Problems::default()).unwrap();
    let mut known = vec!["upstream.credentials.password".to_owned()];
    keys(&root, "", &mut known);
    listed.sort();
    known.sort();
    assert_eq!(listed, known);
}

/// Of the parts that configurations are made of.
fn anything() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "upstream",
        "url",
        "listen",
        "tls",
        "limits",
        "credentials",
        "password",
        ": ",
        ":",
        "- ",
        "\n",
        "\n  ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        "\"",
        "#",
        "|",
        ">",
        "&a ",
        "*a",
        "!t ",
        "---\n",
        "\t",
        "\r\n",
        "\u{feff}",
        "é",
        "\u{2028}",
        "$",
        "${A}",
        "http://a",
        "~",
        "\0",
        "👍",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn whatever_is_written_is_shown_without_a_panic(text in anything()) {
        let parsed = Config::parse(Path::new("a.yaml"), &text, |_| None);
        prop_assume!(parsed.is_err());
        let error = parsed.unwrap_err();
        prop_assert!(!error.is_empty());
        prop_assert!(error.render(false).contains("error: "));
        prop_assert!(error.render(true).contains("error"));
    }
}

#[test]
fn the_state_is_a_file_beside_the_configuration_unless_it_is_said_otherwise() {
    let folder = folder();
    let state = |text: &str| {
        let config = parse(&folder, &format!("{UPSTREAM}{text}")).unwrap();
        format!("{:?}", config.state).replace(folder.path().to_str().unwrap(), "GATE")
    };
    assert_eq!(
        state(""),
        r#"Settings { url: Sqlite("GATE/state/portcullis.db"), max_staleness: 300s }"#
    );
    assert_eq!(
        state("state: {url: \"sqlite:other.db\", max_staleness: 1m}"),
        r#"Settings { url: Sqlite("GATE/other.db"), max_staleness: 60s }"#
    );
    let postgres = state("state: {url: \"postgres://gate:canary@db.example/gate\"}");
    assert!(postgres.contains("db.example") && !postgres.contains("canary"), "{postgres}");
    let wrong = told(&folder, &format!("{UPSTREAM}state: {{url: \"mysql://a\", max_stale: 1m}}"));
    assert!(wrong.contains("neither `sqlite:` nor `postgres://`"), "{wrong}");
    assert!(wrong.contains("unknown key `max_stale` in `state`"), "{wrong}");
}
