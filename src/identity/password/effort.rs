//! The same work for every name.
//!
//! How long a wrong password takes must not tell whether somebody has that name, nor in which file.
//! Hashes differ in kind and in cost, so there is a measure for each kind, and every check spends as
//! much of both as the costliest user takes: on the user's own hash first, and what is left on
//! nothing. Where there are hashes of both kinds, every check therefore does both.
//!
//! Another way would be to give each unknown name a kind by chance. That would do as little work as
//! there can be, but the kind of a name that is known to exist would still tell its file, and a name
//! would give itself away when its kind changes or does not change with the files.

use argon2::{Algorithm, Argon2, Params, Version};

use super::{MEMORY, PASSES, PasswordHash, bcrypt};

/// What the check of a password spends, or may spend at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Of argon2: KiB of memory times passes, which is how many blocks are computed.
    pub(super) blocks: u64,
    /// The most memory in KiB at once.
    pub(super) memory: u32,
    /// Of bcrypt: 2 to the power of its cost.
    pub(super) rounds: u64,
}

impl Effort {
    pub(super) const NONE: Self = Self { blocks: 0, memory: 0, rounds: 0 };

    /// Of a hash that is made now.
    const OF_OURS: Self = Self { blocks: MEMORY as u64 * PASSES as u64, memory: MEMORY, rounds: 0 };

    pub(super) fn of_argon2(params: &Params) -> Self {
        let memory = params.m_cost();
        Self { blocks: u64::from(memory) * u64::from(params.t_cost()), memory, ..Self::NONE }
    }

    /// What the costliest of these takes, of each kind. Of none: what a new hash of ours takes.
    #[must_use]
    pub fn of<'h>(hashes: impl IntoIterator<Item = &'h PasswordHash>) -> Self {
        let most = hashes.into_iter().map(PasswordHash::effort).reduce(|one, other| Self {
            blocks: one.blocks.max(other.blocks),
            memory: one.memory.max(other.memory),
            rounds: one.rounds.max(other.rounds),
        });
        most.unwrap_or(Self::OF_OURS)
    }

    /// Spends on nothing what is left of `self` after `spent`.
    pub(super) fn finish(&self, password: &[u8], spent: &mut Self) {
        self.spend_blocks(self.blocks.saturating_sub(spent.blocks), password, spent);
        bcrypt::spend(self.rounds.saturating_sub(spent.rounds), password, spent);
    }

    fn spend_blocks(&self, blocks: u64, password: &[u8], spent: &mut Self) {
        let memory = u64::from(self.memory.max(Params::MIN_M_COST));
        for (memory, passes) in [(memory, blocks / memory), (blocks % memory, 1)] {
            let (Ok(memory), Ok(passes)) = (u32::try_from(memory), u32::try_from(passes)) else {
                continue;
            };
            // Less than the least that argon2 can do is not to be noticed.
            let Ok(params) = Params::new(memory, passes, 1, None) else { continue };
            spent.blocks += u64::from(memory) * u64::from(passes);
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
            let hashed = argon2.hash_password_into(password, b"nobody's in here", &mut hash);
            // Neither right nor wrong; it must only not be left out.
            std::hint::black_box((hashed.is_ok(), hash));
        }
    }
}
