use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{CvssVersion, Severity, Status};

const MANIFEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const CONFIG: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const LAYER: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";

fn take(document: &Value) -> Result<Report, Refused> {
    read(document.to_string().as_bytes(), Limits::default())
}

fn refusal(document: &Value) -> String {
    take(document).unwrap_err().to_string()
}

fn trivy() -> Value {
    json!({
        "SchemaVersion": 2,
        "CreatedAt": "2026-11-01T08:00:00.123456789+01:00",
        "Trivy": {"Version": "0.68.1"},
        "ArtifactName": "gate.example/team/app:v1",
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "debian", "Name": "12"},
            "ImageID": CONFIG,
            "RepoDigests": [format!("gate.example/team/app@{MANIFEST}")],
        },
        "Results": [
            {"Target": "app (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [{
                "VulnerabilityID": "CVE-2026-0001",
                "VendorIDs": ["DSA-1-1", "GHSA-aaaa-bbbb-cccc"],
                "PkgName": "zlib1g",
                "PkgIdentifier": {"PURL": "pkg:deb/debian/zlib1g@1.0"},
                "InstalledVersion": "1.0",
                "FixedVersion": "1.1, 2.0",
                "Status": "fixed",
                "Layer": {"Digest": LAYER, "DiffID": CONFIG},
                "Severity": "HIGH",
                "SeveritySource": "debian",
                "CVSS": {
                    "nvd": {"V2Score": 5.0, "V2Vector": "AV:N", "V3Score": 9.8, "V3Vector": "CVSS:3.1/AV:N"},
                    "ghsa": {"V40Score": 8.7, "V40Vector": "CVSS:4.0/AV:N"},
                },
                "Title": "zlib: overflow",
                "Description": "A long stream overflows.",
                "PrimaryURL": "https://advisories.example/CVE-2026-0001",
                "References": ["https://advisories.example/CVE-2026-0001", "javascript:alert(1)"],
                "CweIDs": ["CWE-787"],
                "PublishedDate": "2026-10-01T00:00:00Z",
                "SomethingNew": {"of": "the next version"},
            }]},
            {"Target": "usr/bin/app", "Class": "lang-pkgs", "Type": "gobinary", "Vulnerabilities": [{
                "VulnerabilityID": "GHSA-dddd-eeee-ffff",
                "PkgName": "example.com/mod",
                "InstalledVersion": "v1.2.3",
                "Severity": "UNKNOWN",
                "Status": "will_not_fix",
            }]},
            {"Target": "Loose files", "Class": "license-file"},
        ],
    })
}

