//! From a raw request target to an [`Operation`].

use std::str::FromStr;

use crate::bad_request::{BadRequest, ParameterFault};
use crate::path::Resource;
use crate::query::{Parameter, Query};
use crate::session::is_sealed_text;
use crate::{
    Algorithm, Digest, InvalidReference, Mirrors, Operation, Page, Read, Reference, RepositoryName,
    SessionId, Tag, UploadStart,
};

/// The most tags that one PUT may set beside its digest.
const MAX_TAGS: usize = 100;

/// The longest `last` and `artifactType`, in bytes: as long as the longest repository name.
const MAX_TEXT: usize = 255;

/// The longest page size, in digits. What is longer is no number that anybody meant.
const MAX_DIGITS: usize = 32;

impl Operation {
    /// Reads a request: its method, and the path and query exactly as they stood in the request
    /// target, not decoded.
    ///
    /// The path may hold only what names, tags, digests and upload sessions are made of, so
    /// nothing in it can be percent-encoded, and dot segments and doubled slashes are refused. The
    /// query may hold only the parameters of the operation, each once.
    ///
    /// # Errors
    /// Says what to answer: 400, 404 or 405.
    pub fn parse(method: &str, path: &str, query: Option<&str>) -> Result<Self, BadRequest> {
        Self::parse_with(method, path, query, &Mirrors::NONE)
    }

    /// As [`Operation::parse`], and understands the parameter `ns` of clients that use the registry
    /// as a mirror: every repository of the request then lies below the prefix of that namespace.
    ///
    /// # Errors
    /// As [`Operation::parse`]; also where the namespace is not in `mirrors`.
    pub fn parse_with(
        method: &str,
        path: &str,
        query: Option<&str>,
        mirrors: &Mirrors,
    ) -> Result<Self, BadRequest> {
        let resource = Resource::read(path)?;
        let mut query = Query::read(query.unwrap_or_default())?;
        let names = match resource {
            // The catalogue is about no namespace in particular: `ns` has no meaning there.
            Resource::Catalog => Names { prefix: None },
            _ => Names::read(&mut query, mirrors)?,
        };
        let operation = operation(method, resource, &names, &mut query)?;
        query.finish()?;
        Ok(operation)
    }
}

/// Where the repositories of a request are.
struct Names<'a> {
    prefix: Option<&'a RepositoryName>,
}

impl<'a> Names<'a> {
    fn read(query: &mut Query, mirrors: &'a Mirrors) -> Result<Self, BadRequest> {
        let Some(namespace) = query.take(Parameter::Ns) else {
            return Ok(Self { prefix: None });
        };
        match mirrors.prefix(&namespace) {
            Some(prefix) => Ok(Self { prefix: Some(prefix) }),
            None => Err(Parameter::Ns.fault(ParameterFault::Namespace)),
        }
    }

    fn repository(&self, name: &str) -> Result<RepositoryName, crate::InvalidName> {
        match self.prefix {
            None => RepositoryName::new(name),
            Some(prefix) => RepositoryName::new(&format!("{prefix}/{name}")),
        }
    }
}

fn operation(
    method: &str,
    resource: Resource<'_>,
    names: &Names<'_>,
    query: &mut Query,
) -> Result<Operation, BadRequest> {
    match resource {
        Resource::Ping => Ok(Operation::Ping(read(method)?)),
        Resource::Catalog => Ok(Operation::Catalog { read: read(method)?, page: page(query)? }),
        Resource::Manifest { name, reference } => {
            manifest(method, names.repository(name)?, reference, query)
        }
        Resource::Blob { name, digest } => blob(method, names.repository(name)?, digest),
        Resource::Uploads { name } if method == "POST" => Ok(Operation::StartUpload {
            repository: names.repository(name)?,
            start: upload_start(names, query)?,
        }),
        Resource::Uploads { .. } => Err(BadRequest::MethodNotAllowed { allow: "POST" }),
        Resource::Upload { name, session } => {
            upload(method, names.repository(name)?, session, query)
        }
        Resource::Tags { name } => Ok(Operation::ListTags {
            read: read(method)?,
            repository: names.repository(name)?,
            page: page(query)?,
        }),
        Resource::Referrers { name, digest } => Ok(Operation::Referrers {
            read: read(method)?,
            repository: names.repository(name)?,
            digest: Digest::new(digest)?,
            artifact_type: artifact_type(query)?,
            cursor: cursor(query)?,
        }),
    }
}

