//! The verdict on a whole run.

use super::story;
use crate::check::{Allow, BreakerExpectation, Judgement, OnInstances, Verdict, judge};
use crate::history::{BreakerState, Capability, Entry, Event, History, Wire};

const GOOD: &str = "1.0-1.005 i0 create s0 0-1 ttl=600 -> redis
     2.0-2.005 i1 get s0 -> redis 0-1
     10.0 fault 0 latency on i0,i1
     20.0 fault 0 latency off i0,i1
     30.0 phase final
     30.0 final redis s0 left=571
     30.1 final fresh s0 0-1
     30.2 final i0 s0 0-1
     30.3 final i1 s0 0-1";

fn judged(change: impl FnOnce(&mut History), story: &str) -> Judgement {
    let mut history = story::history(story);
    change(&mut history);
    judge(&history)
}

fn verdict(story: &str) -> Verdict {
    judged(|_| {}, story).verdict
}

fn says(judgement: &Judgement, check: &str) -> String {
    judgement.findings.iter().find(|finding| finding.check == check).unwrap().says.clone()
}

#[test]
fn a_good_run_passes_though_some_invariants_saw_nothing() {
    let judgement = judged(|_| {}, GOOD);
    assert_eq!(judgement.verdict, Verdict::Pass, "{judgement:#?}");
    assert!(judgement.findings.iter().any(|finding| finding.verdict == Verdict::Unknown));
}

#[test]
fn a_fault_on_commands_that_struck_none_shows_nothing() {
    let struck = GOOD.replace("fault 0 latency on i0,i1", "fault 0 drop_reply on i0,i1 commands");
    let judgement = judged(|_| {}, &struck);
    assert_eq!(judgement.verdict, Verdict::Unknown, "{judgement:#?}");
    assert!(says(&judgement, "run").contains("fault 0 (drop_reply) struck no command"));
    let told = |history: &mut History| {
        let what = Wire::Struck { fault: 0, fate: "reply dropped".to_owned() };
        let at = history.entries.iter().position(|entry| entry.t >= 10_000_000_000).unwrap() + 1;
        let entry =
            Entry { t: history.entries[at - 1].t, e: Event::Wire { instance: 0, connection: 0, what } };
        history.entries.insert(at, entry);
    };
    assert_eq!(judged(told, &struck).verdict, Verdict::Pass);
}

#[test]
fn a_failure_fails_the_run_unless_it_is_waived() {
    let lost = GOOD.replace("30.2 final i0 s0 0-1", "30.2 final i0 s0 none");
    assert_eq!(verdict(&lost), Verdict::Fail);
    let allow = |check: &str| Allow { check: check.to_owned(), because: "known".to_owned() };
    let waived = judged(|history| history.head.allow = vec![allow("I1"), allow("I3"), allow("I10")], &lost);
    assert_eq!(waived.verdict, Verdict::Pass, "{waived:#?}");
    let shown = waived.findings.iter().find(|finding| finding.check == "I1").unwrap();
    assert_eq!((shown.verdict, shown.waived.as_deref()), (Verdict::Fail, Some("known")));
}

#[test]
fn a_run_that_was_not_clean_before_its_fault_is_invalid_even_if_something_failed() {
    let unclean = GOOD.replace("2.0-2.005 i1 get s0 -> redis 0-1", "2.0-2.005 i1 get s0 -> failed");
    let judgement = judged(|_| {}, &unclean);
    let run = judgement.findings.iter().find(|finding| finding.check == "run").unwrap();
    assert_eq!((judgement.verdict, run.verdict), (Verdict::Invalid, Verdict::Invalid));
    assert_eq!((run.judged, run.broken), (1, 1));
    let times: Vec<u64> = run.witness.iter().map(|entry| entry.t / 1_000_000).collect();
    assert!(times.starts_with(&[2_000, 2_005]), "{times:?}");
    assert_eq!(verdict(&unclean.replace("final i0 s0 0-1", "final i0 s0 none")), Verdict::Invalid);
    assert_eq!(verdict(&GOOD.replace("get s0 -> redis", "get s0 -> local")), Verdict::Invalid);
    // Later it may fail.
    let later = GOOD.replace("30.0 phase final", "12.0-12.1 i1 get s0 -> failed\n30.0 phase final");
    assert_eq!(verdict(&later), Verdict::Pass);
}

#[test]
fn a_run_without_its_faults_or_its_looks_is_invalid() {
    let judgement = judged(|history| history.head.faults = 2, GOOD);
    assert_eq!(judgement.verdict, Verdict::Invalid);
    assert!(says(&judgement, "run").contains("fault 1 of the plan never began"));
    assert_eq!(verdict(&GOOD.replace("20.0 fault 0 latency off i0,i1", "")), Verdict::Invalid);
    assert_eq!(verdict(&GOOD.replace("30.3 final i1 s0 0-1", "")), Verdict::Invalid);
    assert_eq!(verdict(&GOOD.replace("final fresh s0 0-1", "final fresh s0 error")), Verdict::Invalid);
    assert_eq!(verdict(&GOOD.replace("final redis s0 left=571", "final redis s0 error")), Verdict::Invalid);
    assert_eq!(judged(|history| history.head.sessions = 2, GOOD).verdict, Verdict::Invalid);
    assert_eq!(verdict(""), Verdict::Invalid);
}

