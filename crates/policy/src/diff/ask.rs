//! Asks both policies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;
use oci::{RepositoryName, Tag};

use super::administrators::{administrators, may_change};
use super::askers::{Asker, Askers, Concern, Cut};
use super::both::Both;
use super::cells::{Cell, Difference};
use super::delegations::delegations;
use super::entries::{Entry, entries};
use super::images::{Bound, Images, Repository};
use super::limits::Limit;
use super::meetings::Meetings;
use super::names::Names;
use super::people::People;
use super::rows::Rows;
use super::tags::Tags;
use super::when::{Axes, Moment, When};
use super::who::Who;
use super::words::Words;
use super::{Comparison, Example, Progress};
use crate::Action;
use crate::actions::Actions;
use crate::caller::Caller;
use crate::glob::Part;
use crate::policy::{Image, Policy};

/// Of questions to both policies: a minute or so.
pub(super) const MAX_QUESTIONS: usize = 20_000_000;

pub(super) struct Asking<'p> {
    policies: Both<&'p Policy>,
    at: Timestamp,
    words: Words,
    entries: Vec<Entry<'p>>,
    people: People,
    askers: HashMap<Concern, Rc<Askers>>,
    tags: Tags,
    questions: usize,
    limits: BTreeSet<Limit>,
}

/// What is asked about in one repository.
struct Scene<'a> {
    repository: &'a RepositoryName,
    askers: &'a Askers,
    axes: &'a Axes,
    /// Of the patterns that match there, those with variables.
    variables: &'a [(usize, &'a Bound<'a>)],
}

/// Who gets another answer, in which circumstances.
type Answers = BTreeMap<Vec<When>, BTreeMap<usize, Moment>>;

impl<'p> Asking<'p> {
    pub(super) fn new(policies: Both<&'p Policy>, at: Timestamp) -> Self {
        let words = Words::new(policies);
        let mut entries = entries(policies, &words);
        if !entries.iter().any(|entry| entry.is_touched) {
            entries.clear();
        }
        let mut limits = BTreeSet::new();
        let people = match entries.is_empty() && !may_change(policies, &words) {
            true => People::nobody(),
            false => everybody(policies, &words, &entries, &mut limits),
        };
        Self {
            policies,
            at,
            words,
            entries,
            people,
            askers: HashMap::new(),
            tags: Tags::new(),
            questions: 0,
            limits,
        }
    }

