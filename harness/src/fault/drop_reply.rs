//! `drop_reply`: done, and never told.

use proptest::strategy::{Just, SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Answer, Inject};

/// Redis carries the command out, its reply is lost, and the connection is reset: the subject cannot know.
///
/// ```toml
/// faults = [{ inject = "drop_reply", match = { command = "EVALSHA", key = "session:*", nth = 3 } }]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropReply {}

impl Inject for DropReply {
    const EXAMPLE: &'static str = "inject = \"drop_reply\"";

    fn act(&self) -> Act {
        Act::Answer(Answer::Drop)
    }

    fn drawn() -> SBoxedStrategy<Self> {
        Just(Self {}).sboxed()
    }
}
