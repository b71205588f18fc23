//! Servers that cannot, or may not, or do not know how.

use squall_client::{Event, ServedBy};

use crate::crooked::{Crooked, Then};
use crate::redis::{MINUTE, Redis, create, read, value};
use crate::support::{calm, figure, in_time, works};

/// What Redis says when it cannot, and what the client makes of it.
const LINES: [(&str, &str); 9] = [
    (
        "LOADING Redis is loading the dataset in memory",
        "LOADING: it is loading its data, and answers when it has",
    ),
    (
        "BUSY Redis is busy running a script.",
        "BUSY: a script runs for too long there, which SCRIPT KILL ends",
    ),
    ("READONLY You can't write", "READONLY: it is a replica, so give the address of the primary"),
    (
        "MASTERDOWN Link with MASTER is down",
        "MASTERDOWN: it is a replica without its primary, so give the address of another",
    ),
    ("MISCONF Redis is configured to save", "MISCONF: it cannot save its data, and its log says why"),
    (
        "NOREPLICAS Not enough good replicas",
        "NOREPLICAS: it has fewer replicas than min-replicas-to-write asks for",
    ),
    (
        "OOM command not allowed when used memory > 'maxmemory'.",
        "OOM: its memory is full, so raise maxmemory there",
    ),
    ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN: the cluster is down, and CLUSTER INFO says more"),
    (
        "MOVED 3999 127.0.0.1:6381",
        "MOVED: another node of a cluster holds the key, which redis-cluster:// as the address finds",
    ),
];

#[tokio::test]
async fn a_redis_that_cannot_is_told_with_its_cure_and_the_local_copy_serves() {
    let Some(redis) = Redis::start().await else { return };
    let (crooked, settings) = (Crooked::before(&redis).await, calm());
    for (line, expected) in LINES {
        let a = crooked.client(1, &settings);
        create(&a, "odd", "before", MINUTE).await;
        let before = figure(&a, "redis_call_error_total{error_type=\"redis_unavailable\"}");
        crooked.answer("session:odd", format!("-{line}\r\n"), Then::GoOn);
        let ack = in_time(&settings, a.client.update("odd", value("after"))).await;
        let Ok(ack) = ack else { panic!("{line}: {ack:?} {:?}", a.events.lock().unwrap()) };
        assert_eq!(ack.served_by, ServedBy::Local, "{line}");
        assert_eq!(
            figure(&a, "redis_call_error_total{error_type=\"redis_unavailable\"}") - before,
            1,
            "{line}"
        );
        let told = a.events.lock().unwrap().iter().rev().find_map(|event| match event {
            Event::Failed { error, .. } => Some(error.to_string()),
            _ => None,
        });
        assert_eq!(told, Some(format!("redis did not do it: {expected}")));
        crooked.honest();
        a.clean().await;
        works(&redis, &a).await;
        assert_eq!(read(&a, "odd").await.as_deref(), Some("after"), "{line}");
    }
}

#[tokio::test]
async fn a_redis_that_has_not_seen_the_scripts_is_no_trouble_to_tell_of() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &calm());
    for _ in 0..2 {
        create(&a, "s", "x", MINUTE).await;
        redis.ask::<()>(&["SCRIPT", "FLUSH"]).await;
    }
    assert_eq!(a.count(|event| matches!(event, Event::Failed { .. })), 0);
}
