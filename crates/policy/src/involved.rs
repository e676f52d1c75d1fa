//! Of whom a policy speaks where it speaks of an image.

use std::collections::BTreeSet;

use crate::caller::{Caller, Subject};
use crate::glob::Bindings;
use crate::image_pattern::{ImagePattern, Undecided};
use crate::image_text::is_segment;
use crate::policy::{Image, Policy};
use crate::subject_pattern::SubjectPattern;
use crate::subjects::{ANYONE, AUTHENTICATED, Role, Standing};

/// Somebody of whom a policy speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Involved {
    /// As policies write it: `group:backend`.
    pub subject: String,
    /// What that is.
    pub party: Party,
    /// Somebody who is that and nothing else: a member of the group, a name that matches the pattern.
    pub caller: Caller,
}

/// What a subject of a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// Everybody.
    Anyone,
    /// Every user and every service.
    Authenticated,
    /// Whoever is in a group.
    Group,
    /// Whoever has a name, or a group, that matches a pattern.
    Pattern,
    /// One user.
    User,
    /// One service.
    Service,
    /// One whom another gate vouches for.
    Peer,
}

impl Party {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Authenticated => "authenticated",
            Self::Group => "group",
            Self::Pattern => "pattern",
            Self::User => "user",
            Self::Service => "service",
            Self::Peer => "peer",
        }
    }
}

/// A name that nobody has and no policy can write, as it holds a control character.
const ANYBODY: &str = "\u{1}";

impl Policy {
    /// The subjects that are written in the policy and that some rule about the image is for, or
    /// leaves out: themselves, or a group that they are in. First `anyone` and `authenticated`, of
    /// whom every policy speaks.
    #[must_use]
    pub fn involved(&self, image: Image<'_>) -> Vec<Involved> {
        let about = self.roles_about(image);
        let mut all: Vec<Involved> = self
            .subjects
            .written()
            .map(|(role, pattern)| (role, Involved::of(&pattern)))
            .filter(|(role, one)| {
                matches!(*role, ANYONE | AUTHENTICATED)
                    || Standing::new(&self.subjects, &one.caller)
                        .held()
                        .iter()
                        .any(|role| about.contains(role))
            })
            .map(|(_, one)| one)
            .collect();
        all.sort_by(|one, other| (one.party, &one.subject).cmp(&(other.party, &other.subject)));
        all
    }

    /// The roles of those whom rules about the image are for or leave out. Everybody is in some, and
    /// is told without them.
    fn roles_about(&self, image: Image<'_>) -> BTreeSet<Role> {
        let mut roles = BTreeSet::new();
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for (role, pattern) in self.subjects.written() {
            let (names, name) = match &pattern {
                SubjectPattern::User(name) => (&mut users, name),
                SubjectPattern::Group(name) => (&mut groups, name),
                _ => continue,
            };
            if let Some(name) = name.literal().filter(|name| may_stand_in(name, image)) {
                names.push((role, name.to_owned()));
            }
        }
        let names = Names { users, groups };
        for clause in self.clauses.iter() {
            let Some(stand_in) = names.standing_in(&clause.image, image) else { continue };
            roles.extend(stand_in);
            roles.extend(clause.rule.subjects.iter().copied());
            roles.extend(clause.rule.except_subjects.iter().copied());
            // For them alone it leaves the image out.
            let except = clause.rule.except_images.iter();
            roles.extend(except.filter_map(|pattern| names.standing_in(pattern, image)).flatten());
        }
        roles.remove(&ANYONE);
        roles.remove(&AUTHENTICATED);
        roles
    }
}

/// The users and groups that are written in the policy, as variables may stand for them.
struct Names {
    users: Vec<(Role, String)>,
    groups: Vec<(Role, String)>,
}

