//! What is to be known of a session's operations as a whole.

use super::operation::Operation;
use crate::history::ServedBy;
use crate::load::Kind;

/// What is to be known of a session's operations as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Story {
    /// Whether something ended it, or may have.
    pub(crate) may_end: bool,
    /// Whether something of unknown outcome may create, extend or end it at any time.
    pub(crate) is_loose: bool,
    /// When the last write ended that was accepted locally.
    pub(crate) kept_until: Option<u64>,
    /// The entry after which its TTL may have gone wrong: an update, or a write accepted locally.
    pub(crate) stirred: Option<usize>,
}

impl Story {
    /// Of these operations.
    pub(crate) fn of<'a>(operations: impl Iterator<Item = &'a Operation>) -> Self {
        let mut story = Self::default();
        operations.for_each(|operation| story.add(operation));
        story
    }

    fn add(&mut self, operation: &Operation) {
        let local = operation.served_by() == Some(ServedBy::Local);
        let changes_life = matches!(operation.kind, Kind::Create | Kind::Destroy | Kind::Touch);
        self.may_end |= operation.kind == Kind::Destroy && !operation.never_happened();
        self.is_loose |= changes_life && operation.may_happen();
        let Some(end) = operation.end.filter(|_| operation.acknowledged()) else { return };
        if local && !matches!(operation.kind, Kind::Get | Kind::Ttl) {
            self.kept_until = self.kept_until.max(Some(end.t));
        }
        if operation.kind == Kind::Update || (local && operation.kind != Kind::Get) {
            self.stirred = Some(self.stirred.map_or(end.entry, |entry| entry.min(end.entry)));
        }
    }
}
