//! The configuration as written: what each key may hold, each value on its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use document::{Located, Mistake, Node, Problems, Section, Value};
use oci::RepositoryName;
use tracing_subscriber::EnvFilter;

use super::federation;
use super::resolved::LogFormat;
use super::scanner::{self, Scanner};
use super::state::{self, State};
use super::trust;
use super::trusted_keys::{self, TrustedKey};
use super::units::{duration, number, size};
use super::upstream::{self, Upstream};
use crate::inventory;
use crate::proxy::{Limits, Listen};
use crate::public_url::PublicUrl;
use policy::Network;

/// Every key of the file; `None` or empty where it is not there.
#[derive(Default)]
pub(super) struct Written {
    pub(super) listen: Vec<Located<Listen>>,
    pub(super) has_public_url: bool,
    pub(super) public_url: Option<Located<PublicUrl>>,
    pub(super) certificate: Option<Located<PathBuf>>,
    pub(super) key: Option<Located<PathBuf>>,
    pub(super) management: Option<SocketAddr>,
    pub(super) upstream: Option<Upstream>,
    pub(super) mirrors: BTreeMap<String, RepositoryName>,
    pub(super) policies: Option<PathBuf>,
    pub(super) shadow_policies: Option<Located<PathBuf>>,
    pub(super) users: Option<PathBuf>,
    pub(super) htpasswd: Option<PathBuf>,
    pub(super) signing_keys: Option<PathBuf>,
    pub(super) state: State,
    pub(super) access_ttl: Option<Duration>,
    pub(super) max_ttl: Option<Duration>,
    pub(super) login_idle: Option<Duration>,
    pub(super) login_max: Option<Duration>,
    pub(super) session_idle: Option<Duration>,
    pub(super) session_max: Option<Duration>,
    pub(super) federation: Vec<federation::Provider>,
    pub(super) trust: Vec<trust::Peer>,
    pub(super) scanner: Option<Scanner>,
    pub(super) trusted_keys: Vec<TrustedKey>,
    pub(super) inventory: inventory::Settings,
    pub(super) audit_file: Option<PathBuf>,
    pub(super) audit_rotate: Option<u64>,
    pub(super) audit_keep: Option<usize>,
    pub(super) limits: Limits,
    pub(super) trusted_proxies: Vec<Network>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_level: Option<String>,
}

