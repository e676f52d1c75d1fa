//! The page "Use this registry": what stands there is copied and run, against the gate that showed it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use document::{Kind, Node, Problems, Value as Yaml};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser::{Browser, DESK};
use crate::support::client::Ask;
use crate::support::ctr::Containerd;
use crate::support::docker::Docker;
use crate::support::gate::{Gate, password_of};
use crate::support::images::Image;
use crate::support::process::{Said, wait_for};
use crate::support::provider::{Key, Provider, jwks};
use crate::support::scene::Scene;

const POLICY: &str = r#"
rules:
  - {name: all, subjects: ["user:ci", "service:gh/*", "service:gl/*"], images: ["**"], allow: [all]}
"#;

/// The page of this gate, as somebody reads it.
struct Page(Browser);

impl Page {
    fn of(gate: &Gate) -> Self {
        let browser = Browser::start(gate, DESK);
        browser.fill("Name", "ci");
        browser.fill("Password or token", &password_of("ci"));
        browser.press("Sign in");
        browser.says("user:ci");
        browser.press("Use this registry");
        browser.says("Log in, pull, push");
        Self(browser)
    }

    /// What the button beside a text copies.
    fn copied(&self, id: &str) -> String {
        let found = format!("return document.querySelector('[data-copy=\"{id}\"]').dataset.copy");
        assert_eq!(self.0.measure(&found), json!(id));
        let script = format!("return document.getElementById('{id}').textContent.trim()");
        self.0.measure(&script).as_str().unwrap().to_owned()
    }

    /// The same, read as YAML.
    fn yaml(&self, id: &str) -> Node {
        read(&self.copied(id))
    }
}

fn read(text: &str) -> Node {
    let kind = Kind {
        name: "a snippet",
        max_mib: 1,
        too_large: "",
        second_document: "",
        instead_of_anchors: "",
        secret_keys: &[],
    };
    let mut problems = Problems::default();
    let node = document::parse(&kind, 0, text, &mut problems);
    assert!(problems.is_empty(), "{text}");
    node.unwrap()
}

/// What stands in a document at a path of keys and numbers.
fn at<'a>(node: &'a Node, path: &[&str]) -> &'a Node {
    path.iter().fold(node, |node, step| match &node.value {
        Yaml::Map { entries, .. } => {
            let entry = entries.iter().find(|entry| entry.key == *step);
            &entry.unwrap_or_else(|| panic!("no {step} in {node:?}")).value
        }
        Yaml::List(items) => &items[step.parse::<usize>().unwrap()],
        _ => panic!("no {step} in {node:?}"),
    })
}

fn text<'a>(node: &'a Node, path: &[&str]) -> &'a str {
    match &at(node, path).value {
        Yaml::Text(text) => text,
        other => panic!("{path:?} is {other:?}"),
    }
}

/// Somebody at a shell, in a folder with the gate's `ca.crt`.
struct Shell {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    fn new(gate: &Gate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(gate.ca(), folder.path().join("ca.crt")).unwrap();
        let shell = Self { folder, variables: Vec::new() };
        // The tests are root already.
        shell.program("sudo", "exec \"$@\"");
        shell
    }

    /// Puts a program into the way of others of its name.
    fn program(&self, name: &str, script: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    fn run(&self, command: &str) -> Said {
        self.run_with(command, "")
    }

    fn run_with(&self, command: &str, input: &str) -> Said {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.folder.path().display());
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", command]).current_dir(self.folder.path());
        bash.env("PATH", path).envs(self.variables.iter().map(|(name, value)| (name, value)));
        Said::with_input(&mut bash, input)
    }
}

/// A folder of the machine's own that a test writes to.
struct Trust(PathBuf);

