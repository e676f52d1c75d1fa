use policy::{Action, Subject};

use super::{Dice, Repositories, Request, Rule, Tags, Who, Workload};

const RULES_OF_A_USER: usize = 5;

pub(super) fn workload(rules: usize, requests: usize, dice: &mut Dice) -> Workload {
    let users = (rules / RULES_OF_A_USER).max(2);
    Workload {
        groups: Vec::new(),
        rules: (0..users).flat_map(|user| rules_of(user, users)).collect(),
        requests: (0..requests).filter_map(|_| request(users, dice)).collect(),
    }
}

fn rules_of(user: usize, users: usize) -> [Rule; RULES_OF_A_USER] {
    let friend = (user + 1) % users;
    let home = Repositories::Below(format!("home/user-{user}"));
    let rule = |name, who, repositories, tags, actions| Rule {
        name: format!("user-{user}-{name}"),
        who,
        repositories,
        tags,
        actions,
        allow: true,
    };
    let all = &[Action::Pull, Action::Create, Action::Overwrite, Action::Attach, Action::Delete];
    let owner = || Who::User(format!("user-{user}"));
    let shared = Repositories::Exactly(format!("home/user-{user}/shared"));
    let shown = Repositories::Below(format!("home/user-{user}/public"));
    let library = Repositories::Below("library".to_owned());
    let moving = &[Action::Overwrite, Action::Delete];
    [
        rule("lives", owner(), home.clone(), Tags::Whole, all),
        rule(
            "shares",
            Who::User(format!("user-{friend}")),
            shared,
            Tags::Whole,
            &[Action::Pull, Action::Create],
        ),
        rule("shows", Who::Authenticated, shown, Tags::BeginningWith("v"), &[Action::Pull]),
        rule("reads", owner(), library, Tags::Whole, &[Action::Pull]),
        Rule {
            allow: false,
            ..rule("releases", Who::Anyone, home, Tags::BeginningWith("v"), moving)
        },
    ]
}

fn request(users: usize, dice: &mut Dice) -> Option<Request> {
    let user = dice.below(users);
    let friend = (user + 1) % users;
    let subject = match dice.below(8) {
        0..4 => Subject::User(format!("user-{user}")),
        4 | 5 => Subject::User(format!("user-{friend}")),
        6 => Subject::User(format!("user-{}", dice.below(users))),
        _ => Subject::Anonymous,
    };
    let name = dice.pick(&["app", "shared", "public/site", "tools/lint", "/library/debian"])?;
    let repository = match name.strip_prefix('/') {
        Some(elsewhere) => elsewhere.to_owned(),
        None => format!("home/user-{user}/{name}"),
    };
    let tag = ["v1.2.3", "v2", "latest", "dev"].get(dice.below(5));
    let action = [
        Action::Pull,
        Action::Pull,
        Action::Pull,
        Action::Create,
        Action::Overwrite,
        Action::Delete,
    ];
    Request::new(subject, *dice.pick(&action)?, &repository, tag)
}