/// Reads the whole file; an empty one has no keys.
pub(super) fn read(root: &Node, problems: &mut Problems) -> Written {
    let mut written = Written::default();
    if root.value == Value::Null {
        problems.nowhere(upstream::no_url());
        return written;
    }
    let Some(mut file) = root.section("the configuration", problems) else { return written };
    if let Some(node) = file.take("listen", problems) {
        written.listen = listeners(node, problems);
    }
    written.has_public_url = !file.lacks("public_url");
    written.public_url = file.read("public_url", problems, PublicUrl::new);
    if let Some(mut tls) = file.section("tls", problems) {
        written.certificate = tls.read("certificate", problems, path);
        written.key = tls.read("key", problems, path);
        tls.finish(problems);
    }
    if let Some(mut management) = file.section("management", problems) {
        written.management = value(management.read("listen", problems, address));
        management.finish(problems);
    }
    if file.lacks("upstream") {
        problems.nowhere(upstream::no_url());
    }
    if let Some(section) = file.section("upstream", problems) {
        written.upstream = Some(upstream::read(section, problems));
    }
    if let Some(node) = file.take("mirrors", problems) {
        written.mirrors = mirrors(node, problems);
    }
    written.policies = value(file.read("policies", problems, path));
    written.shadow_policies = file.read("shadow_policies", problems, path);
    written.users = value(file.read("users", problems, path));
    written.htpasswd = value(file.read("htpasswd", problems, path));
    written.signing_keys = value(file.read("signing_keys", problems, path));
    if let Some(section) = file.section("state", problems) {
        written.state = state::read(section, problems);
    }
    if let Some(mut tokens) = file.section("tokens", problems) {
        written.access_ttl = value(tokens.read("access_ttl", problems, ttl));
        written.max_ttl = value(tokens.read("max_ttl", problems, ttl));
        written.login_idle = value(tokens.read("login_idle", problems, ttl));
        written.login_max = value(tokens.read("login_max", problems, ttl));
        written.session_idle = value(tokens.read("session_idle", problems, ttl));
        written.session_max = value(tokens.read("session_max", problems, ttl));
        tokens.finish(problems);
    }
    if let Some(node) = file.take("federation", problems) {
        written.federation = federation::read(node, problems);
    }
    if let Some(node) = file.take("trust", problems) {
        written.trust = trust::read(node, problems);
    }
    if let Some(node) = file.take("scanner", problems)
        && let Some(section) = node.section("`scanner`", problems)
    {
        written.scanner = Some(scanner::read(section, node.place, problems));
    }
    if let Some(node) = file.take("trusted_keys", problems) {
        written.trusted_keys = trusted_keys::read(node, problems);
    }
    if let Some(section) = file.section("inventory", problems) {
        written.inventory = inventory(section, problems);
    }
    if let Some(mut audit) = file.section("audit", problems) {
        written.audit_file = value(audit.read("file", problems, path));
        written.audit_rotate = value(audit.read("rotate", problems, size));
        written.audit_keep = value(audit.read("keep", problems, |text| number(text, 0, 10_000)));
        audit.finish(problems);
    }
    if let Some(section) = file.section("limits", problems) {
        written.limits = limits(section, problems);
    }
    if let Some(node) = file.take("trusted_proxies", problems) {
        written.trusted_proxies = trusted_proxies(node, problems);
    }
    if let Some(mut log) = file.section("log", problems) {
        written.log_format = value(log.read("format", problems, log_format));
        written.log_level = value(log.read("level", problems, log_level));
        log.finish(problems);
    }
    file.finish(problems);
    written
}

/// What was read, where its place no longer matters.
pub(super) fn value<T>(located: Option<Located<T>>) -> Option<T> {
    located.map(|located| located.value)
}

pub(super) fn path(text: &str) -> Result<PathBuf, Mistake> {
    if text.is_empty() || text.contains('\0') {
        return Err(Mistake::new("not a path"));
    }
    Ok(PathBuf::from(text))
}

fn address(text: &str) -> Result<SocketAddr, Mistake> {
    text.parse().map_err(|_| {
        Mistake::new("not an address to listen on")
            .help("write an IP address and a port, such as `127.0.0.1:5443` or `[::]:5443`")
    })
}

/// One address, or a list of mappings.
fn listeners(node: &Node, problems: &mut Problems) -> Vec<Located<Listen>> {
    let Value::List(nodes) = &node.value else {
        let read = |text: &str| Ok(Listen { address: address(text)?, tls: true });
        let listen = node.read("`listen`", problems, read);
        return listen.into_iter().collect();
    };
    if nodes.is_empty() {
        problems.at(node.place, Mistake::new("no address to listen on").help("name at least one"));
    }
    nodes.iter().filter_map(|node| listener(node, problems)).collect()
}

fn listener(node: &Node, problems: &mut Problems) -> Option<Located<Listen>> {
    let mut section = node.section("a listener", problems)?;
    let written = section.take("address", problems);
    if written.is_none() {
        problems.at(node.place, Mistake::new("a listener without an `address`"));
    }
    let tls = section.read("tls", problems, |text| match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(Mistake::new("neither `on` nor `off`")),
    });
    section.finish(problems);
    let address = written?.read("`address`", problems, address)?;
    let listen = Listen { address: address.value, tls: value(tls).unwrap_or(true) };
    Some(Located { value: listen, place: address.place })
}

