use std::collections::BTreeSet;
use std::time::Duration;

use policy::Bounds;
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use super::hearing::Heard;
use super::peer::Known;
use super::sample::{Gate, at, here};
use super::*;
use crate::identity::Access;
use crate::store::{Revoked, Sequence};
use crate::token::{InvalidToken, Kind, Order, RevocationList, mint};

fn rejected(peers: &Peers, token: &str) -> PeerError {
    peers.verify(token, at(0)).unwrap_err()
}

fn groups(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

#[test]
fn a_token_of_a_trusted_gate_stands_for_a_subject_of_its_own_with_mapped_groups_only() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let order = eu.order();
    let token = eu.token(order.clone());
    assert!(peers.may_have_made(&token));
    let PeerToken { claims, grant, groups } = peers.verify(&token, at(0)).unwrap();
    assert_eq!(groups, ["builders"], "`admin` is nothing here");
    assert_eq!(grant.subject.to_string(), "peer:eu/user:alice");
    assert_eq!((grant.kind, grant.via.as_deref()), (Kind::Peer, Some("eu")));
    assert_eq!(grant.asserted, ["ci", "admin"], "as the gate writes them");
    assert_eq!((grant.groups, grant.auth_time), (None, at(-100)));
    assert_eq!(Some(&claims.family), order.family.as_ref());
}

#[test]
fn a_token_reaches_no_further_here_than_there() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let bounds = Bounds::new(vec!["team/**".to_owned()], ["pull"]).unwrap();
    let mut order = eu.order();
    order.grant.bounds = Some(bounds.into());
    order.access = Some(vec![Access::Catalog]);
    let held = peers.verify(&eu.token(order.clone()), at(0)).unwrap();
    assert_eq!(held.grant.bounds, order.grant.bounds);
    assert_eq!(held.claims.access, order.access);
}

#[test]
fn what_a_gate_was_told_by_others_about_its_subject_does_not_count_here() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let mut order = eu.order();
    order.grant.kind = Kind::Federated;
    order.grant.via = Some("github".to_owned());
    order.grant.asserted = vec!["release".to_owned()];
    let held = peers.verify(&eu.token(order), at(0)).unwrap();
    assert_eq!(held.groups, ["builders"]);
    assert_eq!(held.grant.via.as_deref(), Some("eu"));
    assert_eq!(held.grant.subject.to_string(), "peer:eu/user:alice");
}

#[test]
fn who_is_not_trusted_is_not_even_asked_for_keys() {
    let (eu, us) = (Gate::new("eu"), Gate::new("us"));
    let peers = eu.trusted();
    let token = us.token(us.order());
    assert!(!peers.may_have_made(&token));
    assert_eq!(rejected(&peers, &token), PeerError::NotTrusted);
    for text in ["", "a.b.c", "..", "pcr_x", &format!("a.{}.c", "e".repeat(9000))] {
        assert!(!peers.may_have_made(text), "{text}");
        assert_eq!(rejected(&peers, text), PeerError::NotTrusted);
    }
}

#[test]
fn one_trusted_gate_cannot_speak_for_another() {
    let (eu, us) = (Gate::new("eu"), Gate::new("us"));
    let peers = Peers::new([eu.settings(), us.settings()], &here()).unwrap();
    eu.tells(&peers, vec![]);
    us.tells(&peers, vec![]);
    let (forged, _) = mint(eu.order(), &us.ring, &eu.url, at(0)).unwrap();
    assert_eq!(rejected(&peers, forged.expose()), PeerError::Token(InvalidToken::Key));
    let held = peers.verify(&us.token(us.order()), at(0)).unwrap();
    assert_eq!(held.grant.subject.to_string(), "peer:us/user:alice");
}

#[test]
fn a_token_for_another_service_does_not_hold_here() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    for audience in [None, Some("other.example"), Some("here.example:443"), Some("")] {
        let order = Order { audience: audience.map(str::to_owned), ..eu.order() };
        let error = rejected(&peers, &eu.token(order));
        assert_eq!(error, PeerError::Token(InvalidToken::Audience), "{audience:?}");
    }
}

#[test]
fn a_token_that_is_not_that_of_an_access_token_is_refused() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let token = eu.token(eu.order());
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let with = |part: &str, name: &str, value: Value| {
        let mut object = read(part);
        object[name] = value;
        URL_SAFE_NO_PAD.encode(object.to_string())
    };
    for (text, error) in [
        (
            format!("{}.{claims}.{signature}", with(header, "alg", json!("none"))),
            InvalidToken::Header,
        ),
        (format!("{}.{claims}.", with(header, "alg", json!("none"))), InvalidToken::Header),
        (
            format!("{}.{claims}.{signature}", with(header, "typ", json!("JWT"))),
            InvalidToken::Header,
        ),
        (format!("{}.{claims}.{signature}", with(header, "kid", json!("x"))), InvalidToken::Key),
        (
            format!("{header}.{}.{signature}", with(claims, "groups", json!(["release"]))),
            InvalidToken::Signature,
        ),
    ] {
        assert_eq!(rejected(&peers, &text), PeerError::Token(error), "{text}");
    }
    let list = eu.list(vec![], 1).sign(&eu.ring).unwrap();
    assert_eq!(rejected(&peers, &list), PeerError::Token(InvalidToken::Header));
    assert_eq!(peers.verify(&token, at(3630)).unwrap_err(), PeerError::Stale);
}

