//! What is asked of the search page.

use serde::Deserialize;

use super::facets::{Age, Worst};
use crate::web::address::search_page;
use crate::web::verdict::Verdict;

/// A choice that is not known is none, as is an empty one: forms send those.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(in crate::web) struct Asking {
    pub(super) q: String,
    verdict: String,
    severity: String,
    flag: String,
    updated: String,
    /// How many of those that fit were looked at for the pages before.
    pub(super) from: usize,
}

impl Asking {
    pub(super) fn text(&self) -> &str {
        self.q.trim()
    }

    /// Something is chosen beside the words.
    pub(super) fn is_narrowed(&self) -> bool {
        self.verdict().is_some()
            || self.severity().is_some()
            || self.flag().is_some()
            || self.updated().is_some()
    }

    pub(super) fn verdict(&self) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.word() == self.verdict)
    }

    pub(super) fn severity(&self) -> Option<Worst> {
        Worst::ALL.into_iter().find(|worst| worst.word() == self.severity)
    }

    pub(super) fn flag(&self) -> Option<&str> {
        Some(self.flag.as_str()).filter(|flag| !flag.is_empty())
    }

    pub(super) fn updated(&self) -> Option<Age> {
        Age::ALL.into_iter().find(|age| age.word() == self.updated)
    }

    /// What is chosen of a facet, as links write it.
    pub(super) fn value(&self, key: &str) -> &str {
        match key {
            "verdict" => &self.verdict,
            "severity" => &self.severity,
            "flag" => &self.flag,
            "updated" => &self.updated,
            _ => "",
        }
    }

    /// The page where that is chosen as well; where it is chosen, the page without it.
    pub(super) fn choosing(&self, key: &str, value: &str) -> String {
        let value = if self.value(key) == value { "" } else { value };
        self.page(Some((key, value)), 0)
    }

    /// The page behind those of the results that were looked at.
    pub(super) fn behind(&self, from: usize) -> String {
        self.page(None, from)
    }

    /// What forms carry on.
    pub(super) fn chosen(&self) -> Vec<(&'static str, &str)> {
        let keys = ["verdict", "severity", "flag", "updated"].into_iter();
        keys.map(|key| (key, self.value(key))).filter(|(_, value)| !value.is_empty()).collect()
    }

    fn page(&self, change: Option<(&str, &str)>, from: usize) -> String {
        let from = from.to_string();
        let mut pairs = vec![("q", self.text())];
        for key in ["verdict", "severity", "flag", "updated"] {
            let changed = change.filter(|(changed, _)| *changed == key);
            pairs.push((key, changed.map_or(self.value(key), |(_, value)| value)));
        }
        pairs.push(("from", if from == "0" { "" } else { &from }));
        pairs.retain(|(_, value)| !value.is_empty());
        search_page(&pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(query: &str) -> Asking {
        let uri = format!("/?{query}").parse().unwrap();
        axum::extract::Query::try_from_uri(&uri).unwrap().0
    }

    #[test]
    fn a_choice_is_made_and_taken_back_and_the_rest_stays() {
        let asking = asking("q=api+v1&flag=tested&from=50");
        assert_eq!(asking.choosing("verdict", "held"), "/?q=api+v1&verdict=held&flag=tested");
        assert_eq!(asking.choosing("flag", "qa"), "/?q=api+v1&flag=qa");
        assert_eq!(asking.choosing("flag", "tested"), "/?q=api+v1");
        assert_eq!(asking.behind(100), "/?q=api+v1&flag=tested&from=100");
        assert_eq!(Asking::default().choosing("updated", "day"), "/?updated=day");
    }

    #[test]
    fn what_is_not_known_is_not_chosen() {
        let asking = asking("verdict=maybe&severity=&updated=never&unknown=1");
        assert!(!asking.is_narrowed());
        assert!(asking.verdict().is_none() && asking.severity().is_none());
    }
}
