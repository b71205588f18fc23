//! How much memory a hundred mebibytes take, each measured in a process of its own.

use std::process::Command;

use squall_client::{CallError, Lookup};

use crate::crooked::{Crooked, Then};
use crate::redis::{MINUTE, Redis, create, eventually, fresh};
use crate::sizes::{MIB, holding, large, length};
use crate::support::{damaged, in_time, patient, said, works};

const SIZE: usize = 100 * MIB;

/// The most memory that the process had in which that test runs alone; `None` only where it says that it was skipped.
#[expect(clippy::print_stderr, reason = "what was measured is shown")]
fn peak_of(test: &str) -> Option<usize> {
    let program = std::env::current_exe().expect("it has a path");
    let arguments = ["--ignored", "--exact", "--nocapture", &format!("memory::{test}")];
    let output = Command::new(program).args(arguments).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let Some((_, peak)) = text.split_once("peak: ") else {
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(why.contains("SKIPPED"), "it told no peak: {text}{why}");
        return None;
    };
    let peak = peak.split_whitespace().next().and_then(|peak| peak.parse().ok()).expect("a number");
    eprintln!("{test}: {peak} MiB\n{text}");
    Some(peak)
}

/// Tells the most memory that this process had, in MiB.
#[expect(clippy::print_stdout, reason = "the other process reads it")]
fn tell_peak() {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it says so");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    println!("peak: {} MiB", kib / 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "another test runs it, as a process of its own"]
async fn writes_and_reads() {
    let Some(redis) = Redis::start().await else { return };
    let settings = holding(256 * MIB as u64);
    let (a, b) = (redis.session_client(1, &settings), redis.session_client(2, &settings));
    let ack = in_time(&settings, a.client.create("s", large(SIZE), MINUTE)).await.unwrap();
    assert_eq!(ack.level, squall_client::Level::Redis);
    assert_eq!(in_time(&settings, length(&b, "s")).await, Some(SIZE));
    tell_peak();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "another test runs it, as a process of its own"]
async fn reads_what_is_no_session() {
    let Some(redis) = Redis::start().await else { return };
    let settings = patient();
    let a = redis.session_client(1, &settings);
    redis.ask::<i64>(&["SETRANGE", "session:s", &(SIZE - 1).to_string(), "x"]).await;
    let text = said(in_time(&settings, a.client.get("s")).await);
    assert!(text.contains("it is no session"), "{text}");
    damaged(&a, 1);
    create(&a, "s", "new", MINUTE).await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("new"));
    tell_peak();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "another test runs it, as a process of its own"]
async fn reads_without_end() {
    let Some(redis) = Redis::start().await else { return };
    let (crooked, mut settings) = (Crooked::before(&redis).await, holding(MIB as u64));
    // Nothing but what is asked here.
    settings.resync.enabled = false;
    for (with, why) in [
        (
            "$1000000000000\r\n",
            "a reply is larger than twice local.bytes, so raise that, or find out who writes such values",
        ),
        ("*1000000000\r\n", "what it answers is not the protocol of Redis, so check host and port"),
        ("+OK\r\n", "an answer of another form than was asked for came, and ended it"),
    ] {
        let a = crooked.client(1, &settings);
        create(&a, "s", "x", MINUTE).await;
        crooked.answer("session:odd", with, Then::More);
        let answer = in_time(&settings, a.client.get("odd")).await;
        let because = CallError::Broken(why.to_owned());
        assert_eq!(answer, Ok(Lookup::Unknown { because }), "{with}");
        eventually("it is not read for ever", || async { a.client.stats().connections == 0 }).await;
        crooked.honest();
        works(&redis, &a).await;
    }
    tell_peak();
}

#[test]
fn a_reply_without_end_ends_the_connection_and_costs_a_few_times_its_bound() {
    let peak = peak_of("reads_without_end");
    assert!(peak.is_none_or(|peak| (60..500).contains(&peak)), "{peak:?}");
}

#[test]
fn a_session_of_a_hundred_mebibytes_passes_and_costs_a_few_times_its_size() {
    // The value, its record, two commands, what is sent and what is received; both clients are in this process.
    let peak = peak_of("writes_and_reads");
    assert!(peak.is_none_or(|peak| (100..900).contains(&peak)), "{peak:?}");
}

#[test]
fn a_hundred_mebibytes_that_are_no_session_are_told_and_give_way() {
    let peak = peak_of("reads_what_is_no_session");
    assert!(peak.is_none_or(|peak| (100..500).contains(&peak)), "{peak:?}");
}
