//! Delegations: which files may speak of which images and groups only.

use document::{Mistake, Node};

use super::Lowering;
use crate::path::PathPattern;
use crate::subject_pattern::SubjectPattern;
use crate::written::{DelegationEntry, FilesEntry, SubjectEntry, Word};

impl Lowering<'_> {
    pub(super) fn delegations(&mut self, node: &Node) -> Vec<DelegationEntry> {
        let delegations = self.list(node, "`delegations`", true);
        delegations.iter().filter_map(|node| self.delegation(node)).collect()
    }

    fn delegation(&mut self, node: &Node) -> Option<DelegationEntry> {
        let mut section = node.section("a delegation", self.problems)?;
        let files = section.take("files", self.problems);
        let files = files.and_then(|node| self.files(node));
        let images = section.take("images", self.problems);
        let images = images.map(|node| (node.place, self.images(node, "`images`")));
        let groups = section.take("groups", self.problems);
        let groups = groups.map(|node| self.group_names(node)).unwrap_or_default();
        let mut missing = vec!["files", "images"];
        missing.retain(|key| section.lacks(key));
        let misspelt = section.finish(self.problems);
        missing.retain(|key| !misspelt.contains(key));
        for key in missing {
            let (message, help) = match key {
                "files" => (
                    "a delegation does not say for which files it is",
                    "add `files: \"teams/backend/**\"`, a path from the policy folder on",
                ),
                _ => (
                    "a delegation does not say of which images its files may speak",
                    "add `images: […]`",
                ),
            };
            self.problems.at(node.place, Mistake::new(message).help(help));
        }
        let (images_place, images) = images?;
        for image in &images {
            if image.patterns.iter().any(|pattern| pattern.uses_user || pattern.uses_group) {
                let mistake = Mistake::new("a delegation cannot hold a variable");
                let help = "it is for a file, and nobody has asked yet: write the name, or `*`";
                self.problems.at(image.place, mistake.help(help));
            }
        }
        Some(DelegationEntry { files: files?, images_place, images, groups })
    }

    fn files(&mut self, node: &Node) -> Option<FilesEntry> {
        let files = node.read("`files`", self.problems, files)?;
        let text = node.text("`files`", self.problems)?.to_owned();
        Some(FilesEntry { written: Word { text, place: files.place }, pattern: files.value })
    }

    /// Names of groups, without the `group:` that they have where they are subjects.
    fn group_names(&mut self, node: &Node) -> Vec<SubjectEntry> {
        let items = self.list(node, "`groups`", true);
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            let Some(written) = self.text(item, "the name of a group") else { continue };
            let name = &written.text;
            let read = match name.strip_prefix("group:") {
                Some(bare) => Err(Mistake::new("a delegation names groups without `group:`")
                    .help(format!("write `{bare}`"))),
                None => SubjectPattern::parse(&format!("group:{name}")),
            };
            match read {
                Ok(pattern) => names.push(SubjectEntry { written, pattern }),
                Err(mistake) => self.problems.at(written.place, mistake),
            }
        }
        names
    }
}

/// Reads a pattern over the paths of files. One that can match no path would leave files without
/// their bounds, so whatever may be meant otherwise is refused.
fn files(text: &str) -> Result<PathPattern, Mistake> {
    let refuse = |message: &str, help: &str| Err(Mistake::new(message).help(help));
    if text.is_empty() {
        return refuse("`files` names no file", "`teams/backend/**` is all below that folder");
    }
    if let Some(wrong) = text.chars().find(|&char| "?{}[]!\\".contains(char) || char.is_control()) {
        return refuse(
            &format!("`{}` has no meaning in `files`", wrong.escape_debug()),
            "`*` is anything up to the next `/`, `**` any number of folders",
        );
    }
    for part in text.split('/') {
        if part.is_empty() || part == "." || part == ".." {
            return refuse(
                &format!("`{text}` is no path from the policy folder on"),
                "write it as in `teams/backend/**`, without a `/` at its ends and without `.` and `..`",
            );
        }
        if part.contains("**") && part != "**" {
            return refuse(
                "`**` has to be a whole part of the path",
                "`*` is anything up to the next `/`, `**` any number of folders",
            );
        }
    }
    Ok(PathPattern::of_name(text))
}