/// The method of an address that can only be read.
fn read(method: &str) -> Result<Read, BadRequest> {
    match method {
        "GET" => Ok(Read::Get),
        "HEAD" => Ok(Read::Head),
        _ => Err(BadRequest::MethodNotAllowed { allow: "GET, HEAD" }),
    }
}

fn manifest(
    method: &str,
    repository: RepositoryName,
    reference: &str,
    query: &mut Query,
) -> Result<Operation, BadRequest> {
    let reference = Reference::new(reference);
    match method {
        "GET" | "HEAD" => match reference {
            Err(InvalidReference::Tag(error)) => Err(BadRequest::NoSuchTag(error)),
            reference => Ok(Operation::ReadManifest {
                read: read(method)?,
                repository,
                reference: reference?,
            }),
        },
        "PUT" => {
            let reference = reference?;
            let tags = tags(&reference, query)?;
            Ok(Operation::PutManifest { repository, reference, tags })
        }
        "DELETE" => Ok(Operation::DeleteManifest { repository, reference: reference? }),
        _ => Err(BadRequest::MethodNotAllowed { allow: "GET, HEAD, PUT, DELETE" }),
    }
}

fn tags(reference: &Reference, query: &mut Query) -> Result<Vec<Tag>, BadRequest> {
    let fault = |fault| Err(Parameter::Tag.fault(fault));
    let texts = query.take_all(Parameter::Tag);
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    if matches!(reference, Reference::Tag(_)) {
        return fault(ParameterFault::TagBesideTag);
    }
    if texts.len() > MAX_TAGS {
        return fault(ParameterFault::TooManyTags(MAX_TAGS));
    }
    let mut tags = Vec::with_capacity(texts.len());
    for text in texts {
        match Tag::new(&text) {
            Err(error) => return fault(ParameterFault::Tag(error)),
            Ok(tag) if tags.contains(&tag) => {
                return Err(BadRequest::RepeatedParameter { name: Parameter::Tag.as_str() });
            }
            Ok(tag) => tags.push(tag),
        }
    }
    Ok(tags)
}

fn blob(method: &str, repository: RepositoryName, digest: &str) -> Result<Operation, BadRequest> {
    let digest = Digest::new(digest);
    match method {
        "GET" | "HEAD" => {
            Ok(Operation::ReadBlob { read: read(method)?, repository, digest: digest? })
        }
        "DELETE" => Ok(Operation::DeleteBlob { repository, digest: digest? }),
        _ => Err(BadRequest::MethodNotAllowed { allow: "GET, HEAD, DELETE" }),
    }
}

