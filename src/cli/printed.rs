//! What commands print of answers, for the tests of the API that gives these.

use jiff::Timestamp;
use serde_json::Value;

use super::image::printed as image;
use super::{exception, gate};

/// The text of a command for an answer, at a time.
pub(crate) fn printed(command: &str, answer: &Value, now: Timestamp) -> String {
    let printed = match command {
        "image list" | "image search" => image::listed(answer, now),
        "image show" => image::shown(answer, now),
        "image flag" => image::flagged(answer, now),
        "image unflag" => image::unflagged(answer),
        "image report" => image::reported(answer),
        "image scan" => image::scanned(answer),
        "gate list" => gate::listed(answer),
        "gate show" => gate::verdicts(answer, now).map(|(text, _)| text),
        "gate forecast" => gate::forecasted(answer, now),
        "exception add" => exception::added(answer, now),
        "exception list" => exception::listed(answer, now),
        "exception remove" => exception::removed(answer),
        _ => panic!("{command}"),
    };
    printed.unwrap_or_else(|_| panic!("{command}: {answer}"))
}
