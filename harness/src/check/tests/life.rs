//! I6, I8 and I10: whether a session is there.

use super::{fails, passes, unknown};

#[test]
fn a_destroyed_session_stays_away() {
    let story = |end: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i0 destroy s0 -> redis
             {end}"
        )
    };
    passes("I6", &story("3.0-3.1 i0 get s0 -> redis none"));
    passes("I6", &story("3.0-3.1 i1 get s0 -> redis none"));
    fails("I6", &story("3.0-3.1 i0 get s0 -> redis 0-1"));
    fails("I6", &story("3.0-3.1 i1 get s0 -> redis 0-1"));
    fails("I6", &story("3.0-3.1 i0 get s0 -> local 0-1"));
    fails("I6", &story("9.0 final redis s0 left=590"));
    fails("I6", &story("9.0 final i1 s0 0-1"));
    fails("I6", &story("3.0-3.1 i0 ttl s0 -> redis left=590"));
    // Another instance need not know while it is on its own.
    unknown("I6", &story("3.0-3.1 i1 get s0 -> local 0-1"));
    unknown("I6", "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis\n2.0-2.1 i0 get s0 -> redis 0-1");
}

#[test]
fn created_again_it_lives_again() {
    let story = |value: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i0 destroy s0 -> redis
             3.0-3.1 i0 create s0 0-2 ttl=600 -> redis
             4.0-4.1 i0 get s0 -> redis {value}"
        )
    };
    passes("I6", &story("0-2"));
    passes("I8", &story("0-2"));
    fails("I6", &story("0-1"));
    fails("I8", &story("none"));
    // A create of unknown outcome may have done it too.
    passes(
        "I6",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 destroy s0 -> redis
         3.0-3.1 i1 create s0 1-1 ttl=600 -> unknown
         4.0-4.1 i0 get s0 -> redis 1-1
         9.0 final redis s0 left=590",
    );
    // One that failed before it did anything has not.
    fails(
        "I6",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 destroy s0 -> redis
         3.0-3.1 i1 create s0 1-1 ttl=600 -> failed
         9.0 final redis s0 left=590",
    );
}

#[test]
fn a_destroy_and_a_create_at_the_same_time_may_go_either_way() {
    for end in ["none", "1-1"] {
        let story = format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.00-2.10 i0 destroy s0 -> redis
             2.05-2.12 i1 create s0 1-1 ttl=600 -> redis
             9.0 final fresh s0 {end}"
        );
        passes("I6", &story);
        assert_ne!(super::verdict("I1", &story), crate::check::Verdict::Fail);
    }
}

#[test]
fn an_update_revives_nothing() {
    let story = |end: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0 total
             11.0-11.1 i0 destroy s0 -> local
             12.0-12.1 i1 update s0 1-1 -> redis
             12.5-12.6 i1 get s0 -> redis 1-1
             20.0 fault 0 refuse off i0 total
             {end}"
        )
    };
    passes("I6", &story("30.0 final fresh s0 none"));
    fails("I6", &story("30.0 final fresh s0 1-1"));
    fails("I6", &story("30.0 final redis s0 left=570"));
    passes("I1", &story("30.0 final fresh s0 none"));
}

#[test]
fn a_destroy_during_an_outage_reaches_the_others_by_h_plus_r() {
    let story = |at: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0 total
             11.0-11.1 i0 destroy s0 -> local
             20.0 fault 0 refuse off i0 total
             {at} i1 get s0 -> redis 0-1"
        )
    };
    unknown("I6", &story("24.0-24.1"));
    fails("I6", &story("26.0-26.1"));
}

#[test]
fn what_an_instance_said_was_gone_does_not_come_back_by_itself() {
    let story = |then: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             1.5-1.6 i1 get s0 -> redis 0-1
             2.0-2.1 i0 destroy s0 -> redis
             3.0-3.1 i1 get s0 -> redis none
             {then}"
        )
    };
    let says = fails("I6", &story("4.0-4.1 i1 get s0 -> local 0-1"));
    assert!(says.contains("is gone"), "{says}");
    passes("I6", &story("4.0-4.1 i0 create s0 0-2 ttl=9 -> local\n5.0-5.1 i1 get s0 -> redis 0-2"));
    // Redis had lost it for a moment.
    let lost = |loses: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.0-2.1 i0 destroy s0 -> unknown
             10.0 fault 0 flush on i0,i1 {loses}
             10.1 fault 0 flush off i0,i1 {loses}
             10.5-10.6 i1 get s0 -> redis none
             12.0-12.1 i1 get s0 -> redis 0-1"
        )
    };
    assert_ne!(super::verdict("I6", &lost("loses")), crate::check::Verdict::Fail);
    fails("I6", &lost("spares"));
    // It had expired for one; another had extended it on its own, and brings that.
    let extended = |outcome: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=5 -> redis
             1.2-1.3 i0 destroy s0 -> unknown
             3.0-3.1 i0 touch s0 ttl=600 -> {outcome}
             8.0-8.1 i1 get s0 -> redis none
             12.0-12.1 i1 get s0 -> redis 0-1"
        )
    };
    assert_ne!(super::verdict("I6", &extended("local")), crate::check::Verdict::Fail);
    fails("I6", &extended("failed"));
}

