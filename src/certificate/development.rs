//! A CA and a server certificate for development and first steps.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, string::Ia5String,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::{Error, not_after, read_chain, read_key};
use crate::pem;

const DAY: Duration = Duration::from_secs(86_400);
/// The CA is given to clients by hand, so it should hold a while.
const CA_LIFE: Duration = DAY.saturating_mul(730);
/// The longest that the platforms of clients accept for a server.
const SERVER_LIFE: Duration = DAY.saturating_mul(397);

/// What was made, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Development {
    /// The CA that clients are to trust.
    pub ca: PathBuf,
    /// The server certificate and the CA behind it.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// The names that the certificate holds for.
    pub hosts: Vec<Host>,
    /// Whether the CA is new: clients must be given it then.
    pub new_ca: bool,
}

/// A host name or an IP address that a certificate can hold for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(ServerName<'static>);

/// The text is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a host name nor an IP address")]
pub struct InvalidHost(String);

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let name = ServerName::try_from(text.to_ascii_lowercase());
        name.map(Self).map_err(|_| InvalidHost(text.to_owned()))
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self(ServerName::IpAddress(address.into()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_str())
    }
}

/// Makes `server.crt` and `server.key` in `folder` for `hosts` and the names of this machine's
/// loopback. The CA (`ca.crt`, `ca.key`) that signs them is made too, or taken from the folder if it
/// is there, so that clients which trust it need nothing new.
///
/// # Errors
/// A file cannot be read or written, or the CA in the folder is of no use.
pub fn make_development(folder: &Path, hosts: &[Host]) -> Result<Development, Error> {
    fs::create_dir_all(folder)
        .map_err(|source| Error::Unwritable { path: folder.to_owned(), source })?;
    let made = Development {
        ca: folder.join("ca.crt"),
        certificate: folder.join("server.crt"),
        key: folder.join("server.key"),
        hosts: with_loopback(hosts),
        new_ca: !folder.join("ca.key").exists(),
    };
    let now = SystemTime::now();
    let (ca, issuer) = if made.new_ca {
        new_ca(&made.ca, &folder.join("ca.key"), now)?
    } else {
        kept_ca(&made.ca, &folder.join("ca.key"))?
    };
    let key = KeyPair::generate()?;
    let certificate = server(&made.hosts, now)?.signed_by(&key, &issuer)?;
    vouches(&ca, certificate.der(), &made)?;
    write(
        &made.certificate,
        &format!("{}{}", certificate.pem(), *pem::encode("CERTIFICATE", &ca)),
        0o644,
    )?;
    write(&made.key, &key.serialize_pem(), 0o600)?;
    Ok(made)
}

fn with_loopback(hosts: &[Host]) -> Vec<Host> {
    let names = ["localhost", "gate.localhost"].into_iter().filter_map(|name| name.parse().ok());
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let mut all: Vec<Host> = Vec::new();
    for host in hosts.iter().cloned().chain(names).chain(addresses.map(Host::from)) {
        if !all.contains(&host) {
            all.push(host);
        }
    }
    all
}

type Ca = (CertificateDer<'static>, Issuer<'static, KeyPair>);

fn new_ca(certificate: &Path, key: &Path, now: SystemTime) -> Result<Ca, Error> {
    let pair = KeyPair::generate()?;
    let mut params = ca_params(&pair);
    params.not_before = (now - DAY).into();
    params.not_after = (now + CA_LIFE).into();
    let ca = params.self_signed(&pair)?;
    // The key comes last: a folder with a key has a CA.
    write(certificate, &ca.pem(), 0o644)?;
    write(key, &pair.serialize_pem(), 0o600)?;
    Ok((ca.into(), Issuer::new(params, pair)))
}

fn kept_ca(certificate: &Path, key: &Path) -> Result<Ca, Error> {
    let pair = KeyPair::try_from(&read_key(key)?)?;
    let ca = read_chain(certificate)?.swap_remove(0);
    Ok((ca, Issuer::new(ca_params(&pair), pair)))
}

/// What a CA says of itself. Its name has a part that follows from its key, so that a machine which
/// trusts two of them can tell them apart, and so that it need not be read from the certificate.
fn ca_params(key: &KeyPair) -> CertificateParams {
    let digest = short_digest(&key.subject_public_key_info());
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Portcullis development CA {digest}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The first eight hexadecimal digits of the SHA-256 of `bytes`.
fn short_digest(bytes: &[u8]) -> String {
    let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn server(hosts: &[Host], now: SystemTime) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Portcullis development server");
    params.subject_alt_names = hosts
        .iter()
        .map(|host| match &host.0 {
            ServerName::IpAddress(address) => Ok(SanType::IpAddress(IpAddr::from(*address))),
            name => Ok(SanType::DnsName(Ia5String::try_from(name.to_str().as_ref())?)),
        })
        .collect::<Result<_, rcgen::Error>>()?;
    params.not_before = (now - DAY).into();
    params.not_after = (now + SERVER_LIFE).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Checks that a client which trusts the CA accepts the server: a kept CA may have ended, or the key
/// beside it may belong to another.
fn vouches(
    ca: &CertificateDer<'static>,
    server: &CertificateDer<'_>,
    made: &Development,
) -> Result<(), Error> {
    let end = not_after(&made.ca, std::slice::from_ref(ca))?;
    if end <= Timestamp::now() {
        return Err(Error::CaEnded { path: made.ca.clone(), end });
    }
    let is_accepted = || {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone()).ok()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().ok()?;
        let chain = std::slice::from_ref(ca);
        let now = UnixTime::now();
        let accepts = |host: &Host| verifier.verify_server_cert(server, chain, &host.0, &[], now);
        made.hosts.iter().try_for_each(|host| accepts(host).map(drop)).ok()
    };
    is_accepted().ok_or_else(|| Error::WrongCa(made.ca.clone()))
}

/// Puts the file in place in one step: a running gate that polls it never sees half of it.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    crate::files::replace(path, text.as_bytes(), mode)
        .map_err(|source| Error::Unwritable { path: path.to_owned(), source })
}
