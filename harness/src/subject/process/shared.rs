//! What the tasks around one process share: the requests that wait for an answer, what it said last, and what became of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use super::lines::{LastLines, cut};
use super::message::{Line, Refusal, Reply, Told, sample};
use crate::history::Sample;
use crate::subject::Said;

/// Events that an instance may tell in a run: the history keeps them all.
const MOST_EVENTS: u32 = 100_000;

/// What came back for a request.
pub(super) type Answer = Result<Reply, Refusal>;

/// What one process and its instance share.
pub(super) struct Shared {
    state: Mutex<State>,
    observer: Arc<dyn Fn(Said) + Send + Sync>,
    /// What is never quoted, should the process print it.
    secrets: Vec<String>,
    /// Why the instance is of no use any more; the first reason stays.
    pub(super) broken: watch::Sender<Option<String>>,
    /// How far the process is with getting ready.
    pub(super) stage: watch::Sender<Stage>,
}

/// How far a process is with getting ready for `init`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has said nothing.
    #[default]
    Started,
    /// It said that it takes a while, so many times.
    Preparing(u32),
    /// It said that it is ready.
    Ready,
}

#[derive(Default)]
struct State {
    last_id: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    events: u32,
    sample: Sample,
    stdout: LastLines,
    stderr: LastLines,
    /// It was told to shut down: its end is no surprise any more.
    ending: bool,
}

impl Shared {
    pub(super) fn new(observer: Arc<dyn Fn(Said) + Send + Sync>, secrets: Vec<String>) -> Self {
        Self {
            state: Mutex::default(),
            observer,
            secrets,
            broken: watch::Sender::new(None),
            stage: watch::Sender::default(),
        }
    }

    /// A new request: its id, and where its answer comes.
    pub(super) fn expect(&self) -> (u64, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        state.waiting.insert(id, sender);
        (id, receiver)
    }

    /// How many requests have no answer.
    pub(super) fn unanswered(&self) -> usize {
        self.state().waiting.len()
    }

    /// Takes a line of its stdout; the error says which rule it breaks.
    pub(super) fn take(&self, line: &[u8]) -> Result<(), String> {
        self.state().stdout.push(self.quotable(line));
        let wrong =
            |why: String| format!("its line {} breaks the protocol: {why}", cut(&self.quotable(line)));
        match Line::read(line).map_err(wrong)? {
            Line::Answer { id, reply } => self.answered(id, reply).map_err(wrong),
            Line::Event(told) => self.told(told),
        }
    }

    /// Takes a line of its stderr.
    pub(super) fn overheard(&self, line: &[u8]) {
        self.state().stderr.push(self.quotable(line));
    }

    pub(super) fn sample(&self) -> Sample {
        self.state().sample
    }

    pub(super) fn is_ending(&self) -> bool {
        self.state().ending
    }

    /// From now on the end of the process is what was asked for.
    pub(super) fn set_ending(&self) {
        self.state().ending = true;
    }

    /// The instance is of no use any more. Only the first reason counts.
    pub(super) fn break_off(&self, why: &str) {
        let why = self.without_secrets(format!("{why}{}", self.last_words()));
        self.broken.send_if_modified(|broken| {
            let first = broken.is_none();
            broken.get_or_insert(why);
            first
        });
    }

    /// The beginning of a line, without secrets; more than is quoted, so that none is cut and then not found.
    fn quotable(&self, line: &[u8]) -> Vec<u8> {
        if self.secrets.is_empty() {
            return line.to_vec();
        }
        self.without_secrets(String::from_utf8_lossy(line).into_owned()).into_bytes()
    }

