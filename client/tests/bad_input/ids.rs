//! Ids, names, keys, patterns and prefixes of every kind.

use squall_client::{Cache, Lookup, SessionError, SessionStore, Settings};

use crate::redis::{MINUTE, Redis, Told, create, free_port, read, value};
use crate::support::{calm, said, works};

fn with_prefix(prefix: &str) -> Settings {
    Settings { key_prefix: prefix.to_owned(), ..calm() }
}

/// Ids that look odd and are as good as any.
fn odd() -> Vec<String> {
    let odd = [
        " ",
        "a b",
        "a\nb",
        "\0",
        "\r\n$5\r\n",
        "\u{7f}",
        "\u{202e}abc",
        "Zürich",
        "セッション",
        "🙂",
        "*",
        "s*",
        "[a-z]",
        "?",
        "\\",
        "^",
        "{user}:a",
        "a{b",
        "tomb",
        "squall:users:",
        "%s",
        "../x",
        "\"",
        "'",
        "-1",
        "KEYS[1]",
    ];
    odd.iter().map(ToString::to_string).chain(["x".repeat(1024), "é".repeat(512)]).collect()
}

/// Whether the client keeps something of its own there.
fn is_taken(prefix: &str, id: &str) -> bool {
    matches!((prefix, id), ("", "squall:users:") | ("{app}:", "tomb"))
}

#[tokio::test]
async fn ids_of_every_kind_name_one_session_each() {
    let Some(redis) = Redis::start().await else { return };
    for prefix in ["session:", "", "{app}:", "a*b?[c]:"] {
        redis.ask::<()>(&["FLUSHALL"]).await;
        let (a, b) =
            (redis.session_client(1, &with_prefix(prefix)), redis.session_client(2, &with_prefix(prefix)));
        let ids: Vec<String> = odd().into_iter().filter(|id| !is_taken(prefix, id)).collect();
        for id in &ids {
            create(&a, id, &format!("of {id}"), MINUTE).await;
        }
        for id in &ids {
            assert_eq!(read(&b, id).await, Some(format!("of {id}")), "{prefix:?} {id:?}");
        }
        assert_eq!(a.client.count().await, Ok(ids.len() as u64), "{prefix:?}");
        a.client.destroy("[a-z]").await.unwrap();
        a.client.destroy("*").await.unwrap();
        assert_eq!(read(&b, "s*").await.as_deref(), Some("of s*"), "{prefix:?}");
        assert_eq!(
            a.client.clear("*").await.map(|cleared| cleared.count),
            Ok(ids.len() as u64 - 2),
            "{prefix:?}"
        );
    }
}

#[tokio::test]
async fn ids_that_cannot_be_are_refused_by_name_before_anything_is_sent() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &calm());
    let braces = "a closing brace must end a hash tag, as in {user}:session";
    let long =
        ["x".repeat(1025), "x".repeat(10_000), "é".repeat(513)].map(|id| (id, "the id is longer than 1 KiB"));
    let bad = [("", "the id is empty"), ("a}", braces), ("}", braces), ("{}", braces), ("a}b{c", braces)];
    let bad = bad.map(|(id, why)| (id.to_owned(), why));
    let before = redis.calls("get").await + redis.calls("evalsha").await;
    for (id, why) in bad.iter().chain(&long) {
        for answer in [
            a.client.get(id).await.map(|_| ()),
            a.client.create(id, value("x"), MINUTE).await.map(|_| ()),
            a.client.update(id, value("x")).await.map(|_| ()),
            a.client.touch(id, MINUTE).await.map(|_| ()),
            a.client.destroy(id).await.map(|_| ()),
        ] {
            assert_eq!(answer, Err(SessionError::Invalid(why)), "{id:?}");
        }
        let cache = Cache::over(a.client.clone());
        assert_eq!(cache.get(id).await, Err(SessionError::Invalid(why)));
        assert_eq!(cache.add(id, 1, None).await, Err(SessionError::Invalid(why)));
        let store: SessionStore<u8> = SessionStore::over(a.client.clone());
        assert_eq!(store.open(id, None, MINUTE).await.map(|_| ()), Err(SessionError::Invalid(why)));
    }
    assert_eq!(redis.calls("get").await + redis.calls("evalsha").await, before);
    works(&redis, &a).await;
}