    pub(super) fn run(mut self, watch: &mut dyn FnMut(Progress)) -> Comparison<'p> {
        watch(Progress::Images);
        let entries = std::mem::take(&mut self.entries);
        let images = Images::new(&entries, &self.people, &self.words);
        let repositories = images.repositories(&mut self.limits);
        let of = repositories.len();
        let mut rows = Rows::new(&images);
        for (done, repository) in repositories.iter().enumerate() {
            watch(Progress::Asking { done, of });
            if self.questions > MAX_QUESTIONS {
                self.limits.insert(Limit::Questions { left: of - done, of });
                break;
            }
            self.ask_in(&entries, &images, repository, &mut rows);
        }
        watch(Progress::Telling);
        let mut limits = std::mem::take(&mut self.limits);
        let administrators = administrators(self.policies, &self.words, &self.people, &mut limits);
        limits.append(&mut self.people.limits);
        Comparison {
            changes: rows.changes(),
            administrators,
            delegations: delegations(self.policies),
            is_complete: limits.is_empty(),
            limits: limits.into_iter().collect(),
        }
    }

    fn ask_in(
        &mut self,
        entries: &[Entry<'p>],
        images: &Images<'p>,
        repository: &Repository,
        rows: &mut Rows<'_, 'p>,
    ) {
        let matched = images.get(&repository.matched);
        let there: BTreeSet<usize> =
            matched.iter().filter(|bound| !bound.is_exception).map(|bound| bound.entry).collect();
        let rules: Vec<&Entry<'_>> = there.iter().filter_map(|place| entries.get(*place)).collect();
        let matched: Vec<(usize, &Bound<'p>)> = repository
            .matched
            .iter()
            .copied()
            .zip(matched)
            .filter(|(_, bound)| there.contains(&bound.entry))
            .collect();
        let axes = Axes::new(rules.iter().filter_map(|rule| rule.conditions), self.at);
        let askers = self.askers(&rules, &matched, &repository.name);
        let bounds: Vec<&Bound<'_>> = matched.iter().map(|(_, bound)| *bound).collect();
        let tags = self.tags.of(&bounds, &repository.name, &mut self.limits);
        for tag in tags.iter() {
            let here = matched.iter().filter(|(_, bound)| bound.matches_tag(tag.as_ref()));
            let here: Vec<(usize, &Bound<'_>)> = here.copied().collect();
            let touched = |bound: &Bound<'_>| {
                let entry = entries.get(bound.entry).filter(|entry| entry.is_touched);
                entry.filter(|_| !bound.is_exception).map(|entry| entry.actions.clone())
            };
            let actions = here.iter().filter_map(|(_, bound)| touched(bound));
            let actions = actions.fold(Actions::default(), Actions::union);
            if actions.is_empty() {
                continue;
            }
            let cell = rows.add(Cell {
                matched: here.iter().map(|(place, _)| *place).collect(),
                undecided: here
                    .iter()
                    .filter(|(_, bound)| {
                        let tag = tag.as_ref().map(Tag::as_str);
                        tag.is_some_and(|tag| bound.image.tags.is_undecided(tag))
                    })
                    .map(|(place, _)| *place)
                    .collect(),
                touched: here
                    .iter()
                    .filter_map(|(place, bound)| Some((*place, touched(bound)?)))
                    .collect(),
                example: match &tag {
                    Some(tag) => format!("{}:{tag}", repository.name),
                    None => repository.name.to_string(),
                },
            });
            let variables = here.iter().filter(|(_, bound)| bound.has_name());
            let scene = Scene {
                repository: &repository.name,
                askers: &askers,
                axes: &axes,
                variables: &variables.copied().collect::<Vec<_>>(),
            };
            for action in actions.iter() {
                self.ask_about(&scene, tag.as_ref(), action, cell, rows);
            }
        }
    }

    fn askers(
        &mut self,
        rules: &[&Entry<'_>],
        matched: &[(usize, &Bound<'_>)],
        repository: &RepositoryName,
    ) -> Rc<Askers> {
        let words = |rules: &mut dyn Iterator<Item = &&Entry<'_>>, except: bool| {
            let mut words = BTreeSet::new();
            for rule in rules {
                words.extend(rule.subjects.iter().copied());
                if except {
                    words.extend(rule.except_subjects.iter().copied());
                }
            }
            words
        };
        let mut concern = Concern {
            words: words(&mut rules.iter(), true),
            touched: words(&mut rules.iter().filter(|rule| rule.is_touched), false),
            users: matched.iter().filter_map(|(_, bound)| bound.user.clone()).collect(),
            groups: matched.iter().filter_map(|(_, bound)| bound.group.clone()).collect(),
            exceptions: rules.iter().filter(|rule| rule.excepts_people()).count(),
        };
        // Whom a group stands for is told apart as if a rule were for it.
        concern.words.extend(concern.groups.iter().filter_map(|name| self.words.of_group(name)));
        if let Some(known) = self.askers.get(&concern) {
            return Rc::clone(known);
        }
        let askers = Rc::new(Askers::new(&self.people, &self.words, &concern));
        self.askers.insert(concern, Rc::clone(&askers));
        if let Some(Cut { groups, together }) = askers.cut {
            let repository = repository.to_string();
            self.limits.insert(Limit::Groups { repository, groups, together });
        }
        askers
    }

    fn ask_about(
        &mut self,
        scene: &Scene<'_>,
        tag: Option<&Tag>,
        action: Action,
        cell: usize,
        rows: &mut Rows<'_, 'p>,
    ) {
        let image = Image { repository: scene.repository, tag };
        let mut answers: [Answers; 2] = Default::default();
        for (place, asker) in scene.askers.all.iter().enumerate() {
            let mut moments: [Vec<Moment>; 2] = Default::default();
            for moment in scene.axes.moments(&asker.callers.old.subject) {
                self.questions += 1;
                let callers = at(asker, scene.axes, moment);
                let decided = |policy: &&Policy, caller: &Caller| {
                    policy.decide(caller, action, image).is_allowed()
                };
                let Both { old, new } = self.policies.zip(&callers, decided);
                if old != new
                    && let Some(moments) = moments.get_mut(usize::from(new))
                {
                    moments.push(moment);
                }
            }
            for (moments, answers) in moments.into_iter().zip(&mut answers) {
                if let Some(first) = moments.first() {
                    let whens = scene.axes.describe(&asker.callers.old.subject, &moments);
                    answers.entry(whens).or_default().insert(place, *first);
                }
            }
        }
        let [forbidden, allowed] = answers;
        for (is_allowed, answers) in [(false, forbidden), (true, allowed)] {
            for (whens, some) in answers {
                let places = some.keys().copied().collect();
                for Who { text, place, all } in scene.askers.describe(&places, &self.words) {
                    let (Some(asker), Some(moment)) =
                        (scene.askers.all.get(place), some.get(&place))
                    else {
                        continue;
                    };
                    let callers = at(asker, scene.axes, *moment);
                    let [old, new] = [
                        rule(self.policies.old, &callers.old, action, image),
                        rule(self.policies.new, &callers.new, action, image),
                    ];
                    let example = Example {
                        old_caller: callers.old,
                        new_caller: callers.new,
                        action,
                        repository: scene.repository.clone(),
                        tag: tag.cloned(),
                    };
                    let of_others = self.of_others(scene, &all);
                    for when in whens.clone() {
                        let (example, of_others) = (example.clone(), of_others.clone());
                        let difference = Difference { old, new, example, of_others };
                        rows.put(text.clone(), is_allowed, when, cell, difference);
                    }
                }
            }
        }
    }

    /// The patterns there that stand for names which some do not have, for each who has others.
    fn of_others(&self, scene: &Scene<'_>, some: &BTreeSet<usize>) -> BTreeSet<Vec<usize>> {
        if scene.variables.is_empty() {
            return BTreeSet::new();
        }
        let askers = some.iter().filter_map(|place| scene.askers.all.get(*place));
        let of_others = askers.map(|asker| {
            let all = scene.variables.iter();
            let of_others = all.filter(|(_, bound)| bound.is_of_others(asker, &self.words));
            of_others.map(|(place, _)| *place).collect()
        });
        of_others.collect()
    }
}

/// With those whose names images tell apart.
fn everybody(
    policies: Both<&Policy>,
    words: &Words,
    entries: &[Entry<'_>],
    limits: &mut BTreeSet<Limit>,
) -> People {
    let mut names = Names::default();
    let mut people = People::new(policies, words, &names);
    let meetings = Meetings::new(entries, limits);
    if meetings.is_empty() {
        return people;
    }
    // A user can have the name of a group, so users are looked for again once there are groups.
    for variable in [Part::User, Part::Group, Part::User] {
        if names.find(&variable, &meetings, entries, &people, words, limits) {
            people = People::new(policies, words, &names);
        }
    }
    people
}

fn at(asker: &Asker, axes: &Axes, moment: Moment) -> Both<Caller> {
    let circumstances = axes.circumstances(moment);
    asker.callers.map(|caller| Caller { circumstances, ..caller.clone() })
}

/// The rule that decides. It is the policy's own, though a decision holds on to the question.
fn rule<'p>(
    policy: &'p Policy,
    caller: &Caller,
    action: Action,
    image: Image<'_>,
) -> Option<crate::RuleRef<'p>> {
    let name = policy.decide(caller, action, image).rule()?.name.to_owned();
    let place = policy.rules.binary_search_by(|rule| (*rule.name).cmp(&name)).ok()?;
    policy.rules.get(place).map(|rule| rule.reference())
}
