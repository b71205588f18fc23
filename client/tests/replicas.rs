//! A Redis with a replica: what is acknowledged, and what happens when the roles change.

mod redis;

use std::time::Duration;

use squall_client::core::breaker::State;
use squall_client::settings::{PerClass, Thresholds};
use squall_client::{Class, Event, Level, Mode, Settings, Status};

use redis::{MINUTE, Redis, Told, create, eventually, quick, read, value};

/// A primary and its replica, which has caught up.
async fn pair() -> Option<(Redis, Redis)> {
    let primary = Redis::start_with(vec!["--repl-diskless-sync-delay".to_owned(), "0".to_owned()]).await?;
    let of = ["--replicaof".to_owned(), "127.0.0.1".to_owned(), primary.port.to_string()];
    let replica = Redis::start_with(of.to_vec()).await?;
    caught_up(&primary, &replica).await;
    Some((primary, replica))
}

async fn caught_up(primary: &Redis, replica: &Redis) {
    eventually("the replica has caught up", || async {
        replica.ask::<String>(&["INFO", "replication"]).await.contains("master_link_status:up")
    })
    .await;
    // Only with its first acknowledgement does the primary count it.
    eventually("it acknowledges a write", || async {
        let mut side = primary.side().await;
        let mut both = ::redis::pipe();
        both.cmd("SET").arg("first").arg("").ignore().cmd("WAIT").arg(1).arg(100);
        both.query_async::<(u32,)>(&mut side).await.is_ok_and(|(replicas,)| replicas == 1)
    })
    .await;
}

fn waiting_for(acknowledgements: u32) -> Settings {
    let mut settings = quick();
    settings.deadline = Duration::from_secs(2);
    settings.replicas.acknowledgements = acknowledgements;
    settings.replicas.timeout = Duration::from_millis(500);
    settings
}

async fn level(told: &Told, id: &str) -> Level {
    told.client.create(id, value("1"), MINUTE).await.expect("it is accepted").level
}

#[tokio::test]
async fn a_write_that_replicas_have_says_so_and_outlives_the_primary() {
    let Some((mut primary, replica)) = pair().await else { return };
    let told = primary.session_client(1, &waiting_for(1));
    let mut levels = tokio::task::JoinSet::new();
    for number in 0..50 {
        let client = told.client.clone();
        levels.spawn(async move { client.create(&number.to_string(), value("1"), MINUTE).await });
    }
    let levels: Vec<_> = levels.join_all().await.into_iter().map(|ack| ack.unwrap().level).collect();
    assert_eq!(levels, [Level::Replicas; 50]);
    primary.kill();
    let () = replica.ask(&["REPLICAOF", "NO", "ONE"]).await;
    for number in 0..50 {
        assert_eq!(redis::fresh(&replica, &number.to_string()).await.as_deref(), Some("1"), "{number}");
    }
}

#[tokio::test]
async fn a_write_that_replicas_lack_stands_and_says_that_only_redis_has_it() {
    let Some((primary, replica)) = pair().await else { return };
    let told = primary.session_client(1, &waiting_for(1));
    assert_eq!(level(&told, "a").await, Level::Replicas);
    replica.pause();
    assert_eq!(level(&told, "b").await, Level::Redis);
    assert_eq!(read(&told, "b").await.as_deref(), Some("1"));
    replica.go_on();
    eventually("replicas are asked again", || async { level(&told, "c").await == Level::Replicas }).await;
    // More than there are, and none at all.
    let two = primary.session_client(2, &waiting_for(2));
    assert_eq!(level(&two, "d").await, Level::Redis);
    let none = primary.session_client(3, &quick());
    assert_eq!((level(&none, "e").await, primary.calls("wait").await > 0), (Level::Redis, true));
}

#[tokio::test]
async fn others_do_not_wait_while_one_waits_for_replicas() {
    let Some((primary, replica)) = pair().await else { return };
    let told = primary.session_client(1, &waiting_for(1));
    assert_eq!(level(&told, "a").await, Level::Replicas);
    replica.pause();
    let client = told.client.clone();
    let waiting = tokio::spawn(async move { client.create("b", value("1"), MINUTE).await });
    eventually("it is written", || async {
        primary.calls("wait").await > 1 || primary.ask::<bool>(&["EXISTS", "session:b"]).await
    })
    .await;
    for _ in 0..20 {
        assert_eq!(read(&told, "a").await.as_deref(), Some("1"));
    }
    assert!(!waiting.is_finished(), "reads waited as long as the write");
    assert_eq!(waiting.await.unwrap().unwrap().level, Level::Redis);
    replica.go_on();
}

