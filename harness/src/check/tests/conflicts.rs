//! I11: writes of the same fact that meet in a resync.

use super::{fails, passes, unknown};

/// Instance-0 is cut off from 10 s to 20 s.
fn apart(meanwhile: &str, end: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         10.0 fault 0 refuse on i0 total spares
         {meanwhile}
         20.0 fault 0 refuse off i0 total spares
         {end}"
    )
}

#[test]
fn the_newest_value_stands_for_every_reader() {
    let older_in_redis =
        |end: &str| apart("11.0-11.1 i1 update s0 1-1 -> redis\n12.0-12.1 i0 update s0 0-2 -> local", end);
    passes("I11", &older_in_redis("30.0 final fresh s0 0-2\n30.1 final i1 s0 0-2"));
    let says = fails("I11", &older_in_redis("30.0 final fresh s0 1-1"));
    assert!(says.contains("the second, which is newer, was to stand"), "{says}");
    fails("I11", &older_in_redis("30.0 final fresh s0 0-2\n30.1 final i1 s0 1-1"));
}

#[test]
fn what_is_newer_in_redis_is_not_overwritten() {
    let newer_in_redis =
        |end: &str| apart("11.0-11.1 i0 update s0 0-2 -> local\n12.0-12.1 i1 update s0 1-1 -> redis", end);
    passes("I11", &newer_in_redis("30.0 final fresh s0 1-1"));
    fails("I11", &newer_in_redis("30.0 final fresh s0 0-2"));
    // At once, not only in the end.
    fails("I11", &newer_in_redis("21.0-21.1 i1 get s0 -> redis 0-2"));
    // Alone with its memory an instance need not know.
    unknown("I11", &newer_in_redis("14.0-14.1 i0 get s0 -> local 0-2"));
}

#[test]
fn where_redis_took_every_write_nothing_met() {
    let written = |outcome: &str| {
        apart(
            &format!("11.0-11.1 i1 update s0 1-1 -> redis\n12.0-12.1 i0 update s0 0-2 -> {outcome}"),
            "30.0 final fresh s0 0-2",
        )
    };
    passes("I11", &written("local"));
    unknown("I11", &written("redis"));
}

#[test]
fn a_look_that_need_not_have_known_of_any_write_says_nothing() {
    let created = |outcome: &str| {
        format!(
            "1.0-1.1 i1 create s0 1-1 ttl=600 -> {outcome}
             10.0 fault 0 refuse on i0 total spares
             11.0-11.1 i0 update s0 0-2 -> local
             20.0 fault 0 refuse off i0 total spares
             20.1 final fresh s0 1-1"
        )
    };
    unknown("I11", &created("unknown"));
    passes("I11", &created("redis"));
}

#[test]
fn of_writes_at_the_same_time_one_stands_everywhere() {
    let same_time = |end: &str| {
        apart("11.00-11.10 i0 update s0 0-2 -> local\n11.05-11.12 i1 update s0 1-1 -> redis", end)
    };
    for winner in ["0-2", "1-1"] {
        passes("I11", &same_time(&format!("30.0 final fresh s0 {winner}\n30.1 final i0 s0 {winner}")));
    }
    let says = fails("I11", &same_time("30.0 final fresh s0 0-2\n30.1 final i0 s0 1-1"));
    assert!(says.contains("one of them was to stand everywhere"), "{says}");
    // One of unknown outcome may take effect between the looks.
    let unknown_write =
        apart("11.00-11.10 i0 update s0 0-2 -> local\n11.05-11.12 i1 update s0 1-1 -> unknown", "");
    passes("I11", &format!("{unknown_write}\n30.0 final fresh s0 0-2\n30.1 final i0 s0 1-1"));
}

#[test]
fn the_newest_expiry_stands() {
    let touched = |left: &str| {
        apart(
            "11.0-11.1 i0 touch s0 ttl=100 -> local\n12.0-12.1 i1 touch s0 ttl=300 -> redis",
            &format!("30.0 phase final\n30.0 final redis s0 left={left}"),
        )
    };
    passes("I11", &touched("282"));
    let says = fails("I11", &touched("81"));
    assert!(says.contains("has the expiry of the first"), "{says}");
    // What no write of another explains is a matter of I9.
    unknown("I11", &touched("140"));
}

#[test]
fn the_newest_of_a_creation_and_a_destruction_stands() {
    let made_again = |end: &str| {
        apart(
            "11.0-11.1 i0 destroy s0 -> local\n12.0-12.1 i1 create s0 1-1 ttl=600 -> redis",
            &format!("30.0 phase final\n{end}"),
        )
    };
    passes("I11", &made_again("30.0 final redis s0 left=582\n30.1 final fresh s0 1-1"));
    let says = fails("I11", &made_again("30.0 final redis s0 none"));
    assert!(says.contains("tells the end by the first"), "{says}");
    let destroyed = |end: &str| {
        apart(
            "11.0-11.1 i0 create s0 0-2 ttl=600 -> local\n12.0-12.1 i1 destroy s0 -> redis",
            &format!("30.0 phase final\n{end}"),
        )
    };
    passes("I11", &destroyed("30.0 final redis s0 none\n30.1 final fresh s0 none"));
    let says = fails("I11", &destroyed("30.0 final redis s0 left=581"));
    assert!(says.contains("still shows the session of the first"), "{says}");
    fails("I11", &destroyed("30.0 final fresh s0 0-2"));
}

#[test]
fn an_update_of_a_session_that_was_ended_and_made_again_need_not_show() {
    let story = |seen: &str| {
        apart(
            "11.0-11.1 i1 destroy s0 -> local
             12.0-12.1 i1 create s0 1-1 ttl=600 -> local
             13.0-13.1 i0 update s0 0-2 -> local",
            &format!("30.0 final fresh s0 {seen}"),
        )
    };
    passes("I11", &story("1-1"));
    passes("I11", &story("0-2"));
    // The first session is over, whatever came after.
    fails("I11", &story("0-1"));
}

#[test]
fn what_one_instance_wrote_or_redis_took_at_once_is_no_conflict() {
    unknown("I11", &apart("11.0-11.1 i0 update s0 0-2 -> local", "30.0 final fresh s0 0-1"));
    unknown("I11", &apart("11.0-11.1 i1 update s0 1-1 -> redis", "30.0 final fresh s0 0-1"));
    // Beside a conflict that was decided rightly what Redis lost is a matter of I1, and a write that failed of I2.
    let lost = "11.0-11.1 i0 update s0 0-2 -> local
         22.0-22.1 i1 update s0 1-1 -> redis
         23.0-23.1 i0 update s0 0-3 -> redis";
    passes("I11", &apart(lost, "30.0 final fresh s0 1-1"));
    let failed = "11.0-11.1 i1 update s0 1-1 -> local\n12.0-12.1 i0 update s0 0-2 -> failed";
    passes("I11", &apart(failed, "30.0 final fresh s0 1-1\n30.1 final i0 s0 0-2"));
    unknown("I11", &apart("11.0-11.1 i0 touch s0 ttl=100 -> local\n12.0-12.1 i1 update s0 1-1 -> redis", ""));
}
