//! Settings and environment variables that cannot be heeded.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use squall_client::{
    Endpoint, Environment, Profile, SessionClient, Settings, StartError, TlsOptions, env::process_variable,
};

use crate::redis::free_port;

/// The default settings with one of them changed, as they would come from a file.
fn with(path: &str, value: &Value) -> Result<Settings, String> {
    let mut all = serde_json::to_value(Settings::default()).expect("they can be written");
    let place = path.split('.').fold(&mut all, |place, key| &mut place[key]);
    *place = value.clone();
    serde_json::from_value(all).map_err(|error| error.to_string())
}

/// Every setting that is a number or a length of time, as a path.
fn paths() -> Vec<String> {
    let all = serde_json::to_value(Settings::default()).expect("they can be written");
    let mut paths = Vec::new();
    for (key, value) in all.as_object().expect("a table") {
        match value.as_object() {
            Some(table) => paths.extend(table.keys().map(|inner| format!("{key}.{inner}"))),
            None => paths.push(key.clone()),
        }
    }
    let other = ["key_prefix", "fallback", "protocol", "breaker.enabled", "resync.enabled"];
    paths.retain(|path| !other.contains(&path.as_str()));
    paths
}

/// What is told of a setting that was read and is out of its range, or was not even read.
fn told(path: &str, value: &Value) -> String {
    match with(path, value) {
        Ok(settings) => {
            let problems: Vec<String> = settings.problems().iter().map(ToString::to_string).collect();
            problems.into_iter().find(|problem| problem.starts_with(path)).unwrap_or_default()
        }
        Err(error) => error,
    }
}

#[test]
fn every_setting_refuses_what_is_below_above_or_beside_its_range_by_name() {
    let default = serde_json::to_value(Settings::default()).unwrap();
    let paths = paths();
    assert!(paths.len() > 30, "{paths:?}");
    for path in &paths {
        let before = path.split('.').fold(&default, |place, key| &place[key]);
        let bad = match before {
            Value::String(_) => {
                vec![json!("400y"), json!("584542046090y"), json!("-1s"), json!("5"), json!("soon"), json!(7)]
            }
            Value::Number(number) if number.is_f64() => {
                vec![json!(-0.5), json!(1e300), json!("x"), Value::Null]
            }
            _ => vec![json!(-1), json!(1.5), json!(1u64 << 63), json!("x"), Value::Null],
        };
        for value in bad {
            let told = told(path, &value);
            let named = told.starts_with(path.as_str()) && told.contains("; it must be from ");
            let unread = told.contains("not a duration")
                || told.contains("invalid type")
                || told.contains("invalid value");
            assert!(named || unread, "{path} = {value}: {told:?}");
        }
    }
}

#[test]
fn numbers_that_are_none_are_refused_by_name() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut settings = Settings::default();
        settings.breaker.failure_rate = number;
        settings.breaker.jitter = number;
        settings.retry.budget_ratio = number;
        settings.retry.budget_per_second = number;
        settings.resync.rate_start = number;
        settings.resync.rate_max = number;
        settings.resync.growth = number;
        let told: Vec<String> = settings.problems().iter().map(|problem| problem.key.clone()).collect();
        for key in [
            "breaker.failure_rate",
            "breaker.jitter",
            "retry.budget_ratio",
            "retry.budget_per_second",
            "resync.rate_start",
            "resync.rate_max",
            "resync.growth",
        ] {
            assert!(told.iter().any(|told| told == key), "{key} = {number}: {told:?}");
        }
    }
    let settings = Settings {
        connect_timeout: Duration::MAX,
        deadline: Duration::MAX,
        slow_call: Duration::ZERO,
        ..Settings::default()
    };
    let told: Vec<String> = settings.problems().iter().map(|problem| problem.key.clone()).collect();
    assert_eq!(told, ["connect_timeout", "deadline", "slow_call"]);
}

#[test]
fn a_setting_that_is_none_is_told_with_those_there_are() {
    let error = serde_json::from_value::<Settings>(json!({"key_prefx": "x"})).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `key_prefx`, expected one of `key_prefix`, "), "{error}");
    let error = serde_json::from_value::<Settings>(json!({"pool": {"size": 3}})).unwrap_err().to_string();
    assert!(error.starts_with("unknown field `size`, expected `connections` or `in_flight`"), "{error}");
    let error = with("fallback", &json!("disk")).unwrap_err();
    assert!(error.contains("unknown variant `disk`, expected `memory` or `none`"), "{error}");
}

