//! Vulnerabilities that are let pass for a while.

use document::{Mistake, Node, Value};
use oci::{Digest, RepositoryName};
use reports::VulnerabilityId;

use super::Lowering;
use super::conditions::time;
use crate::caller::Subject;
use crate::gate::{Covered, PackagePattern};
use crate::image_pattern::{ImagePattern, TagPattern};
use crate::written::{ExceptionEntry, ImageEntry};

/// What is said to an exception without one of these keys.
const NEEDED: [(&str, &str, &str); 5] = [
    ("cve", "names no vulnerability", "add `cve: CVE-…`, or another of its names"),
    ("images", "does not say for which images it is", "add `images: […]`, repositories or digests"),
    ("reason", "has no reason", "add `reason: …`, for whoever finds it in a year"),
    ("by", "does not say who answers for it", "add `by: user:NAME`"),
    ("expires", "never ends", "add `expires: …`, a date until which it is looked at again"),
];

/// The longest text that is kept of each.
const MAX: usize = 500;

impl Lowering<'_> {
    pub(super) fn exceptions(&mut self, node: &Node) -> Vec<ExceptionEntry> {
        let exceptions = self.list(node, "`exceptions`", true);
        exceptions.iter().filter_map(|node| self.exception(node)).collect()
    }

    fn exception(&mut self, node: &Node) -> Option<ExceptionEntry> {
        let mut section = node.section("an exception", self.problems)?;
        let cve = section.read("cve", self.problems, vulnerability);
        let package = section.read("package", self.problems, package);
        let images = section.take("images", self.problems).map(|node| self.covered(node));
        let reason = section.read("reason", self.problems, line);
        let by = section.read("by", self.problems, author);
        let expires = section.read("expires", self.problems, time);
        let mut missing: Vec<_> =
            NEEDED.into_iter().filter(|(key, ..)| section.lacks(key)).collect();
        let misspelt = section.finish(self.problems);
        missing.retain(|(key, ..)| !misspelt.contains(key));
        let called = match &cve {
            Some(cve) => format!("the exception for {}", cve.value),
            None => "an exception".to_owned(),
        };
        for (_, message, help) in missing {
            self.problems.at(node.place, Mistake::new(format!("{called} {message}")).help(help));
        }
        Some(ExceptionEntry {
            place: node.place,
            cve: cve?.value,
            package: package.map(|package| package.value),
            images: images?,
            reason: reason?.value,
            by: by?.value,
            expires: expires?,
        })
    }

    fn covered(&mut self, node: &Node) -> Vec<Covered> {
        let mut covered = Vec::new();
        for item in self.list(node, "`images`", false) {
            if let Value::Text(text) = &item.value
                && (text.contains('@')
                    || text.starts_with("sha256:")
                    || text.starts_with("sha512:"))
            {
                let read = item.read("an image", self.problems, by_digest);
                covered.extend(read.map(|read| read.value));
                continue;
            }
            let Some(ImageEntry { patterns, place }) = self.image(item) else { continue };
            for ImagePattern { repository, tags, uses_user, uses_group } in patterns {
                let mistake = if tags != TagPattern::Whole {
                    Mistake::new("an exception cannot be for a tag")
                        .label("a tag moves, and the exception would move with it")
                        .help(
                            "name the repository, or the digest that is meant: `prod/api@sha256:…`",
                        )
                } else if uses_user || uses_group {
                    Mistake::new("a variable cannot stand in an exception").help(
                        "what is let pass does not depend on its reader: write the name, or `*`",
                    )
                } else {
                    covered.push(Covered::Repositories(repository));
                    continue;
                };
                self.problems.at(place, mistake);
            }
        }
        covered
    }
}

fn by_digest(text: &str) -> Result<Covered, Mistake> {
    let (repository, digest) = match text.split_once('@') {
        Some((repository, digest)) => (Some(repository), digest),
        None => (None, text),
    };
    if let Some((repository, tag)) = repository.and_then(|name| name.split_once(':')) {
        return Err(Mistake::new("a digest is enough")
            .label(format!("the tag `{tag}` may move on"))
            .help(format!("write `{repository}@{digest}`")));
    }
    let repository = repository.map(RepositoryName::new).transpose();
    let repository = repository.map_err(|error| Mistake::of(&error))?;
    Ok(Covered::Digest(repository, Digest::new(digest).map_err(|error| Mistake::of(&error))?))
}

fn vulnerability(text: &str) -> Result<VulnerabilityId, Mistake> {
    let plain = VulnerabilityId::new(text).filter(|id| id.as_str() == text && !text.contains('*'));
    plain.ok_or_else(|| {
        Mistake::new(format!("`{}` names no vulnerability", text.escape_debug()))
            .help("write one name, such as `CVE-2024-1234` or `GHSA-…`, without wildcards")
    })
}

fn package(text: &str) -> Result<PackagePattern, Mistake> {
    let text = line(text)?;
    Ok(PackagePattern::new(&text))
}

/// Text of one line that says something.
fn line(text: &str) -> Result<String, Mistake> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Mistake::new("it says nothing").help("write a few words"));
    }
    if text.len() > MAX || text.chars().any(char::is_control) {
        return Err(Mistake::new("it is too long, or more than one line")
            .help(format!("write at most {MAX} characters in one line")));
    }
    Ok(text.to_owned())
}

fn author(text: &str) -> Result<String, Mistake> {
    match text.parse() {
        Ok(Subject::User(_) | Subject::Service(_)) => Ok(text.to_owned()),
        _ => Err(Mistake::new(format!("`{}` cannot answer for it", text.escape_debug()))
            .help("name somebody: `user:NAME`")),
    }
}
