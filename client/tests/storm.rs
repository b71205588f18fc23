//! Two clients under load while a real redis-server is killed, restarted empty, paused and flushed at random. Each session is
//! written by one client only, in order, and read by both: so what must be true of it is known at every moment.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use redis::{Redis, eventually, quick};
use squall_client::core::breaker::State;
use squall_client::{Clock, Event, Lookup, SessionClient, SessionError};

const SESSIONS: u32 = 24;
const STORM: Duration = Duration::from_secs(6);

/// What its writer knows of a session.
#[derive(Debug, Default)]
struct Model {
    /// The number of its last value, if it is there.
    value: Option<u64>,
    /// When it expires, between the two, in milliseconds since 1970.
    expires: (u64, u64),
    writes: u64,
}

fn id(n: u32) -> String {
    format!("s{n}")
}

fn number(value: &Bytes) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).expect("a number that was written")
}

/// Writes to one session until told to stop, and checks what it reads back.
async fn write_and_check(
    client: SessionClient,
    n: u32,
    seed: u64,
    clock: Clock,
    stop: Arc<AtomicBool>,
) -> Model {
    let mut random = ChaCha8Rng::seed_from_u64(seed + u64::from(n));
    let (id, mut model) = (id(n), Model::default());
    while !stop.load(Ordering::Relaxed) {
        let ttl = Duration::from_millis(random.random_range(20_000..90_000));
        let before = clock.unix_ms();
        let ended = match random.random_range(0..10) {
            _ if model.value.is_none() => {
                model.writes += 1;
                let ended = client.create(&id, Bytes::from(model.writes.to_string()), ttl).await;
                (model.value, model.expires.0) = (Some(model.writes), before + ttl.as_millis() as u64);
                model.expires.1 = clock.unix_ms() + ttl.as_millis() as u64;
                ended
            }
            0 => {
                model.value = None;
                client.destroy(&id).await
            }
            1 | 2 => {
                let ended = client.touch(&id, ttl).await;
                let ttl = ttl.as_millis() as u64;
                model.expires = (before + ttl, clock.unix_ms() + ttl);
                ended
            }
            3..=6 => {
                model.writes += 1;
                model.value = Some(model.writes);
                client.update(&id, Bytes::from(model.writes.to_string())).await
            }
            _ => {
                let seen = match client.get(&id).await.expect("it can be asked") {
                    Lookup::Found { session, .. } => Some(number(&session.value)),
                    Lookup::Absent { .. } => None,
                    Lookup::Unknown { because } => panic!("the writer always knows {id}: {because}"),
                };
                assert_eq!(seen, model.value, "{id} reads its own writes");
                continue;
            }
        };
        assert!(ended.is_ok(), "{id}: {ended:?} in {model:?}");
        assert!(clock.unix_ms() - before < quick().deadline.as_millis() as u64 + 150, "{id} took too long");
        tokio::time::sleep(Duration::from_millis(random.random_range(0..20))).await;
    }
    model
}

