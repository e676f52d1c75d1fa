//! The operations, in the SQL that both databases read.

mod activity;
mod families;
mod inventory;
pub(super) mod policy;
mod release;
mod revocations;
mod rotation;
mod row;
mod services;
mod work;

use async_trait::async_trait;
use jiff::Timestamp;

use super::engine::{Access, Engine, cause};
use super::{
    Changes, FamilyQuery, KeptPolicy, ReplicaLocks, Revocation, Rotation, Sequence, Service, Store,
    StoreError, failed,
};
use crate::token::{Family, LastUse, TokenHash, TokenId};
use work::Work;

/// The state in a database.
pub(super) struct Sql(Box<dyn Engine>);

impl Sql {
    pub(super) fn new(engine: impl Engine) -> Self {
        Self(Box::new(engine))
    }

    async fn read(&self, what: &'static str) -> Result<Work, StoreError> {
        Work::begin(&*self.0, Access::Read, what).await
    }

    async fn write(&self, what: &'static str) -> Result<Work, StoreError> {
        Work::begin(&*self.0, Access::Write, what).await
    }
}

#[async_trait]
impl Store for Sql {
    async fn add_family(
        &self,
        family: &Family,
        token: Option<TokenHash>,
    ) -> Result<(), StoreError> {
        let mut work = self.write("add a family").await?;
        families::add(&mut work, family, token).await?;
        work.commit().await
    }

    async fn family(&self, id: &TokenId) -> Result<Option<Family>, StoreError> {
        families::named(&mut self.read("look up a family").await?, id).await
    }

    async fn family_of(&self, token: TokenHash) -> Result<Option<Family>, StoreError> {
        families::of_token(&mut self.read("look up a refresh token").await?, token).await
    }

    async fn families(&self, query: &FamilyQuery) -> Result<Vec<Family>, StoreError> {
        families::list(&mut self.read("list families").await?, query).await
    }

    async fn rotate(
        &self,
        token: TokenHash,
        successor: TokenHash,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        let mut work = self.write("exchange a refresh token").await?;
        let rotation = rotation::rotate(&mut work, token, successor, now).await?;
        work.commit().await?;
        Ok(rotation)
    }

    async fn used(&self, uses: &[(TokenId, LastUse)]) -> Result<(), StoreError> {
        let mut work = self.write("note when families were used").await?;
        for (id, last) in uses {
            families::used(&mut work, id, *last).await?;
        }
        work.commit().await
    }

    async fn revoke(&self, what: &Revocation, now: Timestamp) -> Result<u64, StoreError> {
        let mut work = self.write("revoke").await?;
        let ended = revocations::revoke(&mut work, what, now).await?;
        work.commit().await?;
        Ok(ended)
    }

    async fn changes(&self, since: Sequence) -> Result<Changes, StoreError> {
        revocations::changes(&mut self.read("ask for changes").await?, since).await
    }

    async fn add_service(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut work = self.write("add a service").await?;
        let added = services::add(&mut work, name, now).await?;
        work.commit().await?;
        Ok(added)
    }

    async fn set_service_disabled(&self, name: &str, disabled: bool) -> Result<bool, StoreError> {
        let mut work = self.write("change a service").await?;
        let known = services::set_disabled(&mut work, name, disabled).await?;
        work.commit().await?;
        Ok(known)
    }

    async fn services(&self) -> Result<Vec<Service>, StoreError> {
        services::list(&mut self.read("list services").await?).await
    }

    async fn peer_sequence(&self, peer: &str) -> Result<Option<Sequence>, StoreError> {
        let mut work = self.read("look up a peer").await?;
        let sql = "SELECT sequence FROM peers WHERE name = $1";
        let row = work.row(sql, &[peer.into()]).await?;
        row.map(|row| row.int("sequence").map(Sequence)).transpose()
    }

    async fn set_peer_sequence(&self, peer: &str, sequence: Sequence) -> Result<(), StoreError> {
        let mut work = self.write("remember a peer").await?;
        let sql = "INSERT INTO peers (name, sequence) VALUES ($1, $2) \
            ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence \
            WHERE peers.sequence < excluded.sequence";
        work.execute(sql, &[peer.into(), sequence.0.into()]).await?;
        work.commit().await
    }

    async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut work = self.read("look up the latest time").await?;
        match work.row("SELECT latest_time FROM state", &[]).await? {
            Some(row) => row.maybe_time("latest_time"),
            None => Err(StoreError::Damaged("there is no row in the table `state`".to_owned())),
        }
    }

    async fn set_latest_time(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut work = self.write("remember the latest time").await?;
        let sql = "UPDATE state SET latest_time = $1 \
            WHERE latest_time IS NULL OR latest_time < $1";
        work.execute(sql, &[now.into()]).await?;
        work.commit().await
    }

    async fn keep_policy(&self, policy: &KeptPolicy) -> Result<(), StoreError> {
        let mut work = self.write("keep the policy").await?;
        policy::keep(&mut work, policy).await?;
        work.commit().await
    }

    async fn kept_policy(&self) -> Result<Option<KeptPolicy>, StoreError> {
        policy::kept(&mut self.read("look up the last good policy").await?).await
    }

    async fn purge(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut work = self.write("forget what is over").await?;
        let families = families::purge(&mut work, before).await?;
        let revocations = revocations::purge(&mut work, before).await?;
        let said = release::purge(&mut work, before).await?;
        work.commit().await?;
        Ok(families + revocations + said)
    }

    fn replica_locks(&self) -> Option<ReplicaLocks> {
        self.0.replica_locks()
    }

    async fn changed(&self) -> Result<(), StoreError> {
        self.0.changed().await.map_err(|error| failed("wait for changes", cause(error)))
    }
}
