//! `[[expect.sometimes]]` on one run, and canaries.

use super::story;
use crate::check::index::Index;
use crate::check::{
    Canary, Finding, OnInstances, Seen, SometimesExpectation, Verdict, expect_sometimes, judge,
};
use crate::history::{BreakerState, Capability, Mode};
use crate::load::Kind;

const ONCE: &str = "1.0-1.1 i0 get s0 -> redis none
     10.0 fault 0 refuse on i0 total
     11.0 breaker i0 closed open
     12.0-12.1 i0 update s0 0-1 -> local
     12.0-12.1 i1 get s0 -> redis none
     20.0 fault 0 refuse off i0 total
     21.0 breaker i0 open half-open
     21.5 breaker i0 half-open closed";

fn seen(seen: Seen) -> SometimesExpectation {
    SometimesExpectation { seen: Some(seen), of: None, is: None, during: None, on: OnInstances::Every }
}

fn found(expected: &SometimesExpectation) -> Finding {
    expect_sometimes::judge(&Index::new(&story::history(ONCE)), 0, expected)
}

fn open(operation: Kind) -> Seen {
    Seen { breaker: Some(BreakerState::Open), operation: Some(operation), ..Seen::default() }
}

#[test]
fn a_situation_that_an_operation_met_is_seen() {
    let whole = Seen { fault: "refuse".parse().ok(), mode: Some(Mode::Redis), ..open(Kind::Update) };
    let finding = found(&seen(whole));
    assert_eq!((finding.verdict, finding.judged), (Verdict::Pass, 1), "{finding:?}");
    assert_eq!(
        finding.title,
        "in some run update begins while refuse strikes and the breaker is open and the mode is redis"
    );
    assert_eq!(found(&seen(Seen { operation: Some(Kind::Get), ..Seen::default() })).judged, 2);
}

#[test]
fn what_is_not_seen_is_unknown_and_says_which_part_was_missing_and_what_would_bring_it() {
    let says = |what: Seen| {
        let finding = found(&seen(what));
        assert_eq!(finding.verdict, Verdict::Unknown, "{finding:?}");
        finding.says
    };
    let told = [
        says(open(Kind::Get)),
        says(Seen { breaker: Some(BreakerState::HalfOpen), ..Seen::default() }),
        says(Seen { fault: "flush".parse().ok(), ..open(Kind::Get) }),
        says(Seen { mode: Some(Mode::Local), ..open(Kind::Update) }),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    1 operation began while the breaker is open, none of them a get; more of them in the mix, a higher rate, or more seeds (--repeat) would make it known
    3 operations began, none of them while the breaker is half-open; a fault that lasts longer, another cool-down, or more seeds (--repeat) would make it known
    3 operations began, none of them while flush strikes; that fault while the load goes on would make it known
    1 operation began while the breaker is open, none of them while the mode is local; a fault that lets calls fail for longer, or more seeds (--repeat) would make it known
    ");
}

#[test]
fn only_what_begins_in_the_phase_and_on_the_instance_counts() {
    let during =
        |phase: &str| SometimesExpectation { during: Some(phase.to_owned()), ..seen(open(Kind::Update)) };
    assert_eq!(found(&during("outage")).verdict, Verdict::Pass);
    assert_eq!(found(&during("calm")).verdict, Verdict::Unknown);
    assert_eq!(found(&during("clam")).verdict, Verdict::Unknown);
    let on = |instance| SometimesExpectation { on: OnInstances::One(instance), ..seen(open(Kind::Update)) };
    assert_eq!((found(&on(0)).verdict, found(&on(1)).verdict), (Verdict::Pass, Verdict::Unknown));
}

#[test]
fn a_figure_out_of_its_bound_is_unknown_and_no_failure() {
    let figure = |is: &str| SometimesExpectation {
        seen: None,
        of: "breaker.opened_after".parse().ok(),
        is: is.parse().ok(),
        ..seen(Seen::default())
    };
    let kept = found(&figure("<= 1s"));
    assert_eq!(kept.verdict, Verdict::Pass);
    assert!(kept.title.starts_with("in some run "), "{}", kept.title);
    let missed = found(&figure("> 2s"));
    assert_eq!((missed.verdict, &missed.title[..12]), (Verdict::Unknown, "in some run "));
    assert!(missed.says.contains("1.000 s") && missed.says.contains("--repeat"), "{}", missed.says);
}

#[test]
fn a_subject_that_cannot_show_it_is_skipped() {
    let mut history = story::history(ONCE);
    history.head.rules.can.remove(&Capability::Breaker);
    let finding = expect_sometimes::judge(&Index::new(&history), 0, &seen(open(Kind::Update)));
    assert_eq!(finding.verdict, Verdict::Skipped);
}

const GOOD: &str = "1.0-1.005 i0 create s0 0-1 ttl=600 -> redis
     2.0-2.005 i1 get s0 -> redis 0-1
     10.0 fault 0 latency on i0,i1
     20.0 fault 0 latency off i0,i1
     30.0 phase final
     30.0 final redis s0 left=571
     30.1 final fresh s0 0-1
     30.2 final i0 s0 0-1
     30.3 final i1 s0 0-1";

#[test]
fn a_run_is_judged_alike_with_and_without_what_concerns_the_suite() {
    let mut history = story::history(GOOD);
    history.head.expect.sometimes = vec![seen(open(Kind::Get))];
    let judged = judge(&history);
    assert_eq!(judged.verdict, Verdict::Pass, "{judged:#?}");
    let last = judged.findings.last().unwrap();
    assert!(last.is_of_suite() && last.verdict == Verdict::Unknown, "{last:?}");
}

#[test]
fn a_canary_that_fails_as_it_must_passes_and_one_that_lives_fails() {
    let verdict = |text: &str, fails: &str| {
        let mut history = story::history(text);
        history.head.canary = Some(Canary { flaw: None, fails: fails.to_owned() });
        let judged = judge(&history);
        let canary = &judged.findings[0];
        assert!(canary.is_of_canary());
        assert_eq!((canary.judged, canary.broken), (1, u64::from(canary.verdict == Verdict::Fail)));
        (judged.verdict, judged.findings[0].says.clone())
    };
    let lost = GOOD.replace("30.2 final i0 s0 0-1", "30.2 final i0 s0 none");
    assert_eq!(verdict(&lost, "I1").0, Verdict::Pass);
    let (lives, says) = verdict(&lost, "I9");
    assert_eq!(lives, Verdict::Fail);
    assert!(says.contains("what failed is I1"), "{says}");
    assert_eq!(verdict(GOOD, "I1").0, Verdict::Fail);
}

#[test]
fn a_canary_whose_run_went_wrong_is_invalid_and_no_pass() {
    let mut history = story::history("1.0-1.005 i0 create s0 0-1 ttl=600 -> redis");
    history.head.canary = Some(Canary { flaw: None, fails: "I1".to_owned() });
    assert_eq!(judge(&history).verdict, Verdict::Invalid);
}
