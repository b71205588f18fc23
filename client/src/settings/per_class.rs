//! Settings that a class of calls may have of its own.

use serde::{Deserialize, Serialize};

use crate::core::class::Class;

/// What classes of calls have of their own. A class without has what all have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerClass<T> {
    /// What reads one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<T>,
    /// What changes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<T>,
    /// Everything else: scans, indexes, questions about health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upkeep: Option<T>,
}

impl<T> Default for PerClass<T> {
    fn default() -> Self {
        Self { reads: None, writes: None, upkeep: None }
    }
}

impl<T: Copy> PerClass<T> {
    /// What a class has of its own.
    pub fn of(&self, class: Class) -> Option<T> {
        match class {
            Class::Reads => self.reads,
            Class::Writes => self.writes,
            Class::Upkeep => self.upkeep,
        }
    }

    /// Everything that classes have of their own.
    pub(super) fn each(&self) -> impl Iterator<Item = (Class, T)> {
        let Self { reads, writes, upkeep } = *self;
        let all = [(Class::Reads, reads), (Class::Writes, writes), (Class::Upkeep, upkeep)];
        all.into_iter().filter_map(|(class, own)| own.map(|own| (class, own)))
    }
}

impl<T> PerClass<T> {
    /// Whether no class has anything of its own.
    pub fn is_empty(&self) -> bool {
        self.reads.is_none() && self.writes.is_none() && self.upkeep.is_none()
    }
}
