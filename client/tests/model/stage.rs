//! A breaker that threads share, and all that it tells.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::breakers::Breakers;
use crate::clock::Clock;
use crate::core::breaker::{Outcome, State};
use crate::core::circuits::{Circuits, Pass, Probe, Scope};
use crate::core::class::Class;
use crate::core::time::Time;
use crate::event::{Event, Observer};
use crate::settings::BreakerSettings;
use crate::teller::Teller;

/// How long it stays open, how long a probe may take, and how long a call may wait, in milliseconds.
pub(crate) const COOL_DOWN: u64 = 10;
pub(crate) const LEASE: u64 = 5;
pub(crate) const PATIENCE: u64 = 3;

/// A breaker that one failure opens.
pub(crate) struct Stage {
    pub(crate) breaker: Breakers,
    pub(crate) clock: Clock,
    told: Arc<Mutex<Vec<Told>>>,
    /// How often it has opened; counted under its lock.
    pub(crate) opened: Arc<AtomicU64>,
}

/// A change that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) at: Time,
    pub(crate) from: State,
    pub(crate) to: State,
}

impl Stage {
    /// A closed one.
    pub(crate) fn new() -> Self {
        Self::told_by(false)
    }

    /// A closed one that lets other threads run while it tells of a change.
    pub(crate) fn lingering() -> Self {
        Self::told_by(true)
    }

    fn told_by(lingers: bool) -> Self {
        let settings = BreakerSettings {
            failures: 1,
            cool_down: Duration::from_millis(COOL_DOWN),
            cool_down_max: Duration::from_millis(COOL_DOWN),
            jitter: 0.0,
            probe_lease: Duration::from_millis(LEASE),
            ..BreakerSettings::default()
        };
        let (clock, told, opened) = (Clock::default(), Arc::default(), Arc::new(AtomicU64::new(0)));
        let teller = Arc::new(Teller::new(observer(&told, lingers)));
        let counted = Arc::clone(&opened);
        let on_open = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        let patience = Duration::from_millis(PATIENCE);
        let breaker = Breakers::new(Circuits::new(&settings), patience, clock.clone(), 1, teller, on_open);
        Self { breaker, clock, told, opened }
    }

    /// One whose cool-down is over: whoever asks first gets the probe.
    pub(crate) fn cooled_down() -> Self {
        let stage = Self::new();
        stage.ended(stage.permit(), Outcome::Failure);
        assert_eq!(stage.breaker.state(), State::Open);
        stage.clock.go_on(COOL_DOWN);
        stage
    }

    /// One that is half-open, and its probe.
    pub(crate) fn half_open() -> (Self, Probe) {
        let stage = Self::cooled_down();
        let probe = stage.breaker.ask_probe().unwrap();
        (stage, probe)
    }

    /// A permit for a call.
    pub(crate) fn permit(&self) -> Pass {
        self.breaker.ask(Class::Reads).unwrap()
    }

    /// A call has ended so.
    pub(crate) fn ended(&self, pass: Pass, outcome: Outcome) {
        self.breaker.record(pass, (outcome, Scope::Call));
    }

    /// How often it has opened by now.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }

    /// All changes so far. They fit together: each begins where the one before ended, the last ends where the breaker stands, and
    /// time never goes back. So none was left out, told twice or told in a wrong order.
    pub(crate) fn told(&self) -> Vec<Told> {
        let told = self.told.lock().unwrap().clone();
        let (mut state, mut time) = (State::Closed, Time::START);
        for change in &told {
            assert_eq!(change.from, state, "{told:?}");
            assert!(change.at >= time, "{told:?}");
            (state, time) = (change.to, change.at);
        }
        assert_eq!(state, self.breaker.state(), "not all is told: {told:?}");
        told
    }

    /// What the states became, one after the other.
    pub(crate) fn path(&self) -> Vec<State> {
        self.told().into_iter().map(|told| told.to).collect()
    }
}

/// If it lingers, others can run while it is told: nobody may be telling it something else meanwhile.
fn observer(told: &Arc<Mutex<Vec<Told>>>, lingers: bool) -> Observer {
    let (told, busy) = (Arc::clone(told), AtomicBool::new(false));
    Arc::new(move |event| {
        assert!(!busy.swap(true, Ordering::SeqCst), "told two things at once");
        if lingers {
            shuttle::thread::yield_now();
        }
        if let Event::Breaker { at, from, to, .. } = *event {
            told.lock().unwrap().push(Told { at, from, to });
        }
        busy.store(false, Ordering::SeqCst);
    })
}
