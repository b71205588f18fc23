//! What a real server is told by commands, past every fault: faults of the server that need no hold on its process.

use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::login::Rules;
use super::{Login, WorldError, failed, quiet};
use crate::fault::{Eviction, ServerAct};

/// How long until a script that was killed has ended.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// The same in Redis 6 and all that came later, where it has another name as well.
const BUSY_AFTER: &str = "lua-time-limit";

/// A primary that nobody is: one that never answers has no data of its own to put in the place of the replica's.
const NOWHERE: [&str; 2] = ["127.0.0.1", "1"];
const NOBODY: [&str; 2] = ["NO", "ONE"];

/// A server that can be asked from the side.
pub(super) trait Ask {
    /// Asks on a connection that is kept.
    fn ask<T: FromRedisValue + Send>(
        &self,
        command: &Cmd,
    ) -> impl Future<Output = Result<T, WorldError>> + Send;

    /// A connection of its own.
    fn dial(&self) -> impl Future<Output = Result<TcpStream, WorldError>> + Send;
}

/// What was told and is to be taken back.
#[derive(Debug)]
pub(super) struct Orders {
    /// As whom instances speak to the server.
    login: Login,
    /// Parameters with what they were.
    before: Mutex<Vec<(&'static str, String)>>,
    /// The connection that runs an endless script.
    script: Mutex<Option<TcpStream>>,
}

impl Orders {
    /// For a server that instances log in to so.
    pub(super) fn new(login: Login) -> Self {
        Self { login, before: Mutex::default(), script: Mutex::default() }
    }

    /// As whom instances speak to the server.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// Has a server that has just started, and that is open to everybody, ask for what the scenario wants.
    pub(super) async fn admit(&self, open: &impl Ask) -> Result<(), WorldError> {
        for user in self.login.users() {
            set_user(open, &user).await?;
        }
        Ok(())
    }

    /// Begins what commands can do; the rest is none of its business. The fault lasts for so long.
    pub(super) async fn begin(
        &self,
        server: &impl Ask,
        act: ServerAct,
        lasts: Duration,
    ) -> Result<(), WorldError> {
        match act {
            ServerAct::KillClients => {
                let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
                server.ask::<i64>(redis::cmd("CLIENT").arg(&kill)).await.map(drop)
            }
            ServerAct::Flush => server.ask(&redis::cmd("FLUSHALL")).await,
            ServerAct::Evict { bytes, policy } => self.evict(server, bytes, policy).await,
            // The connection from the side is one of those that the server counts.
            ServerAct::MaxClients { clients } => {
                self.set(server, "maxclients", (clients + 1).to_string()).await
            }
            // A script that is silent for longer than the fault lasts could not be killed in time.
            ServerAct::Script { busy_after } => self.block(server, busy_after.min(lasts)).await,
            ServerAct::PasswordChange => self.lock_out(server).await,
            ServerAct::Demote => replicate(server, NOWHERE).await,
            ServerAct::Pause | ServerAct::Kill | ServerAct::Restart { .. } | ServerAct::ClockJump { .. } => {
                Ok(())
            }
        }
    }

    /// Ends it.
    pub(super) async fn end(&self, server: &impl Ask, act: ServerAct) -> Result<(), WorldError> {
        match act {
            ServerAct::Evict { .. } => {
                self.restore(server, "maxmemory").await?;
                self.restore(server, "maxmemory-policy").await
            }
            ServerAct::MaxClients { .. } => self.restore(server, "maxclients").await,
            ServerAct::Script { .. } => {
                self.unblock(server).await?;
                self.restore(server, BUSY_AFTER).await
            }
            ServerAct::PasswordChange => match self.login.restored() {
                Some(user) => set_user(server, &user).await,
                None => Ok(()),
            },
            ServerAct::Demote => replicate(server, NOBODY).await,
            ServerAct::KillClients
            | ServerAct::Flush
            | ServerAct::Pause
            | ServerAct::Kill
            | ServerAct::Restart { .. }
            | ServerAct::ClockJump { .. } => Ok(()),
        }
    }

