//! What a browser keeps while whoever sits before it is at a provider.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::token::NoRandomBytes;

/// For somebody to sign in there.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// How far the clocks of two replicas may be apart.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The longest way back, in bytes: cookies hold no more than 4 KiB, sealed.
const MAX_NEXT: usize = 1024;

/// A sign-in that began. All that is sent to the provider follows from one secret.
pub struct Departure {
    provider: String,
    secret: Zeroizing<[u8; 32]>,
    next: String,
    began: Timestamp,
}

/// As it is written, to be sealed.
#[derive(Serialize, Deserialize)]
struct Written {
    provider: String,
    secret: [u8; 32],
    next: String,
    began: i64,
}

impl Departure {
    /// Begins a sign-in with the provider of this name, after which the browser goes on to `next`.
    /// A place whose address is too long to be kept is forgotten.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn to(provider: &str, next: &str, now: Timestamp) -> Result<Self, NoRandomBytes> {
        let mut secret = Zeroizing::new([0; 32]);
        rand::fill(secret.as_mut()).map_err(|_| NoRandomBytes)?;
        let next = if next.len() > MAX_NEXT { "/" } else { next };
        Ok(Self { provider: provider.to_owned(), secret, next: next.to_owned(), began: now })
    }

    /// For the browser to keep, under seal.
    #[must_use]
    pub fn written(&self) -> Zeroizing<Vec<u8>> {
        let written = Written {
            provider: self.provider.clone(),
            secret: *self.secret,
            next: self.next.clone(),
            began: self.began.as_second(),
        };
        // Nothing in it can fail to be written; and what is empty is no departure.
        Zeroizing::new(serde_json::to_vec(&written).unwrap_or_default())
    }

    /// Reads what [`Self::written`] gave; none of any other bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let Written { provider, secret, next, began } = serde_json::from_slice(bytes).ok()?;
        let began = Timestamp::from_second(began).ok()?;
        Some(Self { provider, secret: Zeroizing::new(secret), next, began })
    }

    /// Our name for the provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Where to go on afterwards.
    #[must_use]
    pub fn next(&self) -> &str {
        &self.next
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.began);
        age >= PATIENCE || age < -CLOCK_SKEW
    }

    /// What the provider sends back with the browser.
    pub(super) fn state(&self) -> Secret {
        self.derive("state")
    }

    /// Whether the provider sent that back.
    pub(super) fn is_answered_by(&self, state: &str) -> bool {
        verify_slices_are_equal(self.state().expose().as_bytes(), state.as_bytes()).is_ok()
    }

    /// What the provider writes into the ID token.
    pub(crate) fn nonce(&self) -> Secret {
        self.derive("nonce")
    }

    /// What only the gate can show when it asks for the token (RFC 7636, section 4.1).
    pub(super) fn verifier(&self) -> Secret {
        self.derive("verifier")
    }

    /// By which the provider knows it then (`S256`, RFC 7636, section 4.2).
    pub(super) fn challenge(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.verifier().expose().as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// Another value for each purpose, none of which tells another (HKDF's expansion in its simplest
    /// form, RFC 5869, section 2.3).
    fn derive(&self, purpose: &str) -> Secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.secret);
        let derived = hmac::sign(&key, format!("portcullis sign-in {purpose}\x01").as_bytes());
        Secret::new(URL_SAFE_NO_PAD.encode(derived))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_a_browser_brings_back_is_what_it_was_given() {
        let departure = Departure::to("corporate", "/ui/tokens", at(0)).unwrap();
        let read = Departure::read(&departure.written()).unwrap();
        assert_eq!((read.provider(), read.next()), ("corporate", "/ui/tokens"));
        assert_eq!(read.verifier(), departure.verifier());
        assert!(read.is_answered_by(departure.state().expose()));
        assert!(Departure::read(b"").is_none() && Departure::read(b"{}").is_none());
    }

    #[test]
    fn no_value_is_another_and_no_two_sign_ins_share_one() {
        let [one, two] = [0, 0].map(|_| Departure::to("a", "/", at(0)).unwrap());
        let values = [&one, &two].map(|it| [it.state(), it.nonce(), it.verifier()]).concat();
        for (place, value) in values.iter().enumerate() {
            // RFC 7636 wants 43 characters at least.
            assert_eq!(value.expose().len(), 43);
            assert!(!values[place + 1..].contains(value));
        }
        assert!(!one.is_answered_by(two.state().expose()) && !one.is_answered_by(""));
    }

    #[test]
    fn a_challenge_is_the_digest_of_its_verifier() {
        let departure = Departure { secret: Zeroizing::new([7; 32]), ..some() };
        let digest = digest::digest(&digest::SHA256, departure.verifier().expose().as_bytes());
        assert_eq!(URL_SAFE_NO_PAD.decode(departure.challenge()).unwrap(), digest.as_ref());
    }

    #[test]
    fn ten_minutes_are_enough() {
        let departure = some();
        for (seconds, over) in [(0, false), (599, false), (600, true), (-300, false), (-301, true)]
        {
            assert_eq!(departure.is_over(at(seconds)), over, "{seconds}");
        }
    }

    #[test]
    fn a_way_back_that_no_cookie_holds_is_forgotten() {
        let long = format!("/{}", "a".repeat(MAX_NEXT));
        assert_eq!(Departure::to("a", &long, at(0)).unwrap().next(), "/");
        assert_eq!(Departure::to("a", &long[1..], at(0)).unwrap().next(), &long[1..]);
    }

    fn some() -> Departure {
        Departure::to("a", "/", at(0)).unwrap()
    }
}
