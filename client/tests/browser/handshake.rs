//! Who may open the chat's WebSocket, asked without a browser.

use crate::http::send;
use crate::redis::Redis;
use crate::worker::Worker;

#[tokio::test]
async fn other_sites_and_those_without_a_session_do_not_get_in() {
    let Some(redis) = Redis::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let worker = Worker::start(&redis, folder.path()).await;
    let page = send(worker.port, "GET", "/", &[], b"").await;
    let set = page.header("set-cookie");
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{set}");
    let cookie = format!("Cookie: other=1; {}", set.split(';').next().unwrap());
    // Who has a session keeps it.
    assert_eq!(send(worker.port, "GET", "/", &[&cookie], b"").await.header("set-cookie"), "");
    for (headers, status) in [
        (vec![cookie.as_str(), "Origin: http://elsewhere"], 403),
        (vec![&cookie, "Origin: null"], 403),
        (vec![&cookie, "Origin: http://here.elsewhere"], 403),
        (vec!["Origin: http://here"], 400),
        (vec!["Cookie: chat_session=../../other", "Origin: http://here"], 400),
        // These may; but they ask for no WebSocket.
        (vec![&cookie, "Origin: http://here"], 400),
    ] {
        let answer = send(worker.port, "GET", "/talk", &headers, b"").await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        let no_session = answer.body.starts_with("no session");
        assert_eq!(
            no_session,
            status == 400 && !headers.contains(&cookie.as_str()),
            "{headers:?}: {answer:?}"
        );
    }
}
