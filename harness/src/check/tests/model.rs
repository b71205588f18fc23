//! The checks on histories of a model: a store that is right by construction, used by two instances at once, and the same with
//! a flaw. Nothing right is accused, and every flaw is found by the check that it is for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rand::{Rng, RngExt as _};

use super::story;
use crate::check::index::Index;
use crate::check::reads::Read;
use crate::check::session::Fact;
use crate::check::{Verdict, all};
use crate::history::{Event, History};
use crate::seed::fork;

/// What is wrong with the store, now and then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    /// A read brings the value before the last.
    StaleRead,
    /// An update is acknowledged and not made.
    LostUpdate,
    /// A destroy is acknowledged and not made.
    LostDestroy,
    /// Sessions live a second too short, or too long.
    ShortTtl,
    LongTtl,
    /// An update starts the TTL anew.
    TtlReset,
    /// A read brings another session's value.
    ForeignRead,
    /// At the end one instance has another value than all others.
    Divergence,
    /// An update is made a second time, later, as by a retry that was held up.
    MadeTwice,
}

struct Step {
    instance: usize,
    kind: &'static str,
    session: usize,
    invoke: u64,
    /// When the store does it, in milliseconds.
    point: u64,
    end: u64,
    ttl: u64,
    /// Its outcome stays unknown.
    lost_reply: bool,
    strikes: bool,
}

#[derive(Clone)]
struct Session {
    value: String,
    before: Option<String>,
    expires: u64,
    ttl: u64,
}

/// How long the load lasts, in milliseconds.
const RUN: u64 = 12_000;

/// How often each kind comes, in twentieths.
const MIX: [(&str, usize); 6] =
    [("get", 9), ("update", 5), ("create", 2), ("touch", 1), ("ttl", 2), ("destroy", 1)];

fn steps(random: &mut impl Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    for instance in 0..2 {
        let mut t = 10 + random.random_range(0..50);
        while t < RUN {
            let took = random.random_range(1..120);
            let lost_reply = random.random_bool(0.04);
            let late = if lost_reply { random.random_range(0..1_000) } else { 0 };
            let point = t + random.random_range(0..=took) + late;
            let longest = if random.random_bool(0.5) { 3_000 } else { 40_000 };
            let ttl = random.random_range(1_200..longest);
            let kinds: Vec<_> =
                MIX.iter().flat_map(|(kind, count)| std::iter::repeat_n(*kind, *count)).collect();
            let kind = kinds[random.random_range(0..kinds.len())];
            let (session, strikes) = (random.random_range(0..2), random.random_bool(0.4));
            let end = t + took;
            steps.push(Step { instance, kind, session, invoke: t, point, end, ttl, lost_reply, strikes });
            t = end + random.random_range(1..300);
        }
    }
    steps.sort_by_key(|step| step.point);
    steps
}

/// The story that the store makes of the steps.
fn run(steps: &[Step], flaw: Flaw) -> String {
    let mut store: BTreeMap<usize, Session> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut again: Vec<(u64, usize, String)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let flaw = if step.strikes { flaw } else { Flaw::None };
        store.retain(|_, session| session.expires > step.point);
        for (_, session, value) in again.extract_if(.., |(due, ..)| *due <= step.point) {
            if let Some(session) = store.get_mut(&session) {
                session.value = value;
            }
        }
        let (word, answer) = apply(&mut store, step, number, flaw);
        if flaw == Flaw::MadeTwice && step.kind == "update" && answer.is_empty() {
            again.push((step.point + 900, step.session, word.clone()));
        }
        let served = match () {
            () if step.lost_reply => "unknown".to_owned(),
            () if answer == "no-session" => answer,
            () => format!("redis {answer}"),
        };
        let Step { instance, kind, session, .. } = step;
        lines.push((
            step.invoke,
            format!(
                "{}-{} i{instance} {kind} s{session} {word} -> {served}",
                seconds(step.invoke),
                seconds(step.end)
            ),
        ));
    }
    lines.sort();
    let mut story = String::new();
    lines.iter().for_each(|(_, line)| _ = writeln!(story, "{line}"));
    finals(&mut story, &store, flaw);
    story
}

fn apply(store: &mut BTreeMap<usize, Session>, step: &Step, number: usize, flaw: Flaw) -> (String, String) {
    let value = format!("{}-{}", step.instance, number);
    let ttl = match flaw {
        Flaw::ShortTtl => step.ttl - 1_000,
        Flaw::LongTtl => step.ttl + 1_000,
        _ => step.ttl,
    };
    let expires = step.point + ttl;
    let other =
        store.get(&(1 - step.session)).map(|session| format!("{}@s{}", session.value, 1 - step.session));
    let there = store.get_mut(&step.session);
    match (step.kind, there) {
        ("create", _) => {
            let session = Session { value: value.clone(), before: None, expires, ttl: step.ttl };
            store.insert(step.session, session);
            (format!("{value} ttl={}", seconds(step.ttl)), String::new())
        }
        ("destroy", _) => {
            if flaw != Flaw::LostDestroy {
                store.remove(&step.session);
            }
            Default::default()
        }
        ("get", None) => (String::new(), "none".to_owned()),
        ("get", Some(session)) => {
            let before = session.before.clone().filter(|_| flaw == Flaw::StaleRead);
            let other = other.filter(|_| flaw == Flaw::ForeignRead);
            (String::new(), before.or(other).unwrap_or_else(|| session.value.clone()))
        }
        ("ttl", None) => (String::new(), "none".to_owned()),
        ("ttl", Some(session)) => (String::new(), format!("left={}", seconds(session.expires - step.point))),
        ("update", Some(session)) => {
            if flaw != Flaw::LostUpdate {
                session.before = Some(std::mem::replace(&mut session.value, value.clone()));
            }
            if flaw == Flaw::TtlReset {
                session.expires = step.point + session.ttl;
            }
            (value, String::new())
        }
        ("touch", Some(session)) => {
            (session.expires, session.ttl) = (expires, step.ttl);
            (format!("ttl={}", seconds(step.ttl)), String::new())
        }
        ("touch", None) => (format!("ttl={}", seconds(step.ttl)), "no-session".to_owned()),
        (_, _) => (value, "no-session".to_owned()),
    }
}

