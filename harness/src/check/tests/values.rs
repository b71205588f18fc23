//! I1 to I4: which value is read.

use super::{fails, finding, passes, story, unknown};
use crate::check::Verdict;
use crate::history::{Event, Outcome, Saw, ServedBy};

#[test]
fn what_redis_acknowledged_is_read_at_once_by_others() {
    let story = |read| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i0 update s0 0-2 -> redis
             2.2-2.3 i1 get s0 -> {read}"
        )
    };
    passes("I1", &story("redis 0-2"));
    let says = fails("I1", &story("redis 0-1"));
    assert!(
        says.contains("update 0-2 of s0 by instance-0 at 2.000 s, acknowledged by Redis at 2.100 s is lost"),
        "{says}"
    );
    // From its own memory it may answer with what is older.
    unknown("I1", &story("local 0-1"));
}

#[test]
fn what_was_accepted_locally_is_everywhere_by_h_plus_r() {
    let story = |seen: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0 total
             11.0-11.1 i0 update s0 0-2 -> local
             12.0-12.1 i1 get s0 -> redis 0-1
             20.0 fault 0 refuse off i0 total
             24.0-24.1 i1 get s0 -> redis 0-1
             {seen}"
        )
    };
    let held = finding(&story::history(&story("30.0 final fresh s0 0-2\n30.1 final i0 s0 0-2")), "I1");
    assert_eq!(held.verdict, Verdict::Pass);
    let says =
        "reads found what they had to, 2 of them at the end with writes that had been accepted locally";
    assert!(held.says.contains(says), "{}", held.says);
    passes("I1", &story("30.0 final fresh s0 0-2"));
    passes("I1", &story("30.0-30.1 i1 get s0 -> redis 0-2"));
    fails("I1", &story("30.0 final fresh s0 0-1"));
    fails("I1", &story("30.0 final i1 s0 0-1"));
    fails("I1", &story("30.0-30.1 i1 get s0 -> redis 0-1"));
    fails("I1", &story("30.0 final redis s0 none"));
    fails("I1", &story("30.0 final fresh s0 none"));
    // A failed look tells nothing.
    passes("I1", &story("30.0 final fresh s0 error"));
}

#[test]
fn a_write_accepted_locally_at_any_time_has_r_to_arrive() {
    let story = |at: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i0 update s0 0-2 -> local
             {at} final fresh s0 0-1"
        )
    };
    passes("I1", &story("6.0"));
    fails("I1", &story("8.0"));
}

#[test]
fn of_concurrent_writes_either_may_win() {
    for winner in ["0-2", "1-1"] {
        passes(
            "I1",
            &format!(
                "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
                 2.00-2.10 i0 update s0 0-2 -> redis
                 2.05-2.12 i1 update s0 1-1 -> redis
                 9.0 final fresh s0 {winner}
                 9.1 final i0 s0 {winner}
                 9.2 final i1 s0 {winner}"
            ),
        );
    }
    // One right after the other, within e, counts as concurrent too.
    passes(
        "I1",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 update s0 0-2 -> redis
         2.12-2.2 i1 update s0 1-1 -> redis
         9.0 final fresh s0 0-2",
    );
}

#[test]
fn an_unknown_write_may_surface_at_any_time_or_never() {
    for value in ["0-2", "0-3"] {
        let story = format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.5 i0 update s0 0-2 -> unknown
             3.0-3.1 i0 update s0 0-3 -> redis
             4.0-4.1 i0 get s0 -> redis 0-3
             9.0 final fresh s0 {value}"
        );
        passes("I1", &story);
        passes("I2", &story);
        passes("I3", &story);
    }
    fails(
        "I1",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.5 i0 update s0 0-2 -> unknown
         3.0-3.1 i0 update s0 0-3 -> redis
         9.0 final fresh s0 0-1",
    );
}

#[test]
fn what_redis_forgot_in_a_kill_is_missing_until_h_plus_r_only() {
    let story = |seen: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 kill on i0,i1 total loses
             20.0 fault 0 kill off i0,i1 total loses
             {seen}"
        )
    };
    unknown("I8", &story("21.0-21.1 i1 get s0 -> redis none"));
    fails("I8", &story("26.0-26.1 i1 get s0 -> redis none"));
    fails("I1", &story("26.0 final redis s0 none"));
    // What Redis acknowledged after it was back is not forgotten.
    fails(
        "I1",
        &story(
            "20.1-20.2 i0 update s0 0-2 -> redis
             20.3-20.4 i0 update s0 0-3 -> redis
             21.0-21.1 i1 get s0 -> redis 0-2",
        ),
    );
}

#[test]
fn no_write_no_lost_write() {
    unknown("I1", "1.0-1.1 i0 get s0 -> redis none");
    unknown("I1", "1.0-1.1 i0 create s0 0-1 ttl=600 -> unknown\n9.0 final fresh s0 none");
}

#[test]
fn without_a_resync_local_writes_are_not_demanded() {
    let mut history = story::history(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 update s0 0-2 -> local
         9.0 final fresh s0 0-1",
    );
    history.head.rules.can.remove(&crate::history::Capability::Resync);
    let found = finding(&history, "I1");
    assert_eq!(found.verdict, Verdict::Pass);
    assert!(found.says.contains("not judged"), "{}", found.says);
    assert_eq!(finding(&history, "I10").verdict, Verdict::Skipped);
}

