//! What stops the gate from starting is said in words that tell what, where and what to do.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::gate::{HOST, Setup, portcullis};
use crate::support::images::Image;
use crate::support::process::{Said, free_port, wait_for};
use crate::support::registry::Registry;
use crate::support::scene::Scene;

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

/// A folder that `init` made, with nothing running.
struct Folder {
    _temporary: TempDir,
    home: PathBuf,
    listen: u16,
    management: u16,
}

impl Folder {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let home = temporary.path().join("gate");
        let (listen, management, upstream) = (free_port(), free_port(), free_port());
        init(&home, listen, management, upstream).ok();
        Self { _temporary: temporary, home, listen, management }
    }

    fn config(&self) -> PathBuf {
        self.home.join("portcullis.yaml")
    }

    fn append(&self, text: &str) {
        let before = fs::read_to_string(self.config()).unwrap();
        fs::write(self.config(), before + text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Said {
        // A gate that starts although it should not would never end by itself.
        let mut command = std::process::Command::new("timeout");
        command.args(["20", env!("CARGO_BIN_EXE_portcullis")]).args(arguments);
        Said::of(command.env("NO_COLOR", "1").arg("--config").arg(self.config()))
    }

    /// Neither `serve` nor `check` accept it; both say these words, and no port is opened.
    #[track_caller]
    fn refused(&self, code: i32, words: &[&str]) {
        for command in ["serve", "check"] {
            let said = self.run(&[command]);
            assert_eq!(said.code, Some(code), "{command}: {}{}", said.out, said.err);
            // `check` is asked for a report, so that is its output; `serve` complains.
            let text = if command == "check" { &said.out } else { &said.err };
            for word in words {
                assert!(text.contains(word), "{command} does not say {word:?}: {text}");
            }
            for internal in ["panicked", "Os {", "Error(", "Error {", "portcullis::", "thread '"] {
                assert!(!text.contains(internal), "{command}: {internal:?} in {text}");
            }
        }
    }
}

fn init(home: &Path, listen: u16, management: u16, upstream: u16) -> Said {
    let mut command = portcullis();
    command.arg("init").arg(home).args(["--upstream", &format!("http://127.0.0.1:{upstream}")]);
    command.args(["--listen", &format!("127.0.0.1:{listen}"), "--host", HOST]);
    Said::of(command.args(["--management", &format!("127.0.0.1:{management}"), "--output", "json"]))
}

#[test]
fn init_makes_a_folder_that_serves_and_keeps_its_secrets_to_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    folder.run(&["policy", "check", folder.home.join("policies").to_str().unwrap()]);
    let mut secrets = 0;
    let mut look = vec![folder.home.clone()];
    while let Some(path) = look.pop() {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                look.push(entry.path());
            } else if name.ends_with(".key") || name.ends_with(".pem") || name == "users.yaml" {
                secrets += 1;
                assert_eq!(mode & 0o077, 0, "{} is {mode:o}", entry.path().display());
            }
        }
    }
    assert!(secrets >= 2, "the certificate's key and the users");
}

#[test]
fn init_refuses_a_folder_that_holds_a_gate_and_touches_nothing() {
    let folder = Folder::new();
    let before = fs::read(folder.config()).unwrap();
    let said = init(&folder.home, free_port(), free_port(), free_port());
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains(folder.home.to_str().unwrap()), "{}", said.err);
    assert_eq!(fs::read(folder.config()).unwrap(), before);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let folder = Folder::new();
    fs::remove_file(folder.config()).unwrap();
    folder.refused(2, &["portcullis.yaml", "init"]);
}

#[test]
fn an_unknown_key_is_shown_where_it_stands_with_a_suggestion() {
    let folder = Folder::new();
    folder.append("\nlisen: 127.0.0.1:1\n");
    folder.refused(2, &["portcullis.yaml:", "lisen", "listen"]);
}

#[test]
fn all_mistakes_of_a_configuration_are_told_at_once() {
    let folder = Folder::new();
    folder.append("\nlimits: {header_timeout: soon, connections: -1}\nlogg: {}\n");
    folder.refused(2, &["soon", "-1", "logg"]);
}

#[test]
fn a_configuration_that_is_no_yaml_is_shown_where_it_breaks() {
    let folder = Folder::new();
    folder.append("\nlog: {format: [text\n");
    folder.refused(2, &["portcullis.yaml:"]);
}

#[test]
fn a_bad_policy_is_shown_with_file_line_and_help() {
    let folder = Folder::new();
    let policy = POLICY.replace("user:alice", "group:backnd");
    fs::remove_dir_all(folder.home.join("policies")).unwrap();
    fs::create_dir(folder.home.join("policies")).unwrap();
    let text = format!("groups: {{backend: [user:alice]}}\n{policy}");
    fs::write(folder.home.join("policies/bad.yaml"), text).unwrap();
    folder.refused(2, &["policies/bad.yaml:5", "backnd", "backend"]);
}

