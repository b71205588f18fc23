//! What processes tell of themselves when the run asks them.

use squall::check::{Finding, Verdict, judge};
use squall::history::{Event, History, Telling};
use squall::run::RunError;
use squall::stop::Stop;

use crate::stage::{mark, run_of};

/// The history of a run of this subject.
async fn history(way: &str) -> Result<History, RunError> {
    run_of(way, &mark(way), Stop::new()).await
}

/// What the run's expectation finds, and what the instances told.
fn found(history: &History) -> (Finding, Vec<Telling>) {
    let told = history.entries.iter().filter_map(|entry| match &entry.e {
        Event::Told { answer, .. } => Some(answer.clone()),
        _ => None,
    });
    let judgement = judge(history);
    let finding = judgement.findings.into_iter().find(|finding| finding.check == "expect.told[0]");
    (finding.unwrap(), told.collect())
}

#[tokio::test]
async fn the_text_of_each_instance_is_in_the_history_and_judged() {
    let (finding, told) = found(&history("sound").await.unwrap());
    assert_eq!(finding.verdict, Verdict::Pass, "{}", finding.says);
    let [Telling::Ok { text, cut: false }, _] = &told[..] else { panic!("{told:?}") };
    assert!(text.contains("\"deadline\": \"500ms\""), "{text}");
}

#[tokio::test]
async fn one_that_hangs_when_asked_fails_the_expectation_and_not_the_run() {
    let (finding, told) = found(&history("hangs-when-asked").await.unwrap());
    assert!(finding.says.contains("told nothing: timeout: no answer within"), "{}", finding.says);
    assert_eq!((finding.verdict, told.len()), (Verdict::Fail, 2));
}

#[tokio::test]
async fn an_answer_without_a_text_breaks_the_protocol() {
    let error = history("tells-no-text").await.unwrap_err().to_string();
    assert!(error.contains("its answer to a tell breaks the protocol: missing field `text`"), "{error}");
}