#[tokio::test]
async fn a_primary_that_is_demoted_is_left_and_sessions_go_on_until_it_is_one_again() {
    let Some((primary, other)) = pair().await else { return };
    let told = primary.session_client(1, &quick());
    create(&told, "s", "1", MINUTE).await;
    let () = other.ask(&["REPLICAOF", "NO", "ONE"]).await;
    let () = primary.ask(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]).await;
    for number in 0..20 {
        let ack = told.client.update("s", value(&number.to_string())).await.expect("it is accepted");
        assert_eq!(ack.level, Level::Memory);
    }
    eventually("the breaker opens", || async { told.client.stats().breaker == State::Open }).await;
    assert_eq!(told.count(|event| redis::mode(event) == Some(Mode::Local)), 1);
    // It opens no connection that it would have to leave at its first write.
    assert_eq!(told.client.stats().connections, 0);
    let () = primary.ask(&["REPLICAOF", "NO", "ONE"]).await;
    told.clean().await;
    assert_eq!(redis::fresh(&primary, "s").await.as_deref(), Some("19"));
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_goes_on_answering_reads_where_writes_have_a_breaker_of_their_own() {
    let Some(primary) = Redis::start().await else { return };
    let mut settings = quick();
    settings.breaker.per_class = PerClass { writes: Some(Thresholds::default()), ..PerClass::default() };
    let told = primary.session_client(1, &settings);
    create(&told, "s", "1", MINUTE).await;
    let () = primary.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let open =
        |event: &Event| matches!(event, Event::ClassBreaker { class: Class::Writes, to: State::Open, .. });
    eventually("writes are stopped", || async {
        let ack = told.client.update("s", value("2")).await.expect("it is accepted");
        assert_eq!(ack.level, Level::Memory);
        told.count(open) > 0
    })
    .await;
    let reads = primary.calls("get").await;
    assert_eq!(read(&told, "s").await.as_deref(), Some("2"));
    assert!(primary.calls("get").await > reads);
    assert_eq!(told.client.stats().breaker, State::Closed);
    assert_eq!(told.client.health_check().await.client.stopped, ["writes"]);
    let () = primary.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    told.clean().await;
    assert_eq!(redis::fresh(&primary, "s").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_class_that_loses_its_breaker_while_it_is_open_is_served_by_redis_again() {
    let Some(primary) = Redis::start().await else { return };
    let mut settings = quick();
    settings.breaker.per_class = PerClass { writes: Some(Thresholds::default()), ..PerClass::default() };
    settings.breaker.cool_down = Duration::from_secs(60);
    settings.breaker.cool_down_max = Duration::from_secs(60);
    let told = primary.session_client(1, &settings);
    create(&told, "s", "1", MINUTE).await;
    let () = primary.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    while told.client.health_check().await.client.stopped.is_empty() {
        told.client.update("s", value("2")).await.expect("it is accepted");
    }
    let () = primary.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    settings.breaker.per_class = PerClass::default();
    told.client.reconfigure(settings).expect("they are in range");
    told.clean().await;
    let modes = || told.events.lock().expect("no panic").iter().filter_map(redis::mode).collect::<Vec<_>>();
    eventually("redis serves again", || async { modes() == [Mode::Local, Mode::Redis] }).await;
}

#[tokio::test]
async fn redis_is_not_said_to_be_down_where_only_a_class_of_calls_is_stopped() {
    let Some(primary) = Redis::start().await else { return };
    let mut settings = quick();
    let own = Thresholds { failures: 1, ..Thresholds::default() };
    settings.breaker.per_class = PerClass { reads: Some(own), ..PerClass::default() };
    let told = primary.session_client(1, &settings);
    create(&told, "s", "1", MINUTE).await;
    primary.pause();
    assert!(told.client.get("s").await.is_ok());
    primary.go_on();
    let health = told.client.health_check().await;
    assert_eq!((health.status, health.client.stopped), (Status::Degraded, vec!["reads"]));
    assert_eq!(health.why.as_deref(), Some("redis does not serve reads"));
}
