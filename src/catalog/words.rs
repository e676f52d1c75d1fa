//! What somebody typed, and how well a name fits it.

use std::borrow::Cow;

use oci::{Digest, Tag};

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

/// From this length on, one wrong letter is forgiven: shorter words are too much alike.
const FORGIVEN: usize = 5;

/// From this length on, hexadecimal digits may be a digest's.
const DIGEST: usize = 7;

/// From this length on, a word is looked for in labels, which are long.
const LABEL: usize = 3;

/// The most words that are looked at, and letters of each.
const MAX_WORDS: usize = 16;
const MAX_LENGTH: usize = 256;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(Vec<Word>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    letters: Vec<char>,
    /// The hexadecimal digits with which a digest may begin.
    digest: Option<String>,
    /// What a label has to contain, and nothing else will do.
    label: Option<String>,
    /// Name and tag as clients write them.
    image: Option<(String, String)>,
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
            let hex = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha512:"));
            let digits = hex.unwrap_or(&text);
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let digest =
                (is_hex && (hex.is_some() || digits.len() >= DIGEST)).then(|| digits.to_owned());
            let image = text.rsplit_once(':').filter(|_| hex.is_none());
            let image = image.map(|(name, tag)| (name.to_owned(), tag.to_owned()));
            let label = match text.strip_prefix("label:") {
                Some(label) => Some(label.to_owned()),
                // No name, tag or digest has such a sign.
                None => text.contains('=').then(|| format!("\n{text}")),
            };
            Word { letters: text.chars().collect(), digest, label, image, text }
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
        Some(word.text.as_str()).filter(|text| !text.contains([':', '=', '@']))
    }

    /// How well the name of a repository fits.
    pub(crate) fn of_name(&self, name: &str) -> OfName {
        let fits = self.0.iter().map(|word| word.fit(name)).collect();
        OfName { fits, name: name.to_owned() }
    }

    /// How well a tag of that repository fits, by the worst of all words; none where one does not.
    /// The labels are asked for where nothing else fits.
    pub(crate) fn fit<'a>(
        &self,
        of_name: &OfName,
        tag: &str,
        digest: &Digest,
        labels: impl Fn() -> Vec<&'a str>,
    ) -> Option<Fit> {
        let mut worst = Fit::Whole;
        if self.0.is_empty() {
            return Some(worst);
        }
        let tag = match tag.bytes().any(|letter| letter.is_ascii_uppercase()) {
            true => Cow::Owned(tag.to_lowercase()),
            false => Cow::Borrowed(tag),
        };
        for (word, in_name) in self.0.iter().zip(&of_name.fits) {
            let best = [
                *in_name,
                word.fit(&tag),
                word.fit_digest(digest),
                word.fit_image(&of_name.name, &tag),
            ];
            let best = best.into_iter().flatten().min().filter(|_| word.label.is_none());
            worst = worst.max(best.or_else(|| word.fit_labels(&labels()))?);
        }
        Some(worst)
    }
}

impl Word {
    fn fit(&self, name: &str) -> Option<Fit> {
        if let Some(at) = name.find(&self.text) {
            return Some(self.fit_at(name, at));
        }
        // The text that differs in one letter is of about the same length.
        let is_near = self.letters.len() >= FORGIVEN
            && parts(name).any(|part| nearly_begins(part, &self.letters));
        is_near.then_some(Fit::Nearly)
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

    fn fit_labels(&self, labels: &[&str]) -> Option<Fit> {
        let wanted = self.label.as_deref().unwrap_or(&self.text);
        let is_there = |label: &&str| label.contains(wanted);
        let is_long = self.label.is_some() || self.letters.len() >= LABEL;
        (is_long && labels.iter().any(is_there)).then_some(Fit::Label)
    }

    fn fit_digest(&self, digest: &Digest) -> Option<Fit> {
        let wanted = self.digest.as_deref()?;
        let written = digest.to_string();
        let (_, digits) = written.split_once(':')?;
        digits.starts_with(wanted).then_some(Fit::Begins)
    }

    fn fit_image(&self, name: &str, tag: &str) -> Option<Fit> {
        let (wanted_name, wanted_tag) = self.image.as_ref()?;
        let fits = (wanted_name.is_empty() || name.ends_with(wanted_name.as_str()))
            && tag.starts_with(wanted_tag.as_str());
        fits.then(|| if tag == wanted_tag { Fit::Whole } else { Fit::Begins })
    }
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '/' | '-' | '_' | '.' | ':')
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(is_separator).filter(|part| part.len() + 1 >= FORGIVEN)
}

/// Whether a part of a name, or its beginning, is the word but for one letter that is wrong, missing
/// or too much, or two that changed places.
fn nearly_begins(part: &str, word: &[char]) -> bool {
    let part: Vec<char> = part.chars().take(word.len() + 1).collect();
    let same = part.iter().zip(word).take_while(|(one, other)| one == other).count();
    let (part, word) = (part.get(same..).unwrap_or_default(), word.get(same..).unwrap_or_default());
    let begins = |part: &[char], word: &[char]| part.starts_with(word);
    let after = |letters: &[char], count: usize| letters.get(count..).unwrap_or_default().to_vec();
    match (part, word) {
        (_, []) => true,
        ([], [_]) => true,
        ([], _) => false,
        ([a, b, ..], [c, d, ..])
            if a == d && b == c && begins(&after(part, 2), &after(word, 2)) =>
        {
            true
        }
        _ => {
            let wrong = begins(&after(part, 1), &after(word, 1));
            let missing = begins(&after(part, 1), word);
            let too_much = begins(part, &after(word, 1));
            wrong || missing || too_much
        }
    }
}
