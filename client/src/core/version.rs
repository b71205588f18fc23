//! Versions: which of two writes to the same fact is the newer one.
//!
//! A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): wall time in milliseconds, a counter for what
//! happens within one millisecond or while the wall clock lags, and the writer to break ties. Its physical part is Redis's own
//! time as far as the client knows it, so that instances whose clocks differ still agree.

use std::fmt;
use std::str;

/// When a fact was written, and by whom. Two different writes to one session never share a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Milliseconds since 1970 (48 bits), then a counter (16 bits).
    stamp: u64,
    writer: u32,
}

/// Hands out versions, each newer than all that it has handed out or observed.
#[derive(Clone, Debug)]
pub struct HybridClock {
    newest: u64,
    writer: u32,
}

impl Version {
    /// The version of what was never written: older than every other.
    pub const NEVER: Self = Self { stamp: 0, writer: 0 };

    /// Characters of the text form.
    pub const TEXT_LEN: usize = 24;

    /// A version at `unix_ms` (milliseconds since 1970; what does not fit in 48 bits is the greatest that does).
    pub fn new(unix_ms: u64, counter: u16, writer: u32) -> Self {
        Self { stamp: (unix_ms.min(UNIX_MS_MAX) << COUNTER_BITS) | u64::from(counter), writer }
    }

    /// Its wall time, in milliseconds since 1970.
    pub fn unix_ms(self) -> u64 {
        self.stamp >> COUNTER_BITS
    }

    /// Who wrote it.
    pub fn writer(self) -> u32 {
        self.writer
    }

    /// The version that [`fmt::Display`] wrote so: 24 lower-case hex digits, whose order as strings is the order of versions.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT_LEN {
            return None;
        }
        let (stamp, writer) = text.split_at(16);
        // Beyond it there is no room for a newer one, so no client has written it.
        let stamp = hex(stamp).filter(|stamp| *stamp <= STAMP_MAX)?;
        Some(Self { stamp, writer: u32::try_from(hex(writer)?).ok()? })
    }

    /// This version as if the clock that made it had been ahead by `ms` more.
    pub(crate) fn shifted(self, ms: i64) -> Self {
        if self == Self::NEVER {
            return self;
        }
        let counter = self.stamp & COUNTER_MAX;
        let unix_ms = self.unix_ms().saturating_add_signed(ms).min(UNIX_MS_MAX);
        Self { stamp: (unix_ms << COUNTER_BITS) | counter, writer: self.writer }
    }
}

