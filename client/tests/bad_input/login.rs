//! Logins that fail, users who may not, databases that are not there, and handshakes with what is no Redis.

use squall_client::settings::{KeepaliveSettings, Protocol};
use squall_client::{
    Cache, CallError, Clock, Endpoint, Event, Lookup, ServedBy, SessionStore, Settings, TlsOptions,
};

use crate::crooked::{Crooked, Then};
use crate::pki::{Pki, Validity};
use crate::redis::{MINUTE, Redis, Told, create, eventually, free_port, fresh, read, told, value};
use crate::support::{calm, figure, in_time, lines, patient, said, why_unknown, works};

fn client(url: &str, settings: &Settings) -> Told {
    let endpoint =
        Endpoint::parse(url, &KeepaliveSettings::default(), &TlsOptions::default()).expect("an address");
    told(endpoint, 1, settings, Clock::system())
}

fn failures(told: &Told, error_type: &str) -> u64 {
    figure(told, &format!("redis_call_error_total{{error_type=\"{error_type}\"}}"))
}

/// Settings that ask nothing by themselves.
fn quiet(protocol: Protocol) -> Settings {
    let mut settings = Settings { protocol, connect_timeout: std::time::Duration::from_secs(1), ..calm() };
    settings.resync.enabled = false;
    settings
}

#[tokio::test]
async fn a_login_that_is_refused_says_what_is_wrong_and_is_told_once() {
    let Some(redis) = Redis::start().await else { return };
    let mut side = redis.side().await;
    let wrong = "redis refuses the user: WRONGPASS: user or password is wrong, or the user is disabled";
    let no_password = "redis refuses the user: NOAUTH: it asks for a password, so give one";
    let host = format!("127.0.0.1:{}", redis.port);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        ::redis::cmd("CONFIG").arg(&["SET", "requirepass", "right"]).exec_async(&mut side).await.unwrap();
        for (url, text) in [
            (format!("redis://:wrong@{host}"), wrong),
            (format!("redis://nobody:right@{host}"), wrong),
            (format!("redis://{host}"), no_password),
        ] {
            let settings = quiet(protocol);
            let a = client(&url, &settings);
            let because = in_time(&settings, why_unknown(&a)).await;
            assert_eq!(because.to_string(), text, "{protocol:?}");
            assert!(!because.transient() && because.definite());
            assert_eq!(failures(&a, "authentication_error"), 1, "{protocol:?}");
            let log = lines(&a, "redis call failed");
            assert_eq!(log.len(), 1);
            assert_eq!(log[0]["error_message"], text);
            assert!(!log[0].to_string().contains("right") && !log[0].to_string().contains("wrong@"));
            assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Local);
        }
        ::redis::cmd("CONFIG").arg(&["SET", "requirepass", ""]).exec_async(&mut side).await.unwrap();
    }
    let a = client(&format!("redis://:needless@{host}"), &quiet(Protocol::Resp2));
    let text =
        "redis refuses the user: no password is set: it has no password for the default user, so give none";
    assert_eq!(why_unknown(&a).await.to_string(), text);
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_is_told_as_such() {
    // No name has an empty part, so nobody has to be asked for it.
    for scheme in ["redis://a..b", "redis-sentinel://a..b/sessions", "redis-cluster://a..b"] {
        let key_prefix = "session:{0/1}:".to_owned();
        let settings = Settings { key_prefix, ..quiet(Protocol::Resp2) };
        let a = client(scheme, &settings);
        let because = in_time(&settings, why_unknown(&a)).await;
        let told = because.to_string();
        assert!(
            told.ends_with(
                "no address is known for the name of a host, so check that name, and the resolver"
            ),
            "{scheme}: {told}"
        );
        assert!(matches!(because, CallError::Connect(_)), "{because:?}");
        assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Local);
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_by_name() {
    let Some(redis) = Redis::start_with(["--databases", "1"].map(str::to_owned).to_vec()).await else {
        return;
    };
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let settings = quiet(protocol);
        let a = client(&format!("redis://127.0.0.1:{}/5", redis.port), &settings);
        let because = in_time(&settings, why_unknown(&a)).await;
        let text = "no connection: handshake: redis refuses: no such database: it has fewer databases, so give another number or raise databases there";
        assert_eq!(because.to_string(), text, "{protocol:?}");
        assert_eq!(failures(&a, "connection_error"), 1);
    }
}

