//! What the client says of Redis's health and its own, with a real redis-server.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use redis::{MINUTE, Redis, create, eventually, quick, told};
use squall_client::settings::KeepaliveSettings;
use squall_client::{Clock, Endpoint, SessionType, Status, TlsOptions};

#[tokio::test]
async fn a_redis_that_is_well_tells_all() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    for number in 0..7 {
        create(&a, &format!("s{number}"), "x", MINUTE).await;
        assert!(a.client.get(&format!("s{number}")).await.is_ok());
    }
    let health = a.client.health_check().await;
    assert_eq!((health.status, health.session_type), (Status::Healthy, SessionType::Redis), "{health:?}");
    assert!(health.ping_ms.is_some_and(|ms| ms > 0.0 && ms < 500.0), "{health:?}");
    let said = health.redis.clone().expect("it may be asked");
    // Seven sessions, and what tells whether Redis forgets.
    assert_eq!((said.db_keys, said.max_memory), (Some(8), None));
    assert!(said.version.is_some_and(|version| version.contains('.')));
    assert!(said.used_memory.is_some_and(|bytes| bytes > 100_000) && said.fragmentation.is_some());
    assert!(said.hit_ratio.is_some_and(|ratio| ratio > 0.0) && said.connected_clients.is_some());
    assert_eq!((health.client.breaker, health.client.local_sessions), ("closed", 7));
    let json = serde_json::to_value(&health).unwrap();
    assert_eq!((&json["status"], &json["session_prefix"]), (&"healthy".into(), &"session:".into()));
}

#[tokio::test]
async fn a_redis_that_is_away_is_told_of_within_the_deadline_and_so_is_what_it_lacks() {
    let Some(mut redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &quick());
    create(&a, "s", "x", MINUTE).await;
    redis.kill();
    create(&a, "s", "y", MINUTE).await;
    let health = a.client.health_check().await;
    assert_eq!((health.status, health.session_type), (Status::Down, SessionType::Memory));
    assert!(health.why.is_some() && health.redis.is_none() && health.ping_ms.is_none());
    assert_eq!(health.client.dirty, 1);
    eventually("the breaker opens, and it is told what opened it", || async {
        let health = a.client.health_check().await;
        health.client.breaker == "open"
            && health.why.is_some_and(|why| why.contains("breaker") && why.contains("connection refused"))
    })
    .await;
    redis.start_again().await;
    eventually("it is healthy again", || async { a.client.health_check().await.status == Status::Healthy })
        .await;
}

#[tokio::test]
async fn a_user_who_may_not_ask_still_knows_that_redis_answers() {
    let Some(redis) = Redis::start().await else { return };
    redis
        .ask::<()>(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-@dangerous", "-@admin"])
        .await;
    let url = format!("redis://app:secret@127.0.0.1:{}", redis.port);
    let endpoint = Endpoint::parse(&url, &KeepaliveSettings::default(), &TlsOptions::default()).unwrap();
    let a = told(endpoint, 1, &quick(), Clock::system());
    create(&a, "s", "x", MINUTE).await;
    let health = a.client.health_check().await;
    assert_eq!((health.status, health.redis.clone()), (Status::Healthy, None));
    assert!(!format!("{health:?}").contains("secret"));
}
