//! Where a breaker still cools down once the last fault is over, what was accepted locally has as much longer to get to Redis.

use std::time::Duration;

use super::{finding, story};
use crate::check::Verdict;

/// The verdict of I1 on a write that was accepted locally and is missing at `look`, where R is 20 s instead of 5 s if a breaker was
/// open when the outage was over, at 12 s.
fn verdict(breaker: &str, look: u64) -> Verdict {
    let mut history = story::history(&format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         10.0 fault 0 refuse on i0,i1 total
         {breaker}
         11.0-11.1 i0 update s0 0-2 -> local
         12.0 fault 0 refuse off i0,i1 total
         {look}.0 final fresh s0 0-1"
    ));
    history.head.rules.resync_within_if_open = Some(Duration::from_secs(20));
    finding(&history, "I1").verdict
}

#[test]
fn who_cools_down_has_longer_and_no_longer_than_that() {
    for open in ["10.5 breaker i0 closed open", "11.9 breaker i1 closed open", "12.5 breaker i1 closed open"]
    {
        assert_ne!(verdict(open, 20), Verdict::Fail, "{open}");
        assert_eq!(verdict(open, 40), Verdict::Fail, "{open}");
    }
}

#[test]
fn who_was_closed_all_the_time_or_again_has_not() {
    let closed_again =
        "10.2 breaker i0 closed open\n10.6 breaker i0 open half-open\n10.8 breaker i0 half-open closed";
    for closed in ["10.5 phase outage", closed_again] {
        assert_eq!(verdict(closed, 20), Verdict::Fail, "{closed}");
    }
}
