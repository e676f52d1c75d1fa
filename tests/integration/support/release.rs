//! What people and scanners say of images, for the gates of a policy.

use serde_json::{Value, json};

use super::client::{Answer, Ask, Client};
use super::images::{Image, OCI_MANIFEST};
use super::scene::Scene;

/// A request with a document to the gate's own API.
pub(crate) fn api(client: &Client, method: &str, target: &str, body: &Value) -> Answer {
    client.send(method, target, &Ask::body("application/json", body.to_string().as_bytes()))
}

/// `REPOSITORY@DIGEST` of an image.
pub(crate) fn at(repository: &str, image: &Image) -> String {
    format!("{repository}@{}", image.digest())
}

#[track_caller]
pub(crate) fn flag(scene: &Scene, who: &str, image: &str, name: &str) {
    let target = format!("/api/v1/image/flags?ref={image}");
    let answer = api(&scene.gate.basic(who), "POST", &target, &json!({"flag": name}));
    assert!([200, 201].contains(&answer.status), "{}", answer.text());
}

pub(crate) fn report(scene: &Scene, who: &str, image: &str, report: &Value) -> Answer {
    let target = format!("/api/v1/image/report?ref={image}");
    api(&scene.gate.basic(who), "PUT", &target, report)
}

/// What Trivy says of an image, with these findings.
pub(crate) fn trivy(image: &Image, created: &str, findings: &[(&str, &str, &str)]) -> Value {
    let vulnerabilities = findings.iter().map(|(id, severity, fixed)| {
        json!({
            "VulnerabilityID": id, "PkgName": "zlib1g", "InstalledVersion": "1:1.2.11",
            "FixedVersion": fixed, "Severity": severity, "Status": "fixed",
            "PkgIdentifier": {"PURL": "pkg:deb/debian/zlib1g@1.2.11?arch=amd64"},
        })
    });
    json!({
        "SchemaVersion": 2, "CreatedAt": created, "ArtifactName": "prod/api",
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "debian", "Name": "12.5"}, "ImageID": image.config.digest,
        },
        "Results": [{
            "Target": "prod/api (debian 12.5)", "Class": "os-pkgs", "Type": "debian",
            "Packages": [{"Name": "zlib1g", "Version": "1:1.2.11"}],
            "Vulnerabilities": vulnerabilities.collect::<Vec<_>>(),
        }],
    })
}

/// What an adapter of Harbor's API says of an image in which it finds nothing, now.
pub(crate) fn nothing_found(repository: &str, image: &Image) -> Value {
    json!({
        "artifact": {
            "repository": repository, "digest": image.digest(), "mime_type": OCI_MANIFEST,
        },
        // Later than any clock here: the gate takes its own time then.
        "generated_at": "2099-01-01T00:00:00Z",
        "scanner": {"name": "Sample", "vendor": "Example", "version": "1.2.3"},
        "severity": "None", "vulnerabilities": [],
    })
}
