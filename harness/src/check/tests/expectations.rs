//! `[[expect.*]]`.

use super::story;
use crate::check::index::Index;
use crate::check::{
    BreakerExpectation, Finding, MetricExpectation, OnInstances, Verdict, expect_breaker, expect_metric,
};
use crate::history::{BreakerState, Capability};

fn breaker(story: &str, sequence: &[BreakerState], on: &str, during: Option<&str>) -> Finding {
    let history = story::history(story);
    let expected = BreakerExpectation {
        sequence: sequence.to_vec(),
        on: on.parse().unwrap(),
        during: during.map(str::to_owned),
    };
    expect_breaker::judge(&Index::new(&history), "expect.breaker[0]", &expected)
}

fn metric_on(story: &str, of: &str, is: &str, on: OnInstances, during: Option<&str>) -> Finding {
    let history = story::history(story);
    let expected = MetricExpectation {
        of: of.parse().unwrap(),
        is: is.parse().unwrap(),
        on,
        during: during.map(str::to_owned),
    };
    expect_metric::judge(&Index::new(&history), "expect.metric[0]", &expected)
}

fn metric(story: &str, of: &str, is: &str, during: Option<&str>) -> Finding {
    metric_on(story, of, is, OnInstances::Every, during)
}

use BreakerState::{Closed, HalfOpen, Open};

const ONCE: &str = "1.0-1.1 i0 get s0 -> redis none
     1.0-1.1 i1 get s0 -> redis none
     10.0 fault 0 refuse on i0 total
     11.0 breaker i0 closed open
     20.0 fault 0 refuse off i0 total
     21.0 breaker i0 open half-open
     21.5 breaker i0 half-open closed";

#[test]
fn a_sequence_is_compared_as_a_whole() {
    let whole = [Closed, Open, HalfOpen, Closed];
    assert_eq!(breaker(ONCE, &whole, "instance-0", None).verdict, Verdict::Pass);
    assert_eq!(breaker(ONCE, &whole, "any", None).verdict, Verdict::Pass);
    let wrong = breaker(ONCE, &[Closed, Open], "instance-0", None);
    assert_eq!(wrong.verdict, Verdict::Fail);
    assert!(wrong.says.contains("went closed, open, half-open, closed"), "{}", wrong.says);
    // Another that never opened does not excuse it; who may be any is still to be found.
    assert_eq!(breaker(ONCE, &[Closed, Open], "every", None).verdict, Verdict::Fail);
    assert_eq!(breaker(ONCE, &[Closed, Open], "any", None).verdict, Verdict::Unknown);
    assert_eq!(breaker(ONCE, &[Closed], "instance-1", None).verdict, Verdict::Pass);
    assert_eq!(breaker(ONCE, &[Closed], "every", None).verdict, Verdict::Fail);
    assert_eq!(breaker(ONCE, &[Closed, Open], "every", Some("outage")).verdict, Verdict::Unknown);
    assert_eq!(breaker(ONCE, &[Closed, Open], "instance-0", Some("outage")).verdict, Verdict::Pass);
    assert_eq!(breaker(ONCE, &[Open, HalfOpen, Closed], "instance-0", Some("calm")).verdict, Verdict::Pass);
}

#[test]
fn a_breaker_that_never_opened_leaves_a_longer_sequence_unknown() {
    let never = breaker(ONCE, &[Closed, Open], "instance-1", None);
    assert_eq!(never.verdict, Verdict::Unknown);
    assert!(never.says.contains("would make it known"));
    assert_eq!(breaker("1.0 phase calm", &[Closed], "every", None).verdict, Verdict::Unknown);
    assert_eq!(breaker(ONCE, &[Closed], "instance-7", None).verdict, Verdict::Unknown);
    assert_eq!(breaker(ONCE, &[Closed], "every", Some("clam")).verdict, Verdict::Unknown);
}

const LOAD: &str = "1.0-1.1 i0 create s0 0-1 ttl=60 -> redis
     11.0-11.1 i0 get s0 -> local 0-1
     12.0-12.2 i0 get s0 -> redis 0-1
     13.0-13.3 i1 get s0 -> unknown
     14.0-14.4 i1 update s1 1-1 -> no-session";

