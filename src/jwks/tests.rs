use std::fs;

use crate::sample_provider::{Key, Mood, Provider, jwks};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

const DAY: i64 = 86_400;

fn by_url(provider: &Provider) -> JwksSource {
    let location = JwksLocation::Url(HttpsUrl::new(&provider.jwks_url()).unwrap());
    JwksSource::new(location, Some(provider.ca())).unwrap()
}

fn by_discovery(provider: &Provider) -> JwksSource {
    let location = JwksLocation::Discovery(HttpsUrl::new(&provider.issuer()).unwrap());
    JwksSource::new(location, Some(provider.ca())).unwrap()
}

/// The names of the keys that a token with `kid` would be checked with.
async fn kids(source: &JwksSource, kid: &str, seconds: i64) -> Vec<String> {
    let keys = source.keys(kid, at(seconds)).await.unwrap();
    keys.kids().map(str::to_owned).collect()
}

async fn told(source: &JwksSource, seconds: i64) -> String {
    let error = source.keys("one", at(seconds)).await.unwrap_err();
    Causes(&error).to_string()
}

#[tokio::test]
async fn a_set_is_fetched_once_in_five_minutes() {
    let provider = Provider::start(&[Key::eddsa("one"), Key::es256("two"), Key::rs256("three")]);
    let source = by_url(&provider);
    assert!(provider.asked().is_empty(), "nobody has come yet");
    for seconds in [0, 1, 299] {
        assert_eq!(kids(&source, "one", seconds).await, ["one", "three", "two"]);
    }
    assert_eq!(provider.times_asked_for_keys(), 1);
    kids(&source, "one", 300).await;
    assert_eq!(provider.times_asked_for_keys(), 2);
}

#[tokio::test]
async fn a_new_key_is_found_at_once() {
    let [one, two] = ["one", "two"].map(Key::eddsa);
    let provider = Provider::start(std::slice::from_ref(&one));
    let source = by_url(&provider);
    kids(&source, "one", 0).await;
    provider.rotate(&[one, two]);
    assert_eq!(kids(&source, "one", 20).await, ["one"]);
    assert_eq!(kids(&source, "two", 20).await, ["one", "two"]);
}

#[tokio::test]
async fn a_key_that_its_owner_took_out_is_gone_with_the_next_set() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_url(&provider);
    kids(&source, "one", 0).await;
    provider.rotate(&[Key::eddsa("two")]);
    assert_eq!(kids(&source, "two", 20).await, ["two"]);
    assert_eq!(kids(&source, "one", 21).await, ["two"], "asked again too soon, or kept");

    // Nor does it come back while the owner cannot be asked.
    provider.be(Mood::Down);
    assert_eq!(kids(&source, "one", 1000).await, ["two"]);
    provider.be(Mood::NoKeys);
    assert!(kids(&source, "two", 2000).await.is_empty());
    assert!(kids(&source, "one", 3000).await.is_empty());
}

#[tokio::test]
async fn invented_names_of_keys_cost_one_request_in_ten_seconds() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_url(&provider);
    for tenth in 0..400 {
        let now = at(0) + Duration::from_millis(tenth * 100);
        source.keys(&format!("invented-{tenth}"), now).await.unwrap();
    }
    assert_eq!(provider.times_asked_for_keys(), 4);
}

#[tokio::test]
async fn those_who_come_together_share_one_request() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_url(&provider);
    let all: Vec<_> = (0..50)
        .map(|number| {
            let source = source.clone();
            let kid = if number % 2 == 0 { "one" } else { "two" };
            tokio::spawn(async move { source.keys(kid, at(0)).await.unwrap() })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap().kids().collect::<Vec<_>>(), ["one"]);
    }
    assert_eq!(provider.times_asked_for_keys(), 1);
}

#[tokio::test]
async fn who_goes_away_leaves_the_keys_to_the_others() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_url(&provider);
    let impatient = source.keys("one", at(0));
    assert!(tokio::time::timeout(Duration::ZERO, impatient).await.is_err());
    assert_eq!(kids(&source, "one", 1).await, ["one"]);
    assert_eq!(provider.times_asked_for_keys(), 1);
}

