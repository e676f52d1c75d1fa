//! What somebody typed, and how well a name fits it.

use std::borrow::Cow;

use memchr::memmem::Finder;
use oci::{Digest, Tag};

use super::near::Typed;

/// How well something fits; the smaller, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// It is a part of the name, from one separator to the next.
    Whole,
    /// A part of the name begins like it.
    Begins,
    /// It is somewhere in the name.
    Within,
    /// A part of the name, or its beginning, differs in one letter.
    Nearly,
    /// It is in a label.
    Label,
}

/// From this length on, hexadecimal digits may be a digest's.
const DIGEST: usize = 7;

/// From this length on, a word is looked for in labels, which are long.
const LABEL: usize = 3;

/// The most words that are looked at, and letters of each.
const MAX_WORDS: usize = 16;
const MAX_LENGTH: usize = 256;

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Words(Vec<Word>);

#[derive(Debug, Clone)]
struct Word {
    text: String,
    typed: Typed,
    /// Finds the text in a name.
    in_name: Finder<'static>,
    /// Finds what a label has to contain.
    in_label: Finder<'static>,
    /// Nothing but a label will do.
    is_label: bool,
    /// The hexadecimal digits with which a digest may begin.
    digest: Option<String>,
    /// Name and tag as clients write them.
    image: Option<(String, String)>,
    /// The name before a digest. Nothing but that image will do.
    pinned: Option<String>,
}

/// What is in an image that was found by a tag.
pub(crate) trait Inside {
    /// Whether a label contains that.
    fn has_label(&self, wanted: &Finder<'_>) -> bool;

    /// Whether it, or a part of it as an index, is such a manifest.
    fn has_part(&self, is_wanted: impl Fn(&Digest) -> bool) -> bool;
}

/// How well a name alone fits each word.
pub(crate) struct OfName {
    fits: Vec<Option<Fit>>,
    name: String,
}

impl Words {
    /// Reads a query: words between spaces, in whatever case.
    pub(crate) fn new(query: &str) -> Self {
        let words = query.split_whitespace().take(MAX_WORDS).map(|word| {
            let text: String = word.to_lowercase().chars().take(MAX_LENGTH).collect();
            let pinned = text.split_once('@').filter(|(_, digest)| hex(digest).is_some());
            let hex = hex(pinned.map_or(&text, |(_, digest)| digest));
            let digits = hex.unwrap_or(&text);
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let digest =
                (is_hex && (hex.is_some() || digits.len() >= DIGEST)).then(|| digits.to_owned());
            let image = text.rsplit_once(':').filter(|_| hex.is_none());
            let image = image.map(|(name, tag)| (name.to_owned(), tag.to_owned()));
            // With both, clients go by the digest.
            let pinned = pinned.map(|(name, _)| name.split(':').next().unwrap_or(name).to_owned());
            let label = match text.strip_prefix("label:") {
                Some(label) => Some(label.to_owned()),
                // No name, tag or digest has such a sign.
                None => text.contains('=').then(|| format!("\n{text}")),
            };
            Word {
                typed: Typed::new(&text),
                in_name: Finder::new(&text).into_owned(),
                in_label: Finder::new(label.as_ref().unwrap_or(&text)).into_owned(),
                is_label: label.is_some(),
                digest,
                image,
                pinned,
                text,
            }
        });
        Self(words.collect())
    }

    /// Nothing was typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a tag begins with a word that is long enough to mean it.
    pub(crate) fn begin(&self, tag: &Tag) -> bool {
        self.0.iter().any(|word| word.text.len() > DIGEST && tag.as_str().starts_with(&word.text))
    }

    /// The word, if it is one alone and plain enough to name a package.
    pub(crate) fn single(&self) -> Option<&str> {
        let [word] = self.0.as_slice() else { return None };
        // As `@babel/core` is called.
        let name = word.text.strip_prefix('@').unwrap_or(&word.text);
        (!name.contains([':', '=', '@'])).then_some(&word.text)
    }

    /// How well the name of a repository fits.
    pub(crate) fn of_name(&self, name: &str) -> OfName {
        let fits = self.0.iter().map(|word| word.fit(name)).collect();
        OfName { fits, name: name.to_owned() }
    }

    /// How well a tag of that repository fits, by the worst of all words; none where one does not.
    /// The labels are asked for where nothing else fits.
    pub(crate) fn fit(
        &self,
        of_name: &OfName,
        (tag, digest): (&str, &Digest),
        inside: &impl Inside,
    ) -> Option<Fit> {
        let mut worst = Fit::Whole;
        if self.0.is_empty() {
            return Some(worst);
        }
        let tag = lower(tag);
        for (word, in_name) in self.0.iter().zip(&of_name.fits) {
            let best = word.fit_named(*in_name, (&of_name.name, &tag), digest);
            let best = best.or_else(|| word.fit_part(&of_name.name, inside));
            worst = worst.max(best.or_else(|| word.fit_labels(inside))?);
        }
        Some(worst)
    }

