//! What a client asks for: the scopes of the Docker token specification.

use std::collections::{BTreeMap, BTreeSet};

use oci::RepositoryName;
use policy::Action;

use crate::identity::{Access, Ceiling};

use super::access::{docker_actions, words};

/// How many scopes one request may have.
const MAX_SCOPES: usize = 100;

/// The scopes of one request, merged: what was asked for more than once, or in another order, is
/// the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    repositories: BTreeMap<RepositoryName, BTreeSet<Action>>,
    catalog: bool,
}

/// A request with more scopes than that is not a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {MAX_SCOPES} scopes can be asked for at once")]
pub struct TooManyScopes;

impl Scopes {
    /// Reads scopes, each text one or several with spaces between them. What is not understood is
    /// not an error but not granted either: a client may ask several services in one way.
    ///
    /// # Errors
    /// When there are more than a hundred.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, TooManyScopes> {
        let mut scopes = Self::default();
        for (count, text) in texts.into_iter().flat_map(str::split_ascii_whitespace).enumerate() {
            if count >= MAX_SCOPES {
                return Err(TooManyScopes);
            }
            scopes.add(text);
        }
        Ok(scopes)
    }

    /// Adds `TYPE:NAME:ACTIONS`; the name may hold colons itself, and the type a class in
    /// parentheses, which says nothing about rights.
    fn add(&mut self, text: &str) {
        let Some((resource, actions)) = text.rsplit_once(':') else { return };
        let Some((kind, name)) = resource.split_once(':') else { return };
        let kind = kind
            .strip_suffix(')')
            .and_then(|rest| rest.split_once('('))
            .map_or(kind, |(kind, _class)| kind);
        match kind {
            "repository" => {
                let actions: Vec<_> =
                    actions.split(',').flat_map(docker_actions).copied().collect();
                if let Ok(name) = RepositoryName::new(name)
                    && !actions.is_empty()
                {
                    self.repositories.entry(name).or_default().extend(actions);
                }
            }
            "registry" if name == "catalog" => {
                self.catalog |= actions.split(',').any(|action| action == "*");
            }
            _ => {}
        }
    }

    /// What of it is granted: what the credential reaches as far as, and policy allows on anything
    /// in that repository. As pulling covers inspecting, a caller who may do only the one or the
    /// other gets what they may.
    #[must_use]
    pub fn grant(
        &self,
        ceiling: &Ceiling,
        allows: impl Fn(Action, &RepositoryName) -> bool,
    ) -> Vec<Access> {
        let repositories = self.repositories.iter().filter_map(|(name, wanted)| {
            let actions: Vec<_> = wanted
                .iter()
                .copied()
                .filter(|&action| ceiling.covers(action, name) && allows(action, name))
                .collect();
            (!actions.is_empty()).then(|| Access::Repository { name: name.clone(), actions })
        });
        let catalog = (self.catalog && ceiling.covers_catalog()).then_some(Access::Catalog);
        repositories.chain(catalog).collect()
    }
}

