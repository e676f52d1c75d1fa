//! Gates over made-up images: held to the reference, and to what must always be so.

use std::sync::Arc;

use jiff::SignedDuration;
use policy::Policy;
use policy::cases::Cases;
use policy::gate::{
    Child, Facts, FindingFact, Form, Judgement, ReportFacts, Scan, ScanState, Shape, Verdict,
    VexFact, VexScope, VexStatus,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use reports::{Severity, Status, VulnerabilityId};

use super::known::{day, facts, finding, flag, judged, platform};
use super::reference::{Model, Scans, exceptions};
use crate::guide::examples;
use crate::support::sources;

/// Choices, from bytes; when they are used up, the first of each.
struct Dice<'b>(std::slice::Iter<'b, u8>);

impl Dice<'_> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % count
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 1).then(|| make(self))
    }

    fn mostly<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(4) != 3).then(|| make(self))
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn days(&mut self) -> i64 {
        self.below(12) as i64
    }

    fn model(&mut self) -> Model {
        let severities = ["none", "negligible", "low", "medium", "high", "critical"];
        Model {
            flags: self.of(&[vec![], vec![], vec![], vec!["a"], vec!["b"], vec!["a", "b"]]),
            keys: self.of(&[vec![], vec![], vec![], vec!["k"]]),
            max_age: self.maybe(|dice| dice.maybe(|dice| 1 + dice.days())).flatten(),
            only_amd64: self.below(2) == 1,
            scans: self.mostly(|dice| Scans {
                max_severity: dice.mostly(|dice| dice.of(&severities)),
                max_cvss: dice.maybe(|dice| dice.of(&[0.0, 5.0, 8.9])),
                only_fixable: dice.below(2) == 1,
                unknown: dice.of(&["ignore", "warn", "block"]),
                gaps: [(); 4].map(|()| dice.of(&["allow", "warn", "warn", "block"])),
                max_report_age: dice.maybe(|dice| 1 + dice.days()),
            }),
            grace: [(); 4].map(|()| self.mostly(|dice| 1 + 2 * dice.days())),
            audit: self.below(4) == 3,
        }
    }

    fn finding(&mut self) -> FindingFact {
        let ids = ["CVE-1", "CVE-2", "CVE-3", "GHSA-1", "GHSA-2"];
        let package = self.of(&["p", "q"]);
        let mut finding = finding(self.of(&ids), package, self.of(&Severity::ALL));
        let name = |dice: &mut Self| VulnerabilityId::new(dice.of(&ids)).unwrap();
        finding.aliases = self.some(2, name);
        finding.cvss = self.maybe(|dice| dice.of(&[0.0, 3.0, 6.0, 9.5]));
        finding.fixed_in = self.maybe(|_| "2".to_owned());
        finding.status = self.of(&[Status::Affected, Status::Affected, Status::NotAffected]);
        finding.first_seen = day(self.days());
        if self.below(4) == 3 {
            finding.purl = None;
        }
        finding
    }

    fn scan(&mut self) -> Scan {
        let failed = ScanState::Failed { since: day(self.days()), reason: "r".to_owned() };
        let report = |dice: &mut Self| {
            Arc::new(ReportFacts {
                scanner: "s".to_owned(),
                made_at: day(dice.days()),
                recognized: dice.below(3) > 0,
                findings: dice.some(3, Self::finding).into(),
            })
        };
        let vex = |dice: &mut Self| {
            let package =
                |dice: &mut Self| VexScope::Packages(vec![dice.of(&["p", "q"]).to_owned()]);
            Arc::new(VexFact {
                ids: vec![VulnerabilityId::new(dice.of(&["CVE-3", "GHSA-2"])).unwrap()],
                scope: dice.maybe(package).unwrap_or(VexScope::Image),
                status: VexStatus::Fixed,
                by: "m".to_owned(),
            })
        };
        Scan {
            state: self.of(&[ScanState::Done, ScanState::Never, ScanState::Pending, failed]),
            reports: if self.below(4) == 0 { Vec::new() } else { self.some(3, report) },
            vex: self.some(1, vex),
        }
    }

    /// A manifest whose digest is `next`, with what is below it numbered on.
    fn manifest(&mut self, next: &mut u8, depth: usize) -> Facts {
        let number = *next;
        *next += 1;
        let form = match self.below(if depth > 0 { 10 } else { 7 }) {
            0 | 1 | 5 | 6 => Form::Image {
                platform: self.maybe(|dice| platform(dice.of(&["linux/amd64", "linux/arm64"]))),
                labels: None,
                shape: Shape::default(),
                scan: self.scan(),
            },
            2 => Form::NotRunnable,
            3 => Form::Artifact,
            4 => Form::Unreadable("u".to_owned()),
            _ => {
                let child = |dice: &mut Self| Child {
                    platform: dice.maybe(|dice| platform(dice.of(&["linux/amd64", "linux/s390x"]))),
                    facts: Arc::new(dice.manifest(next, depth - 1)),
                };
                Form::Index { children: self.some(3, child) }
            }
        };
        let mut facts = facts(number, form);
        let some_day = day(self.days());
        facts.first_seen =
            self.of(&[Some(day(0)), Some(day(0)), Some(some_day), Some(some_day), None]);
        facts.flags = self.some(2, |dice| {
            let place = dice.of(&["prod/api", "dev/x", "lab/x"]);
            let mut fact = flag(dice.of(&["a", "b"]), place, day(dice.days()));
            fact.expires_at = dice.maybe(|dice| day(dice.days()));
            fact
        });
        facts.signers = self.some(1, |_| "k".into());
        facts.passed = self.some(3, |dice| (dice.of(&["one", "two"]).into(), day(0)));
        if self.below(6) == 5 {
            facts.broken = vec![(self.of(&["one", "two"]).into(), day(self.days()))];
        }
        facts
    }
}

