//! What is done with images.

mod flags;
mod forget;
mod moves;
mod pulls;
mod pushes;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::super::StoreError;
use super::super::activity::{Activity, GroupPull, Handled, Move, Pull, Pushed, RemovedFlag};
use super::Sql;
use super::work::Work;
pub(super) use forget::{forget, forget_strays};
pub(super) use moves::note as note_moves;
pub(super) use pulls::keys;

#[async_trait]
impl Activity for Sql {
    async fn note_pulls(&self, pulls: &[Pull], groups: &[GroupPull]) -> Result<(), StoreError> {
        let mut work = self.write("note what was pulled").await?;
        pulls::note(&mut work, pulls).await?;
        pulls::note_groups(&mut work, groups).await?;
        work.commit().await
    }

    async fn note_pushes(&self, pushes: &[Pushed]) -> Result<(), StoreError> {
        let mut work = self.write("note what was pushed").await?;
        pushes::note(&mut work, pushes).await?;
        work.commit().await
    }

    async fn handled(
        &self,
        images: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Handled>, StoreError> {
        let mut work = self.read("ask what was done with images").await?;
        let mut handled = HashMap::new();
        let names = Names::of(&mut work, images.iter().map(|(name, _)| name)).await?;
        pulls::of(&mut work, &names, images, &mut handled).await?;
        pushes::of(&mut work, &names, images, &mut handled).await?;
        Ok(handled)
    }

    async fn pulled_by(
        &self,
        group: &str,
        images: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Timestamp>, StoreError> {
        let mut work = self.read("ask what a group pulled").await?;
        let names = Names::of(&mut work, images.iter().map(|(name, _)| name)).await?;
        pulls::of_group(&mut work, &names, images, group).await
    }

    async fn pulling_groups(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        pulls::groups(&mut self.read("ask which groups pull").await?, limit).await
    }

    async fn history_of(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Vec<Move>, StoreError> {
        moves::of(&mut self.read("look up the history of a tag").await?, repository, tag).await
    }

    async fn note_removed_flag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        removed: &RemovedFlag,
    ) -> Result<(), StoreError> {
        let mut work = self.write("note that a flag was removed").await?;
        flags::note(&mut work, repository, digest, removed).await?;
        work.commit().await
    }

    async fn removed_flags(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<RemovedFlag>, StoreError> {
        flags::of(&mut self.read("list removed flags").await?, repository, digest).await
    }
}

/// The numbers that repositories have in the tables. Those of which nothing is known have none.
pub(super) struct Names {
    ids: HashMap<RepositoryName, i64>,
    names: HashMap<i64, RepositoryName>,
}

impl Names {
    pub(super) async fn of<'n>(
        work: &mut Work,
        names: impl Iterator<Item = &'n RepositoryName>,
    ) -> Result<Self, StoreError> {
        let names: BTreeSet<_> = names.collect();
        let rows: Vec<_> = names.into_iter().map(|name| [name.as_str().into()]).collect();
        let sql = "SELECT id, name FROM repositories WHERE name IN (VALUES {rows})";
        let (mut ids, mut names) = (HashMap::new(), HashMap::new());
        for row in work.with_rows(sql, &rows).await? {
            let (id, name): (i64, RepositoryName) = (row.int("id")?, row.read("name")?);
            ids.insert(name.clone(), id);
            names.insert(id, name);
        }
        Ok(Self { ids, names })
    }

    pub(super) fn id(&self, name: &RepositoryName) -> Option<i64> {
        self.ids.get(name).copied()
    }

    pub(super) fn name(&self, id: i64) -> Option<RepositoryName> {
        self.names.get(&id).cloned()
    }
}
