//! Sessions that expire, or are destroyed, while others write them. (V11)

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use squall_client::{Lookup, Profile, SessionClient, SessionError};
use tokio::task::JoinSet;

use crate::calls::{Answer, Calls, MINUTES};
use crate::stage::{Client, Stage, eventually};
use crate::table::Table;

const SESSIONS: u64 = 600;

/// How long sessions live that are to expire while they are written.
const SHORT: Duration = Duration::from_millis(40);

/// What names Redis's data; the one key that lives for ever, on purpose, and is no session.
const GENERATION: &str = "squall:generation:";

pub(crate) async fn no_key_lives_for_ever_and_nothing_is_revived(table: Table) {
    let settings = Profile::Chatbot.settings();
    let stage = Arc::new(Stage::start().await);
    let clients = [stage.client(&settings, 1), stage.client(&settings, 2)];
    let since = stage.clock.now();
    let mut racing = JoinSet::new();
    for number in 0..SESSIONS {
        let (stage, clients, deadline) = (Arc::clone(&stage), clients.clone(), settings.deadline);
        racing.spawn(async move {
            let mut calls = Calls::default();
            let race = async {
                if number % 2 == 0 {
                    expires(&clients, number).await
                } else {
                    is_destroyed(&clients, number).await
                }
            };
            calls.make(&stage.clock, deadline, race).await;
            calls
        });
    }
    let mut calls = Calls::default();
    while let Some(race) = racing.join_next().await {
        calls = calls.and(&race.unwrap());
    }
    for number in 0..SESSIONS {
        let key = format!("session:s{number}");
        eventually("what has expired, or was destroyed, is gone", || async {
            stage.ask::<i64>(&["EXISTS", &key]).await == 0
        })
        .await;
    }
    let mut revived = 0;
    for number in 0..SESSIONS {
        for client in &clients {
            revived += u64::from(!gone(&client.sessions, &format!("s{number}")).await);
        }
    }
    let (keys, immortal) = immortal(&stage).await;
    let mut row = calls.row("V11", "chatbot, two instances, 600 sessions", since);
    row.recovery.clear();
    row.note = format!("{} of {keys} keys left live for ever, {revived} sessions revived", immortal.len());
    table.add(row);
    assert!(immortal.is_empty(), "{immortal:?}");
    assert!(keys >= SESSIONS / 2, "tombstones of what was destroyed are there: {keys} keys");
    assert_eq!((revived, calls.wrong, calls.failed), (0, 0, 0), "{calls:?}");
    Arc::into_inner(stage).unwrap().close().await;
}

fn value() -> Bytes {
    Bytes::from_static(b"x")
}

/// Both instances write a session over and over until it has expired. Nobody extends it, so that must be soon.
async fn expires(clients: &[Client; 2], number: u64) -> Answer {
    let (id, mut chance) = (format!("s{number}"), ChaCha8Rng::seed_from_u64(number));
    clients[0].sessions.create(&id, value(), SHORT).await.unwrap();
    loop {
        let client = &clients[chance.random_range(0..2)];
        match client.sessions.update(&id, value()).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(chance.random_range(0..4))).await,
            // It ended between an attempt and its answer, or before.
            Err(SessionError::NoSession) => return Answer::Redis,
            Err(_) => return Answer::Failed,
        }
    }
}

/// One instance destroys a session while the other writes and extends it.
async fn is_destroyed(clients: &[Client; 2], number: u64) -> Answer {
    let (id, mut chance) = (format!("s{number}"), ChaCha8Rng::seed_from_u64(number));
    clients[0].sessions.create(&id, value(), MINUTES).await.unwrap();
    let (writer, written) = (clients[1].clone(), id.clone());
    let writing = tokio::spawn(async move {
        while writer.sessions.update(&written, value()).await.is_ok() {
            if let Err(SessionError::NoSession) = writer.sessions.touch(&written, MINUTES).await {
                return;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(chance.random_range(0..20))).await;
    clients[0].sessions.destroy(&id).await.unwrap();
    // It ends by itself, since what is destroyed cannot be written.
    match tokio::time::timeout(Duration::from_secs(5), writing).await {
        Ok(Ok(())) => Answer::Redis,
        Ok(Err(_)) | Err(_) => Answer::Wrong,
    }
}

async fn gone(client: &SessionClient, id: &str) -> bool {
    matches!(client.get(id).await, Ok(Lookup::Absent { .. }))
}

/// How many keys there are, and those without a TTL.
async fn immortal(stage: &Stage) -> (u64, Vec<String>) {
    let (mut cursor, mut seen, mut immortal) = ("0".to_owned(), 0, Vec::new());
    loop {
        let (next, keys): (String, Vec<String>) = stage.ask(&["SCAN", &cursor, "COUNT", "1000"]).await;
        for key in keys.into_iter().filter(|key| !key.starts_with(GENERATION)) {
            seen += 1;
            if stage.ask::<i64>(&["PTTL", &key]).await == -1 {
                immortal.push(key);
            }
        }
        if next == "0" {
            return (seen, immortal);
        }
        cursor = next;
    }
}
