//! I4 and I5: the order of what is read, and of an instance's writes.

use super::{Verdict, fails, finding, passes, story, unknown};
use crate::history::Capability;

/// Two writes of instance-0, of which instance-1 reads the second.
fn two_writes(between: &str, last: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 update s0 0-2 -> redis
         3.0-3.1 i1 get s0 -> redis 0-2
         {between}
         {last}"
    )
}

#[test]
fn an_earlier_write_does_not_come_back() {
    passes("I5", &two_writes("", "4.0-4.1 i1 get s0 -> redis 0-2"));
    let says = fails("I5", &two_writes("", "4.0-4.1 i1 get s0 -> redis 0-1"));
    assert!(says.contains("brought back the first again"), "{says}");
    // Whoever reads it.
    fails("I5", &two_writes("", "4.0-4.1 i0 get s0 -> redis 0-1"));
    fails("I5", &two_writes("", "30.0 final fresh s0 0-1"));
    // A write of another is another matter.
    passes("I5", &two_writes("", "3.5-3.6 i1 update s0 1-1 -> redis\n4.0-4.1 i1 get s0 -> redis 0-2"));
}

#[test]
fn a_write_of_unknown_outcome_that_has_shown_itself_counts() {
    let story = |first: &str, second: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             1.5-1.6 i0 update s0 0-2 -> {first}
             2.0-2.1 i0 update s0 0-3 -> {second}
             3.0-3.1 i1 get s0 -> redis 0-3
             4.0-4.1 i1 get s0 -> redis 0-2"
        )
    };
    fails("I5", &story("redis", "unknown"));
    fails("I5", &story("local", "local"));
    // The first may take effect at any time.
    passes("I5", &story("unknown", "redis"));
}

#[test]
fn what_a_reader_may_have_kept_itself_shows_nothing_of_redis() {
    // The writer has its own second write, which Redis does not have yet.
    unknown(
        "I5",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 update s0 0-2 -> local
         3.0-3.1 i0 get s0 -> redis 0-2
         4.0-4.1 i1 get s0 -> redis 0-1",
    );
    // A local answer says nothing, and comes from what the reader has kept.
    unknown("I5", &two_writes("", "4.0-4.1 i1 get s0 -> local 0-1"));
    unknown(
        "I5",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 update s0 0-2 -> redis
         3.0-3.1 i1 get s0 -> local 0-2
         3.2-3.3 i1 get s0 -> redis 0-2
         4.0-4.1 i0 get s0 -> redis 0-1",
    );
    // Two reads at the same time have no order.
    unknown("I5", &two_writes("", "3.05-3.2 i0 get s0 -> redis 0-1"));
    unknown("I5", &two_writes("", "3.14-3.2 i0 get s0 -> redis 0-1"));
}

#[test]
fn a_redis_that_lost_its_data_may_go_back_until_all_is_brought() {
    let lost = "10.0 fault 0 kill on i0,i1 total loses\n20.0 fault 0 kill off i0,i1 total loses";
    unknown("I5", &two_writes(lost, "21.0-21.1 i1 get s0 -> redis 0-1"));
    unknown("I5", &two_writes(lost, "30.0-30.1 i1 get s0 -> redis 0-1"));
    let spared = "10.0 fault 0 stall on i0,i1 total\n20.0 fault 0 stall off i0,i1 total";
    fails("I5", &two_writes(spared, "21.0-21.1 i1 get s0 -> redis 0-1"));
    // What shows itself after that counts again.
    let again = "22.0-22.1 i0 update s0 0-3 -> redis
         23.0-23.1 i0 update s0 0-4 -> redis
         26.0-26.1 i1 get s0 -> redis 0-4";
    fails("I5", &two_writes(&format!("{lost}\n{again}"), "27.0-27.1 i1 get s0 -> redis 0-3"));
}

#[test]
fn with_the_session_its_latest_write_may_have_ended() {
    for end in [
        "3.5-3.6 i1 destroy s0 -> redis",
        "3.5-3.6 i1 destroy s0 -> unknown",
        "1.5-1.6 i1 destroy s0 -> local",
        "1.5-1.6 i1 touch s0 ttl=2 -> local",
        "1.5-1.6 i1 touch s0 ttl=1 -> unknown",
    ] {
        passes("I5", &two_writes(end, "4.0-4.1 i1 get s0 -> redis 0-1"));
    }
    for other in [
        "0.5-0.6 i1 destroy s0 -> redis",
        "3.5-3.6 i1 destroy s0 -> failed",
        "3.5-3.6 i1 touch s0 ttl=20 -> redis",
        "0.5-0.6 i1 create s0 1-1 ttl=1 -> redis",
    ] {
        fails("I5", &two_writes(other, "4.0-4.1 i1 get s0 -> redis 0-1"));
    }
}

#[test]
fn nobody_read_what_another_wrote() {
    unknown("I5", "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis\n2.0-2.1 i0 get s0 -> redis 0-1");
}

#[test]
fn of_each_writer_the_newest_that_was_read_counts() {
    let story = |seen: &str| {
        story::history(&format!(
            "1.0-1.1 i1 create s0 1-1 ttl=600 -> redis
             1.5-1.6 i0 get s0 -> redis 1-1
             2.0-2.1 i1 update s0 1-2 -> redis
             3.0-3.1 i1 update s0 1-3 -> redis
             4.0-4.1 i0 get s0 -> redis 1-3
             5.0-5.1 i0 get s0 -> redis {seen}"
        ))
    };
    for resync in [true, false] {
        let verdict = |seen: &str| {
            let mut history = story(seen);
            if !resync {
                history.head.rules.can.remove(&Capability::Resync);
            }
            finding(&history, "I4").verdict
        };
        assert_eq!(verdict("1-2"), Verdict::Fail, "with a resync: {resync}");
        assert_eq!(verdict("1-3"), Verdict::Pass, "with a resync: {resync}");
    }
}

#[test]
fn without_a_resync_too_a_local_copy_that_answered_must_go_on_to_answer() {
    let verdict = |second: &str| {
        let mut history = story::history(&format!(
            "1.0-1.1 i1 create s0 1-1 ttl=600 -> redis
             2.0-2.1 i0 get s0 -> local 1-1
             3.0-3.1 i0 get s0 -> local {second}"
        ));
        history.head.rules.can.remove(&Capability::Resync);
        finding(&history, "I8").verdict
    };
    assert_eq!(verdict("none"), Verdict::Fail);
    assert_eq!(verdict("1-1"), Verdict::Pass);
}
