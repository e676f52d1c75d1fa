//! The commands that `docs/policy.md` and `README.md` show print what is shown. The policies and
//! cases of the guide are looked at in `crates/policy/tests/policy/guide.rs`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::gate::{Setup, portcullis};
use crate::support::images::Image;
use crate::support::process::{Said, program, wait_for};
use crate::support::registry::Registry;

struct Example {
    /// The heading that it stands under.
    section: String,
    /// What stands after the opening fence.
    kind: String,
    text: String,
}

impl Example {
    /// The file that it is, where it is one that commands are about.
    fn path(&self) -> Option<&str> {
        let path = self.kind.rsplit(' ').next()?;
        let is_file = path.contains(['/', '.']) && !path.starts_with("examples/");
        is_file.then_some(path)
    }
}

fn examples(document: &str) -> Vec<Example> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let document = fs::read_to_string(document).unwrap();
    let (mut examples, mut section): (Vec<Example>, _) = (Vec::new(), "");
    let mut is_open = false;
    for line in document.lines() {
        match (line.strip_prefix("```"), is_open) {
            (Some(kind), false) => {
                let (section, kind) = (section.to_owned(), kind.to_owned());
                examples.push(Example { section, kind, text: String::new() });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => examples.last_mut().unwrap().text += &format!("{line}\n"),
            (None, false) => section = line.strip_prefix("## ").unwrap_or(section),
        }
    }
    examples
}

/// Where commands run: with the files that were shown so far. A section that shows a
/// policy begins with an empty folder, any other goes on where the one before it ended.
struct Place {
    folder: TempDir,
    section: String,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), section: String::new() }
    }

    fn show(&mut self, example: &Example) {
        let Some(path) = example.path() else { return };
        if path.starts_with("policies/") && self.section != example.section {
            *self = Self { section: example.section.clone(), ..Self::new() };
        }
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &example.text).unwrap();
    }

    /// Runs each command behind a `$`; the answer has the commands too, as a terminal shows them.
    fn run(&self, commands: &str) -> String {
        let mut script = "exec 2>&1\n".to_owned();
        for command in commands.lines().filter_map(|line| line.strip_prefix("$ ")) {
            assert!(!command.contains('\''), "{command}");
            script += &format!("code=$?; echo '$ {command}'; (exit $code)\n{command}\n");
        }
        run(self.folder.path(), &script).out
    }
}

/// Runs a script in a folder, with the built program.
fn run(folder: &Path, script: &str) -> Said {
    let program = Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().unwrap().display();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(folder).env("PATH", path).env("NO_COLOR", "1");
    Said::of(&mut shell)
}

#[test]
fn commands_print_what_is_shown() {
    for (document, least) in [("docs/policy.md", 10), ("README.md", 1)] {
        let mut place = Place::new();
        let mut count = 0;
        for example in &examples(document) {
            place.show(example);
            if example.kind == "console" {
                let section = &example.section;
                assert_eq!(place.run(&example.text), example.text, "{document}: {section}");
                count += 1;
            }
        }
        assert!(count >= least, "{document}: {count}");
    }
}

/// The cells of a table, without how long ago something was.
fn cells(report: &str) -> Vec<Vec<&str>> {
    let lines = report.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line = line.split(", begun ").next().unwrap_or(line);
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.enumerate().filter(|(at, _)| *at != 6).map(|(_, cell)| cell).collect()
        })
        .collect()
}

#[test]
fn the_shadow_policy_of_the_guide_reports_what_the_guide_shows() {
    const SECTION: &str = "Trying a change on live traffic";
    let mut place = Place::new();
    let examples = examples("docs/policy.md");
    for example in examples.iter().take_while(|example| example.section != SECTION) {
        place.show(example);
        if example.text.starts_with("$ cp ") {
            place.run(&example.text);
        }
    }
    let is_report = |it: &&Example| it.section == SECTION && it.kind == "text";
    let shown = &examples.iter().find(is_report).unwrap().text;

    let registry = Registry::start();
    let owner = registry.client();
    owner.push("team/backend/api", "latest", &Image::oci("latest"));
    owner.push("team/backend/api", "v1", &Image::oci("v1"));
    owner.push("team/web/shop", "rc-1", &Image::oci("rc-1"));
    let [policy, next] = ["policies/teams.yaml", "next"].map(|it| place.folder.path().join(it));
    let policy = fs::read_to_string(policy).unwrap();
    let gate = Setup::new(&format!("http://{}", registry.address()), &policy)
        .setting("shadow_policies", &next.display().to_string())
        .user("alice", &[])
        .user("quentin", &["qa"])
        .start();
    let pull = |user: &str, repository: &str, tag: &str| {
        gate.basic(user).get(&format!("/v2/{repository}/manifests/{tag}")).status
    };
    assert_eq!(pull("alice", "team/backend/api", "v1"), 200);
    assert_eq!(pull("alice", "team/backend/api", "latest"), 200);
    assert_eq!(pull("quentin", "team/web/shop", "rc-1"), 403);
    assert_eq!(pull("alice", "team/backend/api", "latest"), 200);

    let report =
        || Said::of(portcullis().args(["policy", "diff", "--live", "--config"]).arg(gate.config()));
    let said = wait_for("the report", Duration::from_secs(20), || {
        Some(report()).filter(|said| said.out.contains("of 4 requests"))
    });
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(cells(&said.out), cells(shown), "{}", said.out);

    // The emergency's question, about a repository of this gate.
    program("jq", "jq");
    let who = script("jq ").replace("prod/payments", "team/backend/api");
    gate.requests(|records| records.len() >= 4);
    let said = run(&gate.home(), &who).ok();
    let pulls: Vec<Vec<&str>> = said.out.lines().map(|it| it.split('\t').collect()).collect();
    let tags = pulls.iter().map(|pull| (pull[1], pull[2]));
    let alice = |tag| ("user:alice", tag);
    assert_eq!(tags.collect::<Vec<_>>(), [alice("v1"), alice("latest"), alice("latest")]);
    assert!(pulls.iter().all(|pull| pull[3].starts_with("sha256:")), "{}", said.out);
}

/// The script of the guide that begins so.
fn script(start: &str) -> String {
    let mut examples = examples("docs/policy.md").into_iter();
    examples.find(|it| it.kind == "sh" && it.text.starts_with(start)).unwrap().text
}

#[test]
fn the_emergency_is_tried_and_put_in_force_as_shown() {
    let place = tempfile::tempdir().unwrap();
    let emergency = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies/emergency");
    let take = format!("cp -r {} policies && mv policies/incident-42.yaml .", emergency.display());
    run(place.path(), &take).ok();
    let said = run(place.path(), &script("cp -r policies next")).ok();
    assert!(said.out.contains("8 cases, all as expected"), "{}{}", said.out, said.err);
    assert!(said.out.contains("denied by incident-42-nobody-runs-the-bad-build"), "{}", said.out);
    assert!(
        run(place.path(), "portcullis policy diff policies next").ok().out.contains("no decision")
    );
}
