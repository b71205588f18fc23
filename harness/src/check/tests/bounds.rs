//! I15 and I17: time and resources.

use super::{fails, finding, passes, story, unknown};
use crate::check::{Finding, Verdict};

#[test]
fn an_operation_ends_within_its_budget() {
    passes("I15", "1.0-3.0 i0 get s0 -> redis none");
    passes("I15", "1.0-3.05 i0 get s0 -> redis none");
    let says = fails("I15", "1.0-3.1 i0 get s0 -> unknown");
    assert!(says.contains("took 2.100 s"), "{says}");
    fails("I15", "1.0 i0 get s0 -> never\n9.0 phase final");
    // The history ends too soon to tell.
    unknown("I15", "1.0 i0 get s0 -> never\n2.0 phase final");
}

#[test]
fn resources_stay_within_their_bounds() {
    passes("I17", "1.0 sample i0 connections=4 in_flight=100 local_bytes=1000 local_sessions=1");
    for over in ["connections=9", "in_flight=101", "local_bytes=1001", "local_sessions=2"] {
        fails("I17", &format!("1.0 sample i0 connections=1\n2.0 sample i0 {over}"));
    }
    unknown("I17", "1.0 sample i0 dirty=3");
}

/// What is found where a local copy may hold four of a hundred sessions.
fn with_a_small_copy(sessions: u64, ignored: &[&str]) -> Finding {
    let mut history = story::history(&format!("1.0 sample i0 local_sessions={sessions}"));
    history.head.sessions = 100;
    history.head.rules.local_sessions = Some(4);
    history.head.ignored = ignored.iter().map(|key| (*key).to_owned()).collect();
    finding(&history, "I17")
}

#[test]
fn a_local_copy_holds_no_more_sessions_than_it_may() {
    assert_eq!(with_a_small_copy(4, &[]).verdict, Verdict::Pass);
    for sessions in [5, 100] {
        let found = with_a_small_copy(sessions, &["retry"]);
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(
            found.says.contains("sessions in its local copy at 1.000 s; the bound is 4"),
            "{}",
            found.says
        );
    }
    // A subject that has a rule of its own keeps no more than the load has.
    for ignored in ["local", "local.sessions"] {
        assert_eq!(with_a_small_copy(100, &[ignored]).verdict, Verdict::Pass);
        assert_eq!(with_a_small_copy(101, &[ignored]).verdict, Verdict::Fail);
    }
}

#[test]
fn a_connection_that_is_given_up_may_end_while_another_stands_in_for_it() {
    let too_many = |until: &str| format!("1.0 sample i0 connections=8\n{until} sample i0 connections=5");
    passes("I17", &too_many("2.9"));
    fails("I17", &too_many("3.2"));
    passes("I17", "1.0 sample i0 connections=5\n2.0 sample i0 connections=4\n3.9 sample i0 connections=5");
}

#[test]
fn nothing_is_left_over() {
    let story = |sample: &str| format!("1.0-1.1 i0 get s0 -> redis none\n{sample}");
    passes("I17", &story("2.0 sample i0 in_flight=0"));
    passes("I17", &story("1.12 sample i0 in_flight=1"));
    fails("I17", &story("2.0 sample i0 in_flight=1"));
    let opened: Vec<String> = (0..5).map(|number| format!("1.{number} wire i0 c{number} opened")).collect();
    let opened = opened.join("\n");
    fails("I17", &opened);
    passes("I17", &format!("{opened}\n2.0 wire i0 c0 closed subject: end"));
    // A sentinel is no Redis, and who asks for data asks no sentinel.
    let asked = format!("{opened}\n2.0 wire i0 c0 > SENTINEL");
    passes("I17", &asked);
    fails("I17", &format!("{asked}\n2.1 wire i0 c0 > GET"));
}
