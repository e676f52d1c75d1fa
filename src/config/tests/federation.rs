//! Whom ID tokens let in, as far as the configuration alone can tell.

use insta::assert_snapshot;

use super::{UPSTREAM, folder, parse};
use crate::identity::federation::SESSION;
use crate::jwks::JwksLocation;

/// What a person is told of a `federation` section, in a folder called GATE.
fn told(federation: &str) -> String {
    let folder = folder();
    super::told(&folder, &format!("{UPSTREAM}federation:\n{federation}"))
}

/// A provider that is right, with lines of it exchanged.
fn provider(changes: &[(&str, &str)]) -> String {
    let mut lines = vec![
        ("name", "github"),
        ("issuer", "https://token.actions.githubusercontent.com"),
        ("audience", "gate.example"),
        ("require", "{repository_owner_id: 1234567}"),
        ("subject", "'gh/{repository_id}'"),
    ];
    for &(key, value) in changes {
        lines.retain(|&(other, _)| other != key);
        lines.push((key, value));
    }
    let lines = lines.iter().filter(|(_, value)| !value.is_empty());
    let text: String = lines.map(|(key, value)| format!("    {key}: {value}\n")).collect();
    text.replacen("    ", "  - ", 1)
}

/// The messages alone, without places.
fn first_told(changes: &[(&str, &str)]) -> String {
    let text = told(&provider(changes));
    let is_message = |line: &&str| line.contains("error: ") || line.contains("= help: ");
    let lines: Vec<_> = text.lines().filter(is_message).collect();
    lines.join("\n").replace("      = help", "= help").replace("       = help", "= help")
}

#[test]
fn what_is_left_out_is_as_documented() {
    let folder = folder();
    let config = parse(&folder, &format!("{UPSTREAM}federation:\n{}", provider(&[]))).unwrap();
    let provider = &config.federation[0];
    assert_eq!(provider.session, SESSION);
    assert!(matches!(&provider.jwks, JwksLocation::Discovery(url) if *url == provider.issuer));
    assert!(provider.ca.is_none() && provider.groups.is_empty());
}

