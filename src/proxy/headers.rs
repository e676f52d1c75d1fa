//! Headers by allow-list, both ways: each message starts from an empty map.

use std::net::IpAddr;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HOST, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
    RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT, VIA, WARNING,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use oci::Operation;

use crate::inventory::MANIFEST_TYPES;
use crate::public_url::PublicUrl;
use crate::refusal::Refusal;

/// What a client may say to the upstream, beside what the operation itself says.
const TO_UPSTREAM: [HeaderName; 5] =
    [IF_NONE_MATCH, IF_MATCH, IF_MODIFIED_SINCE, USER_AGENT, CONTENT_RANGE];

/// What the upstream may say to a client. `Location` and `Link` are made by the gate.
const TO_CLIENT: [HeaderName; 17] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    ACCEPT_RANGES,
    ETAG,
    LAST_MODIFIED,
    CACHE_CONTROL,
    RANGE,
    RETRY_AFTER,
    WARNING,
    HeaderName::from_static("docker-content-digest"),
    HeaderName::from_static("docker-distribution-api-version"),
    HeaderName::from_static("oci-subject"),
    HeaderName::from_static("oci-filters-applied"),
    HeaderName::from_static("oci-tag"),
    HeaderName::from_static("oci-chunk-min-length"),
    HeaderName::from_static("content-disposition"),
];

/// From whom and how a request came, as the upstream is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forwarded<'a> {
    /// The client.
    pub(super) address: IpAddr,
    /// To find it in both logs.
    pub(super) request_id: &'a str,
}

