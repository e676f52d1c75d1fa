//! Which certificates commands trust.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::failure::Failure;
use crate::certificate;

/// TLS to a server whose certificate one of those in the file `ca` vouches for; without it, one of
/// the system's.
pub(super) fn tls(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(ca) => roots.add_parsable_certificates(certificate::read_chain(ca)?),
        None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::impossible(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
