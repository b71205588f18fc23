//! I7, I8 and I9: how long a session lives.

use super::{fails, passes, unknown};

#[test]
fn nothing_is_read_after_its_expiry() {
    let story = |read: &str| format!("1.0-1.1 i0 create s0 0-1 ttl=10 -> redis\n{read}");
    passes("I7", &story("11.3-11.4 i1 get s0 -> redis none"));
    fails("I7", &story("11.2-11.4 i1 get s0 -> redis 0-1"));
    fails("I7", &story("11.2-11.4 i0 get s0 -> local 0-1"));
    fails("I7", &story("19.0 final redis s0 none\n19.1 final fresh s0 0-1"));
    // Exactly at the edge, counted from the return, and within e.
    unknown("I7", &story("11.1-11.2 i1 get s0 -> redis 0-1"));
    unknown("I7", &story("11.15-11.2 i1 get s0 -> redis 0-1"));
    unknown("I7", &story("5.0-5.1 i1 get s0 -> redis 0-1"));
}

#[test]
fn an_extension_lasts_and_a_shortening_counts() {
    let story = |touch: &str, read: &str| {
        format!("1.0-1.1 i0 create s0 0-1 ttl=10 -> redis\n2.0-2.1 i1 touch s0 {touch}\n{read}")
    };
    unknown("I7", &story("ttl=60 -> redis", "15.0-15.1 i0 get s0 -> redis 0-1"));
    let says = fails("I8", &story("ttl=60 -> redis", "15.0-15.1 i0 get s0 -> redis none"));
    assert!(says.contains("touch of s0 by instance-1 with a TTL of 60.000 s"), "{says}");
    fails("I7", &story("ttl=2 -> redis", "8.0-8.1 i0 get s0 -> redis 0-1"));
    // The touch itself found it.
    passes("I8", &story("ttl=2 -> redis", "8.0-8.1 i0 get s0 -> redis none"));
    // Accepted elsewhere only: it may be known, or not yet.
    for read in ["15.0-15.1 i0 get s0 -> redis 0-1", "15.0-15.1 i0 get s0 -> local none"] {
        let story = story("ttl=60 -> unknown", read);
        unknown("I7", &story);
        unknown("I8", &story);
    }
    unknown("I8", &story("ttl=60 -> local", "6.0-6.1 i1 get s0 -> failed"));
    fails("I7", &story("ttl=60 -> failed", "15.0-15.1 i0 get s0 -> redis 0-1"));
}

#[test]
fn missing_just_before_its_expiry_is_within_e() {
    let story = |read: &str| format!("1.0-1.1 i0 create s0 0-1 ttl=10 -> redis\n{read}");
    unknown("I8", &story("10.9-10.96 i0 get s0 -> redis none"));
    fails("I8", &story("10.8-10.9 i0 get s0 -> redis none"));
    unknown("I8", &story("12.0-12.1 i0 get s0 -> redis none"));
}

#[test]
fn an_update_keeps_the_ttl() {
    let story = |left: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis
             30.0-30.1 i0 update s0 0-2 -> redis
             41.0-41.1 i0 get s0 -> redis 0-2
             41.1 final redis s0 {left}"
        )
    };
    passes("I9", &story("left=19.9"));
    passes("I9", &story("left=20.4"));
    let says = fails("I9", &story("left=49"));
    assert!(says.contains("s0 was to expire at 61.100 s"), "{says}");
    assert!(says.contains("create 0-1 of s0 by instance-0 with a TTL of 60.000 s"), "{says}");
    assert!(says.contains("too late"), "{says}");
    fails("I9", &story("left=15"));
    let says = fails("I9", &story("forever"));
    assert!(says.contains("no TTL"), "{says}");
    fails(
        "I9",
        "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis
         30.0-30.1 i0 update s0 0-2 -> local
         31.0-31.1 i0 ttl s0 -> local left=59",
    );
}

#[test]
fn a_ttl_survives_the_resync() {
    let story = |left: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis
             10.0 fault 0 kill on i0,i1 total loses
             11.0-11.1 i0 touch s0 ttl=100 -> local
             20.0 fault 0 kill off i0,i1 total loses
             21.0 resync i0 started 1
             21.5 resync i0 finished 1
             26.0 phase final
             26.0 final redis s0 {left}"
        )
    };
    passes("I9", &story("left=85"));
    fails("I9", &story("left=100"));
    fails("I9", &story("left=35"));
    fails("I9", &story("forever"));
}

#[test]
fn a_ttl_that_nothing_stirred_is_judged_only_when_it_is_wrong() {
    unknown(
        "I9",
        "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis\n2.0-2.1 i0 get s0 -> redis 0-1\n2.1 final redis s0 left=59",
    );
    fails(
        "I9",
        "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis\n2.0-2.1 i0 get s0 -> redis 0-1\n2.1 final redis s0 left=30",
    );
}

#[test]
fn a_touch_of_unknown_outcome_makes_both_ttls_admissible() {
    for left in ["19.9", "99", "80"] {
        passes(
            "I9",
            &format!(
                "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis
                 20.0-20.1 i0 touch s0 ttl=100 -> unknown
                 30.0-30.1 i0 update s0 0-2 -> redis
                 41.0-41.1 i0 get s0 -> redis 0-2
                 41.1 final redis s0 left={left}"
            ),
        );
    }
}

#[test]
fn a_clock_of_redis_that_was_off_moves_expiries_by_as_much_and_no_more() {
    let story = |left: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis
             2.0 fault 0 clock_jump on i0,i1 off_ms=10000
             3.0-3.1 i0 update s0 0-2 -> redis
             4.0 fault 0 clock_jump off i0,i1 off_ms=10000
             21.0 final redis s0 {left}"
        )
    };
    for (left, right) in
        [("left=40", true), ("left=31", true), ("left=49", true), ("left=28", false), ("left=52", false)]
    {
        if right { passes("I9", &story(left)) } else { drop(fails("I9", &story(left))) }
    }
    fails("I9", &story("forever"));
    let gone = |at: &str| {
        format!(
            "{}\n{at} i0 get s0 -> redis none",
            story("left=40").lines().take(4).collect::<Vec<_>>().join("\n")
        )
    };
    fails("I8", &gone("40.0-40.1"));
    passes("I8", &gone("55.0-55.1"));
}
