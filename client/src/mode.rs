//! Tells who serves operations, exactly when that changes.
//!
//! The local copy serves from the moment the breaker leaves closed, or an operation is served locally because its call failed.
//! Redis serves again once the breaker is closed and a call has succeeded. While a class of calls has its own breaker open, the
//! local copy serves at least those.
//!
//! A change is told after the lock around it is given back, in order: an observer may force the breaker, which leads back here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::core::breaker::State;
use crate::core::class::Class;
use crate::core::ramp::Ramp;
use crate::event::{Event, Mode, Observer};
use crate::settings::Fallback;
use crate::teller::Teller;

/// Who serves, told to an observer.
pub(crate) struct Serving {
    clock: Clock,
    fallback: Fallback,
    observer: Observer,
    teller: Teller,
    now: Mutex<Now>,
}

struct Now {
    mode: Mode,
    breaker_closed: bool,
    stopped: Vec<Class>,
    ramp: Ramp,
}

impl Now {
    /// Whether Redis may serve everything.
    fn by_redis(&self) -> bool {
        self.breaker_closed && self.stopped.is_empty()
    }
}

impl Serving {
    /// Redis serves, and the breaker is closed.
    pub(crate) fn new(clock: Clock, fallback: Fallback, observer: Observer) -> Self {
        let now = Mutex::new(Now {
            mode: Mode::Redis,
            breaker_closed: true,
            stopped: Vec::new(),
            ramp: Ramp::default(),
        });
        let teller = Teller::new(Arc::clone(&observer));
        Self { clock, fallback, observer, teller, now }
    }

    /// An observer that passes everything on and follows the breaker.
    pub(crate) fn following(self: &Arc<Self>) -> Observer {
        let serving = Arc::clone(self);
        Arc::new(move |event| {
            (serving.observer)(event);
            match event {
                Event::Breaker { at, to, .. } => serving.breaker_changed(|now| {
                    now.breaker_closed = *to == State::Closed;
                    if now.breaker_closed { now.ramp.begin(*at) } else { now.ramp.end() }
                }),
                Event::ClassBreaker { class, to, .. } => serving.breaker_changed(|now| {
                    now.stopped.retain(|stopped| stopped != class);
                    if *to != State::Closed {
                        now.stopped.push(*class);
                    }
                }),
                _ => {}
            }
        })
    }

    /// An operation is being served locally, because Redis cannot.
    pub(crate) fn local(&self) {
        self.change(|_| Some(Mode::Local));
    }

    /// Redis has answered a call.
    pub(crate) fn redis(&self) {
        self.change(|now| now.by_redis().then_some(Mode::Redis));
    }

    /// Whether the next operation of a user goes to Redis, where a [`Ramp`] after an outage lasts for `lasts`.
    pub(crate) fn admits(&self, lasts: Duration) -> bool {
        self.fallback != Fallback::Memory || self.lock().ramp.admits(self.clock.now(), lasts)
    }

    fn breaker_changed(&self, how: impl FnOnce(&mut Now)) {
        self.change(|now| {
            how(now);
            (!now.by_redis()).then_some(Mode::Local)
        });
    }

    /// Changes what is known, and tells who serves if that has changed with it.
    fn change(&self, how: impl FnOnce(&mut Now) -> Option<Mode>) {
        let mut now = self.lock();
        let Some(mode) = how(&mut now) else { return };
        if now.mode == mode || self.fallback != Fallback::Memory {
            return;
        }
        now.mode = mode;
        self.teller.push(Event::Mode { at: self.clock.now(), to: mode });
        drop(now);
        // If another is telling, that one tells this too.
        let _all_told = self.teller.tell();
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Time;

    fn told(fallback: Fallback, happens: impl FnOnce(&Arc<Serving>, Observer)) -> Vec<Mode> {
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&events);
        let observer: Observer = Arc::new(move |event: &Event| {
            if let Event::Mode { to, .. } = event {
                log.lock().unwrap().push(*to);
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let serving = Arc::new(Serving::new(Clock::new(0), fallback, observer));
        happens(&serving, serving.following());
        let told = events.lock().unwrap();
        told.clone()
    }

    fn breaker(from: State, to: State) -> Event {
        Event::Breaker { at: Time::START, from, to, reason: "" }
    }

    #[test]
    fn the_local_copy_serves_until_the_breaker_is_closed_and_a_call_succeeds() {
        let modes = told(Fallback::Memory, |serving, follow| {
            follow(&breaker(State::Closed, State::Open));
            serving.local();
            serving.redis();
            follow(&breaker(State::Open, State::HalfOpen));
            follow(&breaker(State::HalfOpen, State::Closed));
            serving.redis();
            serving.redis();
        });
        assert_eq!(modes, [Mode::Local, Mode::Redis]);
    }

    #[test]
    fn a_single_call_that_fails_over_is_told_too() {
        let modes = told(Fallback::Memory, |serving, _| {
            serving.redis();
            serving.local();
            serving.redis();
        });
        assert_eq!(modes, [Mode::Local, Mode::Redis]);
    }

    #[test]
    fn while_writes_are_stopped_the_mode_does_not_go_to_and_fro_with_every_read() {
        let writes =
            |from, to| Event::ClassBreaker { at: Time::START, class: Class::Writes, from, to, reason: "" };
        let modes = told(Fallback::Memory, |serving, follow| {
            follow(&writes(State::Closed, State::Open));
            serving.redis();
            serving.local();
            serving.redis();
            follow(&writes(State::Open, State::HalfOpen));
            serving.redis();
            follow(&writes(State::HalfOpen, State::Closed));
            serving.redis();
        });
        assert_eq!(modes, [Mode::Local, Mode::Redis]);
    }

    #[test]
    fn an_observer_may_do_what_changes_who_serves_and_is_told_of_that_afterwards() {
        let (done, ends) = std::sync::mpsc::channel();
        // In a thread of its own: what is blocked for ever must not block the test.
        std::thread::spawn(move || {
            let following = Arc::new(std::sync::OnceLock::<(Arc<Serving>, Observer)>::new());
            let (follow, modes) = (Arc::clone(&following), Mutex::new(Vec::new()));
            let observer: Observer = Arc::new(move |event: &Event| {
                let Event::Mode { to, .. } = event else { return };
                let (serving, follow) = follow.get().unwrap();
                if *to == Mode::Local {
                    // As when it forces the breaker open, and closed again.
                    follow(&breaker(State::Closed, State::Open));
                    follow(&breaker(State::Open, State::Closed));
                    serving.redis();
                }
                modes.lock().unwrap().push(*to);
                done.send(modes.lock().unwrap().clone()).unwrap();
            });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = runtime.enter();
            let serving = Arc::new(Serving::new(Clock::new(0), Fallback::Memory, observer));
            assert!(following.set((Arc::clone(&serving), serving.following())).is_ok());
            serving.local();
        });
        let next = || ends.recv_timeout(Duration::from_secs(10));
        assert_eq!(next(), Ok(vec![Mode::Local]));
        assert_eq!(next(), Ok(vec![Mode::Local, Mode::Redis]));
    }

    #[test]
    fn without_a_fallback_nobody_but_redis_serves() {
        assert!(told(Fallback::None, |_, follow| follow(&breaker(State::Closed, State::Open))).is_empty());
    }
}