    /// Of the labels of an image, the one for which it was found, where its name does not say why.
    pub(crate) fn label<'a>(
        &self,
        (name, tag, digest): (&str, &str, &Digest),
        labels: &'a str,
    ) -> Option<&'a str> {
        let tag = lower(tag);
        let by_label = self.0.iter().filter(|word| {
            word.fit_named(word.fit(name), (name, &tag), digest).is_none() && word.is_for_labels()
        });
        by_label.filter_map(|word| line_at(labels, word.in_label.find(labels.as_bytes())?)).next()
    }
}

/// What follows the name of an algorithm.
fn hex(text: &str) -> Option<&str> {
    text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha512:"))
}

fn lower(tag: &str) -> Cow<'_, str> {
    match tag.bytes().any(|letter| letter.is_ascii_uppercase()) {
        true => Cow::Owned(tag.to_lowercase()),
        false => Cow::Borrowed(tag),
    }
}

/// The line that holds that place, or that the end of a line there begins.
fn line_at(text: &str, at: usize) -> Option<&str> {
    let (before, behind) = text.split_at_checked(at)?;
    let begin = match behind.starts_with('\n') {
        true => at + 1,
        false => before.rfind('\n').map_or(0, |end| end + 1),
    };
    text.get(begin..)?.lines().next()
}

impl Word {
    fn fit(&self, name: &str) -> Option<Fit> {
        if let Some(at) = self.in_name.find(name.as_bytes()) {
            return Some(self.fit_at(name, at));
        }
        self.typed.is_near(name).then_some(Fit::Nearly)
    }

    /// It is in the name there, and perhaps in better places behind.
    fn fit_at(&self, name: &str, first: usize) -> Fit {
        let mut best = Fit::Within;
        let rest = name.get(first..).unwrap_or_default();
        for (at, _) in rest.match_indices(&self.text) {
            let at = first + at;
            let before = name.get(..at).and_then(|text| text.chars().next_back());
            let after = name.get(at + self.text.len()..).and_then(|text| text.chars().next());
            let begins = before.is_none_or(is_separator);
            let ends = after.is_none_or(is_separator);
            best = best.min(match (begins, ends) {
                (true, true) => Fit::Whole,
                (true, false) => Fit::Begins,
                _ => Fit::Within,
            });
        }
        best
    }

    /// How well all that names an image fits.
    fn fit_named(
        &self,
        in_name: Option<Fit>,
        (name, tag): (&str, &str),
        digest: &Digest,
    ) -> Option<Fit> {
        if self.is_label {
            return None;
        }
        if let Some(wanted) = &self.pinned {
            return self.fit_digest(digest).filter(|_| name.ends_with(wanted.as_str()));
        }
        let fits = [in_name, self.fit(tag), self.fit_digest(digest), self.fit_image(name, tag)];
        fits.into_iter().flatten().min()
    }

    fn is_for_labels(&self) -> bool {
        self.is_label || self.typed.len() >= LABEL
    }

    fn fit_labels(&self, inside: &impl Inside) -> Option<Fit> {
        (self.is_for_labels() && inside.has_label(&self.in_label)).then_some(Fit::Label)
    }

    fn fit_digest(&self, digest: &Digest) -> Option<Fit> {
        let wanted = self.digest.as_deref()?;
        let written = digest.to_string();
        let (_, digits) = written.split_once(':')?;
        digits.starts_with(wanted).then_some(Fit::Begins)
    }

    /// A platform of an index leads to the index.
    fn fit_part(&self, name: &str, inside: &impl Inside) -> Option<Fit> {
        let wanted = self.pinned.as_ref().filter(|wanted| name.ends_with(wanted.as_str()));
        let is_part = |digest: &Digest| self.fit_digest(digest).is_some();
        (wanted.is_some() && inside.has_part(is_part)).then_some(Fit::Within)
    }

    fn fit_image(&self, name: &str, tag: &str) -> Option<Fit> {
        let (wanted_name, wanted_tag) = self.image.as_ref()?;
        let fits = (wanted_name.is_empty() || name.ends_with(wanted_name.as_str()))
            && tag.starts_with(wanted_tag.as_str());
        match fits {
            true if tag == wanted_tag => Some(Fit::Whole),
            true => Some(Fit::Begins),
            false => self.typed.is_near_tag(name, tag).then_some(Fit::Nearly),
        }
    }
}

pub(super) fn is_separator(letter: char) -> bool {
    matches!(letter, '/' | '-' | '_' | '.' | ':')
}
