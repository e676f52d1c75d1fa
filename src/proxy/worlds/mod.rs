//! Worlds: registries with contents, rules and people, in which the gate's every answer to a read is
//! compared with what a reference says.

mod ask;
mod attack;
mod content;
mod generate;
mod history;
mod random;
mod reference;
mod registry;
mod routes;
mod scene;

use std::collections::BTreeMap;
use std::time::Duration;

use ask::{Difference, Findings, Question, questions};
use content::Library;
use generate::{Accept, Person, REPOSITORIES, Step, World};
use history::{History, manifest};
use random::Random;
use reference::Memory;
use registry::Registry;
use scene::Scene;

use crate::inventory::Settings;

/// What the gate knows when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// All that is there, and what was there and lingers: somebody has read it through the gate.
    Taught,
    /// What went through it in the history, which lingers.
    Living,
    /// The same, but nothing lingers; everything is asked twice.
    Forgetful,
    /// Nothing at first, as all happened before; everything is asked twice.
    Starting,
    /// Nothing: each question goes to a gate of its own.
    New,
}

impl Gate {
    fn is_there_from_the_beginning(self) -> bool {
        !matches!(self, Self::Starting | Self::New)
    }

    fn lingers(self) -> bool {
        matches!(self, Self::Taught | Self::Living)
    }

    fn settings(self) -> Settings {
        let day = Duration::from_secs(24 * 3600);
        let linger = if self.lingers() { day } else { Duration::ZERO };
        // Where something changes behind its back, it has to look each time.
        let freshness = if self.is_there_from_the_beginning() { Duration::ZERO } else { day };
        Settings { linger, freshness, crawl: false, ..Settings::default() }
    }

    fn memory(self) -> Memory {
        Memory { lingers: self.lingers(), taught: self == Self::Taught, ..Memory::default() }
    }
}

/// How many worlds a scene serves before there is a new one.
const WORLDS_OF_A_SCENE: u64 = 100;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} has to be a number"))
    })
}

/// 500 worlds, or as many as `PORTCULLIS_PROPERTY_WORLDS` says, from the seed
/// `PORTCULLIS_PROPERTY_SEED` on, which is 1 otherwise: each `one_of`th of them. At most so many
/// questions are asked about each.
async fn explore(gate: Gate, one_of: u64, most: usize) {
    let count = number("PORTCULLIS_PROPERTY_WORLDS", 500).div_ceil(one_of);
    let first = number("PORTCULLIS_PROPERTY_SEED", 1);
    let mut scene = Scene::new().await;
    let mut sorts: BTreeMap<String, (usize, World, Difference)> = BTreeMap::new();
    let mut all = Findings::default();
    for seed in first..first + count {
        if (seed - first) % WORLDS_OF_A_SCENE == WORLDS_OF_A_SCENE - 1 {
            scene = Scene::new().await;
        }
        let world = World::new(seed);
        let found = visit(&mut scene, &world, gate, |_| true, most).await;
        all.asked += found.asked;
        all.unsure += found.unsure;
        all.served += found.served;
        for difference in found.differences {
            let entry = || (0, world.clone(), difference.clone());
            sorts.entry(difference.sort.clone()).or_insert_with(entry).0 += 1;
        }
    }
    println!("{} questions, {} with content, {} unsure", all.asked, all.served, all.unsure);
    let mut report = String::new();
    for (sort, (times, world, difference)) in sorts {
        println!("{times} times: {sort}");
        report.push_str(&format!("\n==== {times} times: {sort}\n"));
        let (world, difference) = shrink(&mut scene, world, difference, gate).await;
        report.push_str(&format!("{world}{}\n", difference.told));
    }
    assert!(report.is_empty(), "{report}");
    // A test in which nothing is served, or nothing is decided, shows nothing; but a few worlds may
    // well be such.
    if count >= 20 {
        assert!(all.served * 12 > all.asked, "{all:?}");
        assert!(all.unsure * 20 < all.asked, "{all:?}");
    }
}

