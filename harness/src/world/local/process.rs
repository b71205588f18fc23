//! One server process: started in a process group of its own, so that Ctrl-C at the terminal does not reach it first, and never
//! outliving whoever holds it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::sync::watch;

/// A process that was started. Dropped, it is killed.
pub(super) struct Process {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

struct Shared {
    pid: Pid,
    /// Whether its number may be another's by now. Held while signals are sent.
    reaped: Mutex<bool>,
    /// Whether it was told to end.
    told: AtomicBool,
}

impl Process {
    /// Starts `program` in `folder`; what it says goes to `log`. `died` is told how it ended if nobody told it to.
    pub(super) fn start(
        program: &Path,
        arguments: &[String],
        folder: &Path,
        log: File,
        died: watch::Sender<Option<ExitStatus>>,
    ) -> io::Result<Self> {
        let mut command = bound_to_us(program);
        command.args(arguments).current_dir(folder).process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let (started, starts) = std::sync::mpsc::channel();
        let (tell, ended) = watch::channel(None);
        // A thread of its own that lives as long as the process: when the thread that started a process ends, the process is
        // told that its parent has died.
        let keeper = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            let (child, shared) = match command.spawn().and_then(|child| Ok((pid(&child)?, child))) {
                Ok((pid, child)) => {
                    (child, Arc::new(Shared { pid, reaped: Mutex::new(false), told: AtomicBool::new(false) }))
                }
                Err(error) => return drop(started.send(Err(error))),
            };
            let _ = started.send(Ok(Arc::clone(&shared)));
            let status = wait(child, &shared);
            if !shared.told.load(Ordering::SeqCst) {
                died.send_replace(status);
            }
            tell.send_replace(Some(status.unwrap_or_default()));
        })?;
        let shared = starts.recv().map_err(io::Error::other)??;
        Ok(Self { shared, keeper: Some(keeper), ended })
    }

    /// Its number.
    pub(super) fn id(&self) -> i32 {
        self.shared.pid.as_raw_nonzero().get()
    }

    /// Stops it without ending it.
    pub(super) fn pause(&self) -> io::Result<()> {
        self.shared.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(super) fn resume(&self) -> io::Result<()> {
        self.shared.signal(Signal::CONT)
    }

    /// Ends it at once, paused or not.
    pub(super) fn kill(&self) {
        self.shared.told.store(true, Ordering::SeqCst);
        // All that can go wrong is that it is gone already.
        let _ = self.shared.signal(Signal::KILL);
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) -> io::Result<()> {
        self.shared.told.store(true, Ordering::SeqCst);
        self.shared.signal(Signal::TERM)
    }

    /// Returns when it has ended, with how.
    pub(super) async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        status.unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl Shared {
    fn signal(&self, signal: Signal) -> io::Result<()> {
        let reaped = locked(&self.reaped);
        if *reaped { Err(Errno::SRCH.into()) } else { Ok(kill_process_group(self.pid, signal)?) }
    }
}

fn pid(child: &Child) -> io::Result<Pid> {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    number.ok_or_else(|| io::Error::other("the process has no number"))
}

/// Waits until it has ended. Until its number is given back nobody else can have it, so that no signal can go astray.
fn wait(mut child: Child, shared: &Shared) -> Option<ExitStatus> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while waitid(WaitId::Pid(shared.pid), options).is_err_and(|error| error == Errno::INTR) {}
    let mut reaped = locked(&shared.reaped);
    *reaped = true;
    child.wait().ok()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command for `program`, which the kernel kills when we die, where the machine has the tool for that.
fn bound_to_us(program: &Path) -> Command {
    static BINDS: LazyLock<bool> = LazyLock::new(|| {
        let mut command = Command::new(BINDER[0]);
        command.args(&BINDER[1..]).arg("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    if !*BINDS {
        return Command::new(program);
    }
    let mut command = Command::new(BINDER[0]);
    command.args(&BINDER[1..]).arg(program);
    command
}

const BINDER: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];
