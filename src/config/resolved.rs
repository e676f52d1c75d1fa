//! The configuration, ready to run on.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use document::{Located, Mistake, Problems};
use oci::RepositoryName;

use super::federation as federation_section;
use super::scanner::{self, ScannerSettings};
use super::state;
use super::trust;
use super::trusted_keys;
use super::upstream as upstream_section;
use super::written::Written;
use crate::certificate;
use crate::identity::federation;
use crate::identity::peers;
use crate::identity::users::Files;
use crate::proxy::{Limits, Listen, Tls};
use crate::public_url::PublicUrl;
use crate::signature::KeyFiles;
use crate::{inventory, store, token, upstream};
use policy::Network;

/// Everything that `serve` needs to know. Paths are absolute or relative to the working directory
/// like the path of the configuration file itself.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Where clients reach the gate; at least one.
    pub listen: Vec<Listen>,
    /// What clients see.
    pub public_url: PublicUrl,
    /// The server certificate; none if no listener has TLS on.
    pub tls: Option<Tls>,
    /// Where `/metrics`, `/healthz` and `/readyz` are. Default 127.0.0.1:5480.
    pub management: SocketAddr,
    /// The registry behind the gate.
    pub upstream: upstream::Settings,
    /// The `ns` of a mirror request to the prefix of the repositories that hold its images.
    pub mirrors: BTreeMap<String, RepositoryName>,
    /// The folder of policy files. Default `policies`.
    pub policies: PathBuf,
    /// The folder of a policy that decides beside those and changes nothing. Default none.
    pub shadow_policies: Option<PathBuf>,
    /// The users file. Default `users.yaml`.
    pub users: PathBuf,
    /// Whether the file says where it is.
    pub names_users: bool,
    /// Users with bcrypt passwords, beside the users file or in its place.
    pub htpasswd: Option<PathBuf>,
    /// The folder of signing keys. Default `state/keys`; made at the first start.
    pub signing_keys: PathBuf,
    /// Where the state is. Default `sqlite:state/portcullis.db`, 5 min.
    pub state: store::Settings,
    /// How long tokens live.
    pub tokens: token::Settings,
    /// The providers whose ID tokens are taken. Default none.
    pub federation: Vec<federation::Settings>,
    /// The gates whose tokens are accepted.
    pub trust: Vec<peers::Settings>,
    /// What looks for vulnerabilities. Default nothing.
    pub scanner: Option<ScannerSettings>,
    /// The keys whose signatures of images count. Default none.
    pub trusted_keys: KeyFiles,
    /// What the gate finds out about the registry, and remembers.
    pub inventory: inventory::Settings,
    /// The audit trail. Default `audit.jsonl`.
    pub audit_file: PathBuf,
    /// The size in bytes at which the audit file is put aside. Default 100 MiB.
    pub audit_rotate: u64,
    /// How many audit files are kept beside the current one. Default 10.
    pub audit_keep: usize,
    /// What clients may take.
    pub limits: Limits,
    /// Whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written: a level, or a filter of `tracing-subscriber`. Default `info`.
    pub log_level: String,
}

impl Config {
    /// Where users are. The users file may be absent where there is an htpasswd file and nothing
    /// names the other.
    #[must_use]
    pub fn user_files(&self) -> Files {
        Files {
            users: self.users.clone(),
            users_may_be_absent: self.htpasswd.is_some() && !self.names_users,
            htpasswd: self.htpasswd.clone(),
        }
    }

    /// Where those who administer the gate on its own machine reach it while it serves: in the folder
    /// of the state, or in `state` beside the configuration if the state is elsewhere.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        let folder = match &self.state.url {
            store::StoreUrl::Sqlite(file) => file.parent().map(Path::to_owned),
            store::StoreUrl::Postgres(_) => self.file.parent().map(|folder| folder.join("state")),
        };
        folder.unwrap_or_default().join("admin.sock")
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where policies are, unless the file says otherwise.
const POLICIES: &str = "policies";

/// Where the management listener is, unless the file says otherwise.
pub(super) const MANAGEMENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5480);

