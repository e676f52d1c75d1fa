//! An expression as a finite automaton: anchored at both ends, one step for each byte of a name.

use std::collections::HashSet;

use regex_automata::dfa::{Automaton as _, StartKind, dense, sparse};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

use crate::name_grammar::Reading;

/// What one automaton may take, and what is needed to make it. `(a{100}){100}` is over it.
pub(crate) const MAX_BYTES: usize = 128 * 1024;

/// Made in advance and complete: matching needs no cache, as automata do that grow while they
/// are used.
pub(crate) struct Automaton {
    table: sparse::DFA<Vec<u8>>,
    start: StateID,
    shortest: usize,
}

impl Automaton {
    /// `None`: it would be over [`MAX_BYTES`].
    pub(crate) fn new(expression: &Hir) -> Option<Self> {
        let thompson = thompson::Config::new()
            .utf8(false)
            .which_captures(thompson::WhichCaptures::None)
            .nfa_size_limit(Some(MAX_BYTES));
        let nfa = thompson::Compiler::new().configure(thompson).build_from_hir(expression).ok()?;
        // Every way to match is kept, so that the longest is not lost to the first.
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::All)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_BYTES))
            .determinize_size_limit(Some(MAX_BYTES));
        let dense = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
        let table = dense.to_sparse().ok()?;
        let start = table.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        // Nothing at all is matched where there is no shortest match.
        let shortest = expression.properties().minimum_len().unwrap_or(usize::MAX);
        Some(Self { table, start, shortest })
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut state = self.start;
        for byte in text.bytes() {
            state = self.table.next_state(state, byte);
            if self.table.is_dead_state(state) {
                return false;
            }
        }
        self.ends(state)
    }

    /// How far a name can have been read where this has matched a part of it that follows
    /// `reading`. Empty: no name has such a part.
    pub(crate) fn readings_after(&self, reading: Reading) -> HashSet<Reading> {
        let mut after = HashSet::new();
        let mut seen = HashSet::from([(reading, self.start)]);
        let mut open = vec![(reading, self.start)];
        while let Some((reading, state)) = open.pop() {
            if self.ends(state) {
                after.insert(reading);
            }
            for &byte in Reading::ALPHABET {
                let Some(reading) = reading.next(byte) else { continue };
                let state = self.table.next_state(state, byte);
                if !self.table.is_dead_state(state) && seen.insert((reading, state)) {
                    open.push((reading, state));
                }
            }
        }
        after
    }

    pub(crate) fn start(&self) -> StateID {
        self.start
    }

    /// `None`: whatever follows, it does not match any more. A match is told one byte late, so that a
    /// state from which nothing leads on may last for a byte.
    pub(crate) fn after(&self, state: StateID, byte: u8) -> Option<StateID> {
        let state = self.table.next_state(state, byte);
        (!self.table.is_dead_state(state)).then_some(state)
    }

    /// Whether a text matches that ends here.
    pub(crate) fn ends(&self, state: StateID) -> bool {
        self.table.is_match_state(self.table.next_eoi_state(state))
    }

    /// In bytes.
    pub(crate) fn shortest(&self) -> usize {
        self.shortest
    }

    /// In bytes.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.table.memory_usage()
    }
}
