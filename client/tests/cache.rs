//! The cache, with a real redis-server that stands still, dies and comes back.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{MINUTE, Redis, eventually, quick, value};
use squall_client::{Cache, LoadError, Lookup, ServedBy, SessionError};
use tokio::task::JoinSet;

fn cache(redis: &Redis, writer: u32) -> Cache {
    let mut settings = quick();
    settings.key_prefix = "cache:".to_owned();
    Cache::over(redis.session_client(writer, &settings).client)
}

async fn text(cache: &Cache, key: &str) -> Option<String> {
    let value = cache.get(key).await.expect("it can be asked");
    value.map(|value| String::from_utf8_lossy(&value).into_owned())
}

async fn sum(cache: &Cache, key: &str) -> (i64, ServedBy) {
    let count = cache.count(key).await.expect("it can be asked");
    (count.value, count.served_by)
}

#[tokio::test]
async fn values_are_written_read_and_deleted() {
    let Some(redis) = Redis::start().await else { return };
    let (a, b) = (cache(&redis, 1), cache(&redis, 2));
    assert_eq!(text(&a, "k").await, None);
    assert_eq!(a.get_or("k", value("default")).await.unwrap(), value("default"));
    assert_eq!(a.set("k", value("x"), MINUTE).await.unwrap().served_by, ServedBy::Redis);
    assert_eq!(text(&b, "k").await.as_deref(), Some("x"));
    assert!(b.exists("k").await.unwrap() && !b.exists("other").await.unwrap());
    assert!(b.ttl("k").await.unwrap().is_some_and(|ttl| ttl <= MINUTE && ttl > MINUTE / 2));
    b.delete("k").await.unwrap();
    assert_eq!(text(&a, "k").await, None);
    let stats = a.stats();
    assert_eq!((stats.hits, stats.misses, stats.sets, stats.hit_ratio()), (0, 3, 1, Some(0.0)));
    assert_eq!(b.stats().hit_ratio(), Some(1.0));
}

#[tokio::test]
async fn many_keys_have_an_answer_each() {
    let Some(redis) = Redis::start().await else { return };
    let cache = cache(&redis, 1);
    let keys: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    let values: Vec<_> = keys.iter().map(|key| (key.as_str(), value(key))).collect();
    assert!(cache.set_many(&values, MINUTE).await.iter().all(Result::is_ok));
    redis.ask::<()>(&["DEL", "cache:k7"]).await;
    redis.ask::<()>(&["SET", "cache:k8", "damaged"]).await;
    let other = self::cache(&redis, 2);
    let asked: Vec<&str> = keys.iter().map(String::as_str).chain(["", "unknown"]).collect();
    let found = other.get_many(&asked).await;
    assert!(matches!(found[200], Err(SessionError::Invalid(_))));
    for (index, found) in found.into_iter().enumerate().filter(|(index, _)| *index != 200) {
        let expected = (index < 200 && index != 7 && index != 8).then(|| value(&keys[index]));
        assert_eq!(found.unwrap(), expected, "{index}");
    }
    assert_eq!((other.stats().hits, other.stats().misses, other.stats().damaged), (198, 2, 1));
}

