//! A server of our own: started for the run, struck as the run wants, and gone with it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};

use super::super::orders::Orders;
use super::super::side::{self, Side};
use super::super::{Login, WorldError, failed, quiet};
use super::folder::Folder;
use super::living::{self, Home};
use super::port::Port;
use super::process::Process;
use super::program::Program;
use super::role::{DATA, Role};
use crate::subject::Credentials;

/// How long it may take to answer, its data loaded.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// How long an orderly end may take before it is killed, and how long until what was killed is gone.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Own {
    program: Program,
    port: Port,
    home: Arc<Home>,
    died: watch::Sender<Option<ExitStatus>>,
    struck: Mutex<Struck>,
    orders: Orders,
    side: Side,
    role: Mutex<Role>,
}

/// How many strikes keep it stopped or paused just now.
#[derive(Default)]
struct Struck {
    down: u32,
    paused: u32,
    /// Whether one of those that stopped it loses its data.
    lost: bool,
}

impl Own {
    /// Starts it on a free port.
    pub(super) async fn start(program: Program, login: Login) -> Result<Self, WorldError> {
        Self::start_as(program, login, Role::alone()).await
    }

    /// Starts it on a free port, to be this.
    pub(super) async fn start_as(program: Program, login: Login, role: Role) -> Result<Self, WorldError> {
        const DOING: &str = "make ready for a server";
        let home = living::enter(Folder::make().map_err(failed(DOING))?);
        let port = Port::take().map_err(failed(DOING))?;
        let died = watch::Sender::new(None);
        let side = side_of(port.address(), &login.side()).map_err(failed(DOING))?;
        let orders = Orders::new(login);
        let own = Self {
            program,
            port,
            home,
            died,
            struck: Mutex::default(),
            orders,
            side,
            role: Mutex::new(role),
        };
        own.launch().await.map_err(|cause| WorldError::Missing {
            what: format!("{} does not start as a server: {cause}", own.program.path.display()),
            cure: "see that it is Redis or Valkey, or name another one (--server, SQUALL_REDIS_SERVER)"
                .to_owned(),
        })?;
        own.admit().await?;
        Ok(own)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(super) fn side(&self) -> &Side {
        &self.side
    }

    /// What it is to be when it next starts.
    pub(super) async fn become_next(&self, role: Role) {
        *self.role.lock().await = role;
    }

    /// What it is told by commands.
    pub(super) fn orders(&self) -> &Orders {
        &self.orders
    }

    /// For reports.
    pub(super) async fn note(&self) -> String {
        format!("server: {} ({})", self.side.version().await, self.program.name)
    }

    /// Its process's number.
    pub(super) fn process_id(&self) -> Option<i32> {
        self.home.process().as_ref().map(Process::id)
    }

    pub(super) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Returns when it has died without having been told to.
    pub(super) async fn died(&self) -> WorldError {
        let mut died = self.died.subscribe();
        match died.wait_for(Option::is_some).await.map(|status| *status) {
            Ok(Some(status)) => {
                let cause = format!("it ended by itself ({status}); {}", self.home.last_lines());
                WorldError::Failed { doing: format!("keep {} running", self.program.name), cause }
            }
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    pub(super) async fn pause(&self) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.paused += 1;
        if struck.paused == 1 && struck.down == 0 { self.hold(true) } else { Ok(()) }
    }

    pub(super) async fn resume(&self) -> Result<(), WorldError> {
        let mut struck = self.struck.lock().await;
        struck.paused = struck.paused.saturating_sub(1);
        if struck.paused == 0 && struck.down == 0 { self.hold(false) } else { Ok(()) }
    }

    /// Ends it at once.
    pub(super) async fn kill(&self) -> Result<(), WorldError> {
        let struck = &mut *self.struck.lock().await;
        struck.lost = true;
        struck.down += 1;
        if struck.down == 1 { self.end_now().await } else { Ok(()) }
    }

    /// Ends it in order, its data saved or not.
    pub(super) async fn stop(&self, keep_data: bool) -> Result<(), WorldError> {
        const DOING: &str = "have the server save its data and stop";
        let struck = &mut *self.struck.lock().await;
        struck.lost |= !keep_data;
        struck.down += 1;
        if struck.down > 1 {
            return Ok(());
        }
        if struck.paused > 0 {
            self.hold(false)?;
        }
        if keep_data {
            // With a save point set it saves when it is told to end, after the last write.
            self.side.ask::<()>(redis::cmd("CONFIG").arg("SET").arg("save").arg("3600 1")).await?;
        }
        let process = self.home.process().take().ok_or_else(|| failed(DOING)("it does not run"))?;
        process.terminate().map_err(failed(DOING))?;
        let ended = tokio::time::timeout(STOPS_WITHIN, process.ended()).await;
        self.side.forget().await;
        match ended {
            Ok(status) if status.success() || !keep_data => Ok(()),
            Ok(status) => Err(failed(DOING)(format!("it ended with {status}; {}", self.home.last_lines()))),
            Err(_) if !keep_data => Ok(()),
            Err(_) => Err(failed(DOING)(format!("it took longer than {} s", STOPS_WITHIN.as_secs()))),
        }
    }

    /// Takes one [`kill`](Self::kill) or [`stop`](Self::stop) back: with the last of them it starts again and answers, empty if
    /// any of them lost its data.
    pub(super) async fn start_again(&self) -> Result<(), WorldError> {
        const DOING: &str = "start the server again";
        let struck = &mut *self.struck.lock().await;
        struck.down = struck.down.saturating_sub(1);
        if struck.down > 0 {
            return Ok(());
        }
        if std::mem::take(&mut struck.lost) {
            self.home.remove(DATA).map_err(failed(DOING))?;
        }
        self.launch().await.map_err(failed(DOING))?;
        self.admit().await?;
        if struck.paused > 0 { self.hold(true) } else { Ok(()) }
    }

    /// Ends it for good, and removes its folder.
    pub(super) async fn close(&self) -> Result<(), WorldError> {
        self.end_now().await?;
        self.home.leave();
        Ok(())
    }

    /// Starts the process and waits until it answers.
    async fn launch(&self) -> Result<(), String> {
        let arguments = self.role.lock().await.arguments(self.address().port(), self.folder());
        let arguments = arguments.map_err(|error| error.to_string())?;
        self.home
            .start(&self.program.path, &arguments, self.died.clone())
            .map_err(|error| error.to_string())?;
        let mut died = self.died.subscribe();
        let dies = async { died.wait_for(Option::is_some).await.ok().and_then(|status| *status) };
        let answers = async {
            while !answers(self.address()).await {
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        let cause = tokio::select! {
            biased;
            status = dies => format!("it ended at once ({})", status.unwrap_or_default()),
            ready = tokio::time::timeout(ANSWERS_WITHIN, answers) => match ready {
                Ok(()) => return Ok(()),
                Err(_) => format!("it did not answer PING within {} s", ANSWERS_WITHIN.as_secs()),
            },
        };
        Err(format!("{cause}; {}", self.home.last_lines()))
    }

    /// Has it ask for what the scenario wants: a server that has just started is open to everybody.
    async fn admit(&self) -> Result<(), WorldError> {
        let open = side_of(self.address(), &Credentials::default());
        self.orders.admit(&open.map_err(failed("reach the server"))?).await
    }

    /// Pauses it or lets it go on.
    fn hold(&self, paused: bool) -> Result<(), WorldError> {
        let doing = if paused { "pause the server" } else { "let the server go on" };
        let process = self.home.process();
        let Some(process) = process.as_ref() else { return Err(failed(doing)("it does not run")) };
        if paused { process.pause() } else { process.resume() }.map_err(failed(doing))
    }

    async fn end_now(&self) -> Result<(), WorldError> {
        let process = self.home.process().take();
        if let Some(process) = process {
            process.kill();
            let gone = tokio::time::timeout(STOPS_WITHIN, process.ended()).await;
            gone.map_err(failed("kill the server"))?;
        }
        self.side.forget().await;
        Ok(())
    }
}

/// The way to the server past every fault.
fn side_of(address: SocketAddr, credentials: &Credentials) -> Result<Side, RedisError> {
    Ok(Side::new(side::info(address.ip().to_string(), address.port(), credentials)?))
}

/// Whether a server answers there.
async fn answers(address: SocketAddr) -> bool {
    let asked = async { quiet::ping(&mut TcpStream::connect(address).await?).await };
    asked.await.is_ok_and(|answer| answer == "+PONG")
}
