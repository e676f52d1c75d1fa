use serde_json::json;

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolving};

use super::*;
use crate::sample_provider::{Key, Mood, Provider, jwks};

const MOST: usize = 1 << 20;

fn provider() -> Provider {
    Provider::start(&[Key::eddsa("one")])
}

fn keys_of(provider: &Provider) -> HttpsUrl {
    HttpsUrl::new(&provider.jwks_url()).unwrap()
}

async fn fetched(provider: &Provider) -> Result<Value, FetchError> {
    Fetcher::new(Some(provider.ca())).unwrap().json(&keys_of(provider), MOST).await
}

async fn told(mood: Mood) -> String {
    let provider = provider();
    provider.be(mood);
    let error = fetched(&provider).await.unwrap_err();
    assert_eq!(provider.asked(), ["/keys"], "one request, and no other address");
    error.to_string().replace(&provider.port().to_string(), "PORT")
}

#[tokio::test]
async fn a_document_comes_over_https_from_whom_the_ca_vouches_for() {
    let key = Key::eddsa("one");
    let provider = Provider::start(std::slice::from_ref(&key));
    assert_eq!(fetched(&provider).await.unwrap(), jwks(&[key]));
    let another = self::provider();
    for fetcher in [Fetcher::new(Some(another.ca())), Fetcher::new(None)] {
        let error = fetcher.unwrap().json(&keys_of(&provider), MOST).await.unwrap_err();
        assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    }
    assert_eq!(provider.asked().len(), 1, "who is not trusted is not asked");
}

#[tokio::test]
async fn redirects_pages_and_failures_are_refused_each_with_its_remedy() {
    insta::assert_snapshot!(told(Mood::Redirects).await, @"localhost:PORT redirects, which is not followed; configure the address that it points to");
    insta::assert_snapshot!(told(Mood::Html).await, @"localhost:PORT sends no JSON; look whether the address is right");
    insta::assert_snapshot!(told(Mood::Down).await, @"localhost:PORT answers 503 Service Unavailable; look whether the address is right and open to everyone");
}

#[tokio::test]
async fn a_body_without_an_end_is_left_at_the_bound() {
    for tells in [true, false] {
        assert_eq!(
            told(Mood::Endless { tells }).await,
            "localhost:PORT sends more than 1048576 bytes; look whether the address is right"
        );
    }
}

#[tokio::test]
async fn the_bound_is_exact() {
    let provider = provider();
    let fetcher = Fetcher::new(Some(provider.ca())).unwrap();
    let url = keys_of(&provider);
    let size = fetcher.bytes(&url, MOST).await.unwrap().len();
    assert_eq!(fetcher.bytes(&url, size).await.unwrap().len(), size);
    assert!(matches!(fetcher.bytes(&url, size - 1).await, Err(FetchError::TooLarge { .. })));
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_is_not_waited_for() {
    let provider = provider();
    provider.be(Mood::Stalls);
    let fetcher = Fetcher::within(Duration::from_secs(1), Some(provider.ca())).unwrap();
    let error = fetcher.json(&keys_of(&provider), MOST).await.unwrap_err();
    assert!(matches!(error, FetchError::Slow { .. }), "{error:?}");
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_once() {
    let url = HttpsUrl::new("https://127.0.0.1:1/keys?a=b").unwrap();
    let error = Fetcher::new(None).unwrap().bytes(&url, MOST).await.unwrap_err();
    let text = crate::log::Causes(&error).to_string();
    assert!(text.starts_with("127.0.0.1:1 cannot be reached; "), "{text}");
    assert!(!text.contains("a=b"), "{text}");
}

#[test]
fn a_ca_file_must_hold_certificates() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({}).to_string()).unwrap();
    assert!(matches!(Fetcher::new(Some(file.path())), Err(FetchError::Ca(_))));
}

#[test]
fn an_address_is_https_and_says_nothing_but_where() {
    for text in ["https://idp.example", "https://idp.example:8443/a/b?c=d", "https://[::1]/"] {
        assert_eq!(HttpsUrl::new(text).unwrap().as_str(), text);
    }
    for text in [
        "",
        "idp.example",
        "http://idp.example",
        "file:///etc/passwd",
        "https://",
        "https://user@idp.example",
        "https://:secret@idp.example",
        "https://idp.example/#keys",
        "https://idp.example\n",
        " https://idp.example",
        "https://idp.example/a b",
    ] {
        assert!(HttpsUrl::new(text).is_err(), "{text:?}");
    }
    assert_eq!(HttpsUrl::new("https://idp.example:8443/x").unwrap().host(), "idp.example:8443");
    assert_eq!(HttpsUrl::new("https://IDP.example/x").unwrap().host(), "idp.example");
}

