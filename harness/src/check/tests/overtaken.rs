//! I1, I3 and I4: updates that need not show, and those that must.

use super::{fails, passes};

#[test]
fn an_update_of_a_session_that_another_had_ended_and_made_again_need_not_show() {
    let story = |known: &str, seen: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0,i1 total
             11.0-11.1 i1 destroy s0 -> local
             12.0-12.1 i1 create s0 1-1 ttl=600 -> local
             {known}
             13.0-13.1 i0 update s0 0-2 -> local
             13.2-13.3 i0 get s0 -> local 0-2
             20.0 fault 0 refuse off i0,i1 total
             30.0 final fresh s0 {seen}
             30.1 final i0 s0 {seen}
             30.2 final i1 s0 {seen}"
        )
    };
    for seen in ["1-1", "0-2"] {
        for check in ["I1", "I3", "I4"] {
            passes(check, &story("", seen));
        }
    }
    // The first session is over, whatever came after.
    fails("I1", &story("", "0-1"));
    // What it made itself after that was no copy of the first.
    fails("I1", &story("12.5-12.6 i0 create s0 0-9 ttl=600 -> local", "1-1"));
    fails("I1", &story("12.5-12.6 i0 create s0 0-9 ttl=600 -> local", "0-9"));
}

#[test]
fn an_end_that_was_kept_back_excuses_nothing_once_redis_has_told_the_writer_of_the_session_since() {
    let story = |told: &str, seen: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0,i1 total
             11.0-11.1 i1 destroy s0 -> local
             12.0-12.1 i1 create s0 1-1 ttl=600 -> local
             20.0 fault 0 refuse off i0,i1 total
             {told}-{told}5 i0 get s0 -> redis 1-1
             41.0-41.1 i0 update s0 0-2 -> {served}
             42.0-42.1 i1 get s0 -> redis {seen}
             43.0-43.1 i0 get s0 -> redis {seen}
             50.0 final fresh s0 {seen}",
            served = if told == "40.0" { "redis" } else { "local" },
        )
    };
    for check in ["I1", "I3"] {
        fails(check, &story("40.0", "1-1"));
        passes(check, &story("40.0", "0-2"));
        // It may not have been brought by then.
        passes(check, &story("24.0", "1-1"));
        // Nor R and twice e after the outage; but then it has been.
        passes(check, &story("25.1", "1-1"));
        fails(check, &story("25.2", "1-1"));
    }
}

#[test]
fn an_end_in_redis_excuses_nothing_once_redis_has_told_the_writer_of_the_session_later_than_e_after_it() {
    let story = |over: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             9.0-{over} i1 destroy s0 -> redis
             10.0-10.1 i0 get s0 -> redis 0-1
             10.2-10.3 i1 create s0 1-1 ttl=600 -> redis
             11.0-11.1 i0 update s0 0-2 -> local
             30.0 final fresh s0 1-1"
        )
    };
    passes("I1", &story("9.95"));
    fails("I1", &story("9.949"));
}

#[test]
fn an_end_that_redis_forgot_excuses_what_was_written_before_it_was_brought_again() {
    let story = |faults: &str, update: &str, seen: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i1 destroy s0 -> redis
             {faults}
             20.0-20.1 i0 get s0 -> redis 0-1
             20.2-20.3 i1 create s0 1-1 ttl=600 -> local
             {update}-{update}1 i0 update s0 0-2 -> redis
             42.0-42.1 i1 get s0 -> redis {seen}
             50.0 final fresh s0 {seen}"
        )
    };
    let lost = "10.0 fault 0 kill on i0,i1 total loses\n20.0 fault 0 kill off i0,i1 total loses";
    for seen in ["1-1", "0-2"] {
        for check in ["I1", "I3", "I11"] {
            passes(check, &story(lost, "21.0", seen));
        }
    }
    // A Redis that did not forget had ended the first for all who asked it since.
    let kept = "10.0 fault 0 kill on i0,i1 total\n20.0 fault 0 kill off i0,i1 total";
    fails("I1", &story(kept, "21.0", "1-1"));
    // By then everything has been brought again.
    fails("I1", &story(lost, "41.0", "1-1"));
}

#[test]
fn an_update_of_a_session_that_redis_had_shown_after_it_was_made_again_must_show() {
    let story = |seen: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i1 destroy s0 -> redis
             3.0-3.1 i1 create s0 1-1 ttl=600 -> redis
             4.0-4.1 i0 get s0 -> redis 1-1
             10.0 fault 0 refuse on i0,i1 total
             13.0-13.1 i0 update s0 0-2 -> local
             20.0 fault 0 refuse off i0,i1 total
             30.0 final fresh s0 {seen}"
        )
    };
    passes("I1", &story("0-2"));
    fails("I1", &story("1-1"));
}

#[test]
fn an_update_of_a_copy_that_expired_before_it_was_brought_need_not_show() {
    let story = |other: &str, ttl: &str, seen: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0,i1 total
             11.0-11.1 i1 create s0 1-1 ttl={ttl} -> local
             12.0-12.1 i0 {other} -> local
             13.0-13.1 i1 update s0 1-2 -> local
             13.2-13.3 i1 get s0 -> local 1-2
             20.0 fault 0 refuse off i0,i1 total
             30.0 final fresh s0 {seen}
             30.1 final i1 s0 {seen}"
        )
    };
    for seen in ["0-2", "1-2"] {
        for check in ["I1", "I3", "I4"] {
            passes(check, &story("create s0 0-2 ttl=600", "4", seen));
        }
    }
    passes("I3", &story("touch s0 ttl=600", "4", "1-1"));
    // A copy that lives on is brought whole.
    fails("I1", &story("create s0 0-2 ttl=600", "500", "0-2"));
    // Nobody else kept the session alive.
    fails("I1", &story("update s0 0-2", "60", "0-2"));
}

#[test]
fn a_touch_of_unknown_outcome_may_end_a_copy_at_any_time_after() {
    let story = |outcome: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.5 i0 touch s0 ttl=4 -> {outcome}
             10.0 fault 0 refuse on i0,i1 total
             11.0-11.1 i1 create s0 1-1 ttl=500 -> local
             12.0-12.1 i0 create s0 0-2 ttl=600 -> local
             13.0-13.1 i1 update s0 1-2 -> local
             20.0 fault 0 refuse off i0,i1 total
             30.0 final fresh s0 0-2"
        )
    };
    passes("I1", &story("unknown"));
    fails("I1", &story("failed"));
    fails("I1", &story("redis"));
}
