//! What somebody typed, and how well a name fits it.

use std::borrow::Cow;
use std::str::Chars;

use memchr::memmem::Finder;
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
#[derive(Debug, Clone)]
pub(crate) struct Words(Vec<Word>);

#[derive(Debug, Clone)]
struct Word {
    text: String,
    letters: Vec<char>,
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
            Word {
                letters: text.chars().collect(),
                in_name: Finder::new(&text).into_owned(),
                in_label: Finder::new(label.as_ref().unwrap_or(&text)).into_owned(),
                is_label: label.is_some(),
                digest,
                image,
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
        Some(word.text.as_str()).filter(|text| !text.contains([':', '=', '@']))
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
        tag: &str,
        digest: &Digest,
        is_in_labels: impl Fn(&Finder<'_>) -> bool,
    ) -> Option<Fit> {
        let mut worst = Fit::Whole;
        if self.0.is_empty() {
            return Some(worst);
        }
        let tag = lower(tag);
        for (word, in_name) in self.0.iter().zip(&of_name.fits) {
            let best = word.fit_named(*in_name, (&of_name.name, &tag), digest);
            worst = worst.max(best.or_else(|| word.fit_labels(&is_in_labels))?);
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
        let fits = [in_name, self.fit(tag), self.fit_digest(digest), self.fit_image(name, tag)];
        fits.into_iter().flatten().min()
    }

    fn is_for_labels(&self) -> bool {
        self.is_label || self.letters.len() >= LABEL
    }

    fn fit_labels(&self, is_in_labels: impl Fn(&Finder<'_>) -> bool) -> Option<Fit> {
        (self.is_for_labels() && is_in_labels(&self.in_label)).then_some(Fit::Label)
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
    let (mut letters, mut word) = (part.chars(), word);
    let mut first = letters.next();
    while let (Some(letter), [wanted, behind @ ..]) = (first, word)
        && letter == *wanted
    {
        (first, word) = (letters.next(), behind);
    }
    // Where the first letter is that differs, `letters` is what stands behind it.
    let [wanted, behind @ ..] = word else { return true };
    let begins = |mut letters: Chars<'_>, word: &[char]| {
        word.iter().all(|wanted| letters.next() == Some(*wanted))
    };
    let is_wrong = begins(letters.clone(), behind);
    let is_too_much = begins(letters.clone(), word);
    let is_missing = match behind {
        [] => true,
        [second, behind @ ..] => first == Some(*second) && begins(letters.clone(), behind),
    };
    let is_swapped = match behind {
        [] => false,
        [second, behind @ ..] => {
            let next = letters.next();
            first == Some(*second) && next == Some(*wanted) && begins(letters, behind)
        }
    };
    is_wrong || is_too_much || is_missing || is_swapped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All that a word becomes by one mistake.
    fn misspelled(word: &[char]) -> Vec<Vec<char>> {
        let mut all = vec![word.to_vec()];
        for at in 0..=word.len() {
            for letter in ['a', 'b', 'c'] {
                let mut more = word.to_vec();
                more.insert(at, letter);
                all.push(more);
                let mut other = word.to_vec();
                if let Some(place) = other.get_mut(at) {
                    *place = letter;
                    all.push(other);
                }
            }
            if at < word.len() {
                let mut less = word.to_vec();
                less.remove(at);
                all.push(less);
            }
            if at + 1 < word.len() {
                let mut swapped = word.to_vec();
                swapped.swap(at, at + 1);
                all.push(swapped);
            }
        }
        all
    }

    proptest! {
        #[test]
        fn what_begins_like_a_word_with_one_mistake_is_near(part in "[abc]{0,8}", word in "[abc]{1,6}") {
            let (letters, word): (Vec<char>, Vec<char>) = (part.chars().collect(), word.chars().collect());
            let expected = misspelled(&word).iter().any(|other| letters.starts_with(other));
            prop_assert_eq!(nearly_begins(&part, &word), expected);
        }
    }
}
