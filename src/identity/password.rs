//! Passwords: hashes of them, checking them, making them.

mod bcrypt;
mod effort;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use aws_lc_rs::rand;

use crate::secret::Secret;

use self::bcrypt::Bcrypt;
pub use self::bcrypt::InvalidBcrypt;
pub use self::effort::Effort;

/// Longer ones are refused before any work is done.
pub const MAX_PASSWORD: usize = 1024;

/// Memory in KiB, passes and lanes (OWASP, "Password Storage Cheat Sheet").
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What a hash of other making may ask for, so that a file cannot make a login cost seconds.
const MAX_MEMORY: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;

/// 32 digits and letters without those that look alike (Crockford's), so that a byte picks one
/// evenly, and 26 of them make 130 bits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const GENERATED: usize = 26;

/// The hash of a password: argon2id, as the gate makes them, or bcrypt, as `htpasswd -B` does.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// In the PHC form `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`.
    Argon2id(Box<phc::PasswordHash>, Effort),
    Bcrypt(Bcrypt),
}

/// Why a text is no hash that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHash {
    /// It is not in the PHC form of argon2id.
    #[error("not an argon2id hash")]
    Form,
    /// It asks for more work than a login may cost.
    #[error(
        "an argon2id hash that costs too much: \
         at most m={MAX_MEMORY}, t={MAX_PASSES}, p={MAX_LANES}"
    )]
    Cost,
}

/// Why a password was not hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Nothing there.
    #[error("a password may not be empty")]
    Empty,
    /// Longer than 1 KiB.
    #[error("a password has at most {MAX_PASSWORD} bytes")]
    TooLong,
    /// The system has no randomness or memory to give.
    #[error("the password could not be hashed")]
    Failed(#[source] argon2::password_hash::Error),
}

/// The system has no randomness to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

impl PasswordHash {
    /// Reads an argon2id hash.
    ///
    /// # Errors
    /// It is of another kind, or costs too much to check.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let hash = phc::PasswordHash::new(text).map_err(|_| InvalidHash::Form)?;
        let params = Params::try_from(&hash).map_err(|_| InvalidHash::Form)?;
        let is_argon2id = hash.algorithm == argon2::ARGON2ID_IDENT
            && hash.version == Some(Version::V0x13.into())
            && hash.salt.is_some()
            && hash.hash.is_some();
        if !is_argon2id {
            return Err(InvalidHash::Form);
        }
        if params.m_cost() > MAX_MEMORY
            || params.t_cost() > MAX_PASSES
            || params.p_cost() > MAX_LANES
        {
            return Err(InvalidHash::Cost);
        }
        Ok(Self(Kind::Argon2id(Box::new(hash), Effort::of_argon2(&params))))
    }

    /// Reads a bcrypt hash.
    ///
    /// # Errors
    /// It is of another kind, or costs too much to check.
    pub fn parse_bcrypt(text: &str) -> Result<Self, InvalidBcrypt> {
        Ok(Self(Kind::Bcrypt(Bcrypt::parse(text)?)))
    }

    fn effort(&self) -> Effort {
        match &self.0 {
            Kind::Argon2id(_, effort) => *effort,
            Kind::Bcrypt(hash) => hash.effort(),
        }
    }

    /// Whether the password is the one that was hashed. Always does the work, and notes it.
    fn matches(&self, password: &[u8], spent: &mut Effort) -> bool {
        match &self.0 {
            Kind::Argon2id(hash, effort) => {
                spent.blocks += effort.blocks;
                Argon2::default().verify_password(password, hash.as_ref()).is_ok()
            }
            Kind::Bcrypt(hash) => hash.matches(password, spent),
        }
    }
}

impl std::fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Argon2id(hash, _) => hash.fmt(f),
            Kind::Bcrypt(hash) => hash.fmt(f),
        }
    }
}

/// A hash is no secret of the first rank, but has no place in a log either.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[password hash]")
    }
}

/// Hashes a password with a new salt. Takes about 20 ms of one core, and 19 MiB.
///
/// # Errors
/// The password is empty or too long, or the system is out of memory or randomness.
pub fn hash(password: &Secret) -> Result<PasswordHash, HashError> {
    match password.expose().len() {
        0 => return Err(HashError::Empty),
        length if length > MAX_PASSWORD => return Err(HashError::TooLong),
        _ => {}
    }
    let failed = |error: argon2::Error| HashError::Failed(error.into());
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(failed)?;
    let effort = Effort::of_argon2(&params);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.expose().as_bytes())
        .map(|hash| PasswordHash(Kind::Argon2id(Box::new(hash), effort)))
        .map_err(HashError::Failed)
}

/// Whether `password` is the one that was hashed; nothing is the password of nobody, and an empty
/// password is never right. As much work is done as `most` says, whoever it is for, so that the time
/// taken does not tell who exists. What is longer than [`MAX_PASSWORD`] is wrong without any work.
///
/// It blocks a core as long as that takes: callers bound how many run at once.
#[must_use]
pub fn verify(password: &Secret, hash: Option<&PasswordHash>, most: Effort) -> bool {
    checked(password, hash, most).0
}

/// As [`verify`], with what was spent.
fn checked(password: &Secret, hash: Option<&PasswordHash>, most: Effort) -> (bool, Effort) {
    let mut spent = Effort::NONE;
    let password = password.expose().as_bytes();
    if password.len() > MAX_PASSWORD {
        return (false, spent);
    }
    let matches = hash.is_some_and(|hash| hash.matches(password, &mut spent));
    most.finish(password, &mut spent);
    (matches && !password.is_empty(), spent)
}

