//! Which way round something is sorted.

use std::cmp::Ordering;

use serde::Deserialize;

/// It.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Order {
    #[serde(rename = "asc")]
    Ascending,
    #[serde(rename = "desc")]
    Descending,
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

    pub(super) fn of(self, ascending: Ordering) -> Ordering {
        match self {
            Self::Ascending => ascending,
            Self::Descending => ascending.reverse(),
        }
    }
}

/// What is not known comes last either way.
pub(super) fn known_first<T: Ord>(order: Order, one: Option<T>, other: Option<T>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => order.of(one.cmp(&other)),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
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
