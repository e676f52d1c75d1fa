//! `sign_in` of a provider in `federation`: people who sign in to the pages there.

use std::path::{Path, PathBuf};

use document::{Located, Mistake, Node, Place, Problems};

use super::written::{path, value};
use crate::identity::federation::{ClientId, Scope, SignIn, SubjectKind, Title};
use crate::public_url::PublicUrl;
use crate::upstream::read_password;

/// As written.
pub(super) struct WrittenSignIn {
    place: Place,
    client_id: Option<ClientId>,
    client_secret_file: Option<Located<PathBuf>>,
    scopes: Option<Vec<Scope>>,
    title: Option<Title>,
}

/// What is asked for beside `openid`, unless the file says otherwise: the claims that tell a person's
/// name (OpenID Connect Core, section 5.4).
const SCOPES: [&str; 2] = ["profile", "email"];

/// Reads the section; the provider vouches for callers of this kind.
pub(super) fn read(
    node: &Node,
    kind: SubjectKind,
    problems: &mut Problems,
) -> Option<WrittenSignIn> {
    let mut section = node.section("`sign_in`", problems)?;
    if kind == SubjectKind::Service {
        let mistake = Mistake::new("jobs do not sign in to pages");
        problems.at(node.place, mistake.help("write `kind: user`, or remove `sign_in`"));
    }
    if section.lacks("client_id") {
        let mistake = Mistake::new("a `sign_in` without `client_id`");
        let help = "register the gate at the provider, and write the id that it gives out";
        problems.at(node.place, mistake.help(help));
    }
    section.refuse("client_secret", problems, || {
        Mistake::new("a secret in the configuration")
            .help("put it into a file, and name it in `client_secret_file`")
    });
    let written = WrittenSignIn {
        place: node.place,
        client_id: value(section.read("client_id", problems, ClientId::new)),
        client_secret_file: section.read("client_secret_file", problems, path),
        scopes: section.take("scopes", problems).map(|node| scopes(node, problems)),
        title: value(section.read("title", problems, Title::new)),
    };
    section.finish(problems);
    Some(written)
}

fn scopes(node: &Node, problems: &mut Problems) -> Vec<Scope> {
    let nodes = node.list("`scopes`", problems).unwrap_or_default();
    nodes.iter().filter_map(|node| value(node.read("a scope", problems, Scope::new))).collect()
}

/// Fills in what was left out and looks at the file; its path is relative to `folder`. `name` is
/// that of the provider. None if something is missing, which is then noted.
pub(super) fn resolve(
    folder: &Path,
    written: &WrittenSignIn,
    name: &str,
    public_url: Option<&PublicUrl>,
    problems: &mut Problems,
) -> Option<SignIn> {
    if public_url.is_some_and(|url| !url.is_https()) {
        let mistake = Mistake::new("nobody can sign in: browsers keep no session over plain http");
        let help = "write the https address of the gate as `public_url`";
        problems.at(written.place, mistake.help(help));
    }
    let file = written.client_secret_file.as_ref();
    let file = file.map(|file| Located { value: folder.join(&file.value), ..*file });
    if let Some(file) = &file
        && let Err(error) = read_password(&file.value)
    {
        let help = "put the secret that the provider gave out there, alone on one line";
        problems.at(file.place, Mistake::new(error.to_string()).help(help));
    }
    let scopes = match &written.scopes {
        Some(scopes) => scopes.clone(),
        None => SCOPES.iter().filter_map(|scope| Scope::new(scope).ok()).collect(),
    };
    Some(SignIn {
        client_id: written.client_id.clone()?,
        client_secret_file: value(file),
        scopes,
        title: match &written.title {
            Some(title) => title.clone(),
            None => Title::new(name).ok()?,
        },
    })
}
