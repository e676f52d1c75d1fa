use policy::{Action, Subject};

use super::{Dice, Repositories, Request, Rule, Tags, Who, Workload, teams};

const RULES_OF_A_TEAM: usize = 5;

pub(super) fn workload(rules: usize, requests: usize, dice: &mut Dice) -> Workload {
    let teams = (rules / RULES_OF_A_TEAM).max(2);
    Workload {
        groups: (0..teams).map(teams::group).collect(),
        rules: (0..teams).flat_map(|team| rules_of(team, teams)).collect(),
        requests: (0..requests).filter_map(|_| request(teams, dice)).collect(),
    }
}

fn rules_of(team: usize, teams: usize) -> [Rule; RULES_OF_A_TEAM] {
    let neighbour = (team + 1) % teams;
    let rule = |name, who, repositories, tags, actions| Rule {
        name: format!("team-{team}-{name}"),
        who,
        repositories,
        tags,
        actions,
        allow: true,
    };
    let regex = |regex: String, like: &[String]| Repositories::Regex { regex, like: like.to_vec() };
    let push = &[Action::Pull, Action::Create, Action::Overwrite];
    let mirrored =
        regex(format!("mirror/t{team}/[a-z]+/base"), &[format!("mirror/t{team}/*/base")]);
    let built = regex(
        format!("mirror/t{team}/(api|web)-[a-z0-9]+"),
        &[format!("mirror/t{team}/api-*"), format!("mirror/t{team}/web-*")],
    );
    // Nothing literal to find it by.
    let anywhere = regex(format!("[a-z]+/t{team}/lib"), &[format!("*/t{team}/lib")]);
    let all = regex(format!("mirror/t{team}/.+"), &[format!("mirror/t{team}/*")]);
    let below = Repositories::Below(format!("mirror/t{team}"));
    let release = Tags::Regex { regex: r"v\d+\.\d+", like: "v*.*" };
    [
        rule("mirrors", Who::Group(format!("team-{team}")), mirrored, release, push),
        rule("builds", Who::Service(format!("ci/t{team}")), built, Tags::Whole, push),
        rule("second", Who::User(format!("guest-{team}")), below, Tags::Versions, &[Action::Pull]),
        rule("lends", Who::Group(format!("team-{neighbour}")), anywhere, Tags::Whole, push),
        Rule {
            allow: false,
            ..rule("stays", Who::Anyone, all, release, &[Action::Overwrite, Action::Delete])
        },
    ]
}

fn request(teams: usize, dice: &mut Dice) -> Option<Request> {
    let team = dice.below(teams);
    let neighbour = (team + 1) % teams;
    let (subject, names): (_, &[&str]) = match dice.below(8) {
        0..3 => (Subject::User(format!("dev-{team}-a")), &["debian/base", "alpine/base", "lib"]),
        3 | 4 => (Subject::Service(format!("ci/t{team}")), &["api-x1", "web-front", "lib"]),
        5 => (Subject::User(format!("guest-{team}")), &["debian/base", "api-x1", "tools/lint"]),
        6 => (Subject::User(format!("dev-{neighbour}-b")), &["lib", "lib", "debian/base"]),
        _ => {
            let elsewhere = dice.below(teams);
            (Subject::User(format!("dev-{elsewhere}-a")), &["debian/base", "lib"])
        }
    };
    let name = dice.pick(names)?;
    let tag = dice.pick(&["v1.2", "v2.1", "v2.4", "2.3", "v3.0", "dev"]);
    let action = [Action::Pull, Action::Pull, Action::Pull, Action::Create, Action::Overwrite];
    Request::new(subject, *dice.pick(&action)?, &format!("mirror/t{team}/{name}"), tag)
}