#[test]
fn a_report_of_trivy_is_read_whole() {
    let report = take(&trivy()).unwrap();
    insta::assert_debug_snapshot!(report, @r#"
    Report {
        format: Trivy,
        scanner: Scanner {
            name: "Trivy",
            version: Some(
                "0.68.1",
            ),
            database: None,
        },
        created: Some(
            2026-11-01T07:00:00.123456789Z,
        ),
        about: About {
            manifests: [
                sha256:1111111111111111111111111111111111111111111111111111111111111111,
            ],
            config: Some(
                sha256:2222222222222222222222222222222222222222222222222222222222222222,
            ),
        },
        recognized: true,
        findings: [
            Finding {
                id: VulnerabilityId(
                    "CVE-2026-0001",
                ),
                aliases: [
                    VulnerabilityId(
                        "GHSA-aaaa-bbbb-cccc",
                    ),
                ],
                package: Package {
                    name: "zlib1g",
                    version: "1.0",
                    purl: Some(
                        "pkg:deb/debian/zlib1g@1.0",
                    ),
                    kind: Some(
                        "debian",
                    ),
                    path: None,
                },
                layer: Some(
                    sha256:3333333333333333333333333333333333333333333333333333333333333333,
                ),
                severity: High,
                severity_source: Some(
                    "debian",
                ),
                cvss: [
                    Cvss {
                        version: V4,
                        score: 8.7,
                        vector: Some(
                            "CVSS:4.0/AV:N",
                        ),
                        source: Some(
                            "ghsa",
                        ),
                    },
                    Cvss {
                        version: V3,
                        score: 9.8,
                        vector: Some(
                            "CVSS:3.1/AV:N",
                        ),
                        source: Some(
                            "nvd",
                        ),
                    },
                    Cvss {
                        version: V2,
                        score: 5.0,
                        vector: Some(
                            "AV:N",
                        ),
                        source: Some(
                            "nvd",
                        ),
                    },
                ],
                fixed_in: [
                    "1.1",
                    "2.0",
                ],
                status: Fixed,
                title: Some(
                    "zlib: overflow",
                ),
                description: Some(
                    "A long stream overflows.",
                ),
                links: [
                    "https://advisories.example/CVE-2026-0001",
                ],
                weaknesses: [
                    "CWE-787",
                ],
                published: Some(
                    2026-10-01T00:00:00Z,
                ),
            },
            Finding {
                id: VulnerabilityId(
                    "GHSA-dddd-eeee-ffff",
                ),
                aliases: [],
                package: Package {
                    name: "example.com/mod",
                    version: "v1.2.3",
                    purl: None,
                    kind: Some(
                        "gobinary",
                    ),
                    path: None,
                },
                layer: None,
                severity: Unknown,
                severity_source: None,
                cvss: [],
                fixed_in: [],
                status: WillNotFix,
                title: None,
                description: None,
                links: [],
                weaknesses: [],
                published: None,
            },
        ],
    }
    "#);
}

#[test]
fn a_finding_that_was_taken_out_is_harmless_only_if_it_is_said_to_be() {
    let mut document = trivy();
    let found = document["Results"][0]["Vulnerabilities"][0].clone();
    let modified = |status: &str| json!({"Type": "vulnerability", "Status": status, "Source": "a file", "Finding": found});
    let modified = [modified("not_affected"), modified("ignored"), json!({"Type": "secret"})];
    document["Results"][0]["Vulnerabilities"] = Value::Null;
    document["Results"][0]["ExperimentalModifiedFindings"] = json!(modified);
    let report = take(&document).unwrap();
    let statuses: Vec<_> = report.findings.iter().map(|finding| finding.status).collect();
    assert_eq!(statuses, [Status::NotAffected, Status::Fixed, Status::WillNotFix]);
}

#[test]
fn what_trivy_did_not_look_at_is_not_recognized() {
    let mut document = trivy();
    document["Results"] = json!([{"Target": "OS Packages", "Class": "license"}]);
    let report = take(&document).unwrap();
    assert!(!report.recognized);
    document["Results"] = json!([{"Target": "app (debian 12)", "Class": "os-pkgs"}]);
    let report = take(&document).unwrap();
    assert!(report.recognized, "it was looked at, and nothing was found");
    assert_eq!(report.findings, []);
    document["Results"] = Value::Null;
    assert!(!take(&document).unwrap().recognized);
}

fn grype() -> Value {
    let related = |id: &str| {
        json!({"id": id, "cvss": [
            {"version": "3.1", "vector": "CVSS:3.1/AV:N", "metrics": {"baseScore": 7.5}},
        ]})
    };
    json!({
        "matches": [
            {
                "vulnerability": {
                    "id": "GHSA-aaaa-bbbb-cccc",
                    "dataSource": "https://advisories.example/GHSA-aaaa-bbbb-cccc",
                    "namespace": "github:language:go",
                    "severity": "High",
                    "urls": [],
                    "description": "A long name overflows.",
                    "cvss": [{"version": "3.1", "vector": "CVSS:3.1/AV:N", "metrics": {"baseScore": 7.5}}],
                    "fix": {"versions": ["1.2.4"], "state": "fixed"},
                },
                "relatedVulnerabilities": [related("CVE-2026-0001")],
                "artifact": {
                    "name": "example.com/mod", "version": "v1.2.3", "type": "go-module",
                    "purl": "pkg:golang/example.com/mod@v1.2.3",
                    "locations": [{"path": "/usr/bin/app", "layerID": LAYER}],
                },
            },
            {
                "vulnerability": {
                    "id": "ELSA-2026-1", "severity": "Medium", "fix": {"versions": [], "state": "wont-fix"},
                },
                "relatedVulnerabilities": [related("CVE-2026-0002"), related("CVE-2026-0003")],
                "artifact": {"name": "glibc", "version": "2.28"},
            },
        ],
        "source": {"type": "image", "target": {
            "userInput": "gate.example/team/app:v1",
            "imageID": CONFIG,
            "manifestDigest": MANIFEST,
            "repoDigests": [],
        }},
        "descriptor": {
            "name": "grype", "version": "0.104.0",
            "timestamp": "2026-11-01T08:00:00Z",
            "db": {"status": {"built": "2026-10-31T01:00:00Z"}},
        },
    })
}

#[test]
fn a_report_of_grype_is_read_whole() {
    insta::assert_debug_snapshot!(take(&grype()).unwrap(), @r#"
    Report {
        format: Grype,
        scanner: Scanner {
            name: "grype",
            version: Some(
                "0.104.0",
            ),
            database: Some(
                2026-10-31T01:00:00Z,
            ),
        },
        created: Some(
            2026-11-01T08:00:00Z,
        ),
        about: About {
            manifests: [
                sha256:1111111111111111111111111111111111111111111111111111111111111111,
            ],
            config: Some(
                sha256:2222222222222222222222222222222222222222222222222222222222222222,
            ),
        },
        recognized: true,
        findings: [
            Finding {
                id: VulnerabilityId(
                    "CVE-2026-0001",
                ),
                aliases: [
                    VulnerabilityId(
                        "GHSA-aaaa-bbbb-cccc",
                    ),
                ],
                package: Package {
                    name: "example.com/mod",
                    version: "v1.2.3",
                    purl: Some(
                        "pkg:golang/example.com/mod@v1.2.3",
                    ),
                    kind: Some(
                        "go-module",
                    ),
                    path: Some(
                        "/usr/bin/app",
                    ),
                },
                layer: Some(
                    sha256:3333333333333333333333333333333333333333333333333333333333333333,
                ),
                severity: High,
                severity_source: Some(
                    "github:language:go",
                ),
                cvss: [
                    Cvss {
                        version: V3,
                        score: 7.5,
                        vector: Some(
                            "CVSS:3.1/AV:N",
                        ),
                        source: None,
                    },
                ],
                fixed_in: [
                    "1.2.4",
                ],
                status: Fixed,
                title: None,
                description: Some(
                    "A long name overflows.",
                ),
                links: [
                    "https://advisories.example/GHSA-aaaa-bbbb-cccc",
                ],
                weaknesses: [],
                published: None,
            },
            Finding {
                id: VulnerabilityId(
                    "ELSA-2026-1",
                ),
                aliases: [],
                package: Package {
                    name: "glibc",
                    version: "2.28",
                    purl: None,
                    kind: None,
                    path: None,
                },
                layer: None,
                severity: Medium,
                severity_source: None,
                cvss: [],
                fixed_in: [],
                status: WillNotFix,
                title: None,
                description: None,
                links: [],
                weaknesses: [],
                published: None,
            },
        ],
    }
    "#);
}

fn cyclonedx() -> Value {
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "timestamp": "2026-11-01T08:00:00Z",
            "tools": {"components": [{"type": "application", "name": "trivy", "version": "0.68.1"}]},
            "component": {
                "bom-ref": "root", "type": "container", "name": "team/app",
                "purl": format!("pkg:oci/app@{}?repository_url=gate.example", MANIFEST.replace(':', "%3A")),
                "properties": [{"name": "aquasecurity:trivy:ImageID", "value": CONFIG}],
            },
        },
        "components": [{
            "bom-ref": "os", "type": "operating-system", "name": "debian", "components": [{
                "bom-ref": "zlib", "type": "library", "name": "zlib1g", "version": "1.0",
                "purl": "pkg:deb/debian/zlib1g@1.0",
                "properties": [
                    {"name": "aquasecurity:trivy:LayerDigest", "value": LAYER},
                    {"name": "aquasecurity:trivy:PkgType", "value": "debian"},
                ],
            }],
        }],
        "vulnerabilities": [{
            "id": "CVE-2026-0001",
            "source": {"name": "debian"},
            "references": [{"id": "GHSA-aaaa-bbbb-cccc"}, {"id": "DSA-1-1"}],
            "ratings": [
                {"source": {"name": "nvd"}, "score": 9.8, "severity": "critical", "method": "CVSSv31",
                 "vector": "CVSS:3.1/AV:N"},
                {"source": {"name": "debian"}, "severity": "low"},
            ],
            "cwes": [787],
            "description": "A long stream overflows.",
            "recommendation": "Upgrade zlib1g to version 1.1, 2.0; Upgrade zlib1g-dev to version 3.0",
            "advisories": [{"url": "https://advisories.example/CVE-2026-0001"}],
            "published": "2026-10-01T00:00:00+00:00",
            "affects": [{"ref": "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#zlib"}],
        }],
    })
}

