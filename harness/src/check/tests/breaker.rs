//! I13 and I14: what the breaker does.

use super::{fails, passes, unknown};

/// A total outage from 10 s to 20 s with three failing calls.
fn outage(breaker: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         10.0 fault 0 refuse on i0 total
         10.5-10.6 i0 get s0 -> local 0-1
         10.7-10.8 i0 get s0 -> local 0-1
         10.9-11.0 i0 update s0 0-2 -> local
         20.0 fault 0 refuse off i0 total
         30.0-30.1 i0 get s0 -> redis 0-2
         {breaker}"
    )
}

const GOOD: &str = "11.0 breaker i0 closed open
     18.0 breaker i0 open half-open
     18.1 breaker i0 half-open open
     21.0 breaker i0 open half-open
     21.1 breaker i0 half-open closed";

#[test]
fn a_breaker_in_order_passes() {
    passes("I13", &outage(GOOD));
    passes("I14", &outage(GOOD));
}

#[test]
fn what_the_breaker_does_once_all_has_been_looked_at_is_not_judged() {
    let story = |look: &str| {
        outage(&format!(
            "11.0 breaker i0 closed open
             {look} final fresh s0 0-2
             32.1 wire i0 c9 > SET
             32.1 breaker i0 open closed"
        ))
    };
    passes("I13", &story("32.0"));
    fails("I13", &story("33.0"));
}

#[test]
fn illegal_changes_fail() {
    for changes in [
        "11.0 breaker i0 closed half-open",
        "11.0 breaker i0 closed open\n20.1 breaker i0 open closed",
        "11.0 breaker i0 open half-open",
        "11.0 breaker i0 closed open\n14.0 breaker i0 half-open closed",
        "11.0 breaker i0 closed open\n12.0 breaker i0 open open",
    ] {
        fails("I13", &outage(changes));
    }
}

#[test]
fn a_breaker_that_opens_for_nothing_fails() {
    let calm = "1.0-1.005 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.005 i0 get s0 -> redis 0-1";
    let says = fails("I13", &format!("{calm}\n3.0 breaker i0 closed open"));
    assert!(says.contains("no fault struck it"), "{says}");
    // Anything that may have looked like a failure is a reason.
    passes("I13", &format!("{calm}\n2.5-3.1 i0 get s0 -> local 0-1\n3.0 breaker i0 closed open"));
    passes("I13", &format!("{calm}\n2.5-2.9 i0 get s0 -> redis 0-1\n3.0 breaker i0 closed open"));
    passes("I13", &format!("{calm}\n2.5-2.6 i0 update s0 0-2 -> unknown\n3.0 breaker i0 closed open"));
    let resets = "2.1 wire i0 c1 opened\n2.2 wire i0 c1 closed redis: reset\n2.3 wire i0 c2 opened\n2.4 wire i0 c2 closed redis: reset";
    fails("I13", &format!("{calm}\n{resets}\n3.0 breaker i0 closed open"));
    passes(
        "I13",
        &format!(
            "{calm}\n{resets}\n2.5 wire i0 c3 opened\n2.6 wire i0 c3 > HELLO\n3.0 breaker i0 closed open"
        ),
    );
    // So are commands that failed, though the operations that sent them did well.
    let refused = |from: u32| {
        let one = |ms: u32| format!("2.{ms} wire i0 c1 > GET\n2.{} wire i0 c1 < error READONLY\n", ms + 1);
        let commands: String = (from..103).map(|number| one(number * 2)).collect();
        format!("{calm}\n2.1 wire i0 c1 opened\n{commands}3.0 breaker i0 closed open")
    };
    passes("I13", &refused(100));
    fails("I13", &refused(101));
    // Trouble of another instance is none.
    fails("I13", &format!("{calm}\n2.5-2.9 i1 get s0 -> local 0-1\n3.0 breaker i0 closed open"));
}

#[test]
fn it_stays_open_for_its_cool_down() {
    passes("I13", &outage("11.0 breaker i0 closed open\n12.6 breaker i0 open half-open"));
    fails("I13", &outage("11.0 breaker i0 closed open\n12.5 breaker i0 open half-open"));
}

#[test]
fn nothing_leaves_while_it_is_open() {
    let wire = |line: &str| outage(&format!("{GOOD}\n{line}"));
    passes("I13", &wire("11.03 wire i0 c1 > GET"));
    passes("I13", &wire("13.0 wire i0 c1 > PING"));
    passes("I13", &wire("13.0 wire i0 c1 > HELLO\n13.1 wire i0 c1 > CLIENT"));
    passes("I13", &wire("13.0 wire i1 c1 > GET"));
    passes("I13", &wire("22.0 wire i0 c1 > EVALSHA"));
    let says = fails("I13", &wire("13.0 wire i0 c1 > EVALSHA"));
    assert!(says.contains("sent EVALSHA at 13.000 s"), "{says}");
}

#[test]
fn only_so_many_probes_at_once() {
    let wire = |lines: &str| {
        outage(&format!(
            "11.0 breaker i0 closed open\n18.0 breaker i0 open half-open\n{lines}\n19.9 breaker i0 half-open open"
        ))
    };
    passes("I13", &wire("18.1 wire i0 c1 > HELLO\n18.1 wire i0 c1 > CLIENT\n18.2 wire i0 c1 > PING"));
    passes("I13", &wire("18.1 wire i0 c1 > PING\n18.2 wire i0 c1 < value\n18.3 wire i0 c1 > PING"));
    fails("I13", &wire("18.1 wire i0 c1 > PING\n18.2 wire i0 c2 > GET"));
    // Every sentinel is asked at once where to go.
    passes("I13", &wire("18.1 wire i0 c1 > SENTINEL\n18.1 wire i0 c2 > SENTINEL\n18.2 wire i0 c3 > PING"));
    // A probe that was given up makes room.
    passes("I13", &wire("18.1 wire i0 c1 > PING\n19.2 wire i0 c2 > PING"));
}