/// Registries differ in what they do where two of these parameters come together (docker-registry
/// mounts and forgets the others), so every pair but `mount` and `from` is refused.
fn upload_start(names: &Names<'_>, query: &mut Query) -> Result<UploadStart, BadRequest> {
    let mount = value::<Digest>(query, Parameter::Mount, ParameterFault::Digest)?;
    let digest = value::<Digest>(query, Parameter::Digest, ParameterFault::Digest)?;
    let algorithm = value::<Algorithm>(query, Parameter::DigestAlgorithm, ParameterFault::Digest)?;
    let from = match query.take(Parameter::From) {
        None => None,
        Some(text) => match names.repository(&text) {
            Ok(name) => Some(name),
            Err(_) => return Err(Parameter::From.fault(ParameterFault::Name)),
        },
    };
    // crane tells here which registry the blob came from. It changes nothing.
    query.take(Parameter::Origin);
    match (mount, digest, algorithm) {
        (Some(digest), None, None) => Ok(UploadStart::Mount { digest, from }),
        (Some(_), Some(_), _) => Err(BadRequest::Contradiction("mount", "digest")),
        (Some(_), _, Some(_)) => Err(BadRequest::Contradiction("mount", "digest-algorithm")),
        (None, Some(_), Some(_)) => Err(BadRequest::Contradiction("digest", "digest-algorithm")),
        (None, ..) if from.is_some() => {
            Err(Parameter::From.fault(ParameterFault::Without(Parameter::Mount.as_str())))
        }
        (None, Some(digest), None) => Ok(UploadStart::Monolithic { digest }),
        (None, None, algorithm) => Ok(UploadStart::Session { algorithm }),
    }
}

fn upload(
    method: &str,
    repository: RepositoryName,
    session: &str,
    query: &mut Query,
) -> Result<Operation, BadRequest> {
    let session = SessionId::new(session);
    match method {
        "GET" => Ok(Operation::UploadStatus { repository, session: session? }),
        "PATCH" => Ok(Operation::UploadChunk { repository, session: session? }),
        "DELETE" => Ok(Operation::CancelUpload { repository, session: session? }),
        "PUT" => {
            let digest = value::<Digest>(query, Parameter::Digest, ParameterFault::Digest)?
                .ok_or(BadRequest::MissingParameter { name: Parameter::Digest.as_str() })?;
            Ok(Operation::FinishUpload { repository, session: session?, digest })
        }
        _ => Err(BadRequest::MethodNotAllowed { allow: "GET, PATCH, PUT, DELETE" }),
    }
}

/// A parameter of a type that reads itself.
fn value<T: FromStr>(
    query: &mut Query,
    parameter: Parameter,
    fault: fn(T::Err) -> ParameterFault,
) -> Result<Option<T>, BadRequest> {
    let value = query.take(parameter).map(|text| text.parse());
    value.transpose().map_err(|error| parameter.fault(fault(error)))
}

fn page(query: &mut Query) -> Result<Page, BadRequest> {
    Ok(Page { n: page_size(query)?, last: last(query)?, cursor: cursor(query)? })
}

/// A page size is a wish: what is larger than any list is cut to the largest number there is.
fn page_size(query: &mut Query) -> Result<Option<u32>, BadRequest> {
    let Some(text) = query.take(Parameter::N) else {
        return Ok(None);
    };
    let is_number =
        (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(Parameter::N.fault(ParameterFault::Number));
    }
    Ok(Some(text.parse().unwrap_or(u32::MAX)))
}

/// Nothing sorts before the empty text, so it says no more than its absence.
fn last(query: &mut Query) -> Result<Option<String>, BadRequest> {
    let text = query.take(Parameter::Last).filter(|text| !text.is_empty());
    let is_fit = |text: &String| text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
    fitting(Parameter::Last, text, is_fit, ParameterFault::Text)
}

fn artifact_type(query: &mut Query) -> Result<Option<String>, BadRequest> {
    let text = query.take(Parameter::ArtifactType);
    let is_fit = |text: &String| {
        (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
    };
    fitting(Parameter::ArtifactType, text, is_fit, ParameterFault::Text)
}

fn cursor(query: &mut Query) -> Result<Option<String>, BadRequest> {
    let text = query.take(Parameter::Cursor);
    fitting(Parameter::Cursor, text, |text| is_sealed_text(text), ParameterFault::Cursor)
}

/// An optional text, checked.
fn fitting(
    parameter: Parameter,
    text: Option<String>,
    is_fit: impl Fn(&String) -> bool,
    fault: ParameterFault,
) -> Result<Option<String>, BadRequest> {
    if text.as_ref().is_none_or(is_fit) { Ok(text) } else { Err(parameter.fault(fault)) }
}
