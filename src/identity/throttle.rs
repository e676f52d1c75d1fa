//! Slowing down those who guess.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::address::ClientAddress;
use super::failure::AuthError;
use crate::recent::Recent;

/// How many addresses, and accounts at an address, are remembered in one generation.
const REMEMBERED: usize = 32_768;

/// Failures of one account from one address.
const ACCOUNT: Rate = Rate { burst: 10, every: Duration::from_secs(10) };

/// Failures of one address, whatever the account. Wider, as many people share an address.
const ADDRESS: Rate = Rate { burst: 50, every: Duration::from_secs(5) };

/// So many failures at once, and then one each so often.
#[derive(Clone, Copy)]
struct Rate {
    burst: i64,
    every: Duration,
}

/// Counts failed logins. An account is counted together with the address that tries it, so that a
/// guesser elsewhere does not lock its owner out.
pub(super) struct Throttle {
    /// For each key the moment, in milliseconds, at which all its failures are forgotten.
    forgotten: Recent<Key, Arc<AtomicI64>>,
}

/// Who failed. Names are hashed by the caller: what a guesser types is of any length.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Account([u8; 32], IpAddr),
    Address(IpAddr),
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self { forgotten: Recent::new(REMEMBERED) }
    }

    /// How long this account at this address has to wait; none if it may try now.
    pub(super) fn wait(
        &self,
        account: [u8; 32],
        address: ClientAddress,
        now: Timestamp,
    ) -> Option<Duration> {
        keys(account, address)
            .into_iter()
            .filter_map(|(key, rate)| {
                let forgotten = self.forgotten.get(&key)?.load(Ordering::Relaxed);
                rate.wait(forgotten, now)
            })
            .max()
    }

    /// Begins an attempt. It counts as failed unless it is said to have succeeded, so that a client
    /// which goes away in the middle of it does not get it for nothing.
    pub(super) fn attempt(
        &self,
        account: [u8; 32],
        address: ClientAddress,
        now: Timestamp,
    ) -> Attempt<'_> {
        Attempt { throttle: self, account, address, now, succeeded: false }
    }

    fn failed(&self, account: [u8; 32], address: ClientAddress, now: Timestamp) {
        for (key, rate) in keys(account, address) {
            let forgotten = self.forgotten.get_or_insert_with(key, Arc::default);
            // The closure always returns a value, so the update cannot fail.
            let _ = forgotten.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |was| {
                Some(rate.after_failure(was, now))
            });
        }
    }
}

/// A login that runs.
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    account: [u8; 32],
    address: ClientAddress,
    now: Timestamp,
    succeeded: bool,
}

impl Attempt<'_> {
    pub(super) fn succeeded(mut self) {
        self.succeeded = true;
    }

    /// It is over. What the gate could not find out is no failure of whoever came.
    pub(super) fn ended<T>(self, with: &Result<T, AuthError>) {
        if matches!(with, Ok(_) | Err(AuthError::Unavailable)) {
            self.succeeded();
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.succeeded {
            self.throttle.failed(self.account, self.address, self.now);
        }
    }
}

fn keys(account: [u8; 32], address: ClientAddress) -> [(Key, Rate); 2] {
    let network = address.network();
    [(Key::Account(account, network), ACCOUNT), (Key::Address(network), ADDRESS)]
}

impl Rate {
    fn step(self) -> i64 {
        i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX)
    }

    /// What all the failures that count at once weigh.
    fn full(self) -> i64 {
        self.step().saturating_mul(self.burst)
    }

    fn after_failure(self, forgotten: i64, now: Timestamp) -> i64 {
        let now = now.as_millisecond();
        forgotten.max(now).saturating_add(self.step()).min(now.saturating_add(self.full()))
    }

    fn wait(self, forgotten: i64, now: Timestamp) -> Option<Duration> {
        let owed = forgotten.saturating_sub(now.as_millisecond());
        // More than a full bucket is owed only when the clock was set back; it must lock nobody out.
        if owed > self.full() {
            return None;
        }
        let over = owed.saturating_sub(self.full().saturating_sub(self.step()));
        u64::try_from(over).ok().filter(|&over| over > 0).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: [u8; 32] = [1; 32];
    const HERE: ClientAddress = ClientAddress(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const THERE: ClientAddress = ClientAddress(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn an_account_is_slowed_at_the_guessers_address_alone() {
        let throttle = Throttle::new();
        for _ in 0..10 {
            assert_eq!(throttle.wait(ALICE, HERE, at(0)), None);
            throttle.failed(ALICE, HERE, at(0));
        }
        assert_eq!(throttle.wait(ALICE, HERE, at(0)), Some(Duration::from_secs(10)));
        assert_eq!(throttle.wait(ALICE, THERE, at(0)), None);
        assert_eq!(throttle.wait([2; 32], HERE, at(0)), None);
    }

    #[test]
    fn time_forgives_one_failure_after_the_other() {
        let throttle = Throttle::new();
        for _ in 0..10 {
            throttle.failed(ALICE, HERE, at(0));
        }
        assert_eq!(throttle.wait(ALICE, HERE, at(9)), Some(Duration::from_secs(1)));
        assert_eq!(throttle.wait(ALICE, HERE, at(10)), None);
        throttle.failed(ALICE, HERE, at(10));
        assert!(throttle.wait(ALICE, HERE, at(10)).is_some());
        assert_eq!(throttle.wait(ALICE, HERE, at(1000)), None);
    }

    #[test]
    fn rotating_accounts_does_not_help() {
        let throttle = Throttle::new();
        let tried = (0..200_u8)
            .take_while(|&account| {
                let free = throttle.wait([account; 32], HERE, at(0)).is_none();
                throttle.failed([account; 32], HERE, at(0));
                free
            })
            .count();
        assert_eq!(tried, 50);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let throttle = Throttle::new();
        for _ in 0..10 {
            throttle.failed(ALICE, HERE, at(86_400));
        }
        assert_eq!(throttle.wait(ALICE, HERE, at(0)), None);
    }
}
