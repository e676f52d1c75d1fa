//! A registry in memory, after the distribution specification: what stands behind the gate, and the
//! truth that the reference goes by.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use super::content::{DOCKER_IMAGE, DOCKER_LIST, Library, Made};
use crate::content::digest;
use crate::inventory::MANIFEST_TYPES;
use crate::upstream::fake::{Asked, Reply};

/// How registries differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manners {
    /// It has the referrers API; and of what is asked for by type, it sends that alone.
    pub(super) referrers: bool,
    pub(super) filters: bool,
    /// The most entries of a page of a list; none: tags come whole, whatever `n` says.
    pub(super) page: Option<usize>,
    /// Lists are in no order.
    pub(super) unsorted: bool,
    /// As docker-registry: what the client does not accept is converted, or not there.
    pub(super) converts: bool,
    /// As docker-registry 2.8: of a blob that is asked for as a manifest it gives the bytes if they
    /// are one, and fails if they are none.
    pub(super) mixes: bool,
}

/// What one repository has.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) blobs: BTreeSet<Digest>,
    pub(super) manifests: BTreeSet<Digest>,
    pub(super) tags: BTreeMap<String, Digest>,
}

#[derive(Debug, Clone)]
pub(super) struct Registry {
    pub(super) library: Library,
    pub(super) manners: Manners,
    pub(super) repositories: BTreeMap<String, Held>,
    /// Mounts are answered and not done, so that asking changes nothing.
    pub(super) frozen: bool,
    pub(super) requests: usize,
}

/// An answer of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Said {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    fn json(body: &Value) -> Self {
        Self::new(200, body.to_string()).with("content-type", "application/json")
    }

    /// In words that the gate does not use.
    fn absent(what: &str) -> Self {
        Self::new(404, json!({"errors": [{"code": what, "message": "it is not here"}]}).to_string())
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl From<Said> for Reply {
    fn from(said: Said) -> Self {
        let reply = Self::new(said.status, said.body);
        said.headers.iter().fold(reply, |reply, (name, value)| reply.with(name, value))
    }
}

/// One request, taken apart.
struct Request<'a> {
    asked: &'a Asked,
    query: BTreeMap<&'a str, String>,
    tags: Vec<String>,
}

impl Request<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.asked.headers.get(name).map(String::as_str)
    }

    fn accepts(&self, media_type: &str) -> bool {
        let accept = self.header("accept").unwrap_or(MANIFEST_TYPES);
        accept.split(',').any(|one| one.trim() == media_type)
    }

    fn is_fresh(&self, etag: &str) -> bool {
        self.header("if-none-match") == Some(etag)
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.query.get(name).and_then(|text| text.parse().ok())
    }
}

impl Registry {
    pub(super) fn new(library: Library, manners: Manners) -> Self {
        Self { library, manners, repositories: BTreeMap::new(), frozen: false, requests: 0 }
    }

    pub(super) fn held(&self, repository: &str) -> Option<&Held> {
        self.repositories.get(repository)
    }

    /// Puts a manifest with all that it names into a repository, and sets tags.
    pub(super) fn put(&mut self, repository: &str, manifest: &Digest, tags: &[String]) {
        let Some(made) = self.library.manifests.get(manifest).cloned() else { return };
        for child in &made.children {
            self.put(repository, child, &[]);
        }
        let held = self.repositories.entry(repository.to_owned()).or_default();
        held.blobs.extend(made.blobs);
        held.manifests.insert(manifest.clone());
        held.tags.extend(tags.iter().map(|tag| (tag.clone(), manifest.clone())));
    }

    pub(super) fn untag(&mut self, repository: &str, tag: &str) -> bool {
        let held = self.repositories.get_mut(repository);
        held.is_some_and(|held| held.tags.remove(tag).is_some())
    }

    /// Removes a manifest and every tag on it.
    pub(super) fn delete(&mut self, repository: &str, manifest: &Digest) -> bool {
        let Some(held) = self.repositories.get_mut(repository) else { return false };
        held.tags.retain(|_, digest| digest != manifest);
        held.manifests.remove(manifest)
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Said {
        self.requests += 1;
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let pairs: Vec<(&str, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, decoded(value)))
            .collect();
        let tags = pairs.iter().filter(|(name, _)| *name == "tag").map(|(_, tag)| tag.clone());
        let request =
            Request { asked, tags: tags.collect(), query: pairs.iter().cloned().collect() };
        let Some(path) = path.strip_prefix("/v2/") else { return Said::absent("PATH") };
        if path == "_catalog" {
            return self.catalog(&request);
        }
        for part in ["/manifests/", "/blobs/uploads/", "/blobs/", "/tags/list", "/referrers/"] {
            if let Some((name, rest)) = path.split_once(part) {
                return match part {
                    "/manifests/" => self.manifests(&request, name, rest),
                    "/blobs/uploads/" => self.uploads(&request, name, rest),
                    "/blobs/" => self.blobs(&request, name, rest),
                    "/tags/list" => self.tags(&request, name),
                    _ => self.referrers(&request, name, rest),
                };
            }
        }
        Said::absent("PATH")
    }

