//! Content discovery: tags, repositories, referrers.

use super::APP;
use super::pushing::Pushed;
use super::step::{Step, step};
use crate::support::images::sha256;

pub(super) fn steps() -> Vec<Step> {
    [tags(), catalog(), referrers()].into_iter().flatten().collect()
}

fn get(name: &'static str, target: impl Into<String>, allows: &'static [u16]) -> Step {
    step(name, "GET", target, allows)
}

fn tags() -> Vec<Step> {
    let list = format!("{APP}/tags/list");
    vec![
        get("all tags", &*list, &[200]),
        get("two tags", format!("{list}?n=2"), &[200]),
        get("two tags after one", format!("{list}?n=2&last=large"), &[200]),
        get("tags after one", format!("{list}?last=multi"), &[200]),
        get("tags after one that is not there", format!("{list}?last=m"), &[200]),
        get("tags after the last", format!("{list}?last=zzz"), &[200]),
        get("no tags", format!("{list}?n=0"), &[200]),
        get("as many tags as there are", format!("{list}?n=9"), &[200]),
        get("more tags than there are", format!("{list}?n=1000"), &[200]),
        get("less than no tags", format!("{list}?n=-1"), &[200, 400]),
        get("how many tags is no number", format!("{list}?n=many"), &[200, 400]),
        step("HEAD of the tags", "HEAD", &*list, &[200, 405]),
        get("tags of an absent repository", "/v2/conform/absent/tags/list", &[404]),
        get("tags of a repository that has only blobs", "/v2/conform/other/tags/list", &[200, 404]),
    ]
}

fn catalog() -> Vec<Step> {
    vec![
        get("all repositories", "/v2/_catalog", &[200]),
        get("one repository", "/v2/_catalog?n=1", &[200]),
        get("the one repository behind it", "/v2/_catalog?n=1&last=conform/app", &[200]),
        get("repositories after one", "/v2/_catalog?n=5&last=conform/app", &[200]),
        get("repositories after the last", "/v2/_catalog?n=5&last=zzz", &[200]),
    ]
}

fn referrers() -> Vec<Step> {
    let Pushed { image, .. } = Pushed::new();
    let at = |digest: &str| format!("{APP}/referrers/{digest}");
    vec![
        get("referrers of an image", at(image.digest()), &[200]),
        get(
            "referrers of one type",
            format!("{}?artifactType=application/vnd.example.sbom", at(image.digest())),
            &[200],
        ),
        get(
            "referrers of a type that nobody has",
            format!("{}?artifactType=application/vnd.example.none", at(image.digest())),
            &[200],
        ),
        get("referrers of what has none", at(&sha256(b"never pushed")), &[200]),
        get("referrers of an absent image", at(&sha256(b"no such image")), &[200]),
        get("referrers of no digest", at("sha256:short"), &[400, 404]),
        get(
            "referrers in an absent repository",
            format!("/v2/conform/absent/referrers/{}", image.digest()),
            &[200, 404],
        ),
    ]
}
