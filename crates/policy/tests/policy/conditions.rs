//! Rules that hold at some times, from some networks, with some credentials.

use insta::assert_snapshot;
use policy::{Action, Caller, Circumstances, Credential, Policy, Tags};

use crate::support::{caller, decide, image, policy, sources};

fn contractors() -> Policy {
    policy(
        r#"
rules:
  - name: contractor
    subjects: [user:carol]
    images: ["team/api:rc-*"]
    allow: [pull]
    starts: 2026-01-01
    expires: 2027-01-01
    networks: [10.20.0.0/16, "fd00::/8"]
    token: {kind: [user]}
  - {name: own, subjects: [user:carol], images: [home/carol], allow: [pull]}
  - name: from-inside-only
    subjects: [anyone]
    images: ["home/**"]
    deny: [pull]
    networks: [192.0.2.0/24]
"#,
    )
}

fn carol(at: &str, address: &str, credential: Credential) -> Caller {
    let circumstances = Circumstances {
        at: at.parse().ok(),
        address: address.parse().ok(),
        credential: Some(credential),
    };
    Caller { circumstances, ..caller("user:carol", &[]) }
}

/// In all circumstances that the rule asks for.
fn right() -> Caller {
    carol("2026-06-01T00:00:00Z", "10.20.1.1", Credential::User)
}

#[test]
fn a_rule_holds_where_all_its_conditions_do() {
    let policy = contractors();
    let may = |caller: &Caller| {
        let decided = decide(&policy, caller, "pull", "team/api:rc-1").is_allowed;
        let repository = image("team/api").0;
        assert_eq!(policy.grants_any(caller, Action::Pull, &repository), decided);
        let tags = policy.tags(caller, Action::Pull, &repository);
        assert_eq!(!matches!(tags, Tags::None), decided);
        decided
    };
    assert!(may(&right()));
    for (at, holds) in [
        ("2025-12-31T23:59:59Z", false),
        ("2026-01-01T00:00:00Z", true),
        ("2026-12-31T23:59:59.999Z", true),
        ("2027-01-01T00:00:00Z", false),
        ("nobody knows", false),
    ] {
        assert_eq!(may(&carol(at, "10.20.1.1", Credential::User)), holds, "{at}");
    }
    for (address, holds) in [
        ("10.20.255.255", true),
        ("::ffff:10.20.0.1", true),
        ("fd12::1", true),
        ("10.21.0.0", false),
        ("nobody knows", false),
    ] {
        let carol = carol("2026-06-01T00:00:00Z", address, Credential::User);
        assert_eq!(may(&carol), holds, "{address}");
    }
    for credential in [Credential::Service, Credential::Federated, Credential::Anonymous] {
        assert!(!may(&carol("2026-06-01T00:00:00Z", "10.20.1.1", credential)), "{credential:?}");
    }
    assert!(!may(&caller("user:carol", &[])));
}

#[test]
fn a_denial_holds_where_a_condition_of_it_is_not_known() {
    let policy = contractors();
    let may = |address: &str| {
        let carol = carol("2026-06-01T00:00:00Z", address, Credential::User);
        let tags = policy.tags(&carol, Action::Pull, &image("home/carol").0);
        let decided = decide(&policy, &carol, "pull", "home/carol").is_allowed;
        assert_eq!(matches!(tags, Tags::All), decided);
        decided
    };
    assert!(may("10.20.1.1"));
    assert!(!may("192.0.2.7"));
    assert!(!may("nobody knows"));
}

#[test]
fn the_condition_that_fails_is_told() {
    let policy = contractors();
    let told = |caller: &Caller| decide(&policy, caller, "pull", "team/api:rc-1").reason;
    let now = "2026-06-01T00:00:00Z";
    let early = carol("2025-06-01T00:00:00Z", "10.20.1.1", Credential::User);
    assert_snapshot!(told(&early), @"no rule allows user:carol to pull team/api:rc-1; rule `contractor` would allow it but only from 2026-01-01T00:00:00Z on");
    let late = carol("2027-06-01T00:00:00Z", "10.20.1.1", Credential::User);
    assert_snapshot!(told(&late), @"no rule allows user:carol to pull team/api:rc-1; rule `contractor` would allow it but it expired at 2027-01-01T00:00:00Z");
    assert_snapshot!(told(&carol(now, "203.0.113.1", Credential::User)), @"no rule allows user:carol to pull team/api:rc-1; rule `contractor` would allow it but only from 10.20.0.0/16 or fd00::/8");
    assert_snapshot!(told(&carol(now, "10.20.1.1", Credential::Federated)), @"no rule allows user:carol to pull team/api:rc-1; rule `contractor` would allow it but only with a credential of the kind user");
    assert_snapshot!(told(&right()), @"rule `contractor` (policy.yaml:3) allows pull");
}

fn refused(conditions: &str) -> String {
    let text = format!(
        "rules:\n  - name: x\n    subjects: [anyone]\n    images: [a]\n    allow: [pull]\n{conditions}"
    );
    Policy::compile(&sources(&[("policies/main.yaml", &text)])).unwrap_err().to_string()
}

