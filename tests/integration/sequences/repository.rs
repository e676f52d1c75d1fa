//! What one repository holds during an errand.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::recorded::{Sequence, Thing};
use super::replay::some_blob;
use crate::support::client::Client;
use crate::support::images::{
    Blob, EMPTY, Image, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, fallback_tag, index_of,
};

/// Content as it is found and as it grows.
#[derive(Default)]
pub(super) struct Repository {
    /// Different in each, so that blobs of one are not those of another.
    seed: String,
    tags: Vec<String>,
    /// At those tags: an image, or an index.
    top: Option<Blob>,
    /// With what each names.
    children: Vec<(Blob, Vec<Blob>)>,
    content: Vec<Blob>,
    /// Came during the errand.
    stored: Vec<Blob>,
    /// Of these, what no manifest names yet.
    loose: Vec<Blob>,
    /// Pushed by their digests, and in no index yet.
    pushed: Vec<Blob>,
    pub(super) begun: VecDeque<String>,
    pub(super) under_way: VecDeque<(String, Blob)>,
    /// Whoever saw the manifest of the tag asks for its children next.
    pub(super) has_seen_tag: bool,
    /// What comes next is about the image at the tag.
    pub(super) is_about: bool,
    plans: usize,
    reads: usize,
    blobs: usize,
    looks: usize,
}

impl Repository {
    /// What a repository must hold for a sequence to find what was found when it was recorded.
    pub(super) fn found(sequence: &Sequence, name: &str) -> Self {
        let (mut tags, mut blobs, mut looks, mut needs) = (Vec::new(), 0, 0, false);
        let mut has_stored = false;
        for request in &sequence.requests {
            let is_here = request.thing.repository() == Some(name);
            let is_there = request.status < 300;
            match &request.thing {
                Thing::Mount { from, .. } if from == name => blobs += 1,
                Thing::Mount { .. } | Thing::Finish(_) if is_here => has_stored = true,
                Thing::Tag(_, read) if is_here && is_there && request.method != "PUT" => {
                    tags.push(read.clone());
                }
                Thing::Manifest(_) if is_here && is_there && !has_stored => needs = true,
                Thing::Blob(_) if is_here && is_there && request.method == "GET" => blobs += 1,
                Thing::Blob(_) if is_here && is_there && !has_stored => looks += 1,
                Thing::Tags(_) if is_here && is_there => needs = true,
                _ => {}
            }
        }
        let mut found = Self { seed: format!("{}/{name}", sequence.name), ..Self::default() };
        if tags.is_empty() && blobs == 0 && looks == 0 && !needs {
            return found;
        }
        found.tags = tags;
        if found.tags.is_empty() {
            found.tags.push(if name.starts_with("w/") { "before" } else { "v1" }.to_owned());
        }
        let count = usize::max(blobs, looks).max(2);
        let piece = |n: usize| some_blob(&format!("{} piece {n}", found.seed));
        if name.contains("multi") {
            let children = (0..2).map(|child| {
                let blobs: Vec<_> = (0..3).map(|n| piece(child * 3 + n)).collect();
                (image(&blobs), blobs)
            });
            found.children = children.collect();
            found.content = found.children.iter().flat_map(|(_, blobs)| blobs.clone()).collect();
            found.top = Some(index_of(OCI_INDEX, found.children.iter().map(|(child, _)| child)));
        } else {
            found.content = (0..count).map(piece).collect();
            found.top = Some(image(&found.content));
        }
        found
    }

    /// Whether anything is there from the beginning.
    pub(super) fn is_found(&self) -> bool {
        self.top.is_some()
    }

    /// Pushes what is found.
    pub(super) fn push(&self, owner: &Client, place: &str) {
        self.content.iter().for_each(|blob| drop(owner.push_blob(place, blob).expect(201)));
        for (child, _) in &self.children {
            owner.put_manifest(place, &child.digest, child).expect(201);
        }
        for tag in &self.tags {
            owner.put_manifest(place, tag, self.top()).expect(201);
        }
    }

    /// Puts something beside it that is not for everybody.
    pub(super) fn hide(&self, registry: &Client, place: &str) {
        registry.push(place, "hidden", &Image::oci(&format!("{place} hidden")));
    }

