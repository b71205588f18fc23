//! I16: how calls are tried again.

use std::fmt::Write as _;

use super::{fails, finding, passes, story, unknown};
use crate::check::Verdict;

/// So many commands 10 ms apart, the first at `from` milliseconds. An error answers each after 1 ms, the last too.
fn sent(command: &str, from: u64, count: u64, error: &str) -> String {
    let mut lines = String::new();
    for number in 0..count {
        let at = from + number * 10;
        let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
        _ = writeln!(lines, "{} wire i0 c1 > {command}", seconds(at));
        if !error.is_empty() {
            _ = writeln!(lines, "{} wire i0 c1 < {error}", seconds(at + 1));
        }
    }
    lines
}

const CREATED: &str = "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
     1.01 wire i0 c1 > EVALSHA session:s0
     1.02 wire i0 c1 < value";

fn get(lines: &str) -> String {
    format!("{CREATED}\n2.0-4.0 i0 get s0 -> local 0-1\n{lines}")
}

#[test]
fn a_call_is_made_no_more_often_than_the_rule_allows() {
    for count in 1..=6 {
        passes("I16", &get(&sent("GET session:s0", 2_010, count, "error LOADING")));
    }
    for error in ["error LOADING", ""] {
        let says = fails("I16", &get(&sent("GET session:s0", 2_010, 10, error)));
        assert!(says.contains("may be made 3 times in all"), "{says}");
        assert!(says.contains("GET was sent 7 times from 2.010 s to 2.070 s"), "{says}");
    }
    // Those of another session, or of another command, are another matter.
    let others = sent("GET session:s1", 2_010, 10, "error LOADING");
    unknown("I16", &get(&others));
    let both = sent("EVALSHA session:s0", 2_010, 3, "error NOSCRIPT");
    passes("I16", &get(&format!("{both}{}", sent("EVAL session:s0", 2_100, 3, "error LOADING"))));
}

#[test]
fn how_often_a_call_is_made_is_not_judged_where_shards_bring_what_nobody_tells() {
    let mut history = story::history(&get(&sent("GET session:s0", 2_010, 200, "error LOADING")));
    assert_eq!(finding(&history, "I16").verdict, Verdict::Fail);
    history.head.rules.shards = 8;
    let found = finding(&history, "I16");
    assert_eq!(found.verdict, Verdict::Unknown);
    assert!(found.says.contains("was not judged"), "{}", found.says);
}

#[test]
fn answers_that_go_well_begin_a_new_count() {
    let rounds: String = (0..5_u64)
        .map(|round| {
            let from = 2_010 + round * 100;
            format!(
                "{}2.{:03} wire i0 c1 > GET session:s0\n2.{:03} wire i0 c1 < value\n",
                sent("GET session:s0", from, 2, "error LOADING"),
                from + 50 - 2_000,
                from + 51 - 2_000
            )
        })
        .collect();
    passes("I16", &get(&rounds));
}

#[test]
fn each_operation_on_the_session_may_try() {
    let calls: String = (0..5_u64)
        .map(|call| {
            let wire = sent("GET session:s0", 2_010 + call * 200, 3, "error LOADING");
            format!("2.{:03}-2.{:03} i0 get s0 -> failed\n{wire}", call * 200, call * 200 + 50)
        })
        .collect();
    passes("I16", &format!("{CREATED}\n{calls}"));
    // What another instance does allows nothing.
    let other = "2.0-4.0 i1 get s0 -> local 0-1\n".repeat(4);
    fails("I16", &format!("{}\n{other}", get(&sent("GET session:s0", 2_010, 10, ""))));
}

#[test]
fn a_resync_and_the_final_looks_are_no_operations() {
    let many = sent("EVALSHA session:s0", 2_010, 20, "error LOADING");
    unknown("I16", &get(&format!("2.0 resync i0 started 1\n{many}\n2.3 resync i0 finished 0")));
    unknown("I16", &get(&format!("2.0 resync i0 started 1\n{many}")));
    fails("I16", &get(&format!("1.5 resync i0 started 1\n{many}\n1.6 resync i0 finished 1")));
    let second =
        format!("1.5 resync i0 started 1\n1.6 resync i0 finished 1\n2.0 resync i0 started 1\n{many}");
    unknown("I16", &get(&format!("{second}\n2.3 resync i0 finished 0")));
    let looks = sent("GET session:s0", 5_010, 20, "error LOADING");
    unknown("I16", &format!("{CREATED}\n5.0 final i0 s0 0-1\n{looks}"));
    // Nobody knows what these are for.
    unknown("I16", &format!("{CREATED}\n{looks}"));
}