    pub(super) fn without_secrets(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret, "***"))
    }

    /// The last lines of stdout and stderr, as they are quoted in errors.
    fn last_words(&self) -> String {
        let state = self.state();
        state.stdout.quoted("stdout") + &state.stderr.quoted("stderr")
    }

    fn answered(&self, id: u64, reply: Answer) -> Result<(), String> {
        let mut state = self.state();
        let (waiting, last) = (state.waiting.remove(&id), state.last_id);
        drop(state);
        match waiting {
            // Nobody may be waiting any more: an operation that takes too long is given up.
            Some(waiting) => drop(waiting.send(reply)),
            None if (1..=last).contains(&id) => return Err(format!("request {id} was answered already")),
            None => return Err(format!("there was no request {id}; an answer has the id of its request")),
        }
        Ok(())
    }

    fn told(&self, told: Told) -> Result<(), String> {
        self.count_event()?;
        match told {
            Told::Breaker { from, to } => (self.observer)(Said::Breaker { from, to }),
            Told::Mode { to } => (self.observer)(Said::Mode(to)),
            Told::Resync { what, sessions } => (self.observer)(Said::Resync(what.of(sessions))),
            Told::Preparing {} => self.enter(Stage::prepared_again),
            Told::Ready {} => self.enter(|_| Stage::Ready),
            Told::Sample { .. } => {
                if let Some(sample) = sample(told) {
                    self.state().sample = sample;
                }
            }
        }
        Ok(())
    }

    fn enter(&self, next: impl FnOnce(Stage) -> Stage) {
        self.stage.send_if_modified(|stage| {
            let entered = next(*stage);
            std::mem::replace(stage, entered) != entered
        });
    }

    fn count_event(&self) -> Result<(), String> {
        let mut state = self.state();
        state.events += 1;
        if state.events > MOST_EVENTS {
            return Err(format!("it told more than {MOST_EVENTS} events; tell only what changes"));
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    fn prepared_again(self) -> Self {
        match self {
            Self::Started => Self::Preparing(1),
            Self::Preparing(times) => Self::Preparing(times.saturating_add(1)),
            Self::Ready => Self::Ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{BreakerState, Mode, Resync};

    fn shared() -> (Shared, Arc<Mutex<Vec<Said>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        (Shared::new(Arc::new(move |one| heard.lock().unwrap().push(one)), vec!["pass%40".to_owned()]), said)
    }

    #[test]
    fn answers_find_their_requests_in_any_order() {
        let (shared, _) = shared();
        let ((one, mut first), (two, mut second)) = (shared.expect(), shared.expect());
        shared.take(format!("{{\"id\":{two},\"ok\":{{\"a\":2}}}}").as_bytes()).unwrap();
        shared.take(format!("{{\"id\":{one},\"error\":{{\"code\":\"x\"}}}}").as_bytes()).unwrap();
        assert!(first.try_recv().unwrap().is_err());
        assert_eq!(second.try_recv().unwrap().unwrap().0.get(), "{\"a\":2}");
    }

    #[test]
    fn an_answer_to_nothing_or_a_second_one_is_refused() {
        let (shared, _) = shared();
        let (id, _receiver) = shared.expect();
        let line = format!("{{\"id\":{id},\"ok\":{{}}}}");
        assert!(shared.take(b"{\"id\":9,\"ok\":{}}").unwrap_err().contains("there was no request 9"));
        assert!(shared.take(b"{\"id\":0,\"ok\":{}}").unwrap_err().contains("there was no request 0"));
        shared.take(line.as_bytes()).unwrap();
        assert!(shared.take(line.as_bytes()).unwrap_err().contains("request 1 was answered already"));
    }

    #[test]
    fn an_answer_that_nobody_waits_for_any_more_is_fine() {
        let (shared, _) = shared();
        let (_, receiver) = shared.expect();
        drop(receiver);
        assert_eq!(shared.take(b"{\"id\":1,\"ok\":{}}"), Ok(()));
    }

    #[test]
    fn events_are_told_in_their_order() {
        let (shared, said) = shared();
        for line in [
            "{\"event\":\"ready\"}",
            "{\"event\":\"breaker\",\"from\":\"closed\",\"to\":\"open\"}",
            "{\"event\":\"mode\",\"to\":\"local\"}",
            "{\"event\":\"resync\",\"what\":\"finished\",\"sessions\":3}",
            "{\"event\":\"sample\",\"dirty\":4}",
        ] {
            shared.take(line.as_bytes()).unwrap();
        }
        let breaker = Said::Breaker { from: BreakerState::Closed, to: BreakerState::Open };
        let resync = Said::Resync(Resync::Finished { sessions: 3 });
        assert_eq!(*said.lock().unwrap(), [breaker, Said::Mode(Mode::Local), resync]);
        assert_eq!(shared.sample().dirty, Some(4));
        assert_eq!(*shared.stage.borrow(), Stage::Ready);
    }

    #[test]
    fn the_first_reason_stays_and_quotes_what_was_said_last() {
        let (shared, _) = shared();
        let _ = shared.take(b"oops");
        shared.overheard(b"Traceback: redis://:pass%40@h:1/0");
        shared.break_off("one");
        shared.break_off("two");
        let told = shared.broken.borrow().clone().unwrap();
        assert_eq!(
            told,
            "one\n  the last of its stdout:\n    oops\n  the last of its stderr:\n    Traceback: redis://:***@h:1/0"
        );
    }

    #[test]
    fn a_flood_of_events_has_an_end() {
        let (shared, _) = shared();
        let line = b"{\"event\":\"mode\",\"to\":\"redis\"}";
        assert!((0..MOST_EVENTS).all(|_| shared.take(line).is_ok()));
        assert!(shared.take(line).unwrap_err().contains("more than 100000 events"));
    }
}
