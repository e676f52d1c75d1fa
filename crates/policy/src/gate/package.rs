//! Which packages an exception is about.

use std::fmt;

use super::facts::FindingFact;
use crate::glob::{Bindings, Glob};

/// A pattern over package URLs, or over names of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PackagePattern {
    /// `pkg:deb/debian/zlib*`: without a version in it, it is about every version.
    Purl(Glob),
    /// `zlib*`
    Name(Glob),
}

impl PackagePattern {
    pub(crate) fn new(text: &str) -> Self {
        let glob = Glob::of_name(text);
        if text.starts_with("pkg:") { Self::Purl(glob) } else { Self::Name(glob) }
    }

    /// A finding without a package URL is in no package that a pattern over these is about.
    pub(super) fn matches(&self, finding: &FindingFact) -> bool {
        let matches = |glob: &Glob, text: &str| glob.matches(text, Bindings::default());
        match self {
            Self::Name(glob) => matches(glob, &finding.package),
            Self::Purl(glob) => finding
                .purl
                .as_deref()
                .is_some_and(|purl| forms(purl).iter().any(|form| matches(glob, form))),
        }
    }
}

/// A package URL as it is, without its qualifiers, and without its version too.
fn forms(purl: &str) -> [&str; 3] {
    let plain = purl.split(['?', '#']).next().unwrap_or(purl);
    // A version follows the last `@`; one in the name is written `%40`.
    let nameless = plain.rsplit_once('@').map_or(plain, |(package, _)| package);
    [purl, plain, nameless]
}

/// Whether what a maker calls `product` is where the finding is. A URL with qualifiers is about
/// packages that have just these.
pub(super) fn is_product(product: &str, finding: &FindingFact) -> bool {
    if product.starts_with("pkg:") {
        finding.purl.as_deref().is_some_and(|purl| forms(purl).contains(&product))
    } else {
        product == finding.package
    }
}

impl fmt::Display for PackagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Purl(glob) | Self::Name(glob)) = self;
        write!(f, "{glob}")
    }
}