/// One world: what happened there, and then questions.
async fn visit(
    scene: &mut Scene,
    world: &World,
    gate: Gate,
    counts: impl Fn(&Question) -> bool,
    most: usize,
) -> Findings {
    let library = Library::of(&world.contents);
    scene.set(Registry::new(library, world.manners), &world.policy());
    scene.fresh(gate.settings());
    let mut history = History { scene, memory: gate.memory() };
    if gate.is_there_from_the_beginning() {
        history.live(&world.steps).await;
    } else {
        let outside = world.steps.iter().cloned().map(|step| Step { who: None, ..step });
        history.live(&outside.collect::<Vec<_>>()).await;
        history.memory = gate.memory();
    }
    if gate == Gate::Taught {
        teach(&mut history).await;
    }
    let mut random = Random::new(world.seed);
    let mut asked = {
        let mut registry = history.scene.registry.lock().unwrap();
        registry.frozen = true;
        questions(world, &registry, &mut random)
    };
    asked.retain(counts);
    asked.truncate(most);
    let mut findings = Findings::default();
    let times = if matches!(gate, Gate::Forgetful | Gate::Starting) { 2 } else { 1 };
    for _ in 0..times {
        for question in &asked {
            if gate == Gate::New {
                history.scene.fresh(gate.settings());
                history.memory = gate.memory();
            }
            findings.compare(&mut history, question).await;
        }
        random.shuffle(&mut asked);
    }
    findings
}

/// Reads all that there is through the gate.
async fn teach(history: &mut History<'_>) {
    let root = Person::root();
    let all = history.scene.registry.lock().unwrap().repositories.clone();
    for name in REPOSITORIES {
        let Some(held) = all.get(name) else { continue };
        let digests = held.manifests.iter().map(ToString::to_string);
        for reference in held.tags.keys().cloned().chain(digests) {
            history.send(&root, &manifest("GET", name, &reference, Accept::All)).await;
        }
    }
}

/// Drops of the world what it takes to show the difference no more than what is left.
async fn shrink(
    scene: &mut Scene,
    mut world: World,
    mut difference: Difference,
    gate: Gate,
) -> (World, Difference) {
    loop {
        let mut smaller = None;
        for candidate in smaller_than(&world) {
            let is_alike = |question: &Question| difference.sort.starts_with(question.kind());
            let found = visit(scene, &candidate, gate, is_alike, usize::MAX).await.differences;
            let same = found.into_iter().find(|found| found.sort == difference.sort);
            if let Some(found) = same {
                smaller = Some((candidate, found));
                break;
            }
        }
        match smaller {
            Some((candidate, found)) => (world, difference) = (candidate, found),
            None => return (world, difference),
        }
    }
}

fn smaller_than(world: &World) -> Vec<World> {
    let mut smaller = Vec::new();
    for at in (0..world.steps.len()).rev() {
        let mut less = world.clone();
        less.steps.remove(at);
        smaller.push(less);
    }
    for name in world.contents.keys().rev() {
        let mut less = world.clone();
        less.contents.remove(name);
        smaller.push(less);
    }
    for at in 0..world.rules.len() {
        let mut less = world.clone();
        less.rules.remove(at);
        smaller.push(less);
    }
    for at in 0..world.people.len() {
        let mut less = world.clone();
        less.people.remove(at);
        smaller.push(less);
    }
    smaller
}

#[tokio::test]
async fn a_gate_that_starts_answers_as_the_reference_says_and_does_so_again() {
    explore(Gate::Starting, 1, 12).await;
}

#[tokio::test]
async fn a_gate_that_knows_nothing_answers_as_the_reference_says() {
    explore(Gate::New, 1, 4).await;
}

#[tokio::test]
async fn what_went_through_the_gate_lingers_as_the_reference_says() {
    explore(Gate::Living, 5, 20).await;
}

#[tokio::test]
async fn what_was_read_through_the_gate_is_answered_as_the_reference_says() {
    explore(Gate::Taught, 5, 30).await;
}

#[tokio::test]
async fn a_gate_in_which_nothing_lingers_answers_as_the_reference_says() {
    explore(Gate::Forgetful, 5, 15).await;
}
