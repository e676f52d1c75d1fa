//! The `access` claim: the access list of the Docker token specification.
//!
//! Docker knows `pull`, `push` and `delete`; policy knows more. What Docker has a word for is
//! written with that word, and a part of `push` by the name of the action, so that a token never
//! says more than was granted.

use oci::RepositoryName;
use policy::Action;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::identity::Access;

const PULL: &[Action] = &[Action::Pull, Action::Inspect];
const PUSH: &[Action] = &[Action::Create, Action::Overwrite, Action::Attach];
const DELETE: &[Action] = &[Action::Delete];

/// What a word of the Docker access list stands for; nothing where there is no such word.
pub(super) fn docker_actions(word: &str) -> &'static [Action] {
    match word {
        "pull" => PULL,
        "push" => PUSH,
        "delete" => DELETE,
        "*" => &Action::REGISTRY,
        _ => &[],
    }
}

/// The words for a set of actions. `pull` stands for inspecting as well.
pub(super) fn words(actions: &[Action]) -> Vec<&'static str> {
    let has = |action: &Action| actions.contains(action);
    let mut words = Vec::new();
    if has(&Action::Pull) {
        words.push("pull");
    } else if has(&Action::Inspect) {
        words.push(Action::Inspect.as_str());
    }
    if PUSH.iter().all(has) {
        words.push("push");
    } else {
        words.extend(PUSH.iter().filter(|action| has(action)).map(Action::as_str));
    }
    if has(&Action::Delete) {
        words.push("delete");
    }
    words
}

/// One entry as it stands in the token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    r#type: String,
    name: String,
    actions: Vec<String>,
}

/// The one entry for the catalogue.
const REGISTRY: (&str, &str, &str) = ("registry", "catalog", "*");

pub(super) fn serialize<S: Serializer>(
    list: &Option<Vec<Access>>,
    out: S,
) -> Result<S::Ok, S::Error> {
    let Some(list) = list else { return out.serialize_none() };
    out.collect_seq(list.iter().map(|access| match access {
        Access::Repository { name, actions } => Entry {
            r#type: "repository".to_owned(),
            name: name.to_string(),
            actions: words(actions).into_iter().map(str::to_owned).collect(),
        },
        Access::Catalog => Entry {
            r#type: REGISTRY.0.to_owned(),
            name: REGISTRY.1.to_owned(),
            actions: vec![REGISTRY.2.to_owned()],
        },
    }))
}

/// What is there must be a list: `null` must not read as none.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<Vec<Access>>, D::Error> {
    let entries = Vec::<Entry>::deserialize(input)?;
    entries
        .iter()
        .map(|entry| read(entry).map_err(D::Error::custom))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn read(entry: &Entry) -> Result<Access, String> {
    match entry.r#type.as_str() {
        "repository" => {
            let name =
                RepositoryName::new(&entry.name).map_err(|error| format!("access: {error}"))?;
            let mut actions = Vec::new();
            for word in &entry.actions {
                match docker_actions(word) {
                    [] => actions.push(word.parse().map_err(|error| format!("access: {error}"))?),
                    several => actions.extend_from_slice(several),
                }
            }
            Ok(Access::Repository { name, actions })
        }
        "registry" if entry.name == REGISTRY.1 && entry.actions == [REGISTRY.2] => {
            Ok(Access::Catalog)
        }
        _ => Err("access: an entry of an unknown type".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_push_is_not_written_as_push() {
        assert_eq!(words(&[Action::Create]), ["create"]);
        assert_eq!(words(&[Action::Overwrite, Action::Create]), ["create", "overwrite"]);
        assert_eq!(words(PUSH), ["push"]);
        assert_eq!(words(&[Action::Inspect]), ["inspect"]);
        assert_eq!(words(&Action::REGISTRY), ["pull", "push", "delete"]);
    }

    #[test]
    fn words_mean_no_more_than_the_actions_they_stand_for() {
        for bits in 0..64_u32 {
            let actions: Vec<_> = Action::REGISTRY
                .into_iter()
                .enumerate()
                .filter(|(place, _)| bits & (1 << place) != 0)
                .map(|(_, action)| action)
                .collect();
            let entry = Entry {
                r#type: "repository".to_owned(),
                name: "a".to_owned(),
                actions: words(&actions).into_iter().map(str::to_owned).collect(),
            };
            let Ok(Access::Repository { actions: back, .. }) = read(&entry) else {
                panic!("{actions:?} cannot be read back")
            };
            for action in Action::REGISTRY {
                let pulls = action == Action::Inspect && actions.contains(&Action::Pull);
                assert_eq!(back.contains(&action), actions.contains(&action) || pulls);
            }
        }
    }

    #[test]
    fn an_entry_that_is_not_understood_makes_the_list_unreadable() {
        for text in [
            r#"[{"type":"repository","name":"a","actions":["fly"]}]"#,
            r#"[{"type":"repository","name":"A","actions":["pull"]}]"#,
            r#"[{"type":"registry","name":"catalog","actions":["pull"]}]"#,
            r#"[{"type":"images","name":"a","actions":["pull"]}]"#,
            r#"[{"type":"repository","name":"a","actions":["pull"],"except":"b"}]"#,
            r#"[{"type":"repository","name":"a"}]"#,
        ] {
            let mut json = serde_json::Deserializer::from_str(text);
            assert!(deserialize(&mut json).is_err(), "{text}");
        }
    }
}
