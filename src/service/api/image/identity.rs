//! Whether a report is about the image that it is sent for.

use std::fmt::Write as _;

use http::StatusCode;
use oci::Digest;
use reports::About;

use super::super::problem::Problem;
use super::named::Named;
use super::parts::Part;

/// The image that a report is about, among those that the name stands for: the image itself, or one of
/// an index. `holders` are other manifests under which the registry knows it.
///
/// # Errors
/// It is about another one, or does not say about which one of several.
pub(super) fn about<'p>(
    about: &About,
    image: &Named,
    images: &'p [Part],
    holders: &[Digest],
) -> Result<&'p Part, Problem> {
    let is_this = |named: &Digest| *named == image.digest || holders.contains(named);
    // Engines that keep images by their manifests tell one of these as the id.
    let by_id = about
        .config
        .as_ref()
        .and_then(|id| images.iter().find(|part| part.config == *id || part.digest == *id));
    if let Some(part) = by_id {
        return Ok(part);
    }
    if let Some(id) = about.config.as_ref().filter(|id| !is_this(id)) {
        return Err(mismatch(id, image, images));
    }
    let mut named = images.iter().filter(|part| about.manifests.contains(&part.digest));
    if let (Some(part), None) = (named.next(), named.next()) {
        return Ok(part);
    }
    match about.manifests.first() {
        Some(other) if !about.manifests.iter().any(is_this) => {
            return Err(mismatch(other, image, images));
        }
        _ => {}
    }
    match images {
        [part] => Ok(part),
        [] => Err(refused(format!("{} is no image that a scanner reports of", image.text()))),
        several => Err(refused(ambiguous(image, several))),
    }
}

fn mismatch(told: &Digest, image: &Named, images: &[Part]) -> Problem {
    let mut text = format!("the report is about {told}, and {} is {}", image.text(), image.digest);
    // A text takes whatever is written to it.
    if let [part] = images {
        let _ = write!(text, " with the configuration {}", part.config);
    }
    text += ": nothing was kept; send it for the image that was scanned";
    refused(text)
}

fn ambiguous(image: &Named, images: &[Part]) -> String {
    let name = |part: &Part| {
        let platform = part.platform_text().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{}@{}{platform}", image.repository, part.digest)
    };
    let names: Vec<_> = images.iter().map(name).collect();
    format!(
        "the report does not say which image of the index {} it is about: send it for one of {}",
        image.text(),
        names.join(", ")
    )
}

fn refused(text: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text)
}

#[cfg(test)]
mod tests {
    use oci::Platform;

    use super::*;
    use crate::content::samples::blob;

    fn part(name: &str) -> Part {
        let platform =
            Platform { os: "linux".into(), architecture: name.into(), variant: String::new() };
        Part {
            digest: blob(name),
            config: blob(&format!("config of {name}")),
            platform: Some(platform),
            size: 1,
        }
    }

    fn named(name: &str) -> Named {
        Named {
            repository: "team/app".parse().unwrap(),
            reference: "v1".parse().unwrap(),
            digest: blob(name),
        }
    }

    fn of(manifests: &[&str], config: Option<&str>) -> About {
        About {
            manifests: manifests.iter().map(|name| blob(name)).collect(),
            config: config.map(blob),
        }
    }

    #[test]
    fn a_report_is_held_against_the_image() {
        let (image, parts, holders) = (named("amd64"), [part("amd64")], [blob("index")]);
        let is_taken = |report: &About| about(report, &image, &parts, &holders).is_ok();
        for taken in [
            of(&[], None),
            of(&["amd64"], None),
            of(&["index"], None),
            of(&["elsewhere", "amd64"], None),
            of(&["elsewhere"], Some("config of amd64")),
            of(&["amd64"], Some("amd64")),
            of(&["index"], Some("index")),
        ] {
            assert!(is_taken(&taken), "{taken:?}");
        }
        for other in [
            of(&["elsewhere"], None),
            of(&[], Some("elsewhere")),
            of(&["amd64"], Some("config of another")),
        ] {
            assert!(!is_taken(&other), "{other:?}");
        }
    }

    #[test]
    fn a_report_sent_for_an_index_is_of_the_image_that_it_names() {
        let (image, parts) = (named("index"), [part("amd64"), part("arm64")]);
        let found = |report: &About| about(report, &image, &parts, &[]).ok().cloned();
        let amd64 = Some(part("amd64"));
        assert_eq!(found(&of(&["index"], Some("config of amd64"))), amd64);
        assert_eq!(found(&of(&["index", "amd64"], None)), amd64);
        assert_eq!(found(&of(&["index"], None)), None);
        assert_eq!(found(&of(&[], None)), None);
        assert_eq!(found(&of(&["index"], Some("config of another"))), None);
        let only = [part("amd64")];
        assert!(about(&of(&["index"], None), &image, &only, &[]).is_ok());
    }
}