#[test]
fn a_cyclonedx_document_is_read_whole() {
    insta::assert_debug_snapshot!(take(&cyclonedx()).unwrap(), @r#"
    Report {
        format: CycloneDx,
        scanner: Scanner {
            name: "trivy",
            version: Some(
                "0.68.1",
            ),
            database: None,
        },
        created: Some(
            2026-11-01T08:00:00Z,
        ),
        about: About {
            manifests: [
                sha256:1111111111111111111111111111111111111111111111111111111111111111,
            ],
            config: Some(
                sha256:2222222222222222222222222222222222222222222222222222222222222222,
            ),
        },
        recognized: true,
        findings: [
            Finding {
                id: VulnerabilityId(
                    "CVE-2026-0001",
                ),
                aliases: [
                    VulnerabilityId(
                        "GHSA-aaaa-bbbb-cccc",
                    ),
                ],
                package: Package {
                    name: "zlib1g",
                    version: "1.0",
                    purl: Some(
                        "pkg:deb/debian/zlib1g@1.0",
                    ),
                    kind: Some(
                        "debian",
                    ),
                    path: None,
                },
                layer: Some(
                    sha256:3333333333333333333333333333333333333333333333333333333333333333,
                ),
                severity: Low,
                severity_source: Some(
                    "debian",
                ),
                cvss: [
                    Cvss {
                        version: V3,
                        score: 9.8,
                        vector: Some(
                            "CVSS:3.1/AV:N",
                        ),
                        source: Some(
                            "nvd",
                        ),
                    },
                ],
                fixed_in: [
                    "1.1",
                    "2.0",
                ],
                status: Fixed,
                title: None,
                description: Some(
                    "A long stream overflows.",
                ),
                links: [
                    "https://advisories.example/CVE-2026-0001",
                ],
                weaknesses: [
                    "CWE-787",
                ],
                published: Some(
                    2026-10-01T00:00:00Z,
                ),
            },
        ],
    }
    "#);
}

#[test]
fn the_severity_is_that_of_the_source_and_else_the_worst() {
    let severity = |ratings: Value| {
        let mut document = cyclonedx();
        document["vulnerabilities"][0]["ratings"] = ratings;
        take(&document).unwrap().findings[0].severity
    };
    let of = |name: &str, severity: &str, method: &str| json!({"source": {"name": name}, "severity": severity, "method": method});
    let own = of("debian", "low", "other");
    assert_eq!(severity(json!([of("nvd", "critical", "CVSSv31"), own])), Severity::Low);
    let others = json!([of("nvd", "high", "CVSSv31"), of("amazon", "medium", "other")]);
    assert_eq!(severity(others), Severity::High);
    let second = json!([of("nvd", "high", "CVSSv2"), of("nvd", "medium", "CVSSv31")]);
    assert_eq!(severity(second), Severity::Medium, "version 2 counts only alone");
    assert_eq!(severity(json!([of("nvd", "high", "CVSSv2")])), Severity::High);
    assert_eq!(severity(json!([{"score": 9.1, "method": "CVSSv31"}])), Severity::Critical);
    assert_eq!(severity(json!([of("debian", "unknown", "other")])), Severity::Unknown);
    assert_eq!(severity(json!([])), Severity::Unknown);
}

#[test]
fn what_is_affected_must_be_in_the_document() {
    let mut document = cyclonedx();
    document["vulnerabilities"][0]["affects"][0]["ref"] = json!("nothing");
    assert_eq!(
        refusal(&document),
        "cyclonedx: `vulnerabilities[0].affects[0].ref` cannot be understood: no component of the \
         document has this `bom-ref`"
    );
    document["vulnerabilities"][0]["affects"] = json!([]);
    assert_eq!(
        refusal(&document),
        "cyclonedx: `vulnerabilities[0].affects` cannot be understood: it does not say which \
         component has the vulnerability"
    );
}

#[test]
fn a_list_of_components_alone_is_no_report() {
    let mut document = cyclonedx();
    document.as_object_mut().unwrap().remove("vulnerabilities");
    assert_eq!(
        refusal(&document),
        "this is a CycloneDX document without `vulnerabilities`; a list of components alone says \
         nothing of them; have it scanned first"
    );
    let mut document = cyclonedx();
    document["vulnerabilities"] = json!([]);
    assert_eq!(take(&document).unwrap().findings, [], "it was scanned, and nothing was found");
}

fn harbor() -> Value {
    json!({
        "generated_at": "2026-11-01T08:00:00.000000000Z",
        "artifact": {"repository": "team/app", "digest": MANIFEST},
        "scanner": {"name": "Trivy", "vendor": "Aqua Security", "version": "0.68.1"},
        "severity": "High",
        "vulnerabilities": [{
            "id": "CVE-2026-0001", "package": "zlib1g", "version": "1.0", "fix_version": "1.1",
            "severity": "High", "description": "A long stream overflows.",
            "links": ["https://advisories.example/CVE-2026-0001"],
            "preferred_cvss": {"score_v3": 9.8, "vector_v3": "CVSS:3.1/AV:N", "score_v2": null},
            "cwe_ids": ["CWE-787"],
        }],
    })
}

#[test]
fn a_report_of_a_harbor_adapter_is_read_alone_and_under_its_type() {
    let alone = take(&harbor()).unwrap();
    insta::assert_debug_snapshot!(alone, @r#"
    Report {
        format: Harbor,
        scanner: Scanner {
            name: "Trivy",
            version: Some(
                "0.68.1",
            ),
            database: None,
        },
        created: Some(
            2026-11-01T08:00:00Z,
        ),
        about: About {
            manifests: [
                sha256:1111111111111111111111111111111111111111111111111111111111111111,
            ],
            config: None,
        },
        recognized: true,
        findings: [
            Finding {
                id: VulnerabilityId(
                    "CVE-2026-0001",
                ),
                aliases: [],
                package: Package {
                    name: "zlib1g",
                    version: "1.0",
                    purl: None,
                    kind: None,
                    path: None,
                },
                layer: None,
                severity: High,
                severity_source: None,
                cvss: [
                    Cvss {
                        version: V3,
                        score: 9.8,
                        vector: Some(
                            "CVSS:3.1/AV:N",
                        ),
                        source: None,
                    },
                ],
                fixed_in: [
                    "1.1",
                ],
                status: Fixed,
                title: None,
                description: Some(
                    "A long stream overflows.",
                ),
                links: [
                    "https://advisories.example/CVE-2026-0001",
                ],
                weaknesses: [
                    "CWE-787",
                ],
                published: None,
            },
        ],
    }
    "#);
    for media_type in [
        "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0",
        "application/vnd.security.vulnerability.report; version=1.1",
    ] {
        assert_eq!(take(&json!({ media_type: harbor() })).unwrap(), alone);
    }
}

fn osv_scanner() -> Value {
    let record = |id: &str, aliases: Value| {
        json!({
            "id": id, "aliases": aliases, "summary": "An overflow", "published": "2026-10-01T00:00:00Z",
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}],
            "affected": [
                {"package": {"name": "zlib", "ecosystem": "Alpine:v3.22"}, "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]},
                    {"type": "GIT", "events": [{"fixed": "0123456789abcdef"}]},
                ]},
                {"package": {"name": "other", "ecosystem": "Alpine:v3.22"}, "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"fixed": "7"}]},
                ]},
            ],
            "references": [{"type": "WEB", "url": "https://advisories.example/1"}],
            "database_specific": {"severity": "MODERATE", "cwe_ids": ["CWE-787"]},
        })
    };
    json!({
        "results": [{
            "source": {"path": "docker:/lib/apk/db/installed", "type": "os"},
            "packages": [{
                "package": {"name": "zlib", "version": "1.0", "ecosystem": "Alpine:v3.22"},
                "vulnerabilities": [
                    record("GHSA-aaaa-bbbb-cccc", json!(["CVE-2026-0001"])),
                    record("ALPINE-CVE-2026-0001", json!(null)),
                    record("MAL-2026-1", json!([])),
                ],
                "groups": [{
                    "ids": ["GHSA-aaaa-bbbb-cccc", "ALPINE-CVE-2026-0001"],
                    "aliases": ["CVE-2026-0001", "GHSA-aaaa-bbbb-cccc"],
                    "max_severity": "9.8",
                }],
            }],
        }],
        "image_metadata": {"os": "Alpine Linux v3.22"},
    })
}

