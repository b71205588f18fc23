//! What a session of the store holds for a load: the load's value, and beside it the number of the message that brought it, so
//! that data and metadata which do not belong together are seen as damage.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use squall_client::Session;

use crate::history::ValueSeen;
use crate::load::value;

/// The data of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    value: Value,
    message: u64,
}

/// The load's value, taken apart: it comes back by way of two forms of data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    w: String,
    s: String,
    pad: String,
}

impl Kept {
    /// The data of a new session; `None` if that is no value of a load.
    pub(super) fn first(value: &Bytes) -> Option<Self> {
        serde_json::from_slice(value).ok().map(|value| Self { value, message: 0 })
    }

    /// Puts this value into a session, as one message more.
    pub(super) fn put(self, session: &mut Session<Self>) {
        session.messages = session.messages.saturating_add(1);
        session.sequence = session.sequence.saturating_add(1);
        session.data = Self { message: session.messages, ..self };
    }

    /// What was read, in a session that says that it had so many messages.
    pub(super) fn seen(&self, messages: u64, sequence: u64) -> ValueSeen {
        let bytes = serde_json::to_vec(&self.value).unwrap_or_default();
        let seen = value::seen(&bytes);
        let whole = (messages, sequence) == (self.message, self.message);
        ValueSeen { intact: seen.intact && whole, ..seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{SessionId, Write};

    const WRITE: Write = Write { instance: 1, number: 7 };

    fn kept() -> Kept {
        Kept::first(&value::value(WRITE, SessionId(3), 300)).unwrap()
    }

    #[test]
    fn a_value_comes_back_as_the_load_wrote_it() {
        let expected = ValueSeen { write: Some(WRITE), session: Some(SessionId(3)), intact: true };
        assert_eq!(kept().seen(0, 0), expected);
        let json = serde_json::to_value(kept()).unwrap();
        assert_eq!(serde_json::from_value::<Kept>(json).unwrap().seen(0, 0), expected);
    }

    #[test]
    fn a_count_that_is_not_of_this_write_is_damage_and_so_is_another_value() {
        for (messages, sequence) in [(1, 0), (0, 1), (1, 1)] {
            let seen = kept().seen(messages, sequence);
            assert_eq!((seen.write, seen.intact), (Some(WRITE), false));
        }
        let mut other = kept();
        other.value.pad.replace_range(..1, "+");
        assert!(!other.seen(0, 0).intact);
    }

    #[test]
    fn what_is_no_value_of_a_load_is_not_kept() {
        for bytes in [&b""[..], b"{}", b"7", b"\xff"] {
            assert_eq!(Kept::first(&Bytes::from_static(bytes)), None);
        }
    }
}