#[test]
fn shares_count_what_was_due_in_the_phase() {
    assert_eq!(metric(LOAD, "get.ok_rate", ">= 0.6", None).verdict, Verdict::Pass);
    let fails = metric(LOAD, "get.ok_rate", ">= 0.7", Some("outage"));
    assert_eq!(fails.verdict, Verdict::Fail);
    assert!(fails.says.contains("0.66667 of 3"), "{}", fails.says);
    assert_eq!(metric(LOAD, "update.ok_rate", ">= 1", None).verdict, Verdict::Pass);
    assert_eq!(metric(LOAD, "all.ok_rate", ">= 0.8", None).verdict, Verdict::Pass);
    assert_eq!(metric(LOAD, "get.local_rate", ">= 0.5", None).verdict, Verdict::Pass);
    assert_eq!(metric(LOAD, "get.local_rate", "> 0.5", None).verdict, Verdict::Fail);
    assert_eq!(metric(LOAD, "get.ok_rate", ">= 0", Some("calm")).verdict, Verdict::Unknown);
    assert_eq!(metric(LOAD, "destroy.ok_rate", ">= 0", None).verdict, Verdict::Unknown);
    assert_eq!(metric(LOAD, "update.local_rate", ">= 0", None).verdict, Verdict::Unknown);
    let of_one = |on| metric_on(LOAD, "get.ok_rate", ">= 1", on, None).verdict;
    assert_eq!(of_one(OnInstances::One(0)), Verdict::Pass);
    assert_eq!(of_one(OnInstances::One(1)), Verdict::Fail);
    assert_eq!(of_one(OnInstances::Any), Verdict::Pass);
    assert_eq!(of_one(OnInstances::One(9)), Verdict::Unknown);
}

#[test]
fn of_the_writes_that_were_acknowledged_those_count_that_replicas_have() {
    let writes =
        format!("{LOAD}\n15.0-15.1 i0 update s0 0-2 -> redis replicas\n16.0-16.1 i0 destroy s0 -> local");
    assert_eq!(metric(&writes, "update.replicated_rate", ">= 1", None).verdict, Verdict::Pass);
    let all = metric(&writes, "all.replicated_rate", ">= 0.4", None);
    assert_eq!(all.verdict, Verdict::Fail);
    assert!(all.says.contains("0.33333 of 3"), "{}", all.says);
    assert_eq!(metric(LOAD, "destroy.replicated_rate", ">= 0", None).verdict, Verdict::Unknown);
    assert!("get.replicated_rate".parse::<crate::check::Metric>().is_err());
}

#[test]
fn latency_counts_from_when_an_operation_was_due() {
    assert_eq!(metric(LOAD, "get.max", "<= 300ms", None).verdict, Verdict::Pass);
    assert_eq!(metric(LOAD, "get.max", "< 300ms", None).verdict, Verdict::Fail);
    assert_eq!(metric(LOAD, "get.p50", "<= 201ms", None).verdict, Verdict::Pass);
    assert_eq!(metric(LOAD, "get.p50", "> 199ms", None).verdict, Verdict::Pass);
    let hangs = "1.0 i0 get s0 -> never\n9.0 phase calm";
    assert_eq!(metric(hangs, "get.p50", ">= 7.9s", None).verdict, Verdict::Pass);
}

#[test]
fn a_resync_lasts_from_start_to_finish() {
    let story = "2.0 resync i0 started 3
         3.0 resync i0 interrupted 2
         4.0 resync i0 started 2
         5.5 resync i0 finished 2
         5.0 resync i1 started 1
         6.0 resync i1 finished 1";
    assert_eq!(metric(story, "resync.duration", "<= 3500ms", None).verdict, Verdict::Pass);
    assert_eq!(metric(story, "resync.duration", "< 3500ms", None).verdict, Verdict::Fail);
    // Of several that took the longest, the first is shown.
    let alike = "2.0 resync i0 started 3\n3.0 resync i0 finished 3\n5.0 resync i1 started 1\n6.0 resync i1 finished 1";
    let longest = metric(alike, "resync.duration", "< 1s", None);
    let shown: Vec<u64> = longest.witness.iter().map(|entry| entry.t / 1_000_000_000).collect();
    assert_eq!((longest.verdict, shown), (Verdict::Fail, vec![2, 3]));
    let endless = metric("2.0 resync i0 started 3", "resync.duration", "<= 5s", None);
    assert_eq!(endless.verdict, Verdict::Fail);
    assert!(endless.says.contains("never came"), "{}", endless.says);
    assert_eq!(metric("2.0 phase calm", "resync.duration", "<= 5s", None).verdict, Verdict::Unknown);
}

