//! The findings of an image as a file to take away.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use reports::Finding;
use serde::{Deserialize, Serialize};

use super::{Findings, Row, View, known};
use crate::service::api::image::flags::Which;
use crate::service::api::image::show;
use crate::service::api::input::Asked;
use crate::web::Web;
use crate::web::problem::Trouble;
use crate::web::query::Query;
use crate::web::session::SignedIn;
use crate::web::shown::csv_cell;

/// In which form they are to be taken away, and which of them.
#[derive(Deserialize)]
pub(in crate::web) struct Export {
    r#ref: String,
    format: Format,
    #[serde(flatten)]
    view: View,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Json,
}

#[derive(Serialize)]
struct Exported<'a> {
    platform: Option<&'a str>,
    #[serde(flatten)]
    finding: &'a Finding,
    first_seen: jiff::Timestamp,
    cleared: Option<&'a str>,
}

/// The findings as a file.
pub(in crate::web) async fn export(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(export): Query<Export>,
) -> Result<Response, Trouble> {
    let api = &web.api;
    let which = Asked(Which { r#ref: export.r#ref });
    let shown = show::show(State(Arc::clone(api)), signed_in.who.clone(), which).await;
    let Json(image) = shown.map_err(Trouble::from)?;
    let known = known(api, &image).await?;
    let findings = Findings::of(&known, &image, &api.policy(), &export.view);
    let shown = || findings.rows.iter().filter(|row| row.is_shown);
    let named = |ending: &str| format!("attachment; filename=\"vulnerabilities.{ending}\"");
    Ok(match export.format {
        Format::Json => {
            let rows: Vec<_> = shown().map(exported).collect();
            ([(CONTENT_DISPOSITION, named("json"))], Json(rows)).into_response()
        }
        Format::Csv => {
            let headers = [
                (CONTENT_DISPOSITION, named("csv")),
                (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
            ];
            (headers, csv(shown())).into_response()
        }
    })
}

fn exported<'a>(row: &'a Row<'a>) -> Exported<'a> {
    Exported {
        platform: row.platform,
        finding: row.finding,
        first_seen: row.first_seen,
        cleared: row.cleared.as_deref(),
    }
}

const COLUMNS: &str =
    "platform,id,severity,cvss,package,version,fixed_in,layer,status,first_seen,cleared,title\r\n";

/// RFC 4180.
fn csv<'r>(rows: impl Iterator<Item = &'r Row<'r>>) -> String {
    let mut text = COLUMNS.to_owned();
    for row in rows {
        let Finding { id, severity, package, layer, status, title, .. } = row.finding;
        let layer = layer.as_ref().map(ToString::to_string).unwrap_or_default();
        let first_seen = row.first_seen.to_string();
        let fields = [
            row.platform.unwrap_or_default(),
            id.as_str(),
            severity.as_str(),
            &row.cvss(),
            &package.name,
            &package.version,
            &row.fixed_in(),
            &layer,
            status.as_str(),
            &first_seen,
            row.cleared.as_deref().unwrap_or_default(),
            title.as_deref().unwrap_or_default(),
        ];
        let fields: Vec<_> = fields.iter().map(|field| csv_cell(field)).collect();
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}