impl Version {
    /// The version as it is written.
    pub(crate) fn digits(self) -> [u8; Self::TEXT_LEN] {
        let mut digits = [0; Self::TEXT_LEN];
        let (stamp, writer) = digits.split_at_mut(16);
        stamp.copy_from_slice(&hex_digits::<16>(self.stamp));
        writer.copy_from_slice(&hex_digits::<8>(self.writer.into()));
        digits
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        formatter.write_str(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl HybridClock {
    /// A clock whose versions carry `writer`, which no other instance may use.
    pub fn new(writer: u32) -> Self {
        Self { newest: 0, writer }
    }

    /// The next version, at `unix_ms` or later, and newer than `seen` whatever that is: a write to a session must win over
    /// what it was made upon, also when that came from a clock far ahead.
    pub fn tick(&mut self, unix_ms: u64, seen: Version) -> Version {
        let wall = unix_ms.min(UNIX_MS_MAX) << COUNTER_BITS;
        let stamp = wall.max(self.newest + 1);
        self.newest = stamp;
        Version { stamp: stamp.max(seen.stamp.saturating_add(1)).min(STAMP_MAX), writer: self.writer }
    }

    /// Takes note of a version that somebody else made. One that is ahead of `unix_ms` by more than the drift bound of one
    /// minute is not followed: one broken clock must not carry all others away.
    pub fn observe(&mut self, unix_ms: u64, seen: Version) {
        if seen.unix_ms() <= unix_ms.saturating_add(DRIFT_MS_MAX) {
            self.newest = self.newest.max(seen.stamp);
        }
    }

    /// The writer of its versions.
    pub fn writer(&self) -> u32 {
        self.writer
    }

    /// Moves the clock by `ms`, together with every version that it has made ([`Version::shifted`]).
    pub(crate) fn shift(&mut self, ms: i64) {
        self.newest = Version { stamp: self.newest, writer: 0 }.shifted(ms).stamp;
    }
}

/// The last `N` digits of a number in lower-case hex.
pub(crate) fn hex_digits<const N: usize>(number: u64) -> [u8; N] {
    std::array::from_fn(|index| b"0123456789abcdef"[((number >> (4 * (N - 1 - index))) & 15) as usize])
}

/// The number that lower-case hex digits write; nothing else counts as one.
pub(crate) fn hex(digits: &[u8]) -> Option<u64> {
    let lower = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !lower {
        return None;
    }
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

const COUNTER_BITS: u32 = 16;
const COUNTER_MAX: u64 = (1 << COUNTER_BITS) - 1;
const UNIX_MS_MAX: u64 = (1 << 48) - 1;
const DRIFT_MS_MAX: u64 = 60_000;
// One below the end, so that a next one always fits.
const STAMP_MAX: u64 = u64::MAX - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_keeps_order_and_version(a: (u64, u16, u32), b: (u64, u16, u32)) {
            let (a, b) = (Version::new(a.0 >> 16, a.1, a.2), Version::new(b.0 >> 16, b.1, b.2));
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
            prop_assert_eq!(Version::parse(a.to_string().as_bytes()), Some(a));
        }

        #[test]
        fn a_tick_is_newer_than_all_before_and_than_what_was_seen(walls: Vec<u64>, seen: (u64, u16, u32)) {
            let seen = Version::new(seen.0 >> 20, seen.1, seen.2);
            let mut clock = HybridClock::new(7);
            let mut last = Version::NEVER;
            for wall in walls {
                clock.observe(wall >> 20, last);
                let next = clock.tick(wall >> 20, last.max(seen));
                prop_assert!(next > last && next > seen);
                last = next;
            }
        }
    }

    #[test]
    fn a_version_that_leaves_no_room_for_a_newer_one_is_none() {
        assert_eq!(Version::parse(b"ffffffffffffffff00000000"), None);
        let last = Version::parse(b"fffffffffffffffe00000000").unwrap();
        let next = HybridClock::new(7).tick(0, last);
        assert!(next >= last);
        let beyond = Version { stamp: u64::MAX, writer: 0 };
        assert_eq!(HybridClock::new(7).tick(0, beyond).stamp, STAMP_MAX);
    }

    #[test]
    fn text_that_is_no_version_is_refused() {
        for text in
            ["", "0", "00000000000000000000000G", "00000000000000000000000A", "+00000000000000000000000"]
        {
            assert_eq!(Version::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_far_ahead_is_not_followed() {
        let mut clock = HybridClock::new(1);
        clock.observe(1_000, Version::new(1_000 + 3_600_000, 0, 2));
        assert_eq!(clock.tick(1_001, Version::NEVER).unix_ms(), 1_001);
        clock.observe(1_000, Version::new(31_000, 5, 2));
        assert!(clock.tick(1_002, Version::NEVER) > Version::new(31_000, 5, 2));
    }

    #[test]
    fn shifting_keeps_order() {
        let mut clock = HybridClock::new(1);
        let first = clock.tick(10_000, Version::NEVER);
        clock.shift(-4_000);
        let second = clock.tick(6_000, Version::NEVER);
        assert_eq!(first.shifted(-4_000).unix_ms(), 6_000);
        assert!(second > first.shifted(-4_000));
        assert_eq!(Version::NEVER.shifted(5), Version::NEVER);
    }
}
