use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use jsonwebtoken::{Algorithm, EncodingKey};
use policy::Subject;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://eu.example:5443";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

fn issuer() -> PublicUrl {
    PublicUrl::new(ISSUER).unwrap()
}

fn id(number: u128) -> TokenId {
    URL_SAFE_NO_PAD.encode(number.to_be_bytes()).parse().unwrap()
}

fn user(name: &str) -> Subject {
    Subject::User(name.to_owned())
}

struct Gate {
    der: Vec<u8>,
    ring: KeyRing,
}

impl Gate {
    fn new() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref().to_vec();
        let ring = KeyRing::new(&der, []).unwrap();
        Self { der, ring }
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": TYPE, "kid": self.ring.verifying().kids().next().unwrap()})
    }

    /// Signs whatever it is given, with the gate's own key.
    fn sign(&self, header: &Value, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(&header.to_string()), encode(claims));
        let key = EncodingKey::from_ed_der(&self.der);
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn read(&self, text: &str, now: Timestamp) -> Result<RevocationList, InvalidList> {
        RevocationList::verify(text, self.ring.verifying(), ISSUER, now)
    }

    fn read_claims(&self, claims: &Value) -> Result<RevocationList, InvalidList> {
        self.read(&self.sign(&self.header(), &claims.to_string()), at(0))
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "seq": 7, "iat": NOW, "exp": NOW + 600, "ids": [id(1)],
        "subjects": {SubjectHash::new(ISSUER, "user:alice").0: NOW - 5}, "before": NOW - 1000,
    })
}

fn list(revoked: Vec<Revoked>) -> RevocationList {
    RevocationList::new(&issuer(), revoked, [], Sequence(7), at(0))
}

#[test]
fn a_list_says_who_made_it_when_and_how_long_it_may_be_relied_on() {
    let list = list(vec![
        Revoked::Id { id: id(1), until: at(60) },
        Revoked::Subject(user("alice"), at(-5)),
        Revoked::Everything(at(-1000)),
    ]);
    assert_eq!(serde_json::to_value(&list).unwrap(), claims());
    let empty = RevocationList::new(&issuer(), [], [], Sequence(0), at(0));
    assert_eq!(
        serde_json::to_value(&empty).unwrap(),
        json!({"iss": ISSUER, "seq": 0, "iat": NOW, "exp": NOW + 600, "ids": [], "subjects": {}})
    );
}

#[test]
fn what_is_revoked_is_told_under_each_of_its_names_and_times() {
    let list = list(vec![
        Revoked::Id { id: id(1), until: at(60) },
        Revoked::Subject(user("alice"), at(-5)),
        Revoked::Subject(user("alice"), at(-50)),
        Revoked::Everything(at(-2000)),
        Revoked::Everything(at(-1000)),
    ]);
    for (subject, began, names, revoked) in [
        ("user:bob", 0, vec![id(2), id(1)], true),
        ("user:bob", 0, vec![id(2), id(3)], false),
        ("user:bob", 0, vec![], false),
        ("user:alice", -5, vec![id(2)], true),
        ("user:alice", -4, vec![id(2)], false),
        ("service:alice", -5, vec![id(2)], false),
        ("user:bob", -999, vec![id(2)], false),
        ("user:bob", -1000, vec![id(2)], true),
    ] {
        let told = list.revokes(subject, at(began), &names);
        assert_eq!(told, revoked, "{subject} {began} {names:?}");
    }
}

#[test]
fn families_whose_subject_is_gone_are_in_it_like_those_that_were_revoked() {
    let list = RevocationList::new(&issuer(), [], [id(5)], Sequence(7), at(0));
    assert!(list.revokes("user:bob", at(0), [&id(5)]));
}

#[test]
fn what_ended_long_ago_is_left_out_and_what_ended_just_now_is_not() {
    let revoked = |until| list(vec![Revoked::Id { id: id(1), until: at(until) }]);
    assert!(revoked(-599).revokes("user:bob", at(-4000), [&id(1)]));
    assert!(!revoked(-600).revokes("user:bob", at(-4000), [&id(1)]));
}

#[test]
fn a_list_names_nobody() {
    let gate = Gate::new();
    let text = list(vec![Revoked::Subject(user("alice"), at(0))]).sign(&gate.ring).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    assert!(!payload.contains("alice"), "{payload}");
    // Another gate's list about the same name cannot be compared with it.
    let elsewhere = SubjectHash::new("https://us.example", "user:alice");
    assert_ne!(SubjectHash::new(ISSUER, "user:alice"), elsewhere);
}

#[test]
fn the_hash_of_a_subject_is_that_of_the_issuer_a_line_break_and_the_subject() {
    let hash = digest::digest(&digest::SHA256, b"https://eu.example:5443\nuser:alice");
    assert_eq!(SubjectHash::new(ISSUER, "user:alice").0, URL_SAFE_NO_PAD.encode(hash));
}

#[test]
fn a_list_holds_until_its_end_and_not_a_second_longer() {
    let gate = Gate::new();
    let text = list(vec![]).sign(&gate.ring).unwrap();
    let read = gate.read(&text, at(599)).unwrap();
    assert!(read.holds(at(599)) && !read.holds(at(600)));
    assert_eq!(gate.read(&text, at(600)), Err(InvalidList::Stale));
    assert!(gate.read(&text, at(-30)).is_ok());
    assert_eq!(gate.read(&text, at(-31)), Err(InvalidList::Early));
}

