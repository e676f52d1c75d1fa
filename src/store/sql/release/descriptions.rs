//! What images say of themselves.

use oci::{Digest, RepositoryName};

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::super::release::Undescribed;
use super::super::inventory::facts;
use super::super::row::{Row, damaged};
use super::super::work::Work;
use super::changes::changed;
use super::plain;
use crate::release::Description;

pub(super) async fn keep(
    work: &mut Work,
    descriptions: &[(Digest, Description)],
) -> Result<(), StoreError> {
    for (digest, description) in descriptions {
        let labels = serde_json::to_string(&description.labels);
        let labels = labels.map_err(|error| StoreError::Damaged(error.to_string()))?;
        let sql = "INSERT INTO descriptions (digest, created_at, platform, labels) \
            VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO UPDATE \
            SET created_at = excluded.created_at, platform = excluded.platform, \
            labels = excluded.labels";
        let labels = Value::Text(Some(plain(&labels)));
        let platform = Value::Text(description.platform.as_deref().map(plain));
        let values = [digest.as_bytes().into(), description.created_at.into(), platform, labels];
        work.execute(sql, &values).await?;
    }
    changed(work, descriptions.iter().map(|(digest, _)| digest).collect()).await
}

/// Manifests that nobody has looked into.
pub(super) async fn missing(work: &mut Work, limit: u32) -> Result<Vec<Undescribed>, StoreError> {
    let sql = "SELECT repositories.name AS name, manifests.digest AS digest, \
        manifests.facts AS facts FROM manifests \
        JOIN repositories ON repositories.id = manifests.repository WHERE NOT EXISTS \
        (SELECT 1 FROM descriptions WHERE descriptions.digest = manifests.digest) LIMIT $1";
    let rows = work.rows(sql, &[i64::from(limit).into()]).await?;
    let manifest = |row: &Row| {
        let repository: RepositoryName = row.read("name")?;
        Ok(Undescribed { repository, digest: row.digest("digest")?, facts: facts(row)? })
    };
    rows.iter().map(manifest).collect()
}

pub(super) fn description(row: &Row) -> Result<Description, StoreError> {
    let labels = serde_json::from_str(&row.text("labels")?);
    Ok(Description {
        created_at: row.maybe_time("created_at")?,
        platform: row.maybe_text("platform")?,
        labels: labels.map_err(|error| damaged("labels", &error))?,
    })
}
