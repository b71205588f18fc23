//! One process and the tasks around it: who writes to it, who listens, and who watches over its end.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::command::CommandLine;
use super::group::Group;
use super::lines::{LONGEST_LINE, NoLine, cut, next_line};
use super::message::{Ask, Op};
use super::shared::{Answer, Shared};
use crate::subject::SubjectError;

/// Requests that may wait until the process reads its stdin.
const OUTBOX: usize = 1024;

/// How long a process that ends may take to say its last, and one that closed its stdout to end.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);

/// How long a process may take to end when it was told to, and its stdin is closed.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A running process. Dropping it kills its group.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    outbox: Mutex<Option<mpsc::Sender<String>>>,
    ended: watch::Receiver<bool>,
    group: Group,
    _tasks: JoinSet<()>,
}

impl Link {
    /// Starts `command` and the tasks around it.
    pub(super) fn start(command: &CommandLine, shared: Shared) -> Result<Self, SubjectError> {
        let failed = |error: std::io::Error| SubjectError::Start(format!("{command}: {error}"));
        let group = Group::new().map_err(failed)?;
        let mut child = group.spawn(command).map_err(failed)?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(SubjectError::Start(format!("{command}: it has no standard streams")));
        };
        let shared = Arc::new(shared);
        let (outbox, inbox) = mpsc::channel(OUTBOX);
        let (tell_end, ended) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(write(stdin, inbox, Arc::clone(&shared)));
        let watched = Arc::clone(&shared);
        tasks.spawn(async move {
            watch_over(child, stdout, stderr, &watched).await;
            // Nobody listening means that the link is gone.
            let _ = tell_end.send(true);
        });
        Ok(Self { shared, outbox: Mutex::new(Some(outbox)), ended, group, _tasks: tasks })
    }

    /// Sends a request and waits for its answer; for ever, when the process is broken.
    pub(super) async fn ask(&self, op: Op<'_>) -> Answer {
        let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // The place comes first: once it has an id a request is sent, even if nobody waits for the answer any more.
        let place = match outbox {
            Some(outbox) => outbox.reserve_owned().await.ok(),
            None => None,
        };
        let Some(place) = place else { return std::future::pending().await };
        let (id, answer) = self.shared.expect();
        match (Ask { id, op }).line() {
            Ok(line) => drop(place.send(line)),
            Err(error) => self.shared.break_off(&format!("request {id} cannot be written: {error}")),
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }

    /// Tells it to end, closes its stdin, and kills its group when it has ended or has not done so in time.
    pub(super) async fn shutdown(&self) {
        let outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut ended = self.ended.clone();
        if let Some(outbox) = outbox.filter(|_| self.shared.broken.borrow().is_none()) {
            self.shared.set_ending();
            let unanswered = match self.shared.unanswered() {
                0 => String::new(),
                1 => "; one request before that was never answered".to_owned(),
                count => format!("; {count} requests before that were never answered"),
            };
            let (id, _answer) = self.shared.expect();
            if let Ok(line) = (Ask { id, op: Op::Shutdown }).line() {
                // A full outbox means that it does not read: then it will not read this either.
                let _ = outbox.try_send(line);
            }
            // The writer closes stdin when nobody can send any more.
            drop(outbox);
            if tokio::time::timeout(END_WITHIN, ended.wait_for(|ended| *ended)).await.is_err() {
                self.shared.break_off(&format!(
                    "it went on for {END_WITHIN:?} after it was told to shut down and its stdin was closed, and was killed{unanswered}"
                ));
            }
        }
        self.kill().await;
    }

    /// Kills its group, and waits until it is gone.
    pub(super) async fn kill(&self) {
        self.shared.set_ending();
        self.group.kill();
        let mut ended = self.ended.clone();
        let _ = tokio::time::timeout(END_WITHIN, ended.wait_for(|ended| *ended)).await;
    }
}

async fn write(mut stdin: ChildStdin, mut inbox: mpsc::Receiver<String>, shared: Arc<Shared>) {
    while let Some(line) = inbox.recv().await {
        if let Err(error) = stdin.write_all(line.as_bytes()).await {
            // Most often it has ended, and its watcher can tell more.
            tokio::time::sleep(LAST_WORDS_WITHIN).await;
            if !shared.is_ending() {
                shared.break_off(&format!("it does not read its stdin any more: {error}"));
            }
            return;
        }
    }
}

/// Why a process is not listened to any more.
enum End {
    /// It closed its stdout.
    Closed,
    /// It broke a rule.
    Wrong(String),
}

/// Takes what the process says until it ends or breaks a rule, and tells what became of it.
async fn watch_over(mut child: Child, stdout: ChildStdout, stderr: ChildStderr, shared: &Shared) {
    let heard = listen(stdout, shared);
    let overheard = overhear(stderr, shared);
    tokio::pin!(heard, overheard);
    let mut stderr_open = true;
    let (end, status) = loop {
        tokio::select! {
            biased;
            end = &mut heard => break (Some(end), None),
            status = child.wait() => break (None, Some(status)),
            () = &mut overheard, if stderr_open => stderr_open = false,
        }
    };
    let (end, status) = match (end, status) {
        // What it said before it ended still counts.
        (None, status) => (tokio::time::timeout(LAST_WORDS_WITHIN, &mut heard).await.ok(), status),
        (Some(End::Closed), _) => {
            let status = tokio::time::timeout(LAST_WORDS_WITHIN, child.wait()).await.ok();
            (Some(End::Closed), status)
        }
        wrong => wrong,
    };
    if stderr_open && !shared.is_ending() {
        let _ = tokio::time::timeout(LAST_WORDS_WITHIN, &mut overheard).await;
    }
    match (end, status) {
        (Some(End::Wrong(why)), _) => shared.break_off(&why),
        (_, _) if shared.is_ending() => {}
        (_, Some(Ok(status))) => shared.break_off(&format!("it ended by itself: {}", told(status))),
        (_, Some(Err(error))) => shared.break_off(&format!("nobody can tell how it ended: {error}")),
        (_, None) => shared.break_off("it closed its stdout, but goes on"),
    }
    // It is dead when this returns, or soon will be.
    let _ = child.wait().await;
}

async fn listen(stdout: ChildStdout, shared: &Shared) -> End {
    let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
    loop {
        match next_line(&mut stdout, LONGEST_LINE).await {
            Ok(line) => {
                if let Err(why) = shared.take(&line) {
                    return End::Wrong(why);
                }
            }
            Err(NoLine::End) => return End::Closed,
            Err(NoLine::Broken(error)) => return End::Wrong(format!("its stdout cannot be read: {error}")),
            Err(NoLine::TooLong(start)) => {
                let most = LONGEST_LINE / (1024 * 1024);
                return End::Wrong(format!(
                    "a line of its stdout is longer than {most} MiB: {}",
                    cut(&start)
                ));
            }
        }
    }
}

/// Keeps the last lines; of a line without an end, its pieces.
async fn overhear(stderr: ChildStderr, shared: &Shared) {
    let mut stderr = BufReader::new(stderr);
    loop {
        match next_line(&mut stderr, 64 * 1024).await {
            Ok(line) | Err(NoLine::TooLong(line)) => shared.overheard(&line),
            Err(NoLine::End | NoLine::Broken(_)) => return,
        }
    }
}

fn told(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;

    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
