//! Who runs beside others, and who alone. To run alone is to wait until nobody else runs, and that holds up nobody: those who
//! run beside others go on beginning meanwhile. So what is to run again by itself does so once the rest is done.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The turns of the cases of a process.
#[derive(Debug, Default)]
pub(super) struct Turns {
    running: Mutex<Running>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Running {
    beside_others: usize,
    alone: bool,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    alone: bool,
}

impl Running {
    fn may_begin(&self, alone: bool) -> bool {
        !self.alone && (!alone || self.beside_others == 0)
    }
}

impl Turns {
    /// Waits only for who runs alone.
    pub(super) fn beside_others(&self) -> Turn<'_> {
        self.begin(false).beside_others += 1;
        Turn { turns: self, alone: false }
    }

    /// Waits until nobody runs.
    pub(super) fn alone(&self) -> Turn<'_> {
        self.begin(true).alone = true;
        Turn { turns: self, alone: true }
    }

    fn begin(&self, alone: bool) -> MutexGuard<'_, Running> {
        let waits = |running: &mut Running| !running.may_begin(alone);
        self.ended.wait_while(self.running(), waits).unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut running = self.turns.running();
        if self.alone {
            running.alone = false;
        } else {
            running.beside_others -= 1;
        }
        drop(running);
        self.turns.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, TryRecvError};
    use std::thread;

    use super::*;

    #[test]
    fn who_waits_to_run_alone_holds_up_nobody_and_begins_once_nobody_runs() {
        let turns = Turns::default();
        let (tell, told) = mpsc::channel();
        let first = turns.beside_others();
        thread::scope(|scope| {
            scope.spawn(|| {
                let turn = turns.alone();
                tell.send("alone").unwrap();
                drop(turn);
            });
            // Each begins though somebody waits to run alone, be it by now or soon.
            let others: Vec<_> = (0..100).map(|_| turns.beside_others()).collect();
            drop(first);
            assert_eq!(told.try_recv(), Err(TryRecvError::Empty), "others run");
            drop(others);
            assert_eq!(told.recv(), Ok("alone"));
        });
    }

    #[test]
    fn nobody_begins_while_somebody_runs_alone() {
        let turns = Turns::default();
        let may = || [false, true].map(|alone| turns.running().may_begin(alone));
        let alone = turns.alone();
        assert_eq!(may(), [false, false]);
        drop(alone);
        assert_eq!(may(), [true, true]);
        let first = turns.beside_others();
        let second = turns.beside_others();
        drop(first);
        assert_eq!(may(), [true, false]);
        drop(second);
        assert_eq!(may(), [true, true]);
    }
}
