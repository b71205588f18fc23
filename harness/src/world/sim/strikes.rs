//! What is done to the embedded server itself.

use std::time::Duration;

use crate::fault::ServerAct;
use crate::server::{Policy, Server};
use crate::world::Login;

/// How many connections it takes unless a fault says otherwise.
const CLIENTS: usize = 10_000;

/// Begins it. That a script runs is begun elsewhere, since it takes time.
pub(super) fn begin(server: &Server, login: &Login, act: ServerAct) {
    match act {
        ServerAct::Pause => server.pause(),
        ServerAct::Kill => server.kill(),
        ServerAct::Restart { keep_data } => server.stop(keep_data),
        ServerAct::KillClients => server.kill_clients(),
        ServerAct::Flush => server.flush(),
        ServerAct::Evict { bytes, policy } => {
            let policy = Policy::named(policy.name()).unwrap_or_default();
            server.set_max_data(usize::try_from(bytes).unwrap_or(usize::MAX / 2), policy);
        }
        ServerAct::MaxClients { clients } => {
            server.set_max_clients(usize::try_from(clients).unwrap_or(CLIENTS));
        }
        ServerAct::ClockJump { by, backward } => {
            let by = micros(by);
            server.skew(if backward { -by } else { by });
        }
        ServerAct::PasswordChange => {
            if let Some(user) = login.changed() {
                server.set_user(&user.user, &user.rules);
                server.kill_user(&user.user);
            }
        }
        ServerAct::Demote => server.demote(true),
        ServerAct::Script { .. } => {}
    }
}

/// Ends it.
pub(super) fn end(server: &Server, login: &Login, act: ServerAct) {
    match act {
        ServerAct::Pause => server.resume(),
        ServerAct::Kill | ServerAct::Restart { .. } => server.start(),
        ServerAct::Evict { .. } => server.set_max_memory(0, Policy::NoEviction),
        ServerAct::MaxClients { .. } => server.set_max_clients(CLIENTS),
        ServerAct::ClockJump { .. } => server.skew(0),
        ServerAct::Demote => server.demote(false),
        ServerAct::PasswordChange => {
            if let Some(user) = login.restored() {
                server.set_user(&user.user, &user.rules);
            }
        }
        ServerAct::KillClients | ServerAct::Flush | ServerAct::Script { .. } => {}
    }
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
