//! bcrypt hashes, as `htpasswd -B` writes them.

use std::fmt;
use std::str::FromStr as _;

use bcrypt::{HashParts, hash_with_salt, verify};

use super::effort::Effort;

/// Of what is longer than this bcrypt hashes the beginning alone.
const MAX_BCRYPT_PASSWORD: usize = 72;

/// What a hash may ask for, so that a file cannot make a login cost minutes: each step doubles the
/// work, and with 14 it is about a second of one core.
const MAX_COST: u32 = 14;

/// The least that there is.
const MIN_COST: u32 = 4;

/// A bcrypt hash `$2y$COST$SALT…HASH`; `$2a$` and `$2b$` mean the same.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bcrypt {
    text: Box<str>,
    cost: u32,
}

/// Why a text is no bcrypt hash that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBcrypt {
    /// It is not in the form of bcrypt.
    #[error("not a bcrypt hash")]
    Form,
    /// It asks for more work than a login may cost, or for less than bcrypt does.
    #[error("a bcrypt hash of cost {0}: it has to be from {MIN_COST} to {MAX_COST}")]
    Cost(u32),
}

impl Bcrypt {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidBcrypt> {
        // `$2x$` marks hashes of an implementation that was wrong.
        if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return Err(InvalidBcrypt::Form);
        }
        let cost = HashParts::from_str(text).map_err(|_| InvalidBcrypt::Form)?.get_cost();
        if !(MIN_COST..=MAX_COST).contains(&cost) {
            return Err(InvalidBcrypt::Cost(cost));
        }
        Ok(Self { text: text.into(), cost })
    }

    pub(super) fn effort(&self) -> Effort {
        Effort { rounds: 1 << self.cost, ..Effort::NONE }
    }

    /// Whether the password is the one that was hashed. Always does the work.
    ///
    /// bcrypt looks at 72 bytes, and repeats a shorter password with a NUL behind it. So one that is
    /// longer, or holds a NUL, could be right without being the same: it is never right.
    pub(super) fn matches(&self, password: &[u8], spent: &mut Effort) -> bool {
        spent.rounds += 1 << self.cost;
        let matches = verify(password, &self.text).unwrap_or(false);
        matches && password.len() <= MAX_BCRYPT_PASSWORD && !password.contains(&0)
    }
}

/// Spends so many rounds, which are a sum of powers of two, on nothing.
pub(super) fn spend(rounds: u64, password: &[u8], spent: &mut Effort) {
    for cost in (MIN_COST..=MAX_COST).filter(|cost| rounds >> cost & 1 == 1) {
        spent.rounds += 1 << cost;
        let hash = hash_with_salt(password, cost, *b"nobody's in here");
        // Neither right nor wrong; it must only not be left out.
        std::hint::black_box(hash.is_ok());
    }
}

impl fmt::Display for Bcrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// As [`super::PasswordHash`].
impl fmt::Debug for Bcrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password hash]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &[u8], cost: u32) -> Bcrypt {
        Bcrypt::parse(&hash_with_salt(password, cost, [7; 16]).unwrap().to_string()).unwrap()
    }

    fn matches(hash: &Bcrypt, password: &[u8]) -> bool {
        hash.matches(password, &mut Effort::NONE.clone())
    }

    #[test]
    fn a_hash_of_other_making_matches_its_password_alone() {
        // Made with another implementation: crypt(3).
        let made = "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
        let made = Bcrypt::parse(made).unwrap();
        assert!(matches(&made, b"correct horse"));
        assert!(!matches(&made, b"correct horse "));
        assert!(!matches(&made, b""));
    }

    #[test]
    fn a_password_that_bcrypt_cannot_tell_from_another_is_wrong() {
        let full = hash(&[b'x'; 72], 4);
        assert!(matches(&full, &[b'x'; 72]));
        assert!(!matches(&full, &[b'x'; 73]), "its first 72 bytes are right");
        let short = hash(b"ab", 4);
        assert!(matches(&short, b"ab"));
        assert!(verify(b"ab\0ab", &short.to_string()).unwrap(), "so bcrypt says");
        assert!(!matches(&short, b"ab\0ab"));
    }

    #[test]
    fn other_hashes_are_refused() {
        let good = hash(b"x", 4).to_string();
        for prefix in ["$2x$", "$1$x$", "$apr1$", "{SHA}", "$2y", "2b$"] {
            assert_eq!(Bcrypt::parse(&good.replace("$2b$", prefix)), Err(InvalidBcrypt::Form));
        }
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            assert!(Bcrypt::parse(&good.replace("$2b$", prefix)).is_ok());
        }
        for text in
            ["", "x", "$2y$", &good[..59], &format!("{good}x"), &good.replace("$04$", "$xx$")]
        {
            assert_eq!(Bcrypt::parse(text), Err(InvalidBcrypt::Form), "{text}");
        }
        for (cost, number) in [("$15$", 15), ("$31$", 31), ("$03$", 3), ("$00$", 0)] {
            let text = good.replace("$04$", cost);
            assert_eq!(Bcrypt::parse(&text), Err(InvalidBcrypt::Cost(number)));
        }
    }
}
