//! What waits to be brought to Redis, in which order, and how fast.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::settings::ResyncSettings;

/// The sessions that Redis does not know the newest of: one slot a session, however often it is written.
#[derive(Debug, Default)]
pub struct DirtyMap {
    slots: BTreeMap<String, Slot>,
    /// Slots that nobody is bringing just now, the most urgent first.
    waiting: BTreeSet<(Urgency, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    urgency: Urgency,
    /// How many tasks are bringing it just now.
    bringing: u32,
}

/// What comes first: destructions, so that nothing is read that should be gone; then what expires soonest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The session was destroyed.
    Destroyed,
    /// It lives, until so many milliseconds since 1970.
    Living {
        /// When it expires.
        expires_ms: u64,
    },
}

impl DirtyMap {
    /// Marks a session as dirty. One that is dirty already keeps its slot.
    pub fn mark(&mut self, id: &str, urgency: Urgency) {
        let bringing = self.slots.get(id).map_or(0, |slot| slot.bringing);
        self.remove_waiting(id);
        self.slots.insert(id.to_owned(), Slot { urgency, bringing });
        if bringing == 0 {
            self.waiting.insert((urgency, id.to_owned()));
        }
    }

    /// Somebody begins to bring this session to Redis; until it ends nobody else need.
    pub fn begin(&mut self, id: &str) {
        self.remove_waiting(id);
        if let Some(slot) = self.slots.get_mut(id) {
            slot.bringing += 1;
        }
    }

    /// Bringing it ended. `clean`: Redis now knows all that we know.
    pub fn end(&mut self, id: &str, clean: bool) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.bringing = slot.bringing.saturating_sub(1);
        let (urgency, idle) = (slot.urgency, slot.bringing == 0);
        if clean {
            self.slots.remove(id);
            self.waiting.remove(&(urgency, id.to_owned()));
        } else if idle {
            self.waiting.insert((urgency, id.to_owned()));
        }
    }

    /// The most urgent sessions that wait, at most `count`.
    pub fn most_urgent(&self, count: usize) -> Vec<String> {
        self.waiting.iter().take(count).map(|(_, id)| id.clone()).collect()
    }

    /// How many sessions wait for somebody to bring them.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many sessions are dirty, those included that are being brought.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no session is dirty.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether this session is dirty.
    pub fn contains(&self, id: &str) -> bool {
        self.slots.contains_key(id)
    }

    fn remove_waiting(&mut self, id: &str) {
        if let Some(slot) = self.slots.get(id) {
            self.waiting.remove(&(slot.urgency, id.to_owned()));
        }
    }
}

/// How fast the resync goes: additive trust would be too slow, so the rate grows by a factor and halves on trouble (AIMD's
/// cousin), between a start and a cap, so that recovery does not crush Redis.
#[derive(Debug)]
pub struct Pace {
    settings: ResyncSettings,
    rate: f64,
}

impl Pace {
    /// The pace at the start of a resync.
    pub fn new(settings: ResyncSettings) -> Self {
        Self { rate: settings.rate_start, settings }
    }

    /// How many sessions to bring next, and how long that should take at least.
    pub fn next(&self, waiting: usize) -> (usize, Duration) {
        let count = waiting.min(self.settings.batch as usize);
        (count, Duration::from_secs_f64(count as f64 / self.rate))
    }

    /// A batch was brought, all of it or not.
    pub fn brought(&mut self, all: bool) {
        let rate = if all { self.rate * self.settings.growth } else { self.rate / 2.0 };
        self.rate = rate.clamp(1.0, self.settings.rate_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Urgency = Urgency::Living { expires_ms: 10 };
    const LATE: Urgency = Urgency::Living { expires_ms: 99 };

    #[test]
    fn destructions_come_first_then_what_expires_soonest() {
        let mut dirty = DirtyMap::default();
        dirty.mark("late", LATE);
        dirty.mark("soon", SOON);
        dirty.mark("gone", Urgency::Destroyed);
        assert_eq!(dirty.most_urgent(2), ["gone", "soon"]);
    }

    #[test]
    fn a_session_has_one_slot_however_often_it_is_written() {
        let mut dirty = DirtyMap::default();
        (0..5).for_each(|_| dirty.mark("a", SOON));
        dirty.mark("a", LATE);
        assert_eq!((dirty.len(), dirty.waiting()), (1, 1));
    }

    #[test]
    fn what_is_being_brought_does_not_wait_and_waits_again_if_that_fails() {
        let mut dirty = DirtyMap::default();
        dirty.mark("a", SOON);
        dirty.begin("a");
        assert_eq!((dirty.len(), dirty.waiting()), (1, 0));
        dirty.mark("a", LATE);
        assert_eq!(dirty.waiting(), 0);
        dirty.end("a", false);
        assert_eq!(dirty.most_urgent(9), ["a"]);
    }

    #[test]
    fn of_two_that_bring_it_the_last_decides_whether_it_waits() {
        let mut dirty = DirtyMap::default();
        dirty.mark("a", SOON);
        dirty.begin("a");
        dirty.begin("a");
        dirty.end("a", false);
        assert_eq!(dirty.waiting(), 0);
        dirty.end("a", true);
        assert!(dirty.is_empty());
        dirty.end("a", false);
        assert!(dirty.is_empty());
    }

    #[test]
    fn the_pace_grows_with_success_and_halves_on_trouble() {
        let settings = ResyncSettings {
            rate_start: 100.0,
            growth: 2.0,
            batch: 10,
            rate_max: 300.0,
            ..Default::default()
        };
        let mut pace = Pace::new(settings);
        assert_eq!(pace.next(50), (10, Duration::from_millis(100)));
        pace.brought(true);
        assert_eq!(pace.next(50), (10, Duration::from_millis(50)));
        pace.brought(true);
        pace.brought(false);
        assert_eq!(pace.next(3), (3, Duration::from_millis(20)));
    }
}
