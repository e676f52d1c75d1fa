//! OpenVEX documents (specification 0.2.0): what the makers of an image say of vulnerabilities in it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::Status;
use crate::lenient::{filled, list, time};
use crate::names::VulnerabilityId;
use crate::read::{Limits, Refused, plain_document, unpack};

/// A document as a whole.
///
/// What is written of it is this model, not OpenVEX; members may be missing when it is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its name, an IRI.
    pub id: String,
    /// Who says it.
    pub author: String,
    /// When it was said.
    pub timestamp: Option<Timestamp>,
    /// What is said.
    pub statements: Vec<Statement>,
}

/// One vulnerability in some products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// All its names.
    pub names: Vec<VulnerabilityId>,
    /// What it is about.
    #[serde(default)]
    pub products: Vec<Product>,
    /// What is said: not affected, affected, fixed, or being looked at.
    pub status: Status,
    /// Why it is not affected: a word of the specification, or a sentence, or both.
    pub justification: Option<String>,
    /// See [`justification`](Self::justification).
    pub impact: Option<String>,
    /// When, if not with the whole document.
    pub timestamp: Option<Timestamp>,
}

/// An image, or a package, with the parts that are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Package URLs and other names.
    pub names: Vec<String>,
    /// The packages in it that are meant; all, if empty.
    #[serde(default)]
    pub parts: Vec<String>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "@context")]
    context: String,
    #[serde(rename = "@id")]
    id: String,
    author: String,
    timestamp: Option<String>,
    statements: Vec<WrittenStatement>,
}

#[derive(Deserialize)]
struct WrittenStatement {
    vulnerability: WrittenVulnerability,
    #[serde(default, deserialize_with = "list")]
    products: Vec<WrittenProduct>,
    status: String,
    justification: Option<String>,
    impact_statement: Option<String>,
    timestamp: Option<String>,
}

/// The first version had the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenVulnerability {
    Name(VulnerabilityId),
    Object {
        name: VulnerabilityId,
        #[serde(default, deserialize_with = "list")]
        aliases: Vec<VulnerabilityId>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenProduct {
    Name(String),
    Object {
        #[serde(rename = "@id")]
        id: Option<String>,
        #[serde(default)]
        identifiers: Identifiers,
        #[serde(default, deserialize_with = "list")]
        subcomponents: Vec<WrittenProduct>,
    },
}

#[derive(Deserialize, Default)]
struct Identifiers {
    purl: Option<String>,
}

/// Reads a document, unpacking it if it is compressed by gzip.
///
/// # Errors
/// It is none, or a statement lacks what the specification demands: then nothing of it may be used.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Document, Refused> {
    let json = unpack(bytes, limits.bytes)?;
    let written: Written = plain_document(FORMAT, &json)?;
    if !written.context.starts_with("https://openvex.dev/ns") {
        return Err(misread("@context", "it is not that of OpenVEX"));
    }
    if written.statements.len() > limits.findings {
        return Err(Refused::TooMany(limits.findings));
    }
    let statements = written.statements.into_iter().enumerate();
    Ok(Document {
        id: written.id,
        author: written.author,
        timestamp: time(written.timestamp.as_deref()),
        statements: statements.map(|(at, said)| statement(said, at)).collect::<Result<_, _>>()?,
    })
}

const FORMAT: &str = "OpenVEX";

fn misread(place: impl Into<String>, problem: &str) -> Refused {
    Refused::Misread { format: FORMAT, place: place.into(), problem: problem.to_owned() }
}

fn statement(written: WrittenStatement, at: usize) -> Result<Statement, Refused> {
    let place = |member: &str| format!("statements[{at}].{member}");
    let status = match written.status.as_str() {
        "not_affected" => Status::NotAffected,
        "affected" => Status::Affected,
        "fixed" => Status::Fixed,
        "under_investigation" => Status::UnderInvestigation,
        _ => return Err(misread(place("status"), "the specification knows no such status")),
    };
    let (justification, impact) = (filled(written.justification), filled(written.impact_statement));
    if status == Status::NotAffected && justification.is_none() && impact.is_none() {
        let problem = "`not_affected` needs a `justification` or an `impact_statement`";
        return Err(misread(place("status"), problem));
    }
    let names = match written.vulnerability {
        WrittenVulnerability::Name(name) => vec![name],
        WrittenVulnerability::Object { name, aliases } => {
            std::iter::once(name).chain(aliases).collect()
        }
    };
    let products = written.products.into_iter().map(|product| {
        let parts = match &product {
            WrittenProduct::Name(_) => Vec::new(),
            WrittenProduct::Object { subcomponents, .. } => {
                subcomponents.iter().flat_map(product_names).collect()
            }
        };
        Product { names: product_names(&product), parts }
    });
    Ok(Statement {
        names,
        products: products.collect(),
        status,
        justification,
        impact,
        timestamp: time(written.timestamp.as_deref()),
    })
}

fn product_names(product: &WrittenProduct) -> Vec<String> {
    match product {
        WrittenProduct::Name(name) => vec![name.clone()],
        WrittenProduct::Object { id, identifiers, .. } => {
            id.iter().chain(&identifiers.purl).cloned().collect()
        }
    }
}

#[cfg(test)]
mod tests;
