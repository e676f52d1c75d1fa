//! In which order the tags of a repository are shown.

use std::cmp::Ordering;

use serde::Deserialize;

use super::row::Row;
use crate::service::api::image::handled::ShownHandling;
use crate::service::api::image::named::Named;
use crate::service::api::{Api, Problem, Requester};
use crate::web::order::{Order, known_first};

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