impl Names {
    /// For whom the variables of a pattern that matches the image stand; none where it does not,
    /// whoever they stand for.
    fn standing_in(&self, pattern: &ImagePattern, image: Image<'_>) -> Option<Vec<Role>> {
        let mut roles = None;
        for user in one_of(&self.users, pattern.uses_user) {
            for group in one_of(&self.groups, pattern.uses_group) {
                let bindings = Bindings { user: user.map(name), group: group.map(name) };
                if matches(pattern, image, bindings) {
                    let named = [user, group].into_iter().flatten().map(|(role, _)| *role);
                    roles.get_or_insert_with(Vec::new).extend(named);
                }
            }
        }
        roles
    }
}

/// Each of them, if the variable is there at all, and nobody.
fn one_of(
    names: &[(Role, String)],
    is_used: bool,
) -> impl Iterator<Item = Option<&(Role, String)>> {
    names.iter().filter(move |_| is_used).map(Some).chain([None])
}

fn name((_, name): &(Role, String)) -> &str {
    name
}

/// Whether a variable that stands for the name may come to match the image.
fn may_stand_in(name: &str, image: Image<'_>) -> bool {
    let in_tag = image.tag.is_some_and(|tag| tag.as_str().contains(name));
    is_segment(name) && (in_tag || image.repository.as_str().contains(name))
}

/// What a version range cannot decide counts as a match: a rule that denies is about it.
fn matches(pattern: &ImagePattern, image: Image<'_>, bindings: Bindings<'_>) -> bool {
    let tag = image.tag.map(oci::Tag::as_str);
    pattern.repository.matches(image.repository.as_str(), bindings)
        && pattern.tags.matches(tag, bindings, Undecided::Matches)
}

impl Involved {
    pub(crate) fn of(pattern: &SubjectPattern) -> Self {
        let user = |name: String| Caller::new(Subject::User(name), Vec::new());
        // `**` first, as it is `*` twice.
        let instance = |pattern: &str| pattern.replace("**", ANYBODY).replace('*', ANYBODY);
        match pattern {
            SubjectPattern::Anyone => Self {
                subject: "anyone".to_owned(),
                party: Party::Anyone,
                caller: Caller::new(Subject::Anonymous, Vec::new()),
            },
            SubjectPattern::Authenticated => Self {
                subject: "authenticated".to_owned(),
                party: Party::Authenticated,
                caller: user(ANYBODY.to_owned()),
            },
            SubjectPattern::Group(name) => Self {
                subject: format!("group:{name}"),
                party: if name.literal().is_some() { Party::Group } else { Party::Pattern },
                caller: Caller::new(
                    Subject::User(ANYBODY.to_owned()),
                    vec![instance(&name.to_string())],
                ),
            },
            SubjectPattern::User(name) => Self {
                subject: format!("user:{name}"),
                party: if name.literal().is_some() { Party::User } else { Party::Pattern },
                caller: user(instance(&name.to_string())),
            },
            SubjectPattern::Service(name) => Self {
                subject: format!("service:{name}"),
                party: if name.literal().is_some() { Party::Service } else { Party::Pattern },
                caller: Caller::new(Subject::Service(instance(&name.to_string())), Vec::new()),
            },
            SubjectPattern::Peer(name) => {
                let text = instance(&name.to_string());
                let (gate, rest) = text.split_once('/').unwrap_or((&text, ANYBODY));
                let subject = Subject::Peer { gate: gate.to_owned(), name: rest.to_owned() };
                Self {
                    subject: format!("peer:{name}"),
                    party: if name.literal().is_some() { Party::Peer } else { Party::Pattern },
                    caller: Caller::new(subject, Vec::new()),
                }
            }
        }
    }

    /// What is said of the stand-in, said of whom it stands for.
    #[must_use]
    pub fn told(&self, reason: &str) -> String {
        match &self.caller.subject {
            // Told in other words already.
            Subject::Anonymous => reason.to_owned(),
            stand_in => reason.replace(&stand_in.to_string(), &self.subject),
        }
    }
}
