//! Wrong and stale answers of a client that keeps copies. (V3, V4)

use std::sync::Arc;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use squall_client::{Cache, Lookup, Profile, ServedBy};
use tokio::task::JoinSet;

use crate::calls::{Answer, Calls, MINUTES};
use crate::stage::{Client, Stage};
use crate::table::Table;

/// Parts that make the same text in several ways.
const PARTS: [&str; 7] = ["a", "b", "ab", "a b", "h:a", ":", "a:"];

/// All keys of one to three parts. What lies under each is its own name, so that a mix-up shows.
fn keys() -> Vec<String> {
    let mut keys: Vec<String> = PARTS.iter().map(|part| (*part).to_owned()).collect();
    for first in PARTS {
        for second in PARTS {
            keys.push(format!("{first}{second}"));
            keys.push(format!("{first} {second}"));
            keys.push(format!("{first}\0{second}"));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

pub(crate) async fn keys_that_look_alike_share_nothing(table: Table) {
    const ROUNDS: u64 = 2_000;
    let settings = Profile::CacheV4.settings();
    let stage = Stage::start().await;
    let caches = [1, 2].map(|writer| Cache::over(stage.client(&settings, writer).sessions));
    let (keys, mut chance) = (keys(), ChaCha8Rng::seed_from_u64(7));
    for (number, key) in keys.iter().enumerate() {
        caches[number % 2].set(key, Bytes::from(key.clone()), MINUTES).await.unwrap();
    }
    let (mut calls, since, mut values) = (Calls::default(), stage.clock.now(), 0_u64);
    for _ in 0..ROUNDS {
        let cache = &caches[chance.random_range(0..2)];
        let asked: Vec<&str> = (0..chance.random_range(1..5))
            .map(|_| keys[chance.random_range(0..keys.len())].as_str())
            .collect();
        values += asked.len() as u64;
        let asking = async {
            let found = cache.get_many(&asked).await;
            let right = |(asked, found): (&&str, &Result<Option<Bytes>, _>)| {
                found
                    .as_ref()
                    .is_ok_and(|value| value.as_ref().is_some_and(|value| value == asked.as_bytes()))
            };
            let whole = found.len() == asked.len() && asked.iter().zip(&found).all(right);
            if whole { Answer::Redis } else { Answer::Wrong }
        };
        calls.make(&stage.clock, settings.deadline, asking).await;
    }
    // Several loads at once, of keys that look alike: each caller gets what belongs to its key.
    let mut loading = JoinSet::new();
    for key in &keys {
        let (cache, key) = (caches[0].clone(), format!("load {key}"));
        loading.spawn(async move {
            let loads = key.clone();
            let loaded = cache.get_or_set(&key, MINUTES, async move { Ok(Bytes::from(loads)) }).await;
            loaded.is_ok_and(|value| value == key.as_bytes())
        });
    }
    while let Some(loaded) = loading.join_next().await {
        calls
            .make(&stage.clock, settings.deadline, async {
                if loaded.unwrap() { Answer::Redis } else { Answer::Wrong }
            })
            .await;
    }
    let mut row = calls.row("V3", "cache-v4, two instances", since);
    row.recovery.clear();
    row.note = format!("{values} values of {} keys that look alike, read several at once", keys.len());
    table.add(row);
    assert_eq!((calls.wrong, calls.failed), (0, 0), "{calls:?}");
    stage.close().await;
}

/// One instance writes, another reads the same keys at the same time, and sometimes gives a read up half-way.
pub(crate) async fn what_another_instance_wrote_is_never_read_stale(table: Table) {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 1_250;
    let settings = Profile::Chatbot.settings();
    let stage = Arc::new(Stage::start().await);
    let (writer, reader) = (stage.client(&settings, 1), stage.client(&settings, 2));
    let since = stage.clock.now();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (stage, writer, reader) = (Arc::clone(&stage), writer.clone(), reader.clone());
        tasks.spawn(async move { interleave(&stage, &writer, &reader, task, ROUNDS).await });
    }
    let mut calls = Calls::default();
    while let Some(task) = tasks.join_next().await {
        calls = calls.and(&task.unwrap());
    }
    let mut row = calls.row("V4", "chatbot, one instance writes, another reads", since);
    row.recovery.clear();
    row.note = "each read after a write by the other, with reads under way meanwhile".to_owned();
    table.add(row);
    assert_eq!(calls.made, TASKS * ROUNDS);
    assert_eq!((calls.wrong, calls.failed, calls.local), (0, 0, 0), "{calls:?}");
    Arc::into_inner(stage).unwrap().close().await;
}

/// Values are numbers that grow: a reader must see what was acknowledged before it asked, or what came later.
async fn interleave(stage: &Stage, writer: &Client, reader: &Client, task: u64, rounds: u64) -> Calls {
    let (id, mut chance) = (format!("s{task}"), ChaCha8Rng::seed_from_u64(task));
    let number = |number: u64| Bytes::from(number.to_string());
    writer.sessions.create(&id, number(0), MINUTES).await.unwrap();
    let mut calls = Calls::default();
    for round in 1..=rounds {
        let (under_way, given_up) = (chance.random_range(0..3), chance.random_bool(0.2));
        let early: Vec<_> =
            (0..under_way).map(|_| tokio::spawn(read(reader.clone(), id.clone(), round - 1))).collect();
        for _ in 0..chance.random_range(0..4) {
            tokio::task::yield_now().await;
        }
        if given_up {
            early.iter().take(1).for_each(tokio::task::JoinHandle::abort);
        }
        let ack = writer.sessions.update(&id, number(round)).await.unwrap();
        assert_eq!(ack.served_by, ServedBy::Redis);
        let deadline = reader.sessions.settings().deadline;
        calls.make(&stage.clock, deadline, read(reader.clone(), id.clone(), round)).await;
        for early in early {
            // One that was given up says nothing.
            let early = early.await.unwrap_or(Answer::Redis);
            calls.wrong += u64::from(early == Answer::Wrong);
            calls.failed += u64::from(early == Answer::Failed);
        }
    }
    calls
}

/// Reads; less than `least` is stale.
async fn read(reader: Client, id: String, least: u64) -> Answer {
    match reader.sessions.get(&id).await {
        Ok(Lookup::Found { session, served_by }) => {
            let seen: Option<u64> =
                std::str::from_utf8(&session.value).ok().and_then(|text| text.parse().ok());
            match (seen, served_by) {
                (Some(seen), ServedBy::Redis) if seen >= least => Answer::Redis,
                (Some(seen), ServedBy::Local) if seen >= least => Answer::Local,
                (Some(_) | None, _) => Answer::Wrong,
            }
        }
        Ok(Lookup::Absent { .. }) => Answer::Wrong,
        Ok(Lookup::Unknown { .. }) | Err(_) => Answer::Failed,
    }
}
