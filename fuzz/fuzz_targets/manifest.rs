//! Any bytes as a manifest: refused, or understood as every other reader of JSON does.
//!
//! A first line that does not begin with `{` is the `Content-Type`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::{Descriptor, Kind, Manifest};
use serde::de::IgnoredAny;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let line = bytes.iter().position(|&byte| byte == b'\n');
    let (header, body) = match line {
        Some(end) if bytes[0] != b'{' => (Some(&bytes[..end]), &bytes[end + 1..]),
        _ => (None, bytes),
    };
    let content_type = header.map(String::from_utf8_lossy);
    let with_header = Manifest::parse(body, content_type.as_deref());
    let without = Manifest::parse(body, None);
    for error in [&with_header, &without].into_iter().filter_map(|read| read.as_ref().err()) {
        assert!(!error.to_string().is_empty());
    }
    if let (Ok(one), Ok(other)) = (&with_header, &without) {
        // A header may name Docker's type where the body names none, and changes nothing else.
        assert_eq!(&Manifest { media_type: one.media_type, ..other.clone() }, one);
        assert_eq!(one.kind(), other.kind());
    }
    for manifest in [with_header, without].into_iter().flatten() {
        is_what_others_read(&manifest, body);
    }
});

fn is_what_others_read(manifest: &Manifest, body: &[u8]) {
    let text = std::str::from_utf8(body).expect("what is accepted is text");
    serde_json::from_str::<IgnoredAny>(text).expect("what is accepted is JSON");
    match manifest.kind() {
        Kind::Image => assert!(manifest.config.is_some() && manifest.children.is_empty()),
        Kind::Index => assert!(manifest.config.is_none() && manifest.layers.is_empty()),
    }
    assert!(manifest.kind() == Kind::Image || !manifest.is_artifact_by_content());
    let parts = manifest.layers.len() + manifest.children.len();
    assert_eq!(manifest.references().count(), parts + usize::from(manifest.config.is_some()));
    // This reader refuses some numbers and escapes also where they say nothing about an image.
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    one(manifest.config.as_ref(), &value["config"]);
    one(manifest.subject.as_ref(), &value["subject"]);
    list(&manifest.layers, &value["layers"]);
    list(&manifest.children, &value["manifests"]);
    assert_eq!(manifest.artifact_type.as_deref(), value["artifactType"].as_str());
}

fn one(read: Option<&Descriptor>, written: &Value) {
    assert_eq!(read.is_none(), written.is_null());
    if let Some(read) = read {
        assert_eq!(written["digest"].as_str(), Some(read.digest.to_string().as_str()));
        assert_eq!(written["mediaType"].as_str(), Some(read.media_type.as_str()));
        assert_eq!(written["size"].as_u64(), Some(read.size));
    }
}

fn list(read: &[Descriptor], written: &Value) {
    let written = written.as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(read.len(), written.len());
    for (read, written) in read.iter().zip(written) {
        one(Some(read), written);
    }
}
