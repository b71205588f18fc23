//! A clearing that Redis does not take, or not all of it.

use squall_client::{Cache, CallError, Cleared, Level, SessionError};

use crate::crooked::{Crooked, Then};
use crate::redis::{MINUTE, Redis, Told, create};
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
