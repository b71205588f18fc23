//! `[[expect.told]]`.

use super::story;
use crate::check::index::Index;
use crate::check::{Finding, ToldExpectation, Verdict, expect_told, judge};
use crate::history::{Entry, Event, History, Telling, Topic};

const METRICS: &str = "# TYPE circuit_open counter\ncircuit_open_total 1\ncircuit_breaker_state 1\n";

/// Both instances were asked, and answered this.
fn history(of: Topic, phase: &str, answers: [Telling; 2]) -> History {
    let mut history = story::history("");
    history.head.rules.can.extend(Topic::ALL.map(Topic::capability));
    add(&mut history, of, phase, answers);
    history
}

fn add(history: &mut History, of: Topic, phase: &str, answers: [Telling; 2]) {
    for (instance, answer) in (0..).zip(answers) {
        let phase = phase.to_owned();
        let t = history.entries.len() as u64 + 1;
        history.entries.push(Entry { t, e: Event::Told { instance, of, phase, asked: t, answer } });
    }
}

fn text(text: &str) -> Telling {
    Telling::of(text.to_owned())
}

fn expected(of: Topic, line: &str, during: Option<&str>, on: &str) -> ToldExpectation {
    let on = on.parse().unwrap();
    ToldExpectation { of, line: line.to_owned(), during: during.map(str::to_owned), on, never: false }
}

fn judged(history: &History, expected: &ToldExpectation) -> Finding {
    expect_told::judge(&Index::new(history), "expect.told[0]", expected)
}

fn metrics(answers: [&str; 2], line: &str, on: &str, never: bool) -> Finding {
    let history = history(Topic::Metrics, "outage", answers.map(text));
    let expected = ToldExpectation { never, ..expected(Topic::Metrics, line, Some("outage"), on) };
    judged(&history, &expected)
}

#[test]
fn a_line_must_fit_as_a_whole_and_a_failure_shows_the_nearest() {
    let both = [METRICS, METRICS];
    assert_eq!(metrics(both, "circuit_open_total*1", "every", false).verdict, Verdict::Pass);
    assert_eq!(metrics(both, "circuit_open_total", "every", false).verdict, Verdict::Fail);
    let wrong = metrics(both, "circuit_open_total 2", "every", false);
    assert_eq!((wrong.verdict, wrong.broken, wrong.witness.len()), (Verdict::Fail, 2, 1));
    assert_eq!(wrong.title, "metrics tells `circuit_open_total 2` during outage");
    assert!(
        wrong
            .says
            .contains("asked for its metrics, instance-0 told 3 lines, none of them `circuit_open_total 2`"),
        "{}",
        wrong.says
    );
    assert!(
        wrong.says.contains("the nearest: # TYPE circuit_open counter | circuit_open_total 1"),
        "{}",
        wrong.says
    );
}

#[test]
fn who_must_tell_it_is_every_any_or_one() {
    let one = [METRICS, "circuit_open_total 0\n"];
    let verdict = |on| metrics(one, "circuit_open_total 1", on, false).verdict;
    assert_eq!(verdict("every"), Verdict::Fail);
    assert_eq!(verdict("any"), Verdict::Pass);
    assert_eq!(verdict("instance-0"), Verdict::Pass);
    assert_eq!(verdict("instance-1"), Verdict::Fail);
    assert_eq!(verdict("instance-7"), Verdict::Unknown);
}

#[test]
fn what_must_never_be_told_is_shown_when_it_is() {
    let both = [METRICS, METRICS];
    assert_eq!(metrics(both, "*password*", "every", true).verdict, Verdict::Pass);
    let wrong = metrics([METRICS, "password = x"], "*password*", "every", true);
    assert_eq!(wrong.verdict, Verdict::Fail);
    assert_eq!(wrong.title, "metrics never tells `*password*` during outage");
    assert!(wrong.says.contains("instance-1 told password = x, which must not be"), "{}", wrong.says);
    assert_eq!(metrics(["", ""], "*password*", "every", true).verdict, Verdict::Unknown);
}

