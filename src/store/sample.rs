//! A state in memory, for tests of those who read families and revocations from it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// Holds what a test puts in. What tests do not ask for, it refuses.
#[derive(Default)]
pub(crate) struct SampleStore {
    pub(crate) families: Mutex<Vec<Family>>,
    /// Each is one change.
    pub(crate) revoked: Mutex<Vec<Revoked>>,
    pub(crate) peers: Mutex<HashMap<String, Sequence>>,
    pub(crate) away: AtomicBool,
    pub(crate) asked: AtomicUsize,
}

impl SampleStore {
    fn here(&self) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) { unasked() } else { Ok(()) }
    }
}

fn unasked<T>() -> Result<T, StoreError> {
    Err(StoreError::Damaged("a sample".to_owned()))
}

#[async_trait]
impl Store for SampleStore {
    async fn add_family(&self, family: &Family, _: Option<TokenHash>) -> Result<(), StoreError> {
        self.families.lock().unwrap().push(family.clone());
        Ok(())
    }

    async fn family(&self, id: &TokenId) -> Result<Option<Family>, StoreError> {
        self.here()?;
        Ok(self.families.lock().unwrap().iter().find(|family| family.id == *id).cloned())
    }

    async fn family_of(&self, _: TokenHash) -> Result<Option<Family>, StoreError> {
        unasked()
    }

    async fn families(&self, query: &FamilyQuery) -> Result<Vec<Family>, StoreError> {
        self.here()?;
        let mut families = self.families.lock().unwrap().clone();
        families.sort_by_key(|family| std::cmp::Reverse((family.made_at, family.id.clone())));
        families.retain(|family| {
            query
                .after
                .as_ref()
                .is_none_or(|after| (family.made_at, &family.id) < (after.0, &after.1))
                && query.holding_at.is_none_or(|now| family.holds(now).is_ok())
                && (!query.for_others || family.audience.is_some())
                && query.subject.as_ref().is_none_or(|subject| family.grant.subject == *subject)
        });
        families.truncate(query.limit as usize);
        Ok(families)
    }

    async fn rotate(
        &self,
        _: TokenHash,
        _: TokenHash,
        _: Timestamp,
    ) -> Result<Rotation, StoreError> {
        unasked()
    }

    async fn used(&self, _: &[(TokenId, LastUse)]) -> Result<(), StoreError> {
        unasked()
    }

    async fn revoke(&self, _: &Revocation, _: Timestamp) -> Result<u64, StoreError> {
        unasked()
    }

    async fn changes(&self, since: Sequence) -> Result<Changes, StoreError> {
        self.here()?;
        let revoked = self.revoked.lock().unwrap();
        let sequence = Sequence(revoked.len().try_into().unwrap());
        let revoked = revoked[usize::try_from(since.0).unwrap()..].to_vec();
        Ok(Changes { sequence, revoked, services: None })
    }

    async fn add_service(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        unasked()
    }

    async fn set_service_disabled(&self, _: &str, _: bool) -> Result<bool, StoreError> {
        unasked()
    }

    async fn services(&self) -> Result<Vec<Service>, StoreError> {
        unasked()
    }

    async fn peer_sequence(&self, peer: &str) -> Result<Option<Sequence>, StoreError> {
        self.here()?;
        Ok(self.peers.lock().unwrap().get(peer).copied())
    }

    async fn set_peer_sequence(&self, peer: &str, sequence: Sequence) -> Result<(), StoreError> {
        self.here()?;
        let mut peers = self.peers.lock().unwrap();
        let kept = peers.entry(peer.to_owned()).or_default();
        *kept = sequence.max(*kept);
        Ok(())
    }

    async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    async fn set_latest_time(&self, _: Timestamp) -> Result<(), StoreError> {
        unasked()
    }

    async fn purge(&self, _: Timestamp) -> Result<u64, StoreError> {
        unasked()
    }

    async fn changed(&self) -> Result<(), StoreError> {
        unasked()
    }
}