#[test]
fn an_empty_policy_folder_is_refused() {
    let folder = Folder::new();
    fs::remove_dir_all(folder.home.join("policies")).unwrap();
    folder.refused(2, &["policies"]);
    fs::create_dir(folder.home.join("policies")).unwrap();
    folder.refused(2, &["policies"]);
}

#[test]
fn a_missing_certificate_is_named_with_the_command_that_makes_one() {
    let folder = Folder::new();
    fs::remove_file(folder.home.join("certs/server.crt")).unwrap();
    folder.refused(2, &["certs/server.crt", "portcullis certs dev"]);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (folder, other) = (Folder::new(), Folder::new());
    fs::copy(other.home.join("certs/server.key"), folder.home.join("certs/server.key")).unwrap();
    folder.refused(2, &["certs/server.key"]);
}

#[test]
fn a_key_that_everyone_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let key = folder.home.join("certs/server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    folder.refused(2, &["certs/server.key", "chmod"]);
}

#[test]
fn a_taken_port_is_named() {
    for management in [false, true] {
        let folder = Folder::new();
        let port = if management { folder.management } else { folder.listen };
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let said = folder.run(&["serve"]);
        assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
        let all = format!("{}{}", said.out, said.err);
        assert!(all.contains(&format!("127.0.0.1:{port}")) && all.contains("in use"), "{all}");
        assert!(!all.contains("panicked"), "{all}");
    }
}

#[test]
fn an_upstream_that_is_away_is_named_by_check_and_does_not_stop_the_start() {
    let folder = Folder::new();
    let said = folder.run(&["check"]);
    assert_eq!(said.code, Some(3), "{}{}", said.out, said.err);
    assert!(said.out.contains("upstream") && said.out.contains("127.0.0.1:"), "{}", said.out);
}

#[test]
fn check_is_content_with_what_init_made_once_the_upstream_is_there() {
    let registry = Registry::start();
    let gate = Setup::new(&format!("http://{}", registry.address()), POLICY).start();
    gate.run(&["check"]).ok();
    gate.run(&["healthcheck"]).ok();
}

#[test]
fn an_upstream_that_goes_away_is_a_502_and_comes_back() {
    let mut scene = Scene::new(POLICY, &[("alice", &[])]);
    let alice = scene.client("alice");
    alice.push("team/app", "v1", &Image::oci("away"));
    scene.registry.stop();
    let answer = alice.get("/v2/team/app/manifests/v1");
    assert!(matches!(answer.status, 502 | 503), "{answer:?}");
    let text = answer.text();
    let port = scene.registry.address().port().to_string();
    assert!(!text.contains(&port) && !text.contains("127.0.0.1"), "{text}");
    let id = answer.header("x-request-id").unwrap().to_owned();
    wait_for("the log to say why", Duration::from_secs(60), || {
        scene.gate.log().lines().any(|line| line.contains(&id)).then_some(())
    });
    // A denial needs no upstream.
    alice.get("/v2/other/app/manifests/v1").expect(403);
}

#[test]
fn it_stops_cleanly_when_told_to_and_lets_what_is_under_way_end() {
    let mut scene = Scene::new(POLICY, &[("alice", &[])]);
    scene.client("alice").push("team/app", "v1", &Image::oci("stop"));
    assert_eq!(scene.gate.stop(), Some(0));
}