#[tokio::test]
async fn an_id_that_would_lie_where_the_client_keeps_something_of_its_own_is_refused() {
    let Some(redis) = Redis::start().await else { return };
    let a = redis.session_client(1, &with_prefix(""));
    create(&a, "a", "x", MINUTE).await;
    a.client.destroy("a").await.unwrap();
    let why = "the client keeps something of its own under that key";
    for id in [
        "{a}:tomb",
        "{a}:counted",
        "{a}:aside",
        "tomb:{x}y",
        "squall:generation:",
        "squall:user:alice",
        "squall:users:",
    ] {
        assert_eq!(a.client.create(id, value("x"), MINUTE).await, Err(SessionError::Invalid(why)), "{id}");
        assert_eq!(a.client.destroy(id).await, Err(SessionError::Invalid(why)), "{id}");
    }
    assert_eq!(
        redis.session_client(2, &with_prefix("")).client.get("a").await.map(|found| found.map(|_| ())).ok(),
        Some(Lookup::Absent { served_by: squall_client::ServedBy::Redis }),
        "its tombstone still stands"
    );
}

#[tokio::test]
async fn a_prefix_that_cannot_be_is_refused_at_the_start() {
    let Some(redis) = Redis::start().await else { return };
    let cure = "at most 256 bytes, no control characters, and nothing of the client's own first, such as tomb: or squall:user:";
    let long = "x".repeat(257);
    for prefix in ["a\nb", "\0", &long, "squall:fence:", "squall:user:", "tomb:", "counted:a", "aside:"] {
        let problems = with_prefix(prefix).problems();
        assert_eq!(problems.len(), 1, "{prefix:?}");
        assert_eq!(problems[0].to_string(), format!("key_prefix is {prefix:?}; {cure}"));
    }
    let a = redis.session_client(1, &with_prefix(&"x".repeat(256)));
    create(&a, &"y".repeat(1024), "long", MINUTE).await;
    assert_eq!(read(&a, &"y".repeat(1024)).await.as_deref(), Some("long"));
}

/// Puts what others keep into the database, and says under which keys.
async fn of_others(redis: &Redis, prefix: &str) -> Vec<String> {
    let keys = ["theirs", "session", "xsession:a", "ab:x", "aXbYc:x", "a*b", "{x}:y", "sq1;"];
    let keys: Vec<String> = keys
        .iter()
        .map(|key| (*key).to_owned())
        .filter(|key| prefix.is_empty() || !key.starts_with(prefix))
        .collect();
    for key in &keys {
        redis.ask::<()>(&["SET", key, "theirs"]).await;
    }
    redis.ask::<i64>(&["RPUSH", "their list", "x"]).await;
    redis.ask::<()>(&["SET", "their number", "7"]).await;
    keys.into_iter().chain(["their list", "their number"].map(str::to_owned)).collect()
}

async fn all_there(redis: &Redis, keys: &[String]) -> bool {
    let words: Vec<&str> = std::iter::once("EXISTS").chain(keys.iter().map(String::as_str)).collect();
    redis.ask::<usize>(&words).await == keys.len()
}

#[tokio::test]
async fn clearing_by_pattern_leaves_what_others_keep_whatever_the_prefix() {
    let Some(redis) = Redis::start().await else { return };
    for prefix in ["session:", "", "a*b?[c]", "*", "[a-z]*", "\\", "{app}:", "^-]"] {
        redis.ask::<()>(&["FLUSHALL"]).await;
        let theirs = of_others(&redis, prefix).await;
        let told = redis.session_client(1, &with_prefix(prefix));
        let cache = Cache::over(told.client.clone());
        for id in ["a", "b", "*"] {
            create(&told, id, "x", MINUTE).await;
        }
        cache.add("counter", 1, None).await.unwrap();
        assert_eq!(told.client.clear("[ab]").await.map(|cleared| cleared.count), Ok(2), "{prefix:?}");
        assert_eq!(told.client.clear("\\*").await.map(|cleared| cleared.count), Ok(1), "{prefix:?}");
        assert_eq!(told.client.count().await, Ok(1), "{prefix:?}: the counter");
        create(&told, "a", "x", MINUTE).await;
        assert!(cache.clear("*").await.is_ok(), "{prefix:?}");
        assert_eq!(told.client.count().await, Ok(0), "{prefix:?}");
        assert!(all_there(&redis, &theirs).await, "{prefix:?}");
    }
}

