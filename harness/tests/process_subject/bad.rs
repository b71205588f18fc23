//! Every way of being bad ends the run, with the reason.

use std::sync::Arc;
use std::time::Duration;

use squall::history::{Event, FinalRead, SessionId};
use squall::load::Kind;
use squall::run::RunError;
use squall::stop::Stop;
use squall::subject::{Credentials, Request, Route, Start, Subject as _, SubjectError};
use squall_client::{Settings, Tcp};

use crate::stage::{SOON, leftovers, mark, run_of, start, subject};

/// Runs a bad subject and returns why the run is invalid. Nothing of it may be left.
async fn invalid(way: &str) -> String {
    let mark = mark(way);
    let error = run_of(way, &mark, Stop::new()).await.expect_err("the run is invalid");
    assert_eq!(leftovers(&mark).await, Vec::<String>::new(), "{way}");
    match &error {
        RunError::Subject { .. } | RunError::Instance { .. } => error.to_string(),
        RunError::World(_) | RunError::Lacks(_) | RunError::Broken(_) | RunError::Stopped => {
            panic!("{way}: {error}")
        }
    }
}

/// Every word must be in the reason.
async fn says(way: &str, words: &[&str]) {
    let told = invalid(way).await;
    for word in words {
        assert!(told.contains(word), "{way}: no {word:?} in: {told}");
    }
}

