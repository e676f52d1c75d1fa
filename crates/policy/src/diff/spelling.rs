//! Text beside a text that is known, letter by letter: which of them comes first.

use std::cmp::Ordering;

/// How far a text has been read, and how it compares with one that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Spelling {
    /// At most one more than the known text has.
    length: usize,
    /// By the first letter that differs.
    order: Order,
}

/// [`Ordering`] with a beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Order {
    #[default]
    Same,
    Less,
    Greater,
}

impl Spelling {
    pub(super) fn push(&mut self, letter: char, known: &str) {
        if self.order == Order::Same {
            self.order = match known.chars().nth(self.length).map(|own| letter.cmp(&own)) {
                Some(Ordering::Equal) => Order::Same,
                Some(Ordering::Less) => Order::Less,
                Some(Ordering::Greater) | None => Order::Greater,
            };
        }
        self.length = (self.length + 1).min(known.len() + 1);
    }

    /// Likewise, where both are numbers: of a longer one, it does not matter how it begins.
    pub(super) fn push_digit(&mut self, digit: char, known: &str) {
        self.push(digit, known);
        if self.length > known.len() {
            self.order = Order::Greater;
        }
    }

    /// As texts.
    fn as_text(&self, known: &str) -> Ordering {
        match self.order {
            Order::Less => Ordering::Less,
            Order::Greater => Ordering::Greater,
            Order::Same => self.length.cmp(&known.len()),
        }
    }

    /// As numbers without leading zeros.
    pub(super) fn as_number(&self, known: &str) -> Ordering {
        self.length.cmp(&known.len()).then(self.as_text(known))
    }
}

/// How far a prerelease has been read (semver.org 2.0.0, 9 to 11), and how it compares with some that
/// are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identifiers {
    latest: Latest,
    beside: Vec<Beside>,
}

/// The identifier that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Latest {
    /// It has to begin.
    Begins,
    Zero,
    Digits,
    /// Digits after a zero: it may not end like that.
    Padded,
    Letters,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Beside {
    /// So many identifiers are the same; the next one is being read.
    Same(usize, Spelling),
    /// One is another.
    Apart(Ordering),
}

impl Identifiers {
    pub(super) fn new(known: usize) -> Self {
        let beside = vec![Beside::Same(0, Spelling::default()); known];
        Self { latest: Latest::Begins, beside }
    }

    /// `None`: no prerelease goes on like that.
    pub(super) fn after(mut self, letter: char, known: &[String]) -> Option<Self> {
        if letter == '.' {
            if matches!(self.latest, Latest::Begins | Latest::Padded) {
                return None;
            }
            let is_number = self.latest != Latest::Letters;
            for (beside, known) in self.beside.iter_mut().zip(known) {
                beside.end(is_number, known);
            }
            self.latest = Latest::Begins;
            return Some(self);
        }
        self.latest = match (self.latest, letter) {
            (Latest::Begins, '0') => Latest::Zero,
            (Latest::Begins | Latest::Digits, '0'..='9') => Latest::Digits,
            (Latest::Zero | Latest::Padded, '0'..='9') => Latest::Padded,
            (_, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-') => Latest::Letters,
            _ => return None,
        };
        for (beside, known) in self.beside.iter_mut().zip(known) {
            beside.push(letter, known);
        }
        Some(self)
    }
}

impl Beside {
    fn push(&mut self, letter: char, known: &str) {
        if let Self::Same(count, spelling) = self {
            match known.split('.').nth(*count) {
                Some(identifier) => spelling.push(letter, identifier),
                // It has more identifiers.
                None => *self = Self::Apart(Ordering::Greater),
            }
        }
    }

    fn end(&mut self, is_number: bool, known: &str) {
        let Self::Same(count, spelling) = self else { return };
        let identifier = known.split('.').nth(*count).unwrap_or_default();
        let is_known_number = identifier.bytes().all(|byte| byte.is_ascii_digit());
        let order = match (is_number, is_known_number) {
            (true, true) => spelling.as_number(identifier),
            (false, false) => spelling.as_text(identifier),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        };
        *self = match order {
            Ordering::Equal => Self::Same(*count + 1, Spelling::default()),
            order => Self::Apart(order),
        };
    }
}
