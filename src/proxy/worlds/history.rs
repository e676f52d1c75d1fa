//! What happens in a world: behind the gate's back, and through it.

use std::sync::MutexGuard;

use oci::{Digest, Reference};

use super::content::{Library, Made};
use super::generate::{Accept, Act, Person, Step};
use super::reference::{Memory, pusher};
use super::registry::Registry;
use super::scene::{Answer, Ask, Scene};

/// A scene in which time passes.
pub(super) struct History<'s> {
    pub(super) scene: &'s mut Scene,
    pub(super) memory: Memory,
}

impl History<'_> {
    /// Does all steps, one after the other.
    pub(super) async fn live(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step).await;
            self.note();
        }
    }

    /// Keeps what is there now: the gate may look at any moment.
    pub(super) fn note(&mut self) {
        let registry = self.scene.registry.lock().unwrap();
        for (name, held) in &registry.repositories {
            let tags = held.tags.iter();
            let tags = tags.map(|(tag, digest)| (name.clone(), tag.clone(), digest.clone()));
            self.memory.was.extend(tags);
            let manifests = held.manifests.iter().map(|digest| (name.clone(), digest.clone()));
            self.memory.held.extend(manifests);
        }
    }

    async fn step(&mut self, Step { who, repository, what }: &Step) {
        let library = self.behind().library.clone();
        match what {
            Act::Push(name, tags) => {
                let Some(made) = library.named(*name) else { return };
                let tags: Vec<String> = tags.iter().filter_map(|tag| tag.text(&library)).collect();
                match who {
                    None => self.behind().put(repository, &made.digest, &tags),
                    Some(person) => self.push(person, repository, &library, made, &tags).await,
                }
            }
            Act::Untag(tag) => {
                let Some(tag) = tag.text(&library) else { return };
                if let Some(person) = who {
                    self.send(person, &delete(repository, &tag)).await;
                } else {
                    self.behind().untag(repository, &tag);
                }
            }
            Act::Delete(name) => {
                let Some(made) = library.named(*name) else { return };
                if self.is_needed(repository, &library, &made.digest) {
                    return;
                }
                if let Some(person) = who {
                    self.send(person, &delete(repository, &made.digest.to_string())).await;
                } else {
                    self.behind().delete(repository, &made.digest);
                }
            }
            // Whoever reads behind the gate's back changes nothing.
            Act::Look(tag, head, accept) => {
                let Some((tag, person)) = tag.text(&library).zip(who.as_ref()) else { return };
                let method = if *head { "HEAD" } else { "GET" };
                self.send(person, &manifest(method, repository, &tag, *accept)).await;
            }
        }
    }

    /// The registry behind the gate.
    fn behind(&self) -> MutexGuard<'_, Registry> {
        self.scene.registry.lock().unwrap()
    }

    /// What others name is not deleted: a registry that lacks parts of its images is broken.
    fn is_needed(&self, repository: &str, library: &Library, digest: &Digest) -> bool {
        let registry = self.behind();
        registry.held(repository).into_iter().flat_map(|held| &held.manifests).any(|other| {
            let other = &library.manifests[other];
            other.children.contains(digest) || other.subject.as_ref() == Some(digest)
        })
    }

    /// As clients push: blobs that are not there, children, then the manifest.
    async fn push(
        &mut self,
        person: &Person,
        repository: &str,
        library: &Library,
        made: &Made,
        tags: &[String],
    ) {
        for blob in &made.blobs {
            let is_there = {
                let registry = self.behind();
                registry.held(repository).is_some_and(|held| held.blobs.contains(blob))
            };
            if !is_there {
                let target = format!("/v2/{repository}/blobs/uploads/?digest={blob}");
                let body = library.blobs[blob].clone();
                let upload = Ask { method: "POST", target, body, ..Ask::default() };
                self.send(person, &upload).await;
            }
        }
        for child in &made.children {
            let child = &library.manifests[child];
            Box::pin(self.push(person, repository, library, child, &[])).await;
        }
        self.send(person, &put(repository, made, tags)).await;
    }

    /// Asks, and keeps what the gate must have learned by it.
    pub(super) async fn send(&mut self, person: &Person, ask: &Ask) -> Answer {
        let answer = self.scene.ask(person, ask).await;
        if answer.status < 300 {
            let principal = self.scene.principal(person).await;
            let whole = pusher(&principal);
            // Who shows a narrower token another time is the same; the other way round it is not.
            let pushers = [whole, principal.caller.subject.to_string()];
            self.memory.learn(&pushers, ask, &answer);
        }
        answer
    }
}