#[test]
fn those_whom_the_gate_does_not_know_itself_are_refused() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let mut third = eu.order();
    third.grant.subject = "peer:us/user:bob".parse().unwrap();
    (third.grant.kind, third.grant.via) = (Kind::Peer, Some("us".to_owned()));
    let mut nobody = eu.order();
    nobody.grant.subject = Subject::Anonymous;
    nobody.grant.kind = Kind::Anonymous;
    for order in [third, nobody] {
        assert_eq!(rejected(&peers, &eu.token(order)), PeerError::SecondHand);
    }
}

#[test]
fn a_token_that_lives_too_long_is_refused_however_little_is_left_of_it() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let order = Order { lifetime: Duration::from_secs(3601), ..eu.order() };
    assert_eq!(rejected(&peers, &eu.token(order)), PeerError::LongLived);
}

#[test]
fn groups_are_named_by_the_token_or_it_is_refused() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let mut order = eu.order();
    order.grant.groups = None;
    assert_eq!(rejected(&peers, &eu.token(order.clone())), PeerError::Groups);
    order.grant.groups = Some(vec![]);
    assert!(peers.verify(&eu.token(order), at(0)).unwrap().groups.is_empty());
}

#[test]
fn a_gate_that_was_not_heard_of_is_refused_as_a_whole() {
    let eu = Gate::new("eu");
    let peers = Peers::new([eu.settings()], &here()).unwrap();
    let token = eu.token(eu.order());
    assert_eq!(rejected(&peers, &token), PeerError::Unheard);
    let peer = &peers.peers[0];
    peer.learn(Known { keys: Some(eu.keys()), heard: Heard::Nothing });
    assert_eq!(rejected(&peers, &token), PeerError::Unheard);
    peer.learn(Known { keys: Some(eu.keys()), heard: Heard::Backwards });
    assert_eq!(rejected(&peers, &token), PeerError::RolledBack);
    eu.tells(&peers, vec![]);
    let grant = peers.verify(&token, at(599)).unwrap().grant;
    assert_eq!(peers.verify(&token, at(600)).unwrap_err(), PeerError::Stale);
    assert_eq!(peers.standing(&grant, &[], at(600)), Err(PeerError::Stale));
}

#[test]
fn without_a_list_a_gate_is_trusted_where_the_configuration_says_so() {
    let eu = Gate::new("eu");
    let settings = Settings { revocations: None, ..eu.settings() };
    let peers = Peers::new([settings], &here()).unwrap();
    let token = eu.token(eu.order());
    assert_eq!(rejected(&peers, &token), PeerError::NoKeys);
    peers.peers[0].learn(Known { keys: Some(eu.keys()), heard: Heard::Nothing });
    assert_eq!(peers.verify(&token, at(3000)).unwrap().groups, ["builders"]);
}

#[test]
fn whatever_the_gate_revokes_ends_its_tokens_and_those_that_were_made_from_them() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let token = eu.token(eu.order());
    let PeerToken { claims, grant, .. } = peers.verify(&token, at(0)).unwrap();
    let ours = TokenId::random().unwrap();
    let id = |id: &TokenId| Revoked::Id { id: id.clone(), until: at(3600) };
    let subject =
        |name: &str, seconds| Revoked::Subject(Subject::User(name.to_owned()), at(seconds));
    for (revoked, ends, ends_derived) in [
        (id(&claims.family), true, true),
        (id(&claims.jti), true, false),
        (id(&TokenId::random().unwrap()), false, false),
        (subject("alice", -100), true, true),
        (subject("alice", -101), false, false),
        (subject("bob", 0), false, false),
        (Revoked::Everything(at(-100)), true, true),
        (Revoked::Everything(at(-101)), false, false),
    ] {
        eu.tells(&peers, vec![revoked.clone()]);
        let end =
            |ends| if ends { Err(PeerError::Revoked) } else { Ok(vec!["builders".to_owned()]) };
        let held = peers.verify(&token, at(0)).map(|held| held.groups);
        assert_eq!(held, end(ends), "{revoked:?}");
        // A token of ours has the family of theirs, and a name of its own.
        let derived = peers.standing(&grant, &[&claims.family, &ours], at(0));
        assert_eq!(derived, end(ends_derived), "{revoked:?}");
    }
}