    fn manifests(&mut self, request: &Request<'_>, name: &str, reference: &str) -> Said {
        let by_digest = Digest::new(reference).ok();
        match request.asked.method.as_str() {
            "GET" | "HEAD" => self.manifest(request, name, reference, by_digest),
            "PUT" => {
                let algorithm = by_digest.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
                let stored = digest(algorithm, &request.asked.body);
                if !self.library.manifests.contains_key(&stored) {
                    return Said::new(400, "nobody made this");
                }
                let held = self.repositories.entry(name.to_owned()).or_default();
                held.manifests.insert(stored.clone());
                let tag = by_digest.is_none().then(|| reference.to_owned());
                for tag in tag.iter().chain(&request.tags) {
                    held.tags.insert(tag.clone(), stored.clone());
                }
                let said = Said::new(201, "")
                    .with("location", format!("/v2/{name}/manifests/{stored}"))
                    .with("docker-content-digest", stored.to_string());
                request.tags.iter().fold(said, |said, tag| said.with("oci-tag", tag.clone()))
            }
            _ => match by_digest {
                Some(digest) if self.delete(name, &digest) => Said::new(202, ""),
                None if self.untag(name, reference) => Said::new(202, ""),
                _ => Said::absent("MANIFEST_UNKNOWN"),
            },
        }
    }

    fn manifest(
        &self,
        request: &Request<'_>,
        name: &str,
        reference: &str,
        by_digest: Option<Digest>,
    ) -> Said {
        let absent = || Said::absent("MANIFEST_UNKNOWN");
        let Some(held) = self.held(name) else { return absent() };
        let is_tag = by_digest.is_none();
        let digest = by_digest.or_else(|| held.tags.get(reference).cloned());
        let is_blob = |digest: &Digest| self.manners.mixes && held.blobs.contains(digest);
        if let Some(digest) = digest.as_ref().filter(|digest| is_blob(digest))
            && !self.library.manifests.contains_key(digest)
        {
            return Said::new(500, json!({"errors": [{"code": "UNKNOWN"}]}).to_string());
        }
        let is_here = |digest: &Digest| held.manifests.contains(digest) || is_blob(digest);
        let Some(digest) = digest.filter(is_here) else { return absent() };
        let mut made = &self.library.manifests[&digest];
        if self.manners.converts && !request.accepts(made.media_type) {
            let child = made.children.iter().map(|child| &self.library.manifests[child]);
            let plain = |child: &&Made| child.media_type == DOCKER_IMAGE;
            match (is_tag, made.media_type, child.clone().find(plain)) {
                (true, DOCKER_LIST, Some(child)) if is_here(&child.digest) => made = child,
                // It hands out by digest what it would convert by tag.
                (false, DOCKER_LIST | DOCKER_IMAGE, _) => {}
                _ => return absent(),
            }
        }
        let etag = format!("\"{}\"", made.digest);
        let said = if request.is_fresh(&etag) {
            Said::new(304, "")
        } else {
            Said::new(200, made.bytes.clone()).with("content-type", made.media_type)
        };
        said.with("docker-content-digest", made.digest.to_string()).with("etag", etag)
    }

    fn blobs(&mut self, request: &Request<'_>, name: &str, digest: &str) -> Said {
        let absent = || Said::absent("BLOB_UNKNOWN");
        let Ok(digest) = Digest::new(digest) else { return absent() };
        let Some(held) = self.repositories.get_mut(name) else { return absent() };
        if !held.blobs.contains(&digest) {
            return absent();
        }
        if request.asked.method == "DELETE" {
            held.blobs.remove(&digest);
            return Said::new(202, "");
        }
        let bytes = &self.library.blobs[&digest];
        let etag = format!("\"{digest}\"");
        let said = match request.header("range") {
            _ if request.is_fresh(&etag) => Said::new(304, ""),
            Some("bytes=2-5") => Said::new(206, &bytes[2..6])
                .with("content-range", format!("bytes 2-5/{}", bytes.len())),
            _ => Said::new(200, bytes.clone()),
        };
        said.with("content-type", "application/octet-stream")
            .with("docker-content-digest", digest.to_string())
            .with("etag", etag)
    }

