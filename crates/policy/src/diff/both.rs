//! Things that there are of both policies.

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Both<T> {
    pub(super) old: T,
    pub(super) new: T,
}

impl<T> Both<T> {
    pub(super) fn each(&self) -> [&T; 2] {
        [&self.old, &self.new]
    }

    pub(super) fn map<'a, U>(&'a self, mut of: impl FnMut(&'a T) -> U) -> Both<U> {
        Both { old: of(&self.old), new: of(&self.new) }
    }

    pub(super) fn zip<'a, U, V>(
        &'a self,
        other: &'a Both<U>,
        of: impl Fn(&'a T, &'a U) -> V,
    ) -> Both<V> {
        Both { old: of(&self.old, &other.old), new: of(&self.new, &other.new) }
    }
}
