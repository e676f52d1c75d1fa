//! The schemas for editors say what the readers of the files say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use document::{Kind, Node, Problems, Value};
use jsonschema::Validator;
use policy::cases::Cases;
use policy::{Diagnostics, Policy, SourceFile, schema};
use serde_json::{Value as Json, json};

use crate::guide::{self, Role};
use crate::support::{policy, sources};

static POLICY: LazyLock<Validator> = LazyLock::new(|| validator(schema::POLICY));
static CASES: LazyLock<Validator> = LazyLock::new(|| validator(schema::CASES));

const ANY_FILE: Kind = Kind {
    name: "a file",
    max_mib: 4,
    too_large: "",
    second_document: "",
    instead_of_anchors: "",
    secret_keys: &[],
};

fn read(schema: &str) -> Json {
    serde_json::from_str(schema).unwrap()
}

fn validator(schema: &str) -> Validator {
    let schema = read(schema);
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    jsonschema::validator_for(&schema).unwrap()
}

/// A file as an editor sees it: there `1.10` is a number and `yes` may be true.
fn as_editors_see(node: &Node) -> Json {
    match &node.value {
        Value::Text(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ if text == "true" => json!(true),
            _ => json!(text),
        },
        _ => tree(node, as_editors_see),
    }
}

/// A file with its scalars as they are written.
fn as_written(node: &Node) -> Json {
    match &node.value {
        Value::Text(text) => json!(text),
        _ => tree(node, as_written),
    }
}

fn tree(node: &Node, read: fn(&Node) -> Json) -> Json {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(read).collect(),
        Value::Map { entries, .. } => {
            entries.iter().map(|entry| (entry.key.clone(), read(&entry.value))).collect()
        }
        _ => Json::Null,
    }
}

fn parse(text: &str) -> Node {
    let mut problems = Problems::default();
    let root = document::parse(&ANY_FILE, 0, text, &mut problems).unwrap();
    assert!(problems.is_empty(), "{text}");
    root
}

fn is_valid(schema: &Validator, text: &str) -> bool {
    schema.is_valid(&as_written(&parse(text)))
}

/// What the schema says against a file that is without mistakes.
fn complaints(schema: &Validator, text: &str) -> Vec<String> {
    let root = parse(text);
    let mut complaints = Vec::new();
    for value in [as_written(&root), as_editors_see(&root)] {
        let errors = schema.iter_errors(&value);
        complaints.extend(errors.map(|error| format!("{}: {error}", error.instance_path())));
    }
    complaints
}

fn refused(text: &str) -> Diagnostics {
    Policy::compile(&sources(&[("a.yaml", text)])).unwrap_err()
}

fn refused_cases(text: &str) -> Diagnostics {
    let policy = policy("rules: []");
    Cases::read(sources(&[("a.yaml", text)]), &policy, jiff::Timestamp::UNIX_EPOCH).unwrap_err()
}

