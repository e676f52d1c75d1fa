//! Gates.

use document::{Mistake, Node, Place, Section, did_you_mean, listed};

use super::Lowering;
use super::amounts::duration;
use super::values::exactly;
use crate::gate::{Grace, Occasion, Require};
use crate::written::{GateEntry, Word};

/// What is said to a gate without one of these keys.
const NEEDED: [(&str, &str, &str); 3] = [
    ("name", "has no name", "`name: …` appears in refusals and the audit trail"),
    (
        "images",
        "does not say for which images it is",
        "add `images: […]`; every image is `[\"**\"]`",
    ),
    ("require", "does not say what it asks for", "add `require: {…}`"),
];

impl Lowering<'_> {
    pub(super) fn gates(&mut self, node: &Node) -> Vec<GateEntry> {
        let gates = self.list(node, "`gates`", true);
        exactly(gates.len(), gates.iter().filter_map(|node| self.gate(node)))
    }

    fn gate(&mut self, node: &Node) -> Option<GateEntry> {
        let mut section = node.section("a gate", self.problems)?;
        let name = section.take("name", self.problems);
        let name = name.and_then(|node| self.own_name(node, "gate"));
        let images = section.take("images", self.problems);
        let images = images.map(|node| self.constant_images(node, "`images`"));
        let subjects = section.take("subjects", self.problems);
        let subjects = subjects.map(|node| self.subjects(node, "`subjects`")).unwrap_or_default();
        let except = section.take("except", self.problems).map(|node| self.except(node));
        let except = except.unwrap_or_default();
        self.refuse_variables(&except.images, "`except`");
        let on = section.take("on", self.problems).map(|node| self.occasions(node));
        let on = on.unwrap_or_else(|| vec![Occasion::Pull]);
        let require = section.take("require", self.problems);
        let (require, flags) = require.map(|node| self.require(node, &on)).unwrap_or_default();
        let grace = section.take("grace", self.problems);
        let grace = grace.map(|node| self.grace(node, &require)).unwrap_or_default();
        let is_enforced = self.mode(&mut section);
        section.read("comment", self.problems, |_| Ok(()));
        let mut missing: Vec<_> =
            NEEDED.into_iter().filter(|(key, ..)| section.lacks(key)).collect();
        let misspelt = section.finish(self.problems);
        missing.retain(|(key, ..)| !misspelt.contains(key));
        let called = match &name {
            Some(name) => format!("gate `{}`", name.text),
            None => "a gate".to_owned(),
        };
        for (_, message, help) in missing {
            self.problems.at(node.place, Mistake::new(format!("{called} {message}")).help(help));
        }
        Some(GateEntry {
            name: name.unwrap_or(Word { text: String::new(), place: node.place }),
            images: images.unwrap_or_default(),
            subjects,
            except,
            on,
            require,
            flags,
            grace,
            is_enforced,
        })
    }

    fn occasions(&mut self, node: &Node) -> Vec<Occasion> {
        let words = Occasion::ALL.map(|it| (it.as_str(), it));
        let mut occasions = Vec::new();
        for item in self.list(node, "`on`", false) {
            let read = |text: &str| word(text, &words, "occasion");
            let occasion = item.read("an occasion", self.problems, read);
            occasions.extend(occasion.map(|occasion| occasion.value));
        }
        occasions
    }

    fn mode(&mut self, section: &mut Section<'_>) -> bool {
        let modes = [("enforce", true), ("audit", false)];
        let read = |text: &str| word(text, &modes, "mode");
        section.read("mode", self.problems, read).is_none_or(|mode| mode.value)
    }

    fn grace(&mut self, node: &Node, require: &Require) -> Grace {
        let Some(mut section) = node.section("`grace`", self.problems) else {
            return Grace::default();
        };
        let mut places: Vec<(&'static str, Place)> = Vec::new();
        let mut read = |key: &'static str, this: &mut Self| {
            let entry = section.entry(key, this.problems)?;
            places.push((key, entry.key_place));
            let what = format!("`{key}`");
            Some(entry.value.read(&what, this.problems, duration)?.value)
        };
        let grace = Grace {
            new_finding: read("new_finding", self),
            report_too_old: read("report_too_old", self),
            scan_failed: read("scan_failed", self),
            flag_expired: read("flag_expired", self),
        };
        section.finish(self.problems);
        let scans = require.vulnerabilities.as_ref();
        for (key, place) in places {
            let (is_asked, what) = match key {
                "flag_expired" => (!require.flags.is_empty(), "flags"),
                "report_too_old" => {
                    (scans.is_some_and(|it| it.max_report_age.is_some()), "max_report_age")
                }
                _ => (scans.is_some(), "vulnerabilities"),
            };
            if !is_asked {
                let mistake = Mistake::new(format!("the grace `{key}` has no effect"))
                    .label(format!("the gate does not ask for `{what}`"))
                    .help("remove it, or ask for that");
                self.problems.warn(place, mistake);
            }
        }
        grace
    }
}

/// One of some words.
pub(crate) fn word<T: Copy>(text: &str, words: &[(&str, T)], what: &str) -> Result<T, Mistake> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let help = did_you_mean(text, all.iter().copied());
        let help = help.unwrap_or_else(|| format!("write one of {}", listed(&all)));
        Mistake::new(format!("unknown {what} `{text}`")).help(help)
    })
}
