//! A process group that does not outlive us, however we end.
//!
//! Its leader is a guard: a shell that waits for the end of its standard input, which we hold open, and then kills the whole
//! group. The end comes when we drop it, and also when we panic, exit or are killed with SIGKILL, because the system closes
//! what a process held. This covers every process that the subject starts, on every Unix, and needs no unsafe code;
//! Linux's PR_SET_PDEATHSIG covers the direct child only, and strikes when the thread that started it ends. What leaves the
//! group on purpose (`setsid`) escapes.

use std::io;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::command::CommandLine;

/// The guard's whole life. It leads the group, so the group's number is not used anew while the guard lives.
const GUARD: &str = "trap '' HUP INT TERM; read -r _; kill -KILL 0";

/// A process group with its guard.
pub(crate) struct Group {
    leader: Pid,
    /// Holds the pipe whose end the guard waits for, and keeps the group's number from being used anew.
    _guard: Child,
}

impl Group {
    /// Starts the guard of a new group.
    pub(crate) fn new() -> io::Result<Self> {
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "squall-guard"])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let leader = guard.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let leader =
            leader.ok_or_else(|| io::Error::other("the guard of the process group ended at once"))?;
        Ok(Self { leader, _guard: guard })
    }

    /// Starts a process in the group, with pipes to all its standard streams.
    pub(crate) fn spawn(&self, command: &CommandLine) -> io::Result<Child> {
        self.prepared(command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    /// The same, but what it logs goes where our own standard error goes.
    pub(crate) fn spawn_heard(&self, command: &CommandLine) -> io::Result<Child> {
        self.prepared(command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()
    }

    /// The same, without any standard stream.
    pub(crate) fn spawn_silent(&self, command: &CommandLine) -> io::Result<Child> {
        self.prepared(command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    }

    fn prepared(&self, command: &CommandLine) -> Command {
        let mut prepared = Command::new(command.program());
        prepared.args(command.arguments()).process_group(self.leader.as_raw_nonzero().get());
        prepared
    }

    /// Kills every process of the group, the guard too.
    pub(crate) fn kill(&self) {
        // It fails only when nobody is left.
        let _ = kill_process_group(self.leader, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