    fn uploads(&mut self, request: &Request<'_>, name: &str, session: &str) -> Said {
        if request.asked.method == "POST" {
            if let (Some(digest), Some(from)) =
                (request.query.get("mount"), request.query.get("from"))
                && let Ok(digest) = Digest::new(digest)
                && self.held(from).is_some_and(|held| held.blobs.contains(&digest))
            {
                if !self.frozen {
                    let held = self.repositories.entry(name.to_owned()).or_default();
                    held.blobs.insert(digest.clone());
                }
                return Said::new(201, "").with("location", format!("/v2/{name}/blobs/{digest}"));
            }
            if !request.query.contains_key("digest") {
                let session = format!("/v2/{name}/blobs/uploads/{}", self.requests);
                return Said::new(202, "").with("location", session).with("range", "0-0");
            }
        } else if request.asked.method != "PUT" {
            let session = format!("/v2/{name}/blobs/uploads/{session}");
            return Said::new(202, "").with("location", session).with("range", "0-0");
        }
        let bytes = &request.asked.body;
        match request.query.get("digest").map(|text| Digest::new(text)) {
            Some(Ok(named)) if named == digest(named.algorithm(), bytes) => {
                self.library.blobs.insert(named.clone(), bytes.clone());
                let held = self.repositories.entry(name.to_owned()).or_default();
                held.blobs.insert(named.clone());
                Said::new(201, "").with("location", format!("/v2/{name}/blobs/{named}"))
            }
            _ => Said::new(400, "another digest"),
        }
    }

    fn tags(&self, request: &Request<'_>, name: &str) -> Said {
        let Some(held) = self.held(name) else { return Said::absent("NAME_UNKNOWN") };
        let tags = held.tags.keys().cloned().collect();
        let (tags, next) = self.page(request, tags, self.manners.page);
        let tags = if held.tags.is_empty() { Value::Null } else { json!(tags) };
        linked(&json!({ "name": name, "tags": tags }), &format!("/v2/{name}/tags/list"), next)
    }

    fn catalog(&self, request: &Request<'_>) -> Said {
        let names = self.repositories.keys().cloned().collect();
        let (names, next) = self.page(request, names, self.manners.page.or(Some(100)));
        linked(&json!({ "repositories": names }), "/v2/_catalog", next)
    }

    /// A page of these, and the name after which the next one begins.
    fn page(
        &self,
        request: &Request<'_>,
        mut names: Vec<String>,
        most: Option<usize>,
    ) -> (Vec<String>, Option<String>) {
        if self.manners.unsorted {
            names.sort_by_key(|name| digest(Algorithm::Sha256, name.as_bytes()));
        }
        let Some(most) = most else { return (names, None) };
        if let Some(last) = request.query.get("last") {
            match names.iter().position(|name| name == last) {
                Some(at) => names = names.split_off(at + 1),
                None if self.manners.unsorted => {}
                None => names.retain(|name| name > last),
            }
        }
        let room = request.number("n").unwrap_or(most).clamp(1, most);
        let next = (names.len() > room).then(|| names[room - 1].clone());
        names.truncate(room);
        (names, next)
    }

    fn referrers(&self, request: &Request<'_>, name: &str, subject: &str) -> Said {
        if !self.manners.referrers {
            return Said::absent("PATH");
        }
        let mut found = Vec::new();
        if let (Some(held), Ok(subject)) = (self.held(name), Digest::new(subject)) {
            let all = held.manifests.iter().map(|digest| &self.library.manifests[digest]);
            found.extend(all.filter(|made| made.subject.as_ref() == Some(&subject)));
        }
        let wanted = request.query.get("artifactType").filter(|_| self.manners.filters);
        if let Some(wanted) = wanted {
            found.retain(|made| made.artifact_type == Some(wanted));
        }
        let found: Vec<Value> = found.into_iter().map(Made::descriptor).collect();
        let index = json!({
            "schemaVersion": 2, "mediaType": super::content::OCI_INDEX, "manifests": found,
        });
        let said = Said::new(200, index.to_string());
        let said = said.with("content-type", super::content::OCI_INDEX);
        match wanted {
            Some(_) => said.with("oci-filters-applied", "artifactType"),
            None => said,
        }
    }
}

fn linked(body: &Value, path: &str, next: Option<String>) -> Said {
    let said = Said::json(body);
    match next {
        Some(last) => {
            said.with("link", format!("<{path}?last={}>; rel=\"next\"", last.replace('/', "%2F")))
        }
        None => said,
    }
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    ["%2F", "%2f"].iter().fold(text, |text, code| text.replace(code, "/")).replace("%3A", ":")
}
