//! With what a browser comes back from a provider.

use crate::secret::Secret;

/// The longest code, in bytes.
const MAX_CODE: usize = 4096;

/// The longest text of a provider that is repeated, in characters.
const MAX_TEXT: usize = 300;

/// The answer to a request for a code, as the browser brought it (RFC 6749, section 4.1.2). Anybody
/// can have a browser come with anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which request it answers.
    pub(super) state: String,
    /// The issuer that says of itself that it answers (RFC 9207).
    pub(super) issuer: Option<String>,
    /// What it answers.
    pub(super) outcome: Outcome,
}

/// What a provider answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// For this it gives out a token.
    Code(Secret),
    /// Nobody signed in.
    Refused {
        /// A word that the protocol knows, or that the provider made up.
        error: String,
        /// What it has to say about it.
        description: Option<String>,
    },
}

impl Arrival {
    /// Reads the query of the address at which a browser came back. None if something of it is
    /// missing, or came twice.
    #[must_use]
    pub fn read(query: &str) -> Option<Self> {
        let (mut state, mut issuer, mut code) = (None, None, None);
        let (mut error, mut description) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "state" => &mut state,
                "iss" => &mut issuer,
                "code" => &mut code,
                "error" => &mut error,
                "error_description" => &mut description,
                // What else there is has to be passed over (RFC 6749, section 4.1.2).
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        let outcome = match (code, error) {
            (Some(code), None) if !code.is_empty() && code.len() <= MAX_CODE => {
                Outcome::Code(Secret::new(code))
            }
            (None, Some(error)) => Outcome::Refused {
                error: readable(&error),
                description: description.map(|text| readable(&text)).filter(|it| !it.is_empty()),
            },
            _ => return None,
        };
        Some(Self { state: state?, issuer, outcome })
    }
}

/// A stranger's text, short enough to be repeated, on one line.
pub(super) fn readable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(query: &str) -> Option<String> {
        match Arrival::read(query)?.outcome {
            Outcome::Code(code) => Some(code.expose().to_owned()),
            Outcome::Refused { .. } => None,
        }
    }

    #[test]
    fn an_answer_is_a_code_or_an_error_and_each_once() {
        assert_eq!(code("state=s&code=a%2Bb+c&session_state=x").as_deref(), Some("a+b c"));
        for query in [
            "",
            "code=c",
            "state=s",
            "state=s&code=",
            "state=s&code=c&code=d",
            "state=s&state=t&code=c",
            "state=s&code=c&error=e",
            "state=s&iss=a&iss=b&code=c",
        ] {
            assert_eq!(Arrival::read(query), None, "{query}");
        }
        assert_eq!(code(&format!("state=s&code={}", "c".repeat(MAX_CODE + 1))), None);
    }

    #[test]
    fn what_a_provider_says_is_cut_and_on_one_line() {
        let long = "x".repeat(2 * MAX_TEXT);
        let query = format!("state=s&error=a%0Ab%1B&error_description=%3Cb%3E{long}");
        let Outcome::Refused { error, description } = Arrival::read(&query).unwrap().outcome else {
            panic!()
        };
        assert_eq!(error, "ab");
        let description = description.unwrap();
        assert!(description.starts_with("<b>x") && description.len() == MAX_TEXT);
    }

    proptest! {
        #[test]
        fn what_is_read_stands_there_once(query in "((state|code|error|iss)=|&|%|[0-9a-z+]|\\PC){0,24}") {
            if let Some(arrival) = Arrival::read(&query) {
                let pairs = form_urlencoded::parse(query.as_bytes());
                let states: Vec<_> = pairs.filter(|(name, _)| name == "state").collect();
                prop_assert_eq!(states.len(), 1);
                prop_assert_eq!(&*states[0].1, arrival.state);
            }
        }
    }
}