fn mirrors(node: &Node, problems: &mut Problems) -> BTreeMap<String, RepositoryName> {
    let entries = node.map("`mirrors`", problems).unwrap_or_default();
    let is_host = |key: &str| {
        !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:".contains(&b))
    };
    let mut mirrors = BTreeMap::new();
    for entry in entries {
        if !is_host(&entry.key) {
            let mistake = Mistake::new(format!("`{}` is no registry host", entry.key));
            problems
                .at(entry.key_place, mistake.help("write it in lower case, such as `docker.io`"));
        }
        let what = format!("the prefix of `{}`", entry.key);
        let prefix = entry.value.read(&what, problems, |text| {
            RepositoryName::new(text).map_err(|error| Mistake::new(error.to_string()))
        });
        mirrors.extend(value(prefix).map(|prefix| (entry.key.clone(), prefix)));
    }
    mirrors
}

/// The longest life that can be asked for: a token that never ends in effect is none that ends.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

fn ttl(text: &str) -> Result<Duration, Mistake> {
    let ttl = duration(text)?;
    if ttl < Duration::from_secs(60) {
        return Err(Mistake::new("too short a life for a token")
            .help("docker does not cope with less than a minute: write at least `60s`"));
    }
    if ttl > LONGEST {
        return Err(Mistake::new("too long a life for a token")
            .help("write at most `366d`; what is needed for longer is refreshed, or made anew"));
    }
    Ok(ttl)
}

fn inventory(mut section: Section<'_>, problems: &mut Problems) -> inventory::Settings {
    let default = inventory::Settings::default();
    let crawl = section.read("crawl", problems, |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Mistake::new("neither `true` nor `false`")),
    });
    let freshness = section.read("freshness", problems, duration);
    let linger = section.read("linger", problems, duration);
    let max_requests = section.read("max_requests", problems, |text| number(text, 1, 1_000_000));
    section.finish(problems);
    inventory::Settings {
        linger: value(linger).unwrap_or(default.linger),
        freshness: value(freshness).unwrap_or(default.freshness),
        max_requests: value(max_requests).unwrap_or(default.max_requests),
        crawl: value(crawl).unwrap_or(default.crawl),
        ..default
    }
}

fn limits(mut section: Section<'_>, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    let mut count = |key, most, default| {
        value(section.read(key, problems, |text| number(text, 1, most))).unwrap_or(default)
    };
    let connections = count("connections", 1_000_000, default.connections);
    let connections_per_address =
        count("connections_per_address", 1_000_000, default.connections_per_address);
    let manifest_size = section.read("manifest_size", problems, |text| {
        let bytes = usize::try_from(size(text)?).unwrap_or(usize::MAX);
        if bytes > MAX_MANIFEST {
            return Err(Mistake::new("too large: manifests are held in memory")
                .help("write at most `64MiB`"));
        }
        Ok(bytes)
    });
    let minimum_rate = section.read("minimum_rate", problems, size);
    let mut wait = |key, default| value(section.read(key, problems, duration)).unwrap_or(default);
    let limits = Limits {
        connections,
        connections_per_address,
        manifest_size: value(manifest_size).unwrap_or(default.manifest_size),
        handshake_timeout: wait("handshake_timeout", default.handshake_timeout),
        header_timeout: wait("header_timeout", default.header_timeout),
        idle_timeout: wait("idle_timeout", default.idle_timeout),
        minimum_rate: value(minimum_rate).unwrap_or(default.minimum_rate),
        drain_timeout: wait("drain_timeout", default.drain_timeout),
    };
    section.finish(problems);
    limits
}

const MAX_MANIFEST: usize = 64 << 20;

fn trusted_proxies(node: &Node, problems: &mut Problems) -> Vec<Network> {
    let nodes = node.list("`trusted_proxies`", problems).unwrap_or_default();
    let network = |text: &str| text.parse::<Network>().map_err(|e| Mistake::new(e.to_string()));
    nodes.iter().filter_map(|node| value(node.read("a network", problems, network))).collect()
}

fn log_format(text: &str) -> Result<LogFormat, Mistake> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Mistake::new("neither `text` nor `json`")),
    }
}

fn log_level(text: &str) -> Result<String, Mistake> {
    match EnvFilter::try_new(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Mistake::new("not a log level").help(
            "write error, warn, info, debug or trace, or a filter such as `info,hyper=debug`",
        )),
    }
}