#[test]
fn a_resync_that_was_interrupted_lasts_until_what_it_left_is_brought() {
    let is = |story: &str, bound: &str| metric(story, "resync.duration", bound, None);
    let once = "1.0 resync i0 started 1\n1.5 resync i0 finished 1\n2.0 resync i0 started 3";
    let endless = is(&format!("{once}\n3.0 resync i0 interrupted 2"), "<= 5s");
    assert_eq!(endless.verdict, Verdict::Fail);
    assert!(endless.says.contains("never came"), "{}", endless.says);
    // It left nothing.
    assert_eq!(is(&format!("{once}\n3.0 resync i0 interrupted 0"), "<= 500ms").verdict, Verdict::Pass);
    // Another process knows nothing of the one that ended without a word.
    let anew = format!("{once}\n30.0 resync i0 started 3\n31.0 resync i0 finished 3");
    assert_eq!(is(&anew, "<= 1s").verdict, Verdict::Pass);
    // The one after it is a new one.
    let twice =
        format!("{once}\n3.0 resync i0 interrupted 2\n4.0 resync i0 started 2\n5.0 resync i0 finished 2");
    let after = format!("{twice}\n30.0 resync i0 started 1\n31.0 resync i0 finished 1");
    assert_eq!(is(&after, "<= 3s").verdict, Verdict::Pass);
    assert_eq!(is(&after, "< 3s").verdict, Verdict::Fail);
}

#[test]
fn opening_and_closing_are_measured_on_the_instances_struck() {
    assert_eq!(metric(ONCE, "breaker.opened_after", "<= 1s", None).verdict, Verdict::Pass);
    assert_eq!(metric(ONCE, "breaker.opened_after", "< 1s", None).verdict, Verdict::Fail);
    assert_eq!(metric(ONCE, "breaker.closed_after", "<= 1500ms", None).verdict, Verdict::Pass);
    assert_eq!(metric(ONCE, "breaker.closed_after", "< 1500ms", None).verdict, Verdict::Fail);
    // What strikes another instance is no fault of this one's.
    let another = format!("{ONCE}\n22.0 fault 1 refuse on i1 total\n23.0 fault 1 refuse off i1 total");
    let of_one = |of: &str, is: &str| metric_on(&another, of, is, OnInstances::One(0), None).verdict;
    assert_eq!(of_one("breaker.closed_after", "< 1500ms"), Verdict::Fail);
    assert_eq!(of_one("breaker.opened_after", "<= 1s"), Verdict::Pass);
    // There is no third.
    let third = metric_on(&another, "breaker.opened_after", "<= 1s", OnInstances::One(2), None);
    assert_eq!(third.verdict, Verdict::Unknown);
    assert!(third.says.contains("no fault struck an instance"), "{}", third.says);
    let stuck = ONCE.replace("21.5 breaker i0 half-open closed", "");
    assert_eq!(metric(&stuck, "breaker.closed_after", "<= 9s", None).verdict, Verdict::Fail);
    let never = "10.0 fault 0 refuse on i0 total\n20.0 fault 0 refuse off i0 total";
    assert_eq!(metric(never, "breaker.opened_after", "<= 9s", None).verdict, Verdict::Unknown);
    let asked = format!("{never}\n11.0-11.1 i0 get s0 -> failed");
    let finding = metric(&asked, "breaker.opened_after", "<= 9s", None);
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(finding.says.contains("never came"), "{}", finding.says);
    assert_eq!(metric("1.0 phase calm", "breaker.closed_after", "<= 9s", None).verdict, Verdict::Unknown);
}

#[test]
fn an_expectation_of_what_the_subject_cannot_do_is_skipped() {
    let mut history = story::history(ONCE);
    history.head.rules.can = [Capability::Ttl].into();
    let index = Index::new(&history);
    for of in ["breaker.opened_after", "resync.duration", "get.local_rate"] {
        let (of, is) = (of.parse().unwrap(), ">= 0".parse().unwrap());
        let expected = MetricExpectation { of, is, during: None, on: OnInstances::Every };
        assert_eq!(expect_metric::judge(&index, "expect.metric[0]", &expected).verdict, Verdict::Skipped);
    }
}