    /// As an operator would: first another password, then an end to the connections that the old one opened.
    async fn lock_out(&self, server: &impl Ask) -> Result<(), WorldError> {
        let Some(user) = self.login.changed() else {
            return Err(failed("change the password")("nobody logs in"));
        };
        set_user(server, &user).await?;
        server.ask::<i64>(redis::cmd("CLIENT").arg("KILL").arg("USER").arg(&user.user)).await.map(drop)
    }

    async fn evict(&self, server: &impl Ask, bytes: u64, policy: Eviction) -> Result<(), WorldError> {
        let memory: String = server.ask(redis::cmd("INFO").arg("memory")).await?;
        let empty = overhead(&memory).ok_or_else(|| failed("ask how much memory is used")("no answer"))?;
        self.set(server, "maxmemory-policy", policy.name().to_owned()).await?;
        self.set(server, "maxmemory", (empty + bytes).to_string()).await
    }

    async fn block(&self, server: &impl Ask, busy_after: Duration) -> Result<(), WorldError> {
        const DOING: &str = "have a script keep the server busy";
        self.set(server, BUSY_AFTER, busy_after.as_millis().max(1).to_string()).await?;
        let mut script = server.dial().await?;
        // Once it has answered it reads what comes next at once.
        quiet::ping(&mut script).await.map_err(failed(DOING))?;
        script.write_all(b"EVAL \"while true do end\" 0\r\n").await.map_err(failed(DOING))?;
        *self.script.lock().await = Some(script);
        Ok(())
    }

    async fn unblock(&self, server: &impl Ask) -> Result<(), WorldError> {
        const DOING: &str = "have the script end";
        let Some(mut script) = self.script.lock().await.take() else { return Ok(()) };
        server.ask::<()>(redis::cmd("SCRIPT").arg("KILL")).await?;
        // The answer is an error that says that it was killed.
        let ended = tokio::time::timeout(ENDS_WITHIN, script.read_u8()).await;
        ended.map_err(failed(DOING))?.map_err(failed(DOING)).map(drop)
    }

    async fn set(&self, server: &impl Ask, name: &'static str, value: String) -> Result<(), WorldError> {
        let (_, before): (String, String) = server.ask(redis::cmd("CONFIG").arg("GET").arg(name)).await?;
        server.ask::<()>(redis::cmd("CONFIG").arg("SET").arg(name).arg(value)).await?;
        self.before.lock().await.push((name, before));
        Ok(())
    }

    async fn restore(&self, server: &impl Ask, name: &'static str) -> Result<(), WorldError> {
        let before = {
            let mut all = self.before.lock().await;
            let place = all.iter().position(|(known, _)| *known == name);
            place.map(|place| all.swap_remove(place))
        };
        let Some((_, value)) = before else { return Ok(()) };
        server.ask(redis::cmd("CONFIG").arg("SET").arg(name).arg(value)).await
    }
}

async fn replicate(server: &impl Ask, whom: [&str; 2]) -> Result<(), WorldError> {
    server.ask(redis::cmd("REPLICAOF").arg(&whom)).await
}

async fn set_user(server: &impl Ask, Rules { user, rules }: &Rules) -> Result<(), WorldError> {
    server.ask(redis::cmd("ACL").arg("SETUSER").arg(user).arg(rules)).await
}

/// The memory that is used for other things than data, from what INFO says.
fn overhead(info: &str) -> Option<u64> {
    info.lines().find_map(|line| line.strip_prefix("used_memory_overhead:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_data_is_told_by_info() {
        let info = "used_memory:1000\r\nused_memory_overhead:900\r\nused_memory_dataset:100\r\n";
        assert_eq!(overhead(info), Some(900));
        assert_eq!(overhead("used_memory:1000\r\n"), None);
    }
}
