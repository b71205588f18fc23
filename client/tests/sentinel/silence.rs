//! Sentinels that do not answer, or know nothing.

use std::time::Duration;

use squall_client::core::breaker::State;
use squall_client::{CallError, Clock, Lookup, ServedBy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::redis::{MINUTE, Redis, create, eventually, free_port, quick, value};
use crate::watcher::{
    Watcher, client, client_of, goes_through, login, patient, ports, sentinel, watched, why_unknown,
};

#[tokio::test]
async fn a_sentinel_that_hangs_leaves_time_for_the_primary_and_is_not_waited_for_where_most_have_answered() {
    let Some(primary) = Redis::start().await else { return };
    let good = Watcher::start(primary.port, 1).ready().await;
    let also = Watcher::start(primary.port, 1).ready().await;
    // One that is stopped before it listens would refuse at once.
    let hangs = Watcher::start(primary.port, 1).ready().await;
    hangs.pause();
    // The answer of one alone counts once the one that hangs has had its time: half of what a connection may take.
    let told = client(&[good.port, hangs.port], &quick());
    goes_through(&told).await;
    // Two of three agree: the third is not waited for, which would be for a second at this connect timeout.
    let mut settings = patient();
    settings.connect_timeout = Duration::from_secs(60);
    settings.operation_timeout = Duration::from_millis(800);
    settings.deadline = settings.operation_timeout;
    eventually("a client that has just started is served by redis", || async {
        let told = client(&[good.port, also.port, hangs.port], &settings);
        create(&told, "t", "1", MINUTE).await == ServedBy::Redis
    })
    .await;
}

#[tokio::test]
async fn while_sentinels_hang_reads_are_served_locally_and_within_their_deadline() {
    let Some((primary, _replica, watchers)) = watched().await else { return };
    let told = client(&ports(&watchers), &quick());
    goes_through(&told).await;
    watchers.iter().for_each(Watcher::pause);
    // The primary is well, but every connection has to be opened anew.
    let () = primary.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    let clock = Clock::system();
    let (mut open, mut waits) = (false, Vec::new());
    // Long enough for the breaker to try a few times, in vain.
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    while waits.len() < 200 {
        pace.tick().await;
        let before = clock.now();
        let answer = told.client.get("s").await.expect("it is answered");
        let waited = clock.now().since(before);
        assert!(matches!(answer, Lookup::Found { served_by: ServedBy::Local, .. }), "{answer:?}");
        assert!(waited < quick().deadline + Duration::from_millis(200), "{waited:?}");
        // Once the breaker is open, nobody who reads waits for a sentinel.
        if open {
            waits.push(waited);
        }
        open = open || told.client.stats().breaker == State::Open;
    }
    waits.sort();
    assert!(waits[197] < Duration::from_millis(100), "{:?}", &waits[190..]);
    assert_eq!(told.client.update("s", value("2")).await.unwrap().served_by, ServedBy::Local);
    watchers.iter().for_each(Watcher::go_on);
    told.clean().await;
    goes_through(&told).await;
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_told_and_memory_serves() {
    let Some(primary) = Redis::start().await else { return };
    let watcher = Watcher::start(primary.port, 1).ready().await;
    let told = client_of(sentinel(&[watcher.port, primary.port, free_port()], "other"), &patient());
    let because = why_unknown(&told).await.to_string();
    for part in [
        "no connection: no sentinel of 3 names a primary \"other\": ",
        "it knows no such name",
        "a Redis is there, and no sentinel",
        "connection refused",
    ] {
        assert!(because.contains(part), "{because}");
    }
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Local);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let flooding = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (part, begun) = (vec![b'x'; 1 << 20], stream.write_all(b"$999999999\r\n").await.is_ok());
            // Until the client has had enough, or for four times as much as it should take.
            for _ in 0..64 {
                if !begun || stream.write_all(&part).await.is_err() {
                    break;
                }
            }
        }
    });
    let told = client_of(sentinel(&[port], "sessions"), &patient());
    let because = why_unknown(&told).await.to_string();
    assert!(because.contains("its answer is larger than 16 MiB"), "{because}");
    flooding.abort();
}

#[tokio::test]
async fn what_does_not_answer_as_a_sentinel_does_is_told_as_such() {
    for line in [":5\r\n", "HTTP/1.1 400 Bad Request\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answering = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 4096];
                while matches!(stream.read(&mut asked).await, Ok(1..)) {
                    if stream.write_all(line.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        });
        let told = client_of(sentinel(&[port], "sessions"), &patient());
        let because = why_unknown(&told).await.to_string();
        assert!(
            because.ends_with("what it answers is not the protocol of Redis, so check host and port"),
            "{line:?}: {because}"
        );
        answering.abort();
    }
}

#[tokio::test]
async fn sentinels_may_want_a_login_of_their_own() {
    let Some(primary) = Redis::start().await else { return };
    let watcher = Watcher::start_closed(primary.port, "hunter2").ready().await;
    let without = client_of(sentinel(&[watcher.port], "sessions"), &patient());
    let because = why_unknown(&without).await;
    assert!(matches!(because, CallError::Auth(_)) && !because.transient(), "{because:?}");
    assert!(because.to_string().contains("NOAUTH: it asks for a password"), "{because}");
    let wrong = client_of(sentinel(&[watcher.port], "sessions").with_credentials(login("x")), &patient());
    let because = why_unknown(&wrong).await;
    assert!(matches!(&because, CallError::Auth(_)), "{because:?}");
    let because = because.to_string();
    assert!(because.contains("WRONGPASS") && !because.contains("hunter2"), "{because}");
    let right = sentinel(&[watcher.port], "sessions").with_credentials(login("hunter2"));
    assert!(!format!("{right:?}").contains("hunter2"));
    goes_through(&client_of(right, &quick())).await;
}