/// What a user needs who may use sessions, counters and the index of users, and nothing else.
const RIGHTS: [&str; 30] = [
    "~session:*",
    "~{session:*",
    "~tomb:session:*",
    "~counted:session:*",
    "~aside:session:*",
    "~squall:*",
    "-@all",
    "+auth",
    "+select",
    "+ping",
    "+time",
    "+get",
    "+set",
    "+del",
    "+exists",
    "+getrange",
    "+pttl",
    "+pexpire",
    "+pexpireat",
    "+expire",
    "+eval",
    "+evalsha",
    "+scan",
    "+copy",
    "+hget",
    "+hset",
    "+incrby",
    "+@sortedset",
    "+info",
    "+dbsize",
];

async fn user(redis: &Redis, rights: &[&str]) {
    let words: Vec<&str> =
        ["ACL", "SETUSER", "app", "reset", "on", ">pw"].iter().chain(rights).copied().collect();
    redis.ask::<()>(&words).await;
}

#[tokio::test]
async fn a_user_with_these_rights_alone_can_do_everything() {
    let Some(redis) = Redis::start().await else { return };
    user(&redis, &RIGHTS).await;
    let a = client(&format!("redis://app:pw@127.0.0.1:{}", redis.port), &calm());
    let store: SessionStore<u8> = SessionStore::over(a.client.clone());
    let cache = Cache::over(a.client.clone());
    assert_eq!(create(&a, "{s}:t", "x", MINUTE).await, ServedBy::Redis);
    a.client.destroy("{s}:t").await.unwrap();
    store.create("s", Some("alice"), &7, MINUTE).await.unwrap();
    store.extend("s", MINUTE).await.unwrap();
    assert_eq!(store.of_user("alice").await.unwrap().len(), 1);
    assert_eq!(store.statistics().await.unwrap().active_users, 1);
    assert_eq!(store.cleanup().await, Ok(0));
    redis.ask::<()>(&["SET", "session:odd", "x"]).await;
    store.open("odd", None, MINUTE).await.unwrap();
    assert_eq!(redis.ask::<i64>(&["EXISTS", "{session:odd}:aside"]).await, 1);
    assert_eq!(cache.add("c", 1, Some(MINUTE)).await.unwrap().served_by, ServedBy::Redis);
    assert_eq!(a.client.clear("*").await.map(|cleared| cleared.count), Ok(3));
    assert!(a.client.health_check().await.redis.is_some_and(|redis| redis.db_keys.is_some()));
    assert_eq!(failures(&a, "authentication_error"), 0, "{:?}", a.events.lock().unwrap());
}

#[tokio::test]
async fn a_user_who_lacks_a_right_is_told_so_and_sessions_go_on_here_until_it_is_given() {
    let Some(redis) = Redis::start().await else { return };
    let lacks = "redis refuses the user: NOPERM: this user lacks the right to a command or a key, which ACL SETUSER gives";
    let no_time = "no connection: handshake: this user may not do what every client must: give it +auth, +select and +time";
    for (but, reads, writes) in [
        (&["-get"][..], Some(lacks), Some(lacks)),
        (&["-evalsha"], None, Some(lacks)),
        (&["-info", "-dbsize", "-scan"], None, None),
        (&["-time"], Some(no_time), Some(no_time)),
        (&["resetkeys", "~squall:*", "~other:*"], Some(lacks), Some(lacks)),
        (&["resetkeys", "~session:*", "~{session:*"], None, None),
    ] {
        redis.ask::<()>(&["FLUSHALL"]).await;
        user(&redis, &[&RIGHTS[..], but].concat()).await;
        let settings = calm();
        let a = client(&format!("redis://app:pw@127.0.0.1:{}", redis.port), &settings);
        match (in_time(&settings, a.client.get("unseen")).await.unwrap(), reads) {
            (Lookup::Unknown { because }, Some(text)) => assert_eq!(because.to_string(), text, "{but:?}"),
            (Lookup::Absent { served_by: ServedBy::Redis }, None) => {}
            (other, _) => panic!("{but:?}: {other:?}"),
        }
        let ack = in_time(&settings, a.client.create("s", value("x"), MINUTE)).await.unwrap();
        assert_eq!(ack.served_by == ServedBy::Local, writes.is_some(), "{but:?}");
        let told: Vec<String> = a
            .events
            .lock()
            .unwrap()
            .iter()
            .filter_map(|event| match event {
                Event::Failed { error, .. } => Some(error.to_string()),
                _ => None,
            })
            .collect();
        assert!(writes.is_none_or(|text| told.iter().any(|told| told == text)), "{but:?}: {told:?}");
        // As if it were given by hand.
        user(&redis, &RIGHTS).await;
        a.clean().await;
        assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"), "{but:?}");
        eventually("it is served by redis", || async {
            matches!(a.client.get("s").await, Ok(Lookup::Found { served_by: ServedBy::Redis, .. }))
        })
        .await;
    }
}