#[test]
fn a_run_whose_faults_came_too_late_is_invalid() {
    let at = |on: u64, off: u64| {
        let planned = |history: &mut History| {
            for entry in &mut history.entries {
                if let Event::Fault { on, asked, .. } = &mut entry.e {
                    *asked = if *on { 10_000_000_000 } else { 20_000_000_000 };
                }
            }
        };
        let story = GOOD.replace("10.0 fault", &format!("{on}.0 fault"));
        judged(planned, &story.replace("20.0 fault", &format!("{off}.0 fault")))
    };
    assert_eq!(at(12, 22).verdict, Verdict::Pass);
    for (on, off) in [(16, 20), (21, 22), (10, 26)] {
        let judgement = at(on, off);
        assert_eq!(judgement.verdict, Verdict::Invalid);
        assert!(says(&judgement, "run").contains("the world was too slow"));
    }
}

#[test]
fn an_operation_that_returned_twice_makes_the_run_invalid() {
    let twice = |history: &mut History| {
        let answer = history.entries.iter().find(|entry| matches!(entry.e, Event::Return { .. })).cloned();
        let last = history.entries.last().unwrap().t;
        history.entries.push(Entry { t: last, ..answer.unwrap() });
    };
    assert_eq!(judged(twice, GOOD).verdict, Verdict::Invalid);
}

#[test]
fn an_operation_that_was_invoked_twice_makes_the_run_invalid() {
    for again in [0, 1] {
        // While it runs, and after it has returned.
        let twice = |history: &mut History| {
            let first = history.entries[0].clone();
            assert!(matches!(first.e, Event::Invoke { .. }));
            let t = history.entries[again].t;
            history.entries.insert(again + 1, Entry { t, ..first });
        };
        let judgement = judged(twice, GOOD);
        assert_eq!(judgement.verdict, Verdict::Invalid);
        assert!(says(&judgement, "run").contains("was invoked twice"), "{}", says(&judgement, "run"));
    }
}

#[test]
fn an_operation_that_hangs_fails_and_a_history_that_is_cut_is_invalid() {
    let hangs = GOOD.replace("30.0 phase final", "12.0 i1 get s0 -> never\n30.0 phase final");
    assert_eq!(verdict(&hangs), Verdict::Fail);
    let cut = GOOD.replace("30.0 phase final", "29.9 i1 get s0 -> never\n30.0 phase final");
    assert_eq!(verdict(&cut), Verdict::Invalid);
}

#[test]
fn an_expectation_that_saw_nothing_makes_the_run_unknown() {
    let expected = BreakerExpectation {
        sequence: vec![BreakerState::Closed, BreakerState::Open],
        on: OnInstances::Every,
        during: None,
    };
    let judgement = judged(|history| history.head.expect.breaker.push(expected), GOOD);
    assert_eq!(judgement.verdict, Verdict::Unknown);
}

#[test]
fn a_check_is_skipped_with_the_capability_that_is_missing() {
    let skipped = [
        (Capability::Breaker, "breaker", &["I13", "I14"][..]),
        (Capability::Resync, "resync", &["I10", "I11", "I12"][..]),
    ];
    for (capability, name, checks) in skipped {
        let judgement = judged(|history| _ = history.head.rules.can.remove(&capability), GOOD);
        assert_eq!(judgement.verdict, Verdict::Pass);
        for check in checks {
            assert!(says(&judgement, check).contains(&format!("`{name}`")), "{check}");
        }
    }
}

#[test]
fn what_is_told_of_one_breaker_is_not_judged_where_there_are_several() {
    let story = GOOD.replace("30.0 phase final", "12.0 breaker i0 open half-open\n30.0 phase final");
    let of = |shards: u16| judged(|history| history.head.rules.shards = shards, &story);
    assert_eq!(of(1).verdict, Verdict::Fail);
    let several = of(8);
    assert_eq!(several.verdict, Verdict::Pass);
    for check in ["I12", "I13", "I14"] {
        assert!(says(&several, check).contains("each of 8 shards"), "{check}");
    }
    // What sessions come to at the end is.
    let lost = story.replace("final fresh s0 0-1", "final fresh s0 none");
    assert_eq!(judged(|history| history.head.rules.shards = 8, &lost).verdict, Verdict::Fail);
}

#[test]
fn instances_beyond_those_of_the_run_are_not_judged() {
    let stranger = GOOD.replace("30.0 phase final", "12.0-12.1 i2 get s0 -> redis none\n30.0 phase final");
    assert_eq!(verdict(&stranger), Verdict::Pass);
}