#[derive(Debug)]
struct World {
    models: [Model; 2],
    policy: Policy,
    top: Facts,
    holders: Vec<Arc<Facts>>,
    hour: i64,
}

fn world() -> impl Strategy<Value = World> {
    prop::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| {
        let mut dice = Dice(bytes.iter());
        let models = [dice.model(), dice.model()];
        let gates: String =
            models.iter().zip(["one", "two"]).map(|(model, name)| model.yaml(name)).collect();
        let text = format!(
            "flags: {{a: {{carries: ['dev/**', 'prod/**']}}, b: {{expires_after: 5d}}}}\n{}gates:\n{gates}",
            exceptions()
        );
        let policy = match Policy::compile(&sources(&[("a.yaml", &text)])) {
            Ok(compiled) => compiled.policy,
            Err(mistakes) => panic!("{mistakes}"),
        };
        let mut next = 1;
        let top = dice.manifest(&mut next, 2);
        let holders = dice.some(1, |dice| Arc::new(dice.manifest(&mut next, 0)));
        let hour = 12 * dice.below(30) as i64;
        World { models, policy, top, holders, hour }
    })
}

impl World {
    fn at(&self, hours: i64) -> jiff::Timestamp {
        day(0) + SignedDuration::from_hours(hours)
    }

    fn judged(&self, top: &Facts) -> Judgement {
        judged(&self.policy, top, &self.holders, self.at(self.hour))
    }
}

fn passes(judgement: &Judgement) -> bool {
    matches!(judgement.verdict, Verdict::Passed(_))
}

