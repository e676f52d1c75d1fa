//! Which findings of an image are shown, and in which order.

use std::cmp::Ordering;

use reports::Severity;
use serde::Deserialize;

use super::Row;
use super::natural::natural;
use crate::web::address::image_file;
use crate::web::order::{Order, known_first};

/// As the address of a page says it, and that of a file to take away.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::web::image) struct View {
    /// Words that all stand in what is shown of a finding.
    pub(in crate::web::image) filter: String,
    /// The word of it.
    pub(in crate::web::image) severity: String,
    sort: Sorting,
    order: Option<Order>,
}

/// The most words that are looked for.
const MAX_WORDS: usize = 16;

/// By what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sorting {
    Id,
    #[default]
    Severity,
    Cvss,
    Package,
    Installed,
    Fixed,
    Layer,
    Status,
    Seen,
    Platform,
}

/// The head of a column.
pub(in crate::web::image) struct Column {
    pub(in crate::web::image) heading: &'static str,
    /// Where it leads, to its order and in that to the other way round.
    pub(in crate::web::image) page: String,
    /// What it says of that now (WAI-ARIA 1.2, `aria-sort`).
    pub(in crate::web::image) direction: &'static str,
}

const COLUMNS: [(Sorting, &str); 10] = [
    (Sorting::Id, "Vulnerability"),
    (Sorting::Severity, "Severity"),
    (Sorting::Cvss, "CVSS"),
    (Sorting::Package, "Package"),
    (Sorting::Installed, "Installed"),
    (Sorting::Fixed, "Fixed in"),
    (Sorting::Layer, "Layer"),
    (Sorting::Status, "Status"),
    (Sorting::Seen, "First seen"),
    (Sorting::Platform, "Platform"),
];

impl Sorting {
    fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Severity => "severity",
            Self::Cvss => "cvss",
            Self::Package => "package",
            Self::Installed => "installed",
            Self::Fixed => "fixed",
            Self::Layer => "layer",
            Self::Status => "status",
            Self::Seen => "seen",
            Self::Platform => "platform",
        }
    }

    /// The worst and the newest come first, and names from the first letter on.
    fn usual(self) -> Order {
        match self {
            Self::Severity | Self::Cvss | Self::Seen => Order::Descending,
            _ => Order::Ascending,
        }
    }

    /// What is not known comes last either way.
    fn compare(self, order: Order, one: &Row<'_>, other: &Row<'_>) -> Ordering {
        let (left, right) = (one.finding, other.finding);
        match self {
            Self::Id => order.of(natural(left.id.as_str(), right.id.as_str())),
            Self::Severity => order.of(left.severity.cmp(&right.severity)),
            Self::Cvss => known_first(order, one.score(), other.score()),
            Self::Package => order.of(natural(&left.package.name, &right.package.name)),
            Self::Installed => order.of(natural(&left.package.version, &right.package.version)),
            Self::Fixed => match (left.fixed_in.first(), right.fixed_in.first()) {
                (Some(left), Some(right)) => order.of(natural(left, right)),
                (left, right) => right.is_some().cmp(&left.is_some()),
            },
            Self::Layer => known_first(order, left.layer.as_ref(), right.layer.as_ref()),
            Self::Status => order.of(left.status.as_str().cmp(right.status.as_str())),
            Self::Seen => order.of(one.first_seen.cmp(&other.first_seen)),
            Self::Platform => known_first(order, one.platform, other.platform),
        }
    }
}

impl View {
    fn order(&self) -> Order {
        self.order.unwrap_or(self.sort.usual())
    }

    /// What is alike comes from the worst on.
    pub(super) fn sort(&self, rows: &mut [Row<'_>]) {
        let order = self.order();
        rows.sort_by(|one, other| {
            let then = |by: Sorting| by.compare(by.usual(), one, other);
            self.sort
                .compare(order, one, other)
                .then_with(|| then(Sorting::Severity))
                .then_with(|| then(Sorting::Cvss))
                .then_with(|| then(Sorting::Id))
                .then_with(|| then(Sorting::Package))
                .then_with(|| then(Sorting::Platform))
        });
    }

    /// Whether all there is to see may be left out.
    pub(in crate::web::image) fn is_filtered(&self) -> bool {
        !self.filter.trim().is_empty() || !self.severity.is_empty()
    }

    /// Marks what is looked for, as the script of the page does.
    pub(super) fn choose(&self, rows: &mut [Row<'_>]) {
        let filter = self.filter.to_lowercase();
        let words: Vec<_> = filter.split_whitespace().take(MAX_WORDS).collect();
        for row in rows {
            let is_as_bad =
                self.severity.is_empty() || row.finding.severity.as_str() == self.severity;
            row.is_shown = is_as_bad && (words.is_empty() || row.says(&words));
        }
    }

    /// From the worst, to choose from.
    pub(in crate::web::image) fn severities(&self) -> impl Iterator<Item = &'static str> {
        Severity::ALL.into_iter().rev().map(Severity::as_str)
    }

    /// In which order, unless it is the usual one.
    pub(in crate::web::image) fn sorting(&self) -> Vec<(&'static str, &'static str)> {
        sorting(self.sort, self.order())
    }

    /// What is asked for, in this order.
    fn asked(&self, sorting: Vec<(&'static str, &'static str)>) -> Vec<(&str, &str)> {
        let filters = [("filter", self.filter.trim()), ("severity", &*self.severity)];
        let filters = filters.into_iter().filter(|(_, value)| !value.is_empty());
        filters.chain(sorting).collect()
    }

    /// What is shown, as a file.
    pub(in crate::web::image) fn export(&self, image: &str, format: &str) -> String {
        let asked = self.asked(self.sorting());
        image_file(
            "/ui/image/vulnerabilities",
            image,
            [("format", format)].into_iter().chain(asked),
        )
    }

    /// All of them, in the same order.
    pub(in crate::web::image) fn whole(&self, image: &str) -> String {
        image_file("/ui/image", image, self.sorting()) + "#vulnerabilities"
    }

    /// The columns of the table.
    pub(in crate::web::image) fn columns(&self, image: &str, has_platforms: bool) -> Vec<Column> {
        let column = |(by, heading): (Sorting, &'static str)| {
            let is_here = self.sort == by;
            let order = if is_here { self.order().reversed() } else { by.usual() };
            let page = image_file("/ui/image", image, self.asked(sorting(by, order)));
            let direction = if is_here { self.order().aria() } else { "none" };
            Column { heading, page: page + "#vulnerabilities", direction }
        };
        let is_there = |(by, _): &(Sorting, &str)| *by != Sorting::Platform || has_platforms;
        COLUMNS.into_iter().filter(is_there).map(column).collect()
    }
}

fn sorting(by: Sorting, order: Order) -> Vec<(&'static str, &'static str)> {
    let mut said = Vec::new();
    if by != Sorting::default() {
        said.push(("sort", by.word()));
    }
    if order != by.usual() {
        said.push(("order", order.word()));
    }
    said
}