#[tokio::test]
async fn a_client_does_not_start_with_a_setting_out_of_its_range() {
    let settings = Settings { operation_timeout: Duration::ZERO, ..Settings::default() };
    let url = format!("redis://127.0.0.1:{}", free_port());
    let endpoint = Endpoint::parse(&url, &settings.keepalive, &TlsOptions::default()).unwrap();
    let error = SessionClient::start(settings, endpoint, Environment::new(1)).err().expect("it is refused");
    assert!(matches!(error, StartError::Settings(_)));
    assert_eq!(error.to_string(), "operation_timeout is 0s; it must be from 1ms to 1h");
}

#[test]
fn a_client_that_is_started_outside_a_runtime_says_so_and_does_not_panic() {
    let settings = Settings::default();
    let endpoint =
        Endpoint::parse("redis://127.0.0.1:1", &settings.keepalive, &TlsOptions::default()).unwrap();
    let error = SessionClient::start(settings, endpoint, Environment::new(1)).err().expect("it is refused");
    let text = "a client starts within a tokio runtime with time and IO: in an async function, or after Runtime::enter";
    assert_eq!(error.to_string(), text);
}

/// What a process says that has this variable and reads the profile's.
fn other_process(profile: Profile, name: &str, value: &[u8]) -> String {
    let value = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(value);
    let output = Command::new(std::env::current_exe().expect("it has a path"))
        .args(["--ignored", "--exact", "--nocapture", "settings::a_process_that_reads_its_variables"])
        .env("SQUALL_TEST_PROFILE", profile.name())
        .env(name, value)
        .output()
        .expect("it starts");
    let text = String::from_utf8(output.stdout).expect("text");
    let told = text.lines().find_map(|line| line.split_once("told: ").map(|(_, told)| told.to_owned()));
    told.unwrap_or_else(|| panic!("{text}"))
}

#[test]
#[ignore = "another test runs it, as a process of its own"]
fn a_process_that_reads_its_variables() {
    let name = std::env::var("SQUALL_TEST_PROFILE").expect("another test sets it");
    let profile = Profile::ALL.into_iter().find(|profile| profile.name() == name).expect("a profile");
    match profile.configured(process_variable, &TlsOptions::default()) {
        Ok(configured) => println!("told: {:?}", configured.endpoint.credentials),
        Err(error) => println!("told: {error}"),
    }
}

#[test]
fn a_variable_that_is_no_text_is_refused_and_never_taken_for_one_that_is_not_set() {
    for (profile, name) in [
        (Profile::Chatbot, "REDIS_URL"),
        (Profile::Companion, "REDIS_HOST"),
        (Profile::Companion, "REDIS_PORT"),
        (Profile::MultiWorker, "REDIS_PASSWORD"),
        (Profile::CacheV4, "CACHE_MAX_RETRIES"),
    ] {
        let told = other_process(profile, name, b"secret\xff\xfe");
        assert_eq!(told, format!("{name} is no text in UTF-8; set it again as such"));
    }
}

#[test]
fn spaces_and_ends_of_lines_in_variables_do_no_harm_or_are_told() {
    let with = |profile: Profile, name: &str, value: &str| {
        let configured =
            profile.configured(|asked| (asked == name).then(|| value.to_owned()), &TlsOptions::default());
        configured.map(|_| "fine".to_owned()).unwrap_or_else(|error| error.to_string())
    };
    assert_eq!(with(Profile::Chatbot, "REDIS_URL", " redis://h:7000\n"), "fine");
    let told = with(Profile::Chatbot, "REDIS_URL", "redis://:sec\nret@h");
    assert!(told.starts_with("REDIS_URL: the address of Redis should be") && !told.contains("sec"), "{told}");
    assert_eq!(with(Profile::CacheV4, "CACHE_MAX_RETRIES", " 2 \n"), "fine");
    let port = with(Profile::Companion, "REDIS_PORT", "6379 ");
    assert_eq!(port, "REDIS_PORT is \"6379 \"; it must be a whole number from 1 to 65535");
    let told = with(Profile::MultiWorker, "REDIS_PASSWORD", "secret\n");
    assert_eq!(told, "REDIS_PASSWORD has a control character, such as the end of a line; it must be without");
    assert_eq!(with(Profile::MultiWorker, "REDIS_PASSWORD", "pass word"), "fine");
    assert_eq!(
        with(Profile::Companion, "REDIS_HOST", "h\n"),
        "REDIS_HOST is \"h\\n\"; it must be a host name or an address"
    );
}
