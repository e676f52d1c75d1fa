//! By what the images that fit are told apart, and how many there are of each kind.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use oci::RepositoryName;
use policy::gate::FlagFact;
use policy::{FlagName, Policy};
use reports::Severity;

use super::asking::Asking;
use crate::catalog::{Hit, Known, Told};
use crate::service::api::image::flags::is_in_force;
use crate::web::summary::{CLEAN, UNREPORTED, is_nothing_found};
use crate::web::verdict::Verdict;

/// What an image is told apart by, that is known without asking anybody.
pub(super) struct Aspects<'a> {
    pub(super) flags: Vec<&'a FlagName>,
    pub(super) worst: Worst,
    pub(super) updated: Option<Age>,
}

/// The worst that reports say of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worst {
    /// No report counts.
    Unreported,
    /// The reports found nothing.
    Nothing,
    Found(Severity),
}

/// How long ago the gate learned of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    Day,
    Week,
    Month,
    Older,
}

impl Worst {
    pub(super) const ALL: [Self; 8] = [
        Self::Found(Severity::Critical),
        Self::Found(Severity::High),
        Self::Found(Severity::Medium),
        Self::Found(Severity::Low),
        Self::Found(Severity::Negligible),
        Self::Found(Severity::Unknown),
        Self::Nothing,
        Self::Unreported,
    ];

    /// Of one manifest alone, as far as reports count there.
    fn of(told: &Told, (repository, policy): (&RepositoryName, &Policy)) -> Self {
        let mut worst = Self::Unreported;
        for report in &told.reports {
            let found = match (report.worst, report.recognized) {
                (Some(worst), _) => Self::Found(worst),
                (None, true) => Self::Nothing,
                (None, false) => continue,
            };
            if found > worst && report.counts(repository, policy) {
                worst = found;
            }
        }
        worst
    }

    /// As links and people write it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unreported => UNREPORTED,
            Self::Nothing => CLEAN,
            Self::Found(severity) => severity.as_str(),
        }
    }
}

impl Age {
    pub(super) const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Older];

    pub(super) fn of(at: Timestamp, now: Timestamp) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        // What is said to come is new.
        let ago = Duration::try_from(now.duration_since(at)).unwrap_or_default();
        match ago {
            ago if ago <= DAY => Self::Day,
            ago if ago <= 7 * DAY => Self::Week,
            ago if ago <= 30 * DAY => Self::Month,
            _ => Self::Older,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Older => "older",
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Self::Day => "in a day",
            Self::Week => "in a week",
            Self::Month => "in a month",
            Self::Older => "longer ago",
        }
    }
}

impl<'a> Aspects<'a> {
    pub(super) fn of(
        known: &'a Known,
        policy: &Policy,
        &Hit { repository, digest, told: itself, .. }: &Hit<'a>,
        now: Timestamp,
    ) -> Self {
        let parts = || known.parts_of(digest, itself).map(|(_, told)| told);
        let of_part = |told: &Told| Worst::of(told, (repository, policy));
        let mut worst = parts().map(of_part).max().unwrap_or(Worst::Unreported);
        // Of the rest of an index, nobody knows yet.
        if worst == Worst::Nothing {
            let images = parts().filter(|told| told.is_image);
            let found = images.map(|told| match of_part(told) {
                Worst::Unreported => None,
                Worst::Nothing => Some(false),
                Worst::Found(_) => Some(true),
            });
            if !is_nothing_found(found) {
                worst = Worst::Unreported;
            }
        }
        let flags = itself.into_iter().flat_map(|told| &told.flags);
        let is_in_force = |flag: &&FlagFact| {
            let declared = policy.flags().find(|declared| declared.name() == flag.name);
            declared.is_some_and(|declared| is_in_force(declared, flag, repository, now))
        };
        Self {
            flags: flags.filter(is_in_force).map(|flag| &flag.name).collect(),
            worst,
            updated: itself.and_then(|told| told.first_seen).map(|at| Age::of(at, now)),
        }
    }

    /// Whether flag, worst finding and age are those that are asked for.
    pub(super) fn fit(&self, asking: &Asking) -> [bool; 3] {
        [
            asking.flag().is_none_or(|flag| self.flags.iter().any(|name| name.as_str() == flag)),
            asking.severity().is_none_or(|worst| self.worst == worst),
            asking.updated().is_none_or(|age| self.is_within(age)),
        ]
    }

    /// An update within a day is one within a week.
    fn is_within(&self, age: Age) -> bool {
        match age {
            Age::Older => self.updated == Some(Age::Older),
            age => self.updated.is_some_and(|updated| updated <= age),
        }
    }
}

/// How many of the images that fit are of each kind, if all else stays as it is asked for.
#[derive(Default)]
pub(super) struct Facets {
    flags: BTreeMap<FlagName, usize>,
    worst: BTreeMap<Worst, usize>,
    updated: BTreeMap<Age, usize>,
}

/// Something to choose from.
pub(super) struct Facet {
    pub(super) title: &'static str,
    pub(super) choices: Vec<Choice>,
}

pub(super) struct Choice {
    pub(super) text: String,
    /// None where it is not counted.
    pub(super) count: Option<usize>,
    pub(super) is_chosen: bool,
    /// Chooses it, or lets it go.
    pub(super) page: String,
}

