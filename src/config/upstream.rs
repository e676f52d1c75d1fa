//! The `upstream` section.

use std::path::{Path, PathBuf};
use std::time::Duration;

use document::{Located, Mistake, Problems, Section, Value};
use http::Uri;
use http::uri::{Authority, Scheme};

use super::units::{duration, number};
use super::written::{path, value};
use crate::authority;
use crate::secret::Secret;
use crate::upstream::read_password;
use crate::upstream::{Credentials, Host, Redirects, Settings, Timeouts};

/// As written.
#[derive(Default)]
pub(super) struct Upstream {
    origin: Option<Located<Origin>>,
    credentials: Option<WrittenCredentials>,
    ca: Option<Located<PathBuf>>,
    host: Host,
    redirects: Redirects,
    connect: Option<Duration>,
    response: Option<Duration>,
    idle: Option<Duration>,
    idle_connections: Option<usize>,
}

pub(super) struct Origin {
    scheme: Scheme,
    authority: Authority,
    base_path: String,
}

struct WrittenCredentials {
    username: Option<String>,
    password: Option<Password>,
}

enum Password {
    Here(Secret),
    In(Located<PathBuf>),
}

/// Reads the section.
pub(super) fn read(mut section: Section<'_>, problems: &mut Problems) -> Upstream {
    let mut written = Upstream::default();
    if section.lacks("url") {
        problems.nowhere(no_url());
    }
    if let Some(node) = section.take("url", problems) {
        written.origin = node.read("`url`", problems, origin);
        // A password in it is a mistake, and showing the line must not spread it.
        if matches!(&node.value, Value::Text(text) if text.contains('@')) {
            problems.hide(node.place);
        }
    }
    if let Some(credentials) = section.section("credentials", problems) {
        written.credentials = Some(read_credentials(credentials, problems));
    }
    written.ca = section.read("ca", problems, path);
    written.host = value(section.read("host", problems, |text| match text {
        "upstream" => Ok(Host::Upstream),
        "preserve" => Ok(Host::Preserve),
        _ => Err(Mistake::new("neither `upstream` nor `preserve`")),
    }))
    .unwrap_or_default();
    written.redirects = value(section.read("redirects", problems, |text| match text {
        "pass" => Ok(Redirects::Pass),
        "follow" => Ok(Redirects::Follow),
        _ => Err(Mistake::new("neither `pass` nor `follow`")),
    }))
    .unwrap_or_default();
    if let Some(mut timeouts) = section.section("timeouts", problems) {
        written.connect = value(timeouts.read("connect", problems, duration));
        written.response = value(timeouts.read("response", problems, duration));
        written.idle = value(timeouts.read("idle", problems, duration));
        timeouts.finish(problems);
    }
    if let Some(mut connections) = section.section("connections", problems) {
        let idle = connections.read("idle", problems, |text| number(text, 0, 10_000));
        written.idle_connections = value(idle);
        connections.finish(problems);
    }
    section.finish(problems);
    written
}

/// What is said to a file that names no upstream.
pub(super) fn no_url() -> Mistake {
    Mistake::new("no `upstream.url`")
        .help("name the registry behind the gate: `upstream: {url: http://127.0.0.1:5000}`")
}

fn read_credentials(mut section: Section<'_>, problems: &mut Problems) -> WrittenCredentials {
    let username = section.read("username", problems, |text| {
        if text.contains(':') || text.contains(char::is_control) {
            return Err(Mistake::new("a user name with a colon or a control character")
                .help("Basic authentication cannot carry it"));
        }
        Ok(text.to_owned())
    });
    let here = section.take("password", problems);
    let file = section.read("password_file", problems, path);
    let password = match (here, file) {
        (Some(_), Some(file)) => {
            let mistake = Mistake::new("both `password` and `password_file`");
            problems.at(file.place, mistake.help("keep one of them"));
            None
        }
        (Some(node), None) => {
            value(node.read("`password`", problems, |text| Ok(Secret::new(text.to_owned()))))
                .map(Password::Here)
        }
        (None, Some(file)) => Some(Password::In(file)),
        (None, None) => {
            problems.nowhere(
                Mistake::new("`upstream.credentials` without a password")
                    .help("add `password_file`, or `password: ${VARIABLE}`"),
            );
            None
        }
    };
    if username.is_none() {
        problems.nowhere(Mistake::new("`upstream.credentials` without a `username`"));
    }
    section.finish(problems);
    WrittenCredentials { username: value(username), password }
}

