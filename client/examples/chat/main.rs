//! A small chat whose sessions outlive an outage of Redis, a restart of Redis, and a restart of its workers.
//!
//! ```text
//! redis-server
//! cargo run -p squall-client --features http --example chat
//! ```
//! Then open <http://127.0.0.1:8001/>, and stop and start Redis as you like. Every worker is a process of its own; each serves
//! every session.

mod options;
mod page;
mod random;
mod room;
mod session;
mod talk;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::Parser as _;
use squall_client::http::{self, Access, Route, Token};
use squall_client::observe::{self, Metrics, log};
use squall_client::{Environment, Profile, SessionClient, SessionStore, TlsOptions, env};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use options::Options;
use room::Room;
use session::Guest;

/// What every request may need.
struct Worker {
    store: SessionStore<Guest>,
    session_ttl: Duration,
    room: Room,
    /// Which one it is, for the page.
    name: String,
    /// Told when the worker is about to end.
    leaving: watch::Receiver<bool>,
    /// Held by everybody who still talks.
    talking: mpsc::Sender<()>,
}

type Trouble = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let format = tracing_subscriber::fmt().json().flatten_event(true).with_writer(std::io::stderr);
    format.init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            complain(&trouble);
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Trouble> {
    let mut configured = Profile::Websocket.configured(env::process_variable, &TlsOptions::default())?;
    options.apply(&mut configured.settings);
    let (token, drawn) = token()?;
    let metrics = Arc::new(Metrics::new());
    let observer = observe::all(vec![metrics.observer(), log::observer()]);
    let environment =
        Environment { observer, disk: options.disk.clone(), ..configured.environment(random::number()?) };
    let client = SessionClient::start(configured.settings, configured.endpoint, environment)?;
    let _health_lines = log::HealthLine::start(client.clone(), Duration::from_secs(60));
    let store: SessionStore<Guest> = SessionStore::over(client.clone());

    let listener = TcpListener::bind(options.listen).await;
    let listener =
        listener.map_err(|error| format!("cannot listen on {}: {error}; try --listen", options.listen))?;
    let name = listener.local_addr()?.to_string();
    let (leave, leaving) = watch::channel(false);
    let (talking, mut silence) = mpsc::channel(1);
    let session_ttl = configured.session_ttl;
    let room = Room::start(env::process_variable("CHANNEL_REDIS_URL"), random::text()?);
    let worker =
        Arc::new(Worker { store: store.clone(), session_ttl, room, name: name.clone(), leaving, talking });
    let routes = http::router(store, Access::bearer([token]))
        .session_ttl(session_ttl)
        .metrics(metrics)
        .public([Route::Health])
        .build();
    let service: Router = page::routes(worker).merge(routes);

    say(&format!("chat on http://{name}/"));
    if let Some(drawn) = drawn {
        say(&format!("token of the routes, until this worker ends (CHAT_TOKEN sets your own): {drawn}"));
    }
    let mut asked = leave.subscribe();
    let served = axum::serve(listener, service).with_graceful_shutdown(asked_to_end(leave)).into_future();
    let patience = async {
        // It ends only once it was asked to.
        let _asked = asked.wait_for(|asked| *asked).await;
        tokio::time::sleep(PATIENCE).await;
    };
    // Whoever talks is told to come back; then what Redis lacks is brought to it. Half a request holds nobody up for long.
    tokio::select! {
        served = served => served?,
        () = patience => {}
    }
    let _all_gone = timeout(PATIENCE, silence.recv()).await;
    client.shutdown().await;
    say("all is brought where it can be; good bye");
    Ok(())
}

/// Ends when the process is asked to end, and tells it to everybody who talks.
async fn asked_to_end(leave: watch::Sender<bool>) {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
    // Nobody may be there to hear it.
    let _told = leave.send(true);
}

/// The token of the environment, or one that is drawn and has to be shown.
fn token() -> Result<(Token, Option<String>), Trouble> {
    match env::process_variable("CHAT_TOKEN").filter(|text| !text.is_empty()) {
        Some(text) => Ok((Token::new(&text).map_err(|error| format!("CHAT_TOKEN: {error}"))?, None)),
        None => {
            let drawn = random::text()?;
            Ok((Token::new(&drawn)?, Some(drawn)))
        }
    }
}

/// How long the end waits for those who still talk.
const PATIENCE: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "it is a program")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "it is a program")]
fn complain(trouble: &Trouble) {
    eprintln!("error: {trouble}");
}
