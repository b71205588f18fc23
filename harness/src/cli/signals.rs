//! Ctrl-C and its kin: the first one stops in order, the second one at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::stop::Stop;

/// Signals that ask the program to end, and the exit code that says so.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    code: Arc<AtomicU8>,
}

impl Signals {
    /// Requests `stop` at the first signal, and tells `say` so. At the second it calls `give_up` and ends the program.
    /// Needs a runtime.
    pub fn watch(stop: Stop, say: fn(&str), give_up: fn()) -> io::Result<Self> {
        let signals = Self::default();
        let code = Arc::clone(&signals.code);
        let mut sources = [
            (130, "interrupted", signal(SignalKind::interrupt())?),
            (143, "told to end", signal(SignalKind::terminate())?),
            (129, "terminal closed", signal(SignalKind::hangup())?),
        ];
        tokio::spawn(async move {
            let (first, why) = next(&mut sources).await;
            code.store(first, Ordering::SeqCst);
            say(&format!("{why}: cleaning up (once more to leave at once)"));
            stop.request();
            let (second, _) = next(&mut sources).await;
            give_up();
            std::process::exit(i32::from(second));
        });
        Ok(signals)
    }

    /// The exit code of the signal that came first, if one came.
    pub fn exit_code(&self) -> Option<u8> {
        Some(self.code.load(Ordering::SeqCst)).filter(|code| *code != 0)
    }
}

async fn next(sources: &mut [(u8, &'static str, Signal); 3]) -> (u8, &'static str) {
    let [(int, interrupted, on_int), (term, told, on_term), (hup, closed, on_hup)] = sources;
    tokio::select! {
        biased;
        _ = on_int.recv() => (*int, *interrupted),
        _ = on_term.recv() => (*term, *told),
        _ = on_hup.recv() => (*hup, *closed),
    }
}