#[test]
fn a_token_that_was_checked_before_still_ends_in_time_and_with_its_key() {
    let eu = Gate::new("eu");
    let peers = eu.trusted();
    let order = Order { lifetime: Duration::from_secs(100), ..eu.order() };
    let token = eu.token(order);
    assert!(peers.verify(&token, at(0)).is_ok());
    assert!(peers.verify(&token, at(129)).is_ok(), "clocks may differ by 30 s");
    for _ in 0..2 {
        let error = peers.verify(&token, at(130)).unwrap_err();
        assert_eq!(error, PeerError::Token(InvalidToken::Expired));
    }
    assert!(peers.verify(&token, at(0)).is_ok());
    let heard = peers.peers[0].known().heard.clone();
    peers.peers[0].learn(Known { keys: Some(Gate::new("eu").keys()), heard });
    assert_eq!(rejected(&peers, &token), PeerError::Token(InvalidToken::Key));
}

#[test]
fn a_gate_that_is_taken_out_of_trust_takes_what_was_made_from_its_tokens_along() {
    let (eu, us) = (Gate::new("eu"), Gate::new("us"));
    let peers = eu.trusted();
    let PeerToken { grant, .. } = peers.verify(&eu.token(eu.order()), at(0)).unwrap();
    assert_eq!(peers.standing(&grant, &[], at(0)).unwrap(), ["builders"]);
    assert_eq!(us.trusted().standing(&grant, &[], at(0)), Err(PeerError::NotTrusted));
    let local = Grant { subject: Subject::User("alice".to_owned()), ..grant };
    assert_eq!(peers.standing(&local, &[], at(0)), Err(PeerError::NotTrusted));
}

#[test]
fn groups_are_those_that_the_configuration_maps_now() {
    let eu = Gate::new("eu");
    let PeerToken { grant, .. } = eu.trusted().verify(&eu.token(eu.order()), at(0)).unwrap();
    let admin = ("admin".to_owned(), vec!["staff".to_owned()]);
    let settings = Settings { groups: [admin].into_iter().collect(), ..eu.settings() };
    let peers = Peers::new([settings], &here()).unwrap();
    eu.tells(&peers, vec![]);
    assert_eq!(peers.standing(&grant, &[], at(0)).unwrap(), ["staff"]);
}

#[test]
fn an_older_list_than_was_seen_makes_the_gate_untrusted_until_a_newer_one_comes() {
    let eu = Gate::new("eu");
    let seen = Some(Sequence(7));
    let known = Heard::Nothing.after(eu.list(vec![], 7), seen);
    assert!(known.list(at(0)).is_ok());
    let back = known.after(eu.list(vec![], 6), seen);
    assert_eq!(back.list(at(0)).err(), Some(PeerError::RolledBack));
    assert!(back.after(eu.list(vec![], 7), seen).list(at(0)).is_ok());
    assert!(back.after(eu.list(vec![], 8), seen).list(at(0)).is_ok());
}

#[test]
fn of_two_lists_about_the_same_state_the_later_one_counts() {
    let eu = Gate::new("eu");
    let list =
        |made, gone: Option<TokenId>| RevocationList::new(&eu.url, [], gone, Sequence(7), at(made));
    let id = TokenId::random().unwrap();
    let known = Heard::Nothing.after(list(5, Some(id.clone())), None);
    let revokes = |heard: &Heard| heard.list(at(5)).unwrap().revokes("user:alice", at(0), [&id]);
    assert!(revokes(&known.after(list(4, None), Some(Sequence(7)))));
    assert!(!revokes(&known.after(list(6, None), Some(Sequence(7)))));
}

#[test]
fn each_reason_has_a_word_of_its_own() {
    use PeerError::*;
    let all = [
        NotTrusted,
        NoKeys,
        Token(InvalidToken::Key),
        SecondHand,
        LongLived,
        Groups,
        Unheard,
        Stale,
        RolledBack,
        Revoked,
    ];
    let words: BTreeSet<_> = all.iter().map(|error| error.label()).collect();
    assert_eq!(words.len(), all.len());
    assert!(words.iter().all(|word| word.starts_with("peer_")));
}

proptest! {
    #[test]
    fn no_group_arrives_that_is_not_mapped(
        theirs in subsequence(vec!["ci", "release", "admin", "builders", "administrators"], 0..=5),
    ) {
        let eu = Gate::new("eu");
        let peers = eu.trusted();
        let mut order = eu.order();
        order.grant.groups = groups(&theirs);
        let mut expected = Vec::new();
        if theirs.contains(&"ci") {
            expected.push("builders");
        }
        if theirs.contains(&"release") {
            expected.extend(["readers", "releasers"]);
        }
        prop_assert_eq!(peers.verify(&eu.token(order), at(0)).unwrap().groups, expected);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}|[A-Za-z0-9_.-]{0,120}") {
        let eu = Gate::new("eu");
        prop_assert!(eu.trusted().verify(&text, at(0)).is_err());
    }
}
