//! Sign-ins at a provider, as far as the configuration alone can tell.

use insta::assert_snapshot;

use super::{UPSTREAM, folder, parse};
use crate::identity::federation::Scope;

/// A provider with this `sign_in`, and more lines.
fn provider(sign_in: &str, more: &str) -> String {
    format!(
        "{UPSTREAM}federation:\n  - name: corporate\n    issuer: https://idp.example\n    \
         audience: gate.example\n    require: {{department: build}}\n    subject: '{{sub}}'\n    \
         sign_in: {sign_in}\n{more}"
    )
}

fn told(sign_in: &str, more: &str) -> String {
    super::told(&folder(), &provider(sign_in, more))
}

#[test]
fn a_client_id_is_enough() {
    let folder = folder();
    let parsed = |sign_in| {
        let text = provider(sign_in, "    kind: user\n");
        let mut config = parse(&folder, &text).unwrap_or_else(|wrong| panic!("{wrong}"));
        config.federation.remove(0).sign_in.unwrap()
    };
    let least = parsed("{client_id: portcullis}");
    assert_eq!(least.client_id.as_str(), "portcullis");
    assert_eq!(least.title.to_string(), "corporate");
    let scopes: Vec<_> = least.scopes.iter().map(Scope::as_str).collect();
    assert_eq!((scopes, least.client_secret_file), (vec!["profile", "email"], None));
    std::fs::write(folder.path().join("secret"), "hush\n").unwrap();
    let all = "{client_id: 'a b', client_secret_file: secret, scopes: [], title: Widgets Inc.}";
    let all = parsed(all);
    assert_eq!(all.client_secret_file, Some(folder.path().join("secret")));
    assert_eq!((all.title.to_string().as_str(), all.scopes.len()), ("Widgets Inc.", 0));
}

#[test]
fn all_mistakes_are_told_at_their_places() {
    let written = "{client_secret_file: missing, scopes: [a b, ''], title: '', client: x}";
    assert_snapshot!(told(written, ""), @r#"
    error: jobs do not sign in to pages
     --> GATE/portcullis.yaml:8:14
      |
    8 |     sign_in: {client_secret_file: missing, scopes: [a b, ''], title: '', client: x}
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `kind: user`, or remove `sign_in`

    error: a `sign_in` without `client_id`
     --> GATE/portcullis.yaml:8:14
      |
    8 |     sign_in: {client_secret_file: missing, scopes: [a b, ''], title: '', client: x}
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: register the gate at the provider, and write the id that it gives out

    error: cannot read GATE/missing: No such file or directory (os error 2)
     --> GATE/portcullis.yaml:8:35
      |
    8 |     sign_in: {client_secret_file: missing, scopes: [a b, ''], title: '', client: x}
      |                                   ^^^^^^^
      |
      = help: put the secret that the provider gave out there, alone on one line

    error: not a scope
     --> GATE/portcullis.yaml:8:53
      |
    8 |     sign_in: {client_secret_file: missing, scopes: [a b, ''], title: '', client: x}
      |                                                     ^^^
      |
      = help: write each on its own, such as `scopes: [profile, groups]`

    error: not a scope
     --> GATE/portcullis.yaml:8:58
      |
    8 |     sign_in: {client_secret_file: missing, scopes: [a b, ''], title: '', client: x}
      |                                                          ^^
      |
      = help: write each on its own, such as `scopes: [profile, groups]`

    error: not a title
     --> GATE/portcullis.yaml:8:70
      |
    8 |     sign_in: {client_secret_file: missing, scopes: [a b, ''], title: '', client: x}
      |                                                                      ^^
      |
      = help: write 1 to 64 characters by which people know the provider

    error: unknown key `client` in `sign_in`
     --> GATE/portcullis.yaml:8:74
      |
    8 |     sign_in: {client_secret_file: missing, scopes: [a b, ''], title: '', client: x}
      |                                                                          ^^^^^^
      |
      = help: keys of `sign_in` are `client_id`, `client_secret_file`, `scopes`, `title`
    "#);
    assert_snapshot!(told("{client_id: ''}", "    kind: user\n"), @r#"
    error: not the id of a client
     --> GATE/portcullis.yaml:8:26
      |
    8 |     sign_in: {client_id: ''}
      |                          ^^
      |
      = help: write it as the provider gave it out when the gate was registered there
    "#);
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_shown() {
    let told = told("{client_id: portcullis, client_secret: hush-hush}", "    kind: user\n");
    assert!(!told.contains("hush-hush"), "{told}");
    assert_snapshot!(told, @r#"
    error: a secret in the configuration
     --> GATE/portcullis.yaml:8:38
      |
    8 |     sign_in: {client_id: portcullis, client_secret: *********}
      |                                      ^^^^^^^^^^^^^
      |
      = help: put it into a file, and name it in `client_secret_file`
    "#);
}

#[test]
fn people_sign_in_over_https() {
    let plain = "    kind: user\npublic_url: http://gate.example\n\
                 listen: [{address: '127.0.0.1:5080', tls: off}]\n";
    assert_snapshot!(told("{client_id: portcullis}", plain), @r#"
    error: nobody can sign in: browsers keep no session over plain http
     --> GATE/portcullis.yaml:8:14
      |
    8 |     sign_in: {client_id: portcullis}
      |              ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write the https address of the gate as `public_url`
    "#);
}