pub(super) fn origin(text: &str) -> Result<Origin, Mistake> {
    let wrong = || {
        Mistake::new("not the address of a registry")
            .help("write it with its scheme, such as `http://127.0.0.1:5000`")
    };
    if text.contains(['?', '#']) {
        return Err(Mistake::new("a query or fragment in the upstream's address")
            .help("write scheme, host, port and perhaps a path alone"));
    }
    let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return Err(wrong());
    };
    if authority.as_str().contains('@') {
        return Err(Mistake::new("a user name in the upstream's address")
            .help("write it below `upstream.credentials`"));
    }
    if (scheme != Scheme::HTTP && scheme != Scheme::HTTPS) || !authority::is_plain(&authority) {
        return Err(wrong());
    }
    let base_path = parts.path_and_query.map(|path| path.path().to_owned()).unwrap_or_default();
    let base_path = base_path.trim_end_matches('/').to_owned();
    let is_plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    if !base_path.split('/').skip(1).all(is_plain) {
        return Err(Mistake::new("a path that is not plain in the upstream's address")
            .help("its segments are letters, digits, `-`, `.`, `_` and `~`"));
    }
    if base_path.ends_with("/v2") {
        return Err(Mistake::new("the upstream's address goes too far")
            .help("leave out `/v2`: the gate adds it"));
    }
    Ok(Origin { scheme, authority, base_path })
}

/// Resolves the section; paths are relative to `folder`. `None` if something of it is missing,
/// which is then noted.
pub(super) fn resolve(
    folder: &Path,
    written: &Upstream,
    problems: &mut Problems,
) -> Option<Settings> {
    let credentials = match &written.credentials {
        None => None,
        Some(written) => Some(credentials(folder, written, problems)?),
    };
    let origin = &written.origin.as_ref()?.value;
    if let Some(ca) = &written.ca {
        if origin.scheme == Scheme::HTTP {
            let mistake = Mistake::new("`ca` is of no use: the upstream's address is http");
            problems.at(ca.place, mistake.help("write `https` in `upstream.url`, or remove `ca`"));
        }
        check_ca(&folder.join(&ca.value), ca, problems);
    }
    let default = Timeouts::default();
    Some(Settings {
        scheme: origin.scheme.clone(),
        authority: origin.authority.clone(),
        base_path: origin.base_path.clone(),
        credentials,
        ca: written.ca.as_ref().map(|ca| folder.join(&ca.value)),
        host: written.host,
        redirects: written.redirects,
        timeouts: Timeouts {
            connect: written.connect.unwrap_or(default.connect),
            response: written.response.unwrap_or(default.response),
            idle: written.idle.unwrap_or(default.idle),
        },
        idle_connections: written.idle_connections.unwrap_or(DEFAULT_IDLE),
    })
}

/// Idle connections that a worker keeps, unless the file says otherwise.
const DEFAULT_IDLE: usize = 32;

fn check_ca(path: &Path, ca: &Located<PathBuf>, problems: &mut Problems) {
    if let Err(error) = crate::certificate::read_chain(path) {
        problems.at(ca.place, error.mistake());
    }
}

fn credentials(
    folder: &Path,
    written: &WrittenCredentials,
    problems: &mut Problems,
) -> Option<Credentials> {
    let password = match written.password.as_ref()? {
        Password::Here(password) => password.clone(),
        Password::In(file) => match read_password(&folder.join(&file.value)) {
            Ok(password) => password,
            Err(error) => {
                let mistake = Mistake::new(error.to_string());
                problems.at(
                    file.place,
                    match error.help() {
                        Some(help) => mistake.help(help),
                        None => mistake,
                    },
                );
                return None;
            }
        },
    };
    let password_file = match written.password.as_ref()? {
        Password::Here(_) => None,
        Password::In(file) => Some(folder.join(&file.value)),
    };
    Some(Credentials { username: written.username.clone()?, password, password_file })
}