#[tokio::test]
async fn without_the_right_to_scan_clearing_and_counting_say_so() {
    let Some(redis) = Redis::start().await else { return };
    user(&redis, &[&RIGHTS[..], &["-scan"]].concat()).await;
    let a = client(&format!("redis://app:pw@127.0.0.1:{}", redis.port), &calm());
    let text = "redis refuses the user: NOPERM: this user lacks the right to a command or a key, which ACL SETUSER gives";
    assert_eq!(said(a.client.clear("*").await), text);
    assert_eq!(said(a.client.count().await), text);
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_an_outage_by_name() {
    let (pki, port) = (Pki::new(), free_port());
    pki.issue("server", Validity::NotYet);
    let options = [
        ("--tls-port", port.to_string()),
        ("--tls-cert-file", pki.certificate("server")),
        ("--tls-key-file", pki.key("server")),
        ("--tls-ca-cert-file", pki.certificate("ca")),
        ("--tls-auth-clients", "no".to_owned()),
    ];
    let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    let Some(redis) = Redis::start_with(options).await else { return };
    let tls = TlsOptions { ca_file: Some(pki.certificate("ca").into()), ..TlsOptions::default() };
    let url = format!("rediss://localhost:{port}");
    let endpoint = Endpoint::parse(&url, &KeepaliveSettings::default(), &tls).unwrap();
    let settings = Settings { connect_timeout: std::time::Duration::from_secs(3), ..patient() };
    let a = told(endpoint, 1, &settings, Clock::system());
    let because = in_time(&settings, why_unknown(&a)).await;
    assert!(matches!(&because, CallError::Tls(why) if why.contains("not valid yet")), "{because:?}");
    assert_eq!(failures(&a, "tls_error"), 1);
    assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Local);
    pki.issue("valid", Validity::Valid);
    let (certificate, key) = (pki.certificate("valid"), pki.key("valid"));
    redis.ask::<()>(&["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key]).await;
    a.clean().await;
    assert_eq!(fresh(&redis, "s").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn what_answers_a_handshake_and_is_no_redis_is_told_as_such_and_forgotten_once_it_is_one() {
    let Some(redis) = Redis::start().await else { return };
    let no_redis =
        "no connection: handshake: what it answers is not the protocol of Redis, so check host and port";
    let full = "no connection: handshake: redis did not do it: max number of clients reached: it serves no more clients, so raise maxclients there or lower pool.connections here";
    let protected = "no connection: handshake: redis refuses: DENIED: it is in protected mode, so give it a password or an address to bind to";
    let loading = "no connection: handshake: redis did not do it: LOADING: it is loading its data, and answers when it has";
    for (with, then, text) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", Then::Silence, no_redis),
        ("SSH-2.0-OpenSSH_9.2\r\n", Then::Silence, no_redis),
        ("+what\r\n", Then::Silence, "no connection: handshake: TIME gave no time"),
        ("*2\r\n$1\r\nx\r\n$1\r\ny\r\n", Then::Silence, "no connection: handshake: TIME gave no time"),
        ("", Then::Silence, "no connection: timed out"),
        ("*2\r\n$10\r\n17000", Then::Silence, "no connection: timed out"),
        ("-ERR max number of clients reached\r\n", Then::Close, full),
        ("-DENIED Redis is running in protected mode\r\n", Then::Close, protected),
        ("-LOADING Redis is loading\r\n", Then::GoOn, loading),
    ] {
        let crooked = Crooked::before(&redis).await;
        crooked.answer("", with, then);
        let settings = quiet(Protocol::Resp2);
        let a = crooked.client(1, &settings);
        let because = in_time(&settings, why_unknown(&a)).await;
        assert_eq!(because.to_string(), text, "{with:?}");
        assert_eq!(failures(&a, "connection_error"), 1, "{with:?}");
        assert_eq!(create(&a, "s", "x", MINUTE).await, ServedBy::Local);
        assert_eq!(read(&a, "s").await.as_deref(), Some("x"));
        crooked.honest();
        works(&redis, &a).await;
    }
}