#[tokio::test]
async fn a_key_that_no_id_makes_does_not_stop_a_clearing() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    create(&told, "a", "x", MINUTE).await;
    let theirs = [format!("session:{}", "x".repeat(2000)), "session:a}b".to_owned(), "session:".to_owned()];
    for key in &theirs {
        redis.ask::<()>(&["SET", key, "x"]).await;
    }
    ::redis::cmd("SET").arg(b"session:\xff\xfe").arg("x").exec_async(&mut redis.side().await).await.unwrap();
    assert_eq!(told.client.count().await, Ok(1));
    assert_eq!(told.client.clear("*").await.map(|cleared| cleared.count), Ok(1));
    assert!(all_there(&redis, &theirs).await);
}

#[tokio::test]
async fn patterns_that_cannot_be_are_refused_and_odd_ones_match_as_they_say() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    let cache = Cache::over(told.client.clone());
    let long = "*".repeat(4097);
    for (pattern, why) in
        [("", "the pattern is empty: * matches every id"), (&long, "the pattern is longer than 4 KiB")]
    {
        assert_eq!(told.client.clear(pattern).await, Err(SessionError::Invalid(why)));
        assert_eq!(cache.clear(pattern).await, Err(SessionError::Invalid(why)));
    }
    create(&told, "a[b", "x", MINUTE).await;
    let stars = format!("{}b", "*a".repeat(1000));
    for (pattern, matches) in [("[", 0), ("[a", 0), ("\\", 0), ("a[[]b", 1), ("\0", 0), (&stars, 0)] {
        assert_eq!(told.client.clear(pattern).await.map(|cleared| cleared.count), Ok(matches), "{pattern:?}");
    }
}

#[tokio::test]
async fn names_of_users_of_every_kind_find_their_sessions_and_others_are_refused() {
    let Some(redis) = Redis::start().await else { return };
    let told = redis.session_client(1, &calm());
    let store: SessionStore<u8> = SessionStore::over(told.client.clone());
    for (number, user) in odd().iter().chain(["}".to_owned(), "{}".to_owned()].iter()).enumerate() {
        store.create(&format!("s{number}"), Some(user), &0, MINUTE).await.unwrap();
        let hers = store.of_user(user).await.unwrap();
        assert_eq!(
            hers.iter().map(|session| session.user.as_deref()).collect::<Vec<_>>(),
            [Some(user.as_str())]
        );
    }
    let long = "x".repeat(1025);
    for (user, why) in
        [("", "the user's name is empty: give none instead"), (&long, "the user's name is longer than 1 KiB")]
    {
        assert_eq!(store.create("s", Some(user), &0, MINUTE).await, Err(SessionError::Invalid(why)));
        assert_eq!(store.open("new", Some(user), MINUTE).await.map(|_| ()), Err(SessionError::Invalid(why)));
        assert_eq!(store.of_user(user).await, Err(SessionError::Invalid(why)));
        let changed = store.change("s0", |session| session.user = Some(user.to_owned())).await;
        assert_eq!(said(changed), why);
    }
}

#[tokio::test]
async fn what_is_refused_is_refused_without_redis_too() {
    let told: Told = {
        let tcp = squall_client::Tcp {
            host: "127.0.0.1".to_owned(),
            port: free_port(),
            keepalive: calm().keepalive,
        };
        let endpoint = squall_client::Endpoint::new(std::sync::Arc::new(tcp));
        crate::redis::told(endpoint, 1, &calm(), squall_client::Clock::system())
    };
    assert_eq!(told.client.get("").await, Err(SessionError::Invalid("the id is empty")));
    assert_eq!(
        told.client.clear("").await,
        Err(SessionError::Invalid("the pattern is empty: * matches every id"))
    );
    assert_eq!(told.count(|_| true), 1, "nothing was sent, and the read is told as refused");
}
