//! A kind of fault, without its parameters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::Fault;
use crate::{suggest, units};

/// A kind of fault, called as in scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultKind(&'static str);

impl FaultKind {
    /// Every kind, in the order of the alphabet.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = Fault::NAMES.iter().map(|name| Self(name)).collect();
        all.sort_unstable();
        all
    }

    /// The kind that a history speaks of: it names the kind first, then the parameters, as in `latency (delay 200ms)`. `None`
    /// for one that this version does not know.
    pub fn told(what: &str) -> Option<Self> {
        let name = what.split(' ').next().unwrap_or_default();
        Fault::NAMES.iter().find(|known| **known == name).map(|name| Self(name))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Fault::NAMES.iter().find(|known| **known == name).map(|name| Self(name));
        found.ok_or_else(|| suggest::unknown("fault", name, Fault::NAMES))
    }
}

impl Serialize for FaultKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for FaultKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        units::read(deserializer, "the name of a fault, such as \"refuse\"", str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Entry {
        inject: Fault,
    }

    #[test]
    fn what_a_history_says_of_a_fault_begins_with_its_kind() {
        for (name, example) in Fault::NAMES.iter().zip(Fault::EXAMPLES) {
            let what = toml::from_str::<Entry>(example).unwrap().inject.to_string();
            assert_eq!(FaultKind::told(&what).map(FaultKind::name), Some(*name), "{what}");
        }
        assert_eq!((FaultKind::told(""), FaultKind::told("comet (bright)")), (None, None));
    }

    #[test]
    fn a_name_is_read_as_it_is_written_and_a_wrong_one_has_a_cure() {
        assert_eq!(FaultKind::all().len(), Fault::NAMES.len());
        for kind in FaultKind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("refuze".parse::<FaultKind>().unwrap_err().contains("did you mean \"refuse\""));
    }
}