impl Trust {
    fn empty(parent: &str, gate: &Gate) -> Self {
        let folder = Path::new(parent).join(gate.name());
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Trust {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn scene() -> (Scene, Image) {
    let scene = Scene::new(POLICY, &[("ci", &[])]);
    let app = Image::docker("app");
    scene.client("ci").push("team/app", "v1", &app);
    (scene, app)
}

#[test]
fn docker_trusts_the_gate_logs_in_pulls_and_pushes_by_the_commands_of_the_page() {
    let (scene, app) = scene();
    let page = Page::of(&scene.gate);
    let docker = Docker::start(&scene.gate);
    let trust = Trust::empty("/etc/docker/certs.d", &scene.gate);
    let mut shell = Shell::new(&scene.gate);
    docker.surroundings().into_iter().for_each(|(name, value)| shell.set(name, &value));
    // The machine does not trust the gate, and the page says how that looks.
    shell.run(&page.copied("trust-check")).refused("SSL certificate problem");
    shell.run(&page.copied("trust-docker")).ok();
    let put = fs::read(trust.0.join("ca.crt")).unwrap();
    assert_eq!(put, fs::read(scene.gate.ca()).unwrap());
    shell.set("CURL_CA_BUNDLE", scene.gate.ca().to_str().unwrap());
    assert_eq!(shell.run(&page.copied("trust-check")).ok().out, "401\n");
    let commands = page.copied("login");
    let (login, rest) = commands.split_once('\n').unwrap();
    // Nobody sits at a terminal here.
    shell.run_with(&format!("{login} --password-stdin"), &password_of("ci")).ok();
    shell.run(rest).ok();
    // docker packs layers anew; what it says of the image is the same.
    let pushed = scene.client("ci").get("/v2/team/app/manifests/v2").expect(200).json();
    assert_eq!(pushed["config"]["digest"], app.config.digest.as_str());
}

#[test]
fn containerd_pulls_by_the_files_and_the_command_of_the_page() {
    let (scene, _) = scene();
    let page = Page::of(&scene.gate);
    let containerd = Containerd::start(&scene.gate);
    let trust = Trust::empty("/etc/containerd/certs.d", &scene.gate);
    let made = Ask::body("application/json", br#"{"expires": "1h", "actions": ["pull"]}"#);
    let made = scene.gate.basic("ci").send("POST", "/api/v1/tokens", &made).expect(201).json();
    let mut shell = Shell::new(&scene.gate);
    shell.set("TOKEN", made["access_token"].as_str().unwrap());
    shell.set("CONTAINERD_ADDRESS", &containerd.socket());
    shell.set("CONTAINERD_SNAPSHOTTER", "native");
    let pull = page.copied("ctr");
    shell.run(&pull).failed();
    shell.run(&page.copied("trust-containerd")).ok();
    fs::write(trust.0.join("hosts.toml"), page.copied("containerd")).unwrap();
    shell.run(&pull).ok();
    let pulled = containerd.run(&["images", "list", "--quiet"]).ok().out;
    assert_eq!(pulled.trim(), containerd.at_gate("team/app:v1"));
    // The folder of the files is the one that Kubernetes is told of.
    for id in ["containerd-1", "containerd-2"] {
        let told = page.copied(id);
        assert!(told.contains("config_path = \"/etc/containerd/certs.d\""), "{told}");
    }
}

#[test]
fn a_cluster_gets_a_pull_secret_that_docker_could_use() {
    let (scene, _) = scene();
    let page = Page::of(&scene.gate);
    let mut shell = Shell::new(&scene.gate);
    shell.set("TOKEN", "t0 k'en");
    shell.program("kubectl", r#"printf '%s\n' "$@""#);
    let told = shell.run(&page.copied("kubernetes")).ok().out;
    let server = format!("--docker-server={}", scene.gate.name());
    let name = "--docker-username=token";
    let expected = [
        "create",
        "secret",
        "docker-registry",
        "portcullis",
        &server,
        name,
        "--docker-password=t0 k'en",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    let told = shell.run(&page.copied("kubernetes-account")).ok().out;
    let lines: Vec<_> = told.lines().collect();
    let (patch, command) = lines.split_last().unwrap();
    assert_eq!(command, ["patch", "serviceaccount", "default", "--patch"]);
    assert_eq!(text(&read(patch), &["imagePullSecrets", "0", "name"]), "portcullis");
}

#[test]
fn without_a_provider_a_job_logs_in_with_a_token_that_is_a_secret() {
    let (scene, _) = scene();
    let page = Page::of(&scene.gate);
    let gate = scene.gate.name();
    let steps = ["jobs", "image", "steps"];
    let job = page.yaml("github");
    let step = |more: &[&str]| text(&job, &[&steps[..], more].concat()).to_owned();
    assert_eq!(step(&["0", "env", "TOKEN"]), "${{ secrets.PORTCULLIS_TOKEN }}");
    let login = "docker login --username token --password-stdin";
    assert_eq!(step(&["0", "run"]), format!("printf %s \"$TOKEN\" | {login} {gate}"));
    assert_eq!(step(&["1", "run"]), format!("docker pull {gate}/team/app:v1"));
    let job = page.yaml("gitlab");
    let expected = format!("printf %s \"$PORTCULLIS_TOKEN\" | {login} {gate}");
    assert_eq!(text(&job, &["image", "script", "0"]), expected);
    let trust = page.yaml("trust-github");
    assert_eq!(text(&trust, &["0", "env", "CA"]), "${{ vars.PORTCULLIS_CA }}");
    assert!(text(&trust, &["0", "run"]).ends_with(&format!("/etc/docker/certs.d/{gate}/ca.crt")));
}

/// Providers as GitHub and GitLab are, under other names than theirs, and with audiences that are not
/// the address of the gate.
#[test]
fn jobs_of_the_providers_of_the_configuration_log_in_by_what_the_page_says() {
    let key = Key::rs256("key-1");
    let provider = Provider::start(std::slice::from_ref(&key));
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    fs::write(&keys, jwks(std::slice::from_ref(&key)).to_string()).unwrap();
    let actions = format!("{}/_services/token", provider.issuer());
    let federation = format!(
        "[{{name: hub-9, issuer: \"{actions}\", audience: \"widgets & sons/gate\", jwks: \"{keys}\", \
         require: {{repository_id: 7}}, subject: \"gh/{{repository_id}}\"}}, \
         {{name: lab-9, issuer: \"{}\", audience: \"widgets: #gate\", jwks: \"{keys}\", \
         require: {{project_id: 20}}, subject: \"gl/{{project_id}}\"}}]",
        provider.issuer(),
        keys = keys.display(),
    );
    let scene =
        Scene::with(POLICY, &[("ci", &[])], |setup| setup.setting("federation", &federation));
    scene.client("ci").push("team/app", "v1", &Image::docker("app"));
    let page = Page::of(&scene.gate);
    let docker = Docker::start(&scene.gate);
    let now = Timestamp::now().as_second();
    let signed = |changes: Value| {
        let mut claims = json!({"sub": "job", "iat": now, "exp": now + 300});
        let Value::Object(changes) = changes else { panic!() };
        changes.into_iter().for_each(|(name, value)| claims[name] = value);
        key.sign(&claims)
    };
    let mut shell = Shell::new(&scene.gate);
    docker.surroundings().into_iter().for_each(|(name, value)| shell.set(name, &value));

    let job = page.yaml("github");
    assert_eq!(text(&job, &["permissions", "id-token"]), "write");
    // GitHub, which makes a token for the audience that it is asked for.
    let token = signed(json!({"iss": actions, "aud": "widgets & sons/gate", "repository_id": "7"}));
    let answer = json!({"value": token}).to_string();
    shell.program("curl", &format!("printf '%s\\n' \"$@\" > asked; printf %s '{answer}'"));
    shell.set("ACTIONS_ID_TOKEN_REQUEST_URL", "https://actions.example/token?api=1");
    shell.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-the-job");
    shell.run(text(&job, &["jobs", "image", "steps", "0", "run"])).ok();
    let asked = fs::read_to_string(shell.folder.path().join("asked")).unwrap();
    let url = asked.lines().last().unwrap();
    let url = url::Url::parse(url).unwrap();
    let audience = url.query_pairs().find(|(name, _)| name == "audience").unwrap().1;
    assert_eq!(audience, "widgets & sons/gate");
    assert!(asked.contains("Authorization: Bearer of-the-job"), "{asked}");
    shell.run(text(&job, &["jobs", "image", "steps", "1", "run"])).ok();
    docker.logout().ok();

    let job = page.yaml("gitlab");
    let audience = text(&job, &["image", "id_tokens", "GATE_TOKEN", "aud"]);
    let token = signed(json!({"iss": provider.issuer(), "aud": audience, "project_id": "20"}));
    shell.set("GATE_TOKEN", &token);
    for number in ["0", "1"] {
        shell.run(text(&job, &["image", "script", number])).ok();
    }
}

#[test]
fn what_was_copied_is_told_to_those_who_do_not_see_the_button() {
    let (scene, _) = scene();
    let Page(browser) = Page::of(&scene.gate);
    let status = "return document.querySelector('.unseen[role=status]').textContent";
    assert_eq!(browser.measure(status), json!(""));
    browser.measure("document.querySelector('[data-copy=login]').focus()");
    browser.keys(" ");
    let told = wait_for("word of it", Duration::from_secs(10), || {
        Some(browser.measure(status)).filter(|told| *told != json!(""))
    });
    assert!(told == json!("Copied") || told == json!("Selected"), "{told}");
}
