//! One situation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{FaultKind, MODES, STATES, mode_name, state_name};
use crate::history::{BreakerState, Mode};
use crate::load::Kind;

/// A situation in which an operation may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The kind of fault that strikes the instance.
    pub fault: FaultKind,
    /// The state of its breaker.
    pub breaker: BreakerState,
    /// Who serves.
    pub mode: Mode,
    /// The kind of operation.
    pub operation: Kind,
}

impl Cell {
    /// Every cell, those of one kind of fault together.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for fault in FaultKind::all() {
            for breaker in STATES {
                for mode in MODES {
                    all.extend(Kind::ALL.map(|operation| Self { fault, breaker, mode, operation }));
                }
            }
        }
        all
    }
}

/// `refuse/half-open/local/get`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, breaker, mode, operation } = self;
        write!(f, "{fault}/{}/{}/{}", state_name(*breaker), mode_name(*mode), operation.name())
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no situation, such as \"refuse/open/local/get\"");
        let words: Vec<&str> = text.split('/').collect();
        let [fault, breaker, mode, operation] = words.as_slice() else { return Err(wrong()) };
        let breaker = STATES.into_iter().find(|state| state_name(*state) == *breaker);
        let mode = MODES.into_iter().find(|known| mode_name(*known) == *mode);
        let operation = Kind::ALL.into_iter().find(|kind| kind.name() == *operation);
        match (fault.parse(), breaker, mode, operation) {
            (Ok(fault), Some(breaker), Some(mode), Some(operation)) => {
                Ok(Self { fault, breaker, mode, operation })
            }
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cell_is_read_as_it_is_written() {
        let all: BTreeSet<Cell> = Cell::all().into_iter().collect();
        assert_eq!(all.len(), crate::fault::Fault::NAMES.len() * 3 * 2 * 6);
        assert!(all.iter().all(|cell| cell.to_string().parse() == Ok(*cell)));
    }

    #[test]
    fn what_is_no_cell_is_refused() {
        for text in [
            "",
            "refuse",
            "refuse/open/local",
            "refuse/open/local/get/x",
            "x/open/local/get",
            "refuse/shut/local/get",
        ] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }
}