#[test]
fn a_list_of_another_gate_or_of_an_unknown_key_is_refused() {
    let (gate, stranger) = (Gate::new(), Gate::new());
    let text = list(vec![]).sign(&gate.ring).unwrap();
    let other = RevocationList::verify(&text, gate.ring.verifying(), "https://us.example", at(0));
    assert_eq!(other, Err(InvalidList::Issuer));
    assert_eq!(stranger.read(&text, at(0)), Err(InvalidToken::Key.into()));
    // The stranger's signature under the name of the gate's key.
    let forged = stranger.sign(&gate.header(), &claims().to_string());
    assert_eq!(gate.read(&forged, at(0)), Err(InvalidToken::Signature.into()));
}

#[test]
fn a_header_that_is_not_that_of_a_list_is_refused() {
    let gate = Gate::new();
    for (name, value) in [
        ("typ", json!("at+jwt")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("jku", json!("https://eu.example/keys")),
        ("crit", json!([])),
    ] {
        let mut header = gate.header();
        header[name] = value;
        let text = gate.sign(&header, &claims().to_string());
        assert_eq!(gate.read(&text, at(0)), Err(InvalidToken::Header.into()), "{header}");
    }
    assert!(gate.read_claims(&claims()).is_ok());
}

#[test]
fn a_list_is_no_access_token() {
    let gate = Gate::new();
    let text = list(vec![]).sign(&gate.ring).unwrap();
    let token = crate::token::verify(&text, &gate.ring, &issuer(), at(0));
    assert_eq!(token, Err(InvalidToken::Header));
}

#[test]
fn what_is_not_understood_makes_a_list_worthless() {
    let gate = Gate::new();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let hash = SubjectHash::new(ISSUER, "user:alice").0;
    let mut bad = vec![
        with("revoked", json!([])),
        with("aud", json!("us.example")),
        with("before", Value::Null),
        with("before", json!("1")),
        with("before", json!(1.5)),
        with("seq", json!("7")),
        with("ids", Value::Null),
        with("ids", json!(["short"])),
        with("ids", json!([7])),
        with("ids", json!({})),
        with("subjects", json!([])),
        with("subjects", json!({"user:alice": NOW})),
        with("subjects", json!({hash.clone(): Value::Null})),
        with("subjects", json!({format!("{hash}="): NOW})),
    ];
    for name in ["iss", "seq", "iat", "exp", "ids", "subjects"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        bad.push(without);
    }
    for claims in bad {
        let read = gate.read_claims(&claims);
        assert_eq!(read, Err(InvalidToken::Claims.into()), "{claims}");
    }
    let twice = claims()
        .to_string()
        .replace(&format!("{{\"{hash}\":"), &format!("{{\"{hash}\":{NOW},\"{hash}\":"));
    assert_eq!(twice.matches(&hash).count(), 2);
    let read = gate.read(&gate.sign(&gate.header(), &twice), at(0));
    assert_eq!(read, Err(InvalidToken::Claims.into()));
}

#[test]
fn times_that_cannot_be_are_refused() {
    let gate = Gate::new();
    for (name, value) in [
        ("exp", NOW),
        ("exp", NOW - 1),
        ("exp", NOW + 3601),
        ("exp", i64::MAX),
        ("iat", i64::MIN),
        ("seq", -1),
    ] {
        let mut claims = claims();
        claims[name] = json!(value);
        assert_eq!(gate.read_claims(&claims), Err(InvalidList::Times), "{name} {value}");
    }
}

#[test]
fn a_list_that_nobody_would_read_is_not_made_and_a_longer_one_not_read() {
    let gate = Gate::new();
    let revoked =
        |count| (0..count).map(|number| Revoked::Id { id: id(number), until: at(60) }).collect();
    let text = list(revoked(120_000)).sign(&gate.ring).unwrap();
    assert_eq!(gate.read(&text, at(0)).unwrap().ids.len(), 120_000);
    assert!(matches!(list(revoked(130_000)).sign(&gate.ring), Err(UnsignedList::TooLong)));
    let text = format!("{text}{}", "A".repeat(MAX_LIST + 1 - text.len()));
    assert_eq!(gate.read(&text, at(0)), Err(InvalidToken::TooLong.into()));
}

fn revoked() -> impl Strategy<Value = Revoked> {
    let time = || (-2000..100_i64).prop_map(at);
    prop_oneof![
        4 => ((0..6_u128).prop_map(id), time()).prop_map(|(id, until)| Revoked::Id { id, until }),
        4 => (select(vec!["a", "b", "c"]), time())
            .prop_map(|(name, at)| Revoked::Subject(user(name), at)),
        1 => time().prop_map(Revoked::Everything),
    ]
}

proptest! {
    #[test]
    fn others_know_exactly_what_the_gate_knows(
        revoked in vec(revoked(), 0..8),
        gone in vec((0..6_u128).prop_map(id), 0..3),
        sequence in 0..i64::MAX,
        (name, began, own) in (select(vec!["a", "b", "d"]), -2000..100_i64, 0..7_u128),
    ) {
        let gate = Gate::new();
        let made = RevocationList::new(
            &issuer(), revoked.clone(), gone.clone(), Sequence(sequence), at(0),
        );
        let read = gate.read(&made.sign(&gate.ring).unwrap(), at(0)).unwrap();
        prop_assert_eq!(&read, &made);
        prop_assert_eq!(read.sequence(), Sequence(sequence));
        let expected = gone.contains(&id(own)) || revoked.iter().any(|revoked| match revoked {
            Revoked::Id { id: other, until } => *other == id(own) && *until > at(-600),
            Revoked::Subject(subject, time) => *subject == user(name) && at(began) <= *time,
            Revoked::Everything(time) => at(began) <= *time,
        });
        prop_assert_eq!(read.revokes(&user(name).to_string(), at(began), [&id(own)]), expected);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,80}|[A-Za-z0-9_.-]{0,200}") {
        prop_assert!(Gate::new().read(&text, at(0)).is_err());
    }
}
