//! What a script runs on: the server's state, lent to it for as long as it runs.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::call::Refusal;
use super::super::command::flag;
use super::super::exec::{self, Denied};
use super::super::reply::Reply;
use super::super::session::Session;
use super::super::state::State;

/// A script that is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) sha: String,
    pub(crate) body: Arc<[u8]>,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) arguments: Vec<Vec<u8>>,
    /// It was called by a command that may not write.
    pub(crate) read_only: bool,
}

/// The state while a script runs on it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) state: State,
    pub(crate) session: Session,
    pub(crate) now: u64,
    pub(crate) read_only: bool,
    pub(crate) wrote: bool,
    /// The protocol in which the script sees replies.
    pub(crate) resp3: bool,
}

/// Where the functions that a script calls find what it runs on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Running>>>);

impl Slot {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Runs a command that the script calls.
    pub(crate) fn call(&mut self, argv: &[&[u8]]) -> Reply {
        match self.admit(argv) {
            Ok(command) => {
                self.wrote |= command.has(flag::WRITE);
                self.state.stats.commands += 1;
                self.state.stats.pace.count(self.now);
                let ran = exec::run(&mut self.state, &mut self.session, self.now, command, argv);
                ran.unwrap_or_else(Reply::from)
            }
            Err(refusal) => refusal.into(),
        }
    }

    fn admit(&mut self, argv: &[&[u8]]) -> Result<&'static super::super::command::Command, Refusal> {
        let command = exec::find(argv).map_err(|refusal| {
            let unknown = refusal.0.starts_with(b"ERR unknown");
            let text = if unknown {
                "ERR Unknown Redis command called from script"
            } else {
                "ERR Wrong number of args calling Redis command from script"
            };
            Refusal(Cow::Borrowed(text.as_bytes()))
        })?;
        if command.has(flag::NO_SCRIPT) {
            return Err("ERR This Redis command is not allowed from script".into());
        }
        match exec::denied(self.state.users.0.get(&self.session.user), command, argv) {
            None => {}
            Some(Denied::Command) => {
                return Err("ERR The user executing the script can't run this command or subcommand".into());
            }
            Some(Denied::Key) => {
                return Err(
                    "ERR The user executing the script can't access at least one of the keys mentioned in \
                            the command arguments"
                        .into(),
                );
            }
            Some(Denied::Channel) => {
                return Err(
                    "ERR The user executing the script can't publish to the channel mentioned in the command"
                        .into(),
                );
            }
        }
        if self.read_only && command.has(flag::WRITE) {
            return Err("ERR Write commands are not allowed from read-only scripts.".into());
        }
        if self.state.replica && command.has(flag::WRITE) {
            return Err(exec::READ_ONLY.into());
        }
        // Once it has written, a script may finish: half of it would be worse than too much memory.
        if self.state.full && !self.wrote && command.has(flag::DENY_OOM) {
            return Err(exec::OUT_OF_MEMORY.into());
        }
        Ok(command)
    }
}