#[test]
fn mistakes_in_times() {
    assert_snapshot!(refused("    starts: tomorrow\n    expires: 2026-12-24 18:00\n"), @"
    error: `tomorrow` is no time
     --> policies/main.yaml:6:13
      |
    6 |     starts: tomorrow
      |             ^^^^^^^^
      |
      = help: write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`

    error: `2026-12-24 18:00` is no time
     --> policies/main.yaml:7:14
      |
    7 |     expires: 2026-12-24 18:00
      |              ^^^^^^^^^^^^^^^^
      |
      = help: times need their offset from UTC: `2026-12-24T18:00:00Z`, `2026-12-24T18:00:00+01:00`
    ");
    assert_snapshot!(refused("    starts: [2026-01-01]\n    expires: 2026-02-30\n"), @"
    error: `starts` has to be text
     --> policies/main.yaml:6:13
      |
    6 |     starts: [2026-01-01]
      |             ^^^^^^^^^^^^ this is a list

    error: `2026-02-30` is no time
     --> policies/main.yaml:7:14
      |
    7 |     expires: 2026-02-30
      |              ^^^^^^^^^^
      |
      = help: write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`
    ");
    assert_snapshot!(refused("    starts: 2027-01-01\n    expires: 2027-01-01\n"), @"
    error: the rule ends before it starts
     --> policies/main.yaml:7:14
      |
    7 |     expires: 2027-01-01
      |              ^^^^^^^^^^ ends here
      |
     ::: policies/main.yaml:6:13
      |
    6 |     starts: 2027-01-01
      |             ---------- starts here
      |
      = help: `starts` is the first moment, `expires` the first one after the last
    ");
}

#[test]
fn mistakes_in_networks() {
    assert_snapshot!(refused("    networks: [10.20.3.4/16, 10.0.0.0/33, office]\n"), @"
    error: `10.20.3.4/16`: an address inside a network: the network itself is `10.20.0.0/16`
     --> policies/main.yaml:6:16
      |
    6 |     networks: [10.20.3.4/16, 10.0.0.0/33, office]
      |                ^^^^^^^^^^^^
      |
      = help: write `10.20.0.0/16`

    error: `10.0.0.0/33`: not an IP network: write it as `10.20.0.0/16` or `fd00::/8`
     --> policies/main.yaml:6:30
      |
    6 |     networks: [10.20.3.4/16, 10.0.0.0/33, office]
      |                              ^^^^^^^^^^^
      |
      = help: a network has up to 32 bits, with `:` up to 128; a name is none

    error: `office`: not an IP network: write it as `10.20.0.0/16` or `fd00::/8`
     --> policies/main.yaml:6:43
      |
    6 |     networks: [10.20.3.4/16, 10.0.0.0/33, office]
      |                                           ^^^^^^
      |
      = help: a network has up to 32 bits, with `:` up to 128; a name is none
    ");
    assert_snapshot!(refused("    networks: 10.0.0.0/8\n"), @"
    error: `networks` has to be a list
     --> policies/main.yaml:6:15
      |
    6 |     networks: 10.0.0.0/8
      |               ^^^^^^^^^^ this is text
      |
      = help: write `[10.0.0.0/8]`
    ");
    assert_snapshot!(refused("    networks: []\n"), @"
    error: `networks` is empty
     --> policies/main.yaml:6:15
      |
    6 |     networks: []
      |               ^^
      |
      = help: name at least one
    ");
}

#[test]
fn mistakes_in_kinds_of_credential() {
    assert_snapshot!(refused("    token: {kind: [servce, robot]}\n"), @"
    error: unknown kind of credential `servce`
     --> policies/main.yaml:6:20
      |
    6 |     token: {kind: [servce, robot]}
      |                    ^^^^^^
      |
      = help: did you mean `service`?

    error: unknown kind of credential `robot`
     --> policies/main.yaml:6:28
      |
    6 |     token: {kind: [servce, robot]}
      |                            ^^^^^
      |
      = help: kinds are `user`, `service`, `federated`, `peer`
    ");
    assert_snapshot!(refused("    token: {kinds: [user]}\n"), @"
    error: unknown key `kinds` in `token`
     --> policies/main.yaml:6:13
      |
    6 |     token: {kinds: [user]}
      |             ^^^^^
      |
      = help: did you mean `kind`?
    ");
    assert_snapshot!(refused("    token: {}\n"), @"
    error: `token` asks for nothing
     --> policies/main.yaml:6:12
      |
    6 |     token: {}
      |            ^^
      |
      = help: write `token: {kind: [service]}`
    ");
    assert_snapshot!(refused("    token: service\n"), @"
    error: `token` has to be a map
     --> policies/main.yaml:6:12
      |
    6 |     token: service
      |            ^^^^^^^ this is text
      |
      = help: write `token: {kind: [service]}`
    ");
    assert_snapshot!(refused("    token: [federated, user]\n"), @"
    error: `token` has to be a map
     --> policies/main.yaml:6:12
      |
    6 |     token: [federated, user]
      |            ^^^^^^^^^^^^^^^^^ this is a list
      |
      = help: write `token: {kind: [federated, user]}`
    ");
}