/// Reads the other client's sessions all the time, so that it holds old copies; what it reads of one never goes back.
async fn read_others(client: SessionClient, mine: u32, stop: Arc<AtomicBool>) {
    let mut seen = vec![0; SESSIONS as usize];
    while !stop.load(Ordering::Relaxed) {
        for n in (0..SESSIONS).filter(|n| n % 2 != mine) {
            if let Ok(Lookup::Found { session, .. }) = client.get(&id(n)).await {
                let number = number(&session.value);
                assert!(number >= seen[n as usize], "{}: {number} after {}", id(n), seen[n as usize]);
                seen[n as usize] = number;
            }
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

async fn storm(redis: &mut Redis, seed: u64, clock: &Clock) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let until = clock.now() + STORM;
    while clock.now() < until {
        let strikes = Duration::from_millis(random.random_range(20..700));
        match random.random_range(0..4) {
            0 => {
                redis.kill();
                tokio::time::sleep(strikes).await;
                redis.start_again().await;
            }
            1 => {
                redis.pause();
                tokio::time::sleep(strikes).await;
                redis.go_on();
            }
            2 => redis.ask::<()>(&["FLUSHALL"]).await,
            _ => {
                let _: u64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_comes_back() {
    let Some(mut redis) = Redis::start().await else { return };
    let seed = seed();
    let clock = Clock::system();
    let clients = [redis.session_client(1, &quick()), redis.session_client(2, &quick())];
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..SESSIONS)
        .map(|n| {
            let client = clients[n as usize % 2].client.clone();
            tokio::spawn(write_and_check(client, n, seed, clock.clone(), Arc::clone(&stop)))
        })
        .collect();
    let readers = [0, 1].map(|mine| {
        tokio::spawn(read_others(clients[mine as usize].client.clone(), mine, Arc::clone(&stop)))
    });
    storm(&mut redis, seed, &clock).await;
    stop.store(true, Ordering::Relaxed);
    let mut models = Vec::new();
    for writer in writers {
        models.push(writer.await.expect("no writer saw anything wrong"));
    }
    for reader in readers {
        reader.await.expect("no reader saw anything wrong");
    }
    let calm = clock.now();
    for told in &clients {
        told.clean().await;
    }
    // A client without writes of its own to bring may still be behind its breaker, or bring old copies.
    eventually("both are through", || async { clients.iter().all(settled) }).await;
    assert!(clock.now().since(calm) < Duration::from_secs(3), "{:?}", clock.now().since(calm));
    let fresh = redis.session_client(9, &quick());
    for (n, model) in models.iter().enumerate() {
        let id = id(n as u32);
        for (who, told) in clients.iter().chain([&fresh]).enumerate() {
            let found = match told.client.get(&id).await.expect("it can be asked") {
                Lookup::Found { session, .. } => Some(number(&session.value)),
                Lookup::Absent { .. } => None,
                // Only where it is gone: who never wrote it cannot know whether a Redis that forgot will learn of it.
                Lookup::Unknown { because } => panic!("{id}, client {who}: {because}"),
            };
            assert_eq!(found, model.value, "{id}, client {who}, seed {seed}");
        }
        let left: i64 = redis.ask(&["PTTL", &format!("session:{id}")]).await;
        if model.value.is_none() {
            assert_eq!(left, -2, "{id} is gone");
        } else {
            let ends = (clock.unix_ms() as i64).saturating_add(left);
            let right = (model.expires.0 as i64 - 100)..=(model.expires.1 as i64 + 100);
            assert!(right.contains(&ends), "{id} ends at {ends}, should in {right:?}");
        }
    }
}

/// Which storm; `STORM_SEED` picks another one.
fn seed() -> u64 {
    std::env::var("STORM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn settled(told: &redis::Told) -> bool {
    let events = told.events.lock().expect("no panic");
    let breaker = events.iter().rev().find_map(|event| match event {
        Event::Breaker { to, .. } => Some(*to),
        Event::Mode { .. }
        | Event::Resync { .. }
        | Event::Slow { .. }
        | Event::Corrupt { .. }
        | Event::Disk { .. }
        | Event::Session { .. } => None,
        Event::ClassBreaker { .. } | Event::Operation { .. } | Event::Failed { .. } => None,
    });
    breaker.is_none_or(|state| state == State::Closed) && told.client.stats().dirty == 0
}

#[tokio::test]
async fn both_write_the_same_sessions_and_agree_in_the_end() {
    let Some(mut redis) = Redis::start().await else { return };
    let clock = Clock::system();
    let clients = [redis.session_client(1, &quick()), redis.session_client(2, &quick())];
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..16_u64)
        .map(|writer| {
            let (client, stop) = (clients[writer as usize % 2].client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut random = ChaCha8Rng::seed_from_u64(writer);
                while !stop.load(Ordering::Relaxed) {
                    let id = id(random.random_range(0..6));
                    let (value, ttl) =
                        (Bytes::from(writer.to_string()), Duration::from_secs(random.random_range(30..90)));
                    let ended = match random.random_range(0..8) {
                        0 => client.create(&id, value, ttl).await,
                        1 => client.destroy(&id).await,
                        2 | 3 => client.touch(&id, ttl).await,
                        _ => client.update(&id, value).await,
                    };
                    assert!(matches!(
                        ended,
                        Ok(_) | Err(SessionError::NoSession | SessionError::Unavailable(_))
                    ));
                    tokio::time::sleep(Duration::from_millis(random.random_range(0..10))).await;
                }
            })
        })
        .collect();
    storm(&mut redis, seed(), &clock).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("a writer ends");
    }
    eventually("both are through", || async { clients.iter().all(settled) }).await;
    let fresh = redis.session_client(9, &quick());
    for n in 0..6 {
        let mut seen = Vec::new();
        for told in clients.iter().chain([&fresh]) {
            seen.push(match told.client.get(&id(n)).await.expect("it can be asked") {
                Lookup::Found { session, .. } => Some(session.value),
                Lookup::Absent { .. } | Lookup::Unknown { .. } => None,
            });
        }
        assert!(seen.iter().all(|other| *other == seen[0]), "{}: {seen:?}", id(n));
        let left: i64 = redis.ask(&["PTTL", &format!("session:{}", id(n))]).await;
        assert_ne!(left, -1, "no session lives for ever");
    }
}