/// Writes what was granted as the `scope` of an answer (RFC 6749, section 5.1).
pub(crate) fn written(granted: &[Access]) -> String {
    let scopes: Vec<_> = granted
        .iter()
        .map(|access| match access {
            Access::Repository { name, actions } => {
                format!("repository:{name}:{}", words(actions).join(","))
            }
            Access::Catalog => "registry:catalog:*".to_owned(),
        })
        .collect();
    scopes.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;

    fn granted(texts: &[&str]) -> String {
        written(
            &Scopes::parse(texts.iter().copied()).unwrap().grant(&Ceiling::Unlimited, |_, _| true),
        )
    }

    #[test]
    fn what_real_clients_ask_for_is_understood() {
        for (texts, expected) in [
            (&["repository:team/app:pull"][..], "repository:team/app:pull"),
            (&["repository:w/app:push,pull"], "repository:w/app:pull,push"),
            (&["repository:w/app:pull,push"], "repository:w/app:pull,push"),
            (
                &["repository:w/app:push,pull", "repository:team/app:pull"],
                "repository:team/app:pull repository:w/app:pull,push",
            ),
            (&["repository:w/app:pull repository:w/app:pull,push"], "repository:w/app:pull,push"),
            (&["repository:w/app:delete,pull"], "repository:w/app:pull,delete"),
            (&["repository:w/app:*"], "repository:w/app:pull,push,delete"),
            (&["repository(plugin):w/app:pull"], "repository:w/app:pull"),
            (&["registry:catalog:*"], "registry:catalog:*"),
            (&[""], ""),
            (&[], ""),
        ] {
            assert_eq!(granted(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_granted() {
        for text in [
            "repository:a",
            "repository::pull",
            "repository:a:",
            "repository:a:fly",
            "repository:a:PULL",
            "repository:A:pull",
            "repository:host:5000/a:pull",
            "repository:a/../b:pull",
            "repository(:a:pull",
            "Repository:a:pull",
            "registry:catalog:pull",
            "registry:users:*",
            "admin:all:*",
            ":::",
            "pull",
        ] {
            assert_eq!(granted(&[text]), "", "{text}");
        }
    }

    #[test]
    fn one_request_has_at_most_a_hundred_scopes() {
        let scopes = vec!["repository:a:pull"; 101].join(" ");
        assert_eq!(Scopes::parse([scopes.as_str()]), Err(TooManyScopes));
        assert!(Scopes::parse(vec!["repository:a:pull"; 100]).is_ok());
        assert_eq!(Scopes::parse(vec!["repository:a:pull"; 101]), Err(TooManyScopes));
    }

    fn name(text: &str) -> RepositoryName {
        RepositoryName::new(text).unwrap()
    }

    fn actions() -> impl Strategy<Value = Vec<Action>> {
        subsequence(Action::REGISTRY.to_vec(), 0..=Action::REGISTRY.len())
    }

    fn ceiling() -> impl Strategy<Value = Ceiling> {
        let entry = (select(vec!["a", "b", "c"]), actions())
            .prop_map(|(text, actions)| Access::Repository { name: name(text), actions });
        let list = prop::collection::vec(prop_oneof![4 => entry, 1 => Just(Access::Catalog)], 0..4);
        prop_oneof![1 => Just(Ceiling::Unlimited), 4 => list.prop_map(Ceiling::Access)]
    }

    /// A scope, and what of it a simple reader would say is asked for.
    fn scope() -> impl Strategy<Value = (String, &'static str, Vec<Action>)> {
        let words = subsequence(vec!["pull", "push", "delete", "*", "fly"], 0..=5).prop_shuffle();
        (select(vec!["a", "b", "c"]), words).prop_map(|(name, words)| {
            let mut asked = Vec::new();
            for word in &words {
                asked.extend(match *word {
                    "pull" => vec![Action::Pull, Action::Inspect],
                    "push" => vec![Action::Create, Action::Overwrite, Action::Attach],
                    "delete" => vec![Action::Delete],
                    "*" => Action::REGISTRY.to_vec(),
                    _ => vec![],
                });
            }
            (format!("repository:{name}:{}", words.join(",")), name, asked)
        })
    }

    proptest! {
        #[test]
        fn exactly_the_intersection_is_granted(
            scopes in prop::collection::vec(scope(), 0..6),
            catalog in any::<bool>(),
            ceiling in ceiling(),
            rules in prop::collection::vec((select(vec!["a", "b", "c"]), actions()), 0..4),
        ) {
            let allows = |action: Action, repository: &RepositoryName| {
                rules.iter().any(|(text, actions)| {
                    *text == repository.as_str() && actions.contains(&action)
                })
            };
            let mut texts: Vec<_> = scopes.iter().map(|(text, ..)| text.as_str()).collect();
            if catalog {
                texts.push("registry:catalog:*");
            }
            let granted = Ceiling::Access(Scopes::parse(texts).unwrap().grant(&ceiling, allows));
            for repository in ["a", "b", "c"].map(name) {
                for action in Action::REGISTRY {
                    let asked = scopes.iter().any(|(_, text, actions)| {
                        *text == repository.as_str() && actions.contains(&action)
                    });
                    prop_assert_eq!(
                        granted.covers(action, &repository),
                        asked && ceiling.covers(action, &repository) && allows(action, &repository)
                    );
                }
            }
            prop_assert_eq!(granted.covers_catalog(), catalog && ceiling.covers_catalog());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}|[a-z:,*()/ ]{0,60}") {
            let _ = Scopes::parse([text.as_str()]);
        }
    }
}
