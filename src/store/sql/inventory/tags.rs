//! The tags that are there.

use std::collections::HashMap;

use oci::{Digest, RepositoryName, Tag};

use super::super::super::StoreError;
use super::super::super::inventory::Tagged;
use super::super::activity::{Names, keys};
use super::super::work::Work;

pub(super) async fn after(
    work: &mut Work,
    after: Option<&(RepositoryName, String)>,
    limit: u32,
) -> Result<Vec<Tagged>, StoreError> {
    // No name is empty, so all of them come after it.
    let (repository, tag) =
        after.map_or(("", ""), |(repository, tag)| (repository.as_str(), tag.as_str()));
    let sql = "SELECT repositories.name AS name, pointers.tag AS tag, pointers.digest AS digest \
        FROM repositories JOIN pointers ON pointers.repository = repositories.id \
        WHERE repositories.name >= $1 AND (repositories.name > $1 OR pointers.tag > $2) \
        AND pointers.is_current = 1 ORDER BY repositories.name, pointers.tag LIMIT $3";
    let rows = work.rows(sql, &[repository.into(), tag.into(), i64::from(limit).into()]).await?;
    let tagged = rows.iter().map(|row| {
        Ok(Tagged {
            repository: row.read("name")?,
            tag: row.read("tag")?,
            digest: row.digest("digest")?,
        })
    });
    tagged.collect()
}

pub(super) async fn of(
    work: &mut Work,
    repository: &RepositoryName,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<Tag>, StoreError> {
    let sql = "SELECT pointers.tag AS tag FROM pointers \
        JOIN repositories ON repositories.id = pointers.repository \
        WHERE repositories.name = $1 AND pointers.digest = $2 AND pointers.is_current = 1 \
        ORDER BY pointers.tag LIMIT $3";
    let values = [repository.as_str().into(), digest.as_bytes().into(), i64::from(limit).into()];
    let rows = work.rows(sql, &values).await?;
    rows.iter().map(|row| row.read("tag")).collect()
}

pub(super) async fn on(
    work: &mut Work,
    images: &[(RepositoryName, Digest)],
) -> Result<HashMap<(RepositoryName, Digest), Vec<Tag>>, StoreError> {
    let names = Names::of(work, images.iter().map(|(name, _)| name)).await?;
    let sql = "SELECT repository, digest, tag FROM pointers \
        WHERE (repository, digest) IN (VALUES {rows}) AND is_current = 1 ORDER BY tag";
    let mut tags: HashMap<_, Vec<Tag>> = HashMap::new();
    for row in work.with_rows(sql, &keys(&names, images)).await? {
        if let Some(name) = names.name(row.int("repository")?) {
            tags.entry((name, row.digest("digest")?)).or_default().push(row.read("tag")?);
        }
    }
    Ok(tags)
}
