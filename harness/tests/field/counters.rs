//! Redis counts, and the reply is lost with the connection, several times in a row. (V5)

use std::time::Duration;

use squall::fault::{Act, Answer, Commands, Matching};
use squall_client::settings::Fallback;
use squall_client::{Cache, Profile, ServedBy, Settings};

use crate::calls::{self, Calls, MINUTES};
use crate::stage::{Stage, Struck, eventually, strike};
use crate::table::Table;

/// The replies to the next so many commands that count are lost.
async fn lose(stage: &Stage, key: &str, replies: u32) -> Vec<Struck> {
    let mut struck = Vec::new();
    for nth in 1..=replies {
        let matching = Matching {
            command: Some(Commands(vec!["EVALSHA".to_owned(), "EVAL".to_owned()])),
            key: Some(format!("*{key}")),
            nth: Some(nth),
        };
        struck.push(
            stage.begin_strike(squall::plan::Strike { matching, ..strike(Act::Answer(Answer::Drop)) }).await,
        );
    }
    struck
}

fn settings() -> Settings {
    let mut settings = Profile::Chatbot.settings();
    settings.key_prefix = "cache:".to_owned();
    settings.breaker.cool_down = Duration::from_millis(500);
    settings
}

/// What Redis counts by, of each key: the script has been loaded, so that one command is one attempt.
async fn started(settings: &Settings) -> (Stage, Cache) {
    let stage = Stage::start().await;
    let cache = Cache::over(stage.client(settings, 1).sessions);
    cache.add("first", 1, Some(MINUTES)).await.unwrap();
    (stage, cache)
}

/// How the counter stands in Redis.
async fn stands(stage: &Stage, key: &str) -> i64 {
    stage.ask::<Option<i64>>(&["GET", &format!("cache:{key}")]).await.unwrap_or(0)
}

pub(crate) async fn a_count_whose_reply_was_lost_counts_once(table: Table) {
    let settings = settings();
    let (stage, cache) = started(&settings).await;
    let (before, since) = (stage.opened(), stage.clock.now());
    let (mut made, mut doubles, mut notes) = (Calls::default(), 0, Vec::new());
    for replies in 1..=4_u32 {
        let key = format!("lost-{replies}");
        let struck = lose(&stage, &key, replies).await;
        let counting = async {
            match cache.add(&key, 1, Some(MINUTES)).await {
                Ok(count) if count.value != 1 => calls::Answer::Wrong,
                Ok(count) if count.served_by == ServedBy::Redis => calls::Answer::Redis,
                Ok(_) => calls::Answer::Local,
                Err(_) => calls::Answer::Failed,
            }
        };
        let answer = made.make(&stage.clock, settings.deadline, counting).await;
        notes.push(format!("{replies} lost: {}", format!("{answer:?}").to_lowercase()));
        // What was not answered is brought later, and the count stays what it was.
        eventually("redis says what it stands at", || async {
            cache.count(&key).await.is_ok_and(|count| count.served_by == ServedBy::Redis)
        })
        .await;
        let carried_out = stage.count(|what| matches!(what, squall::history::Wire::Struck { .. }));
        assert!(carried_out > 0, "redis has counted, and the reply was lost");
        doubles += stands(&stage, &key).await - 1;
        assert_eq!(cache.count(&key).await.unwrap().value, stands(&stage, &key).await);
        for struck in &struck {
            stage.end(struck).await;
        }
    }
    let lost = stage.count(|what| matches!(what, squall::history::Wire::Struck { .. }));
    let mut row = made.row(
        "V5",
        "chatbot with a cool-down of 0.5 s, one count each with 1, 2, 3, 4 replies lost",
        since,
    );
    row.recovery.clear();
    row.doubles = u64::try_from(doubles).expect("nothing is lost");
    row.reconnects = stage.opened() - before;
    row.note = notes.join(", ");
    table.add(row);
    assert_eq!(lost, 1 + 2 + 3 + 4, "so many replies were lost");
    assert_eq!((doubles, made.failed, made.wrong, made.late), (0, 0, 0, 0), "{made:?}");
    stage.close().await;
}

/// Without a fallback the caller is told, and never that nothing was counted when something was.
pub(crate) async fn without_a_fallback_a_lost_reply_is_told_as_unknown(table: Table) {
    let mut settings = settings();
    settings.fallback = Fallback::None;
    settings.retry.retries = 0;
    let (stage, cache) = started(&settings).await;
    let struck = lose(&stage, "once", 1).await;
    let (mut made, mut told, since) = (Calls::default(), None, stage.clock.now());
    let before = stage.opened();
    let counting = async {
        told = cache.add("once", 1, Some(MINUTES)).await.err();
        if told.is_some() { calls::Answer::Failed } else { calls::Answer::Wrong }
    };
    made.make(&stage.clock, settings.deadline, counting).await;
    let error = told.expect("its reply was lost");
    let counted = stands(&stage, "once").await;
    stage.end(&struck[0]).await;
    // It is told again with the next count, and counts once all the same.
    let next = cache.add("once", 1, Some(MINUTES)).await.unwrap();
    let mut row = made.row("V5", "chatbot without fallback and retries, 1 reply lost", since);
    row.doubles = u64::try_from(stands(&stage, "once").await - 2).expect("nothing is lost");
    row.note = "told as one that may have been counted".to_owned();
    row.reconnects = stage.opened() - before;
    let doubles = row.doubles;
    table.add(row);
    assert!(!error.definite(), "redis has counted: {error}");
    assert_eq!((counted, next.value, doubles), (1, 2, 0));
    stage.close().await;
}
