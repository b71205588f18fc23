//! No process outlives its run, however the run ends.

use std::process::{Command, Stdio};
use std::time::Duration;

use squall::run::RunError;
use squall::stop::Stop;
use squall::subject::{Instance, Subject as _};
use squall_client::Settings;

use crate::stage::{SOON, leftovers, mark, run_of, start, subject, with_mark};

/// Names the processes of the helper below.
const MARK: &str = "SQUALL_TEST_MARK";

async fn running(way: &str, mark: &str) -> Box<dyn Instance> {
    let started = subject(way, mark).start(start(&Settings::default())).await;
    started.map_err(|error| error.to_string()).expect("it starts").0
}

/// Waits until so many processes with `mark` are there. One that was started a moment ago has no command line yet.
async fn appear(least: usize, mark: &str) {
    let seen = async {
        while with_mark(mark).len() < least {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(SOON, seen).await.expect("the processes appear");
}

#[tokio::test]
async fn a_child_that_the_subject_leaves_behind_is_killed_at_shutdown() {
    let mark = mark("shutdown");
    let instance = running("has-a-child", &mark).await;
    // The two of them, and for a moment the one that is about to become the child.
    appear(2, &mark).await;
    instance.shutdown().await;
    assert_eq!(leftovers(&mark).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_subject_and_its_children_end_when_the_instance_is_dropped() {
    let mark = mark("drop");
    drop(running("has-a-child", &mark).await);
    assert_eq!(leftovers(&mark).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_run_ends_every_process() {
    let (mark, stop) = (mark("stop"), Stop::new());
    let (asked, marked) = (stop.clone(), mark.clone());
    let run = tokio::spawn(async move { run_of("has-a-child", &marked, asked).await });
    appear(1, &mark).await;
    stop.request();
    assert!(matches!(run.await.expect("no panic"), Err(RunError::Stopped)));
    assert_eq!(leftovers(&mark).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_panic_ends_every_process() {
    let mark = mark("panic");
    let marked = mark.clone();
    let task = tokio::spawn(async move {
        let _instance = running("has-a-child", &marked).await;
        panic!("as asked");
    });
    assert!(task.await.expect_err("it panics").is_panic());
    assert_eq!(leftovers(&mark).await, Vec::<String>::new());
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
#[ignore = "started and killed by the next test"]
async fn is_killed() {
    let Ok(mark) = std::env::var(MARK) else { return };
    let _instance = running("has-a-child", &mark).await;
    std::future::pending().await
}

#[tokio::test]
async fn no_process_is_left_when_squall_itself_is_killed() {
    let mark = mark("kill-9");
    let mut squall = Command::new(std::env::current_exe().expect("the test knows its program"))
        .args(["--exact", "leftovers::is_killed", "--ignored"])
        .env(MARK, &mark)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the helper starts");
    appear(1, &mark).await;
    squall.kill().expect("it can be killed");
    squall.wait().expect("it ends");
    assert_eq!(leftovers(&mark).await, Vec::<String>::new());
}
