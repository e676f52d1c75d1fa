//! What the documentation of [`Store`] says, on each database.

mod activity;
mod concurrency;
mod families;
mod inventory;
mod opening;
#[path = "../../tests/integration/support/postgres.rs"]
pub(crate) mod postgres_server;
#[path = "../../tests/integration/support/process.rs"]
#[allow(dead_code, reason = "the integration tests use more of it")]
mod process;
mod release;
mod repository_lock;
mod revocations;
mod rotation;
mod small;
mod tags;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::{Bounds, Subject};
use tempfile::TempDir;

use super::*;
use crate::token::{FamilyKind, Grant, Kind};
use postgres_server::Postgres;

/// Runs a test on a new state in each database.
async fn each<F: Future<Output = ()>>(test: impl Fn(Arc<dyn Store>) -> F) {
    let folder = tempfile::tempdir().unwrap();
    println!("SQLite");
    test(open(&sqlite(&folder)).await.unwrap()).await;
    println!("PostgreSQL");
    let server = Postgres::start();
    test(open(&postgres(&server)).await.unwrap()).await;
}

fn settings(url: StoreUrl) -> Settings {
    Settings { url, max_staleness: Duration::from_secs(300) }
}

fn sqlite(folder: &TempDir) -> Settings {
    settings(StoreUrl::Sqlite(folder.path().join("state/portcullis.db")))
}

fn postgres(server: &Postgres) -> Settings {
    settings(server.url().parse().unwrap())
}

/// So many seconds after the time at which the tests begin.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn id() -> TokenId {
    TokenId::random().unwrap()
}

/// A token by a number.
fn token(number: u8) -> TokenHash {
    TokenHash([number; 32])
}

fn alice() -> Subject {
    Subject::User("alice".to_owned())
}

/// A rotating family of alice's, made at 0, which ends at 10,000.
fn family() -> Family {
    family_of(alice(), 0)
}

fn family_of(subject: Subject, made: i64) -> Family {
    Family {
        id: id(),
        kind: FamilyKind::Rotating,
        grant: Grant::unlimited(subject, Kind::User, at(made)),
        audience: None,
        access_ttl: Duration::from_secs(3600),
        made_at: at(made),
        made_by: "user:alice".to_owned(),
        comment: String::new(),
        parent: None,
        ends_at: at(10_000),
        idle: None,
        last_use: None,
        revoked_at: None,
    }
}

/// One that descends from another.
fn child_of(parent: &Family) -> Family {
    Family { parent: Some(parent.id.clone()), ..family() }
}

async fn add(store: &Arc<dyn Store>, family: &Family) {
    store.add_family(family, None).await.unwrap();
}

fn revocation(id: &TokenId) -> Revocation {
    Revocation::Id { id: id.clone(), until: at(500) }
}

/// What is revoked of families, by name.
fn ended(families: &[&Family]) -> Vec<Revoked> {
    let mut ended: Vec<_> = families.iter().map(|f| (f.id.clone(), f.ends_at)).collect();
    ended.sort();
    ended.into_iter().map(|(id, until)| Revoked::Id { id, until }).collect()
}

fn after(time: Timestamp, millis: i64) -> Timestamp {
    time + SignedDuration::from_millis(millis)
}
