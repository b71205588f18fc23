//! What operators see of an outage: metrics and the log.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::io::Write;
use std::sync::{Arc, Mutex};

use redis::{MINUTE, Redis, eventually, quick, value};
use squall_client::observe::{self, log};
use squall_client::{Clock, Endpoint, Environment, Event, Lookup, Metrics, ServedBy, SessionClient, Tcp};

fn client(port: u16, observer: squall_client::Observer) -> SessionClient {
    let settings = quick();
    let tcp = Tcp { host: "127.0.0.1".to_owned(), port, keepalive: settings.keepalive.clone() };
    let environment = Environment { clock: Clock::system(), observer, ..Environment::new(1) };
    SessionClient::start(settings, Endpoint::new(Arc::new(tcp)), environment).expect("it starts")
}

/// The figure of that name and these labels.
fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().expect("a number")
}

#[tokio::test]
async fn metrics_count_an_outage() {
    let Some(mut redis) = Redis::start().await else { return };
    let metrics = Metrics::new();
    let client = client(redis.port, metrics.observer());
    client.create("s", value("1"), MINUTE).await.unwrap();
    assert!(matches!(client.get("s").await, Ok(Lookup::Found { served_by: ServedBy::Redis, .. })));
    let text = metrics.text(&client);
    assert_eq!(figure(&text, "circuit_breaker_state"), 0.0);
    assert_eq!(figure(&text, "session_operations_total{operation=\"get\",ended=\"redis\"}"), 1.0);
    assert_eq!(figure(&text, "redis_connection_pool_size"), 4.0);
    assert_eq!(figure(&text, "redis_health_check_interval"), 30.0);
    assert!(text.ends_with("# EOF\n"), "{text}");
    redis.kill();
    for _ in 0..5 {
        assert!(matches!(client.get("s").await, Ok(Lookup::Found { served_by: ServedBy::Local, .. })));
    }
    client.update("s", value("2")).await.unwrap();
    assert!(matches!(client.get("nobody").await, Ok(Lookup::Unknown { .. })));
    let text = metrics.text(&client);
    assert_eq!(figure(&text, "session_operations_total{operation=\"get\",ended=\"local\"}"), 5.0);
    assert_eq!(figure(&text, "session_operations_total{operation=\"get\",ended=\"unknown\"}"), 1.0);
    assert!(figure(&text, "circuit_open_total") >= 1.0);
    assert_eq!(figure(&text, "dirty_sessions"), 1.0);
    let errors: f64 = text
        .lines()
        .filter(|line| line.starts_with("cache_get_error_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(errors >= 1.0, "{text}");
    redis.start_again().await;
    eventually("redis has all", || async { client.stats().dirty == 0 }).await;
    eventually("the resync is counted", || async {
        figure(&metrics.text(&client), "resync_sessions_total") >= 1.0
    })
    .await;
    redis.pause();
    assert!(client.get("s").await.is_ok());
    assert!(figure(&metrics.text(&client), "cache_timeout_total") >= 1.0);
    redis.go_on();
}

#[tokio::test]
async fn a_redis_that_is_new_to_the_scripts_is_no_error() {
    let Some(redis) = Redis::start().await else { return };
    let metrics = Metrics::new();
    let client = client(redis.port, metrics.observer());
    client.create("s", value("1"), MINUTE).await.unwrap();
    let text = metrics.text(&client);
    assert!(!text.contains("redis_call_error_total{"), "{text}");
    assert!(redis.calls("evalsha").await >= 1, "it was asked by the script's hash");
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

impl Paper {
    fn lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

#[tokio::test]
async fn the_log_tells_an_outage_in_a_few_lines_and_no_secret() {
    let Some(mut redis) = Redis::start().await else { return };
    let paper = Paper::default();
    let writer = paper.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let client = client(redis.port, observe::all(vec![log::observer(), Arc::new(|_| ())]));
    client.create("secret-id", value("secret value"), MINUTE).await.unwrap();
    redis.kill();
    for _ in 0..200 {
        client.update("secret-id", value("secret value")).await.unwrap();
    }
    redis.start_again().await;
    eventually("redis has all", || async { client.stats().dirty == 0 }).await;
    let line = log::HealthLine::start(client.clone(), MINUTE);
    let says = |what: &str| paper.lines().iter().any(|line| line["message"] == what);
    eventually("there is a line of health", || async { says("redis health") }).await;
    drop(line);
    eventually("redis serves", || async { says("sessions are served by redis") }).await;
    let lines = paper.lines();
    let failed = lines.iter().find(|line| line["message"] == "redis call failed").expect("it is told");
    assert!(failed["error_type"].is_string() && failed["error_message"].is_string(), "{failed}");
    assert!(failed["error_count"].as_u64() >= Some(1) && failed["operation"].is_string(), "{failed}");
    assert_eq!(failed["circuit_breaker_state"], "closed");
    let health = lines.iter().find(|line| line["message"] == "redis health").expect("it is told");
    assert!(health["ping_ms"].is_f64() && health["status"].is_string(), "{health}");
    for what in
        ["circuit breaker changed", "sessions are served locally", "resync started", "resync finished"]
    {
        assert!(says(what), "{what}: {lines:#?}");
    }
    assert!(lines.len() < 40, "200 operations without redis are not 200 lines: {}", lines.len());
    assert!(lines.iter().all(|line| !line.to_string().contains("secret")), "{lines:#?}");
}

#[tokio::test]
async fn an_observer_that_panics_at_every_event_takes_nothing_with_it() {
    let Some(mut redis) = Redis::start().await else { return };
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let client = client(
        redis.port,
        Arc::new(move |event: &Event| {
            log.lock().expect("nobody panics while holding it").push(event.clone());
            panic!("an observer that panics, on purpose");
        }),
    );
    let told = |such: fn(&Event) -> bool| told.lock().expect("as above").iter().any(such);
    client.create("s", value("1"), MINUTE).await.unwrap();
    redis.ask::<()>(&["SET", "session:damaged", "x"]).await;
    assert!(client.get("damaged").await.is_err());
    assert!(told(|event| matches!(event, Event::Corrupt { .. })));
    for round in ["2", "3"] {
        redis.kill();
        for _ in 0..4 {
            client.update("s", value(round)).await.unwrap();
        }
        assert!(told(|event| matches!(event, Event::Mode { .. })) && client.stats().dirty == 1);
        redis.start_again().await;
        eventually("redis has all", || async { client.stats().dirty == 0 }).await;
    }
    assert!(told(|event| matches!(event, Event::Resync { .. })));
    let served =
        || async { matches!(client.get("s").await, Ok(Lookup::Found { served_by: ServedBy::Redis, .. })) };
    eventually("redis serves", served).await;
}
