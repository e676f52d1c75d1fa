//! What holds while the state does not answer.

use super::*;

#[tokio::test]
async fn tokens_wait_for_a_state_that_is_away_for_too_long_and_passwords_do_not() {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let keys = Arc::new(KeyRing::new(der.as_ref(), []).unwrap());
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let fresh = Gate::on(Arc::clone(&keys), sample::absent_for(minutes(4), minutes(5)));
    let stale = Gate::on(keys, sample::absent_for(minutes(6), minutes(5)));
    let token = fresh.alice();
    assert!(fresh.bearer(&token, at(1)).await.is_ok());
    assert_eq!(stale.bearer(&token, at(1)).await.unwrap_err(), AuthError::Unavailable);
    let password = stale.basic("alice", "correct:horse:", HERE, at(1)).await;
    assert_eq!(password.unwrap().caller.subject, Subject::User("alice".to_owned()));
}

#[tokio::test]
async fn nobody_is_slowed_for_what_the_gate_could_not_look_up() {
    let gate = Gate::new();
    let token = RefreshToken::random().unwrap().written();
    for _ in 0..60 {
        let refused = gate.basic("alice", token.expose(), HERE, at(0)).await.unwrap_err();
        assert_eq!(refused, AuthError::Unavailable);
    }
    assert!(gate.basic("alice", "correct:horse:", HERE, at(0)).await.is_ok());
}
