use insta::assert_snapshot;
use policy::{Policy, SourceFile};

use super::*;

const POLICY: &str = "rules:\n  - name: alice-works\n    subjects: [user:alice]\n    images: [\"team/**\"]\n    \
                allow: [pull, push]\n  - name: versions-stay\n    subjects: [anyone]\n    images: [\"**:v*\"]\n    \
                deny: [overwrite]\n";

/// What is printed about these cases, for people and for programs.
fn said(cases: &str) -> (String, String) {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let policy = Policy::compile(&[file("policies/a.yaml", POLICY)]).unwrap().policy;
    let files = vec![file("policies/tests/a.yaml", &format!("cases:\n{cases}"))];
    let read = Cases::read(files, &policy, Timestamp::UNIX_EPOCH).unwrap();
    let results = read.cases.run(&policy);
    let json = serde_json::to_string(&Report::new(&results, &[read.warnings])).unwrap();
    (text(&results, false), json)
}

#[test]
fn a_policy_that_answers_as_expected_says_so() {
    let (text, json) = said(
        "  - {as: user:alice, do: create, image: \"team/a:v1\", expect: allow}\n  - {as: anyone, do: overwrite, image: \"x:v1\", expect: deny}\n",
    );
    assert_snapshot!(text, @"
        2 cases, all as expected
        2 of 2 rules exercised
        ");
    assert_snapshot!(json, @r#"{"cases":2,"failed":0,"failures":[],"rules":2,"uncovered":[],"gates":0,"uncovered_gates":[],"diagnostics":[]}"#);
}

#[test]
fn a_failure_and_the_rules_that_no_case_is_about_are_shown() {
    let (text, json) = said(
        "  - {name: Alice works, as: user:alice, do: push, image: \"x:1\", expect: allow, by: alice-works}\n",
    );
    assert_snapshot!(text, @r#"
        error: Alice works: no rule allows user:alice to create x:1; no rule allows user:alice to overwrite x:1
         --> policies/tests/a.yaml:2:73
          |
        2 |   - {name: Alice works, as: user:alice, do: push, image: "x:1", expect: allow, by: alice-works}
          |                                                                         ^^^^^ expected to be allowed

        1 case, 1 failed
        0 of 2 rules exercised; no case is decided by alice-works, versions-stay
        "#);
    assert_snapshot!(json, @r#"{"cases":1,"failed":1,"failures":[{"file":"policies/tests/a.yaml","line":2,"name":"Alice works","as":"user:alice","do":["create","overwrite"],"image":"x:1","expect":"allow","by":"alice-works","answer":{"decision":"deny","rule":null,"file":null,"line":null,"reason":"no rule allows user:alice to create x:1"}}],"rules":2,"uncovered":[{"rule":"alice-works","file":"policies/a.yaml","line":2},{"rule":"versions-stay","file":"policies/a.yaml","line":6}],"gates":0,"uncovered_gates":[],"diagnostics":[]}"#);
}