#[test]
fn what_lives_is_not_missing() {
    let story = |read: &str| format!("1.0-1.1 i0 create s0 0-1 ttl=600 -> redis\n{read}");
    passes("I8", &story("2.0-2.1 i1 get s0 -> redis 0-1"));
    fails("I8", &story("2.0-2.1 i1 get s0 -> redis none"));
    fails("I8", &story("2.0-2.1 i0 get s0 -> local none"));
    fails("I8", &story("2.0-2.1 i0 ttl s0 -> local none"));
    fails("I8", &story("2.0-2.1 i0 update s0 0-2 -> no-session"));
    // Alone with its memory another instance need not know it; to be unavailable is no claim at all.
    unknown("I8", &story("2.0-2.1 i1 get s0 -> local none"));
    unknown("I8", &story("2.0-2.1 i0 get s0 -> failed"));
    // But what it has once seen it knows.
    fails("I8", &story("2.0-2.1 i1 get s0 -> redis 0-1\n3.0-3.1 i1 get s0 -> local none"));
}

#[test]
fn what_may_be_destroyed_may_be_missing() {
    for destroy in ["unknown", "redis", "local"] {
        unknown(
            "I8",
            &format!(
                "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
                 2.0-2.1 i1 destroy s0 -> {destroy}
                 3.0-3.1 i0 get s0 -> redis none"
            ),
        );
    }
    fails(
        "I8",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i1 destroy s0 -> failed
         3.0-3.1 i0 get s0 -> redis none",
    );
}

#[test]
fn readers_agree_at_the_end() {
    let story = |looks: &str| {
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             2.00-2.10 i0 update s0 0-2 -> redis
             2.05-2.12 i1 update s0 1-1 -> redis
             {looks}"
        )
    };
    passes("I10", &story("9.0 final redis s0 left=590\n9.1 final fresh s0 0-2\n9.2 final i0 s0 0-2"));
    fails("I10", &story("9.0 final fresh s0 0-2\n9.1 final i0 s0 1-1"));
    fails("I10", &story("9.0 final redis s0 none\n9.1 final i0 s0 1-1"));
    fails("I10", &story("9.0 final redis s0 left=590\n9.1 final i0 s0 none"));
    unknown("I10", &story("9.0 final fresh s0 0-2\n9.1 final i0 s0 error"));
    // What was accepted locally may still have to be brought, and nothing else.
    let late = |line: &str| story(&format!("{line}\n9.0 final fresh s0 0-3\n9.1 final i0 s0 1-1"));
    unknown("I10", &late("8.0-8.1 i0 update s0 0-3 -> local"));
    fails("I10", &late("8.0-8.1 i0 update s0 0-3 -> redis"));
    fails("I10", &late("8.0-8.1 i1 get s0 -> local 1-1"));
    // Nobody ever made it.
    unknown("I10", "9.0 final fresh s0 none\n9.1 final i0 s0 none");
    unknown("I10", &story(""));
}

#[test]
fn readers_may_differ_where_something_is_still_on_its_way() {
    unknown(
        "I10",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         8.0-8.1 i0 update s0 0-2 -> local
         9.0 final fresh s0 0-1
         9.1 final i0 s0 0-2",
    );
    passes(
        "I10",
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         2.0-2.1 i0 update s0 0-2 -> unknown
         9.0 final fresh s0 0-1
         9.1 final i0 s0 0-2",
    );
    // It expires while they look.
    passes(
        "I10",
        "1.0-1.1 i0 create s0 0-1 ttl=8 -> redis
         8.9 final redis s0 left=0.15
         9.1 final i0 s0 none",
    );
}

#[test]
fn an_instance_that_answers_nothing_at_the_end_has_not_recovered() {
    let story = |last: &str| {
        let start = "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis";
        let looks = (0..3).map(|n| format!("30.{n}1 final fresh s{n} none\n30.{n}2 final i1 s{n} {last}"));
        [start.to_owned(), looks.collect::<Vec<_>>().join("\n").replace("fresh s0 none", "fresh s0 0-1")]
            .join("\n")
    };
    let says = fails("I10", &story("error"));
    assert!(says.contains("instance-1 could not read 3 of 3 sessions"), "{says}");
    passes("I10", &story("none").replace("i1 s0 none", "i1 s0 0-1"));
    // It answers nothing when it fails more looks than it answers.
    let more = |answers: usize| {
        let looks = (0..answers).map(|n| format!("31.{n}0 final i1 s9 none"));
        format!("{}\n{}", story("error"), looks.collect::<Vec<_>>().join("\n"))
    };
    assert!(fails("I10", &more(2)).contains("instance-1 could not read 3 of 5 sessions"));
    unknown("I10", &more(3));
}

#[test]
fn an_instance_that_answers_nothing_when_all_has_settled_has_not_recovered() {
    let story = |ending: &str| {
        let gets = (0..4).map(|n| format!("3{n}.0-3{n}.1 i1 get s0 -> {ending}"));
        format!(
            "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
             10.0 fault 0 refuse on i0,i1 total
             20.0 fault 0 refuse off i0,i1 total
             {}
             50.0 final fresh s0 0-1
             50.1 final i0 s0 0-1",
            gets.collect::<Vec<_>>().join("\n")
        )
    };
    let says = fails("I10", &story("failed"));
    assert!(says.contains("instance-1 answered none of the 4 times that it was asked to get"), "{says}");
    fails("I10", &story("unknown"));
    passes("I10", &story("failed").replacen("failed", "redis 0-1", 1));
    passes("I10", &story("failed").replace("20.0 fault", "33.5 fault"));
}

#[test]
fn what_was_destroyed_cannot_be_updated_or_touched() {
    for change in ["update s0 1-1", "touch s0 ttl=60"] {
        let story = |between: &str, ending: &str| {
            format!(
                "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
                 2.0-2.1 i0 destroy s0 -> redis
                 {between}
                 4.0-4.1 i1 {change} -> {ending}"
            )
        };
        fails("I6", &story("", "redis"));
        unknown("I6", &story("", "no-session"));
        passes("I6", &story("3.0-3.1 i0 create s0 0-2 ttl=600 -> redis", "redis"));
        // By what it knows itself the session is there.
        unknown("I6", &story("", "local"));
    }
}