    /// Whether the errand goes by what its caller was shown in an earlier one.
    pub(super) fn was_read_before(&self, sequence: &Sequence, name: &str) -> bool {
        let mut has_tag = false;
        // Of an index it is the children that lead to blobs.
        let mut missing = 1 + usize::from(!self.children.is_empty());
        for request in sequence.requests.iter().filter(|request| request.status < 300) {
            let is_here = request.thing.repository() == Some(name);
            let is_get = request.method == "GET";
            match &request.thing {
                Thing::Mount { from, .. } if from == name && missing > 0 => return true,
                Thing::Blob(_) if is_here && missing > 0 => return true,
                Thing::Manifest(_) if is_here && !has_tag => return true,
                Thing::Tag(..) | Thing::Manifest(_) if is_here => {
                    has_tag = true;
                    missing = missing.saturating_sub(usize::from(is_get));
                }
                _ => {}
            }
        }
        false
    }

    /// The caller reads it.
    pub(super) fn read(&self, caller: &Client, place: &str) {
        caller.get(&format!("/v2/{place}/manifests/{}", self.tags[0])).expect(200);
        for (child, _) in &self.children {
            caller.get(&format!("/v2/{place}/manifests/{}", child.digest)).expect(200);
        }
    }

    pub(super) fn top(&self) -> &Blob {
        self.top.as_ref().or(self.pushed.last()).expect("a manifest")
    }

    /// The manifest that is fetched by digest next: of an index its children, behind the index
    /// itself where only its digest is known.
    pub(super) fn next_read(&mut self) -> Blob {
        let children = self.children.iter().map(|(child, _)| child);
        let mut order: Vec<_> = children.collect();
        if !self.has_seen_tag || order.is_empty() {
            order.insert(0, self.top());
        }
        let next = order[self.reads % order.len()].clone();
        self.reads += 1;
        next
    }

    /// The blob that is fetched or mounted next.
    pub(super) fn next_blob(&mut self) -> Blob {
        self.blobs += 1;
        self.content[(self.blobs - 1) % self.content.len()].clone()
    }

    /// The blob whose being there is checked next.
    pub(super) fn next_stored(&mut self) -> Blob {
        let known = if self.stored.is_empty() { &self.content } else { &self.stored };
        self.looks += 1;
        known[(self.looks - 1) % known.len()].clone()
    }

    /// The blob that is uploaded next.
    pub(super) fn planned(&self) -> Blob {
        some_blob(&format!("{} upload {}", self.seed, self.plans))
    }

    pub(super) fn plan_on(&mut self) {
        self.plans += 1;
    }

    pub(super) fn store(&mut self, blob: Blob) {
        self.stored.push(blob.clone());
        self.loose.push(blob);
    }

    /// What is pushed next and where to: an image of what came; an index of the images that were
    /// pushed by digest; where somebody looked for it, something about the image at the tag.
    pub(super) fn next_manifest(&mut self, tag: Option<&str>) -> (String, Blob) {
        if self.is_about {
            let about = index_of(OCI_INDEX, self.pushed.iter());
            return (fallback_tag(&self.top().digest, ""), about);
        }
        let blobs = match std::mem::take(&mut self.loose) {
            none if none.is_empty() => self.stored.iter().chain(&self.content).cloned().collect(),
            some => some,
        };
        match tag {
            None => {
                let subject = self.seed.contains("attach").then(|| self.top().clone());
                let manifest = described(&blobs, subject.as_ref(), self.pushed.len());
                self.pushed.push(manifest.clone());
                (manifest.digest.clone(), manifest)
            }
            Some(tag) if !self.pushed.is_empty() || blobs.is_empty() => {
                (tag.to_owned(), index_of(OCI_INDEX, self.pushed.iter()))
            }
            Some(tag) => {
                let manifest = image(&blobs);
                self.top.get_or_insert_with(|| manifest.clone());
                (tag.to_owned(), manifest)
            }
        }
    }
}

fn image(blobs: &[Blob]) -> Blob {
    described(blobs, None, 0)
}

/// An image of these, or an artifact where it is about something.
fn described(blobs: &[Blob], subject: Option<&Blob>, number: usize) -> Blob {
    let [config_type, layer_type] = match subject {
        Some(_) => [EMPTY, "application/spdx+json"],
        None => [OCI_CONFIG, OCI_LAYER],
    };
    let part = |blob: &Blob, media_type: &str| json!({"mediaType": media_type, "digest": blob.digest, "size": blob.bytes.len()});
    let mut value = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": part(&blobs[0], config_type),
        "layers": blobs[1..].iter().map(|blob| part(blob, layer_type)).collect::<Vec<Value>>(),
        "annotations": {"org.example.number": number.to_string()},
    });
    if let Some(subject) = subject {
        value["subject"] = subject.descriptor();
    }
    Blob::json(OCI_MANIFEST, &value)
}
