//! How a command ends.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use document::{Diagnostics, Mistake};

use crate::app;
use crate::certificate;
use crate::config;
use crate::identity::users;
use crate::last_good::{self, NoPolicy};
use crate::log::Causes;
use crate::policy_folder::LoadError;
use crate::proxy::tls::TlsError;
use crate::token::KeyError;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// Done, or allowed.
    Done,
    /// Denied, or something was found.
    Denied,
    /// The input is wrong: arguments, configuration, policy.
    Input,
    /// It could not be done: network, disk.
    Impossible,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Denied => 1,
            Exit::Input => 2,
            Exit::Impossible => 3,
        })
    }
}

/// Why a command was not carried out, as it is shown to people.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    plain: String,
    coloured: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, mistake: &Mistake) -> Self {
        Self { exit, plain: mistake.render(false), coloured: mistake.render(true) }
    }

    pub(super) fn input(mistake: &Mistake) -> Self {
        Self::new(Exit::Input, mistake)
    }

    /// What an error and its causes tell, as something that could not be done.
    pub(super) fn impossible(error: &(dyn Error + 'static)) -> Self {
        Self::new(Exit::Impossible, &Mistake::of(error))
    }

    /// The same, and something more to say.
    pub(super) fn and(mut self, more: &str) -> Self {
        for text in [&mut self.plain, &mut self.coloured] {
            *text = format!("{}\n\n{more}", text.trim_end());
        }
        self
    }

    /// The whole message.
    pub(super) fn text(&self, colours: bool) -> &str {
        if colours { &self.coloured } else { &self.plain }
    }
}

impl From<Diagnostics> for Failure {
    fn from(error: Diagnostics) -> Self {
        Self { exit: Exit::Input, plain: error.render(false), coloured: error.render(true) }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Folder(error) => Self::input(&Mistake::of(&error).maybe_help(error.help())),
            LoadError::Policy(error) => error.into(),
        }
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        match error {
            app::Error::Policies(NoPolicy::Folder(error)) => error.into(),
            app::Error::Policies(NoPolicy::Neither { folder, kept }) => {
                Self::from(folder).and(&last_good_is_unusable(&kept).render(false))
            }
            app::Error::Users(error) => error.into(),
            app::Error::Tls(TlsError::Pair(error)) => error.into(),
            app::Error::Password(_)
            | app::Error::Trust(_)
            | app::Error::Tls(_)
            | app::Error::Log(_) => Self::input(&Mistake::of(&error)),
            app::Error::TrustedKeys(error) => {
                Self::input(&Mistake::of(&error).maybe_help(error.help()))
            }
            app::Error::Keys(error) => error.into(),
            app::Error::State(_)
            | app::Error::Store(_)
            | app::Error::Socket(_)
            | app::Error::Upstream(_)
            | app::Error::Audit(_)
            | app::Error::Random(_)
            | app::Error::Listen(_)
            | app::Error::System(_) => Self::impossible(&error),
        }
    }
}

/// What to say when the last good policy cannot take the place of a broken folder.
pub(super) fn last_good_is_unusable(why: &last_good::Unusable) -> Mistake {
    Mistake::new(format!(
        "the last good policy, which the state keeps, cannot be used: {}",
        Causes(why)
    ))
    .help("mend the policy folder")
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Exposed { .. }
            | KeyError::OpenFolder { .. }
            | KeyError::Signing(..)
            | KeyError::Sealing(_)
            | KeyError::NotNewest(_)
            | KeyError::Empty(_) => Self::input(&Mistake::of(&error)),
            KeyError::Read(..)
            | KeyError::Write(..)
            | KeyError::WriteSealing(..)
            | KeyError::Random => Self::impossible(&error),
        }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        match error {
            config::Error::Invalid(document) => document.into(),
            config::Error::Unreadable { ref source, .. }
                if source.kind() == io::ErrorKind::NotFound =>
            {
                let help = "make one with `portcullis init DIR`, or name it with `--config FILE`";
                Self::input(&Mistake::of(&error).help(help))
            }
            _ => Self::input(&Mistake::of(&error)),
        }
    }
}

impl From<users::Error> for Failure {
    fn from(error: users::Error) -> Self {
        match error {
            users::Error::Invalid(document) => document.into(),
            _ => Self::input(&Mistake::of(&error)),
        }
    }
}

impl From<certificate::Error> for Failure {
    fn from(error: certificate::Error) -> Self {
        let exit = match error {
            certificate::Error::Unwritable { .. } | certificate::Error::Make(_) => Exit::Impossible,
            _ => Exit::Input,
        };
        Self::new(exit, &error.mistake())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_message_has_a_remedy_and_colours_only_where_wanted() {
        let failure = Failure::input(&Mistake::new("it is wrong").help("mend it"));
        assert_snapshot!(failure.text(false), @"
        error: it is wrong
        help: mend it
        ");
        assert!(!failure.text(false).contains('\x1b') && failure.text(true).contains('\x1b'));
    }

    #[test]
    fn a_missing_configuration_is_made_with_init() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let failure = Failure::from(config::Error::Unreadable { path: "a.yaml".into(), source });
        assert_eq!(failure.exit, Exit::Input);
        assert_snapshot!(failure.text(false), @"
        error: cannot read the configuration a.yaml: entity not found
        help: make one with `portcullis init DIR`, or name it with `--config FILE`
        ");
    }
}
