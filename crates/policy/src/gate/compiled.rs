//! Gates, and which of them stand before an image.

use std::collections::HashMap;
use std::sync::Arc;

use oci::{RepositoryName, Tag};
use smallvec::SmallVec;

use super::base::BaseImages;
use super::require::{Grace, Require};
use crate::caller::Caller;
use crate::decide::RuleRef;
use crate::glob::Bindings;
use crate::image_pattern::{ImagePattern, TagPattern, Undecided};
use crate::policy::Policy;
use crate::prefix_map::PrefixMap;
use crate::subjects::{Role, Scope, Standing};

/// When a gate is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// An image is read.
    Pull,
    /// A tag is set.
    Push,
}

impl Occasion {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Pull, Self::Push];

    /// The word in policy files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

/// A gate, ready to judge.
#[derive(Debug, PartialEq)]
pub struct Gate {
    pub(crate) name: Box<str>,
    pub(crate) file: Arc<str>,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) images: Box<[ImagePattern]>,
    /// In order, each once.
    pub(crate) subjects: Box<[Role]>,
    pub(crate) except_subjects: Box<[Role]>,
    pub(crate) except_images: Box<[ImagePattern]>,
    pub(crate) on: Vec<Occasion>,
    pub(crate) require: Require,
    pub(crate) grace: Grace,
    pub(crate) is_enforced: bool,
    /// As it was written but for its name and place, in one form: to be compared and shown.
    pub(crate) told: GateText,
}

/// What a gate says, in the words of policy files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GateText {
    pub(crate) subjects: Vec<String>,
    pub(crate) except_subjects: Vec<String>,
}

/// The facts that gates look at. What is not needed need not be gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each fact is needed or not, whatever the others"
)]
pub struct Needs {
    /// Flags on the digest, and on indexes that hold it.
    pub flags: bool,
    /// Likewise, signatures.
    pub signatures: bool,
    /// Labels of the config.
    pub labels: bool,
    /// When it was first seen.
    pub first_seen: bool,
    /// What the manifest shows: its size and the types of its layers.
    pub shape: bool,
    /// Reports of scanners.
    pub vulnerabilities: bool,
}

/// The gates before one image, in the order of their names.
pub type Gates<'p> = SmallVec<[&'p Arc<Gate>; 2]>;

/// All gates of a policy.
#[derive(Debug, Default)]
pub(crate) struct GateIndex {
    /// In the order of their names.
    gates: Vec<Arc<Gate>>,
    /// By the literal beginning of the repository: a gate and one of its patterns.
    filed: PrefixMap<Vec<(u32, u32)>>,
}

impl GateIndex {
    /// `gates` are in the order of their names.
    pub(crate) fn new(gates: Vec<Arc<Gate>>) -> Self {
        let mut by_beginning: HashMap<&str, Vec<(u32, u32)>> = HashMap::new();
        for (number, gate) in (0_u32..).zip(&gates) {
            for (place, image) in (0_u32..).zip(&gate.images) {
                let beginning = image.repository.literal_prefix();
                by_beginning.entry(beginning).or_default().push((number, place));
            }
        }
        let mut filed = PrefixMap::default();
        for (beginning, entries) in by_beginning {
            filed.insert(beginning, entries);
        }
        Self { gates, filed }
    }

    pub(crate) fn all(&self) -> &[Arc<Gate>] {
        &self.gates
    }
}

impl Policy {
    /// The gates, in the order of their names.
    pub fn gates(&self) -> impl ExactSizeIterator<Item = &Arc<Gate>> {
        self.gates.all().iter()
    }

    /// The gate of that name.
    #[must_use]
    pub fn gate(&self, name: &str) -> Option<&Arc<Gate>> {
        let gates = self.gates.all();
        gates.binary_search_by(|gate| (*gate.name).cmp(name)).ok().and_then(|at| gates.get(at))
    }