#[test]
fn a_value_must_be_whole_and_of_its_session() {
    let story = |value: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             1.2-1.3 i0 create s1 0-2 ttl=600 -> redis
             1.4-1.5 i0 update s0 0-3 -> failed
             2.0-2.1 i1 get s0 -> redis {value}
             3.0-3.1 i0 update s0 0-4 -> redis"
        )
    };
    passes("I2", &story("0-1"));
    assert!(fails("I2", &story("0-2@s1")).contains("written for s1"));
    assert!(fails("I2", &story("0-2")).contains("written for"));
    assert!(fails("I2", &story("torn")).contains("names no write"));
    assert!(fails("I2", &story("0-9")).contains("nobody ever wrote"));
    assert!(fails("I2", &story("0-3")).contains("surely failed"));
    assert!(fails("I2", &story("0-4")).contains("before it was asked for"));
    unknown("I2", &story("none"));
}

#[test]
fn an_answer_must_be_one_to_what_was_asked() {
    let mut history = story::history(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i1 get s0 -> redis 0-1",
    );
    let answer = history.entries.last_mut().unwrap();
    answer.e = match answer.e.clone() {
        Event::Return { id, .. } => {
            Event::Return { id, outcome: Outcome::Ok { served_by: ServedBy::Redis, saw: Saw::Done } }
        }
        other => other,
    };
    let finding = finding(&history, "I2");
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(finding.says.contains("an answer to another question"), "{}", finding.says);
}

#[test]
fn an_instance_reads_what_it_wrote() {
    let story = |served: &str, value: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i0 update s0 0-2 -> local
             2.1-2.2 i0 get s0 -> {served} {value}"
        )
    };
    for served in ["local", "redis"] {
        passes("I3", &story(served, "0-2"));
        fails("I3", &story(served, "0-1"));
        fails("I3", &story(served, "none"));
    }
    unknown("I3", "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis\n2.0-2.1 i1 get s0 -> redis 0-1");
}

#[test]
fn a_newer_write_of_another_may_hide_ones_own() {
    passes(
        "I3",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 update s0 0-2 -> redis
         3.0-3.1 i1 update s0 1-1 -> redis
         4.0-4.1 i0 get s0 -> redis 1-1
         5.0-5.1 i1 destroy s0 -> redis
         6.0-6.1 i0 get s0 -> redis none",
    );
    // What it had read before it wrote cannot be newer, whatever the clocks say.
    fails(
        "I3",
        "1.0-1.1 i1 create s0 1-1 ttl=600 -> unknown
         2.0-2.1 i0 get s0 -> redis 1-1
         3.0-3.1 i0 update s0 0-1 -> redis
         4.0-4.1 i0 get s0 -> redis 1-1",
    );
}

#[test]
fn overlapping_operations_of_an_instance_are_concurrent() {
    let story = |value: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.5 i0 update s0 0-2 -> redis
             2.1-2.4 i0 get s0 -> redis {value}"
        )
    };
    passes("I3", &story("0-1"));
    passes("I3", &story("0-2"));
}

#[test]
fn reads_do_not_go_back() {
    let story = |last: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i0 update s0 0-2 -> redis
             3.0-3.1 i1 get s0 -> redis 0-2
             4.0-4.1 i1 get s0 -> {last}"
        )
    };
    passes("I4", &story("redis 0-2"));
    let says = fails("I4", &story("local 0-1"));
    let first =
        "get of s0 by instance-1 at 3.000 s, acknowledged by Redis at 3.100 s had brought back update 0-2";
    assert!(says.contains(first) && says.contains("which is older"), "{says}");
    fails("I4", &story("redis 0-1"));
    unknown("I4", "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis\n3.0-3.1 i1 get s0 -> redis 0-1");
}

#[test]
fn of_two_concurrent_values_each_comes_once() {
    let story = |last: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.5 i0 update s0 0-2 -> unknown
             2.1-2.4 i1 update s0 1-1 -> redis
             3.0-3.1 i1 get s0 -> redis 0-2
             4.0-4.1 i1 get s0 -> redis {last}"
        )
    };
    passes("I4", &story("0-2"));
    // Its own write was there first, and so cannot come again.
    fails("I4", &story("1-1"));
    passes(
        "I4",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.5 i0 update s0 0-2 -> unknown
         3.0-3.1 i1 get s0 -> redis 0-1
         4.0-4.1 i1 get s0 -> redis 0-2",
    );
}

#[test]
fn a_stale_local_read_of_anothers_write_is_no_step_back() {
    let story = "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         1.5-1.6 i1 get s0 -> redis 0-1
         10.0 fault 0 refuse on i1 total
         11.0-11.1 i0 update s0 0-2 -> redis
         12.0-12.1 i1 get s0 -> local 0-1
         20.0 fault 0 refuse off i1 total
         26.0-26.1 i1 get s0 -> redis 0-2";
    passes("I1", story);
    passes("I4", story);
}