#[test]
fn all_mistakes_of_all_providers_are_told_at_once() {
    assert_snapshot!(told("  - {}
  - name: GitHub
    issuer: http://idp.example
    audience: ''
    jwks: ftp://idp.example/keys
    ca: missing.crt
    require: {a b: c, d: '', e: [], f: {g: h}}
    kind: robot
    subject: all
    groups: {a b: {claim: c, value: d}, e: {claim: f}, g: []}
    session: 5s
    audiences: x
  - name: twice
    issuer: https://a.example
    audience: gate.example
    require: {}
    subject: '{sub}'
  - name: twice
    issuer: https://b.example
    audience: gate.example
    jwks: missing.json
    require: {x: y}
    subject: '{sub}'
"), @r#"
    error: a provider without `name`
     --> GATE/portcullis.yaml:3:5
      |
    3 |   - {}
      |     ^^
      |
      = help: name it, such as `github`: it is in `oidc:github`

    error: a provider without `issuer`
     --> GATE/portcullis.yaml:3:5
      |
    3 |   - {}
      |     ^^
      |
      = help: write the `iss` of its tokens

    error: a provider without `audience`
     --> GATE/portcullis.yaml:3:5
      |
    3 |   - {}
      |     ^^
      |
      = help: write a name of this gate, such as its host

    error: a provider without `subject`
     --> GATE/portcullis.yaml:3:5
      |
    3 |   - {}
      |     ^^
      |
      = help: say who has a token, such as `"gh/{repository_id}"`

    error: nothing is required of the tokens: whoever has one of this issuer could log in
     --> GATE/portcullis.yaml:3:5
      |
    3 |   - {}
      |     ^^
      |
      = help: add claims that only yours have to `require`, such as `repository_owner_id: 1234` or `[kubernetes.io].namespace: ci`

    error: not the name of a provider
     --> GATE/portcullis.yaml:4:11
      |
    4 |   - name: GitHub
      |           ^^^^^^
      |
      = help: write 1 to 64 lower-case letters, digits and `-`, such as `github`

    error: an address that is not https
     --> GATE/portcullis.yaml:5:13
      |
    5 |     issuer: http://idp.example
      |             ^^^^^^^^^^^^^^^^^^
      |
      = help: over plain http, whoever sits on the way decides who may log in

    error: not an audience
     --> GATE/portcullis.yaml:6:15
      |
    6 |     audience: ''
      |               ^^
      |
      = help: write a name of this gate, such as its host, and have tokens made for it

    error: an address that is not https
     --> GATE/portcullis.yaml:7:11
      |
    7 |     jwks: ftp://idp.example/keys
      |           ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: over plain http, whoever sits on the way decides who may log in

    error: cannot read GATE/missing.crt: No such file or directory (os error 2)
     --> GATE/portcullis.yaml:8:9
      |
    8 |     ca: missing.crt
      |         ^^^^^^^^^^^
      |
      = help: put it there, or make some for development: `portcullis certs dev GATE`

    error: not the name of a claim
     --> GATE/portcullis.yaml:9:15
      |
    9 |     require: {a b: c, d: '', e: [], f: {g: h}}
      |               ^^^
      |
      = help: write names joined by dots, and in brackets those that hold other characters themselves, such as `[kubernetes.io].namespace`

    error: a value that no claim has
     --> GATE/portcullis.yaml:9:26
      |
    9 |     require: {a b: c, d: '', e: [], f: {g: h}}
      |                          ^^
      |
      = help: write 1 to 1024 bytes

    error: none of no values is ever right
     --> GATE/portcullis.yaml:9:33
      |
    9 |     require: {a b: c, d: '', e: [], f: {g: h}}
      |                                 ^^
      |
      = help: name at least one

    error: `f` has to be text
     --> GATE/portcullis.yaml:9:40
      |
    9 |     require: {a b: c, d: '', e: [], f: {g: h}}
      |                                        ^^^^^^ this is a map

    error: neither `user` nor `service`
      --> GATE/portcullis.yaml:10:11
       |
    10 |     kind: robot
       |           ^^^^^

    error: a name without a variable: all callers would be one
      --> GATE/portcullis.yaml:11:14
       |
    11 |     subject: all
       |              ^^^
       |
       = help: add one that tells them apart, such as `{repository_id}`

    error: not the name of a group
      --> GATE/portcullis.yaml:12:14
       |
    12 |     groups: {a b: {claim: c, value: d}, e: {claim: f}, g: []}
       |              ^^^
       |
       = help: write it as policy does, without `group:`; the claim is on the right

    error: a mapping to a group without `value`
      --> GATE/portcullis.yaml:12:44
       |
    12 |     groups: {a b: {claim: c, value: d}, e: {claim: f}, g: []}
       |                                            ^^^^^^^^^^
       |
       = help: write it as `{claim: groups, value: release-managers}`

    error: nobody can be in the group `g`
      --> GATE/portcullis.yaml:12:59
       |
    12 |     groups: {a b: {claim: c, value: d}, e: {claim: f}, g: []}
       |                                                           ^^
       |
       = help: name a claim, or remove the group

    error: too short a session
      --> GATE/portcullis.yaml:13:14
       |
    13 |     session: 5s
       |              ^^
       |
       = help: docker does not cope with less than a minute: write at least `60s`

    error: unknown key `audiences` in a provider
      --> GATE/portcullis.yaml:14:5
       |
    14 |     audiences: x
       |     ^^^^^^^^^
       |
       = help: did you mean `audience`?

    error: nothing is required of the tokens: whoever has one of this issuer could log in
      --> GATE/portcullis.yaml:18:14
       |
    18 |     require: {}
       |              ^^
       |
       = help: add claims that only yours have to `require`, such as `repository_owner_id: 1234` or `[kubernetes.io].namespace: ci`

    error: two providers are named `twice`
      --> GATE/portcullis.yaml:20:11
       |
    20 |   - name: twice
       |           ^^^^^
       |
      ::: GATE/portcullis.yaml:15:11
       |
    15 |   - name: twice
       |           ----- the first one

    error: cannot read the key set GATE/missing.json: No such file or directory (os error 2)
      --> GATE/portcullis.yaml:23:11
       |
    23 |     jwks: missing.json
       |           ^^^^^^^^^^^^
       |
       = help: put it there, or write an `https://` address
    "#);
}

#[test]
fn who_requires_nothing_lets_everybody_in() {
    assert_snapshot!(first_told(&[("require", "")]), @r#"
    error: nothing is required of the tokens: whoever has one of this issuer could log in
      = help: add claims that only yours have to `require`, such as `repository_owner_id: 1234` or `[kubernetes.io].namespace: ci`
    "#);
    assert_snapshot!(first_told(&[("require", "{iss: x, aud: gate.example}")]), @r#"
    error: nothing is required of the tokens: whoever has one of this issuer could log in
      = help: add claims that only yours have to `require`, such as `repository_owner_id: 1234` or `[kubernetes.io].namespace: ci`
    "#);
}

#[test]
fn names_that_another_can_take_over_decide_nothing() {
    assert_snapshot!(first_told(&[("require", "{repository: widgets/app}")]), @r#"
    error: what is required does not say whose jobs are meant for good
      = help: require one of `repository_id`, `repository_owner_id`, `enterprise_id` as well: another can take over a name, and never a number
    "#);
    assert_snapshot!(first_told(&[("require", "{sub: 'repo:widgets/*'}")]), @r#"
    error: what is required does not say whose jobs are meant for good
      = help: require one of `repository_id`, `repository_owner_id`, `enterprise_id` as well: another can take over a name, and never a number
    "#);
    // A comment in a stranger's repository sets off a job of the stranger's.
    let told = first_told(&[("require", "{actor_id: 31337}")]);
    assert!(told.contains("what is required does not say whose jobs"), "{told}");
    assert_snapshot!(first_told(&[("subject", "'gh/{+repository}'")]), @r#"
    error: `repository` is a name that another can take over
      = help: write `{repository_id}`, which is given once
    "#);
    assert_snapshot!(first_told(&[("subject", "'{actor}'")]), @r#"
    error: `actor` is a name that another can take over
      = help: write `{actor_id}`, which is given once
    "#);
    assert_snapshot!(first_told(&[("subject", "'gh/{+sub}'")]), @r#"
    error: `sub` is a name that another can take over
      = help: write `{repository_id}`, which is given once
    "#);
    assert_snapshot!(first_told(&[("subject", "'gh/{environment}'")]), @r#"
    error: a name that does not tell whose job it is
      = help: use one of `repository_id`, `repository_owner_id`, `enterprise_id`
    "#);
    let gitlab = ("issuer", "https://gitlab.example");
    assert_snapshot!(first_told(&[gitlab, ("require", "{namespace_path: widgets}"), ("subject", "'gl/{project_id}'")]), @r#"
    error: what is required does not say whose jobs are meant for good
      = help: require one of `project_id`, `namespace_id` as well: another can take over a name, and never a number
    "#);
    // Known by its claims, whatever its address.
    assert_snapshot!(first_told(&[
        ("issuer", "https://code.example"),
        ("require", "{project_id: 20}"),
        ("subject", "'gl/{+project_path}'"),
    ]), @r#"
    error: `project_path` is a name that another can take over
      = help: write `{project_id}`, which is given once
    "#);
}

#[test]
fn an_audience_that_every_token_has_is_none() {
    assert_snapshot!(first_told(&[("audience", "https://github.com/widgets")]), @r#"
    error: the audience of tokens that are for anyone
      = help: write a name of this gate, such as its host, and have jobs ask for tokens with it
    "#);
    for audience in [
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/",
        "https://kubernetes.default.svc",
    ] {
        let told = first_told(&[("audience", audience)]);
        assert!(told.contains("the audience of tokens that are for anyone"), "{told}");
    }
}

#[test]
fn an_address_that_nobody_verified_names_nobody() {
    let corporate = [
        ("issuer", "https://idp.example"),
        ("kind", "user"),
        ("subject", "'{email}'"),
        ("require", "{department: build}"),
    ];
    assert_snapshot!(first_told(&corporate), @r#"
    error: an `email` that nobody may have verified
      = help: add `email_verified: true` to `require`, or name callers by `{sub}`
    "#);
    let mut verified = corporate;
    verified[3].1 = "{department: build, email_verified: true}";
    let text = format!("{UPSTREAM}federation:\n{}", provider(&verified));
    assert!(parse(&folder(), &text).is_ok());
}

#[test]
fn two_issuers_do_not_share_names_but_two_entries_for_one_may() {
    let one = provider(&[]);
    let elsewhere = ("issuer", "https://git.example/_services/token");
    let other = provider(&[("name", "own"), elsewhere]);
    assert_snapshot!(told(&format!("{one}{other}")), @r#"
    error: callers of two issuers could have the same name
      --> GATE/portcullis.yaml:10:14
       |
    10 |     subject: 'gh/{repository_id}'
       |              ^^^^^^^^^^^^^^^^^^^^
       |
      ::: GATE/portcullis.yaml:7:14
       |
     7 |     subject: 'gh/{repository_id}'
       |              -------------------- the other one
       |
       = help: let names begin differently, such as `gh/` and `gl/`
    "#);
    for other in [
        provider(&[("name", "own")]),
        provider(&[("name", "own"), elsewhere, ("subject", "'own/{repository_id}'")]),
    ] {
        let text = format!("{UPSTREAM}federation:\n{one}{other}");
        assert_eq!(parse(&folder(), &text).unwrap().federation.len(), 2);
    }
}