fn finals(story: &mut String, store: &BTreeMap<usize, Session>, flaw: Flaw) {
    for number in 0..2 {
        // All calls whose outcome is unknown have been made by now, and R is over.
        let t = RUN + 8_000 + number as u64 * 100;
        let session = store.get(&number).filter(|session| session.expires > t);
        let left = session.map_or_else(|| "none".to_owned(), |s| format!("left={}", seconds(s.expires - t)));
        let _ = writeln!(story, "{} final redis s{number} {left}", seconds(t));
        for (reader, wrong) in [("fresh", false), ("i0", false), ("i1", flaw == Flaw::Divergence)] {
            let value = session.map_or("none", |session| match (&session.before, wrong) {
                (Some(before), true) => before,
                _ => &session.value,
            });
            let _ = writeln!(story, "{} final {reader} s{number} {value}", seconds(t));
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// A history of the store without a flaw.
pub(super) fn any_history(seed: u64) -> History {
    story::history(&run(&steps(&mut fork(seed, "model")), Flaw::None))
}

/// How often each check failed and passed, of `runs` histories.
fn judged(flaw: Flaw, runs: u64) -> BTreeMap<&'static str, (u32, u32)> {
    let mut counts: BTreeMap<&'static str, (u32, u32)> = BTreeMap::new();
    for seed in 0..runs {
        let text = run(&steps(&mut fork(seed, "model")), flaw);
        let history = story::history(&text);
        let index = Index::new(&history);
        for check in all() {
            let finding = check.judge(&index);
            let count = counts.entry(check.name()).or_default();
            count.0 += u32::from(finding.verdict == Verdict::Fail);
            count.1 += u32::from(finding.verdict == Verdict::Pass);
            assert!(
                flaw != Flaw::None || finding.verdict != Verdict::Fail,
                "seed {seed}: {} accuses a store that is right: {}\n{text}",
                check.name(),
                finding.says
            );
        }
    }
    counts
}

#[test]
fn a_store_that_is_right_is_never_accused() {
    let counts = judged(Flaw::None, 300);
    for check in ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I15"] {
        assert!(counts[check].1 > 100, "{check} judged too few of the histories: {counts:?}");
    }
}

#[test]
fn what_a_read_must_have_known_is_kept_as_it_is_found_out() {
    let (mut kept, mut known, mut surely) = (0, 0, 0);
    for seed in 0..60 {
        let history = any_history(seed);
        let index = Index::new(&history);
        let invoked = history.entries.iter().filter(|entry| matches!(entry.e, Event::Invoke { .. }));
        assert_eq!(index.count(), invoked.count(), "seed {seed}");
        for log in index.sessions.values() {
            for read in log.reads(&index).filter(|read| read.nth.is_some()) {
                let again = Read { nth: None, ..read };
                assert_eq!(log.must_be_there(&index, &read), log.must_be_there(&index, &again), "{read:?}");
                if log.surely_may_live(&read) {
                    surely += 1;
                    assert!(
                        log.expiry(&index, &read).latest.is_some_and(|(latest, _)| latest >= read.from.t)
                    );
                }
                for fact in Fact::ALL {
                    let of = |read| log.floor(&index, read, fact).by_lane().collect::<Vec<_>>();
                    assert_eq!(of(&read), of(&again), "seed {seed}: {read:?}");
                    known += of(&read).into_iter().flatten().count();
                }
                kept += 1;
            }
        }
    }
    assert!(kept > 1_000 && known > kept, "{kept} reads, {known} operations that they must have known");
    assert!(surely > kept / 4, "{surely} of {kept} reads came while the session surely might live");
}

#[test]
fn every_flaw_is_found_by_the_check_that_it_is_for() {
    let flaws = [
        (Flaw::StaleRead, &["I1", "I3", "I4", "I5"][..]),
        (Flaw::MadeTwice, &["I1", "I5"]),
        (Flaw::LostUpdate, &["I1", "I3"]),
        (Flaw::LostDestroy, &["I6"]),
        (Flaw::ShortTtl, &["I8"]),
        (Flaw::LongTtl, &["I7"]),
        (Flaw::TtlReset, &["I7", "I9"]),
        (Flaw::ForeignRead, &["I2"]),
        (Flaw::Divergence, &["I10"]),
    ];
    for (flaw, checks) in flaws {
        let counts = judged(flaw, 60);
        for check in checks {
            assert!(counts[check].0 > 3, "{check} missed {flaw:?}: {counts:?}");
        }
    }
}