#[tokio::test]
async fn a_look_up_says_who_answered_and_tells_nothing_from_not_knowing() {
    let Some(mut redis) = Redis::start().await else { return };
    let cache = cache(&redis, 1);
    cache.set("k", value("x"), MINUTE).await.unwrap();
    let looked_up = async || {
        let found = cache.look_up_many(&["k", "none"]).await;
        found.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    let (redis_has, here) = (ServedBy::Redis, ServedBy::Local);
    let x = |served_by| Lookup::Found { session: value("x"), served_by };
    assert_eq!(looked_up().await, [x(redis_has), Lookup::Absent { served_by: redis_has }]);
    redis.kill();
    let [k, none] = &looked_up().await[..] else { panic!("two keys have two answers") };
    assert_eq!(*k, x(here));
    assert!(matches!(none, Lookup::Unknown { .. }), "{none:?}");
}

#[tokio::test]
async fn what_was_written_and_deleted_while_redis_was_away_holds_when_it_is_back() {
    let Some(mut redis) = Redis::start().await else { return };
    let (a, b) = (cache(&redis, 1), cache(&redis, 2));
    for key in ["kept", "deleted", "changed"] {
        a.set(key, value("old"), MINUTE).await.unwrap();
    }
    redis.kill();
    assert_eq!(a.set("changed", value("new"), MINUTE).await.unwrap().served_by, ServedBy::Local);
    assert_eq!(a.delete("deleted").await.unwrap().served_by, ServedBy::Local);
    assert_eq!((text(&a, "changed").await.as_deref(), text(&a, "deleted").await), (Some("new"), None));
    assert_eq!(text(&a, "never seen").await, None, "what cannot be known is a miss");
    assert!(a.stats().unknown >= 1 && a.stats().local_hits >= 1);
    redis.start_again().await;
    eventually("redis has it", || async { text(&b, "changed").await.as_deref() == Some("new") }).await;
    eventually("all is brought", || async { a.client_stats().dirty == 0 }).await;
    assert_eq!(text(&b, "kept").await.as_deref(), Some("old"));
    assert_eq!(text(&b, "deleted").await, None);
}

#[tokio::test]
async fn a_counter_counts_once_whatever_is_lost() {
    let Some(redis) = Redis::start().await else { return };
    let cache = cache(&redis, 1);
    let mut acknowledged = 0;
    for round in 0..12 {
        redis.pause();
        // Redis gets it, and answers nobody in time.
        let count = cache.add("c", 1, None).await.unwrap();
        assert_eq!(count.value, round + 1);
        acknowledged += 1;
        redis.go_on();
        eventually("redis is asked again", || async { sum(&cache, "c").await.1 == ServedBy::Redis }).await;
        assert_eq!(sum(&cache, "c").await.0, acknowledged);
    }
    assert_eq!(redis.ask::<i64>(&["GET", "cache:c"]).await, acknowledged);
}

#[tokio::test]
async fn counters_of_many_add_up_and_go_on_without_redis() {
    let Some(mut redis) = Redis::start().await else { return };
    let caches = [cache(&redis, 1), cache(&redis, 2)];
    let mut adding = JoinSet::new();
    for number in 0..200 {
        let cache = caches[number % 2].clone();
        adding.spawn(async move {
            cache.add("c", if number < 150 { 2 } else { -1 }, Some(MINUTE)).await.unwrap()
        });
    }
    while adding.join_next().await.is_some() {}
    assert_eq!(sum(&caches[0], "c").await, (250, ServedBy::Redis));
    let left: i64 = redis.ask(&["PTTL", "cache:c"]).await;
    assert!((1..=60_000).contains(&left), "{left}");
    assert!(redis.ask::<i64>(&["PTTL", "{cache:c}:counted"]).await > 0, "nothing is immortal");
    redis.kill();
    for _ in 0..5 {
        caches[0].add("new", 3, Some(MINUTE)).await.unwrap();
    }
    let over = Some(Duration::from_millis(50));
    caches[0].add("over", 1, over).await.unwrap();
    assert_eq!(sum(&caches[0], "new").await, (15, ServedBy::Local));
    redis.start_again().await;
    eventually("it is brought", || async { sum(&caches[1], "new").await == (15, ServedBy::Redis) }).await;
    assert_eq!(sum(&caches[1], "over").await.0, 0, "its time was over");
}

#[tokio::test]
async fn what_is_no_counter_is_refused_and_nothing_is_counted() {
    let Some(redis) = Redis::start().await else { return };
    let cache = cache(&redis, 1);
    redis.ask::<()>(&["HSET", "cache:hash", "field", "1"]).await;
    assert!(cache.add("hash", 1, None).await.is_err() && cache.count("hash").await.is_err());
    redis.ask::<()>(&["SET", "cache:large", &i64::MAX.to_string()]).await;
    assert!(cache.add("large", 1, None).await.is_err());
    assert_eq!(sum(&cache, "large").await, (i64::MAX, ServedBy::Redis));
    assert_eq!(cache.add("large", -1, None).await.unwrap().value, i64::MAX - 1);
    assert!(cache.add("c", 1, Some(Duration::ZERO)).await.is_err());
    assert!(cache.add("", 1, None).await.is_err());
}

#[tokio::test]
async fn a_pattern_clears_what_redis_knows_and_what_it_does_not() {
    let Some(mut redis) = Redis::start().await else { return };
    let (a, b) = (cache(&redis, 1), cache(&redis, 2));
    for number in 0..1500 {
        a.set(&format!("user:{number}"), value("x"), MINUTE).await.unwrap();
    }
    a.set("other", value("x"), MINUTE).await.unwrap();
    redis.ask::<()>(&["SET", "foreign:user:1", "x"]).await;
    assert_eq!(b.clear("user:*").await.unwrap().count, 1500);
    assert_eq!((text(&a, "user:7").await, text(&a, "other").await.as_deref()), (None, Some("x")));
    assert_eq!(redis.ask::<String>(&["GET", "foreign:user:1"]).await, "x");
    assert_eq!(b.clear("user:*").await.unwrap().count, 0);
    redis.kill();
    a.set("user:9", value("y"), MINUTE).await.unwrap();
    assert!(matches!(a.clear("user:*").await, Err(SessionError::Unavailable(_))));
    redis.start_again().await;
    eventually("it can be cleared", || async { a.clear("user:*").await.is_ok() }).await;
    assert_eq!(text(&b, "user:9").await, None);
}

#[tokio::test]
async fn a_value_is_loaded_once_however_many_ask() {
    let Some(redis) = Redis::start().await else { return };
    let cache = cache(&redis, 1);
    let (loads, go) = (Arc::new(AtomicU64::new(0)), Arc::new(tokio::sync::Semaphore::new(0)));
    let load = |loads: &Arc<AtomicU64>, go: &Arc<tokio::sync::Semaphore>| {
        let (loads, go) = (Arc::clone(loads), Arc::clone(go));
        async move {
            loads.fetch_add(1, Ordering::SeqCst);
            go.acquire().await?.forget();
            Ok(value("loaded"))
        }
    };
    // The first to ask goes away.
    let leader = tokio::spawn({
        let (cache, load) = (cache.clone(), load(&loads, &go));
        async move { cache.get_or_set("k", MINUTE, load).await }
    });
    eventually("it loads", || async { loads.load(Ordering::SeqCst) == 1 }).await;
    leader.abort();
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let (cache, load) = (cache.clone(), load(&loads, &go));
        asking.spawn(async move { cache.get_or_set("k", MINUTE, load).await });
    }
    eventually("all have asked", || async { cache.stats().misses >= 101 }).await;
    go.add_permits(1);
    while let Some(asked) = asking.join_next().await {
        assert_eq!(asked.unwrap().unwrap(), value("loaded"));
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert_eq!(text(&self::cache(&redis, 2), "k").await.as_deref(), Some("loaded"));
}

#[tokio::test]
async fn a_load_that_fails_or_panics_is_told_and_tried_again_by_the_next() {
    let Some(mut redis) = Redis::start().await else { return };
    let cache = cache(&redis, 1);
    let failed = cache.get_or_set("k", MINUTE, async { Err("no such user".into()) }).await.unwrap_err();
    assert_eq!(failed.to_string(), "the value was not loaded: no such user");
    let gone = cache.get_or_set("k", MINUTE, async { panic!("a loader that panics, on purpose") }).await;
    assert!(matches!(gone, Err(LoadError::Gone)));
    let loaded = cache.get_or_set("k", MINUTE, async { Ok(value("x")) }).await.unwrap();
    assert_eq!(loaded, value("x"));
    assert_eq!((cache.stats().loads, cache.stats().load_failures), (1, 1));
    // What is loaded while Redis is away is served, too.
    redis.kill();
    let loaded = cache.get_or_set("away", MINUTE, async { Ok(value("y")) }).await.unwrap();
    assert_eq!((loaded, text(&cache, "away").await.as_deref()), (value("y"), Some("y")));
}