#[test]
fn a_breaker_that_never_moves_says_nothing_of_safety() {
    unknown("I13", &outage(""));
    unknown("I13", "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis");
}

#[test]
fn it_must_open_in_a_total_outage_with_enough_failures() {
    let says = fails("I14", &outage(""));
    assert!(says.contains("did not open"), "{says}");
    fails(
        "I14",
        &outage(
            "15.0 breaker i0 closed open\n21.0 breaker i0 open half-open\n21.1 breaker i0 half-open closed",
        ),
    );
    // Not total, too short, too few calls, or a call got through.
    unknown("I14", &outage("").replace(" total", ""));
    unknown("I14", &outage("").replace("20.0 fault", "12.0 fault"));
    unknown("I14", &outage("").replace("10.9-11.0 i0 update s0 0-2 -> local", ""));
    unknown("I14", &outage("11.5-11.6 i0 get s0 -> redis 0-2"));
    unknown("I14", &outage("11.5 wire i0 c1 > GET\n11.6 wire i0 c1 < value"));
    // One that waited until Redis was back shows nothing of the time before.
    fails("I14", &outage("11.5-20.1 i0 get s0 -> redis 0-2"));
}

#[test]
fn operations_that_wait_for_one_connection_together_find_out_once() {
    let together = outage("").replace("10.7-10.8", "10.5-10.6").replace("10.9-11.0", "10.5-10.6");
    unknown("I14", &together);
    // What is under way on a connection that stands waits for replies of its own, unless it breaks.
    let stands = "0.5 wire i0 c1 opened\n0.6 wire i0 c1 > GET\n0.7 wire i0 c1 < value";
    fails("I14", &format!("{together}\n{stands}"));
    // One on which nothing was ever answered is still being made.
    unknown("I14", &format!("{together}\n10.4 wire i0 c1 opened\n10.4 wire i0 c1 > TIME"));
    fails("I14", &format!("{together}\n{stands}\n10.6 wire i0 c1 closed subject: end"));
    unknown("I14", &format!("{together}\n{stands}\n10.6 wire i0 c1 closed world: reset"));
    // Another that came and went meanwhile does not end it; they may have waited for one that is being made.
    let in_vain =
        format!("{together}\n{stands}\n10.2 wire i0 c2 opened\n10.3 wire i0 c2 closed world: reset");
    fails("I14", &in_vain);
    unknown("I14", &format!("{in_vain}\n10.4 wire i0 c3 opened"));
    unknown("I14", &format!("{in_vain}\n10.45 wire i0 c1 closed subject: end"));
}

#[test]
fn it_must_close_when_redis_is_back_and_stay_so() {
    let opened = "11.0 breaker i0 closed open";
    fails("I14", &outage(opened));
    fails(
        "I14",
        &outage(&format!("{opened}\n25.0 breaker i0 open half-open\n25.1 breaker i0 half-open closed")),
    );
    passes(
        "I14",
        &outage(&format!("{opened}\n23.0 breaker i0 open half-open\n23.1 breaker i0 half-open closed")),
    );
    // To the very moment.
    let closed = |at: &str| {
        outage(&format!("{opened}\n23.0 breaker i0 open half-open\n{at} breaker i0 half-open closed"))
    };
    passes("I14", &closed("24.05"));
    fails("I14", &closed("24.050000001"));
    let until = |over: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 stall on i0
             {opened}
             20.0 fault 0 stall off i0
             23.0 breaker i0 open half-open
             23.1 breaker i0 half-open closed
             24.0-{over} i0 get s0 -> redis 0-1"
        )
    };
    passes("I14", &until("24.05"));
    unknown("I14", &until("24.049999999"));
    fails("I14", &outage(&format!("{GOOD}\n22.0 breaker i0 closed open")));
    fails("I14", &outage(&format!("{GOOD}\n22.0 breaker i0 closed open\n29.0 breaker i0 open half-open")));
    // It was away too long, though it came back.
    let late = |opened: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 stall on i0
             20.0 fault 0 stall off i0
             {opened} breaker i0 closed open
             55.0 breaker i0 open half-open
             55.1 breaker i0 half-open closed
             60.0-60.1 i0 get s0 -> redis 0-1"
        )
    };
    let says = fails("I14", &late("20.3"));
    assert!(says.contains("not closed again by 24.350 s, but at 55.100 s"), "{says}");
    passes("I14", &late("52.0"));
    // One that opens again at once goes on where it was.
    let again =
        "20.1 breaker i0 closed open\n20.2 breaker i0 open half-open\n20.3 breaker i0 half-open closed";
    let away = |until: &str| {
        let twice = format!("{again}\n21.0 breaker i0 closed open\n{until} breaker i0 open half-open");
        format!("{twice}\n{until} breaker i0 half-open closed\n60.0-60.1 i0 get s0 -> redis none")
    };
    passes("I14", &away("29.0"));
    fails("I14", &away("59.0"));
    // Too soon to tell.
    passes("I14", &outage(&format!("{GOOD}\n29.0 breaker i0 closed open")));
}