/// Makes a password of 130 random bits that can be read aloud.
///
/// # Errors
/// The system gives no random numbers.
pub fn generate() -> Result<Secret, NoRandomness> {
    let mut bytes = [0; GENERATED];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    let letter = |byte: u8| ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
    Ok(Secret::new(bytes.into_iter().filter_map(letter).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_hash_verifies_its_password_alone() {
        let hashed = hash(&secret("correct horse")).unwrap();
        let read = PasswordHash::parse(&hashed.to_string()).unwrap();
        assert_eq!(read, hashed);
        assert!(hashed.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(&secret("correct horse"), Some(&read), read.effort()));
        assert!(!verify(&secret("correct horse "), Some(&read), read.effort()));
        assert!(!verify(&secret(""), Some(&read), read.effort()));
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(hash(&secret("a")).unwrap(), hash(&secret("a")).unwrap());
    }

    fn argon2id(memory: u32, passes: u32, lanes: u32) -> PasswordHash {
        let params = Params::new(memory, passes, lanes, None).unwrap();
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = hash.hash_password(b"right").unwrap().to_string();
        PasswordHash::parse(&hash).unwrap()
    }

    fn bcrypt(cost: u32) -> PasswordHash {
        let hash = ::bcrypt::hash_with_salt("right", cost, [7; 16]).unwrap().to_string();
        PasswordHash::parse_bcrypt(&hash).unwrap()
    }

    #[test]
    fn nobody_has_a_password_and_costs_as_much_as_somebody() {
        let hashes =
            [argon2id(64, 3, 1), argon2id(32, 1, 2), argon2id(100, 1, 1), bcrypt(4), bcrypt(7)];
        for some in [&hashes[..], &hashes[..3], &hashes[3..], &hashes[..1], &hashes[4..], &[]] {
            let most = Effort::of(some);
            let everybody: Vec<_> = some.iter().map(Some).chain([None]).collect();
            for password in ["right", "wrong", "", "\0", &"x".repeat(73), &"x".repeat(1024)] {
                let spent: Vec<_> = everybody
                    .iter()
                    .map(|hash| {
                        let (right, spent) = checked(&secret(password), *hash, most);
                        assert_eq!(right, password == "right" && hash.is_some());
                        (spent.blocks, spent.rounds)
                    })
                    .collect();
                // Argon2 has no less than 8 blocks to spend.
                let near = |blocks: u64| most.blocks - blocks < 8;
                assert!(
                    spent.iter().all(|&(blocks, rounds)| near(blocks) && rounds == most.rounds)
                );
            }
        }
        assert_eq!(Effort::of(&hashes), Effort { blocks: 192, memory: 100, rounds: 128 });
    }

    #[test]
    fn where_nobody_is_a_check_costs_what_a_new_hash_would() {
        let ours = hash(&secret("a")).unwrap();
        assert_eq!(Effort::of(&[]), ours.effort());
        assert_eq!(checked(&secret("a"), None, Effort::of(&[])).1.blocks, ours.effort().blocks);
    }

    #[test]
    fn a_password_that_is_too_long_costs_nothing() {
        let spent = checked(&secret(&"x".repeat(1025)), None, Effort::of(&[bcrypt(14)])).1;
        assert_eq!(spent, Effort::NONE);
    }

    #[test]
    fn no_hash_makes_an_empty_password_right() {
        let empty = ::bcrypt::hash_with_salt("", 4, [7; 16]).unwrap().to_string();
        let empty = PasswordHash::parse_bcrypt(&empty).unwrap();
        assert!(!verify(&secret(""), Some(&empty), empty.effort()));
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(hash(&secret("")), Err(HashError::Empty));
        assert_eq!(hash(&secret(&"x".repeat(1025))), Err(HashError::TooLong));
        let hashed = hash(&secret(&"x".repeat(1024))).unwrap();
        assert!(verify(&secret(&"x".repeat(1024)), Some(&hashed), hashed.effort()));
        assert!(!verify(&secret(&"x".repeat(1025)), Some(&hashed), hashed.effort()));
    }

    #[test]
    fn other_hashes_are_refused() {
        let tail = "$cG9ydGN1bGxpcy1ub25l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for head in [
            "$argon2i$v=19$m=19456,t=2,p=1",
            "$argon2d$v=19$m=19456,t=2,p=1",
            "$argon2id$v=16$m=19456,t=2,p=1",
            "$argon2id$m=19456,t=2,p=1",
            "$scrypt$ln=17,r=8,p=1",
        ] {
            assert_eq!(
                PasswordHash::parse(&format!("{head}{tail}")),
                Err(InvalidHash::Form),
                "{head}"
            );
        }
        for text in
            ["", "hunter2", "$2y$10$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=19456,t=2,p=1"]
        {
            assert_eq!(PasswordHash::parse(text), Err(InvalidHash::Form), "{text}");
        }
        for params in ["m=262145,t=2,p=1", "m=19456,t=17,p=1", "m=19456,t=2,p=9"] {
            let text = format!("$argon2id$v=19${params}{tail}");
            assert_eq!(PasswordHash::parse(&text), Err(InvalidHash::Cost), "{params}");
        }
    }

    #[test]
    fn generated_passwords_are_long_and_unlike() {
        let one = generate().unwrap();
        assert_eq!(one.expose().len(), 26);
        assert!(one.expose().bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(one, generate().unwrap());
    }
}