/// Each image in it, to be changed.
fn each_scan(facts: &mut Facts, change: &mut dyn FnMut(&mut Scan)) {
    match &mut facts.form {
        Form::Image { scan, .. } => change(scan),
        Form::Index { children } => {
            for child in children {
                let mut inner = (*child.facts).clone();
                each_scan(&mut inner, change);
                child.facts = Arc::new(inner);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_judge_agrees_with_the_reference(world in world()) {
        let judgement = world.judged(&world.top);
        let holders: Vec<&Facts> = world.holders.iter().map(Arc::as_ref).collect();
        let holds = |model: &Model, name| {
            !model.passes(name, &world.top, &holders, world.at(world.hour))
        };
        let (mut held, mut audited) = (Vec::new(), Vec::new());
        for (model, name) in world.models.iter().zip(["one", "two"]) {
            if holds(model, name) {
                if model.audit { audited.push(name) } else { held.push(name) }
            }
        }
        let told: Vec<&str> = match &judgement.verdict {
            Verdict::Passed(_) => Vec::new(),
            Verdict::Held(first) => {
                std::iter::once(first).chain(&first.others).map(|held| held.gate.name()).collect()
            }
        };
        prop_assert_eq!(told, held);
        let told: Vec<&str> = judgement.audited.iter().map(|held| held.gate.name()).collect();
        prop_assert_eq!(told, audited);
    }

    #[test]
    fn an_answer_stands_as_long_as_it_says(world in world(), later in 0..600_i64) {
        let judgement = world.judged(&world.top);
        let then = world.at(world.hour + later);
        if judgement.valid_until.is_none_or(|until| then < until) {
            let again = judged(&world.policy, &world.top, &world.holders, then);
            prop_assert_eq!(again, judgement);
        }
    }

    #[test]
    fn one_finding_more_lets_nothing_pass_that_was_held(
        world in world(),
        bytes in prop::collection::vec(any::<u8>(), 12),
    ) {
        let more = Dice(bytes.iter()).finding();
        let mut worse = world.top.clone();
        each_scan(&mut worse, &mut |scan| {
            if let Some(report) = scan.reports.first_mut() {
                let findings: Vec<_> =
                    report.findings.iter().cloned().chain([more.clone()]).collect();
                *report = Arc::new(ReportFacts { findings: findings.into(), ..(**report).clone() });
            }
        });
        prop_assert!(!passes(&world.judged(&worse)) || passes(&world.judged(&world.top)));
    }

    #[test]
    fn one_flag_fewer_lets_nothing_pass_that_was_held(world in world(), place in 0..2_usize) {
        let mut fewer = world.top.clone();
        if place < fewer.flags.len() {
            fewer.flags.remove(place);
        }
        prop_assert!(!passes(&world.judged(&fewer)) || passes(&world.judged(&world.top)));
    }

    #[test]
    fn no_damage_to_gates_or_facts_makes_a_reader_panic(
        at in any::<prop::sample::Index>(),
        damage in "[\\[\\]{}:,&*!|>'\"%@`#?é\t -]{0,4}|[0-9a-z:*/$]{1,6}",
        cut in 0..12_usize,
        is_case in any::<bool>(),
    ) {
        let [gates, cases] = guide_of_gates();
        let text = if is_case { &cases } else { &gates };
        let mut at = at.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let (before, after) = text.split_at(at);
        let after: String = after.chars().skip(cut).collect();
        let files = sources(&[("a.yaml", &format!("{before}{damage}{after}"))]);
        let mistakes = if is_case {
            let policy = Policy::compile(&sources(&[("a.yaml", &gates)])).unwrap().policy;
            Cases::read(files, &policy, day(0)).map(|read| read.cases.run(&policy).diagnostics())
        } else {
            Policy::compile(&files).map(|compiled| compiled.warnings)
        };
        let (Ok(told) | Err(told)) = mistakes;
        prop_assert_eq!(told.render(true).is_empty(), told.is_empty());
    }
}

/// The policy with gates in the guide, and its cases.
fn guide_of_gates() -> [String; 2] {
    let mut examples =
        examples().into_iter().skip_while(|example| !example.text.contains("\ngates:"));
    [(); 2].map(|()| examples.next().unwrap().text)
}

/// The generators have to make what the properties are about.
#[test]
fn the_made_up_images_are_answered_in_every_way() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut passed, mut held, mut audited, mut in_grace, mut cleared, mut broken) =
        (0, 0, 0, 0, 0, 0);
    for _ in 0..1000 {
        let world = world().new_tree(&mut runner).unwrap().current();
        let judgement = world.judged(&world.top);
        audited += usize::from(!judgement.audited.is_empty());
        match judgement.verdict {
            Verdict::Held(_) => held += 1,
            Verdict::Passed(evidence) => {
                passed += 1;
                for gate in evidence.evidence() {
                    in_grace += gate.in_grace.len();
                    cleared += gate.cleared.len();
                    broken += usize::from(gate.broken_until.is_some());
                }
            }
        }
    }
    let counts = [passed, held, audited, in_grace, cleared, broken];
    assert!(counts.iter().all(|&count| count >= 5), "{counts:?}");
}
