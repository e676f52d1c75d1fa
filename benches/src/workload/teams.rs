use policy::{Action, Subject};

use super::{Dice, Repositories, Request, Rule, Tags, Who, Workload};

const RULES_OF_A_TEAM: usize = 5;

pub(super) fn workload(rules: usize, requests: usize, dice: &mut Dice) -> Workload {
    let teams = (rules / RULES_OF_A_TEAM).max(2);
    Workload {
        groups: (0..teams).map(group).collect(),
        rules: (0..teams).flat_map(|team| rules_of(team, teams)).collect(),
        requests: (0..requests).filter_map(|_| request(teams, dice)).collect(),
    }
}

/// Each team has two developers.
pub(super) fn group(team: usize) -> (String, Vec<String>) {
    (format!("team-{team}"), vec![format!("dev-{team}-a"), format!("dev-{team}-b")])
}

fn rules_of(team: usize, teams: usize) -> [Rule; RULES_OF_A_TEAM] {
    let neighbour = (team + 1) % teams;
    let space = Repositories::Below(format!("team/t{team}"));
    let rule = |name, who, repositories, tags, actions| Rule {
        name: format!("team-{team}-{name}"),
        who,
        repositories,
        tags,
        actions,
        allow: true,
    };
    let push = &[Action::Pull, Action::Create, Action::Overwrite];
    let ours = Who::Group(format!("team-{team}"));
    let ci = Who::Service(format!("ci/t{team}"));
    let guest = Who::User(format!("guest-{team}"));
    let neighbours = Who::Group(format!("team-{neighbour}"));
    let api = Repositories::Exactly(format!("team/t{team}/api"));
    let lib = Repositories::Exactly(format!("team/t{team}/lib"));
    let moving = &[Action::Overwrite, Action::Delete];
    [
        rule("works", ours, space.clone(), Tags::Whole, push),
        rule("builds", ci, space.clone(), Tags::Whole, push),
        rule("candidates", guest, api, Tags::BeginningWith("rc-"), &[Action::Pull]),
        rule("shares", neighbours, lib, Tags::Whole, &[Action::Pull]),
        Rule {
            allow: false,
            ..rule("versions", Who::Anyone, space, Tags::BeginningWith("v"), moving)
        },
    ]
}

fn request(teams: usize, dice: &mut Dice) -> Option<Request> {
    let team = dice.below(teams);
    let neighbour = (team + 1) % teams;
    let elsewhere = dice.below(teams);
    let subject = match dice.below(6) {
        0 | 1 => Subject::User(format!("dev-{team}-a")),
        2 => Subject::Service(format!("ci/t{team}")),
        3 => Subject::User(format!("guest-{team}")),
        4 => Subject::User(format!("dev-{neighbour}-b")),
        _ => Subject::User(format!("dev-{elsewhere}-a")),
    };
    let name = dice.pick(&["api", "lib", "web/front", "worker"])?;
    let tag = ["rc-1", "rc-22", "v1.2.3", "dev"].get(dice.below(5));
    let action = [Action::Pull, Action::Pull, Action::Pull, Action::Create, Action::Overwrite];
    Request::new(subject, *dice.pick(&action)?, &format!("team/t{team}/{name}"), tag)
}