#[test]
fn arguments_that_are_wrong_are_explained() {
    for (arguments, words) in [
        (&["serv"][..], "serve"),
        (&["serve", "--confg", "x"], "--config"),
        (&["policy", "explain", "--as", "alice", "pull", "a:b"], "user:alice"),
        (&["init"], "<DIR>"),
    ] {
        let said = Said::of(portcullis().args(arguments));
        assert_eq!(said.code, Some(2), "{arguments:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(words), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn a_gate_that_was_just_made_passes_its_own_tests() {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    let made = Said::of(portcullis().arg("init").arg(&gate));
    assert_eq!(made.code, Some(0), "{}", made.err);
    let tested = Said::of(
        portcullis().args(["policy", "test", "--deny-uncovered"]).arg(gate.join("policies")),
    );
    assert_eq!(tested.code, Some(0), "{}{}", tested.out, tested.err);
    assert_eq!(tested.out, "34 cases, all as expected\n16 of 16 rules exercised\n");
}

#[test]
fn test_cases_that_fail_and_cases_that_cannot_be_meant_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("team.yaml"), POLICY).unwrap();
    let test = |cases: Option<&str>, arguments: &[&str]| {
        if let Some(cases) = cases {
            fs::create_dir_all(folder.path().join("tests")).unwrap();
            fs::write(folder.path().join("tests/a.yaml"), format!("cases: [{cases}]")).unwrap();
        }
        let mut command = portcullis();
        command.args(["policy", "test"]).args(arguments).arg(folder.path());
        Said::of(&mut command)
    };
    let json = |said: &Said| serde_json::from_str::<serde_json::Value>(&said.out).unwrap();
    let none = test(None, &[]);
    assert_eq!(none.code, Some(2), "{}", none.out);
    assert!(none.err.contains("expect: allow"), "{}", none.err);

    let case = "{as: user:alice, do: pull, image: team/app, expect: allow}";
    let passed = test(Some(case), &["--output", "json"]);
    assert_eq!((passed.code, &json(&passed)["failed"]), (Some(0), &0.into()));

    let case = "{as: user:alice, do: pull, image: other/app, expect: allow}";
    let failed = test(Some(case), &[]);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    assert!(failed.out.contains("1 case, 1 failed"), "{}", failed.out);
    assert!(failed.out.contains("tests/a.yaml:1"), "{}", failed.out);
    assert_eq!(test(Some(case), &["--output", "json"]).code, Some(1));

    let case = "{as: user:alice, do: pul, image: other/app, expect: allow}";
    let wrong = test(Some(case), &[]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.out);
    assert!(wrong.err.contains("did you mean `pull`?"), "{}", wrong.err);
    let wrong = test(Some(case), &["--output", "json"]);
    assert_eq!((wrong.code, wrong.err.as_str()), (Some(2), ""));
    assert_eq!(json(&wrong)["diagnostics"][0]["line"], 1);
}

#[test]
fn check_tells_programs_every_mistake_and_denies_warnings_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, arguments: &[&str]| {
        fs::write(folder.path().join("a.yaml"), text).unwrap();
        let mut command = portcullis();
        command.args(["policy", "check", "--output", "json"]).args(arguments).arg(folder.path());
        let said = Said::of(&mut command);
        let json: serde_json::Value = serde_json::from_str(&said.out).expect(&said.err);
        (said.code, json)
    };
    let rule = "{name: a, subjects: [group:g], images: [x], allow: [pull]}";
    let odd = format!("groups: {{g: []}}\nrules: [{rule}]");
    let (code, json) = check(&odd, &[]);
    assert_eq!((code, &json["rules"], &json["warnings"]), (Some(0), &1.into(), &1.into()));
    assert_eq!(json["diagnostics"][0]["severity"], "warning");
    assert_eq!(check(&odd, &["--deny-warnings"]).0, Some(1));

    let (code, json) = check("rules: [{name: a, allow: [pul]}]\nx: y", &["--deny-warnings"]);
    assert_eq!((code, &json["errors"]), (Some(2), &4.into()), "{json}");
    assert_eq!(json["diagnostics"].as_array().unwrap().len(), 4);
    assert_eq!(json["diagnostics"][2]["column"], 27, "{json}");
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    let empty =
        Said::of(portcullis().args(["policy", "check", "--output", "json"]).arg(folder.path()));
    assert_eq!(empty.code, Some(2));
    assert!(empty.out.contains("no policy in"), "{}", empty.out);
}

#[test]
fn the_schemas_for_editors_are_printed() {
    let title = |arguments: &[&str]| {
        let said = Said::of(portcullis().args(["policy", "schema"]).args(arguments));
        assert_eq!(said.code, Some(0), "{}", said.err);
        let schema: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        schema["title"].as_str().unwrap().to_owned()
    };
    assert_eq!(title(&[]), "A policy file of Portcullis");
    assert_eq!(title(&["--cases"]), "Test cases of a Portcullis policy");
}

#[test]
fn explain_tells_the_rule_and_its_exit_code_the_decision() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("team.yaml"), POLICY).unwrap();
    let explain = |image: &str| {
        let mut command = portcullis();
        command.args(["policy", "explain", "--output", "json", "--as", "user:alice", "--policies"]);
        let said = Said::of(command.arg(folder.path()).args(["pull", image]));
        let answer: serde_json::Value = serde_json::from_str(&said.out).expect(&said.err);
        (said.code, answer)
    };
    let (code, answer) = explain("team/app:v1");
    assert_eq!((code, &answer["decision"]), (Some(0), &"allow".into()));
    assert_eq!(answer["rule"], "the-team-works-here");
    assert_eq!(answer["line"], 3);
    let (code, answer) = explain("other/app:v1");
    assert_eq!((code, &answer["decision"]), (Some(1), &"deny".into()));
    assert!(!answer["reason"].as_str().unwrap().is_empty());
}
