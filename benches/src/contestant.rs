//! Whoever answers the requests of a workload.

mod casbin;
mod cedar;
mod first_match;
mod portcullis;

use std::ops::Range;

use crate::workload::Workload;

/// One that has read a policy and answers requests. The requests are brought into its own form when
/// it is made, so that nobody is timed at that.
pub trait Contestant {
    /// Whether it allows the request with this index.
    fn allows(&self, request: usize) -> bool;

    /// How many of these requests it allows.
    fn count_allowed(&self, requests: Range<usize>) -> usize {
        requests.filter(|&request| self.allows(request)).count()
    }
}

/// The contestants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// This project.
    Portcullis,
    /// The language Cedar, with the crate of its makers.
    Cedar,
    /// The crate of Casbin.
    Casbin,
    /// A list of subjects and regular expressions, read from the top until a line matches.
    FirstMatch,
}

impl Name {
    /// All of them, ours first.
    pub const ALL: [Self; 4] = [Self::Portcullis, Self::Cedar, Self::Casbin, Self::FirstMatch];

    /// Its name, and how it is chosen on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portcullis => "portcullis",
            Self::Cedar => "cedar",
            Self::Casbin => "casbin",
            Self::FirstMatch => "first-match",
        }
    }

    /// Whether it is to be tried with a policy of this size. Casbin takes tens of milliseconds for
    /// a decision at 10,000 rules, and no one would wait for more.
    #[must_use]
    pub fn enters(self, rules: usize) -> bool {
        self != Self::Casbin || rules <= 10_000
    }

    /// The policy, as text in the form that it reads.
    #[must_use]
    pub fn write(self, workload: &Workload) -> Written {
        match self {
            Self::Portcullis => Written::Yaml(portcullis::write(workload)),
            Self::Cedar => Written::Cedar(cedar::write(workload)),
            Self::Casbin => Written::Casbin(casbin::write(workload)),
            Self::FirstMatch => Written::List(first_match::write(workload)),
        }
    }
}

/// A policy in the form of one contestant.
#[derive(Debug)]
pub enum Written {
    /// Ours.
    Yaml(Vec<policy::SourceFile>),
    /// Cedar's.
    Cedar(String),
    /// Casbin's.
    Casbin(casbin::Rows),
    /// Lines with expressions.
    List(Vec<first_match::Written>),
}

/// A policy that decides, but has no requests yet.
pub enum Compiled {
    /// Ours.
    Yaml(Box<policy::Policy>),
    /// Cedar's.
    Cedar(Box<cedar_policy::PolicySet>),
    /// Casbin's.
    Casbin(Box<::casbin::Enforcer>),
    /// Lines with expressions.
    List(Vec<first_match::Line>),
}

impl Written {
    /// Reads it.
    ///
    /// # Panics
    /// The generated policy has a mistake.
    #[must_use]
    pub fn compile(self) -> Compiled {
        match self {
            Self::Yaml(files) => Compiled::Yaml(Box::new(portcullis::compile(&files))),
            Self::Cedar(text) => Compiled::Cedar(Box::new(cedar::compile(&text))),
            Self::Casbin(rows) => Compiled::Casbin(Box::new(casbin::compile(rows))),
            Self::List(lines) => Compiled::List(first_match::compile(lines)),
        }
    }
}

impl Compiled {
    /// Takes the requests in.
    ///
    /// # Panics
    /// A request cannot be asked.
    #[must_use]
    pub fn ready(self, workload: &Workload) -> Box<dyn Contestant> {
        match self {
            Self::Yaml(policy) => Box::new(portcullis::Portcullis::new(*policy, workload)),
            Self::Cedar(policies) => Box::new(cedar::Cedar::new(*policies, workload)),
            Self::Casbin(enforcer) => Box::new(casbin::Casbin::new(*enforcer, workload)),
            Self::List(lines) => Box::new(first_match::FirstMatch::new(lines, workload)),
        }
    }
}
