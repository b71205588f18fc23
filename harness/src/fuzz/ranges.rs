//! The ranges that settings of the client are drawn from.

use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Strategy as _};
use toml::Value;

use crate::units::format_duration;

/// A setting that may be drawn.
pub(super) struct Range {
    /// Its key.
    pub(super) key: &'static str,
    /// What it is drawn from.
    pub(super) values: BoxedStrategy<Value>,
}

/// What every case sets: a breaker that is back within seconds, so that a run need not last minutes.
pub(super) fn always() -> Vec<(String, Value)> {
    let text = |text: &str| Value::String(text.to_owned());
    vec![
        ("breaker.cool_down".to_owned(), text("1s")),
        ("breaker.cool_down_max".to_owned(), text("2s")),
        ("breaker.probe_lease".to_owned(), text("1s")),
    ]
}

/// Every setting that may be drawn. Whatever is drawn of them together makes sense, and recovers within the calm.
pub(super) fn all() -> Vec<Range> {
    let range = |key, values| Range { key, values };
    vec![
        range("connect_timeout", ms(50, 1000)),
        range("operation_timeout", ms(50, 500)),
        range("deadline", ms(500, 3000)),
        range("ping_after_idle", ms(50, 30_000)),
        range("drop_after_timeouts", count(1, 4)),
        range("slow_call", ms(50, 500)),
        range("protocol", words(&["resp2", "resp3"])),
        range("pool.connections", count(1, 8)),
        range("pool.in_flight", count(8, 1024)),
        range("breaker.failures", count(1, 10)),
        range("breaker.failure_rate", share()),
        range("breaker.slow_calls", any::<bool>().prop_map(Value::Boolean).boxed()),
        range("breaker.slow_rate", share()),
        range("breaker.window", ms(500, 10_000)),
        range("breaker.min_calls", count(1, 50)),
        range("breaker.jitter", (0_u32..50).prop_map(|n| Value::Float(f64::from(n) / 100.0)).boxed()),
        range("breaker.probes", count(1, 4)),
        range("retry.retries", count(0, 5)),
        range("retry.base", ms(1, 100)),
        range("retry.cap", ms(100, 1000)),
        range("retry.budget_ratio", share()),
        range("retry.budget_per_second", (0_u32..20).prop_map(|n| Value::Float(f64::from(n))).boxed()),
        range("resync.rate_start", (50_u32..500).prop_map(|n| Value::Float(f64::from(n))).boxed()),
        range("resync.growth", (10_u32..40).prop_map(|n| Value::Float(f64::from(n) / 10.0)).boxed()),
        range("resync.batch", count(1, 64)),
        range("resync.start_delay_max", ms(0, 1000)),
        range("local.sessions", count(4, 100)),
    ]
}

fn ms(least: u64, most: u64) -> BoxedStrategy<Value> {
    let text = |ms| Value::String(format_duration(std::time::Duration::from_millis(ms)));
    (least..=most).prop_map(text).boxed()
}

fn count(least: i64, most: i64) -> BoxedStrategy<Value> {
    (least..=most).prop_map(Value::Integer).boxed()
}

/// From 0.05 to 1.
fn share() -> BoxedStrategy<Value> {
    (1_u32..=20).prop_map(|n| Value::Float(f64::from(n) / 20.0)).boxed()
}

fn words(all: &'static [&'static str]) -> BoxedStrategy<Value> {
    select(all).prop_map(|word| Value::String(word.to_owned())).boxed()
}
