//! `/ui/repository`: the tags of a repository.

mod row;
mod sorting;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use oci::{Digest, Reference, RepositoryName, Tag};
use reports::Severity;
use serde::Deserialize;

use super::Web;
use super::address::repository_view;
use super::frame::{Frame, Place, rendered};
use super::order::Order;
use super::problem::Trouble;
use super::query::Query;
use super::session::SignedIn;
use super::summary::{CLEAN, UNREPORTED};
use super::verdict::Verdict;
use crate::service::api::Problem;
use crate::service::api::image::named::Named;
use row::{Row, rows};
use sorting::{Needs, Sorting};

/// The most tags on a page.
const MOST: usize = 50;

/// The most tags that are compared by what is known of their images.
const MOST_COMPARED: usize = 2000;

#[derive(Deserialize)]
pub(super) struct Asking {
    name: String,
    /// A part of the tag.
    #[serde(default)]
    tag: String,
    #[serde(default)]
    flag: String,
    /// The word of it.
    #[serde(default)]
    verdict: String,
    /// The word of the worst finding, `none` or `no report`.
    #[serde(default)]
    severity: String,
    #[serde(default)]
    sort: Sorting,
    order: Option<Order>,
    /// From 1 on.
    page: Option<usize>,
}

#[derive(Template)]
#[template(path = "repository.html")]
struct Page<'a> {
    frame: Frame<'a>,
    asking: &'a Asking,
    order: Order,
    rows: Vec<Row>,
    /// All that fit.
    count: usize,
    /// Of the first row.
    place: usize,
    /// That may be chosen.
    flags: Vec<String>,
    is_administrator: bool,
    /// There are more than are compared.
    is_too_many: bool,
}

/// The head of a column.
struct Column {
    heading: &'static str,
    /// Where it leads, to its order and in that to the other way round; and what it says of that now
    /// (WAI-ARIA 1.2, `aria-sort`).
    sorted: Option<(String, &'static str)>,
}

impl Page<'_> {
    fn with(&self, sort: Sorting, order: Order, page: usize) -> String {
        let Asking { name, tag, flag, verdict, severity, .. } = self.asking;
        let page = if page > 1 { page.to_string() } else { String::new() };
        let order = if order == sort.usual() { "" } else { order.word() };
        let sort = if sort == Sorting::default() { "" } else { sort.word() };
        let asked = [
            ("name", name.as_str()),
            ("tag", tag.trim()),
            ("flag", flag),
            ("verdict", verdict),
            ("severity", severity),
            ("sort", sort),
            ("order", order),
            ("page", &page),
        ];
        let said: Vec<_> = asked.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        repository_view(&said)
    }

    fn columns(&self) -> [Column; 10] {
        let sorted = |by: Sorting, heading| {
            let is_here = self.asking.sort == by;
            let order = if is_here { self.order.reversed() } else { by.usual() };
            let direction = if is_here { self.order.aria() } else { "none" };
            Column { heading, sorted: Some((self.with(by, order, 1), direction)) }
        };
        let plain = |heading| Column { heading, sorted: None };
        [
            sorted(Sorting::Tag, "Tag"),
            sorted(Sorting::Verdict, "Gates"),
            sorted(Sorting::Severity, "Vulnerabilities"),
            plain("Flags"),
            sorted(Sorting::Created, "Created"),
            sorted(Sorting::Pushed, "Pushed"),
            sorted(Sorting::Pulled, "Last pulled"),
            plain("Platforms"),
            sorted(Sorting::Size, "Size"),
            plain("Digest"),
        ]
    }

    fn by_name(&self) -> String {
        self.with(Sorting::Tag, Order::Ascending, 1)
    }

    fn page(&self) -> usize {
        self.place / MOST + 1
    }

    fn pages(&self) -> usize {
        self.count.div_ceil(MOST).max(1)
    }

    fn to_page(&self, page: usize) -> String {
        self.with(self.asking.sort, self.order, page)
    }

