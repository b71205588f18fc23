//! Who the primary is changes, or a sentinel is wrong about it.

use squall_client::ServedBy;

use crate::redis::{MINUTE, Redis, create, eventually, free_port, fresh, read, value};
use crate::watcher::{Watcher, client, patient, ports, watched};

/// Waits until all of them name this one. Whoever asked the server itself would be cut off while it is promoted.
async fn all_name(watchers: &[Watcher], server: &Redis) {
    for watcher in watchers {
        eventually("each sentinel names it", || async { watcher.names().await == Some(server.port) }).await;
    }
}

#[tokio::test]
async fn sessions_go_on_on_the_new_primary_after_a_failover() {
    let Some((mut old, new, watchers)) = watched().await else { return };
    let told = client(&ports(&watchers), &patient());
    assert_eq!(create(&told, "before", "1", MINUTE).await, ServedBy::Redis);
    old.kill();
    // Served by memory until the sentinels have agreed.
    let ack = told.client.update("before", value("2")).await.expect("it is accepted");
    assert_eq!(ack.served_by, ServedBy::Local);
    assert_eq!(read(&told, "before").await.as_deref(), Some("2"));
    all_name(&watchers, &new).await;
    eventually("writes go to it", || async { create(&told, "after", "3", MINUTE).await == ServedBy::Redis })
        .await;
    told.clean().await;
    assert_eq!(fresh(&new, "before").await.as_deref(), Some("2"));
    assert_eq!(fresh(&new, "after").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn an_old_primary_that_returns_is_not_used_again() {
    let Some((mut old, new, watchers)) = watched().await else { return };
    let told = client(&ports(&watchers), &patient());
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Redis);
    old.kill();
    all_name(&watchers, &new).await;
    // It takes itself for a primary, until a sentinel tells it otherwise.
    old.start_again().await;
    let other = client(&ports(&watchers), &patient());
    assert_eq!(create(&other, "b", "1", MINUTE).await, ServedBy::Redis);
    eventually("the first one writes to the new one too", || async {
        told.client.update("a", value("2")).await.is_ok_and(|ack| ack.served_by == ServedBy::Redis)
    })
    .await;
    // What a sentinel does some ten seconds later.
    let () = old.ask(&["REPLICAOF", "127.0.0.1", &new.port.to_string()]).await;
    // Whoever must connect again asks again.
    let () = new.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    for told in [&told, &other] {
        eventually("writes go on", || async { create(told, "c", "1", MINUTE).await == ServedBy::Redis })
            .await;
    }
    assert_eq!(fresh(&new, "a").await.as_deref(), Some("2"));
    // Every client asks for the time before anything else.
    assert_eq!(old.calls("time").await, 0);
}

/// A sentinel that takes this server for the primary, and knows nothing of others.
async fn liar(of: &Redis) -> Watcher {
    Watcher::start(of.port, 3).ready().await
}

#[tokio::test]
async fn a_sentinel_that_names_a_wrong_primary_is_outvoted_and_one_that_is_gone_is_not_missed() {
    let Some((primary, replica, watchers)) = watched().await else { return };
    let liar = liar(&replica).await;
    let told = client(&[liar.port, watchers[0].port, watchers[1].port], &patient());
    assert_eq!(create(&told, "a", "1", MINUTE).await, ServedBy::Redis);
    let told = client(&[free_port(), watchers[0].port, watchers[1].port], &patient());
    assert_eq!(create(&told, "b", "1", MINUTE).await, ServedBy::Redis);
    assert_eq!(fresh(&primary, "a").await.as_deref(), Some("1"));
    assert_eq!(fresh(&primary, "b").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn one_word_against_another_is_settled_by_the_servers_themselves() {
    let Some((primary, replica, watchers)) = watched().await else { return };
    let liar = liar(&replica).await;
    // Whichever of the two a client believes first: it is not the same one at every turn.
    for turn in 0..2 {
        let told = client(&[liar.port, watchers[0].port, free_port()], &patient());
        eventually("the replica is found out", || async {
            create(&told, "a", &turn.to_string(), MINUTE).await == ServedBy::Redis
        })
        .await;
        let () = primary.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        eventually("and again", || async {
            told.client.update("a", value("x")).await.is_ok_and(|ack| ack.served_by == ServedBy::Redis)
        })
        .await;
    }
    assert_eq!(fresh(&primary, "a").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn a_replica_that_all_name_is_left_until_they_know_better() {
    let Some((primary, replica, _watchers)) = watched().await else { return };
    let liar = liar(&replica).await;
    let told = client(&[liar.port], &patient());
    for number in 0..5 {
        assert_eq!(create(&told, &number.to_string(), "1", MINUTE).await, ServedBy::Local);
    }
    assert_eq!(told.client.stats().connections, 0);
    let () = liar.ask(&["REMOVE", "sessions"]).await.expect("it forgets");
    let port = primary.port.to_string();
    let () = liar.ask(&["MONITOR", "sessions", "127.0.0.1", &port, "3"]).await.expect("it learns");
    told.clean().await;
    assert_eq!(fresh(&primary, "4").await.as_deref(), Some("1"));
}
