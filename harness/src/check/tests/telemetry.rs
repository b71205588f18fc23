//! I18: what an instance says of itself.

use super::{fails, finding, passes, story, unknown};
use crate::check::Verdict;

/// So many reads and writes of instance-0, one after the other from 12 s on.
fn calls(count: usize, served: &str) -> String {
    let lines = (0..count).map(|number| {
        let (from, to) = (12_000 + number * 20, 12_010 + number * 20);
        let seconds = |ms: usize| format!("{}.{:03}", ms / 1000, ms % 1000);
        let what = match number % 2 {
            0 => format!("get s0 -> {served} 0-1"),
            _ => format!("touch s0 ttl=600 -> {served}"),
        };
        format!("{}-{} i0 {what}", seconds(from), seconds(to))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn redis_serves_nothing_through_an_open_breaker() {
    let open = |lines: &str| format!("11.0 breaker i0 closed open\n{lines}\n19.0 breaker i0 open half-open");
    passes("I18", &open("12.0-12.1 i0 get s0 -> local 0-1"));
    passes("I18", &open("12.0-12.1 i0 update s0 0-1 -> no-session"));
    let says = fails("I18", &open("12.0-12.1 i0 get s0 -> redis 0-1"));
    assert!(says.contains("said that its breaker was open since 11.000 s"), "{says}");
    // At the edges of the stretch it may have gone before, or after.
    for edge in ["10.9-12.0", "11.04-12.0", "18.0-18.97", "18.9-19.5"] {
        unknown("I18", &open(&format!("{edge} i0 get s0 -> redis 0-1")));
    }
    unknown("I18", &open("12.0-12.1 i1 get s0 -> redis 0-1"));
    unknown("I18", &open("19.1-19.2 i0 get s0 -> redis 0-1"));
    // It never changed again.
    fails("I18", "11.0 breaker i0 closed open\n12.0-12.1 i0 get s0 -> redis 0-1\n30.0 phase final");
}

#[test]
fn redis_does_not_serve_everything_while_an_instance_says_that_it_does_itself() {
    let local = |lines: &str| format!("11.0 mode i0 local\n{lines}\n19.0 mode i0 redis");
    passes("I18", &local(&calls(20, "local")));
    let says = fails("I18", &local(&calls(20, "redis")));
    assert!(says.contains("that it serves operations itself"), "{says}");
    fails("I18", &format!("11.0 mode i0 local\n{}\n30.0 phase final", calls(10, "redis")));
    // A few calls may be trials.
    unknown("I18", &local(&calls(9, "redis")));
    // Reads alone may go on while writes are kept.
    unknown("I18", &local(&calls(40, "redis").replace("touch s0 ttl=600 -> redis", "get s0 -> redis 0-1")));
    passes("I18", &local(&format!("{}\n12.095-12.096 i0 get s1 -> local none", calls(12, "redis"))));
    // What a breaker that is not closed lets through is a trial.
    unknown("I18", &format!("5.0 breaker i0 open half-open\n{}", local(&calls(20, "redis"))));
    unknown("I18", &local(&calls(20, "redis")).replace("19.0 mode i0 redis", "11.1 mode i0 redis"));
    let mut history = story::history(&local(&calls(20, "redis")));
    history.head.rules.breaker.alone = false;
    assert_eq!(finding(&history, "I18").verdict, Verdict::Unknown);
}

#[test]
fn what_redis_answered_redis_was_asked() {
    let asked = |lines: &str| {
        format!(
            "0.5 wire i0 c1 > GET session:s9\n0.6 wire i0 c1 < value\n2.0-2.5 i0 get s0 -> redis none\n{lines}"
        )
    };
    let says = fails("I18", &asked(""));
    assert!(says.contains("it sent no command for s0"), "{says}");
    passes("I18", &asked("2.1 wire i0 c1 > GET session:s0\n2.2 wire i0 c1 < value"));
    passes("I18", &asked("1.96 wire i0 c1 > GET session:s0\n1.97 wire i0 c1 < value"));
    // One that was sent for an earlier call serves this one too.
    passes("I18", &asked("1.0 wire i0 c1 > GET session:s0\n2.2 wire i0 c1 < value"));
    passes("I18", &asked("1.0 wire i0 c1 > GET session:s0"));
    fails("I18", &asked("1.0 wire i0 c1 > GET session:s0\n1.9 wire i0 c1 < value"));
    fails("I18", &asked("2.1 wire i0 c1 > GET session:s1\n2.2 wire i0 c1 < value"));
    fails("I18", &asked("2.1 wire i1 c1 > GET session:s0\n2.2 wire i1 c1 < value"));
    fails("I18", &asked("2.1 wire i0 c1 > PING\n2.2 wire i0 c1 < value"));
    // It may be about more sessions than the first.
    passes("I18", &asked("2.1 wire i0 c1 > MGET session:s1\n2.2 wire i0 c1 < value"));
    passes("I18", &asked("2.1 wire i0 c1 > EVALSHA session:s1\n2.2 wire i0 c1 < value"));
}

#[test]
fn what_cannot_be_compared_is_not_judged() {
    let said = "2.0-2.5 i0 get s0 -> redis none";
    unknown("I18", said);
    unknown("I18", &format!("{said}\n1.0 wire i1 c1 > GET session:s0"));
    unknown("I18", &format!("{said}\n1.0 wire i0 c1 > GET session:s9\n1.0 wire i0 c2 garbled"));
    unknown("I18", &format!("{said}\n1.0 wire i0 c1 opened"));
    unknown("I18", "1.0 wire i0 c1 > PING\n2.0-2.5 i0 get s0 -> local none");
    let mut history =
        story::history(&format!("{said}\n1.0 wire i0 c1 > GET session:s9\n1.1 wire i0 c1 < value"));
    assert_eq!(finding(&history, "I18").verdict, Verdict::Fail);
    history.head.key = String::new();
    assert_eq!(finding(&history, "I18").verdict, Verdict::Unknown);
}

#[test]
fn a_closed_breaker_lets_calls_through() {
    let after = |writes: &str, wire: &str| {
        format!(
            "1.0 wire i0 c1 > PING
             10.0 fault 0 refuse on i0 total
             11.0 breaker i0 closed open
             20.0 fault 0 refuse off i0 total
             21.0 breaker i0 open half-open
             21.1 breaker i0 half-open closed
             {writes}
             {wire}
             60.0 phase final"
        )
    };
    let writes: Vec<String> = (0..8)
        .map(|number| format!("{n}.0-{n}.1 i0 update s0 0-{n} -> local", n = 30 + 2 * number))
        .collect();
    let writes = writes.join("\n");
    let says = fails("I18", &after(&writes, ""));
    assert!(says.contains("Redis got none of 8 writes"), "{says}");
    unknown("I18", &after(&writes, "44.0 wire i0 c2 opened"));
    // It says that it is open.
    passes("I18", &after(&writes, "22.0 breaker i0 closed open"));
    unknown("I18", &after(&writes.replace("update", "get").replace("local", "local none"), ""));
    // Too soon after the fault, or too few.
    unknown("I18", &after(&writes.replace(" i0 update", " i1 update"), ""));
    unknown("I18", &after("30.0-30.1 i0 update s0 0-9 -> local\n50.0-50.1 i0 update s0 0-10 -> local", ""));
}

#[test]
fn what_was_accepted_in_an_outage_waits() {
    let outage = |lines: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0 total spares
             11.0-11.1 i0 update s0 0-2 -> local
             {lines}
             20.0 fault 0 refuse off i0 total spares"
        )
    };
    passes("I18", &outage("14.0 sample i0 dirty=1"));
    let says = fails("I18", &outage("14.0 sample i0 dirty=0"));
    assert!(says.contains("that nothing waits for its resync"), "{says}");
    // A measurement may be old, or of another, or of later.
    unknown("I18", &outage("13.0 sample i0 dirty=0"));
    unknown("I18", &outage("14.0 sample i1 dirty=0"));
    unknown("I18", &outage("20.5 sample i0 dirty=0"));
    unknown("I18", &outage("14.0 sample i0 connections=0"));
    // What was read does not wait.
    unknown(
        "I18",
        &outage("14.0 sample i0 dirty=0").replace("update s0 0-2 -> local", "get s0 -> local 0-1"),
    );
    // The session may have ended by itself, or a call got through all the same.
    unknown("I18", &outage("11.5-11.6 i0 destroy s0 -> local\n14.0 sample i0 dirty=0"));
    unknown("I18", &outage("5.0-5.1 i1 touch s0 ttl=8 -> redis\n14.0 sample i0 dirty=0"));
    unknown("I18", &outage("12.5-12.6 i0 get s0 -> redis 0-2\n14.0 sample i0 dirty=0"));
    unknown("I18", &outage("14.0 sample i0 dirty=0").replace(" total", ""));
}

#[test]
fn nothing_waits_for_long_after_a_resync_that_finished() {
    let after = |lines: &str, left: u64| {
        let samples: Vec<String> =
            (24..38).map(|second| format!("{second}.0 sample i0 dirty={left}")).collect();
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             1.05 wire i0 c1 > EVALSHA session:s0
             1.06 wire i0 c1 < value
             10.0 fault 0 refuse on i0 total spares
             11.0-11.1 i0 update s0 0-2 -> local
             20.0 fault 0 refuse off i0 total spares
             21.0 resync i0 started 1
             21.5 resync i0 finished 1
             {lines}
             {}",
            samples.join("\n")
        )
    };
    passes("I18", &after("", 0));
    let says = fails("I18", &after("", 1));
    assert!(says.contains("yet from 24.000 s to"), "{says}");
    passes("I18", &after("23.0-23.1 i0 update s0 0-3 -> local", 1));
    fails("I18", &after("23.0-23.1 i0 update s0 0-3 -> local", 2));
    for reason in [
        "30.0 resync i0 started 1",
        "25.0 wire i0 c1 closed redis: reset",
        "25.0 fault 1 flush on i0,i1 loses\n25.1 fault 1 flush off i0,i1 loses",
        "25.0 wire i0 c1 > EVALSHA session:s9\n25.1 wire i0 c1 < error NOPERM",
    ] {
        assert_ne!(super::verdict("I18", &after(reason, 1)), Verdict::Fail, "{reason}");
    }
    // Of one of several breakers, which is open, nobody tells.
    let mut history = story::history(&after("", 1));
    history.head.rules.breaker.alone = false;
    assert_eq!(finding(&history, "I18").verdict, Verdict::Pass);
}
