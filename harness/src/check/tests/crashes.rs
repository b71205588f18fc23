//! Instances that crash, or end in order, and those that follow: what may be lost with them, and what may not.

use super::{finding, passes, story};
use crate::check::Verdict;
use crate::history::{Capability, History};

/// A write that i0 accepted while Redis was away, then i0 crashed.
fn in_an_outage(outcome: &str, seen: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         10.0 fault 0 refuse on i0,i1 total
         11.0-11.1 i0 update s0 0-2 -> {outcome}
         12.0 fault 1 crash on i0 ends=killed
         14.0 fault 1 crash off i0 ends=killed
         20.0 fault 0 refuse off i0,i1 total
         30.0 final fresh s0 {seen}
         30.1 final i0 s0 {seen}
         30.2 final i1 s0 {seen}"
    )
}

/// The check fails; returns what it says. A crash and an outage may both stand beside the witness.
#[track_caller]
fn fails(name: &str, text: &str) -> String {
    let found = finding(&story::history(text), name);
    assert_eq!(found.verdict, Verdict::Fail, "{}", found.says);
    assert!((1..=9).contains(&found.witness.len()), "{:?}", found.witness);
    found.says
}

fn durable(text: &str) -> History {
    let mut history = story::history(text);
    history.head.rules.can.insert(Capability::Durable);
    history
}

#[test]
fn what_a_crashed_instance_kept_to_itself_may_be_lost_and_that_is_told() {
    let found = finding(&story::history(&in_an_outage("local", "0-1")), "I1");
    assert_eq!(found.verdict, Verdict::Pass, "{}", found.says);
    assert!(found.says.contains("permitted loss: 1 writes"), "{}", found.says);
    passes("I1", &in_an_outage("local", "0-2"));
    for check in ["I3", "I4", "I8", "I10"] {
        passes(check, &format!("2.0-2.1 i0 get s0 -> redis 0-1\n{}", in_an_outage("local", "0-1")));
    }
}

#[test]
fn what_redis_had_acknowledged_stays_though_the_instance_is_gone() {
    assert!(fails("I1", &in_an_outage("redis", "0-1")).contains("is lost"));
    assert!(fails("I1", &in_an_outage("local", "none")).contains("is lost"));
}

#[test]
fn with_a_durable_fallback_nothing_may_be_lost() {
    let lost = finding(&durable(&in_an_outage("local", "0-1")), "I1");
    assert_eq!(lost.verdict, Verdict::Fail, "{}", lost.says);
    let kept = finding(&durable(&in_an_outage("local", "0-2")), "I1");
    assert_eq!(kept.verdict, Verdict::Pass, "{}", kept.says);
    assert!(!kept.says.contains("permitted"), "{}", kept.says);
    // Nor is what Redis had acknowledged.
    let kept = finding(&story::history(&in_an_outage("redis", "0-2")), "I1");
    assert_eq!(kept.verdict, Verdict::Pass, "{}", kept.says);
    assert!(!kept.says.contains("permitted"), "{}", kept.says);
}

#[test]
fn other_instances_lose_nothing() {
    let story =
        in_an_outage("local", "0-1").replace("11.0-11.1 i0 update s0 0-2", "11.0-11.1 i1 update s0 1-2");
    fails("I1", &story);
    passes("I1", &story.replace("0-1\n", "1-2\n").replace("i1 s0 0-1", "i1 s0 1-2"));
}

/// A write accepted locally, with a fault before or without, and an end in the middle of the run.
fn ended(how: &str, outage: &str, at: &str, seen: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         {outage}
         6.0-6.1 i0 update s0 0-2 -> local
         {at}.0 fault 1 crash on i0 ends={how}
         {at}.5 fault 1 crash off i0 ends={how}
         40.0 final fresh s0 {seen}"
    )
}

#[test]
fn an_instance_that_ends_in_order_while_redis_is_there_takes_nothing_along() {
    let outage = |to: &str| format!("5.0 fault 0 refuse on i0,i1 total\n{to} fault 0 refuse off i0,i1 total");
    fails("I1", &ended("orderly", "", "7", "0-1"));
    fails("I1", &ended("orderly", &outage("8.0"), "15", "0-1"));
    // Its breaker may be open yet, which is no reason to lose what waits.
    fails("I1", &ended("orderly", &outage("8.0"), "10", "0-1"));
    passes("I1", &ended("orderly", &outage("8.0"), "7", "0-1"));
    // One that is killed need not have brought it yet.
    passes("I1", &ended("killed", "", "7", "0-1"));
    passes("I1", &ended("killed", &outage("8.0"), "10", "0-1"));
}