/// Threat W7: what a document of a provider says leads neither to plain http nor to a door that only
/// this machine has, unless the provider itself stands there.
#[test]
fn w7_a_provider_elsewhere_leads_to_no_address_of_this_machine() {
    let far = HttpsUrl::new("https://idp.example").unwrap();
    let near = HttpsUrl::new("https://localhost:8443").unwrap();
    for text in [
        "https://localhost/token",
        "https://idp.localhost./token",
        "https://127.0.0.1:6443/token",
        "https://0x7f.1/token",
        "https://0.0.0.0/token",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/latest/meta-data",
        "https://100.100.100.200/latest/meta-data",
        "https://[::1]/token",
        "https://[::ffff:169.254.169.254]/token",
        "https://[fe80::1]/token",
    ] {
        assert!(far.leads_to(text).is_err(), "{text}");
        assert!(near.leads_to(text).is_ok(), "{text}");
    }
    // Companies have their providers on private networks, and their endpoints on several hosts.
    for text in ["https://10.0.0.7/token", "https://[fd00::7]/token", "https://other.example/t?a=b"]
    {
        assert!(far.leads_to(text).is_ok(), "{text}");
    }
    for text in ["http://idp.example/token", "file:///etc/passwd", "/token", ""] {
        assert!(far.leads_to(text).is_err() && near.leads_to(text).is_err(), "{text}");
    }
}

/// A list of names in which every name leads to the same addresses.
struct All(&'static [&'static str]);

impl Resolve for All {
    fn resolve(&self, _: Name) -> Resolving {
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
        let found: Vec<_> = self.0.iter().map(address).collect();
        Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}

/// What comes of asking the provider under this name, where names lead to these addresses.
async fn by_name(
    provider: &Provider,
    url: &HttpsUrl,
    addresses: &'static [&'static str],
) -> Result<Value, String> {
    let names: Arc<dyn Resolve> = Arc::new(All(addresses));
    let within = Duration::from_secs(5);
    let fetcher = Fetcher::resolving(&names, within, Some(provider.ca())).unwrap();
    let told = fetcher.json(url, MOST).await;
    told.map_err(|error| crate::log::Causes(&error).to_string())
}

/// Threat W7: a name leads where its owner wants, at each question elsewhere.
#[tokio::test]
async fn w7_a_name_that_a_document_gives_does_not_lead_to_this_machine() {
    let provider = provider();
    let at = |host: &str| format!("https://{host}:{}/keys", provider.port());
    let issuer = HttpsUrl::new("https://idp.example").unwrap();
    let named = issuer.leads_to(&at("keys.example")).unwrap();
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["0.0.0.0"],
        &["::ffff:127.0.0.1"],
        &["169.254.169.254"],
        &["fe80::1"],
        &["169.254.169.254", "127.0.0.1"],
    ] {
        let refused = by_name(&provider, &named, addresses).await.unwrap_err();
        let first = format!("keys.example leads to {}, an address of this machine", addresses[0]);
        assert!(refused.contains(&first), "{refused}");
    }
    // The address of the issuer itself leads to the link neither.
    let own = HttpsUrl::new(&at("idp.example")).unwrap();
    let refused = by_name(&provider, &own, &["169.254.169.254"]).await.unwrap_err();
    assert!(refused.contains("idp.example leads to 169.254.169.254"), "{refused}");
    assert_eq!(provider.asked(), [""; 0]);
}

/// What a company does on purpose: a provider beside the gate, or on its network.
#[tokio::test]
async fn a_name_of_the_configuration_leads_to_this_machine_if_the_list_of_hosts_says_so() {
    let provider = provider();
    let at = |host: &str| format!("https://{host}:{}/keys", provider.port());
    let issuer = HttpsUrl::new(&at("idp.example")).unwrap();
    // Only the certificate, which is for another name, is wrong then.
    for url in [issuer.clone(), issuer.discovery(), issuer.leads_to(&at("idp.example")).unwrap()] {
        let refused = by_name(&provider, &url, &["169.254.1.1", "127.0.0.1"]).await.unwrap_err();
        assert!(refused.contains("certificate") && !refused.contains("leads to"), "{refused}");
    }
    let local = HttpsUrl::new(&at("localhost")).unwrap();
    assert!(by_name(&provider, &local, &["127.0.0.1"]).await.is_ok());
    assert!(Source::Document.may_ask("10.0.0.7".parse().unwrap()));
    assert!(Source::Document.may_ask("fd00::7".parse().unwrap()));
}