impl Facets {
    /// Counts an image; whether it is all that is asked for.
    pub(super) fn count(&mut self, asking: &Asking, aspects: &Aspects<'_>) -> bool {
        let [flag, worst, updated] = aspects.fit(asking);
        if worst && updated {
            for &&flag in &aspects.flags {
                *self.flags.entry(flag).or_default() += 1;
            }
        }
        if flag && updated {
            *self.worst.entry(aspects.worst).or_default() += 1;
        }
        if let (true, true, Some(age)) = (flag, worst, aspects.updated) {
            *self.updated.entry(age).or_default() += 1;
        }
        flag && worst && updated
    }

    /// Those of a day are of a week as well.
    fn within(&self, age: Age) -> usize {
        let first = if age == Age::Older { Age::Older } else { Age::Day };
        self.updated.range(first..=age).map(|(_, count)| count).sum()
    }

    /// What may be chosen: what there is, and what is chosen already.
    pub(super) fn shown(&self, asking: &Asking) -> Vec<Facet> {
        let choice = |text: &str, (key, value): (&str, &str), count: Option<usize>| Choice {
            text: text.to_owned(),
            count,
            is_chosen: asking.value(key) == value,
            page: asking.choosing(key, value),
        };
        let verdicts = Verdict::ALL.into_iter();
        let verdicts = verdicts.map(|it| choice(it.word(), ("verdict", it.word()), None));
        let worst = Worst::ALL.into_iter().map(|worst| {
            let count = self.worst.get(&worst).copied().unwrap_or(0);
            choice(worst.word(), ("severity", worst.word()), Some(count))
        });
        let mut flags: BTreeMap<&str, usize> =
            self.flags.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        if let Some(chosen) = asking.flag() {
            flags.entry(chosen).or_default();
        }
        let flags =
            flags.into_iter().map(|(name, count)| choice(name, ("flag", name), Some(count)));
        let updated = Age::ALL
            .into_iter()
            .map(|age| choice(age.shown(), ("updated", age.word()), Some(self.within(age))));
        let is_there = |choice: &Choice| choice.is_chosen || choice.count != Some(0);
        let facet = |title, choices: Vec<Choice>| Facet { title, choices };
        let facets = [
            facet("Gates", verdicts.collect()),
            facet("Worst finding", worst.filter(is_there).collect()),
            facet("Flag", flags.filter(is_there).collect()),
            facet("First seen", updated.filter(is_there).collect()),
        ];
        facets.into_iter().filter(|facet| !facet.choices.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_the_shortest_that_it_fits() {
        let now = Timestamp::from_second(100 * 24 * 3600).unwrap();
        for (seconds, age) in [
            (-5, Age::Day),
            (0, Age::Day),
            (24 * 3600, Age::Day),
            (24 * 3600 + 1, Age::Week),
            (8 * 24 * 3600, Age::Month),
            (31 * 24 * 3600, Age::Older),
        ] {
            let at = Timestamp::from_second(now.as_second() - seconds).unwrap();
            assert_eq!(Age::of(at, now), age, "{seconds}");
        }
    }

    fn aspects(flags: &[FlagName], worst: Worst, age: Age) -> Aspects<'_> {
        Aspects { flags: flags.iter().collect(), worst, updated: Some(age) }
    }

    fn asking(query: &str) -> Asking {
        let uri = format!("/?{query}").parse().unwrap();
        axum::extract::Query::try_from_uri(&uri).unwrap().0
    }

    fn counts(query: &str) -> (usize, Vec<String>) {
        let high = Worst::Found(Severity::High);
        let flags = ["tested", "qa"].map(|name| FlagName::new(name).unwrap());
        let images = [
            aspects(&flags, high, Age::Day),
            aspects(&flags[..1], Worst::Nothing, Age::Week),
            aspects(&[], high, Age::Older),
        ];
        let (asking, mut facets) = (asking(query), Facets::default());
        let fitting = images.iter().filter(|it| facets.count(&asking, it)).count();
        let shown = facets.shown(&asking).into_iter().skip(1).map(|facet| {
            let choices = facet.choices.iter().map(|it| {
                let chosen = if it.is_chosen { "*" } else { "" };
                format!(" {chosen}{}:{}", it.text, it.count.unwrap())
            });
            format!("{}{}", facet.title, choices.collect::<String>())
        });
        (fitting, shown.collect())
    }

    #[test]
    fn each_facet_counts_what_the_others_leave() {
        let all = [
            "Worst finding high:2 none:1",
            "Flag qa:1 tested:2",
            "First seen in a day:1 in a week:2 in a month:2 longer ago:1",
        ];
        assert_eq!(counts(""), (3, all.map(str::to_owned).to_vec()));
        let tested = [
            "Worst finding high:1 none:1",
            "Flag qa:1 *tested:2",
            "First seen in a day:1 in a week:2 in a month:2",
        ];
        assert_eq!(counts("flag=tested"), (2, tested.map(str::to_owned).to_vec()));
        let both = [
            "Worst finding *high:2 none:1",
            "Flag qa:1 tested:1",
            "First seen in a day:1 in a week:1 in a month:1 longer ago:1",
        ];
        assert_eq!(counts("severity=high"), (2, both.map(str::to_owned).to_vec()));
    }

    #[test]
    fn what_is_chosen_is_shown_though_nothing_is_of_it() {
        let (fitting, shown) = counts("flag=signed&updated=day");
        assert_eq!(fitting, 0);
        assert_eq!(shown, ["Flag qa:1 *signed:0 tested:1", "First seen *in a day:0"]);
    }
}
