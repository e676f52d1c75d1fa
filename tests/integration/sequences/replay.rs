//! Sends what was recorded, with content of our own.

use std::collections::{HashMap, VecDeque};

use super::body::send_in_chunks;
use super::recorded::{Request, Sequence, Thing};
use super::repository::Repository;
use crate::support::client::{Answer, Ask, Client};
use crate::support::images::{Blob, fallback_tag, sha256};

const OCTETS: &str = "application/octet-stream";

/// One caller on one errand.
pub(super) struct Replay<'a> {
    sequence: &'a Sequence,
    /// Before the name of each repository, so that errands do not meet.
    prefix: String,
    repositories: HashMap<String, Repository>,
}

impl<'a> Replay<'a> {
    /// Makes what the errand finds: straight at the registry what others pushed, through the gate
    /// what the caller itself did before.
    pub(super) fn prepare(
        sequence: &'a Sequence,
        prefix: String,
        registry: &Client,
        caller: &Client,
    ) -> Self {
        let mut repositories = HashMap::new();
        for name in sequence.repositories() {
            let found = Repository::found(sequence, name);
            let place = format!("{prefix}/{name}");
            if found.is_found() {
                let owner = if name.starts_with("w/") { caller } else { registry };
                found.push(owner, &place);
                found.hide(registry, &place);
                if found.was_read_before(sequence, name) {
                    found.read(caller, &place);
                }
            }
            repositories.insert(name.to_owned(), found);
        }
        Self { sequence, prefix, repositories }
    }

    pub(super) fn requests(&self) -> &'a [Request] {
        &self.sequence.requests
    }

    /// Sends it as it was recorded; `anybody` has no token.
    pub(super) fn send(&mut self, request: &Request, caller: &Client, anybody: &Client) -> Answer {
        let client = if request.is_signed && request.status != 401 { caller } else { anybody };
        let method = request.method.as_str();
        let plain = |target: &str| client.send(method, target, &Ask::default());
        let Some(name) = request.thing.repository() else {
            return plain(if request.thing == Thing::Ping { "/v2/" } else { "/v2/_catalog" });
        };
        let place = format!("/v2/{}/{name}", self.prefix);
        let is_there = request.status < 300;
        if let Thing::Mount { from, .. } = &request.thing {
            let source = self.repositories.get_mut(from).expect("a source");
            let blob = source.next_blob();
            let target =
                format!("{place}/blobs/uploads/?mount={}&from={}/{from}", blob.digest, self.prefix);
            let answer = plain(&target);
            if answer.status == 201 {
                self.repositories.get_mut(name).expect("a target").store(blob);
            }
            return answer;
        }
        let repository = self.repositories.get_mut(name).expect("a repository");
        match &request.thing {
            Thing::Tags(_) => plain(&format!("{place}/tags/list")),
            Thing::Referrers(_) => plain(&format!("{place}/referrers/{}", repository.top().digest)),
            Thing::Tag(..) | Thing::Manifest(_) if method == "PUT" => {
                let (reference, manifest) = repository.next_manifest(request.thing.tag());
                let ask = Ask::body(&manifest.media_type, &manifest.bytes);
                client.send("PUT", &format!("{place}/manifests/{reference}"), &ask)
            }
            Thing::Tag(_, tag) => {
                repository.has_seen_tag |= method == "GET";
                plain(&format!("{place}/manifests/{tag}"))
            }
            Thing::Manifest(_) => {
                let reference = match (method, is_there) {
                    ("GET", true) => repository.next_read().digest,
                    (_, true) => repository.top().digest.clone(),
                    // Older clients look for what is about an image under a tag.
                    ("GET", false) => {
                        repository.is_about = true;
                        fallback_tag(&repository.top().digest, "")
                    }
                    (_, false) => sha256(place.as_bytes()),
                };
                plain(&format!("{place}/manifests/{reference}"))
            }
            Thing::Blob(_) => {
                let digest = match (method, is_there) {
                    ("HEAD", true) => repository.next_stored().digest,
                    (_, true) => repository.next_blob().digest,
                    (_, false) => repository.planned().digest,
                };
                plain(&format!("{place}/blobs/{digest}"))
            }
            Thing::Uploads(_) => {
                let answer = plain(&format!("{place}/blobs/uploads/"));
                if let (202, Some(location)) = (answer.status, answer.header("location")) {
                    repository.begun.push_back(client.target_of(location));
                }
                answer
            }
            Thing::Upload(_) => {
                let (target, blob) = (next(&mut repository.begun), repository.planned());
                let answer = if request.is_chunked {
                    send_in_chunks(client, method, &target, &blob.bytes)
                } else {
                    client.send(method, &target, &Ask::body(OCTETS, &blob.bytes))
                };
                let location = client.target_of(answer.header("location").unwrap_or(&target));
                repository.under_way.push_back((location, blob.clone()));
                repository.plan_on();
                answer
            }
            Thing::Finish(_) => {
                let (target, blob, bytes) = match repository.under_way.pop_front() {
                    Some((target, blob)) => (target, blob, Vec::new()),
                    None => {
                        let blob = repository.planned();
                        repository.plan_on();
                        (next(&mut repository.begun), blob.clone(), blob.bytes)
                    }
                };
                let mark = if target.contains('?') { '&' } else { '?' };
                let target = format!("{target}{mark}digest={}", blob.digest);
                let answer = client.send("PUT", &target, &Ask::body(OCTETS, &bytes));
                repository.store(blob);
                answer
            }
            Thing::Ping | Thing::Catalog | Thing::Mount { .. } => unreachable!("handled above"),
        }
    }
}

fn next(begun: &mut VecDeque<String>) -> String {
    begun.pop_front().expect("an upload that was begun")
}

/// Some content that nothing else is.
pub(super) fn some_blob(seed: &str) -> Blob {
    Blob::new(OCTETS, seed.repeat(20).into_bytes())
}
