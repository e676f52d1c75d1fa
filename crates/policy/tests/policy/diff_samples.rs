//! The sample policies without one of their lines: every question that is then answered otherwise
//! is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use oci::{RepositoryName, Tag};
use policy::{
    Action, Caller, Circumstances, Credential, Image, Policy, SourceFile, Subject, compare,
};

use crate::support::caller;
use crate::told::Told;

fn folder(name: &str) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    let mut files = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        let mut inside: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        inside.sort();
        for path in inside {
            if path.is_dir() {
                if !path.ends_with("tests") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|it| it == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                files.push(SourceFile {
                    path: path.strip_prefix(&root).unwrap().to_str().unwrap().into(),
                    text,
                });
            }
        }
    }
    files
}

/// Everybody that the files name, somebody that they do not, and members of their groups.
fn callers(files: &[SourceFile], at: Timestamp) -> Vec<Caller> {
    let texts = files.iter().flat_map(|file| file.text.split(|c: char| " [],\"{}\n".contains(c)));
    let named = texts.filter(|word| word.starts_with("user:") || word.starts_with("service:"));
    let mut names: BTreeSet<String> = named.map(|word| word.replace('*', "x")).collect();
    names.extend(["user:somebody", "service:something", "peer:eu/x"].map(str::to_owned));
    let mut callers = vec![caller("anyone", &[])];
    for name in &names {
        callers.push(caller(name, &[]));
    }
    for group in ["on-call", "developers", "release", "backend"] {
        callers.push(caller("user:somebody", &[group]));
    }
    for caller in &mut callers {
        let credential = match caller.subject {
            Subject::User(_) => Credential::User,
            Subject::Service(_) => Credential::Service,
            Subject::Peer { .. } => Credential::Peer,
            Subject::Anonymous => Credential::Anonymous,
        };
        let address = Some([10, 20, 0, 1].into());
        caller.circumstances =
            Circumstances { at: Some(at), address, credential: Some(credential) };
    }
    callers
}

fn images() -> Vec<(RepositoryName, Option<Tag>)> {
    let repositories = [
        "home/alice/x",
        "home/somebody",
        "team/backend/api",
        "team/backend/lib/x",
        "team/frontend/x",
        "team/web/x",
        "base/x",
        "mirror/x/y",
        "prod/payments",
        "staging/x",
        "dev/x",
        "other",
    ];
    let tags = ["v1", "rc-1", "latest", "1.8.2", "2.1.0", "1.0.0-rc.1", "x"];
    let tags: Vec<_> = tags.iter().map(|tag| Some(Tag::new(tag).unwrap())).chain([None]).collect();
    let each = |name: &&str| {
        let name = RepositoryName::new(name).unwrap();
        tags.iter().map(move |tag| (name.clone(), tag.clone())).collect::<Vec<_>>()
    };
    repositories.iter().flat_map(each).collect()
}

/// How many questions were answered otherwise.
fn hold(old: &Policy, new: &Policy, callers: &[Caller], at: Timestamp, what: &str) -> usize {
    let comparison = compare(old, new, at);
    assert!(comparison.is_complete, "{what}");
    let told: Vec<Told<'_, '_>> = comparison.changes.iter().map(Told::new).collect();
    let mut different = 0;
    for caller in callers {
        let before = |policy: &Policy| {
            let mut caller = caller.clone();
            caller.groups.retain(|group| policy.may_be_asserted(group));
            caller
        };
        let (one, two) = (before(old), before(new));
        let (of_old, of_new) = (old.groups_of(&one), new.groups_of(&two));
        let groups = of_old.union(&of_new).cloned().collect();
        let always: Vec<String> = of_old.intersection(&of_new).cloned().collect();
        let is_one = comparison.administrators.iter().map(|it| (&it.who, it.is_one));
        let became = new.is_administrator(&two);
        assert!(
            old.is_administrator(&one) == became || is_one.clone().any(|(_, is)| is == became),
            "{what}: {caller:?}"
        );
        let asked = Caller { groups, ..caller.clone() };
        for (repository, tag) in &images() {
            let image = Image { repository, tag: tag.as_ref() };
            for action in Action::ALL {
                let before = old.decide(&one, action, image).is_allowed();
                let after = new.decide(&two, action, image).is_allowed();
                if before == after {
                    continue;
                }
                different += 1;
                let lines: Vec<_> = comparison.changes.iter().map(ToString::to_string).collect();
                assert!(
                    told.iter().any(|it| it.change.is_allowed == after
                        && it.is_about(&asked, &always, action, image)),
                    "{what}: {} {action:?} {repository}:{tag:?}\n{}",
                    caller.subject,
                    lines.join("\n"),
                );
            }
        }
    }
    different
}

#[test]
fn whatever_line_is_taken_out_of_a_sample_what_changes_is_told() {
    let at: Timestamp = "2026-12-24T20:00:00Z".parse().unwrap();
    let (mut compared, mut different) = (0, 0);
    for name in [
        "policies",
        "examples/policies/teams",
        "examples/policies/emergency",
        "examples/policies/contractor",
        "examples/policies/mirror",
        "examples/policies/promotion",
    ] {
        let files = folder(name);
        let callers = callers(&files, at);
        let old = Policy::compile(&files).unwrap().policy;
        for (place, file) in files.iter().enumerate() {
            for (number, line) in file.text.lines().enumerate() {
                if line.trim().is_empty() || line.trim().starts_with('#') {
                    continue;
                }
                let lines = file.text.lines().enumerate().filter(|(it, _)| *it != number);
                let text = lines.map(|(_, line)| format!("{line}\n")).collect();
                let mut changed: Vec<SourceFile> = files
                    .iter()
                    .map(|it| SourceFile { path: it.path.clone(), text: it.text.clone() })
                    .collect();
                changed[place].text = text;
                let Ok(new) = Policy::compile(&changed) else { continue };
                compared += 1;
                different += hold(&old, &new.policy, &callers, at, &format!("{name}: {line}"));
            }
        }
    }
    assert!(compared > 20 && different > 50, "{compared} {different}");
}
