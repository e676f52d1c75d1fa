//! When families were last used, until that is written down.

use dashmap::DashMap;

use crate::token::{LastUse, TokenId};

/// Uses within so many seconds of each other are one.
const GRAIN: i64 = 30;

/// Beyond so many, further families have to wait until these are written down.
const MOST: usize = 100_000;

/// The uses that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Uses {
    last: DashMap<TokenId, LastUse>,
}

impl Uses {
    pub(super) fn note(&self, family: &TokenId, last: LastUse) {
        if let Some(known) = self.last.get(family) {
            if last.at.as_second() - known.at.as_second() < GRAIN && last.from == known.from {
                return;
            }
        } else if self.last.len() >= MOST {
            return;
        }
        self.last
            .entry(family.clone())
            .and_modify(|known| {
                if last.at >= known.at {
                    *known = last;
                }
            })
            .or_insert(last);
    }

    pub(super) fn of(&self, family: &TokenId) -> Option<LastUse> {
        self.last.get(family).map(|last| *last)
    }

    /// Takes all of them out.
    pub(super) fn take(&self) -> Vec<(TokenId, LastUse)> {
        let families: Vec<_> = self.last.iter().map(|entry| entry.key().clone()).collect();
        families.into_iter().filter_map(|family| self.last.remove(&family)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> LastUse {
        LastUse { at: Timestamp::from_second(second).unwrap(), from: Ipv4Addr::LOCALHOST.into() }
    }

    #[test]
    fn the_latest_use_is_kept_until_it_is_taken() {
        let (uses, family) = (Uses::default(), TokenId::random().unwrap());
        for second in [100, 101, 200, 150] {
            uses.note(&family, at(second));
        }
        assert_eq!(uses.of(&family), Some(at(200)));
        assert_eq!(uses.take(), [(family.clone(), at(200))]);
        assert_eq!(uses.of(&family), None);
        assert!(uses.take().is_empty());
    }
}
