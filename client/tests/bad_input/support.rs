//! What these tests look at beside answers: time, figures, and the log.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall_client::observe::log;
use squall_client::{CallError, Clock, Event, Lookup, Metrics, SessionError, Settings};

use crate::redis::{Redis, Told, fresh, quick, value};

/// What a loaded machine adds to a deadline.
const SLACK: Duration = Duration::from_millis(400);

/// What an operation brings, which must not take longer than its deadline.
pub(crate) async fn in_time<T>(settings: &Settings, doing: impl Future<Output = T>) -> T {
    let (clock, most) = (Clock::system(), settings.deadline + SLACK);
    let done = tokio::time::timeout(Duration::from_secs(30), doing).await.expect("it ends");
    let took = clock.now().since(squall_client::Time::START);
    assert!(took <= most, "it took {took:?}, and may take {most:?}");
    done
}

/// The figure of that name and these labels, 0 if it was never counted.
pub(crate) fn figure(told: &Told, name: &str) -> u64 {
    let metrics = Metrics::new();
    let observer = metrics.observer();
    told.events.lock().expect("no panic").iter().for_each(|event| observer(event));
    let text = metrics.text(&told.client);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |figure| figure.parse().expect("a number"))
}

/// The lines that the log has for all that was told, as far as they say `what`.
pub(crate) fn lines(told: &Told, what: &str) -> Vec<serde_json::Value> {
    let paper = Paper::default();
    let writer = paper.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    tracing::subscriber::with_default(subscriber.finish(), || {
        let observer = log::observer();
        told.events.lock().expect("no panic").iter().for_each(|event| observer(event));
    });
    let text = String::from_utf8(paper.0.lock().expect("no panic").clone()).expect("text");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
    lines.filter(|line: &serde_json::Value| line["message"] == what).collect()
}

/// Asserts that damage was found so often, and is in the figures and the log as such.
#[track_caller]
pub(crate) fn damaged(told: &Told, times: u64) {
    assert_eq!(told.client.stats().damaged, times, "in the statistics");
    assert_eq!(figure(told, "redis_corrupt_values_total"), times, "in the metrics");
    assert_eq!(told.count(|event| matches!(event, Event::Corrupt { .. })) as u64, times, "as events");
    let lines = lines(told, "a value in redis is damaged or not ours");
    assert_eq!(lines.len() as u64, times.min(1), "in the log, which does not repeat itself");
}

/// Why nobody can say whether there is a session that this client has not seen.
pub(crate) async fn why_unknown(told: &Told) -> CallError {
    match told.client.get("unseen").await {
        Ok(Lookup::Unknown { because }) => because,
        other => panic!("it should be unknown: {other:?}"),
    }
}

/// What a session error says.
#[track_caller]
pub(crate) fn said<T: std::fmt::Debug>(answer: Result<T, SessionError>) -> String {
    answer.expect_err("it is refused").to_string()
}

/// Asserts that the client and Redis work together.
pub(crate) async fn works(redis: &Redis, told: &Told) {
    let id = "works";
    crate::redis::eventually("redis takes it", || async {
        let ack = told.client.create(id, value("well"), crate::redis::MINUTE).await;
        ack.is_ok_and(|ack| ack.level == squall_client::Level::Redis)
    })
    .await;
    assert_eq!(fresh(redis, id).await.as_deref(), Some("well"));
}

/// Settings with time enough for a machine that is busy with other tests: what takes longer is not late but wrong.
pub(crate) fn calm() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(2),
        operation_timeout: Duration::from_secs(2),
        deadline: Duration::from_secs(5),
        ..quick()
    }
}

/// Settings with time enough for large values in a debug build.
pub(crate) fn patient() -> Settings {
    Settings { operation_timeout: Duration::from_secs(8), deadline: Duration::from_secs(20), ..quick() }
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
