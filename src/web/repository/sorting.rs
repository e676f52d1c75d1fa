//! In which order the tags of a repository are shown.

use std::cmp::Ordering;

use serde::Deserialize;

use super::row::Row;
use crate::service::api::image::handled::ShownHandling;
use crate::service::api::image::named::Named;
use crate::service::api::{Api, Problem, Requester};

/// By what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sorting {
    #[default]
    Tag,
    Size,
    Created,
    Pushed,
    Pulled,
    Verdict,
    Severity,
}

/// Which way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Order {
    #[serde(rename = "asc")]
    Ascending,
    #[serde(rename = "desc")]
    Descending,
}

/// What has to be known of all tags before one of them can be the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Names,
    /// Who pushed and pulled them.
    Handling,
    /// All that is shown.
    Rows,
}

impl Sorting {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Size => "size",
            Self::Created => "created",
            Self::Pushed => "pushed",
            Self::Pulled => "pulled",
            Self::Verdict => "verdict",
            Self::Severity => "severity",
        }
    }

    /// Names from the first letter on; of the rest what is latest, largest and worst comes first.
    pub(super) fn usual(self) -> Order {
        match self {
            Self::Tag => Order::Ascending,
            _ => Order::Descending,
        }
    }

    pub(super) fn needs(self) -> Needs {
        match self {
            Self::Tag => Needs::Names,
            Self::Pushed | Self::Pulled => Needs::Handling,
            Self::Size | Self::Created | Self::Verdict | Self::Severity => Needs::Rows,
        }
    }

    /// What is not known comes last either way.
    pub(super) fn compare(self, order: Order, one: &Row, other: &Row) -> Ordering {
        let (left, right) = (&one.summary, &other.summary);
        match self {
            Self::Tag => order.of(left.tag.cmp(&right.tag)),
            Self::Size => known_first(order, one.bytes, other.bytes),
            Self::Created => known_first(order, one.created, other.created),
            Self::Pushed | Self::Pulled => self.handled(order, &one.handling, &other.handling),
            Self::Verdict => order.of(left.verdict.cmp(&right.verdict)),
            // The worst stand first in each, so the first difference decides.
            Self::Severity => known_first(order, left.findings.found(), right.findings.found()),
        }
    }

    fn handled(self, order: Order, one: &ShownHandling, other: &ShownHandling) -> Ordering {
        match self {
            Self::Pushed => known_first(order, one.pushed_at, other.pushed_at),
            _ => known_first(order, one.last_pulled_at, other.last_pulled_at),
        }
    }
}

impl Order {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// As `aria-sort` has it.
    pub(super) fn aria(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
        }
    }

    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }

    fn of(self, ascending: Ordering) -> Ordering {
        match self {
            Self::Ascending => ascending,
            Self::Descending => ascending.reverse(),
        }
    }
}

fn known_first<T: Ord>(order: Order, one: Option<T>, other: Option<T>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => order.of(one.cmp(&other)),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// Images in the order in which they were pushed or pulled; those that were not in that of their names.
pub(super) async fn by_handling(
    api: &Api,
    who: &Requester,
    images: Vec<Named>,
    by: Sorting,
    order: Order,
) -> Result<Vec<Named>, Problem> {
    let keys = images.iter().map(|image| (image.repository.clone(), image.digest.clone()));
    let keys: Vec<_> = keys.collect();
    let handled = api.handled(keys.clone()).await?;
    let of = |key| ShownHandling::of(handled.get(&key), who);
    let mut images: Vec<_> = keys.into_iter().map(of).zip(images).collect();
    images.sort_by(|(one, _), (other, _)| by.handled(order, one, other));
    Ok(images.into_iter().map(|(_, image)| image).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_comes_last_either_way() {
        for (order, expected) in [
            (Order::Ascending, [Some(1), Some(2), Some(3), None, None]),
            (Order::Descending, [Some(3), Some(2), Some(1), None, None]),
        ] {
            let mut values = [None, Some(2), Some(3), None, Some(1)];
            values.sort_by(|one, other| known_first(order, *one, *other));
            assert_eq!(values, expected);
        }
    }
}
