//! How a subject greets.

use tokio::net::TcpListener;

use super::super::server::free_port;
use super::super::talk::Talk;
use super::super::{Failure, Stage, Tried};
use super::started;

pub(super) async fn init(stage: &Stage) -> Tried {
    let (talk, hello) = started(stage).await?;
    if let Err(wrong) = hello.capabilities() {
        return Err(talk.fails(&wrong));
    }
    if hello.name.trim().is_empty() {
        return Err(talk.fails("a name with a version, such as \"redis-py 8.1.0\""));
    }
    if !hello.key.contains("{session}") {
        return Err(talk.fails("a key with {session} in it, such as \"session:{session}\""));
    }
    Ok(format!("{}, key {}, can {}", hello.name, hello.key, hello.can.join(" ")))
}

pub(super) async fn refused(stage: &Stage) -> Tried {
    let port = free_port().map_err(|error| no_port(&error))?;
    Talk::start(stage, &format!("redis://127.0.0.1:{port}/0")).await?;
    Ok(String::new())
}

pub(super) async fn silent(stage: &Stage) -> Tried {
    // Connections are taken by the system, and nobody ever reads them.
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| no_port(&error))?;
    let port = listener.local_addr().map_err(|error| no_port(&error))?.port();
    Talk::start(stage, &format!("redis://127.0.0.1:{port}/0")).await?;
    Ok(String::new())
}

fn no_port(error: &std::io::Error) -> Failure {
    Failure {
        sent: "(nothing yet)".to_owned(),
        came: error.to_string(),
        expected: "a free port on this machine".to_owned(),
    }
}
