//! A real Redis brought into every state in which it serves little or nothing, and out of it again.

use std::time::Duration;

use squall_client::{CallError, Event, Lookup, ServedBy, SessionError, Settings, Time};

use crate::redis::{MINUTE, Redis, Told, create, eventually, free_port, fresh, read, value};
use crate::support::{calm, in_time, said, why_unknown, works};

/// What the client was told of Redis since `from`, each text once.
fn told_since(told: &Told, from: usize) -> Vec<String> {
    let events = told.events.lock().expect("no panic");
    let mut texts: Vec<String> = events[from..]
        .iter()
        .filter_map(|event| match event {
            Event::Failed { error, .. } => Some(error.to_string()),
            _ => None,
        })
        .collect();
    texts.dedup();
    texts
}

async fn configure(redis: &Redis, words: &[&str]) {
    redis.ask::<()>(&[&["CONFIG", "SET"], words].concat()).await;
}

/// A session is updated while Redis is in that state: it is told so, the local copy takes it, and later Redis has it.
async fn goes_on_locally(
    redis: &Redis,
    told: &Told,
    settings: &Settings,
    text: &str,
    heal: impl AsyncFnOnce(),
) {
    let from = told.events.lock().expect("no panic").len();
    let ack = in_time(settings, told.client.update("s", value("meanwhile"))).await.expect("it is accepted");
    assert_eq!(ack.served_by, ServedBy::Local, "{text}");
    let texts = told_since(told, from);
    assert!(texts.iter().any(|told| told == text), "{text}: {texts:?}");
    assert!(
        matches!(in_time(settings, told.client.get("s")).await, Ok(Lookup::Found { session, .. }) if session.value == "meanwhile")
    );
    heal().await;
    told.clean().await;
    works(redis, told).await;
    assert_eq!(fresh(redis, "s").await.as_deref(), Some("meanwhile"), "{text}");
}

#[tokio::test]
async fn a_replica_takes_no_writes_and_says_whose_it_is() {
    let Some(redis) = Redis::start().await else { return };
    let (a, settings) = (redis.session_client(1, &calm()), calm());
    create(&a, "s", "before", MINUTE).await;
    redis.ask::<()>(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]).await;
    assert_eq!(read(&a, "s").await.as_deref(), Some("before"), "a replica still reads");
    let text = "redis did not do it: READONLY: it is a replica, so give the address of the primary";
    goes_on_locally(&redis, &a, &settings, text, async || {
        // The connection is left, and no other is made to a replica.
        assert_eq!(fresh_answer(&redis).await, CallError::NotNow("READONLY".to_owned()));
        let reads = redis.calls("get").await;
        assert!(matches!(a.client.get("unseen").await, Ok(Lookup::Unknown { .. })));
        assert_eq!(redis.calls("get").await, reads);
        redis.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await
    })
    .await;
}

/// Why a client that begins now knows nothing.
async fn fresh_answer(redis: &Redis) -> CallError {
    why_unknown(&redis.session_client(9, &calm())).await
}

#[tokio::test]
async fn a_replica_without_its_primary_that_serves_no_old_data_is_an_outage() {
    let Some(redis) = Redis::start().await else { return };
    let (a, settings) = (redis.session_client(1, &calm()), calm());
    create(&a, "s", "before", MINUTE).await;
    configure(&redis, &["replica-serve-stale-data", "no"]).await;
    redis.ask::<()>(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]).await;
    let text = "redis did not do it: MASTERDOWN: it is a replica without its primary, so give the address of another";
    goes_on_locally(&redis, &a, &settings, text, async || redis.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await)
        .await;
}

#[tokio::test]
async fn too_few_replicas_full_memory_and_a_disk_that_cannot_be_written_are_told_with_their_cures() {
    let options = ["--enable-protected-configs", "yes"].map(str::to_owned).to_vec();
    let Some(redis) = Redis::start_with(options).await else { return };
    let (a, settings) = (redis.session_client(1, &calm()), calm());
    create(&a, "s", "before", MINUTE).await;
    let text = "redis did not do it: NOREPLICAS: it has fewer replicas than min-replicas-to-write asks for";
    configure(&redis, &["min-replicas-to-write", "1"]).await;
    goes_on_locally(&redis, &a, &settings, text, async || {
        configure(&redis, &["min-replicas-to-write", "0"]).await
    })
    .await;
    let text = "redis did not do it: OOM: its memory is full, so raise maxmemory there";
    configure(&redis, &["maxmemory", "1"]).await;
    goes_on_locally(&redis, &a, &settings, text, async || configure(&redis, &["maxmemory", "0"]).await).await;
    // What is to be the file is a folder with something in it.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("dump/x")).unwrap();
    configure(&redis, &["dir", folder.path().to_str().unwrap(), "dbfilename", "dump", "save", "3600 1"])
        .await;
    redis.ask::<::redis::Value>(&["BGSAVE"]).await;
    eventually("the disk fails", || async {
        redis.ask::<String>(&["INFO", "persistence"]).await.contains("rdb_last_bgsave_status:err")
    })
    .await;
    let text = "redis did not do it: MISCONF: it cannot save its data, and its log says why";
    goes_on_locally(&redis, &a, &settings, text, async || configure(&redis, &["save", ""]).await).await;
}

