//! Tests of the settings' ranges and defaults.

use super::*;

#[test]
fn defaults_are_in_range_and_survive_being_written() {
    let settings = Settings::default();
    assert_eq!(settings.problems(), []);
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
}

#[test]
fn a_problem_names_key_value_and_range() {
    let breaker = BreakerSettings { jitter: 1.5, ..BreakerSettings::default() };
    let settings = Settings { breaker, deadline: MS, ..Settings::default() };
    let told: Vec<String> = settings.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["deadline is 1ms; it must be from 500ms to 1h", "breaker.jitter is 1.5; it must be from 0 to 1"]
    );
}

#[test]
fn what_a_class_has_of_its_own_is_checked_and_named_too() {
    let json = r#"{
        "breaker": {"per_class": {"writes": {"failures": 0}}},
        "retry": {"per_class": {"reads": {"base": "2s", "cap": "1s"}}}
    }"#;
    let settings: Settings = serde_json::from_str(json).unwrap();
    let told: Vec<String> = settings.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "breaker.per_class.writes.failures is 0; it must be from 1 to 1000000",
            "retry.per_class.reads.cap is 1s; it must be from 2s to 1h"
        ]
    );
    assert!(serde_json::from_str::<Settings>(r#"{"breaker": {"per_class": {"scans": {}}}}"#).is_err());
}

#[test]
fn a_duration_that_would_overflow_is_refused() {
    let json = r#"{"deadline": "584542046090y 19767615s 1000ms"}"#;
    assert!(serde_json::from_str::<Settings>(json).is_err());
}

#[test]
fn not_a_number_is_out_of_range() {
    let retry = RetrySettings { budget_ratio: f64::NAN, ..RetrySettings::default() };
    assert!(Settings { retry, ..Settings::default() }.validate().is_err());
}
