use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;
use crate::certificate::make_development;

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$cG9ydGN1bGxpcy1ub25l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const POLICY: &str =
    "rules:\n  - {name: a, subjects: [user:alice], images: [\"**\"], allow: [pull]}\n";

/// A gate in front of an upstream that answers its one request with this status line.
fn gate(status: &'static str, upstream: &str) -> (TempDir, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let length = stream.read(&mut head).unwrap();
        assert!(head[..length].starts_with(b"GET /v2/ HTTP/1.1\r\n"));
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    (folder(&format!("upstream:\n  url: http://{address}\n{upstream}")), address)
}

fn folder(configuration: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    make_development(&folder.path().join("certs"), &[]).unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/a.yaml"), POLICY).unwrap();
    let users = format!(
        "users:\n  a: {{password: \"{HASH}\"}}\n  b: {{password: \"{HASH}\", disabled: true}}\n"
    );
    fs::write(folder.path().join("users.yaml"), users).unwrap();
    fs::write(folder.path().join("portcullis.yaml"), configuration).unwrap();
    folder
}

fn checked(folder: &TempDir, address: &str) -> (Exit, String) {
    let findings = findings(&folder.path().join("portcullis.yaml"));
    let text: Vec<String> = findings.iter().map(Finding::text).collect();
    let text = text.join("\n").replace(folder.path().to_str().unwrap(), "GATE");
    let text = text.replace(address, "UPSTREAM");
    let tail = |line: &str| match line.split_once(", until ") {
        Some((head, _)) => format!("{head}, until …"),
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(tail).collect();
    (worst(&findings), lines.join("\n"))
}

#[test]
fn a_gate_that_is_well_is_told_part_by_part() {
    let (folder, address) = gate("200 OK", "");
    let (exit, text) = checked(&folder, &address);
    assert_eq!(exit, Exit::Done);
    assert_snapshot!(text, @"
    ok     configuration  GATE/portcullis.yaml
    ok     certificate    GATE/certs/server.crt, until …
    ok     signing keys   GATE/state/keys, made at the first start
    ok     policies       GATE/policies, 1 rule
    ok     users          GATE/users.yaml, 1 enabled
    ok     state          sqlite:GATE/state/portcullis.db, made at the first start
    ok     upstream       http://UPSTREAM answers
    ");
}

#[test]
fn a_shadow_policy_is_read_as_the_other_one_is() {
    let (folder, address) = gate("200 OK", "shadow_policies: next\n");
    let next = folder.path().join("next");
    fs::create_dir(&next).unwrap();
    fs::write(next.join("a.yaml"), POLICY).unwrap();
    let (exit, text) = checked(&folder, &address);
    assert_eq!(exit, Exit::Done);
    let line = text.lines().find(|line| line.contains("shadow")).unwrap();
    assert_snapshot!(line, @"ok     shadow policy  GATE/next, 1 rule");
    fs::write(next.join("a.yaml"), "rule: []").unwrap();
    let (exit, text) = checked(&folder, "nowhere");
    assert_eq!(exit, Exit::Input);
    assert!(text.contains("error  shadow policy"), "{text}");
}

#[test]
fn a_scanner_that_no_rule_lets_in_is_told_with_the_rule_that_would() {
    let folder = tempfile::tempdir().unwrap();
    let told = |policy: &str| {
        fs::write(folder.path().join("a.yaml"), policy).unwrap();
        scanner::rights(folder.path()).map_err(|failure| {
            assert_eq!(failure.exit, Exit::Input);
            failure.text(false).to_owned()
        })
    };
    let rule = "rules:\n  - {name: scans, subjects: [\"service:portcullis-scanner\"], images: [\"prod/**\"], allow: [pull, inspect]}\n";
    assert_snapshot!(told(rule).unwrap(), @"service:portcullis-scanner: pull by rule `scans`, inspect by rule `scans`");
    let more =
        format!("{rule}{}", POLICY.replace("rules:\n", "").replace("user:alice", "authenticated"));
    assert_snapshot!(told(&more).unwrap(), @"service:portcullis-scanner: pull by rule `a` and 1 more, inspect by rule `scans`");
    assert_snapshot!(told(&rule.replace(", inspect", "")).unwrap_err(), @r#"
    error: no rule lets service:portcullis-scanner inspect anything, so nothing is scanned
    help: add a rule to the policy: `{name: scans, subjects: ["service:portcullis-scanner"], images: ["**"], allow: [pull, inspect]}`
    "#);
    assert!(told(POLICY).unwrap_err().contains("portcullis-scanner pull anything"));
}

#[test]
fn users_of_both_files_are_told() {
    let (folder, address) = gate("200 OK", "htpasswd: htpasswd\n");
    let htpasswd = folder.path().join("htpasswd");
    let hash = "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
    fs::write(&htpasswd, format!("b:{hash}\nc:{hash}\n")).unwrap();
    let (exit, text) = checked(&folder, &address);
    assert_eq!(exit, Exit::Done);
    let users = text.lines().find(|line| line.contains("users")).unwrap();
    assert_snapshot!(users, @"ok     users          GATE/users.yaml, 1 enabled; GATE/htpasswd, 1 enabled; in both, so that the users file counts: b");
}

#[test]
fn a_wrong_line_of_the_htpasswd_file_is_told_at_its_place() {
    let folder = folder("upstream: {url: 'http://127.0.0.1:1'}\nhtpasswd: htpasswd\n");
    fs::write(folder.path().join("htpasswd"), "# ours\nc:$apr1$salt$hash\n").unwrap();
    fs::remove_file(folder.path().join("users.yaml")).unwrap();
    let (exit, text) = checked(&folder, "nowhere");
    assert_eq!(exit, Exit::Input);
    let users: Vec<_> = text.lines().skip_while(|line| *line != "error  users").take(8).collect();
    assert_snapshot!(users.join("\n"), @"
    error  users
           error: an MD5 hash, where only bcrypt is accepted
            --> GATE/htpasswd:2:3
             |
           2 | c:***************
             |   ^^^^^^^^^^^^^^^
             |
             = help: hash it again: `htpasswd -B FILE NAME`
    ");
}

#[test]
fn an_upstream_that_wants_credentials_is_there() {
    let (folder, address) = gate("401 Unauthorized", "");
    let (exit, text) = checked(&folder, &address);
    assert_eq!(exit, Exit::Done);
    assert!(text.ends_with("http://UPSTREAM answers, and wants credentials"), "{text}");
}

/// An upstream that serves TLS with the certificate that a development CA made in this folder.
fn tls_upstream(certs: &Path) -> String {
    let made = make_development(certs, &[]).unwrap();
    let chain = certificate::read_chain(&made.certificate).unwrap();
    let key = certificate::read_key(&made.key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::Stream::new(&mut session, &mut stream);
        let mut head = [0; 1024];
        if stream.read(&mut head).is_ok() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    address
}

#[test]
fn an_upstream_with_tls_is_verified_by_its_ca() {
    let other = tempfile::tempdir().unwrap();
    let address = tls_upstream(other.path());
    let ca = other.path().join("ca.crt");
    let text = format!("upstream: {{url: \"https://{address}\", ca: {}}}\n", ca.display());
    let (exit, text) = checked(&folder(&text), &address);
    assert_eq!(exit, Exit::Done, "{text}");

    let address = tls_upstream(other.path());
    let text = format!("upstream: {{url: \"https://{address}\", ca: certs/ca.crt}}\n");
    let (exit, text) = checked(&folder(&text), &address);
    assert_eq!(exit, Exit::Impossible);
    assert_snapshot!(text.lines().skip(6).collect::<Vec<_>>().join("\n"), @"
    error  upstream
           error: no TLS with UPSTREAM: invalid peer certificate: UnknownIssuer
           help: name the CA that vouches for it in `upstream.ca`
    ");
}

#[test]
fn credentials_that_are_refused_are_wrong_input() {
    let credentials = "  credentials: {username: gate, password: hunter2}\n";
    let (folder, address) = gate("401 Unauthorized", credentials);
    let (exit, text) = checked(&folder, &address);
    assert_eq!(exit, Exit::Input);
    assert_snapshot!(text.lines().skip(6).collect::<Vec<_>>().join("\n"), @"
    error  upstream
           error: http://UPSTREAM refuses the credentials
           help: mend `upstream.credentials` in the configuration
    ");
}

#[test]
fn what_is_no_registry_is_found_out() {
    let (folder, address) = gate("404 Not Found", "");
    let (exit, text) = checked(&folder, &address);
    assert_eq!(exit, Exit::Impossible);
    assert_snapshot!(text.lines().skip(6).collect::<Vec<_>>().join("\n"), @"
    error  upstream
           error: http://UPSTREAM/v2/ answers 404 Not Found, so it is no registry
           help: mend `upstream.url` in the configuration
    ");
}

#[test]
fn wrong_input_outweighs_an_upstream_that_is_away() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let folder = folder(&format!("upstream: {{url: \"http://{free}\"}}\n"));
    let (exit, text) = checked(&folder, &free);
    assert_eq!(exit, Exit::Impossible);
    assert_snapshot!(text, @"
    ok     configuration  GATE/portcullis.yaml
    ok     certificate    GATE/certs/server.crt, until …
    ok     signing keys   GATE/state/keys, made at the first start
    ok     policies       GATE/policies, 1 rule
    ok     users          GATE/users.yaml, 1 enabled
    ok     state          sqlite:GATE/state/portcullis.db, made at the first start
    error  upstream
           error: cannot connect to UPSTREAM: Connection refused (os error 111)
           help: start the registry, or mend `upstream` in the configuration
    ");
    fs::write(folder.path().join("policies/a.yaml"), "rules: [{}]").unwrap();
    fs::remove_file(folder.path().join("users.yaml")).unwrap();
    let (exit, text) = checked(&folder, &free);
    assert_eq!(exit, Exit::Input);
    assert_snapshot!(text, @r#"
    ok     configuration  GATE/portcullis.yaml
    ok     certificate    GATE/certs/server.crt, until …
    ok     signing keys   GATE/state/keys, made at the first start
    error  policies
           error: a rule without a name
            --> policies/a.yaml:1:9
             |
           1 | rules: [{}]
             |         ^^
             |
             = help: `name: …` appears in denials and the audit trail

           error: a rule does not say for whom it is
            --> policies/a.yaml:1:9
             |
           1 | rules: [{}]
             |         ^^
             |
             = help: add `subjects: […]`; everybody is `[anyone]`

           error: a rule does not say for which images it is
            --> policies/a.yaml:1:9
             |
           1 | rules: [{}]
             |         ^^
             |
             = help: add `images: […]`; every image is `["**"]`

           error: a rule neither allows nor denies anything
            --> policies/a.yaml:1:9
             |
           1 | rules: [{}]
             |         ^^
             |
             = help: add `allow: […]` or `deny: […]`
    error  users
           error: cannot read the users file GATE/users.yaml: No such file or directory (os error 2)
    ok     state          sqlite:GATE/state/portcullis.db, made at the first start
    error  upstream
           error: cannot connect to UPSTREAM: Connection refused (os error 111)
           help: start the registry, or mend `upstream` in the configuration
    "#);
}

#[test]
fn a_bad_configuration_is_all_there_is_to_say() {
    let folder = folder("upstram: {}\n");
    let (exit, text) = checked(&folder, "NOWHERE");
    assert_eq!(exit, Exit::Input);
    assert_snapshot!(text, @"
    error  configuration
           error: no `upstream.url`
           --> GATE/portcullis.yaml
            = help: name the registry behind the gate: `upstream: {url: http://127.0.0.1:5000}`

           error: unknown key `upstram` in the configuration
            --> GATE/portcullis.yaml:1:1
             |
           1 | upstram: {}
             | ^^^^^^^
             |
             = help: did you mean `upstream`?
    ");
}

#[test]
fn a_certificate_that_ended_is_wrong() {
    let folder = folder("upstream: {url: \"http://127.0.0.1:1\"}\n");
    let config = Config::load(&folder.path().join("portcullis.yaml")).unwrap();
    let chain = certificate::read_chain(&config.tls.as_ref().unwrap().certificate).unwrap();
    let end = certificate::not_after(Path::new("server.crt"), &chain).unwrap();
    assert!(certificate(&config, end - SignedDuration::from_secs(1)).is_ok());
    let failure = certificate(&config, end).unwrap_err();
    assert_eq!(failure.exit, Exit::Input);
    let day = end.strftime("%Y-%m-%d").to_string();
    let text = failure.text(false).replace(folder.path().to_str().unwrap(), "GATE");
    assert_snapshot!(text.replace(&day, "DAY"), @"
    error: GATE/certs/server.crt ended on DAY
    help: put a new one in its place; no restart is needed
    ");
}

#[test]
fn keys_are_checked_as_a_start_would_and_none_is_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder("upstream:\n  url: http://127.0.0.1:1\n");
    let config = Config::load(&folder.path().join("portcullis.yaml")).unwrap();
    let path = config.signing_keys.clone();
    assert!(keys(&config, Timestamp::now()).is_ok());
    assert!(!path.exists());
    KeyFolder::open(&path, Timestamp::now()).unwrap();
    let told = keys(&config, Timestamp::now()).unwrap();
    assert!(told.contains("(EdDSA)"), "{told}");
    for entry in fs::read_dir(&path).unwrap() {
        let file = entry.unwrap().path();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let failure = keys(&config, Timestamp::now()).unwrap_err();
        assert_eq!(failure.exit, Exit::Input);
        assert!(failure.text(false).contains("chmod 600"), "{}", failure.text(false));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_state_that_cannot_be_used_is_told_of() {
    let (folder, address) = gate("200 OK", "");
    fs::create_dir(folder.path().join("state")).unwrap();
    fs::write(folder.path().join("state/portcullis.db"), "no database").unwrap();
    let (exit, text) = checked(&folder, &address);
    assert_eq!(exit, Exit::Impossible);
    assert_snapshot!(text.lines().skip(5).collect::<Vec<_>>().join("\n"), @"
    error  state
           error: the state GATE/state/portcullis.db cannot be used: (code: 26) file is not a database
           help: mend `state.url` in the configuration, or what it names
    ok     upstream       http://UPSTREAM answers
    ");
}
