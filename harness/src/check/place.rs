//! The name of an operation, or none, in four bytes: of such names sessions keep many.

use super::operation::OperationId;

/// The name of an operation, or none. Later operations are greater, and none is less than all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(u32);

impl Place {
    /// No operation.
    pub(crate) const NONE: Self = Self(0);

    /// This operation. Beyond four thousand millions, which no memory holds, it is none.
    pub(crate) fn of(id: OperationId) -> Self {
        Self(u32::try_from(id).ok().and_then(|id| id.checked_add(1)).unwrap_or(0))
    }

    /// A number that has its order.
    pub(crate) fn key(self) -> u64 {
        u64::from(self.0)
    }

    /// The operation, if it is one.
    pub(crate) fn get(self) -> Option<OperationId> {
        self.0.checked_sub(1).map(|id| id as OperationId)
    }
}

impl From<Option<OperationId>> for Place {
    fn from(id: Option<OperationId>) -> Self {
        id.map_or(Self::NONE, Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_gives_back_what_it_took() {
        for id in [None, Some(0), Some(1), Some(1_000_000)] {
            assert_eq!(Place::from(id).get(), id);
        }
        assert!(Place::NONE < Place::of(0) && Place::of(0) < Place::of(1));
        assert_eq!(Place::of(u32::MAX as usize + 1).get(), None);
    }
}