#[test]
fn a_report_of_osv_scanner_is_read_whole_with_one_finding_for_each_group() {
    insta::assert_debug_snapshot!(take(&osv_scanner()).unwrap(), @r#"
    Report {
        format: OsvScanner,
        scanner: Scanner {
            name: "OSV-Scanner",
            version: None,
            database: None,
        },
        created: None,
        about: About {
            manifests: [],
            config: None,
        },
        recognized: true,
        findings: [
            Finding {
                id: VulnerabilityId(
                    "CVE-2026-0001",
                ),
                aliases: [
                    VulnerabilityId(
                        "GHSA-aaaa-bbbb-cccc",
                    ),
                    VulnerabilityId(
                        "ALPINE-CVE-2026-0001",
                    ),
                ],
                package: Package {
                    name: "zlib",
                    version: "1.0",
                    purl: None,
                    kind: Some(
                        "Alpine:v3.22",
                    ),
                    path: Some(
                        "docker:/lib/apk/db/installed",
                    ),
                },
                layer: None,
                severity: Critical,
                severity_source: None,
                cvss: [
                    Cvss {
                        version: V3,
                        score: 9.8,
                        vector: Some(
                            "CVSS:3.1/AV:N",
                        ),
                        source: None,
                    },
                ],
                fixed_in: [
                    "1.1",
                ],
                status: Fixed,
                title: Some(
                    "An overflow",
                ),
                description: None,
                links: [
                    "https://advisories.example/1",
                ],
                weaknesses: [
                    "CWE-787",
                    "CWE-787",
                ],
                published: Some(
                    2026-10-01T00:00:00Z,
                ),
            },
            Finding {
                id: VulnerabilityId(
                    "MAL-2026-1",
                ),
                aliases: [],
                package: Package {
                    name: "zlib",
                    version: "1.0",
                    purl: None,
                    kind: Some(
                        "Alpine:v3.22",
                    ),
                    path: Some(
                        "docker:/lib/apk/db/installed",
                    ),
                },
                layer: None,
                severity: Critical,
                severity_source: None,
                cvss: [],
                fixed_in: [
                    "1.1",
                ],
                status: Fixed,
                title: Some(
                    "An overflow",
                ),
                description: None,
                links: [
                    "https://advisories.example/1",
                ],
                weaknesses: [
                    "CWE-787",
                ],
                published: Some(
                    2026-10-01T00:00:00Z,
                ),
            },
        ],
    }
    "#);
}

#[test]
fn a_group_without_its_advisory_is_refused() {
    let mut document = osv_scanner();
    document["results"][0]["packages"][0]["groups"][0]["ids"] = json!(["GHSA-x"]);
    assert_eq!(
        refusal(&document),
        "osv-scanner: `results[0].packages[0].groups[0].ids` cannot be understood: the package has \
         no vulnerability of that name"
    );
}

#[test]
fn what_is_about_something_else_is_refused() {
    let mut of_files = trivy();
    of_files["ArtifactType"] = json!("filesystem");
    assert_eq!(
        refusal(&of_files),
        "the report is about filesystem gate.example/team/app:v1, not about an image; scan the \
         image itself, by its name in this registry"
    );
    let mut of_folder = grype();
    of_folder["source"] = json!({"type": "directory", "target": "/src"});
    assert_eq!(
        refusal(&of_folder),
        "the report is about directory /src, not about an image; scan the image itself, by its \
         name in this registry"
    );
    let mut of_library = cyclonedx();
    of_library["metadata"]["component"]["type"] = json!("library");
    assert!(refusal(&of_library).starts_with("the report is about library team/app, not about"));
    let mut of_lockfile = osv_scanner();
    of_lockfile.as_object_mut().unwrap().remove("image_metadata");
    of_lockfile["results"][0]["source"] = json!({"path": "/src/Cargo.lock", "type": "lockfile"});
    assert!(refusal(&of_lockfile).starts_with("the report is about the file /src/Cargo.lock, not"));
}

#[test]
fn other_formats_are_named() {
    let found = |document: &Value| match take(document).unwrap_err() {
        Refused::Unsupported { found, .. } => found,
        other => other.to_string(),
    };
    assert_eq!(found(&json!([])), "a list, as Trivy wrote before schema 2");
    assert_eq!(found(&json!({"SchemaVersion": 3})), "Trivy's JSON with schema 3");
    assert_eq!(found(&json!({"bomFormat": "CycloneDX", "specVersion": "1.3"})), "CycloneDX 1.3");
    assert_eq!(found(&json!({"runs": []})), "SARIF, which does not tell all that a gate needs");
    assert_eq!(
        found(&json!({"spdxVersion": "SPDX-2.3"})),
        "an SPDX document, which has no vulnerabilities"
    );
    assert_eq!(found(&json!({"@context": "x"})), "a VEX document, not a report");
    assert_eq!(found(&json!({"payloadType": "x"})), "a signed envelope, not a report itself");
    assert_eq!(found(&json!({"apiVersion": "v1"})), "a Kubernetes object");
    assert_eq!(found(&json!({})), "JSON of a form that is not known here");
    assert_eq!(found(&json!({"bomFormat": 1})), "JSON of a form that is not known here");
    let xml = read(b"<bom/>", Limits::default()).unwrap_err().to_string();
    assert!(xml.starts_with("this is XML; send one of: Trivy JSON (schema 2), "), "{xml}");
    let torn = read(br#"{"SchemaVersion": 2, "#, Limits::default()).unwrap_err().to_string();
    assert_eq!(torn, "the report is no JSON: EOF while parsing a value at line 1 column 21");
}

#[test]
fn what_a_decision_depends_on_must_be_understood_and_the_place_is_told() {
    let mut document = trivy();
    document["Results"][0]["Vulnerabilities"][0]["VulnerabilityID"] = json!("");
    assert_eq!(
        refusal(&document),
        "trivy: `Results[0].Vulnerabilities[0].VulnerabilityID` cannot be understood: it is no name \
         of a vulnerability at line 1 column 1337"
    );
    let mut document = harbor();
    document["vulnerabilities"][0]["severity"] = json!(3);
    assert_eq!(
        refusal(&document),
        "harbor: `vulnerabilities[0].severity` cannot be understood: invalid type: integer `3`, \
         expected a string"
    );
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_compressed_report_is_the_same_report() {
    let bytes = trivy().to_string().into_bytes();
    let expected = read(&bytes, Limits::default()).unwrap();
    assert_eq!(read(&packed(&bytes), Limits::default()).unwrap(), expected);
    let with_mark = [b"\xef\xbb\xbf".as_slice(), &bytes].concat();
    assert_eq!(read(&with_mark, Limits::default()).unwrap(), expected);
    let half = packed(&bytes);
    let error = read(&half[..half.len() / 2], Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the report is compressed, and its gzip data are damaged; send it again"
    );
}

#[test]
fn nothing_is_unpacked_beyond_the_bound() {
    let limits = Limits { bytes: 1 << 20, findings: 10 };
    let bomb = packed(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let error = read(&bomb, limits).unwrap_err();
    assert_eq!(error.to_string(), "the report is longer than 1048576 bytes, unpacked");
    let error = read(&vec![b' '; (1 << 20) + 1], limits).unwrap_err();
    assert_eq!(error.to_string(), "the report is longer than 1048576 bytes, unpacked");
}

#[test]
fn findings_are_bounded_in_number() {
    let limits = |findings| Limits { findings, ..Limits::default() };
    let bytes = trivy().to_string();
    assert!(read(bytes.as_bytes(), limits(2)).is_ok());
    let error = read(bytes.as_bytes(), limits(1)).unwrap_err();
    assert_eq!(error.to_string(), "the report has more than 1 findings");
}

#[test]
fn scores_of_all_versions_are_told_apart() {
    let report = take(&trivy()).unwrap();
    let versions: Vec<_> = report.findings[0].cvss.iter().map(|cvss| cvss.version).collect();
    assert_eq!(versions, [CvssVersion::V4, CvssVersion::V3, CvssVersion::V2]);
    assert_eq!(report.findings[0].max_cvss(), Some(9.8));
    assert_eq!(report.findings[1].max_cvss(), None);
}

/// Any member of a report, by its path, in the order of the document.
fn places(document: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match document {
        Value::Object(members) => members.iter().for_each(|(name, inner)| {
            places(inner, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(entries) => entries.iter().enumerate().for_each(|(index, inner)| {
            places(inner, &format!("{at}/{index}"), found);
        }),
        _ => {}
    }
}

proptest! {
    /// Whatever stands in whatever place: it is refused or read, and a finding is lost only with the
    /// part of the document that it stood in.
    #[test]
    fn no_single_change_breaks_the_reader(
        which in 0..5_usize,
        place in any::<prop::sample::Index>(),
        by in prop::sample::select(vec![
            json!(null), json!(true), json!(-1), json!(1e300), json!(""), json!("\u{202e}x"),
            json!([]), json!({}), json!([[]]), json!("sha256:0"),
        ]),
    ) {
        let mut document =
            vec![trivy(), grype(), cyclonedx(), harbor(), osv_scanner()].swap_remove(which);
        let mut found = Vec::new();
        places(&document, "", &mut found);
        let place = place.get(&found);
        if let Some(member) = document.pointer_mut(place) {
            *member = by;
        }
        if let Err(refused) = take(&document) {
            prop_assert!(!refused.to_string().is_empty());
        }
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes, Limits::default()).is_err());
    }
}

/// A document of some kilobytes, which stands for a hundred times as much.
fn repeating(format: &str) -> Vec<u8> {
    let long = "x".repeat(10_000);
    let times = |text: &str| vec![text; 100].join(",");
    let text = match format {
        "cyclonedx" => format!(
            r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6",
                "metadata": {{"component": {{"type": "container", "name": "app"}}}},
                "components": [{{"bom-ref": "a", "name": "a"}}],
                "vulnerabilities": [{{"id": "CVE-1", "description": "{long}", "affects": [{}]}}]}}"#,
            times(r#"{"ref": "a"}"#)
        ),
        _ => format!(
            r#"{{"image_metadata": {{}}, "results": [{{"packages": [{{"package": {{"name": "a"}},
                "vulnerabilities": [{{"id": "CVE-1", "details": "{long}"}}],
                "groups": [{}]}}]}}]}}"#,
            times(r#"{"ids": ["CVE-1"]}"#)
        ),
    };
    text.into_bytes()
}

