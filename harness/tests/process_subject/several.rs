//! Requests on several sessions to a process.

use squall::history::SessionId;
use squall::load::{Many, Several};
use squall::run::RunError;
use squall::stop::Stop;
use squall::subject::Subject as _;
use squall_client::Settings;

use crate::stage::{SHORT, mark, run_scenario, start, subject};

#[tokio::test]
async fn a_subject_without_such_requests_is_skipped_with_the_reason() {
    let clears = SHORT.replace("rate = \"40/s\"", "rate = \"40/s\"\nmix = { get = 1, clear = 1 }");
    let ran = run_scenario(&clears, "sound", &mark("clears-not"), Stop::new()).await;
    let Err(RunError::Lacks(why)) = ran else { panic!("it has no clear") };
    assert!(why.starts_with("the load has `clear`, and the subject does not say that"), "{why}");
}

#[tokio::test]
async fn each_session_of_a_request_has_its_own_outcome() {
    let process = subject("sound", &mark("several"));
    let (instance, _) = process.start(start(&Settings::default())).await.unwrap();
    let sessions = vec![SessionId(1), SessionId(2)];
    let each = instance.call_several(Several { what: Many::Read, sessions: sessions.clone() }).await;
    // Nobody listens where its Redis should be.
    let codes: Vec<String> = each.into_iter().map(|one| one.unwrap_err().code).collect();
    assert_eq!(codes, ["reset", "reset"]);
    let cleared = instance.call_several(Several { what: Many::Clear, sessions }).await;
    let refused: Vec<_> = cleared.into_iter().map(|one| one.unwrap_err()).collect();
    assert!(refused.len() == 2 && refused.iter().all(|one| one.code == "invalid" && one.definite));
    instance.shutdown().await;
}
