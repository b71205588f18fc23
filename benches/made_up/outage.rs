//! The outages of a made-up history: how they begin and end, and what the instances bring to Redis after each.

use rand::Rng;
use squall::history::{BreakerState, Effect, Event, Mode, ReplyKind, Resync, Wire};

use super::{INSTANCES, LOOKS_AGAIN, MILLI, MadeUp, REPLIED, SECOND};

/// An outage lasts so long.
const OUTAGE: u64 = 5 * SECOND;
/// After its start breakers open.
const OPENS: u64 = 20 * MILLI;

impl<R: Rng> MadeUp<R> {
    pub(super) fn begin_outage(&mut self, t: u64) {
        self.outage = Some(t);
        self.fault(true, t);
        self.fault(false, t + OUTAGE);
        for instance in 0..INSTANCES {
            self.wire(t, instance, Wire::Closed { by: "redis: reset".to_owned() });
            let opens = [t + OPENS, t + OPENS + 2_001 * MILLI, t + OPENS + 4_002 * MILLI];
            let mut from = BreakerState::Closed;
            for t in opens {
                if from == BreakerState::HalfOpen {
                    self.breaker(t - MILLI, instance, BreakerState::Open, from);
                }
                self.breaker(t, instance, from, BreakerState::Open);
                from = BreakerState::HalfOpen;
            }
            self.record(t + OPENS, Event::Mode { instance, to: Mode::Local });
        }
    }

    fn fault(&mut self, on: bool, t: u64) {
        let (what, instances) = ("refuse".to_owned(), (0..INSTANCES).collect());
        let effect = Effect { total: true, spares_redis: true, ..Effect::default() };
        self.record(t, Event::Fault { fault: self.outages, what, instances, on, asked: t, effect });
    }

    fn breaker(&mut self, t: u64, instance: u16, from: BreakerState, to: BreakerState) {
        self.record(t, Event::Breaker { instance, from, to });
    }

    /// Every instance finds Redis again and brings what it has kept.
    pub(super) fn end_outage(&mut self, begun: u64, t: u64) {
        self.outages += u32::from(self.outage.take() == Some(begun));
        self.looks_again = Some(begun + LOOKS_AGAIN);
        for instance in 0..INSTANCES {
            self.wire(t, instance, Wire::Opened);
            self.breaker(t, instance, BreakerState::Open, BreakerState::HalfOpen);
            self.wire(t, instance, Wire::Command { name: "PING".to_owned(), key: None });
            self.wire(t + 1, instance, Wire::Reply { kind: ReplyKind::Value });
            self.breaker(t + 2, instance, BreakerState::HalfOpen, BreakerState::Closed);
            self.record(t + 3, Event::Mode { instance, to: Mode::Redis });
            let mine: Vec<u32> = self.waiting(instance).collect();
            mine.iter().for_each(|session| self.dirty[*session as usize] = false);
            // Some are interrupted half-way, and begin again with the rest.
            let at_once = match (u32::from(instance) + self.outages) % 3 {
                0 => mine.len() / 2,
                _ => mine.len(),
            };
            let (first, rest) = mine.split_at(at_once);
            let over = self.bring(t + 4, instance, first, rest.len());
            if !rest.is_empty() {
                self.bring(over + 1, instance, rest, 0);
            }
        }
    }

    /// A resync that brings these sessions, and is interrupted if some are left. Returns when it is over.
    fn bring(&mut self, t: u64, instance: u16, sessions: &[u32], left: usize) -> u64 {
        let (brought, left) = (sessions.len() as u64, left as u64);
        let started = Resync::Started { sessions: brought + left };
        self.record(t, Event::Resync { instance, what: started });
        for session in sessions {
            self.call(t + 1, instance, "EVALSHA", *session, Some(ReplyKind::Value));
        }
        let what = match left {
            0 => Resync::Finished { sessions: brought },
            sessions => Resync::Interrupted { sessions },
        };
        self.record(t + REPLIED, Event::Resync { instance, what });
        t + REPLIED
    }

    /// Everyone looks once more whether anything is left to bring.
    pub(super) fn look_again(&mut self, t: u64) {
        self.looks_again = None;
        (0..INSTANCES).for_each(|instance| _ = self.bring(t, instance, &[], 0));
    }

    /// The sessions that wait for the resync of this instance.
    pub(super) fn waiting(&self, instance: u16) -> impl Iterator<Item = u32> {
        let all = self.dirty.iter().enumerate().skip(usize::from(instance)).step_by(usize::from(INSTANCES));
        all.filter(|(_, dirty)| **dirty).filter_map(|(session, _)| u32::try_from(session).ok())
    }
}
