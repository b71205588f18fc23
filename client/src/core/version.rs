//! Versions: which of two writes is the newer one, without trusting any instance's clock alone.
//!
//! A hybrid logical clock (Kulkarni and others, "Logical Physical Clocks", 2014): physical milliseconds, a counter for what
//! happens within one, and the writer to tell equals apart. A clock that has seen a version gives only greater ones.

use std::fmt;

use thiserror::Error;

/// Milliseconds that fit: 48 bits, until the year 10889.
const MAX_MS: u64 = (1 << 48) - 1;

/// A version of one fact. The order of versions is the order of their text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    unix_ms: u64,
    counter: u16,
    writer: u32,
}

/// What was read is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a version")]
pub struct NotAVersion;

impl Version {
    /// Older than every write.
    pub const NEVER: Self = Self { unix_ms: 0, counter: 0, writer: 0 };

    /// The length of a version's text.
    pub const TEXT_LEN: usize = 24;

    /// Reads what `Display` wrote.
    pub fn parse(text: &[u8]) -> Result<Self, NotAVersion> {
        if text.len() != Self::TEXT_LEN {
            return Err(NotAVersion);
        }
        let (unix_ms, rest) = text.split_at(12);
        let (counter, writer) = rest.split_at(4);
        let number = |digits| hex(digits).ok_or(NotAVersion);
        let counter = u16::try_from(number(counter)?).map_err(|_| NotAVersion)?;
        let writer = u32::try_from(number(writer)?).map_err(|_| NotAVersion)?;
        Ok(Self { unix_ms: number(unix_ms)?, counter, writer })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}{:04x}{:08x}", self.unix_ms, self.counter, self.writer)
    }
}

/// A number in lower-case hexadecimal digits, and nothing else.
pub(crate) fn hex(digits: &[u8]) -> Option<u64> {
    let lower_case = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digits).ok().filter(|_| lower_case)?;
    u64::from_str_radix(text, 16).ok()
}

/// Gives versions, each greater than all before and than all it was shown.
#[derive(Debug)]
pub struct HybridClock {
    writer: u32,
    last: Version,
}

impl HybridClock {
    /// A clock whose versions name `writer`, which no other instance uses.
    pub fn new(writer: u32) -> Self {
        Self { writer, last: Version::NEVER }
    }

    /// The next version, at `unix_ms` or later.
    pub fn tick(&mut self, unix_ms: u64) -> Version {
        let unix_ms = unix_ms.min(MAX_MS);
        let (unix_ms, counter) = if unix_ms > self.last.unix_ms {
            (unix_ms, 0)
        } else {
            match self.last.counter.checked_add(1) {
                Some(counter) => (self.last.unix_ms, counter),
                None => ((self.last.unix_ms + 1).min(MAX_MS), 0),
            }
        };
        self.last = Version { unix_ms, counter, writer: self.writer };
        self.last
    }

    /// Has seen `version`, written by whomever.
    pub fn observe(&mut self, version: Version) {
        if version > self.last {
            self.last = version;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_version() -> impl Strategy<Value = Version> {
        (0..=MAX_MS, any::<u16>(), any::<u32>()).prop_map(|(unix_ms, counter, writer)| Version {
            unix_ms,
            counter,
            writer,
        })
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_still_gives_greater_versions() {
        let mut clock = HybridClock::new(7);
        let versions: Vec<Version> = [5, 5, 4, 6, 1].into_iter().map(|ms| clock.tick(ms)).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        for text in ["", "0", &"g".repeat(24), &"A".repeat(24), &"0".repeat(25), "+00000000000000000000000"] {
            assert_eq!(Version::parse(text.as_bytes()), Err(NotAVersion), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_keeps_the_order_and_is_read_back(a in any_version(), b in any_version()) {
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(Version::parse(a.to_string().as_bytes()), Ok(a));
        }

        #[test]
        fn a_tick_is_greater_than_all_that_was_seen(seen in any_version(), now in 0_u64..1 << 41) {
            prop_assume!(seen.unix_ms < MAX_MS);
            let mut clock = HybridClock::new(1);
            clock.observe(seen);
            prop_assert!(clock.tick(now) > seen);
        }
    }
}
