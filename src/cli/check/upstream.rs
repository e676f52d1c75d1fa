//! Whether the upstream answers as a registry does.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use document::Mistake;
use http::StatusCode;
use http::header::HeaderValue;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::failure::{Exit, Failure};
use super::super::http_get::{self, Error};
use super::super::trust;
use crate::upstream::Settings;

/// Beyond connecting: for the answer to `/v2/`, which is quick in every registry.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn check(settings: &Settings) -> Result<String, Failure> {
    let url = format!("{}://{}{}", settings.scheme, settings.authority, settings.base_path);
    let tls = if settings.scheme == Scheme::HTTPS { Some(connector(settings)?) } else { None };
    let within = settings.timeouts.connect + PATIENCE;
    match http_get::block_on(&url, within, ask(settings, tls)) {
        Ok(status) => judge(&url, status, settings.credentials.is_some()),
        Err(error) => {
            let help = match error {
                Error::Tls { .. } => "name the CA that vouches for it in `upstream.ca`",
                _ => "start the registry, or mend `upstream` in the configuration",
            };
            Err(Failure::new(Exit::Impossible, &Mistake::of(&error).help(help)))
        }
    }
}

/// A 401 is the answer of a registry that wants credentials, which is well if it was given none.
fn judge(url: &str, status: StatusCode, with_credentials: bool) -> Result<String, Failure> {
    match status {
        StatusCode::OK => Ok(format!("{url} answers")),
        StatusCode::UNAUTHORIZED if !with_credentials => {
            Ok(format!("{url} answers, and wants credentials"))
        }
        StatusCode::UNAUTHORIZED => Err(Failure::input(
            &Mistake::new(format!("{url} refuses the credentials"))
                .help("mend `upstream.credentials` in the configuration"),
        )),
        status => Err(Failure::new(
            Exit::Impossible,
            &Mistake::new(format!("{url}/v2/ answers {status}, so it is no registry"))
                .help("mend `upstream.url` in the configuration"),
        )),
    }
}

async fn ask(settings: &Settings, tls: Option<TlsConnector>) -> Result<StatusCode, Error> {
    let authority = settings.authority.as_str();
    let connect = |source| Error::Connect { to: authority.to_owned(), source };
    let untrusted = |source| Error::Tls { to: authority.to_owned(), source };
    let host = settings.authority.host().trim_matches(['[', ']']);
    let default = if tls.is_some() { 443 } else { 80 };
    let port = settings.authority.port_u16().unwrap_or(default);
    let stream = TcpStream::connect((host, port)).await.map_err(connect)?;
    let path = format!("{}/v2/", settings.base_path);
    let authorization = settings.credentials.as_ref().and_then(|credentials| {
        let pair = format!("{}:{}", credentials.username, credentials.password.expose());
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    match tls {
        None => http_get::status(stream, authority, &path, authorization).await,
        Some(tls) => {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| untrusted(std::io::Error::other(error)))?;
            let stream = tls.connect(name, stream).await.map_err(untrusted)?;
            http_get::status(stream, authority, &path, authorization).await
        }
    }
}

fn connector(settings: &Settings) -> Result<TlsConnector, Failure> {
    Ok(TlsConnector::from(Arc::new(trust::tls(settings.ca.as_deref())?)))
}
