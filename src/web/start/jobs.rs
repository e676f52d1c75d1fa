//! Jobs that show tokens of what runs them, as the gate's configuration has it.

use crate::identity::federation::{Forge, ProviderState};

/// A provider whose jobs are let in.
pub(super) struct Jobs {
    /// How many of its kind come before it.
    place: usize,
    pub(super) name: String,
    audience: String,
}

impl Jobs {
    /// Those of a kind, in the order of the configuration.
    pub(super) fn of(providers: &[ProviderState], forge: Forge) -> Vec<Self> {
        let of_the_kind = providers.iter().filter(|provider| provider.jobs == Some(forge));
        let jobs = of_the_kind.enumerate().map(|(place, provider)| Self {
            place,
            name: provider.name.clone(),
            audience: provider.audience.clone(),
        });
        jobs.collect()
    }

    /// What tells the texts of several apart.
    pub(super) fn suffix(&self) -> String {
        if self.place == 0 { String::new() } else { format!("-{}", self.place + 1) }
    }

    /// An audience is any text of the configuration, and goes between quotes of a shell here.
    pub(super) fn audience_in_url(&self) -> String {
        form_urlencoded::byte_serialize(self.audience.as_bytes()).collect()
    }

    /// Between double quotes, YAML escapes what JSON does.
    pub(super) fn audience_in_yaml(&self) -> String {
        serde_json::Value::from(self.audience.as_str()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_audience_breaks_out_of_the_text_around_it() {
        let jobs = Jobs {
            place: 1,
            name: "github".to_owned(),
            audience: "a b\"$(x)`&c=d\\\n☃".to_owned(),
        };
        assert_eq!(jobs.audience_in_url(), "a+b%22%24%28x%29%60%26c%3Dd%5C%0A%E2%98%83");
        assert_eq!(jobs.audience_in_yaml(), r#""a b\"$(x)`&c=d\\\n☃""#);
        assert_eq!(jobs.suffix(), "-2");
    }
}
