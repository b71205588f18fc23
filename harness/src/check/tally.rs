//! How a check counts what it looked at, and keeps the first thing that broke it.

use super::index::Index;
use super::{Check, Finding, Verdict};
use crate::history::Entry;

/// What a check has counted so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    judged: u64,
    broken: u64,
    first: Option<Broken>,
}

#[derive(Debug)]
struct Broken {
    /// The entry at which it came to light.
    at: usize,
    says: String,
    entries: Vec<usize>,
}

/// What to say of a check that was not broken.
pub(crate) struct Words {
    /// When it held.
    pub(crate) held: String,
    /// When nothing was seen that could have broken it: why, and what would make it known.
    pub(crate) unseen: String,
}

impl Tally {
    /// Counts one thing that could have broken the check.
    pub(crate) fn judged(&mut self) {
        self.judged += 1;
    }

    /// How many things it has looked at.
    pub(crate) fn count(&self) -> u64 {
        self.judged
    }

    /// Counts one thing that broke the check, which came to light at entry `at`. `describe` gives the words and the entries that
    /// contradict each other; it is asked only for the first in time.
    pub(crate) fn broken(&mut self, at: usize, describe: impl FnOnce() -> (String, Vec<usize>)) {
        self.judged += 1;
        self.broken += 1;
        if self.first.as_ref().is_none_or(|first| at < first.at) {
            let (says, entries) = describe();
            self.first = Some(Broken { at, says, entries });
        }
    }

    /// The finding.
    pub(crate) fn finding(self, check: &dyn Check, index: &Index<'_>, words: Words) -> Finding {
        self.named(check.name(), check.title(), index, words)
    }

    /// The finding of a check of this name.
    pub(crate) fn named(self, name: &str, title: &str, index: &Index<'_>, words: Words) -> Finding {
        let Self { judged, broken, first } = self;
        let (verdict, says, witness) = match first {
            Some(first) => {
                let more = match broken {
                    1 => String::new(),
                    _ => format!(" ({broken} of {judged} in all; this is the first)"),
                };
                (Verdict::Fail, format!("{}{more}", first.says), witness(index, first.entries))
            }
            None if judged == 0 => (Verdict::Unknown, words.unseen, Vec::new()),
            None => (Verdict::Pass, words.held, Vec::new()),
        };
        let (check, title) = (name.to_owned(), title.to_owned());
        Finding { check, title, verdict, says, judged, broken, witness, waived: None }
    }
}

/// A finding that says why nothing was judged.
pub(crate) fn not_judged(name: &str, title: &str, verdict: Verdict, says: String) -> Finding {
    let (check, title) = (name.to_owned(), title.to_owned());
    Finding { check, title, verdict, says, judged: 0, broken: 0, witness: Vec::new(), waived: None }
}

/// The entries, with those of the faults around them, in order.
fn witness(index: &Index<'_>, mut entries: Vec<usize>) -> Vec<Entry> {
    let (from, to) = (entries.iter().min().copied(), entries.iter().max().copied());
    if let (Some(from), Some(to)) = (from, to) {
        for fault in index.faults_around(from, to) {
            entries.push(fault.on.1);
            entries.extend(fault.off.map(|(_, entry)| entry));
        }
    }
    entries.sort_unstable();
    entries.dedup();
    index.entries(entries)
}
