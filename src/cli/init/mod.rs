//! `portcullis init`.

use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use document::Mistake;
use jiff::Timestamp;
use serde::Serialize;

use super::failure::{Exit, Failure};
use super::output::OutputArgument;
use crate::certificate::{Host, make_development};
use crate::config::Config;
use crate::files;
use crate::identity::password;
use crate::secret::Secret;
use crate::token::KeyFolder;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder, which is made if it is not there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The registry behind the gate.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5000")]
    upstream: String,
    /// Where clients reach the gate.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5443")]
    listen: SocketAddr,
    /// Where metrics and health are; plain HTTP.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5480")]
    management: SocketAddr,
    /// A host name or IP address by which clients reach the gate; may be repeated, and the first
    /// one stands in `public_url`.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<Host>,
    #[command(flatten)]
    output: OutputArgument,
}

const ADMINISTRATOR: &str = "admin";
const CONFIGURATION: &str = include_str!("configuration.yaml");
/// The sample policies and their test cases, by their path in the folder of policies.
const POLICIES: [(&str, &str); 7] = [
    ("portcullis.yaml", include_str!("../../../policies/portcullis.yaml")),
    ("ci.yaml", include_str!("../../../policies/ci.yaml")),
    ("teams/backend.yaml", include_str!("../../../policies/teams/backend.yaml")),
    ("teams/frontend.yaml", include_str!("../../../policies/teams/frontend.yaml")),
    ("tests/portcullis.yaml", include_str!("../../../policies/tests/portcullis.yaml")),
    ("tests/ci.yaml", include_str!("../../../policies/tests/ci.yaml")),
    ("tests/teams.yaml", include_str!("../../../policies/tests/teams.yaml")),
];
const CERTIFICATES: [&str; 4] = ["ca.crt", "ca.key", "server.crt", "server.key"];

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let made = make(arguments)?;
    arguments.output.print(&made.text(&arguments.folder), &made.json())?;
    Ok(Exit::Done)
}

/// What was made.
struct Made {
    config: Config,
    password: Secret,
}

fn make(arguments: &Arguments) -> Result<Made, Failure> {
    let folder = &arguments.folder;
    let configuration = arguments.configuration()?;
    refuse_what_is_there(folder)?;
    make_folder(folder, 0o755)?;
    make_folder(&folder.join("policies/teams"), 0o755)?;
    make_folder(&folder.join("policies/tests"), 0o755)?;
    for (name, text) in POLICIES {
        make_file(&folder.join("policies").join(name), text, 0o644)?;
    }
    make_development(&folder.join("certs"), &arguments.certified())?;
    let password = password::generate().map_err(|error| Failure::impossible(&error))?;
    make_file(&folder.join("users.yaml"), &users(&password)?, 0o600)?;
    let file = folder.join("portcullis.yaml");
    let config = Config::parse(&file, &configuration, |name| std::env::var(name).ok())?;
    KeyFolder::open(&config.signing_keys, Timestamp::now())?;
    // The configuration comes last: a folder with one is whole.
    make_file(&file, &configuration, 0o644)?;
    Ok(Made { config, password })
}

impl Arguments {
    /// The text of the configuration file. What it would say is read before anything is made, as
    /// if it stood in a folder where all is in place.
    fn configuration(&self) -> Result<String, Failure> {
        let text = CONFIGURATION
            .replace("LISTEN", &self.listen.to_string())
            .replace("PUBLIC_URL", &self.public_url())
            .replace("MANAGEMENT", &self.management.to_string())
            .replace("UPSTREAM", &self.upstream);
        match crate::config::check_upstream(&self.upstream) {
            Ok(()) => Ok(text),
            Err(mistake) => Err(Failure::input(&mistake.about("--upstream"))),
        }
    }

    fn public_url(&self) -> String {
        let ip = self.listen.ip();
        let host = match self.hosts.first() {
            Some(host) => host.to_string(),
            None if is_nameless(ip) => "localhost".to_owned(),
            None => ip.to_string(),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("https://{host}:{}", self.listen.port())
    }

    /// What the certificate must hold for beside loopback.
    fn certified(&self) -> Vec<Host> {
        let ip = self.listen.ip();
        let listen = (!is_nameless(ip)).then(|| Host::from(ip));
        self.hosts.iter().cloned().chain(listen).collect()
    }
}

/// Whether the address says nothing about how others reach this machine.
fn is_nameless(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

fn refuse_what_is_there(folder: &Path) -> Result<(), Failure> {
    let policies = POLICIES.iter().map(|(name, _)| Path::new("policies").join(name));
    let certificates = CERTIFICATES.iter().map(|name| Path::new("certs").join(name));
    let files = ["portcullis.yaml", "users.yaml"].into_iter().map(PathBuf::from);
    for file in files.chain(policies).chain(certificates) {
        let path = folder.join(file);
        if path.symlink_metadata().is_ok() {
            let mistake = Mistake::new(format!("{} is there already", path.display()))
                .help("choose another folder: `init` never changes one that is in use");
            return Err(Failure::input(&mistake));
        }
    }
    Ok(())
}

fn users(password: &Secret) -> Result<String, Failure> {
    let hash = password::hash(password).map_err(|error| Failure::impossible(&error))?;
    Ok(format!(
        "# Who may sign in with a password; change it with `portcullis user`.\n\
         users:\n  {ADMINISTRATOR}:\n    password: \"{hash}\"\n"
    ))
}

fn make_folder(path: &Path, mode: u32) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|e| unwritable(path, &e))
}

/// Makes a new file; one that appeared in the meantime is not touched.
fn make_file(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    files::create(path, text.as_bytes(), mode).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Impossible,
        &Mistake::new(format!("cannot write {}: {error}", path.display())),
    )
}

impl Made {
    fn text(&self, folder: &Path) -> String {
        let config = &self.config;
        format!(
            "made a gate in {}\n\
             \n\
             configuration  {}\n\
             address        {}\n\
             upstream       {}://{}{}\n\
             CA             {} (for clients)\n\
             administrator  {ADMINISTRATOR}\n\
             password       {} (shown this once)\n\
             \n\
             next: portcullis serve --config {}",
            folder.display(),
            config.file.display(),
            config.public_url,
            config.upstream.scheme,
            config.upstream.authority,
            config.upstream.base_path,
            folder.join("certs/ca.crt").display(),
            self.password.expose(),
            config.file.display(),
        )
    }

    fn json(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Gate<'a> {
            config: &'a Path,
            admin: Administrator<'a>,
        }
        #[derive(Serialize)]
        struct Administrator<'a> {
            username: &'a str,
            password: &'a str,
        }
        let admin = Administrator { username: ADMINISTRATOR, password: self.password.expose() };
        Gate { config: &self.config.file, admin }
    }
}

#[cfg(test)]
mod tests;