    /// The gates that stand before an image, for this caller. With a tag, those that match it.
    /// Without one, each that matches anything in the repository, but for those that leave out all
    /// of it. Who the caller is counts with all groups, whatever its credential carries: so carrying
    /// less escapes no gate.
    #[must_use]
    pub fn gates_for<'p>(
        &'p self,
        caller: &Caller,
        on: Occasion,
        repository: &RepositoryName,
        tag: Option<&Tag>,
    ) -> Gates<'p> {
        let found = self.gates_before(on, repository, tag);
        if found.is_empty() {
            return found;
        }
        let standing = Standing::new(&self.subjects, caller);
        found.into_iter().filter(|gate| gate.is_for(&standing)).collect()
    }

    /// The gates that stand before an image for whomever they do, in the order of their names.
    /// Otherwise as [`Policy::gates_for`].
    #[must_use]
    pub fn gates_before(
        &self,
        on: Occasion,
        repository: &RepositoryName,
        tag: Option<&Tag>,
    ) -> Gates<'_> {
        let mut found: SmallVec<[u32; 4]> = SmallVec::new();
        for (rest, filed) in self.gates.filed.candidates(repository.as_str()) {
            for &(number, place) in filed {
                let Some(gate) = self.gates.gates.get(number as usize) else { continue };
                let Some(image) = gate.images.get(place as usize) else { continue };
                let is_there = gate.on.contains(&on)
                    && !found.contains(&number)
                    && image.repository.matches_after_literal(rest, Bindings::default());
                if is_there && matches_tag(&image.tags, tag) {
                    found.push(number);
                }
            }
        }
        found.sort_unstable();
        let gates = found.iter().filter_map(|&number| self.gates.gates.get(number as usize));
        gates.filter(|gate| !gate.leaves_out(repository, tag)).collect()
    }
}

/// What is untagged is behind every gate that is about any tag; and a gate holds what a pattern
/// cannot decide.
fn matches_tag(pattern: &TagPattern, tag: Option<&Tag>) -> bool {
    tag.is_none_or(|tag| {
        pattern.matches(Some(tag.as_str()), Bindings::default(), Undecided::Matches)
    })
}

impl Gate {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> RuleRef<'_> {
        RuleRef { name: &self.name, file: &self.file, line: self.line }
    }

    /// When it is passed.
    #[must_use]
    pub fn on(&self) -> &[Occasion] {
        &self.on
    }

    /// What it lets images be built on; nothing, if it lets them be built on anything.
    #[must_use]
    pub fn base_images(&self) -> &[BaseImages] {
        &self.require.base_images
    }

    /// Whether it holds what it judges so, or only watches.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        self.is_enforced
    }

    /// The facts that it looks at.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let require = &self.require;
        Needs {
            flags: !require.flags.is_empty(),
            signatures: !require.signed_by.is_empty(),
            labels: !require.labels.is_empty(),
            first_seen: require.max_age.is_some(),
            shape: require.max_size.is_some() || !require.media_types.is_empty(),
            vulnerabilities: require.vulnerabilities.is_some(),
        }
    }

    fn is_for(&self, standing: &Standing<'_>) -> bool {
        standing.is_one_of(&self.subjects, Scope::Held)
            && !standing.is_one_of(&self.except_subjects, Scope::Held)
    }

    fn leaves_out(&self, repository: &RepositoryName, tag: Option<&Tag>) -> bool {
        let tag = tag.map(Tag::as_str);
        self.except_images.iter().any(|image| {
            image.repository.matches(repository.as_str(), Bindings::default())
                && image.tags.matches(tag, Bindings::default(), Undecided::Differs)
        })
    }
}

impl std::ops::BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            flags: self.flags || other.flags,
            signatures: self.signatures || other.signatures,
            labels: self.labels || other.labels,
            first_seen: self.first_seen || other.first_seen,
            shape: self.shape || other.shape,
            vulnerabilities: self.vulnerabilities || other.vulnerabilities,
        }
    }
}
