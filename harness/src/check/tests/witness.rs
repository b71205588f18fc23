//! What a witness shows: the faults around it, and what could not be had again.

use std::collections::BTreeSet;

use super::{finding, story};
use crate::check::gather::Gather;
use crate::check::{Check as _, no_lost_write::NoLostWrite};
use crate::history::{Entries, Entry, Event, HistoryError};

/// A write is lost, with a fault before it, meanwhile, and after it; each only if it is asked for.
fn lost(before: &str, meanwhile: &str, after: &str) -> String {
    let fault = |times: &str, number: u32| match times.split_once('-') {
        Some((on, off)) => {
            format!("{on} fault {number} latency on i0\n{off} fault {number} latency off i0\n")
        }
        None => String::new(),
    };
    format!(
        "{}1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         5.0-5.1 i0 update s0 0-2 -> redis
         {}7.0-7.1 i1 get s0 -> redis 0-1
         {}",
        fault(before, 0),
        fault(meanwhile, 1),
        fault(after, 2)
    )
}

/// The numbers of the faults that the witness of a lost write shows.
fn shown(story: &str) -> BTreeSet<u32> {
    let found = finding(&story::history(story), "I1");
    assert_eq!(found.broken, 1, "{}", found.says);
    found.witness.iter().filter_map(number).collect()
}

fn number(entry: &Entry) -> Option<u32> {
    match entry.e {
        Event::Fault { fault, .. } => Some(fault),
        _ => None,
    }
}

#[test]
fn the_faults_meanwhile_are_shown_else_the_last_before() {
    assert_eq!(shown(&lost("", "", "")), BTreeSet::from([]));
    assert_eq!(shown(&lost("0.1-0.2", "", "")), BTreeSet::from([0]));
    assert_eq!(shown(&lost("0.1-0.2", "6.0-6.5", "")), BTreeSet::from([1]));
    assert_eq!(shown(&lost("0.1-0.2", "", "8.0-9.0")), BTreeSet::from([0]));
    assert_eq!(shown(&lost("", "", "8.0-9.0")), BTreeSet::from([]));
    // One that goes on meanwhile is on.
    assert_eq!(shown(&lost("0.1-8.0", "6.0-6.5", "")), BTreeSet::from([0, 1]));
}

#[test]
fn the_read_is_shown_with_the_write_that_it_missed_and_the_older_one_that_it_saw() {
    let found = finding(&story::history(&lost("", "", "")), "I1");
    let times: Vec<u64> = found.witness.iter().map(|entry| entry.t / 1_000_000).collect();
    assert_eq!(times, [1_000, 5_000, 5_100, 7_000, 7_100]);
}

#[test]
fn a_read_is_told_with_who_read_how_and_when() {
    let says = |read: &str| {
        let writes = "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis\n5.0-5.1 i0 update s0 0-2 -> redis";
        finding(&story::history(&format!("{writes}\n{read}")), "I1").says
    };
    for (read, told) in [
        ("7.0-7.1 i1 get s0 -> redis 0-1", "instance-1, answered by Redis at 7.100 s"),
        ("7.0 final i1 s0 0-1", "instance-1 at 7.000 s, after the run"),
        ("7.0 final fresh s0 0-1", "a fresh instance at 7.000 s, after the run"),
        ("7.0 final redis s0 none", "Redis itself at 7.000 s, after the run"),
    ] {
        assert!(says(read).contains(told), "{}", says(read));
    }
}

/// A history that is no longer what it was.
struct Changed;

impl Entries for Changed {
    fn entry(&self, place: usize) -> Result<Entry, HistoryError> {
        Err(HistoryError::Changed { line: place })
    }
}

#[test]
fn what_could_not_be_had_again_is_told_and_not_shown() {
    let history = story::history(&lost("", "", ""));
    let mut gather = Gather::new(&history.head);
    history.entries.iter().for_each(|entry| gather.take(entry));
    let index = gather.finish(&Changed);
    assert!(index.lost().is_none());
    let found = NoLostWrite.judge(&index);
    assert_eq!((found.broken, found.witness.len()), (1, 0));
    assert!(matches!(index.lost(), Some(HistoryError::Changed { .. })));
    assert!(index.lost().is_none(), "it is told once");
}
