//! `client.encrypted`.

use super::story;
use crate::check::{ENCRYPTED, Finding, Verdict, judge};

/// What is found of these looks; `None` where nobody asked.
fn found(asked: bool, looks: &str) -> Option<(Verdict, Finding)> {
    let mut history = story::history(&format!(
        "1.0-1.1 i0 create s0 0-1 ttl=600 -> redis
         40.0 final fresh s0 0-1
         40.1 final i0 s0 0-1
         40.2 final i1 s0 0-1
         {looks}"
    ));
    history.head.rules.encrypted = asked;
    let judgement = judge(&history);
    let finding = judgement.findings.into_iter().find(|finding| finding.check == ENCRYPTED)?;
    Some((judgement.verdict, finding))
}

#[test]
fn a_value_in_plain_fails_the_run_and_is_shown() {
    let (run, finding) =
        found(true, "41.0 final redis s0 there left=560 sealed\n41.1 final redis s0 there left=560 plain")
            .unwrap();
    assert_eq!((run, finding.verdict), (Verdict::Fail, Verdict::Fail));
    assert_eq!((finding.judged, finding.broken, finding.witness.len()), (2, 1, 1));
    assert!(finding.says.contains("a value of s0 lies in Redis in plain"), "{}", finding.says);
}

#[test]
fn a_value_that_does_not_show_passes() {
    let (run, finding) = found(true, "41.0 final redis s0 there left=560 sealed").unwrap();
    assert_eq!((run, finding.verdict), (Verdict::Pass, Verdict::Pass), "{}", finding.says);
    assert_eq!(finding.says, "1 session seen in Redis, and none shows its value");
}

#[test]
fn when_nothing_was_there_to_look_at_it_is_unknown_and_so_is_the_run() {
    let (run, finding) = found(true, "41.0 final redis s0 there left=560").unwrap();
    assert_eq!((run, finding.verdict), (Verdict::Unknown, Verdict::Unknown));
    assert!(finding.says.contains("would make it known"), "{}", finding.says);
    assert_eq!(found(false, "41.0 final redis s0 there left=560 plain"), None);
}
