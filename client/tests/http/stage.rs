//! What these tests have in common: a service with the routes, and a client that sends just what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use squall_client::http::{self, Access, Routes, Token};
use squall_client::observe::Metrics;
use squall_client::{SessionStore, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::redis::{Redis, Told, quick};

/// What the sessions of these tests hold.
pub(crate) type Data = BTreeMap<String, u32>;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A service that listens.
pub(crate) struct Stage {
    pub(crate) port: u16,
    pub(crate) store: SessionStore<Data>,
    pub(crate) told: Told,
    pub(crate) token: Option<&'static str>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Stage {
    /// All routes, for those who have the token.
    pub(crate) async fn start(redis: &Redis) -> Self {
        Self::with(redis.session_client(1, &quick()), |routes| routes.show_data().allow_clear()).await
    }

    /// All routes, with other settings of the client.
    pub(crate) async fn start_with(redis: &Redis, settings: &Settings) -> Self {
        Self::with(redis.session_client(1, settings), |routes| routes).await
    }

    /// The routes of this client.
    pub(crate) async fn with(told: Told, options: impl FnOnce(Routes<Data>) -> Routes<Data>) -> Self {
        let access = Access::bearer([Token::new(TOKEN).expect("a token")]);
        Self { token: Some(TOKEN), ..Self::with_access(told, access, options).await }
    }

    /// The routes of this client, for whom `access` lets pass.
    pub(crate) async fn with_access(
        told: Told,
        access: Access,
        options: impl FnOnce(Routes<Data>) -> Routes<Data>,
    ) -> Self {
        let store = SessionStore::over(told.client.clone());
        let routes = http::router(store.clone(), access).metrics(Arc::new(Metrics::new()));
        let port = serve(options(routes).build()).await;
        Self { port, store, told, token: None }
    }

    /// What a request brings that shows the token.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, &[], b"").await
    }

    /// As [`ask`](Self::ask), with a body of JSON.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &["Content-Type: application/json"], body.as_bytes()).await
    }

    /// As [`ask`](Self::ask), with headers and a body.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let token = self.token.map(|token| format!("Authorization: Bearer {token}"));
        let headers: Vec<&str> = headers.iter().copied().chain(token.as_deref()).collect();
        send(self.port, method, path, &headers, body).await
    }
}

/// Serves this router on the port that is returned.
pub(crate) async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// What a request brings, within ten seconds.
pub(crate) async fn send(port: u16, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n");
    headers.iter().for_each(|header| head += &format!("{header}\r\n"));
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    let bytes = [head.as_bytes(), body].concat();
    let talk = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        // A server that has seen enough of a large body answers and closes while we write.
        let _closed = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), talk).await.expect("an answer");
    let text = String::from_utf8(answer).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status: status.parse().expect("a number"), headers, body: body.to_owned() }
}

impl Answer {
    /// Its JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its JSON, if this is its status.
    pub(crate) fn with(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// The kind of its error, if this is its status.
    pub(crate) fn problem(&self, status: u16) -> String {
        let error = &self.with(status)["error"];
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{error}");
        error["kind"].as_str().expect("a kind").to_owned()
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