/// Fills in what was left out, relates the keys to each other and looks at the files that they
/// name. `None`, with the reason noted, if something without a default is missing.
pub(super) fn resolve(file: &Path, written: &Written, problems: &mut Problems) -> Option<Config> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let beside = |path: &Option<PathBuf>, default: &str| {
        folder.join(path.as_deref().unwrap_or(Path::new(default)))
    };
    let listen = listeners(written);
    let public_url = public_url(written, &listen, problems);
    let tls = tls(folder, written, &listen, problems);
    let federation =
        federation_section::resolve(folder, &written.federation, public_url.as_ref(), problems);
    let upstream = upstream_section::resolve(folder, written.upstream.as_ref()?, problems);
    let trust = trust::resolve(folder, &written.trust, public_url.as_ref(), problems);
    let tokens = token::Settings::default();
    Some(Config {
        file: file.to_owned(),
        public_url: public_url?,
        tls,
        listen,
        management: written.management.unwrap_or(MANAGEMENT),
        upstream: upstream?,
        mirrors: written.mirrors.clone(),
        policies: beside(&written.policies, POLICIES),
        shadow_policies: shadow_policies(folder, written, problems),
        users: beside(&written.users, "users.yaml"),
        names_users: written.users.is_some(),
        htpasswd: written.htpasswd.as_ref().map(|path| folder.join(path)),
        signing_keys: beside(&written.signing_keys, "state/keys"),
        state: state::resolve(folder, &written.state),
        tokens: token::Settings {
            access_ttl: written.access_ttl.unwrap_or(tokens.access_ttl),
            max_ttl: written.max_ttl.unwrap_or(tokens.max_ttl),
            login_idle: written.login_idle.unwrap_or(tokens.login_idle),
            login_max: written.login_max.unwrap_or(tokens.login_max),
            session_idle: written.session_idle.unwrap_or(tokens.session_idle),
            session_max: written.session_max.unwrap_or(tokens.session_max),
        },
        federation,
        trust,
        scanner: scanner::resolve(folder, written.scanner.as_ref(), problems),
        trusted_keys: trusted_keys::resolve(folder, &written.trusted_keys, problems),
        inventory: written.inventory,
        audit_file: beside(&written.audit_file, "audit.jsonl"),
        audit_rotate: written.audit_rotate.unwrap_or(100 << 20),
        audit_keep: written.audit_keep.unwrap_or(10),
        limits: written.limits,
        trusted_proxies: written.trusted_proxies.clone(),
        log_format: written.log_format.unwrap_or_default(),
        log_level: written.log_level.clone().unwrap_or_else(|| "info".to_owned()),
    })
}

fn listeners(written: &Written) -> Vec<Listen> {
    if written.listen.is_empty() {
        return vec![Listen { address: (Ipv4Addr::LOCALHOST, 5443).into(), tls: true }];
    }
    written.listen.iter().map(|located| located.value.clone()).collect()
}

/// A policy that is compared with itself tells nothing, and one that lies within the other would be
/// read as a part of it.
fn shadow_policies(folder: &Path, written: &Written, problems: &mut Problems) -> Option<PathBuf> {
    let Located { value, place } = written.shadow_policies.as_ref()?;
    let shadow = folder.join(value);
    let policies = folder.join(written.policies.as_deref().unwrap_or(Path::new(POLICIES)));
    let message = if shadow == policies {
        "`shadow_policies` is the folder of `policies` itself"
    } else if is_within(&shadow, &policies) {
        "`shadow_policies` lies in the folder of `policies`: its rules would be in force"
    } else if is_within(&policies, &shadow) {
        "the folder of `policies` lies in that of `shadow_policies`: its rules would be tried as well"
    } else {
        return Some(shadow);
    };
    let help = "name a folder beside it, with the policy that is to be tried";
    problems.at(*place, Mistake::new(message).help(help));
    Some(shadow)
}

/// Whether the path leads into the folder, and does not leave it again by `..`.
fn is_within(path: &Path, folder: &Path) -> bool {
    let below = path.strip_prefix(folder);
    below.is_ok_and(|below| !below.components().any(|part| part == Component::ParentDir))
}

/// As written, else derived from the first listener. That works on loopback alone: elsewhere the
/// name by which clients know this machine is not to be guessed.
fn public_url(written: &Written, listen: &[Listen], problems: &mut Problems) -> Option<PublicUrl> {
    let some_tls = listen.iter().any(|listen| listen.tls);
    if let Some(Located { value, place }) = &written.public_url {
        if some_tls && !value.is_https() {
            let mistake = Mistake::new("`public_url` is http, but the gate listens with TLS");
            problems
                .at(*place, mistake.help("write https, as tokens must not travel in the clear"));
        }
        return Some(value.clone());
    }
    let first = listen.first().filter(|_| !written.has_public_url)?;
    let mistake = if !first.address.ip().is_loopback() {
        Mistake::new("`public_url` is needed when clients do not come over loopback")
    } else if first.address.port() == 0 {
        Mistake::new("`public_url` is needed when the port is 0")
    } else {
        let scheme = if first.tls { "https" } else { "http" };
        return PublicUrl::new(&format!("{scheme}://localhost:{}", first.address.port())).ok();
    };
    let mistake =
        mistake.help("write the address that clients use: `public_url: https://gate.example`");
    match written.listen.first() {
        Some(Located { place, .. }) => problems.at(*place, mistake),
        None => problems.nowhere(mistake),
    }
    None
}

fn tls(
    folder: &Path,
    written: &Written,
    listen: &[Listen],
    problems: &mut Problems,
) -> Option<Tls> {
    if listen.iter().all(|listen| !listen.tls) {
        return None;
    }
    let path = |written: &Option<Located<PathBuf>>, default: &str| {
        folder.join(written.as_ref().map_or(Path::new(default), |located| &located.value))
    };
    let tls = Tls {
        certificate: path(&written.certificate, "certs/server.crt"),
        key: path(&written.key, "certs/server.key"),
    };
    let mut note = |written: &Option<Located<PathBuf>>, mistake| match written {
        Some(located) => problems.at(located.place, mistake),
        None => problems.nowhere(mistake),
    };
    let chain = certificate::read_chain(&tls.certificate)
        .map_err(|error| note(&written.certificate, error.mistake()));
    let key = certificate::read_key(&tls.key).map_err(|error| note(&written.key, error.mistake()));
    if let (Ok(chain), Ok(key)) = (chain, key)
        && let Err(error) = certificate::pair(&tls, chain, &key)
    {
        note(&written.certificate, error.mistake());
    }
    Some(tls)
}