    fn is_filtered(&self) -> bool {
        let Asking { tag, flag, verdict, severity, .. } = self.asking;
        ![tag.trim(), flag, verdict, severity].iter().all(|text| text.is_empty())
    }

    fn verdicts(&self) -> [Verdict; 4] {
        Verdict::ALL
    }

    /// What the worst may be that was found, as the search has it.
    fn severities(&self) -> Vec<&'static str> {
        Severity::ALL.into_iter().rev().map(Severity::as_str).chain([CLEAN, UNREPORTED]).collect()
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let (api, who, policy) = (&web.api, &signed_in.who, web.api.policy());
    let name = RepositoryName::new(&asking.name)
        .map_err(|error| Trouble::wrong(format!("`name`: {error}")))?;
    let catalog = web.catalog.current().await.map_err(Problem::from)?;
    let mut known: Vec<(&Tag, &Digest)> = Vec::new();
    let eyes = who.eyes(api, &policy);
    let knows_all = eyes.know_all_of(&name);
    for (tag, digest) in catalog.repositories().get(&name).iter().flat_map(|tags| tags.iter()) {
        if knows_all || eyes.know(&name, tag).await? {
            known.push((tag, digest));
        }
    }
    if known.is_empty() {
        let text = format!("there is no repository {name}, or none that you may see");
        return Err(Problem::new(StatusCode::NOT_FOUND, text).into());
    }
    let filter = asking.tag.trim();
    // Where clients keep what is attached to an image is shown with the image.
    let part = filter.to_lowercase();
    let is_meant = |tag: &Tag| tag.referrers_subject().is_none() || part.starts_with("sha256-");
    known.retain(|(tag, _)| tag.as_str().to_lowercase().contains(&part) && is_meant(tag));
    let images: Vec<Named> =
        known.into_iter().map(|(tag, digest)| image(&name, tag, digest)).collect();
    let order = asking.order.unwrap_or(asking.sort.usual());
    let needs =
        match [&asking.flag, &asking.verdict, &asking.severity].iter().all(|it| it.is_empty()) {
            true => asking.sort.needs(),
            false => Needs::Rows,
        };
    let is_too_many = needs != Needs::Names && images.len() > MOST_COMPARED;
    let wanted = asking.page.unwrap_or(1).saturating_sub(1).saturating_mul(MOST);
    let (count, place, shown) = match needs {
        Needs::Rows if !is_too_many => {
            let mut all = rows(api, who, &policy, (&catalog, images)).await?;
            all.retain(|row| row.fits(&asking.flag, &asking.verdict, &asking.severity));
            all.sort_by(|one, other| asking.sort.compare(order, one, other));
            let place = first(wanted, all.len());
            (all.len(), place, all.into_iter().skip(place).take(MOST).collect())
        }
        needs => {
            let images = match needs {
                Needs::Handling if !is_too_many => {
                    sorting::by_handling(api, who, images, asking.sort, order).await?
                }
                _ if asking.sort == Sorting::Tag && order == Order::Descending => {
                    images.into_iter().rev().collect()
                }
                _ => images,
            };
            let (count, place) = (images.len(), first(wanted, images.len()));
            let some = images.into_iter().skip(place).take(MOST).collect();
            (count, place, rows(api, who, &policy, (&catalog, some)).await?)
        }
    };
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Search, name.as_str()),
        asking: &asking,
        order,
        rows: shown,
        count,
        place,
        flags: policy.flags().map(|flag| flag.name().to_string()).collect(),
        is_administrator: who.maker().is_administrator(),
        is_too_many,
    }))
}

fn image(repository: &RepositoryName, tag: &Tag, digest: &Digest) -> Named {
    Named {
        repository: repository.clone(),
        reference: Reference::Tag(tag.clone()),
        digest: digest.clone(),
    }
}

/// Where the page begins, or the last one where there are not so many.
fn first(wanted: usize, count: usize) -> usize {
    wanted.min(count.saturating_sub(1) / MOST * MOST)
}
