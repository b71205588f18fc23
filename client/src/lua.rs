//! Scripts that run in Redis: called by their hash, and by their text where Redis does not know them yet.

use std::sync::LazyLock;

use redis::Cmd;

use crate::core::class::Class;
use crate::core::time::Time;
use crate::error::CallError;
use crate::gateway::{Gateway, Replied};

/// A script that may run twice and be the same as once.
pub(crate) struct LuaScript {
    text: &'static str,
    hash: LazyLock<String, fn() -> String>,
    class: Class,
}

impl LuaScript {
    /// `hash` gives the script's hash; `class` says what it does.
    pub(crate) const fn new(text: &'static str, hash: fn() -> String, class: Class) -> Self {
        Self { text, hash: LazyLock::new(hash), class }
    }

    /// Runs it; `rest` are the number of its keys, they themselves, and its arguments. Says also whether an attempt before the
    /// one that was replied to may have been carried out, and who replied.
    pub(crate) async fn run(
        &self,
        gateway: &Gateway,
        deadline: Time,
        rest: impl Fn(&mut Cmd),
    ) -> Result<Replied, CallError> {
        let command = |by: &str, script: &str| {
            let mut command = redis::cmd(by);
            rest(command.arg(script));
            command
        };
        match gateway.call_counted(&command("EVALSHA", &self.hash), self.class, true, deadline).await {
            // A Redis that restarted has forgotten its scripts; EVAL loads it again.
            Err(error) if is_unknown(&error) => {
                gateway.call_counted(&command("EVAL", self.text), self.class, true, deadline).await
            }
            reply => reply,
        }
    }
}

/// Whether Redis does not know a script yet, which is no failure: it is sent in full.
pub(crate) fn is_unknown(error: &CallError) -> bool {
    matches!(error, CallError::Refused(code) if code == "NOSCRIPT")
}

/// The hash by which Redis knows a script.
pub(crate) fn hash(text: &str) -> String {
    redis::Script::new(text).get_hash().to_owned()
}
