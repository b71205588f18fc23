//! What Redis loses may be lost for good where a local copy is smaller than the run's sessions, or where the copies end before it is
//! brought again; and nothing else.

use super::{finding, story};
use crate::check::Verdict;

/// A flush at 10 s, with what came before and after it.
fn flushed(before: &str, after: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         {before}
         10.0 fault 0 flush on i0,i1 loses
         10.5 fault 0 flush off i0,i1 loses
         {after}"
    )
}

/// The verdict where a local copy holds so many sessions; the run has one.
fn where_it_holds(most: u64, check: &str, text: &str) -> Verdict {
    let mut history = story::history(text);
    history.head.rules.local_sessions = Some(most);
    finding(&history, check).verdict
}

#[track_caller]
fn excused(check: &str, text: &str) {
    assert_eq!(where_it_holds(1, check, text), Verdict::Fail, "it holds all");
    let excused = where_it_holds(0, check, text);
    assert!(matches!(excused, Verdict::Unknown | Verdict::Pass), "{excused:?}");
}

#[track_caller]
fn counts(check: &str, text: &str) {
    assert_eq!(where_it_holds(0, check, text), Verdict::Fail);
}

#[test]
fn what_redis_lost_may_be_missing_for_good() {
    for check in ["I1", "I3"] {
        excused(check, &flushed("", "20.0-20.1 i0 get s0 -> redis none\n21.0 final i0 s0 none"));
    }
    excused("I8", &flushed("", "20.0-20.1 i1 get s0 -> redis none"));
    // So may what was seen, and what was accepted locally and brought before.
    excused("I8", &flushed("2.0-2.1 i1 get s0 -> redis 0-1", "20.0-20.1 i1 get s0 -> redis none"));
    excused("I1", &flushed("2.0-2.1 i0 update s0 0-2 -> local", "21.0 final i0 s0 none"));
}

#[test]
fn an_older_value_may_come_back_from_one_who_has_kept_it() {
    let update = "2.0-2.1 i0 update s0 0-2 -> redis";
    for check in ["I1", "I3"] {
        excused(check, &flushed(update, "20.0-20.1 i0 get s0 -> redis 0-1\n21.0 final i0 s0 0-1"));
    }
    let seen = format!("{update}\n3.0-3.1 i1 get s0 -> redis 0-2");
    excused("I4", &flushed(&seen, "20.0-20.1 i1 get s0 -> redis 0-1"));
    let brought = "20.0-20.1 i1 get s0 -> redis 0-2\n21.0-21.1 i1 get s0 -> redis 0-1";
    excused("I5", &flushed(update, brought));
    // But who has seen it since has it.
    counts("I4", &flushed(&seen, brought));
}

#[test]
fn what_redis_never_had_is_not_dropped() {
    let missing = "20.0-20.1 i0 get s0 -> redis none\n21.0 final i0 s0 none";
    for check in ["I1", "I3"] {
        counts(check, &flushed("", &format!("10.2-10.3 i0 create s0 0-2 ttl=600 -> local\n{missing}")));
    }
}

#[test]
fn what_came_after_the_loss_and_what_no_fault_lost_counts() {
    let missing = "20.0-20.1 i0 get s0 -> redis none\n21.0 final i0 s0 none";
    for check in ["I1", "I3"] {
        counts(check, &flushed("", &format!("11.0-11.1 i0 create s0 0-2 ttl=600 -> redis\n{missing}")));
        counts(check, &flushed("", missing).replace(" loses", ""));
    }
}

/// An update that Redis has and loses before another instance, which never saw it, extends the session.
fn extended(ttl: u64, loses: &str, from: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl={ttl} -> redis
         1.5-1.6 i1 get s0 -> redis 0-1
         2.5-2.6 i0 update s0 0-2 -> redis
         3.5 fault 0 evict on i0,i1 {loses}
         4.5 fault 0 evict off i0,i1 {loses}
         4.8-4.9 i1 touch s0 ttl=600 -> redis
         {from} i0 get s0 -> redis 0-1"
    )
}

#[test]
fn an_update_that_redis_lost_ends_with_its_copy() {
    let verdict = |text: &str| finding(&story::history(text), "I3").verdict;
    assert_ne!(verdict(&extended(4, "loses", "7.5-7.6")), Verdict::Fail);
    // Redis had it all the while; and here the copy lives until it is brought again.
    assert_eq!(verdict(&extended(4, "", "7.5-7.6")), Verdict::Fail);
    assert_eq!(verdict(&extended(600, "loses", "12.0-12.1")), Verdict::Fail);
}

/// Two instances make the session; the one that never saw the later one extends its own, and reads it.
fn made_twice(ttl: u64, touched: &str, from: &str) -> String {
    touched_for("4.0-4.1", ttl, touched, from)
}

/// The same, with the time that extending it took.
fn touched_for(time: &str, ttl: u64, touched: &str, from: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl={ttl} -> redis
         2.0-2.1 i1 create s0 1-1 ttl={ttl} -> redis
         3.0 fault 0 stall on i0
         {time} i0 touch s0 ttl=600 -> {touched}
         5.0 fault 0 stall off i0
         {from} i0 get s0 -> redis 0-1"
    )
}

#[test]
fn a_create_that_ended_in_redis_while_another_kept_its_own_copy_ended_with_it() {
    let verdict = |text: &str| finding(&story::history(text), "I1").verdict;
    assert_ne!(verdict(&made_twice(4, "local", "7.5-7.6")), Verdict::Fail);
    // Redis extended what it had; and here it still had that when it was brought.
    assert_eq!(verdict(&made_twice(4, "redis", "7.5-7.6")), Verdict::Fail);
    assert_eq!(verdict(&made_twice(600, "local", "12.0-12.1")), Verdict::Fail);
}

#[test]
fn what_was_on_its_way_to_redis_while_the_copy_there_ended_was_kept_back() {
    let verdict = |text: &str| finding(&story::history(text), "I1").verdict;
    assert_ne!(verdict(&touched_for("4.0-6.2", 4, "redis", "7.5-7.6")), Verdict::Fail);
    // It was there before the copy ended.
    assert_eq!(verdict(&touched_for("4.0-4.1", 4, "redis", "7.5-7.6")), Verdict::Fail);
}