#[test]
fn a_permanent_error_is_no_reason_to_try_again() {
    for error in ["WRONGTYPE", "NOPERM", "NOAUTH"] {
        let error = format!("error {error}");
        passes("I16", &get(&sent("GET session:s0", 2_010, 1, &error)));
        let says = fails("I16", &get(&sent("GET session:s0", 2_010, 2, &error)));
        assert!(says.contains("no retry mends that"), "{says}");
        // Two calls of a script may be two scripts.
        passes("I16", &get(&sent("EVALSHA session:s0", 2_010, 2, &error)));
        fails("I16", &get(&sent("EVALSHA session:s0", 2_010, 3, &error)));
    }
    passes("I16", &get(&sent("GET session:s0", 2_010, 2, "error LOADING")));
    let twice = sent("GET session:s0", 2_010, 2, "error NOAUTH");
    passes("I16", &get(&format!("2.015 wire i0 c2 > AUTH\n{twice}")));
    // It was another operation that asked again, or may have been.
    let next = format!("{CREATED}\n2.0-2.015 i0 get s0 -> failed\n2.016-4.0 i0 get s0 -> failed\n{twice}");
    passes("I16", &next);
    // What was in the way was removed.
    let mended = "2.011 wire i0 c2 > DEL session:s0\n2.012 wire i0 c2 < value";
    passes("I16", &get(&format!("{mended}\n{twice}")));
}

#[test]
fn no_stretch_of_a_run_has_many_more_commands_than_its_operations_need() {
    // Fifteen commands for each of fifty operations, all answered well.
    let calls = |each: u64| -> String {
        (0..50_u64)
            .map(|call| {
                let (from, session) = (3_000 + call * 110, call % 7);
                let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
                let operation =
                    format!("{}-{} i0 get s{session} -> redis none\n", seconds(from), seconds(from + 105));
                operation + &sent(&format!("GET session:s{session}"), from + 1, each, "value")
            })
            .collect()
    };
    let failed = sent("GET session:s0", 2_010, 1, "error LOADING");
    passes("I16", &get(&format!("{failed}{}", calls(3))));
    let says = fails("I16", &get(&format!("{failed}{}", calls(15))));
    assert!(says.contains("commands for sessions of the load"), "{says}");
    let number_before = |word: &str| -> u64 {
        let before = says.split(word).next().and_then(|text| text.split_whitespace().last());
        before.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{word}: {says}"))
    };
    let (sent, operations) = (number_before(" commands"), number_before(" operations"));
    // One may have been invoked of which nothing was sent yet.
    let begun = sent.div_ceil(15);
    assert!((begun..=begun + 1).contains(&operations), "{says}");
}

#[test]
fn what_the_history_does_not_tell_is_not_judged() {
    let story = get(&sent("GET session:s0", 2_010, 10, "error LOADING"));
    let verdict = |change: fn(&mut crate::history::Head)| {
        let mut history = story::history(&story);
        change(&mut history.head);
        finding(&history, "I16").verdict
    };
    assert_eq!(verdict(|_| {}), Verdict::Fail);
    assert_eq!(verdict(|head| head.rules.retry = None), Verdict::Skipped);
    assert_eq!(verdict(|head| head.key = String::new()), Verdict::Skipped);
    // It has a rule of its own.
    assert_eq!(verdict(|head| head.ignored = vec!["retry".to_owned()]), Verdict::Unknown);
    assert_eq!(verdict(|head| head.ignored = vec!["retry.base".to_owned()]), Verdict::Unknown);
    unknown("I16", "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis");
    unknown("I16", CREATED);
    unknown("I16", &get(&sent("EVALSHA session:s0", 2_010, 1, "error NOSCRIPT")));
}

#[test]
fn a_refused_login_is_no_reason_to_try_again() {
    for (login, error) in
        [("AUTH", "error WRONGPASS"), ("HELLO", "error WRONGPASS"), ("HELLO", "error NOAUTH")]
    {
        // That of the operation, and as many of the instance's own as open its breaker.
        passes("I16", &get(&sent(login, 2_010, 4, error)));
        let says = fails("I16", &get(&sent(login, 2_010, 5, error)));
        assert!(says.contains("it logged in 5 times, 4 of them on no operation's account"), "{says}");
    }
    // Another reason, or another operation.
    unknown("I16", &get(&sent("AUTH", 2_010, 9, "error LOADING")));
    let each: String = (0..9_u64).map(|call| format!("2.{call}5-2.{call}9 i0 get s0 -> failed\n")).collect();
    passes("I16", &format!("{CREATED}\n{each}{}", sent("AUTH", 2_951, 12, "error WRONGPASS")));
    fails("I16", &format!("{CREATED}\n{each}{}", sent("AUTH", 2_951, 13, "error WRONGPASS")));
    // One that went well begins a new count.
    let between = format!(
        "{}2.06 wire i0 c1 > AUTH\n2.061 wire i0 c1 < value\n",
        sent("AUTH", 2_010, 4, "error WRONGPASS")
    );
    passes("I16", &get(&format!("{between}{}", sent("AUTH", 2_100, 3, "error WRONGPASS"))));
    // What the breaker of the instance probes, one a cool-down.
    let probes = |every: u64| -> String {
        (0..12).map(|probe| sent("AUTH", 10_000 + probe * every, 1, "error WRONGPASS")).collect()
    };
    passes("I16", &format!("{CREATED}\n{}", probes(1_600)));
    fails("I16", &format!("{CREATED}\n{}", probes(800)));
}