#[test]
fn what_was_accepted_long_before_the_crash_was_brought_by_then() {
    fails("I1", &ended("killed", "", "15", "0-1"));
    let outage = "5.0 fault 0 refuse on i0,i1 total\n8.0 fault 0 refuse off i0,i1 total";
    fails("I1", &ended("killed", outage, "15", "0-1"));
    passes("I1", &ended("killed", outage, "15", "0-2"));
    // R and e after the end of the write it need not have arrived yet.
    let killed = |at: &str| ended("killed", "", "11", "0-1").replace("11.0", at);
    passes("I1", &killed("11.15"));
    fails("I1", &killed("11.16"));
}

#[test]
fn what_was_accepted_while_redis_forgot_is_brought_by_who_had_it_and_what_redis_had_taken_is_not() {
    let outage = "5.0 fault 0 kill on i0,i1 total loses\n8.0 fault 0 kill off i0,i1 total loses";
    let story = ended("killed", outage, "20", "none");
    assert!(fails("I1", &story).contains("0-2"));
    passes("I1", &story.replace("s0 none", "s0 0-2"));
    let taken = finding(&story::history(&story.replace("-> local", "-> redis")), "I1");
    assert_ne!(taken.verdict, Verdict::Fail, "{}", taken.says);
}

#[test]
fn what_redis_forgets_after_the_crash_nobody_can_bring_again() {
    let story = |loses: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 1 crash on i0 ends=killed
             11.0 fault 1 crash off i0 ends=killed
             12.0 fault 0 flush on i0,i1 {loses}
             12.5 fault 0 flush off i0,i1 {loses}
             30.0 final fresh s0 none"
        )
    };
    let found = finding(&story::history(&story("loses")), "I1");
    assert_ne!(found.verdict, Verdict::Fail, "{}", found.says);
    fails("I1", &story("spares"));
}

#[test]
fn the_next_instance_owes_nothing_to_what_the_one_before_it_knew() {
    let story = |crash: &str| {
        format!(
            "1.0-1.1 i1 create s0 1-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0,i1 total
             11.0-11.1 i0 update s0 0-2 -> local
             11.2-11.3 i0 get s0 -> local 0-2
             {crash}
             20.0 fault 0 refuse off i0,i1 total
             21.0-21.1 i0 get s0 -> redis 1-1"
        )
    };
    let crash = "12.0 fault 1 crash on i0 ends=killed\n13.0 fault 1 crash off i0 ends=killed";
    fails("I3", &story(""));
    for check in ["I3", "I4"] {
        let found = finding(&story::history(&story(crash)), check);
        assert_ne!(found.verdict, Verdict::Fail, "{}", found.says);
    }
    // What it reads and writes itself, it owes.
    let after =
        format!("{}\n22.0-22.1 i0 update s0 0-3 -> redis\n23.0-23.1 i0 get s0 -> redis 1-1", story(crash));
    assert!(fails("I3", &after).contains("instance-0 (restarted)"));
}

#[test]
fn a_new_instance_begins_with_a_closed_breaker() {
    let story = |crash: &str| {
        format!(
            "10.0 fault 0 refuse on i0,i1 total
             10.1-10.2 i0 get s0 -> failed
             11.0 breaker i0 closed open
             {crash}
             14.0-14.1 i0 get s0 -> failed
             15.0 breaker i0 closed open
             20.0 fault 0 refuse off i0,i1 total"
        )
    };
    passes("I13", &story("12.0 fault 1 crash on i0 ends=killed\n13.0 fault 1 crash off i0 ends=killed"));
    assert!(fails("I13", &story("")).contains("was open"));
    assert!(
        fails("I13", &story("12.0 fault 1 crash on i1 ends=killed\n13.0 fault 1 crash off i1 ends=killed"))
            .contains("was open")
    );
}

#[test]
fn connections_of_an_instance_that_is_gone_do_not_count_against_the_next() {
    let story = |life: &str| {
        format!(
            "1.0 wire i0 c0 opened
             1.0 wire i0 c1 opened
             1.0 wire i0 c2 opened
             {life}
             5.0 wire i0 c3 opened
             5.0 wire i0 c4 opened
             6.0 sample i0 connections=5
             16.0 sample i0 connections=5
             20.0 wire i0 c0 closed subject: end
             20.0 wire i0 c1 closed subject: end"
        )
    };
    let crash = "2.0 fault 1 crash on i0 ends=killed\n3.0 fault 1 crash off i0 ends=killed";
    passes("I17", &story(crash));
    fails("I17", &story(""));
    // Those that had ended with it are not among the next one's.
    let ended = "1.5 wire i0 c0 closed subject: end\n1.5 wire i0 c1 closed subject: end\n1.5 wire i0 c2 closed subject: end";
    let later = "6.0 sample i0 connections=5\n16.0 sample i0 connections=5";
    let opened = "1.0 wire i0 c0 opened\n1.0 wire i0 c1 opened\n1.0 wire i0 c2 opened";
    fails("I17", &format!("{opened}\n{ended}\n{crash}\n{later}"));
}
