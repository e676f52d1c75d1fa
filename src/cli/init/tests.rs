use std::fs;
use std::os::unix::fs::PermissionsExt;

use clap::Parser;
use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;
use crate::identity::users::Users;
use crate::policy_folder;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(folder: &TempDir, more: &[&str]) -> Arguments {
    let folder = folder.path().join("gate");
    let line = ["init", folder.to_str().unwrap()];
    Line::try_parse_from(line.iter().chain(more)).unwrap().arguments
}

fn refused(arguments: &Arguments, folder: &TempDir) -> (Exit, String) {
    let Err(failure) = make(arguments) else { panic!("made") };
    (failure.exit, failure.text(false).replace(folder.path().to_str().unwrap(), "FOLDER"))
}

#[test]
fn what_is_made_can_be_served() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = arguments(&folder, &[]);
    let made = make(&arguments).unwrap();
    let gate = folder.path().join("gate");
    assert_eq!(made.config.file, gate.join("portcullis.yaml"));
    assert_eq!(made.config.public_url.as_str(), "https://localhost:5443");
    let users = Users::load(&made.config.users).unwrap();
    assert_eq!(users.get("admin").unwrap().groups, Vec::<String>::new());
    assert!(users.check("admin", &made.password));
    let compiled = policy_folder::load(&made.config.policies).unwrap();
    assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
    let keys = || {
        let names = fs::read_dir(gate.join("state/keys")).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let made_keys = keys();
    assert!(made_keys.iter().any(|name| name.ends_with(".pem")), "{made_keys:?}");
    let opened = KeyFolder::open(&made.config.signing_keys, Timestamp::now()).unwrap();
    let opened = opened.keys(made.config.tokens.verify_for(), Timestamp::now).unwrap();
    assert_eq!(opened.current().jwks()["keys"].as_array().unwrap().len(), 1);
    assert_eq!(keys(), made_keys, "the first start finds them");
    for (path, expected) in [
        ("users.yaml", 0o600),
        ("state", 0o700),
        ("state/keys", 0o700),
        ("certs/server.key", 0o600),
        ("certs/ca.key", 0o600),
    ] {
        let mode = fs::metadata(gate.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{path}");
    }
    let text = made.text(&arguments.folder).replace(made.password.expose(), "PASSWORD");
    assert_snapshot!(text.replace(folder.path().to_str().unwrap(), "FOLDER"), @"
    made a gate in FOLDER/gate

    configuration  FOLDER/gate/portcullis.yaml
    address        https://localhost:5443
    upstream       http://127.0.0.1:5000
    CA             FOLDER/gate/certs/ca.crt (for clients)
    administrator  admin
    password       PASSWORD (shown this once)

    next: portcullis serve --config FOLDER/gate/portcullis.yaml
    ");
    let json = serde_json::to_string(&made.json()).unwrap();
    let json = json.replace(made.password.expose(), "PASSWORD");
    assert_snapshot!(json.replace(folder.path().to_str().unwrap(), "FOLDER"), @r#"{"config":"FOLDER/gate/portcullis.yaml","admin":{"username":"admin","password":"PASSWORD"}}"#);
}

#[test]
fn the_samples_are_all_policies_of_the_repository() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut samples = POLICIES.map(|(name, text)| (format!("policies/{name}"), text.to_owned()));
    samples.sort();
    let policies = policy_folder::read(&repository).unwrap().files;
    let cases = policy_folder::read_cases(&repository).unwrap();
    let files = policies.into_iter().chain(cases);
    let files: Vec<_> = files.map(|file| (file.path, file.text)).collect();
    assert_eq!(files, samples);
}

#[test]
fn the_arguments_stand_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "--upstream=https://registry.example/base",
        "--listen=0.0.0.0:7443",
        "--management=127.0.0.1:7480",
        "--host=gate.example",
        "--host=192.0.2.1",
    ];
    let config = make(&arguments(&folder, &more)).unwrap().config;
    assert_eq!(config.listen[0].address.to_string(), "0.0.0.0:7443");
    assert_eq!(config.management.to_string(), "127.0.0.1:7480");
    assert_eq!(config.public_url.as_str(), "https://gate.example:7443");
    assert_eq!(config.upstream.authority, "registry.example");
    assert_eq!(config.upstream.base_path, "/base");
    let text = fs::read_to_string(config.file).unwrap();
    assert_snapshot!(text, @"
    # The configuration of a gate. Every key and its default: docs/operations.md.
    # Paths are relative to this file. ${NAME} is an environment variable, $$ a dollar sign.

    listen: 0.0.0.0:7443
    public_url: https://gate.example:7443   # what clients use; challenges and tokens are built from it

    tls:
      certificate: certs/server.crt
      key: certs/server.key

    management:
      listen: 127.0.0.1:7480   # /metrics, /healthz and /readyz over plain HTTP: keep it inside

    upstream:
      url: https://registry.example/base   # the registry behind the gate
      # credentials: {username: gate, password_file: secrets/upstream}

    policies: policies
    users: users.yaml
    ");
}

#[test]
fn the_public_url_names_the_address_that_is_listened_on() {
    let folder = tempfile::tempdir().unwrap();
    for (listen, url) in [
        ("127.0.0.1:1", "https://localhost:1"),
        ("0.0.0.0:1", "https://localhost:1"),
        ("192.0.2.1:1", "https://192.0.2.1:1"),
        ("[2001:db8::1]:1", "https://[2001:db8::1]:1"),
    ] {
        assert_eq!(arguments(&folder, &["--listen", listen]).public_url(), url);
    }
}

#[test]
fn nothing_is_overwritten() {
    for file in ["portcullis.yaml", "users.yaml", "certs/ca.key", "policies/teams/backend.yaml"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "mine").unwrap();
        let (exit, text) = refused(&arguments(&folder, &[]), &folder);
        assert_eq!(exit, Exit::Input);
        let expected = format!(
            "error: FOLDER/gate/{file} is there already\n\
             help: choose another folder: `init` never changes one that is in use"
        );
        assert_eq!(text, expected);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        let others = fs::read_dir(folder.path().join("gate")).unwrap().count();
        assert_eq!(others, 1, "{file}");
    }
}

#[test]
fn a_wrong_upstream_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (exit, text) = refused(&arguments(&folder, &["--upstream=registry:5000"]), &folder);
    assert_eq!(exit, Exit::Input);
    assert_snapshot!(text, @"
    error: --upstream: not the address of a registry
    help: write it with its scheme, such as `http://127.0.0.1:5000`
    ");
    assert!(!folder.path().join("gate").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_no_mistake_of_the_input() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gate"), "a file").unwrap();
    let (exit, text) = refused(&arguments(&folder, &[]), &folder);
    assert_eq!(exit, Exit::Impossible);
    assert_snapshot!(text, @"error: cannot write FOLDER/gate: File exists (os error 17)");
}
