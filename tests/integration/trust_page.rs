//! What administrators see of gates that are trusted, in a real browser: while one answers, when it
//! is gone, when what it told has ended, and when it is back.

use std::thread;
use std::time::{Duration, Instant};

use crate::administration::sign_in;
use crate::support::browser::{Browser, DESK};
use crate::support::clock::MINUTE;
use crate::support::gate::Gate;
use crate::support::scene::Scene;
use crate::trust::{here_with, setup_there, trust};

/// The pauses between attempts grow to a minute.
const LONG: Duration = Duration::from_secs(150);

/// What the page says of the gate, without what differs from run to run.
fn told(browser: &Browser, gate: &Gate) -> String {
    browser.open("/ui/admin/trust");
    let text = browser.text_of("gate-eu").replace(&gate.name(), "EU");
    let mut words = Vec::new();
    for line in text.lines() {
        // In the system's words.
        let line = line.split(": error sending request").next().unwrap();
        let plain = line.split(' ').map(|word| match word.as_bytes() {
            [_, _, _, _, b'-', _, _, b'-', _, _] => "DAY",
            [_, _, b':', _, _] => "TIME",
            _ => word,
        });
        words.push(plain.collect::<Vec<_>>().join(" "));
    }
    words.join("\n")
}

/// Waits until the page says this and nothing else.
#[track_caller]
fn until_told(browser: &Browser, gate: &Gate, wanted: &str) {
    let end = Instant::now() + LONG;
    while told(browser, gate) != wanted && Instant::now() < end {
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(told(browser, gate), wanted);
}

fn overview(browser: &Browser, words: &str) {
    browser.open("/ui/admin");
    browser.says(words);
}

fn pair() -> (Gate, Scene) {
    let eu = setup_there().own_clock().start();
    let trust = format!("[{}]", trust(&eu, ", groups: {ci: builders, ops: [readers, staff]}"));
    let here = here_with(|setup| setup.own_clock().setting("trust", &trust));
    (eu, here)
}

/// All of the page that is about the gate.
fn page(state: &str, alert: &str, asked: &str) -> String {
    format!(
        "The gate eu {state}\n{alert}\
         Its address\nhttps://EU\n\
         Its people here\npeer:eu/user:NAME, peer:eu/service:NAME\n\
         Its groups here\nci → builders\nops → readers, staff\n\
         Administrators\nmay be one here as group:staff\n\
         Its tokens\nlive for 1 h at most\n\
         Its keys\n1, had at DAY TIME UTC\n\
         Its revocations\nlist 0, made at DAY TIME UTC, to be relied on until DAY TIME UTC\n\
         Asked\n{asked}\n\
         What it may do here\n\
         Rule For Allows Images\n\
         builders-read-the-team group:builders pull team/**\n\
         one-of-them-by-name peer:eu/user:alice pull named/**\n\
         At the most: conditions of a rule, its exceptions, and rules that deny may keep them out. \
         Ask about one image."
    )
}

const SILENT: &str = "last at DAY TIME UTC, next by DAY TIME UTC\n\
     no answer since DAY TIME UTC: its list of revocations is not to be had: EU cannot be reached; look \
     at the network, at the proxy (`HTTPS_PROXY`, `NO_PROXY`) and at the certificate of EU, whose CA may \
     be named with `ca`";

#[test]
fn a_trusted_gate_is_told_with_what_is_known_of_it_and_what_it_may_do() {
    let (mut eu, here) = pair();
    let browser = sign_in(&here, "alice", DESK);
    let answers = "last at DAY TIME UTC, and it answered; every 1 s";
    until_told(&browser, &eu, &page("accepted", "", answers));
    assert_eq!(browser.barriers(), [""; 0]);
    overview(&browser, "the tokens of eu are accepted");

    eu.stop();
    let alert = "It does not answer. Its tokens are accepted until DAY TIME UTC, as it told what it \
                 has revoked before; then they are refused until it answers.\n";
    until_told(&browser, &eu, &page("accepted for now", alert, SILENT));
    overview(&browser, "eu: no answer; the tokens are still accepted");

    // What it told holds for ten minutes.
    here.gate.clock().set(11 * MINUTE);
    let alert = "Its tokens, and what was made from them, are refused: what the other gate has revoked \
                 was not to be had for too long. Look whether it runs, and whether this gate can reach \
                 it: it is asked again by itself.\n";
    until_told(&browser, &eu, &page("refused", alert, SILENT));
    assert_eq!(browser.barriers(), [""; 0]);
    overview(&browser, "the tokens of eu are refused");

    eu.clock().set(11 * MINUTE);
    eu.restart();
    until_told(&browser, &eu, &page("accepted", "", answers));
    overview(&browser, "the tokens of eu are accepted");
}