#[tokio::test]
async fn a_redis_that_is_busy_with_a_script_is_told_and_served_for_in_time() {
    let Some(redis) = Redis::start().await else { return };
    let (a, settings) = (redis.session_client(1, &calm()), calm());
    create(&a, "s", "before", MINUTE).await;
    configure(&redis, &["busy-reply-threshold", "10"]).await;
    let mut side = redis.side().await;
    let busy = tokio::spawn(async move {
        ::redis::cmd("EVAL").arg("while true do end").arg(0).exec_async(&mut side).await
    });
    eventually("it is busy", || async {
        matches!(a.client.get("unseen").await, Ok(Lookup::Unknown { because: CallError::NotNow(code) }) if code == "BUSY")
    })
    .await;
    let ack = in_time(&settings, a.client.update("s", value("meanwhile"))).await.unwrap();
    assert_eq!(ack.served_by, ServedBy::Local);
    let told = told_since(&a, 0);
    let text = "redis did not do it: BUSY: a script runs for too long there, which SCRIPT KILL ends";
    assert!(told.iter().any(|told| told == text), "{told:?}");
    eventually("it is killed", || async {
        let mut side = redis.side().await;
        ::redis::cmd("SCRIPT").arg("KILL").exec_async(&mut side).await.is_ok()
    })
    .await;
    assert!(busy.await.unwrap().is_err());
    a.clean().await;
    works(&redis, &a).await;
}

#[tokio::test]
async fn a_redis_with_as_many_clients_as_it_takes_is_told_by_name() {
    let Some(redis) = Redis::start().await else { return };
    let mut side = redis.side().await;
    for password in ["", "right"] {
        ::redis::cmd("CONFIG")
            .arg(&["SET", "requirepass", password, "maxclients", "1"])
            .exec_async(&mut side)
            .await
            .unwrap();
        let mut settings = calm();
        settings.resync.enabled = false;
        let a = redis.session_client(1, &settings);
        let login = (!password.is_empty()).then(|| password.to_owned());
        let tcp = squall_client::Tcp {
            host: "127.0.0.1".to_owned(),
            port: redis.port,
            keepalive: settings.keepalive.clone(),
        };
        let mut endpoint = squall_client::Endpoint::new(std::sync::Arc::new(tcp));
        endpoint.credentials = squall_client::Credentials::new(None, login);
        let b = crate::redis::told(endpoint, 2, &settings, squall_client::Clock::system());
        let text = "no connection: handshake: redis did not do it: max number of clients reached: it serves no more clients, so raise maxclients there or lower pool.connections here";
        for told in [&a, &b] {
            let answer = in_time(&settings, told.client.get("s")).await;
            let Ok(Lookup::Unknown { because }) = answer else { panic!("{answer:?}") };
            assert_eq!(because.to_string(), text);
        }
        ::redis::cmd("CONFIG").arg(&["SET", "maxclients", "100"]).exec_async(&mut side).await.unwrap();
        eventually("there is room again", || async {
            matches!(b.client.get("s").await, Ok(Lookup::Absent { served_by: ServedBy::Redis }))
        })
        .await;
    }
}

