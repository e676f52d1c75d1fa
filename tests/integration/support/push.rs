//! Putting content into a registry, and seeing which tags it has.

use serde_json::json;

use super::client::{Answer, Ask, Client};
use super::images::{Blob, Image, Index, OCI_INDEX, fallback_tag};

impl Client {
    /// Begins an upload and gives its location as the server named it.
    pub(crate) fn begin_upload(&self, repository: &str) -> String {
        let answer =
            self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), &Ask::default());
        answer.expect(202).header("location").unwrap().to_owned()
    }

    /// POST, PATCH, PUT.
    pub(crate) fn push_blob(&self, repository: &str, blob: &Blob) -> Answer {
        let location = self.begin_upload(repository);
        let target = self.target_of(&location);
        let chunk = Ask::body("application/octet-stream", &blob.bytes);
        let answer = self.send("PATCH", &target, &chunk);
        if answer.status != 202 {
            return answer;
        }
        let target = self.target_of(answer.header("location").unwrap());
        let join = if target.contains('?') { '&' } else { '?' };
        self.send("PUT", &format!("{target}{join}digest={}", blob.digest), &Ask::default())
    }

    pub(crate) fn put_manifest(&self, repository: &str, reference: &str, blob: &Blob) -> Answer {
        let target = format!("/v2/{repository}/manifests/{reference}");
        self.send("PUT", &target, &Ask::body(&blob.media_type, &blob.bytes))
    }

    /// All of an image, then its manifest.
    pub(crate) fn push(&self, repository: &str, reference: &str, image: &Image) {
        image.blobs().for_each(|blob| drop(self.push_blob(repository, blob).expect(201)));
        self.put_manifest(repository, reference, &image.manifest).expect(201);
    }

    /// An artifact about an image, and the index that clients keep where a registry lists no
    /// referrers.
    pub(crate) fn attach(&self, repository: &str, kind: &str, artifact: &Image, image: &Image) {
        self.push(repository, artifact.digest(), artifact);
        let mut entry = artifact.manifest.descriptor();
        entry["artifactType"] = json!(kind);
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]});
        let tag = fallback_tag(image.digest(), "");
        self.put_manifest(repository, &tag, &Blob::json(OCI_INDEX, &index)).expect(201);
    }

    /// All images by their digests, then the index.
    pub(crate) fn push_index(&self, repository: &str, reference: &str, index: &Index) {
        for image in &index.images {
            self.push(repository, image.digest(), image);
        }
        self.put_manifest(repository, reference, &index.manifest).expect(201);
    }

    /// The tags that this client sees.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let answer = self.get(&format!("/v2/{repository}/tags/list")).expect(200).json();
        serde_json::from_value(answer["tags"].clone()).unwrap()
    }
}
