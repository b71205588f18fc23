//! Replies that are none, or not what was asked for.

use squall_client::{Event, Lookup};

use crate::crooked::{Crooked, Then};
use crate::redis::{MINUTE, Redis, create};
use crate::support::{calm, figure, in_time, works};

const FORM: &str =
    "the connection ended before the reply: an answer of another form than was asked for came, and ended it";
const NO_REDIS: &str = "the connection ended before the reply: what it answers is not the protocol of Redis, so check host and port";

/// What is answered to a GET, what comes then, and what the client makes of it.
fn replies() -> Vec<(Vec<u8>, Then, &'static str)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (text("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), Then::Silence, NO_REDIS),
        (vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46], Then::Silence, NO_REDIS),
        (text("$abc\r\n"), Then::Silence, NO_REDIS),
        (text(":12x\r\n"), Then::Silence, NO_REDIS),
        (text(&"*1\r\n".repeat(100_000)), Then::Silence, NO_REDIS),
        (text(":7\r\n"), Then::GoOn, FORM),
        (text("*2\r\n:1\r\n:2\r\n"), Then::GoOn, FORM),
        (text("+OK\r\n"), Then::GoOn, FORM),
        (text("$100\r\nhalf"), Then::Silence, "no reply in time"),
        (text("*1000000000\r\n"), Then::Silence, "no reply in time"),
        (text("$1000000000000\r\n"), Then::Silence, "no reply in time"),
        (text(""), Then::Silence, "no reply in time"),
        (text("$100\r\nhalf"), Then::Close, "the connection ended before the reply: "),
    ]
}

#[tokio::test]
async fn every_reply_that_is_none_is_told_once_in_time_and_the_next_is_right_again() {
    let Some(redis) = Redis::start().await else { return };
    let (crooked, mut settings) = (Crooked::before(&redis).await, calm());
    settings.operation_timeout = std::time::Duration::from_millis(500);
    // Nothing but what is asked here.
    settings.resync.enabled = false;
    for (with, then, expected) in replies() {
        let a = crooked.client(1, &settings);
        create(&a, "seen", "x", MINUTE).await;
        let failures = || a.count(|event| matches!(event, Event::Failed { command, .. } if command == "GET"));
        let before = failures();
        crooked.answer("session:odd", with.clone(), then);
        let shown = String::from_utf8_lossy(&with[..with.len().min(30)]).into_owned();
        let answer = in_time(&settings, a.client.get("odd")).await;
        let Ok(Lookup::Unknown { because }) = answer else { panic!("{shown:?}: {answer:?}") };
        assert!(because.to_string().starts_with(expected), "{shown:?}: {because}");
        assert_eq!(failures() - before, 1, "{shown:?}");
        let named = format!("cache_get_error_total{{error_type=\"{}\"}}", because.error_type());
        assert_eq!(figure(&a, &named), 1, "{shown:?}");
        crooked.honest();
        works(&redis, &a).await;
        assert!(a.client.stats().connections <= 4);
    }
}