impl Memory {
    fn learn(&mut self, pushers: &[String], ask: &Ask, answer: &Answer) {
        let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        let path = path.trim_start_matches("/v2/");
        let named = answer.header("docker-content-digest").map(|text| Digest::new(text).unwrap());
        if let Some((name, reference)) = path.split_once("/manifests/") {
            let reference = Reference::new(reference).unwrap();
            let tags = query.split('&').filter_map(|pair| pair.strip_prefix("tag="));
            let mut tags: Vec<String> = tags.map(str::to_owned).collect();
            if let Reference::Tag(tag) = &reference {
                tags.push(tag.to_string());
            }
            if ask.method == "DELETE" {
                self.forget(name, &reference);
                return;
            }
            let Some(digest) = named else { return };
            for tag in tags {
                self.seen.insert((name.to_owned(), tag, digest.clone()));
            }
            if ask.method != "HEAD" {
                self.read.insert((name.to_owned(), digest.clone()));
            }
            if ask.method == "PUT" {
                self.pushed_by(pushers, name, &digest);
            }
        } else if let Some((name, _)) = path.split_once("/blobs/uploads/") {
            let digest = query.split('&').find_map(|pair| {
                pair.strip_prefix("digest=").or_else(|| pair.strip_prefix("mount="))
            });
            if let (201, Some(digest)) = (answer.status, digest) {
                self.pushed_by(pushers, name, &Digest::new(digest).unwrap());
            }
        }
    }

    fn pushed_by(&mut self, pushers: &[String], name: &str, digest: &Digest) {
        for pusher in pushers {
            self.pushed.insert((name.to_owned(), pusher.clone(), digest.clone()));
        }
    }

    /// What was deleted through the gate vouches for nothing, from that moment.
    fn forget(&mut self, name: &str, reference: &Reference) {
        for known in [&mut self.seen, &mut self.was] {
            known.retain(|(there, tag, digest)| {
                let deleted = match reference {
                    Reference::Tag(gone) => tag == gone.as_str(),
                    Reference::Digest(gone) => digest == gone,
                };
                there != name || !deleted
            });
        }
    }
}

pub(super) fn put(repository: &str, made: &Made, tags: &[String]) -> Ask {
    let digest = &made.digest;
    let reference = match tags {
        [tag] if matches!(digest, Digest::Sha256(_)) => tag.clone(),
        tags => {
            let tags: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
            let mark = if tags.is_empty() { "" } else { "?" };
            let mut tags = tags;
            tags.dedup();
            format!("{digest}{mark}{}", tags.join("&"))
        }
    };
    Ask {
        method: "PUT",
        target: format!("/v2/{repository}/manifests/{reference}"),
        headers: vec![("content-type", made.media_type.to_owned())],
        body: made.bytes.clone(),
    }
}

pub(super) fn delete(repository: &str, reference: &str) -> Ask {
    let target = format!("/v2/{repository}/manifests/{reference}");
    Ask { method: "DELETE", target, ..Ask::default() }
}

pub(super) fn manifest(
    method: &'static str,
    repository: &str,
    reference: &str,
    accept: Accept,
) -> Ask {
    let target = format!("/v2/{repository}/manifests/{reference}");
    let accept = accept.header().map(|accept| ("accept", accept.to_owned()));
    Ask { method, target, headers: accept.into_iter().collect(), body: Vec::new() }
}

impl Accept {
    pub(super) fn header(self) -> Option<&'static str> {
        match self {
            Self::Silent => None,
            Self::All => Some(crate::inventory::MANIFEST_TYPES),
            Self::DockerImage => Some(super::content::DOCKER_IMAGE),
            Self::OciIndex => Some(super::content::OCI_INDEX),
        }
    }
}
