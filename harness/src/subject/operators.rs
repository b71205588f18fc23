//! What operators of the reference client see: its metrics, the lines of its log, how it is, its settings, how many sessions there
//! are, what a backup holds, and what it says to settings that are wrong.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use squall_client::{Clock, Event, Metrics, Observer, SessionClient, Time, observe};
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::reference::{Backups, Census, refusals};
use crate::history::{LONGEST_TOLD, Topic};

/// Watches one instance from its start, and tells when asked.
pub(super) struct Operators {
    metrics: Metrics,
    log: Paper,
    dispatch: Dispatch,
    backups: Backups,
}

impl Operators {
    /// Nothing has happened yet; the log's times are those of `clock`.
    pub(super) fn new(clock: Clock) -> Self {
        let log = Paper::default();
        let paper = log.clone();
        let form = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_timer(OurTime(clock))
            .with_max_level(Level::DEBUG);
        let dispatch = Dispatch::new(form.with_writer(move || paper.clone()).finish());
        Self { metrics: Metrics::new(), log, dispatch, backups: Backups::default() }
    }

    /// What the client is to tell everything that happens.
    pub(super) fn observer(&self) -> Observer {
        let (write, dispatch) = (observe::log::observer(), self.dispatch.clone());
        let log: Observer = Arc::new(move |event: &Event| {
            tracing::dispatcher::with_default(&dispatch, || write(event));
        });
        observe::all(vec![self.metrics.observer(), log])
    }

    /// What they see now, in lines.
    pub(super) async fn tell(&self, client: &SessionClient, of: Topic) -> String {
        match of {
            Topic::Metrics => in_order(&self.metrics.text(client)),
            Topic::Log => self.log.take(),
            Topic::Health => in_lines(&client.health_check().await),
            Topic::Settings => in_lines(&*client.settings()),
            Topic::Sessions => in_lines(&Census::of(client).await),
            Topic::Backup => in_lines(&self.backups.make(client).await),
            Topic::Restore => in_lines(&self.backups.restore(client).await),
            Topic::Refusals => refusals(client),
        }
    }
}

/// JSON with a line for each figure.
fn in_lines(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string())
}

/// With the figures of each name in one order: the library gives those with labels in any.
fn in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for figures in lines.split_mut(|line| line.starts_with('#')) {
        figures.sort_unstable();
    }
    lines.into_iter().flat_map(|line| [line, "\n"]).collect()
}

/// The lines since somebody read them, and not many more than a history keeps.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn take(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.text())).into_owned()
    }

    fn text(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Paper {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut text = self.text();
        // With one line too many the history says that there was more.
        if text.len() <= LONGEST_TOLD {
            text.extend_from_slice(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seconds since the run's clock was started, so that the same run has the same log.
struct OurTime(Clock);

impl FormatTime for OurTime {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        write!(out, "{:.6}", self.0.now().since(Time::START).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use squall_client::{CallError, Mode};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_has_the_time_of_the_run_and_is_told_once() {
        let clock = Clock::new(0);
        let operators = Operators::new(clock.clone());
        let observer = operators.observer();
        tokio::time::advance(std::time::Duration::from_millis(1500)).await;
        observer(&Event::Mode { at: clock.now(), to: Mode::Local });
        let told = operators.log.take();
        assert!(told.starts_with("{\"timestamp\":\"1.500000\""), "{told}");
        assert!(told.contains("\"backend\":\"memory\"") && told.ends_with("}\n"), "{told}");
        assert_eq!(operators.log.take(), "");
    }

    #[test]
    fn each_instance_has_a_log_of_its_own_and_it_is_bounded() {
        let clock = Clock::new(0);
        let (one, other) = (Operators::new(clock.clone()), Operators::new(clock.clone()));
        let observer = one.observer();
        for _ in 0..2000 {
            observer(&Event::Mode { at: clock.now(), to: Mode::Redis });
        }
        let told = one.log.take();
        assert!(told.len() > LONGEST_TOLD && told.len() < LONGEST_TOLD + 1000, "{}", told.len());
        assert_eq!(other.log.take(), "");
    }

    #[test]
    fn figures_with_labels_are_in_one_order() {
        let text = "# TYPE b counter\nb{x=\"2\"} 1\nb{x=\"1\"} 1\n# TYPE a counter\na 1\n# EOF\n";
        let expected = "# TYPE b counter\nb{x=\"1\"} 1\nb{x=\"2\"} 1\n# TYPE a counter\na 1\n# EOF\n";
        assert_eq!(in_order(text), expected);
        let operators = Operators::new(Clock::new(0));
        let failed = |error| Event::Failed { at: Time::START, command: "GET".to_owned(), error };
        for error in [CallError::Timeout, CallError::Overloaded] {
            (operators.observer())(&failed(error));
        }
        assert!(operators.log.take().contains("\"operation\":\"GET\""));
    }
}
