//! What happens, for people and for log collectors: lines on standard error.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::util::SubscriberInitExt;

pub use document::{Causes, is_unsafe};

/// The configuration's `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Text for people by default.
    pub format: Format,
    /// `error`, `warn`, `info`, `debug`, `trace` or `off`, or a list by part of the program such as
    /// `info,portcullis::proxy=debug`. Default `info`.
    pub level: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: Format::Text, level: "info".to_owned() }
    }
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Time, level, words, fields.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Why there can be no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The level cannot be understood.
    #[error(
        "`log.level` cannot be `{level}`: write error, warn, info, debug, trace or off, \
         or a list such as `info,portcullis::proxy=debug`"
    )]
    Level {
        /// As configured.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Only one log can be begun in a process.
    #[error("the log was begun already")]
    Begun(#[source] tracing_subscriber::util::TryInitError),
}

/// Begins the log of this process. The environment has no say in it.
///
/// # Errors
/// The level is wrong, or there is a log.
pub fn init(settings: &Settings) -> Result<(), Error> {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match settings.format {
        Format::Text => text(filter(&settings.level)?, colours, io::stderr).try_init(),
        Format::Json => json(filter(&settings.level)?, io::stderr).try_init(),
    }
    .map_err(Error::Begun)
}

/// Whether `level` is one that [`init`] takes, for the configuration to say so at its line.
///
/// # Errors
/// It is not.
pub fn check_level(level: &str) -> Result<(), Error> {
    filter(level).map(|_| ())
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder()
        .parse(level)
        .map_err(|source| Error::Level { level: level.to_owned(), source })
}

fn text<W>(filter: EnvFilter, colours: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .fmt_fields(debug_fn(field).delimited(" "))
        .finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

/// Writes one field. What a client sent may stand in any of them, so none may end the line or
/// steer a terminal.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{field}=")?;
    }
    write!(Escaped(writer), "{value:?}")
}

/// Passes text on with everything escaped that is not to be seen as itself.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| {
            if is_unsafe(letter) {
                write!(self.0, "{}", letter.escape_default())
            } else {
                self.0.write_char(letter)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn text_log(level: &str, events: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = text(filter(level).unwrap(), false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, events);
        kept.text()
    }

    #[test]
    fn no_value_ends_a_line_or_steers_a_terminal() {
        let bad = "a\nINFO forged\r\t\x1b[2J\x7f\u{9b}\u{2028}\u{202e}b";
        let line = text_log("info", || {
            let span = tracing::info_span!("request", request_id = %bad);
            let _entered = span.enter();
            tracing::info!(by_display = %bad, by_debug = ?bad, by_str = bad, "words {bad}");
        });
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(line.ends_with('\n'));
        assert!(!line.trim_end().chars().any(is_unsafe), "{line:?}");
        assert!(line.contains(r"words a\nINFO forged\r\t\u{1b}[2J"), "{line}");
        assert!(line.contains(r"request_id=a\nINFO"), "{line}");
    }

    #[test]
    fn a_text_line_has_words_and_fields() {
        let line = text_log("info", || tracing::warn!(status = 502, path = "x y", "upstream away"));
        let (_, line) = line.split_once("WARN").unwrap();
        insta::assert_snapshot!(line.trim(), @r#"portcullis::log::tests: upstream away status=502 path="x y""#);
    }

    #[test]
    fn a_json_line_is_one_object_with_the_span() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = json(filter("info").unwrap(), move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", request_id = "r1");
            let _entered = span.enter();
            tracing::info!(status = 200, "done\n");
        });
        let text = kept.text();
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "done\n");
        assert_eq!(line["status"], 200);
        assert_eq!(line["span"]["request_id"], "r1");
    }

    #[test]
    fn the_level_is_kept() {
        assert_eq!(text_log("warn", || tracing::info!("quiet")), "");
        assert_ne!(text_log("warn,portcullis=info", || tracing::info!("loud")), "");
    }

    #[test]
    fn a_wrong_level_is_named_with_its_remedy() {
        let error = check_level("loud=very").unwrap_err();
        insta::assert_snapshot!(error, @"`log.level` cannot be `loud=very`: write error, warn, info, debug, trace or off, or a list such as `info,portcullis::proxy=debug`");
        assert!(check_level("info").is_ok());
    }

    #[test]
    fn causes_are_told_in_order() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write the log")]
        struct Outer(#[source] io::Error);

        let error = Outer(io::Error::other("disk on fire"));
        assert_eq!(Causes(&error).to_string(), "cannot write the log: disk on fire");
    }
}