/// The headers for the upstream, but for `Host` and `Authorization`, which the upstream's client
/// adds.
pub(super) fn to_upstream(
    client: &HeaderMap,
    operation: &Operation,
    issuer: &PublicUrl,
    forwarded: Forwarded<'_>,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    for name in &TO_UPSTREAM {
        if let Some(value) = client.get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    for value in client.get_all(ACCEPT) {
        headers.append(ACCEPT, value.clone());
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    match operation {
        // Who says nothing gets what is there: docker-registry would convert it to an old form.
        Operation::ReadManifest { .. } if !headers.contains_key(ACCEPT) => {
            headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
        }
        Operation::ReadBlob { .. } => {
            if let Some(range) = client.get(RANGE) {
                headers.insert(RANGE, range.clone());
            }
        }
        Operation::PutManifest { .. } => {
            if let Some(content_type) = client.get(CONTENT_TYPE) {
                headers.insert(CONTENT_TYPE, content_type.clone());
            }
        }
        // Registries read forms: in one, `mount` and `from` would override the query.
        Operation::StartUpload { .. }
        | Operation::UploadChunk { .. }
        | Operation::FinishUpload { .. } => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        _ => {}
    }
    // As the gate is known, not as this connection came: something else may terminate TLS.
    let proto = if issuer.as_str().starts_with("https:") { "https" } else { "http" };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    headers.insert(VIA, HeaderValue::from_static("1.1 portcullis"));
    for (name, text) in [
        (X_FORWARDED_FOR, forwarded.address.to_string().as_str()),
        (X_FORWARDED_HOST, issuer.service()),
        (X_REQUEST_ID, forwarded.request_id),
    ] {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    headers
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Names a request in the answer, the logs and the audit trail.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The headers for the client.
pub(super) fn to_client(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    for name in &TO_CLIENT {
        for value in upstream.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Refuses what two readers could understand in two ways: a second `Host`, a `Host` that is no
/// authority, another one than HTTP/2's `:authority`, a target with a place of its own, a body that
/// is coded in another way than chunked.
pub(super) fn well_formed(head: &http::request::Parts) -> Result<(), Refusal> {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(Refusal::Malformed("a body may be chunked, once, and not coded otherwise"));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::Malformed("there is more than one `Host` header"));
    }
    let host = host
        .map(|value| {
            value
                .to_str()
                .ok()
                .and_then(|text| text.parse::<http::uri::Authority>().ok())
                .filter(|authority| !authority.as_str().contains('@'))
                .ok_or(Refusal::Malformed("the `Host` header is no host"))
        })
        .transpose()?;
    match (head.version, head.uri.authority()) {
        (Version::HTTP_2, Some(authority)) => match host {
            Some(host) if host != *authority => {
                Err(Refusal::Malformed("`Host` and `:authority` differ"))
            }
            _ => Ok(()),
        },
        (Version::HTTP_2, None) => Ok(()),
        (_, Some(_)) => Err(Refusal::Malformed("the request target must be a path")),
        (Version::HTTP_11, None) if host.is_none() => {
            Err(Refusal::Malformed("there is no `Host` header"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{AUTHORIZATION, CONNECTION, COOKIE, LOCATION, SERVER};

    fn map(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect()
    }

    fn issuer() -> PublicUrl {
        PublicUrl::new("https://gate.example").unwrap()
    }

    fn forwarded() -> Forwarded<'static> {
        Forwarded { address: IpAddr::from([10, 0, 0, 1]), request_id: "r1" }
    }

    #[test]
    fn nothing_of_the_client_reaches_the_upstream_but_what_is_listed() {
        let client = map(&[
            (AUTHORIZATION, "Bearer x"),
            (COOKIE, "a=b"),
            (CONNECTION, "authorization, x-forwarded-for"),
            (HOST, "evil.example"),
            (HeaderName::from_static("x-forwarded-host"), "evil.example"),
            (HeaderName::from_static("x-original-url"), "/v2/other"),
            (RANGE, "bytes=0-1"),
            (USER_AGENT, "docker"),
        ]);
        let operation = Operation::parse("GET", "/v2/a/manifests/v1", None).unwrap();
        let mut sent: Vec<_> = to_upstream(&client, &operation, &issuer(), forwarded())
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        sent.sort();
        insta::assert_snapshot!(sent.join("\n"), @r"
        accept-encoding: identity
        accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, */*
        user-agent: docker
        via: 1.1 portcullis
        x-forwarded-for: 10.0.0.1
        x-forwarded-host: gate.example
        x-forwarded-proto: https
        x-request-id: r1
        ");
    }

    #[test]
    fn the_upstream_never_sees_a_form() {
        let client = map(&[(CONTENT_TYPE, "application/x-www-form-urlencoded")]);
        let operation = Operation::parse("POST", "/v2/a/blobs/uploads/", None).unwrap();
        let sent = to_upstream(&client, &operation, &issuer(), forwarded());
        assert_eq!(sent[CONTENT_TYPE], "application/octet-stream");
    }

    #[test]
    fn the_client_never_sees_where_the_upstream_is() {
        let upstream = map(&[
            (LOCATION, "http://10.0.0.9:5000/v2/a/blobs/uploads/1"),
            (SERVER, "nginx"),
            (http::header::WWW_AUTHENTICATE, "Basic realm=upstream"),
            (CONTENT_LENGTH, "5"),
        ]);
        let passed = to_client(&upstream);
        assert_eq!(passed.len(), 1);
        assert_eq!(passed[CONTENT_LENGTH], "5");
    }

    fn checked(head: http::request::Builder) -> Result<(), String> {
        let (head, ()) = head.body(()).unwrap().into_parts();
        well_formed(&head).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_request_names_one_host_and_a_path() {
        let get = |uri: &str| http::Request::get(uri).version(Version::HTTP_11);
        assert_eq!(checked(get("/v2/").header(HOST, "gate.example")), Ok(()));
        for wrong in [
            get("/v2/"),
            get("/v2/").header(HOST, "a").header(HOST, "a"),
            get("/v2/").header(HOST, "x/?"),
            get("/v2/").header(HOST, "a@b"),
            get("http://gate.example/v2/").header(HOST, "gate.example"),
            get("https://gate.example/v2/").version(Version::HTTP_2).header(HOST, "other"),
        ] {
            assert!(checked(wrong).is_err());
        }
        let h2 = get("https://gate.example/v2/").version(Version::HTTP_2);
        assert_eq!(checked(h2), Ok(()));
    }
}
