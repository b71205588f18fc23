//! A clearing that Redis does not take, or not all of it, or that goes on at another.

use std::io;
use std::sync::{Arc, Mutex};

use squall_client::{
    Cache, CallError, Cleared, Clock, Connect, Connecting, Endpoint, Force, Level, SessionError, Tcp,
};
use tokio::task::JoinSet;

use crate::crooked::{Crooked, Then};
use crate::redis::{MINUTE, Redis, Told, create, eventually, told};
use crate::support::calm;

const NOTHING: Result<Cleared, SessionError> = Ok(Cleared { count: 0, level: Level::Redis });

async fn cleared(told: &Told, by_cache: bool) -> Result<Cleared, SessionError> {
    if by_cache { Cache::over(told.client.clone()).clear("*").await } else { told.client.clear("*").await }
}

#[tokio::test]
async fn a_clearing_that_redis_does_not_take_says_so_by_its_level() {
    let Some(redis) = Redis::start().await else { return };
    for by_cache in [false, true] {
        let told = redis.session_client(1, &calm());
        assert_eq!(cleared(&told, by_cache).await, NOTHING);
        create(&told, "s", "x", MINUTE).await;
        assert_eq!(cleared(&told, by_cache).await, Ok(Cleared { count: 1, level: Level::Redis }));
        create(&told, "s", "x", MINUTE).await;
        redis.ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
        assert_eq!(cleared(&told, by_cache).await, Ok(Cleared { count: 1, level: Level::Memory }));
        assert_eq!(redis.ask::<i64>(&["EXISTS", "session:s"]).await, 1, "it is only known here");
        redis.ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
        told.clean().await;
        assert_eq!(redis.ask::<i64>(&["EXISTS", "session:s"]).await, 0);
    }
}

#[tokio::test]
async fn an_error_after_a_part_was_cleared_is_never_told_as_nothing_done() {
    let Some(redis) = Redis::start().await else { return };
    for by_cache in [false, true] {
        let crooked = Crooked::before(&redis).await;
        let told = crooked.client(1, &calm());
        create(&told, "b", "x", MINUTE).await;
        // Redis has lost it, so it comes after what Redis has.
        redis.ask::<()>(&["DEL", "session:b"]).await;
        crooked.answer("session:b", "-WHATEVER\r\n", Then::GoOn);
        let refused = SessionError::Call(CallError::Refused("WHATEVER".to_owned()));
        assert_eq!(cleared(&told, by_cache).await, Err(refused), "nothing was cleared before");
        create(&told, "a", "x", MINUTE).await;
        let error = cleared(&told, by_cache).await.expect_err("b is refused");
        assert!(!error.definite(), "{error}");
        assert!(error.to_string().ends_with("a part was cleared before: redis refuses: WHATEVER"), "{error}");
        assert_eq!(redis.ask::<i64>(&["EXISTS", "session:a"]).await, 0, "this part");
    }
}

/// Leads to one server, and later to another.
struct Switch(Arc<Mutex<Tcp>>);

impl Connect for Switch {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let tcp = self.0.lock().map_err(|_| io::Error::other("a panic"))?.clone();
            tcp.connect().await
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clearing_that_is_overtaken_by_a_failover_clears_what_the_new_primary_has() {
    for by_cache in [false, true] {
        let at_once = ["--repl-diskless-sync-delay", "0"].map(str::to_owned).to_vec();
        let Some(mut old) = Redis::start_with(at_once).await else { return };
        let port = old.port.to_string();
        let options = ["--replicaof", "127.0.0.1", &port];
        let new = Redis::start_with(options.map(str::to_owned).to_vec()).await.expect("there is one");
        let writer = Arc::new(old.session_client(1, &calm()));
        let mut writing = JoinSet::new();
        for hand in 0..10 {
            let writer = Arc::clone(&writer);
            writing.spawn(async move {
                for number in 0..200 {
                    create(&writer, &format!("{hand}-{number}"), "x", MINUTE).await;
                }
            });
        }
        writing.join_all().await;
        writer.client.shutdown().await;
        let size = old.ask::<u64>(&["DBSIZE"]).await;
        eventually("the replica has all", || async { new.ask::<u64>(&["DBSIZE"]).await == size }).await;
        let mut settings = calm();
        settings.retry.retries = 5;
        let tcp = |redis: &Redis| Tcp {
            host: "127.0.0.1".to_owned(),
            port: redis.port,
            keepalive: settings.keepalive.clone(),
        };
        let leads = Arc::new(Mutex::new(tcp(&old)));
        let endpoint = Endpoint::new(Arc::new(Switch(Arc::clone(&leads))));
        let told = told(endpoint, 2, &settings, Clock::system());
        told.client.force_breaker(Force::Closed);
        let failover = async {
            eventually("it has begun", || async { old.calls("scan").await > 0 }).await;
            new.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
            *leads.lock().expect("no panic") = tcp(&new);
            old.kill();
        };
        let (cleared, ()) = tokio::join!(cleared(&told, by_cache), failover);
        let cleared = cleared.expect("it clears");
        assert!(new.calls("scan").await > 0, "it was over before");
        assert!(cleared.count >= 2000, "{cleared:?}");
        told.clean().await;
        assert_eq!(new.session_client(3, &calm()).client.count().await, Ok(0));
    }
}