#[test]
fn what_a_report_stands_for_is_no_longer_than_a_report_may_be() {
    for format in ["cyclonedx", "osv-scanner"] {
        let bytes = repeating(format);
        let limited = |bytes_left, findings| {
            let limits = Limits { bytes: bytes_left, findings };
            read(&bytes, limits).map(|report| report.findings.len())
        };
        assert_eq!(limited(2_000_000, 100).unwrap(), 100, "{format}");
        assert!(matches!(limited(500_000, 100), Err(Refused::TooLong(500_000))), "{format}");
        assert!(matches!(limited(2_000_000, 99), Err(Refused::TooMany(99))), "{format}");
    }
}

#[test]
fn many_names_and_links_of_one_finding_are_each_told_once() {
    let count = 50_000;
    let list = |text: &dyn Fn(usize) -> String| {
        (0..count).map(|at| format!("{:?}", text(at))).collect::<Vec<_>>().join(",")
    };
    let (ids, links) = (list(&|at| format!("CVE-1-{at}")), list(&|at| format!("https://a/{at}")));
    let json = format!(
        r#"{{"SchemaVersion": 2, "ArtifactType": "container_image", "Results": [{{"Class": "os-pkgs",
            "Vulnerabilities": [{{"VulnerabilityID": "CVE-1-0", "PkgName": "a", "VendorIDs": [{ids}],
            "References": [{links},{links}]}}]}}]}}"#
    );
    let report = read(json.as_bytes(), Limits::default()).unwrap();
    assert_eq!(report.findings[0].aliases.len(), count - 1);
    assert_eq!(report.findings[0].links.len(), count);
}