#[tokio::test]
async fn the_old_set_serves_for_a_day_while_no_new_one_is_to_be_had() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_url(&provider);
    kids(&source, "one", 0).await;
    for mood in [Mood::Down, Mood::Html, Mood::Redirects] {
        provider.be(mood.clone());
        for seconds in [DAY - 100, DAY - 90, DAY - 1] {
            assert_eq!(kids(&source, "one", seconds).await, ["one"], "{mood:?}");
        }
        assert!(source.keys("one", at(DAY)).await.is_err(), "{mood:?}");
        provider.be(Mood::Well);
        assert_eq!(kids(&source, "one", DAY + 60).await, ["one"]);
        // Back to the beginning: the clock is the test's.
        kids(&source, "one", 0).await;
    }
    provider.be(Mood::Down);
    let text = told(&source, DAY).await.replace(&provider.port().to_string(), "PORT");
    insta::assert_snapshot!(text, @"the keys of localhost:PORT are not to be had: no attempt of the last 24 h succeeded: localhost:PORT answers 503 Service Unavailable; look whether the address is right and open to everyone");
}

#[tokio::test]
async fn an_owner_who_is_away_is_asked_once_a_minute_while_the_old_set_serves() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_url(&provider);
    kids(&source, "one", 0).await;
    provider.be(Mood::Down);
    for seconds in 300..420 {
        kids(&source, "one", seconds).await;
    }
    assert_eq!(provider.times_asked_for_keys(), 1 + 2);
    // Who comes first of all gets an answer for the whole ten seconds.
    let source = by_url(&provider);
    for seconds in 0..10 {
        assert!(source.keys("one", at(seconds)).await.is_err());
    }
    assert_eq!(provider.times_asked_for_keys(), 3 + 1);
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_no_set_last() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_url(&provider);
    kids(&source, "one", DAY).await;
    provider.rotate(&[Key::eddsa("two")]);
    assert_eq!(kids(&source, "one", 0).await, ["two"]);
}

#[tokio::test]
async fn discovery_leads_to_the_keys_of_the_issuer_that_is_configured() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_discovery(&provider);
    assert_eq!(kids(&source, "one", 0).await, ["one"]);
    assert_eq!(provider.asked(), ["/.well-known/openid-configuration", "/keys"]);
}

#[tokio::test]
async fn discovery_of_another_issuer_leads_nowhere() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    for other in ["https://evil.example".to_owned(), format!("{}/", provider.issuer())] {
        provider.be(Mood::OtherIssuer(other.clone()));
        let text = told(&by_discovery(&provider), 0).await;
        assert!(text.contains(&format!("is of the issuer `{other}`; write")), "{text}");
    }
    assert_eq!(provider.times_asked_for_keys(), 0);
}

#[tokio::test]
async fn keys_over_plain_http_are_not_fetched() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    for url in ["http://169.254.169.254/keys", "file:///etc/passwd", ""] {
        provider.be(Mood::KeysAt(url.to_owned()));
        let text = told(&by_discovery(&provider), 0).await;
        assert!(text.contains("the `jwks_uri` of the discovery document is "), "{text}");
    }
    for url in ["http://idp.example/keys", "ftp://idp.example/keys"] {
        assert!(JwksLocation::new(url, Path::new("")).is_err(), "{url}");
    }
}

#[tokio::test]
async fn what_is_no_key_set_is_refused() {
    let provider = Provider::start(&[Key::eddsa("one")]);
    let source = by_discovery(&provider);
    provider.be(Mood::Html);
    let text = told(&source, 0).await;
    assert!(text.contains("sends no JSON"), "{text}");
    provider.be(Mood::KeysAt(format!("{}/.well-known/openid-configuration", provider.issuer())));
    let text = told(&source, 10).await;
    assert!(text.contains("no JWK set"), "{text}");
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |keys: &[Key]| {
        fs::write(folder.path().join("keys.json"), jwks(keys).to_string()).unwrap();
    };
    let location = JwksLocation::new("keys.json", folder.path()).unwrap();
    let source = JwksSource::new(location, None).unwrap();
    let text = told(&source, 0).await.replace(folder.path().to_str().unwrap(), "FOLDER");
    insta::assert_snapshot!(text, @"the keys of FOLDER/keys.json are not to be had: cannot read the file; it must be one that the gate's user may read: No such file or directory (os error 2)");
    write(&[Key::eddsa("one")]);
    assert_eq!(kids(&source, "one", 1).await, ["one"]);
    write(&[Key::eddsa("two")]);
    assert_eq!(kids(&source, "one", 2).await, ["two"]);
    fs::write(folder.path().join("keys.json"), "{").unwrap();
    assert_eq!(kids(&source, "two", 3).await, ["two"]);
    assert!(source.keys("two", at(3 + DAY)).await.is_err());
}
