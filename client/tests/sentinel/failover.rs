//! Who the primary is changes, or a sentinel is wrong about it.

use std::sync::Arc;

use squall_client::{Asking, Clock, Connect, Credentials, Endpoint, Event, ServedBy};

use crate::redis::{MINUTE, Redis, create, eventually, free_port, fresh, read, told, value};
use crate::watcher::{Watcher, client, patient, ports, sentinel, watched};

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

/// Lets the sentinels make the replica primary. The old one is well, and learns of it only some ten seconds later.
async fn planned(watchers: &[Watcher], new: &Redis) {
    eventually("a sentinel begins", || async {
        watchers[0].ask::<()>(&["FAILOVER", "sessions"]).await.is_some()
    })
    .await;
    all_name(watchers, new).await;
}

#[tokio::test]
async fn what_an_old_primary_took_before_it_learned_of_the_new_one_is_brought_there() {
    let Some((old, new, watchers)) = watched().await else { return };
    let told = client(&ports(&watchers), &patient());
    create(&told, "ended", "1", MINUTE).await;
    create(&told, "changed", "1", MINUTE).await;
    planned(&watchers, &new).await;
    assert_eq!(create(&told, "late", "1", MINUTE).await, ServedBy::Redis);
    told.client.update("changed", value("2")).await.expect("it is accepted");
    told.client.destroy("ended").await.expect("it is accepted");
    // Another instance writes where the sentinels say.
    let other = client(&ports(&watchers), &patient());
    assert_eq!(create(&other, "other", "1", MINUTE).await, ServedBy::Redis);
    // What a sentinel does to it then.
    let () = old.ask(&["REPLICAOF", "127.0.0.1", &new.port.to_string()]).await;
    let () = old.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    eventually("nobody uses the client, and what it knows is there", || async {
        fresh(&new, "late").await.is_some() && fresh(&new, "ended").await.is_none()
    })
    .await;
    assert_eq!(fresh(&new, "changed").await.as_deref(), Some("2"));
    assert_eq!(fresh(&new, "other").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_first_connection_to_a_new_primary_ends_the_use_of_those_to_the_old_one() {
    let Some((old, new, watchers)) = watched().await else { return };
    let told = client(&ports(&watchers), &patient());
    create(&told, "a", "1", MINUTE).await;
    planned(&watchers, &new).await;
    assert_eq!(create(&told, "late", "1", MINUTE).await, ServedBy::Redis);
    // So many wait on the one connection that there is that another one is opened.
    let () = old.ask(&["CLIENT", "PAUSE", "200", "ALL"]).await;
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let client = told.client.clone();
        reads.spawn(async move { client.get("a").await });
    }
    assert!(reads.join_all().await.into_iter().all(|read| read.is_ok()));
    eventually("there is another connection", || async { new.calls("time").await > 0 }).await;
    eventually("what only the old one had is brought", || async { fresh(&new, "late").await.is_some() })
        .await;
    let before = (old.calls("get").await, new.calls("get").await);
    for _ in 0..20 {
        assert_eq!(read(&told, "a").await.as_deref(), Some("1"));
    }
    let after = (old.calls("get").await, new.calls("get").await);
    assert_eq!((after.0, after.1 >= before.1 + 20), (before.0, true), "{before:?} {after:?}");
}

#[tokio::test]
async fn who_ends_while_the_old_primary_takes_writes_brings_them_to_the_new_one() {
    let Some((old, new, watchers)) = watched().await else { return };
    let told = client(&ports(&watchers), &patient());
    create(&told, "before", "1", MINUTE).await;
    planned(&watchers, &new).await;
    assert_eq!(create(&told, "late", "1", MINUTE).await, ServedBy::Redis);
    told.client.update("before", value("2")).await.expect("it is accepted");
    told.client.shutdown().await;
    assert_eq!(fresh(&new, "late").await.as_deref(), Some("1"));
    assert_eq!(fresh(&new, "before").await.as_deref(), Some("2"));
    drop(old);
}

#[tokio::test]
async fn so_does_a_user_who_may_not_ask_which_process_it_is() {
    let Some((old, new, watchers)) = watched().await else { return };
    for server in [&old, &new] {
        let () = server.ask(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info"]).await;
    }
    let connect: Arc<dyn Connect> = Arc::new(sentinel(&ports(&watchers), "sessions"));
    let credentials = Credentials::new(Some("app".to_owned()), Some("secret".to_owned()));
    let endpoint = Endpoint { credentials, ..Endpoint::new(connect) };
    let told = told(endpoint, 1, &patient(), Clock::system());
    create(&told, "before", "1", MINUTE).await;
    planned(&watchers, &new).await;
    assert_eq!(create(&told, "late", "1", MINUTE).await, ServedBy::Redis);
    told.client.shutdown().await;
    assert_eq!(fresh(&new, "late").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_primary_that_is_replaced_while_it_is_well_is_left_before_it_knows() {
    let Some((old, new, watchers)) = watched().await else { return };
    let told = client(&ports(&watchers), &patient());
    create(&told, "0", "1", MINUTE).await;
    planned(&watchers, &new).await;
    eventually("calls go to the new one", || async {
        let before = new.calls("get").await;
        read(&told, "0").await;
        new.calls("get").await > before
    })
    .await;
    let role: Vec<::redis::Value> = old.ask(&["ROLE"]).await;
    assert_eq!(role[0], ::redis::Value::BulkString(b"master".to_vec()), "nobody has told it");
    assert_eq!(told.count(|event| matches!(event, Event::Failed { .. })), 0, "no call failed for it");
}

#[tokio::test]
async fn a_primary_is_replaced_when_more_than_half_of_all_sentinels_say_so() {
    let Some((primary, replica, watchers)) = watched().await else { return };
    let (liar, other) = (liar(&replica).await, liar(&replica).await);
    let server = ("127.0.0.1".to_owned(), primary.port);
    let replaced = async |ports: &[u16]| {
        let sentinel = sentinel(ports, "sessions");
        // Whoever's turn it is.
        let mut said = vec![sentinel.replaced(&server, Asking::All, patient().deadline).await];
        for _ in ports {
            said.push(sentinel.replaced(&server, Asking::One, patient().deadline).await);
        }
        said
    };
    assert_eq!(replaced(&[liar.port, watchers[0].port, watchers[1].port]).await, [false; 4]);
    assert_eq!(replaced(&[liar.port, free_port(), free_port()]).await, [false; 4]);
    let said = replaced(&[liar.port, other.port, watchers[0].port]).await;
    assert_eq!((said[0], said.iter().filter(|said| **said).count()), (true, 3), "{said:?}");
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
