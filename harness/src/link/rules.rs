//! What bends a link just now, and which of its connections.
//!
//! Every choice is drawn from the seed, the strike's number and the connection's number alone, so it does not depend on what
//! else happens, nor on who asks first.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt as _;

use super::answers::Answering;
use crate::fault::{Bend, Direction};
use crate::seed;

/// Where chance on one link comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    /// The run's seed.
    pub(super) seed: u64,
    /// The instance whose link it is.
    pub(super) instance: u16,
}

impl Chance {
    /// Whether a strike that hits such a share of the connections hits this one.
    pub(super) fn chooses(self, share: f64, strike: u32, connection: u32) -> bool {
        // Most strikes hit all, and a generator is not free.
        share >= 1.0 || self.generator("choice", &[strike, connection]).random::<f64>() < share
    }

    /// Whether a strike that hits such a share of the commands hits the how-many-eth that it means.
    pub(super) fn chooses_command(self, share: f64, strike: u32, command: u32) -> bool {
        share >= 1.0 || self.generator("command", &[strike, command]).random::<f64>() < share
    }

    /// The generator of one direction of a connection.
    pub(super) fn direction(self, connection: u32, upstream: bool) -> rand_chacha::ChaCha8Rng {
        self.generator(if upstream { "up" } else { "down" }, &[connection])
    }

    fn generator(self, what: &str, numbers: &[u32]) -> rand_chacha::ChaCha8Rng {
        seed::fork(self.seed, &format!("link {} {what} {numbers:?}", self.instance))
    }
}

/// A strike that bends the link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bending {
    pub(super) bend: Bend,
    pub(super) direction: Direction,
    /// The share of connections that it hits.
    pub(super) share: f64,
    /// Only connections with a smaller number are hit.
    pub(super) before: u32,
}

/// A strike that resets connections that are opened while it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resetting {
    /// The share of connections that it hits.
    pub(super) share: f64,
    /// The number of the first connection that was opened after it began.
    pub(super) since: u32,
}

/// Everything that strikes a link just now, by the numbers of the strikes.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) bends: BTreeMap<u32, Bending>,
    pub(super) resets: BTreeMap<u32, Resetting>,
    pub(super) answers: BTreeMap<u32, Answering>,
    /// For how long new connections carry nothing, and the number of the first connection that it concerns.
    pub(super) slow_accepts: BTreeMap<u32, (Duration, u32)>,
    /// How many strikes cut the network.
    pub(super) cuts: u32,
    /// How many strikes refuse connections.
    pub(super) refusals: u32,
    /// Grows with every change.
    pub(super) version: u64,
}

impl Rules {
    /// What bends one direction of a connection.
    pub(super) fn bends(&self, chance: Chance, connection: u32, upstream: bool) -> Bends {
        let way = if upstream { Direction::Upstream } else { Direction::Downstream };
        let hits = |number: u32, bending: &Bending| {
            bending.direction.meets(way)
                && connection < bending.before
                && chance.chooses(bending.share, number, connection)
        };
        let mut bends = Bends::default();
        for (number, bending) in self.bends.iter().filter(|(number, bending)| hits(**number, bending)) {
            bends.add(*number, bending.bend);
        }
        bends
    }

    /// For how long a connection carries nothing after it was opened.
    pub(super) fn slow_accept(&self, connection: u32) -> Duration {
        let hit = self.slow_accepts.values().filter(|(_, since)| connection >= *since);
        hit.map(|(delay, _)| *delay).max().unwrap_or_default()
    }

    /// Whether a connection is reset at its first byte.
    pub(super) fn resets(&self, chance: Chance, connection: u32) -> bool {
        let hits = |(number, resetting): (&u32, &Resetting)| {
            connection >= resetting.since && chance.chooses(resetting.share, *number, connection)
        };
        self.resets.iter().any(hits)
    }
}

/// What bends one direction of one connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bends {
    /// Every byte is lost.
    pub(super) drop: bool,
    /// Nothing is delivered.
    pub(super) hold: bool,
    /// Delays with their jitter; they add up.
    pub(super) delays: Vec<(Duration, Duration)>,
    /// Bytes a second.
    pub(super) rate: Option<u64>,
    /// Average size, variation, pause.
    pub(super) slices: Option<(u64, u64, Duration)>,
    /// By how much the end comes late.
    pub(super) slow_close: Duration,
    /// After how many bytes it ends, by strike.
    pub(super) limits: Vec<(u32, u64)>,
}

impl Bends {
    fn add(&mut self, strike: u32, bend: Bend) {
        match bend {
            Bend::Latency { delay, jitter } => self.delays.push((delay, jitter)),
            Bend::Bandwidth { rate } => {
                self.rate = Some(self.rate.map_or(rate, |other| other.min(rate)).max(1))
            }
            Bend::Slicer { average_size, size_variation, delay } => {
                self.slices = Some((average_size.max(1), size_variation, delay));
            }
            Bend::SlowClose { delay } => self.slow_close += delay,
            Bend::LimitData { bytes } => self.limits.push((strike, bytes)),
            Bend::Drop => self.drop = true,
            Bend::Hold => self.hold = true,
        }
    }

    /// Whether what is written now goes on at once and unchanged.
    pub(super) fn is_straight(&self) -> bool {
        !self.drop
            && !self.hold
            && self.delays.is_empty()
            && self.rate.is_none()
            && self.slices.is_none()
            && self.limits.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANCE: Chance = Chance { seed: 7, instance: 1 };

    #[test]
    fn a_share_is_hit_and_always_the_same_one() {
        let hit: Vec<u32> = (0..1000).filter(|number| CHANCE.chooses(0.3, 2, *number)).collect();
        assert!((250..350).contains(&hit.len()), "{}", hit.len());
        assert!(hit.iter().all(|number| CHANCE.chooses(0.3, 2, *number)));
        assert_ne!(hit, (0..1000).filter(|number| CHANCE.chooses(0.3, 3, *number)).collect::<Vec<_>>());
        assert!((0..1000).all(|number| CHANCE.chooses(1.0, 2, number)));
    }

    #[test]
    fn a_direction_is_bent_by_what_goes_its_way() {
        let bending = |bend, direction, before| Bending { bend, direction, share: 1.0, before };
        let mut rules = Rules::default();
        rules.bends.insert(0, bending(Bend::Hold, Direction::Downstream, u32::MAX));
        rules.bends.insert(1, bending(Bend::Bandwidth { rate: 10 }, Direction::Both, u32::MAX));
        rules.bends.insert(2, bending(Bend::Bandwidth { rate: 5 }, Direction::Upstream, 3));
        assert_eq!(rules.bends(CHANCE, 2, true), Bends { rate: Some(5), ..Bends::default() });
        assert_eq!(rules.bends(CHANCE, 3, true), Bends { rate: Some(10), ..Bends::default() });
        assert_eq!(rules.bends(CHANCE, 2, false), Bends { hold: true, rate: Some(10), ..Bends::default() });
    }
}
