//! Whether a name begins like a word, but for one mistake.

use super::words::is_separator;

/// From this length on, one wrong letter is forgiven: shorter words are too much alike.
const FORGIVEN: usize = 5;

/// A word as somebody typed it, who may have made a mistake.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    letters: Vec<char>,
    /// Whether a mistake at that letter is forgiven, or at the separator behind it: where the part of
    /// the word is long enough.
    forgiven: Vec<bool>,
    /// How many letters the name before a tag has.
    name: Option<usize>,
}

impl Typed {
    pub(super) fn new(text: &str) -> Self {
        let parts = text.split_inclusive(is_separator).flat_map(|part| {
            let letters = part.trim_end_matches(is_separator).chars().count();
            std::iter::repeat_n(letters >= FORGIVEN, part.chars().count())
        });
        let name = text.rsplit_once(':').map(|(name, _)| name.chars().count());
        Self { letters: text.chars().collect(), forgiven: parts.collect(), name }
    }

    /// How many letters it has.
    pub(super) fn len(&self) -> usize {
        self.letters.len()
    }

    fn is_forgiven(&self) -> bool {
        self.forgiven.contains(&true)
    }

    /// Whether a part of the name and what follows it are the word, but for one mistake.
    pub(super) fn is_near(&self, name: &str) -> bool {
        self.is_forgiven()
            && begins(name).any(|rest| self.may_fit(rest.len()) && self.nearly_begins(rest.chars()))
    }

    /// The same for a name with a tag, from a part of the name on.
    pub(super) fn is_near_tag(&self, name: &str, tag: &str) -> bool {
        let wanted = self.name.filter(|_| self.is_forgiven());
        wanted.is_some_and(|wanted| {
            // One mistake moves the tag by one letter.
            let mut rests = begins(name).filter(|rest| rest.len().abs_diff(wanted) <= 1);
            rests.any(|rest| self.nearly_begins(rest.chars().chain([':']).chain(tag.chars())))
        })
    }

    /// What is shorter by more than a letter does not begin like it.
    fn may_fit(&self, length: usize) -> bool {
        length + 1 >= self.letters.len()
    }

    /// Whether a text begins like the word, but for one letter that is wrong, missing or too much, or
    /// two that changed places, where that is forgiven.
    fn nearly_begins(&self, mut text: impl Iterator<Item = char> + Clone) -> bool {
        let mut word = self.letters.as_slice();
        let mut first = text.next();
        while let (Some(letter), [wanted, behind @ ..]) = (first, word)
            && letter == *wanted
        {
            (first, word) = (text.next(), behind);
        }
        // Where the first letter is that differs, `text` is what stands behind it.
        let [wanted, behind @ ..] = word else { return true };
        if self.forgiven.get(self.letters.len() - word.len()) != Some(&true) {
            return false;
        }
        let is_wrong = is_begun(text.clone(), behind);
        let is_too_much = is_begun(text.clone(), word);
        let is_missing = match behind {
            [] => true,
            [second, behind @ ..] => first == Some(*second) && is_begun(text.clone(), behind),
        };
        let is_swapped = match behind {
            [] => false,
            [second, behind @ ..] => {
                let next = text.next();
                first == Some(*second) && next == Some(*wanted) && is_begun(text, behind)
            }
        };
        is_wrong || is_too_much || is_missing || is_swapped
    }
}

fn is_begun(mut text: impl Iterator<Item = char>, word: &[char]) -> bool {
    word.iter().all(|wanted| text.next() == Some(*wanted))
}

/// A name from each of its parts on.
fn begins(name: &str) -> impl Iterator<Item = &str> {
    let behind = name.match_indices(is_separator).filter_map(|(at, _)| name.get(at + 1..));
    std::iter::once(name).chain(behind)
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
        fn what_begins_like_a_word_with_one_mistake_is_near(name in "[abc]{0,10}", word in "[abc]{5,8}") {
            let (letters, typed): (Vec<char>, _) = (name.chars().collect(), Typed::new(&word));
            let expected = misspelled(&typed.letters).iter().any(|it| letters.starts_with(it));
            prop_assert_eq!(typed.is_near(&name), expected);
        }
    }

    #[test]
    fn a_mistake_is_forgiven_in_a_part_that_is_long_enough() {
        for (word, name) in [
            ("team/backned", "team/backend"),
            ("team/backned", "old/team/backend-api"),
            ("postgres-exprter", "prometheus/postgres-exporter"),
            ("postgres_exporter", "postgres-exporter"),
            ("backendapi", "backend/api"),
            ("backned/api", "team/backend/api"),
            ("backen/api", "team/backend/api"),
        ] {
            assert!(Typed::new(word).is_near(name), "{word} {name}");
        }
        for (word, name) in [
            ("taem/backned", "team/backend"),
            ("team/backned", "backend"),
            ("team/backned", "team/x/backend"),
            ("taem/backend", "team/backend"),
            ("backend/apx", "backend/api"),
            ("v1.2.3", "v1.2.4"),
            ("a/b/c/d", "a/b/c/e"),
        ] {
            assert!(!Typed::new(word).is_near(name), "{word} {name}");
        }
    }

    #[test]
    fn a_name_and_its_tag_may_have_one_mistake_together() {
        let typed = |word: &str| Typed::new(word).is_near_tag("team/backend", "release-1");
        assert!(typed("backned:release-1") && typed("team/backend:relaese"));
        assert!(!typed("backned:relaese") && !typed("team:release-1"));
    }
}