/// The words in backticks that the help for something unknown lists.
fn listed(mistakes: &Diagnostics) -> BTreeSet<String> {
    let unknown = mistakes.iter().find(|it| it.message.starts_with("unknown ")).unwrap();
    let help = unknown.help.as_ref().unwrap();
    let (_, list) = help.split_once(" are ").unwrap_or_else(|| panic!("{help}"));
    let words = list.split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

fn keys(schema: &Json, pointer: &str) -> BTreeSet<String> {
    let properties = schema.pointer(pointer).unwrap()["properties"].as_object().unwrap();
    properties.keys().cloned().collect()
}

/// The places in a schema that name keys.
fn places(schema: &Json, pointer: &str, found: &mut BTreeSet<String>) {
    match schema {
        Json::Object(entries) => {
            if entries.get("properties").is_some_and(Json::is_object)
                && !pointer.ends_with("/properties")
            {
                found.insert(pointer.to_owned());
            }
            for (key, value) in entries {
                places(value, &format!("{pointer}/{key}"), found);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Where the schema names keys, with a file that has an unknown key there.
const LEVELS: [(&str, &str); 15] = [
    ("", "zzzzzzzzz: 1"),
    ("/$defs/delegation", "delegations: [{zzzzzzzzz: 1}]"),
    ("/$defs/flag", "flags: {a: {zzzzzzzzz: 1}}"),
    ("/$defs/gate", "gates: [{zzzzzzzzz: 1}]"),
    ("/$defs/gate/properties/except", "gates: [{except: {zzzzzzzzz: 1}}]"),
    ("/$defs/gate/properties/require", "gates: [{require: {zzzzzzzzz: 1}}]"),
    (
        "/$defs/gate/properties/require/properties/vulnerabilities",
        "gates: [{require: {vulnerabilities: {zzzzzzzzz: 1}}}]",
    ),
    ("/$defs/gate/properties/grace", "gates: [{grace: {zzzzzzzzz: 1}}]"),
    ("/$defs/exception", "exceptions: [{zzzzzzzzz: 1}]"),
    ("/$defs/rule", "rules: [{zzzzzzzzz: 1}]"),
    ("/$defs/rule/properties/except", "rules: [{except: {zzzzzzzzz: 1}}]"),
    ("/$defs/rule/properties/token", "rules: [{token: {zzzzzzzzz: 1}}]"),
    ("/$defs/image/anyOf/1", "rules: [{images: [{repository: a, zzzzzzzzz: 1}]}]"),
    (
        "/$defs/image/anyOf/1/properties/repository/anyOf/1",
        "rules: [{images: [{repository: {zzzzzzzzz: 1}}]}]",
    ),
    (
        "/$defs/image/anyOf/1/properties/tag/anyOf/1",
        "rules: [{images: [{repository: a, tag: {zzzzzzzzz: 1}}]}]",
    ),
];

#[test]
fn the_schema_of_policies_has_the_keys_of_policies() {
    let schema = read(schema::POLICY);
    for (pointer, text) in LEVELS {
        assert_eq!(keys(&schema, pointer), listed(&refused(text)), "{text}");
    }
    let mut found = BTreeSet::new();
    places(&schema, "", &mut found);
    assert_eq!(found, LEVELS.map(|(pointer, _)| pointer.to_owned()).into());
}

#[test]
fn the_schema_of_cases_has_the_keys_of_cases() {
    let schema = read(schema::CASES);
    assert_eq!(keys(&schema, ""), listed(&refused_cases("zzzzzzzzz: 1")));
    assert_eq!(keys(&schema, "/$defs/case"), listed(&refused_cases("cases: [{zzzzzzzzz: 1}]")));
    let mut found = BTreeSet::new();
    places(&schema, "", &mut found);
    let case = |key: &str| format!("cases: [{{facts: {key}}}]");
    let unknown = |text: &str| listed(&refused_cases(text));
    assert_eq!(keys(&schema, "/$defs/facts"), unknown(&case("{zzzzzzzzz: 1}")));
    let finding = case("{vulnerabilities: [{zzzzzzzzz: 1}]}");
    assert_eq!(keys(&schema, "/$defs/vulnerability"), unknown(&finding));
    let all = ["", "/$defs/case", "/$defs/facts", "/$defs/vulnerability"];
    assert_eq!(found, all.map(str::to_owned).into());
}

#[test]
fn the_schemas_have_the_words_of_the_language() {
    let (of_policies, of_cases) = (read(schema::POLICY), read(schema::CASES));
    let words = |value: &Json| -> BTreeSet<String> {
        value["enum"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let mut actions = listed(&refused("rules: [{allow: [zzzzzzzzz]}]"));
    assert!(actions.remove("flag:NAME"));
    assert_eq!(words(&of_policies["$defs"]["action"]["anyOf"][0]), actions);
    assert_eq!(words(&of_cases["$defs"]["action"]["anyOf"][0]), actions);
    let kinds = listed(&refused("rules: [{token: {kind: [zzzzzzzzz]}}]"));
    let kind = "/$defs/rule/properties/token/properties/kind/items";
    assert_eq!(words(of_policies.pointer(kind).unwrap()), kinds);
    assert_eq!(words(of_cases.pointer("/$defs/case/properties/token").unwrap()), kinds);
    let answers = &of_cases["$defs"]["case"]["properties"]["expect"];
    assert_eq!(words(answers), ["allow".to_owned(), "deny".to_owned()].into());
}

#[test]
fn every_key_is_described() {
    for text in [schema::POLICY, schema::CASES] {
        let schema = read(text);
        let mut found = BTreeSet::new();
        places(&schema, "", &mut found);
        for pointer in found {
            let properties = schema.pointer(&pointer).unwrap()["properties"].as_object().unwrap();
            for (key, value) in properties {
                let description = value["description"].as_str().unwrap_or_default();
                assert!(description.ends_with('.'), "{pointer}: {key}");
            }
        }
    }
}

/// The files below a folder that end in `.yaml`: policies, and those in a folder `tests`.
fn yaml_files(folder: &Path, policies: &mut Vec<SourceFile>, cases: &mut Vec<SourceFile>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("tests") {
            // What lies there is cases, and nothing else.
            yaml_files(&path, cases, &mut Vec::new());
        } else if path.is_dir() {
            yaml_files(&path, policies, cases);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let file = SourceFile::new(&path, &fs::read_to_string(&path).unwrap());
            policies.push(file);
        }
    }
}

#[test]
fn the_policies_and_cases_of_the_project_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut policies, mut cases) = (Vec::new(), Vec::new());
    for folder in ["policies", "examples/policies", "examples/release/policies"] {
        yaml_files(&root.join(folder), &mut policies, &mut cases);
    }
    assert!(policies.len() >= 10 && cases.len() >= 8);
    for file in policies {
        assert_eq!(complaints(&POLICY, &file.text), [""; 0], "{}", file.path);
    }
    for file in cases {
        assert_eq!(complaints(&CASES, &file.text), [""; 0], "{}", file.path);
    }
}

#[test]
fn the_examples_of_the_guide_are_valid_and_its_mistake_is_not() {
    for example in guide::examples() {
        let schema = match example.role() {
            Role::Policy => &POLICY,
            Role::Cases => &CASES,
            Role::Mistake => {
                assert!(!is_valid(&POLICY, &example.text));
                continue;
            }
            Role::Other => continue,
        };
        assert_eq!(complaints(schema, &example.text), [""; 0], "{}", example.text);
    }
}

#[test]
fn what_the_language_accepts_is_valid() {
    for text in [
        "# nothing yet",
        "rules: []",
        "groups: {a: [], b: external, team/c: [\"user:x y\", \"peer:eu/**\", \"service:**/a\"]}",
        "delegations: []",
        "rules: [{name: 5, subjects: [anyone], images: [a], deny: [all], comment: 4711}]",
        "rules: [{name: a, subjects: [authenticated, \"user:*@example.com\"], images: [\"**:*\", \"home/${user}/**\", \"{a/b,c:V1}\", \"a:V?\"], allow: [pull]}]",
        "rules: [{name: a, subjects: [anyone], images: [{repository: \"**\", tag: 1.10}, {repository: {regex: a.c}, tag: {semver: 2}}], allow: [pull]}]",
        "rules: [{name: a, subjects: [anyone], images: [a], allow: [pull], starts: 2026-01-01, expires: \"2027-01-01T00:00:00+01:00\", networks: [10.0.0.0/8, \"::1\"], token: {kind: [user]}}]",
        "flags: {a: {}, b: , c: {carries: [\"dev/**\"], expires_after: 90d}}\nrules: [{name: a, subjects: [anyone], images: [a], allow: [\"flag:*\", \"flag:a\", report, scan, break-glass]}]",
        "gates: [{name: a, images: [a, \"b:v*\"], subjects: [\"user:*\"], except: {subjects: [user:x], images: [b]}, on: [push], require: {signed_by: [k], labels: {a.b: 1.10, c: \"https://x/**\"}, max_size: 4MiB, media_types: [\"application/*\"], base_images: [b, \"base/debian:12*\", {repository: base/go, tag: {semver: 1}}]}, mode: audit, comment: 1}]",
        "gates: [{name: a, images: [a], require: {max_age: 1d, platforms: [linux/amd64, linux/arm/v7], vulnerabilities: {max_severity: none, max_cvss: 8.9, only_fixable: true, unknown_severity: warn, unscanned: allow, scan_pending: warn, max_report_age: 7d}}, grace: {new_finding: 14d, report_too_old: 30d, scan_failed: 7d}}]",
        "exceptions: [{cve: CVE-1, package: \"pkg:deb/debian/zlib*\", images: [a, \"b/**\", {repository: {regex: a.c}}, \"a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000\"], reason: not reachable, by: user:a, expires: 2027-01-01}]",
    ] {
        let compiled = Policy::compile(&sources(&[("a.yaml", text)]));
        assert!(compiled.is_ok(), "{}", compiled.unwrap_err());
        assert_eq!(complaints(&POLICY, text), [""; 0], "{text}");
    }
}

#[test]
fn typical_mistakes_are_not_valid() {
    let rule = |text: &str| format!("rules: [{{{text}}}]");
    let mut mistakes = vec![
        "[]".to_owned(),
        "rule: []".to_owned(),
        "rules: {}".to_owned(),
        "groups: {a: user:x}".to_owned(),
        "groups: {a: [usr:x]}".to_owned(),
        "groups: {a: [anyone]}".to_owned(),
        "groups: {\"group:a\": []}".to_owned(),
        "delegations: [{files: a}]".to_owned(),
        "delegations: [{images: [a]}]".to_owned(),
        "delegations: [{files: /a, images: [a]}]".to_owned(),
        "delegations: [{files: \"a?\", images: [a]}]".to_owned(),
        "delegations: [{files: ../a, images: [a]}]".to_owned(),
        "delegations: [{files: a, images: [a], groups: [group:a]}]".to_owned(),
        "delegations: {files: a, images: [a]}".to_owned(),
        "administrators: []".to_owned(),
        rule("subjects: [anyone], images: [a], allow: [pull]"),
        rule("name: a b, subjects: [anyone], images: [a], allow: [pull]"),
        rule("name: a, subjects: [anyone], images: [a]"),
        rule("name: a, subjects: anyone, images: [a], allow: [pull]"),
        rule("name: a, subjects: [], images: [a], allow: [pull]"),
        rule("name: a, subjects: [anyone], images: [a], allow: [pul]"),
        rule("name: a, subjects: [anyone], images: [a], allow: pull"),
        rule("name: a, subjects: [anyone], images: [a], alow: [pull]"),
    ];
    let gate = |text: &str| format!("gates: [{{name: a, images: [a], {text}}}]");
    let exception = |text: &str| format!("exceptions: [{{cve: CVE-1, {text}}}]");
    mistakes.extend([
        "flags: [a]".to_owned(),
        "flags: {A: {}}".to_owned(),
        "flags: {a: {expires_after: 3w}}".to_owned(),
        "rules: [{name: a, subjects: [anyone], images: [a], allow: [\"flag:A\"]}]".to_owned(),
        gate("mode: enforce"),
        gate("require: {}"),
        gate("require: {platforms: [linux/amd64]}"),
        gate("require: {max_age: 1}"),
        gate("require: {max_size: 10}"),
        gate("require: {signed_by: []}"),
        gate("require: {labels: {a: /x}}"),
        gate("require: {max_age: 1d, platforms: [linux]}"),
        gate("require: {vulnerabilities: {max_severity: unknown}}"),
        gate("require: {vulnerabilities: {unscanned: ignore}}"),
        gate("require: {max_age: 1d}, on: [get]"),
        gate("require: {max_age: 1d}, mode: off"),
        gate("require: {max_age: 1d}, except: {}"),
        exception("images: [a], reason: r, by: user:a"),
        exception("images: [\"a:v1\"], reason: r, by: user:a, expires: 2027-01-01"),
        exception("images: [a], reason: r, by: alice, expires: 2027-01-01"),
        exception("images: [a], reason: \" \", by: user:a, expires: 2027-01-01"),
    ]);
    let with = |key: &str| {
        rule(&format!("name: a, subjects: [anyone], images: [a], allow: [pull], {key}"))
    };
    mistakes.extend([
        with("except: {}"),
        with("except: {subject: [anyone]}"),
        with("expires: tomorrow"),
        with("networks: [here]"),
        with("token: {kind: [usr]}"),
        with("token: {}"),
        with("token: user"),
    ]);
    for subject in ["alice", "usr:alice", "user:", "peer:eu", "user:/a", "user:a**", "everyone"] {
        mistakes
            .push(rule(&format!("name: a, subjects: [\"{subject}\"], images: [a], allow: [pull]")));
    }
    for image in [
        "\"\"",
        "Team/a",
        "/a",
        "a/",
        "a//b",
        "a:",
        "\"a@sha256:00\"",
        "\"a b\"",
        "{tag: a}",
        "{repository: a, tags: a}",
        "{repository: A}",
        "{repository: {regx: a}}",
        "{repository: a, tag: {regex: a, semver: 1}}",
        "{repository: a, tag: {}}",
    ] {
        mistakes
            .push(rule(&format!("name: a, subjects: [anyone], images: [{image}], allow: [pull]")));
    }
    for text in mistakes {
        refused(&text);
        assert!(!is_valid(&POLICY, &text), "{text}");
    }
}

#[test]
fn typical_mistakes_in_cases_are_not_valid() {
    let case = "as: user:x, do: pull, image: a, expect: allow";
    assert!(is_valid(&CASES, &format!("cases: [{{{case}}}]")));
    for (wrong, right) in [
        ("as: x", "as: user:x"),
        ("as: \"user:*\"", "as: user:x"),
        ("as: group:x", "as: user:x"),
        ("do: pul", "do: pull"),
        ("do: []", "do: pull"),
        ("image: a@sha256:00", "image: a"),
        ("image: \"a/**\"", "image: a"),
        ("expect: yes", "expect: allow"),
        ("expet: allow", "expect: allow"),
        ("expect: allow, groups: a", "expect: allow"),
        ("expect: allow, groups: [group:a]", "expect: allow"),
        ("expect: allow, token: x", "expect: allow"),
        ("expect: allow, from: 10.0.0.0/8", "expect: allow"),
        ("expect: allow, at: noon", "expect: allow"),
        ("expect: allow, facts: {flags: tested}", "expect: allow"),
        ("expect: allow, facts: {scan: perhaps}", "expect: allow"),
        ("expect: allow, facts: {report_age: 2}", "expect: allow"),
        ("expect: allow, facts: {vulnerabilities: [{severity: high}]}", "expect: allow"),
        ("expect: allow, facts: {vulnerabilities: [{id: C, severity: bad}]}", "expect: allow"),
    ] {
        let text = format!("cases: [{{{}}}]", case.replace(right, wrong));
        refused_cases(&text);
        assert!(!is_valid(&CASES, &text), "{text}");
    }
    for text in ["cases: []", "case: []", "[]", "cases: {}"] {
        refused_cases(text);
        assert!(!is_valid(&CASES, text), "{text}");
    }
}