#[tokio::test]
async fn a_redis_whose_commands_are_renamed_refuses_by_name_and_nothing_is_left_half_done() {
    let renamed =
        |command: &str| ["--rename-command".to_owned(), command.to_owned(), "hidden".to_owned()].to_vec();
    let text = "redis refuses: unknown command: it does not know a command that this client uses: Redis 6.2 is the oldest that does, none renamed";
    let settings = calm();
    for (command, reads) in [("EVALSHA", true), ("GET", false)] {
        let Some(redis) = Redis::start_with(renamed(command)).await else { return };
        let a = redis.session_client(1, &settings);
        assert_eq!(
            said(in_time(&settings, a.client.create("s", value("x"), MINUTE)).await),
            text,
            "{command}"
        );
        assert_eq!((a.client.stats().dirty, a.client.stats().breaker.name()), (0, "closed"), "{command}");
        match in_time(&settings, a.client.get("s")).await.unwrap() {
            Lookup::Absent { served_by: ServedBy::Redis } if reads => {}
            Lookup::Unknown { because } if !reads => assert_eq!(because.to_string(), text),
            other => panic!("{command}: {other:?}"),
        }
    }
    let Some(redis) = Redis::start_with(renamed("INFO")).await else { return };
    let a = redis.session_client(1, &settings);
    assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Redis, "INFO is not needed");
    let Some(redis) = Redis::start_with(renamed("SCAN")).await else { return };
    let a = redis.session_client(1, &settings);
    assert_eq!(said(a.client.clear("*").await), text);
    let Some(redis) = Redis::start_with(renamed("TIME")).await else { return };
    let a = redis.session_client(1, &settings);
    let answer = in_time(&settings, a.client.get("s")).await;
    let Ok(Lookup::Unknown { because }) = answer else { panic!("{answer:?}") };
    assert_eq!(because.to_string(), format!("no connection: handshake: {text}"));
}

#[tokio::test]
async fn an_error_that_nobody_knows_is_told_by_its_first_word_and_without_its_text() {
    let Some(redis) = Redis::start().await else { return };
    let crooked = crate::crooked::Crooked::before(&redis).await;
    let a = crooked.client(1, &calm());
    create(&a, "odd", "x", MINUTE).await;
    crooked.answer("session:odd", "-WHATEVER secret text\r\n", crate::crooked::Then::GoOn);
    let error = a.client.update("odd", value("y")).await.unwrap_err();
    assert_eq!(error, SessionError::Call(CallError::Refused("WHATEVER".to_owned())));
    assert_eq!(error.to_string(), "redis refuses: WHATEVER");
    crooked.honest();
    assert_eq!(read(&a, "odd").await.as_deref(), Some("x"), "it was taken back here too");
}

#[tokio::test]
async fn clocks_an_hour_off_expire_nothing_early_and_keep_nothing_for_ever() {
    let Some(redis) = Redis::start().await else { return };
    let now: (u64, u64) = redis.ask(&["TIME"]).await;
    let hour = 3_600_000;
    for epoch in [now.0 * 1000 - hour, now.0 * 1000 + hour, 0, u64::MAX] {
        let (settings, clock) = (calm(), squall_client::Clock::new(epoch));
        let (watch, since) = (squall_client::Clock::system(), |then: Time, now: Time| {
            i64::try_from(now.since(then).as_millis()).unwrap() + 1
        });
        let begun = watch.now();
        let a = redis.session_client_at(1, &settings, clock);
        create(&a, "s", "x", MINUTE).await;
        // What time it is at Redis is known to half a round trip on either side of what is taken for it, so it may end early by a
        // whole one; later than was asked it must not.
        let unsure = since(begun, watch.now()) + 1;
        let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
        let took = since(begun, watch.now());
        let range = 60_000 - took - unsure..=60_000;
        assert!(range.contains(&left), "{epoch}: {left}, must be in {range:?}");
        assert_eq!(read(&a, "s").await.as_deref(), Some("x"), "{epoch}");
        create(&a, "short", "x", Duration::from_millis(150)).await;
        eventually("it is over", || async { read(&a, "short").await.is_none() }).await;
        assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"), "{epoch}");
        a.client.destroy("s").await.unwrap();
    }
}

#[tokio::test]
async fn what_is_created_anew_stands_though_a_process_that_had_the_number_ended_it_in_the_same_millisecond() {
    let Some(redis) = Redis::start().await else { return };
    let mut before = redis.session_client(1, &calm());
    create(&before, "s", "x", MINUTE).await;
    for round in 0..60 {
        let after = redis.session_client(1, &calm());
        create(&after, "other", "x", MINUTE).await;
        before.client.destroy("s").await.unwrap();
        assert_eq!(create(&after, "s", "x", MINUTE).await, ServedBy::Redis);
        let left: i64 = redis.ask(&["PTTL", "session:s"]).await;
        assert!(left > 0, "{round}: {left}");
        before = after;
    }
}
