//! What replicas have outlives a primary, and the instances that knew of it.

use super::{finding, passes, story};
use crate::check::Verdict;

/// Two writes, then the primary and both instances are gone; in the end the session is as the last look says.
fn killed(second: &str, kill: &str, seen: &str) -> String {
    format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis replicas
         2.0-2.1 i0 update s0 0-2 -> {second}
         10.0 fault 0 kill on i0,i1 loses {kill}
         10.1 fault 1 crash on i0,i1 ends=killed
         11.0 fault 1 crash off i0,i1 ends=killed
         16.0 fault 0 kill off i0,i1 loses {kill}
         30.0 final fresh s0 {seen}
         30.1 final i0 s0 {seen}
         30.2 final i1 s0 {seen}"
    )
}

#[track_caller]
fn lost(text: &str) {
    let found = finding(&story::history(text), "I1");
    assert_eq!(found.verdict, Verdict::Fail, "{}", found.says);
}

#[test]
fn what_replicas_have_must_be_there_though_redis_and_all_instances_are_gone() {
    lost(&killed("redis replicas", "spares-replicas", "0-1"));
    lost(&killed("redis replicas", "spares-replicas", "none"));
    passes("I1", &killed("redis replicas", "spares-replicas", "0-2"));
}

#[test]
fn what_only_the_primary_had_may_be_lost_and_what_replicas_had_before_it_may_not() {
    passes("I1", &killed("redis", "spares-replicas", "0-1"));
    lost(&killed("redis", "spares-replicas", "none"));
}

#[test]
fn what_an_instance_took_itself_no_replica_has() {
    passes("I1", &killed("local replicas", "spares-replicas", "0-1"));
}

#[test]
fn a_fault_that_spares_no_replica_may_lose_all() {
    for seen in ["0-1", "none"] {
        let found = finding(&story::history(&killed("redis replicas", "", seen)), "I1");
        assert_ne!(found.verdict, Verdict::Fail, "{}", found.says);
    }
}