#[test]
fn who_answers_nothing_or_too_late_fails_both_ways() {
    let late = Telling::Error { code: "timeout".to_owned(), text: "no answer within 2s".to_owned() };
    let history = history(Topic::Health, "outage", [text("down"), late]);
    for never in [false, true] {
        let line = if never { "*up*" } else { "*down*" };
        let expected = ToldExpectation { never, ..expected(Topic::Health, line, Some("outage"), "every") };
        let found = judged(&history, &expected);
        assert_eq!(found.verdict, Verdict::Fail);
        let words = "asked for its health, instance-1 told nothing: timeout: no answer within 2s";
        assert!(found.says.contains(words), "{}", found.says);
    }
}

#[test]
fn an_empty_answer_lacks_the_line_and_silence_is_unknown() {
    assert_eq!(metrics(["", ""], "*x*", "every", false).verdict, Verdict::Fail);
    let history = history(Topic::Metrics, "outage", [text(METRICS), text(METRICS)]);
    for (of, during) in [(Topic::Log, None), (Topic::Metrics, Some("calm")), (Topic::Metrics, None)] {
        let found = judged(&history, &expected(of, "*circuit*", during, "every"));
        assert_eq!(found.verdict, Verdict::Unknown, "{}", found.says);
        assert!(found.says.contains("would make it known"), "{}", found.says);
    }
    let found = judged(&history, &expected(Topic::Metrics, "*x*", Some("clam"), "every"));
    assert_eq!(found.verdict, Verdict::Unknown);
    assert!(found.says.contains("did you mean \"calm\""), "{}", found.says);
}

#[test]
fn a_text_that_was_cut_proves_what_it_has_and_nothing_else() {
    let long = METRICS.repeat(2000);
    let found = |line, never| metrics([&long, &long], line, "every", never).verdict;
    assert_eq!(found("circuit_open_total 1", false), Verdict::Pass);
    assert_eq!(found("circuit_open_total 1", true), Verdict::Fail);
    assert_eq!(found("circuit_open_total 2", false), Verdict::Unknown);
    assert_eq!(found("circuit_open_total 2", true), Verdict::Unknown);
}

#[test]
fn a_log_counts_as_a_whole_and_anything_else_as_it_stands_at_the_end() {
    let mut history = history(Topic::Log, "outage", [text("opened\n"), text("opened\n")]);
    add(&mut history, Topic::Log, "calm", [text("closed\n"), text("closed\n")]);
    add(&mut history, Topic::Metrics, "outage", [text("open 1\n"), text("open 1\n")]);
    add(&mut history, Topic::Metrics, "calm", [text("open 2\n"), text("open 2\n")]);
    let verdict = |of, line, during| judged(&history, &expected(of, line, during, "every")).verdict;
    assert_eq!(verdict(Topic::Log, "opened", None), Verdict::Pass);
    assert_eq!(verdict(Topic::Log, "closed", None), Verdict::Pass);
    assert_eq!(verdict(Topic::Log, "closed", Some("outage")), Verdict::Fail);
    assert_eq!(verdict(Topic::Metrics, "open 1", None), Verdict::Fail);
    assert_eq!(verdict(Topic::Metrics, "open 2", None), Verdict::Pass);
}

#[test]
fn a_subject_that_cannot_be_asked_is_skipped_and_never_passed() {
    let mut history = history(Topic::Metrics, "calm", [text(METRICS), text(METRICS)]);
    history.head.rules.can.remove(&Topic::Metrics.capability());
    history.head.expect.told = vec![expected(Topic::Metrics, "*circuit*", None, "every")];
    let judgement = judge(&history);
    let found = judgement.findings.iter().find(|finding| finding.check == "expect.told[0]").unwrap();
    assert_eq!(found.verdict, Verdict::Skipped);
    assert!(found.says.contains("capability `metrics`"), "{}", found.says);
}
