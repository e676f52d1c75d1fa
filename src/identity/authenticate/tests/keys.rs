//! Tokens under keys that change.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::token::{InvalidToken, KeyAlgorithm, KeyFolder, ListedKey};

const HOUR: Duration = Duration::from_secs(3600);

fn gate() -> (TempDir, Gate) {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyFolder::open(folder.path(), at(0)).unwrap().keys(HOUR, || at(0)).unwrap();
    (folder, Gate::with(keys))
}

fn replica(folder: &TempDir) -> Gate {
    Gate::with(KeyFolder::open(folder.path(), at(0)).unwrap().keys(HOUR, || at(0)).unwrap())
}

fn rotate(folder: &TempDir, algorithm: KeyAlgorithm) {
    KeyFolder::rotate(folder.path(), algorithm, at(1)).unwrap();
}

fn listed(folder: &TempDir) -> Vec<ListedKey> {
    KeyFolder::list(folder.path(), HOUR, at(1)).unwrap()
}

async fn checked(gate: &Gate, token: &str) -> (Result<(), AuthError>, Vec<String>) {
    gate.events();
    let known = gate.bearer(token, at(0)).await.map(|_| ());
    (known, gate.events())
}

fn event(result: &str) -> Vec<String> {
    vec![format!("Checked {{ result: {result} }}")]
}

#[tokio::test]
async fn tokens_hold_over_a_rotation_and_end_with_their_key() {
    let (folder, gate) = gate();
    let token = gate.alice();
    assert_eq!(checked(&gate, &token).await, (Ok(()), event("Verified")));
    assert_eq!(checked(&gate, &token).await, (Ok(()), event("Cached")));

    rotate(&folder, KeyAlgorithm::Es256);
    gate.authenticator.poll_keys();
    assert_eq!(checked(&gate, &token).await, (Ok(()), event("Verified")));
    assert_eq!(checked(&gate, &token).await, (Ok(()), event("Cached")));
    let new = gate.alice();
    assert_eq!(checked(&gate, &new).await, (Ok(()), event("Verified")));

    // Remembered or not, it ends with its key.
    fs::remove_file(&listed(&folder)[0].path).unwrap();
    gate.authenticator.poll_keys();
    let gone = Err(invalid(Rejection::Token(InvalidToken::Key)));
    assert_eq!(checked(&gate, &token).await, (gone, event("Invalid")));
    assert_eq!(checked(&gate, &new).await.0, Ok(()));
}

#[tokio::test]
async fn a_token_of_a_key_that_another_replica_made_is_taken_at_once() {
    let (folder, gate) = gate();
    rotate(&folder, KeyAlgorithm::Ed25519);
    let token = replica(&folder).alice();
    // No watch runs here: the token alone makes the gate look.
    assert_eq!(checked(&gate, &token).await, (Ok(()), event("Verified")));
    assert_eq!(gate.authenticator.keys().kid(), listed(&folder)[1].kid);
}

#[tokio::test]
async fn a_token_of_a_key_that_nobody_knows_stays_refused() {
    let ((_folder, gate), (_other, stranger)) = (gate(), gate());
    let token = stranger.alice();
    let unknown = || Err(invalid(Rejection::Token(InvalidToken::Key)));
    for _ in 0..3 {
        assert_eq!(checked(&gate, &token).await, (unknown(), event("Invalid")));
    }
}

#[tokio::test]
async fn an_upload_goes_on_under_a_key_that_signs_no_more() {
    let (folder, gate) = gate();
    let mut headers = HeaderMap::new();
    let token = format!("Bearer {}", gate.alice());
    headers.insert(AUTHORIZATION, HeaderValue::try_from(token).unwrap());
    rotate(&folder, KeyAlgorithm::Ed25519);
    gate.authenticator.poll_keys();
    let late = at(700);
    let step = async || gate.authenticator.authenticate_upload(&headers, HERE, late).await;
    assert!(step().await.unwrap().is_some());
    fs::remove_file(&listed(&folder)[0].path).unwrap();
    gate.authenticator.poll_keys();
    assert!(step().await.is_err());
}
