//! How clients write an operation: not always as we do.

use oci::{Operation, Page, UploadStart};
use proptest::prelude::*;

/// What clients do differently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Encodes no more than it must, and a space as `+`.
    plain: bool,
    /// Another order of the parameters.
    reversed: bool,
    /// No slash after `uploads`, none after `/v2`.
    bare: bool,
    /// Parameters that say nothing.
    chatty: bool,
}

pub(crate) fn style() -> BoxedStrategy<Style> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    flags
        .prop_map(|(plain, reversed, bare, chatty)| Style { plain, reversed, bare, chatty })
        .boxed()
}

/// The target of an operation as some client could write it.
pub(crate) fn spelled(operation: &Operation, style: Style) -> String {
    let name = operation.repository().map_or("", |name| name.as_str());
    let slash = if style.bare { "" } else { "/" };
    let (path, mut parameters) = match operation {
        Operation::Ping(_) => (format!("/v2{slash}"), vec![]),
        Operation::Catalog { page, .. } => ("/v2/_catalog".to_owned(), paging(page)),
        Operation::ListTags { page, .. } => (format!("/v2/{name}/tags/list"), paging(page)),
        Operation::ReadManifest { reference, .. } | Operation::DeleteManifest { reference, .. } => {
            (format!("/v2/{name}/manifests/{reference}"), vec![])
        }
        Operation::PutManifest { reference, tags, .. } => {
            let tags = tags.iter().map(|tag| ("tag", tag.to_string())).collect();
            (format!("/v2/{name}/manifests/{reference}"), tags)
        }
        Operation::ReadBlob { digest, .. } | Operation::DeleteBlob { digest, .. } => {
            (format!("/v2/{name}/blobs/{digest}"), vec![])
        }
        Operation::StartUpload { start, .. } => {
            (format!("/v2/{name}/blobs/uploads{slash}"), beginning(start, style))
        }
        Operation::UploadStatus { session, .. }
        | Operation::UploadChunk { session, .. }
        | Operation::CancelUpload { session, .. } => {
            (format!("/v2/{name}/blobs/uploads/{}", session.as_str()), vec![])
        }
        Operation::FinishUpload { session, digest, .. } => {
            let path = format!("/v2/{name}/blobs/uploads/{}", session.as_str());
            (path, vec![("digest", digest.to_string())])
        }
        Operation::Referrers { digest, artifact_type, cursor, .. } => {
            let artifact_type = artifact_type.clone().map(|text| ("artifactType", text));
            let cursor = cursor.clone().map(|text| ("cursor", text));
            (
                format!("/v2/{name}/referrers/{digest}"),
                artifact_type.into_iter().chain(cursor).collect(),
            )
        }
    };
    // The order of tags is the order in which they are set.
    if style.reversed && !matches!(operation, Operation::PutManifest { .. }) {
        parameters.reverse();
    }
    let pairs: Vec<_> =
        parameters.iter().map(|(key, value)| format!("{key}={}", encoded(value, style))).collect();
    let query = pairs.join("&");
    let question = if query.is_empty() && !style.chatty { "" } else { "?" };
    format!("{path}{question}{query}")
}

fn paging(page: &Page) -> Vec<(&'static str, String)> {
    let parameters = [
        ("n", page.n.map(|n| n.to_string())),
        ("last", page.last.clone()),
        ("cursor", page.cursor.clone()),
    ];
    parameters.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn beginning(start: &UploadStart, style: Style) -> Vec<(&'static str, String)> {
    let origin = style.chatty.then(|| ("origin", "https://registry:5000".to_owned()));
    let parameters = match start {
        UploadStart::Session { algorithm } => {
            algorithm.map(|a| ("digest-algorithm", a.as_str().to_owned())).into_iter().collect()
        }
        UploadStart::Monolithic { digest } => vec![("digest", digest.to_string())],
        UploadStart::Mount { digest, from } => {
            let from = from.as_ref().map(|name| ("from", name.to_string()));
            [("mount", digest.to_string())].into_iter().chain(from).collect()
        }
    };
    parameters.into_iter().chain(origin).collect()
}

fn encoded(text: &str, style: Style) -> String {
    let code = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        b' ' if style.plain => "+".to_owned(),
        b':' | b'/' | b'?' | b'@' | b'=' | b'~' if style.plain => char::from(byte).to_string(),
        _ if style.plain => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(code).collect()
}
