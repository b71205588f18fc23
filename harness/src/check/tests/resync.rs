//! I12: what a resync has to bring.

use super::{fails, passes, unknown};

/// Instance-0 is cut off from 10 s to 20 s, accepts three writes, and brings them.
fn outage(after: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         1.1 wire i0 c0 opened
         10.0 fault 0 refuse on i0 total spares
         11.0-11.1 i0 update s0 0-2 -> local
         12.0-12.1 i0 create s1 0-3 ttl=600 -> local
         13.0-13.1 i0 destroy s2 -> local
         20.0 fault 0 refuse off i0 total spares
         {after}"
    )
}

const BROUGHT: &str = "21.0 resync i0 started 3\n21.5 resync i0 finished 3";

#[test]
fn a_resync_that_finished_leaves_nothing() {
    let then = |lines: &str| outage(&format!("{BROUGHT}\n{lines}"));
    passes("I12", &then(""));
    let says = fails("I12", &then("22.0 resync i0 started 3"));
    assert!(says.contains("nothing was left"), "{says}");
    // What was accepted since is to be brought, and so is what may not have arrived.
    passes("I12", &then("21.8-21.9 i0 update s0 0-4 -> local\n22.0 resync i0 started 1"));
    passes("I12", &then("21.8-21.9 i0 update s0 0-4 -> unknown\n22.0 resync i0 started 1"));
    fails("I12", &then("21.8-21.9 i0 update s0 0-4 -> redis\n22.0 resync i0 started 1"));
    fails("I12", &then("21.8-21.9 i0 get s0 -> local 0-2\n22.0 resync i0 started 1"));
    fails("I12", &then("21.8-21.9 i1 update s0 1-1 -> local\n22.0 resync i0 started 1"));
    // Of an instance that did several things with a session at once nobody knows the order in which Redis took them.
    let at_once = "21.60-21.70 i0 get s0 -> redis 0-2\n21.65-21.68 i0 get s0 -> redis 0-2";
    let acknowledged = "21.8-21.9 i0 update s0 0-4 -> redis\n22.0 resync i0 started 1";
    passes("I12", &then(&format!("{at_once}\n{acknowledged}")));
    fails("I12", &then(&format!("{}\n{acknowledged}", at_once.replace("21.65-21.68", "21.75-21.78"))));
    // Several writes of a session are one to bring.
    fails(
        "I12",
        &then(
            "21.6-21.7 i0 update s0 0-4 -> local\n21.8-21.9 i0 update s0 0-5 -> local\n22.0 resync i0 started 2",
        ),
    );
}

#[test]
fn what_went_with_the_end_of_an_earlier_session_may_be_brought_again_by_who_is_shown_that() {
    let story = |asked: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             1.1 wire i0 c0 opened
             10.0 fault 0 refuse on i0,i1 total spares
             11.0-11.1 i1 destroy s0 -> local
             12.0-12.1 i1 create s0 1-1 ttl=600 -> local
             13.0-13.1 i0 update s0 0-2 -> local
             20.0 fault 0 refuse off i0,i1 total spares
             21.0 resync i0 started 1
             21.5 resync i0 finished 1
             {asked}
             23.0 resync i0 started 1"
        )
    };
    passes("I12", &story("22.0-22.1 i0 get s0 -> redis 1-1"));
    fails("I12", &story("22.0-22.1 i0 get s1 -> redis none"));
}

#[test]
fn what_changes_while_it_is_brought_may_be_left() {
    for meanwhile in [
        "21.2-21.3 i0 update s0 0-4 -> redis",
        "20.5-21.02 i0 get s0 -> local 0-2",
        "21.2-22.9 i0 update s0 0-4 -> redis",
        "21.9-22.9 i0 update s0 0-4 -> redis",
    ] {
        passes("I12", &outage(&format!("{BROUGHT}\n{meanwhile}\n22.0 resync i0 started 1")));
    }
}

#[test]
fn it_brings_each_session_once() {
    let says = fails("I12", &outage("21.0 resync i0 started 3\n21.5 resync i0 finished 6"));
    assert!(says.contains("it brought 6"), "{says}");
    passes("I12", &outage("21.0 resync i0 started 3\n21.5 resync i0 finished 2"));
    let meanwhile = "21.2-21.3 i0 update s0 0-4 -> local\n21.3-21.4 i0 update s0 0-5 -> local";
    passes("I12", &outage(&format!("21.0 resync i0 started 3\n{meanwhile}\n21.5 resync i0 finished 5")));
}

#[test]
fn one_that_was_interrupted_goes_on_where_it_was() {
    let then =
        |lines: &str| outage(&format!("21.0 resync i0 started 3\n21.5 resync i0 interrupted 1\n{lines}"));
    passes("I12", &then("23.0 resync i0 started 1\n23.1 resync i0 finished 1"));
    let says = fails("I12", &then("23.0 resync i0 started 3"));
    assert!(says.contains("interrupted with 1 sessions left"), "{says}");
    passes("I12", &then("22.0-22.1 i0 update s0 0-4 -> local\n23.0 resync i0 started 2"));
    // A new connection may lead to another Redis.
    unknown("I12", &then("22.0 wire i0 c1 opened\n23.0 resync i0 started 3"));
}

#[test]
fn who_may_doubt_whether_redis_has_it_may_bring_it_again() {
    let again = |doubt: &str| outage(&format!("{BROUGHT}\n{doubt}\n22.0 resync i0 started 3"));
    for doubt in [
        "21.6 wire i0 c0 closed redis: reset",
        "21.6 breaker i0 closed open",
        "21.6 fault 1 stall on i0\n21.7 fault 1 stall off i0",
        "21.6 fault 1 flush on i1,i0 loses\n21.6 fault 1 flush off i1,i0 loses",
    ] {
        // The first resync is judged, the second not.
        passes("I12", &again(doubt));
    }
    for before in [
        "3.0 fault 1 evict on i0,i1 loses\n4.0 fault 1 evict off i0,i1 loses",
        "17.0 fault 1 restart on i0,i1\n18.0 fault 1 restart off i0,i1",
        "21.2 wire i0 c0 > EVALSHA session:s0\n21.3 wire i0 c0 < error NOPERM",
        "3.0 wire i0 c1 garbled",
    ] {
        unknown("I12", &again(before));
    }
    fails("I12", &again("3.0 fault 1 restart on i0,i1\n4.0 fault 1 restart off i0,i1"));
    // A server before 7.2 does not know how a connection calls itself, which says nothing of what it has.
    fails("I12", &again("20.9 wire i0 c1 opened\n20.9 wire i0 c1 > CLIENT\n20.91 wire i0 c1 < error ERR"));
    fails("I12", &again("21.2 wire i0 c0 > EVALSHA session:s0\n21.3 wire i0 c0 < error NOSCRIPT"));
    // What strikes one instance is no reason for another to doubt.
    let struck = again("21.6 fault 1 stall on i0 spares\n21.7 fault 1 stall off i0 spares");
    passes("I12", &struck);
    passes("I12", &struck.replace("i0", "i1"));
    fails("I12", &struck.replace("stall on i0", "stall on i1").replace("stall off i0", "stall off i1"));
    // Nothing is known of what Redis refused.
    unknown("I12", &again("").replace("1.1 wire i0 c0 opened", ""));
}

#[test]
fn without_a_resync_there_is_nothing_to_judge() {
    unknown("I12", &outage(""));
    unknown("I12", &outage("21.0 resync i0 started 3"));
}
