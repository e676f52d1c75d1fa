use serde_json::{Value, json};

use super::*;

fn document(statement: &Value) -> Vec<u8> {
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://vex.example/1",
        "author": "Example",
        "timestamp": "2026-11-01T08:00:00Z",
        "version": 1,
        "statements": [statement],
    });
    document.to_string().into_bytes()
}

fn take(statement: &Value) -> Result<Document, String> {
    read(&document(statement), Limits::default()).map_err(|refused| refused.to_string())
}

#[test]
fn a_document_is_read_whole() {
    let read = take(&json!({
        "vulnerability": {"name": "CVE-2026-0001", "aliases": ["GHSA-aaaa-bbbb-cccc"]},
        "products": [{
            "@id": "pkg:oci/app@sha256%3A11",
            "identifiers": {"purl": "pkg:oci/app"},
            "subcomponents": [{"@id": "pkg:deb/debian/zlib1g@1.0"}],
        }],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        "timestamp": "2026-11-02T08:00:00Z",
    }));
    insta::assert_debug_snapshot!(read.unwrap(), @r#"
    Document {
        id: "https://vex.example/1",
        author: "Example",
        timestamp: Some(
            2026-11-01T08:00:00Z,
        ),
        statements: [
            Statement {
                names: [
                    VulnerabilityId(
                        "CVE-2026-0001",
                    ),
                    VulnerabilityId(
                        "GHSA-aaaa-bbbb-cccc",
                    ),
                ],
                products: [
                    Product {
                        names: [
                            "pkg:oci/app@sha256%3A11",
                            "pkg:oci/app",
                        ],
                        parts: [
                            "pkg:deb/debian/zlib1g@1.0",
                        ],
                    },
                ],
                status: NotAffected,
                justification: Some(
                    "vulnerable_code_not_present",
                ),
                impact: None,
                timestamp: Some(
                    2026-11-02T08:00:00Z,
                ),
            },
        ],
    }
    "#);
}

#[test]
fn names_alone_stand_for_vulnerabilities_and_products() {
    let said =
        json!({"vulnerability": "CVE-2026-0001", "products": ["pkg:oci/app"], "status": "fixed"});
    let statement = take(&said).unwrap().statements.remove(0);
    assert_eq!(statement.names, [VulnerabilityId::new("CVE-2026-0001").unwrap()]);
    let product = Product { names: vec!["pkg:oci/app".to_owned()], parts: Vec::new() };
    assert_eq!(statement.products, [product]);
}

#[test]
fn no_harm_without_a_reason() {
    let said = |status: &str| json!({"vulnerability": "CVE-2026-0001", "status": status});
    assert_eq!(
        take(&said("not_affected")).unwrap_err(),
        "OpenVEX: `statements[0].status` cannot be understood: `not_affected` needs a \
         `justification` or an `impact_statement`"
    );
    assert_eq!(
        take(&said("harmless")).unwrap_err(),
        "OpenVEX: `statements[0].status` cannot be understood: the specification knows no such status"
    );
    assert_eq!(take(&said("affected")).unwrap().statements[0].status, Status::Affected);
}

#[test]
fn another_document_is_refused() {
    let mut other: Value = serde_json::from_slice(&document(&json!({
        "vulnerability": "CVE-2026-0001", "status": "fixed",
    })))
    .unwrap();
    other["@context"] = json!("https://schema.example/");
    let error = read(other.to_string().as_bytes(), Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "OpenVEX: `@context` cannot be understood: it is not that of OpenVEX"
    );
}