#[tokio::test]
async fn a_line_that_is_no_message() {
    says(
        "no-json",
        &[
            "instance-",
            "its line Connecting to Redis...",
            "no JSON object",
            "the last of its stdout:\n    {\"id\"",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_answer_to_nothing() {
    says("unknown-id", &["there was no request 4000000"]).await;
}

#[tokio::test]
async fn a_second_answer() {
    says("twice", &["was answered already"]).await;
}

#[tokio::test]
async fn an_answer_that_is_none_to_what_was_asked() {
    says("wrong-answer", &["its answer to a create", "unknown variant `memory`"]).await;
}

#[tokio::test]
async fn a_process_that_ends() {
    says("exits", &["it ended by itself: exit code 7", "its stderr:\n    Traceback: out of luck"]).await;
}

#[tokio::test]
async fn a_process_that_ends_before_it_has_begun() {
    says("exits-on-init", &["instance-0", "did not start", "exit code 1", "no module named redis"]).await;
}

#[tokio::test]
async fn a_process_that_does_not_answer_init() {
    says("hangs-on-init", &["it did not answer init within 2s of its start"]).await;
}

#[tokio::test]
async fn a_process_that_refuses_init() {
    says("refuses-init", &["it refuses init: invalid: no such profile"]).await;
}

#[tokio::test]
async fn a_capability_that_nobody_knows() {
    says("misspells", &["unknown capability \"braker\"; did you mean \"breaker\"?"]).await;
}

#[tokio::test]
async fn a_key_without_the_session() {
    says("no-key", &["it must hold {session}"]).await;
}

#[tokio::test]
async fn a_line_without_an_end() {
    says("endless-line", &["longer than 16 MiB: xxxx"]).await;
}

#[tokio::test]
async fn events_without_an_end() {
    says("events-for-ever", &["more than 100000 events"]).await;
}

#[tokio::test]
async fn a_closed_stdout() {
    says("closes-stdout", &["it closed its stdout, but goes on"]).await;
}

#[tokio::test]
async fn a_closed_stdin() {
    says("closes-stdin", &["it does not read its stdin any more"]).await;
}

#[tokio::test]
async fn a_shutdown_that_is_ignored() {
    says("ignores-shutdown", &["it went on for 2s after it was told to shut down"]).await;
}

#[tokio::test]
async fn of_a_flood_on_stderr_only_the_end_is_kept_and_shown_harmlessly() {
    let told = invalid("stderr-for-ever").await;
    assert!(told.contains("line 99999 \\u{1b}[31m"), "{told}");
    assert!(told.lines().count() < 30 && !told.contains('\u{1b}'), "{told}");
}

/// They are given up one by one, and soon no more are asked; that it does not answer is for the checks to judge.
#[tokio::test]
async fn final_reads_that_are_not_answered_are_told_as_such() {
    let mark = mark("answers-no-more");
    let error = run_of("answers-no-more", &mark, Stop::new()).await.map(|history| {
        let found = history.entries.iter().filter_map(|entry| match &entry.e {
            Event::Final { found: FinalRead::Error { code, text }, .. } if code == "timeout" => {
                Some(text.clone())
            }
            _ => None,
        });
        found.collect::<Vec<_>>()
    });
    let found = error.expect("it keeps to the protocol");
    assert_eq!(found.len(), 4 * 3, "four sessions, a fresh instance and two others: {found:?}");
    assert_eq!(
        found.iter().filter(|text| text.starts_with("not asked any more")).count(),
        2 * 3,
        "{found:?}"
    );
    assert_eq!(leftovers(&mark).await, Vec::<String>::new());
}

/// The conductor leaves such operations without a return, which the checks judge.
#[tokio::test]
async fn an_operation_that_never_ends_breaks_nothing_but_ends_with_the_process() {
    let mark = mark("reads-no-more");
    let started = subject("reads-no-more", &mark).start(start(&Settings::default())).await;
    let (instance, _) = started.map_err(|error| error.to_string()).expect("it starts");
    let get = Request { kind: Kind::Get, session: SessionId(1), value: None, ttl_ms: None };
    let hangs = tokio::time::timeout(Duration::from_millis(300), instance.call(get)).await;
    assert!(hangs.is_err(), "{hangs:?}");
    let breaks = tokio::time::timeout(Duration::from_millis(10), instance.broken()).await;
    assert!(breaks.is_err(), "{breaks:?}");
    instance.shutdown().await;
    let why = tokio::time::timeout(SOON, instance.broken()).await.expect("it had to be killed");
    assert!(why.contains("after it was told to shut down"), "{why}");
    assert_eq!(leftovers(&mark).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_sound_process_has_a_history_even_where_there_is_no_redis() {
    let history = run_of("sound", &mark("sound"), Stop::new()).await.expect("the run is whole");
    assert_eq!(history.head.subject, "small 1");
    let returns = history.entries.iter().filter(|entry| matches!(entry.e, Event::Return { .. }));
    assert!(returns.count() >= 20);
}

#[tokio::test]
async fn a_process_that_says_so_may_take_its_time_to_start() {
    let started = subject("prepares", "").start(start(&Settings::default())).await;
    let (instance, hello) = started.map_err(|error| error.to_string()).expect("it starts");
    assert_eq!(hello.name, "small 1");
    instance.shutdown().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let command = "/no/such/program".parse().expect("it is a command");
    let started = squall::subject::process::Process::new(command).start(start(&Settings::default())).await;
    let error = started.err().expect("it does not start").to_string();
    assert!(error.contains("/no/such/program: No such file"), "{error}");
}

#[tokio::test]
async fn streams_of_the_simulated_world_are_refused() {
    let connect = Tcp { host: String::new(), port: 1, keepalive: Settings::default().keepalive };
    let route = Route::Streams { connect: Arc::new(connect), credentials: Credentials::default() };
    let started = subject("sound", "").start(Start { route, ..start(&Settings::default()) }).await;
    let Some(SubjectError::Start(why)) = started.err() else { panic!("it must not start") };
    assert!(why.contains("use --world local or --world containers"), "{why}");
}

#[tokio::test]
async fn init_may_take_the_connect_timeout_and_a_second() {
    let settings = Settings { connect_timeout: Duration::from_millis(100), ..Settings::default() };
    let started = subject("hangs-on-init", "").start(start(&settings)).await;
    let error = started.err().expect("it does not start").to_string();
    assert!(error.contains("within 1.1s"), "{error}");
}

#[tokio::test]
async fn a_process_that_cannot_speak_tls_says_so() {
    let mut start = start(&Settings::default());
    let Route::Tcp { ca, .. } = &mut start.route else { panic!("it is by TCP") };
    *ca = Some("/run/ca.pem".into());
    let error = subject("sound", "").start(start).await.err().expect("it does not start");
    assert_eq!(error, SubjectError::Unsupported("this subject has no TLS".to_owned()));
}
