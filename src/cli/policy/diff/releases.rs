//! Flags, gates and exceptions that differ, as text: what they come to depends on the images.

use policy::gate::ReleaseChange;
use serde::Serialize;

use super::told::Told;

/// A paragraph with a line for each; nothing where there are none.
pub(super) fn releases_text(releases: &[ReleaseChange]) -> String {
    let lines: Vec<_> = releases.iter().map(ToString::to_string).collect();
    if lines.is_empty() { String::new() } else { format!("\n\n{}", lines.join("\n")) }
}

/// A comparison as programs read it, with these.
#[derive(Serialize)]
pub(super) struct WithReleases<'a> {
    #[serde(flatten)]
    told: Told<'a>,
    releases: Vec<ToldRelease<'a>>,
}

#[derive(Serialize)]
struct ToldRelease<'a> {
    /// `flag`, `gate` or `exception`.
    kind: &'static str,
    name: &'a str,
    /// `added`, `removed` or `changed`.
    change: &'static str,
    gone: &'a [String],
    new: &'a [String],
}

impl<'a> WithReleases<'a> {
    pub(super) fn of(told: Told<'a>, releases: &'a [ReleaseChange]) -> Self {
        let release = |it: &'a ReleaseChange| ToldRelease {
            kind: it.kind,
            name: &it.name,
            change: match it.is_in {
                [false, _] => "added",
                [_, false] => "removed",
                [true, true] => "changed",
            },
            gone: &it.gone,
            new: &it.new,
        };
        Self { told, releases: releases.iter().map(release).collect() }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use jiff::Timestamp;
    use policy::gate::compare_releases;
    use policy::{Policy, SourceFile, compare};

    use super::*;

    #[test]
    fn what_a_gate_asks_for_otherwise_is_shown_in_its_own_words() {
        let compile = |text: &str| {
            let file = SourceFile { path: "a.yaml".into(), text: text.into() };
            Policy::compile(&[file]).unwrap_or_else(|errors| panic!("{errors}")).policy
        };
        let old = compile(
            "flags: {tested: {}}\n\
             gates:\n\
             \x20 - {name: age, images: ['b/**', 'a/**'], require: {max_age: 90d}}\n\
             \x20 - {name: same, images: ['a/**', 'b/**'], require: {max_age: 48h}}\n\
             \x20 - {name: keys, images: [a], require: {signed_by: [k]}}\n",
        );
        let new = compile(
            "flags: {tested: {expires_after: 90d}, new: {}}\n\
             gates:\n\
             \x20 - {name: age, images: ['a/**', 'b/**'], require: {max_age: 30d}, mode: audit}\n\
             \x20 - {name: same, images: ['b/**', 'a/**'], require: {max_age: 2d}}\n\
             exceptions:\n\
             \x20 - {cve: CVE-1, images: [a], reason: not reachable, by: 'user:a', expires: 2027-01-01}\n",
        );
        let releases = compare_releases(&old, &new);
        assert_snapshot!(releases_text(&releases).trim(), @"
        flag new is new
        flag tested: now expires_after: 90d
        gate age: now max_age: 30d; mode: audit; no longer max_age: 90d
        gate keys is gone
        exception CVE-1 is new: in a until 2027-01-01T00:00:00Z, by user:a: not reachable
        ");
        let comparison = compare(&old, &new, Timestamp::UNIX_EPOCH);
        let told = WithReleases::of(Told::of(&comparison, None), &releases);
        let json = serde_json::to_value(told).unwrap();
        assert_eq!(json["releases"][3]["change"], "removed");
        assert_eq!(json["releases"][2]["new"], serde_json::json!(["max_age: 30d", "mode: audit"]));
        assert_eq!(releases_text(&compare_releases(&old, &old)), "");
    }
}
