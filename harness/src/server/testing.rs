//! A client for unit tests: commands as text, replies as text, and time that stands still until told.

use super::exec::exec;
use super::reply::Reply;
use super::session::Session;
use super::state::State;

/// A server and one or two sessions on it.
pub(crate) struct Client {
    pub(crate) state: State,
    pub(crate) session: Session,
    /// Microseconds since 1970.
    pub(crate) now: u64,
}

impl Client {
    pub(crate) fn new() -> Self {
        let now = 1_700_000_000_000_000;
        let mut state = State::new("7.0.15".to_owned(), 1, now);
        let slot = state.open(now);
        let session = *state.take(slot).unwrap();
        Self { state, session, now }
    }

    pub(crate) fn wait_ms(&mut self, ms: u64) {
        self.now += ms * 1000;
    }

    /// Another session on the same server in place of this one, which is given back.
    pub(crate) fn switch(&mut self, to: Session) -> Session {
        std::mem::replace(&mut self.session, to)
    }

    pub(crate) fn new_session(&mut self) -> Session {
        let slot = self.state.open(self.now);
        *self.state.take(slot).unwrap()
    }

    /// Runs a command; words are parted by single spaces, and `_` is a space inside of one.
    pub(crate) fn run(&mut self, command: &str) -> Reply {
        let words: Vec<String> = command.split(' ').map(|word| word.replace('_', " ")).collect();
        let argv: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.run_words(&argv)
    }

    pub(crate) fn run_words(&mut self, argv: &[&[u8]]) -> Reply {
        exec(&mut self.state, &mut self.session, self.now, argv)
    }

    /// Runs a command whose reply must read so.
    pub(crate) fn check(&mut self, command: &str, reply: &str) {
        assert_eq!(shown(&self.run(command)), reply, "{command}");
    }
}

/// A reply as a short text.
pub(crate) fn shown(reply: &Reply) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let list = |items: &[Reply]| format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "));
    match reply {
        Reply::Status(bytes) => format!("+{}", text(bytes)),
        Reply::Error(bytes) => format!("-{}", text(bytes)),
        Reply::Int(value) => format!(":{value}"),
        Reply::Bulk(bytes) => text(bytes),
        Reply::Null | Reply::NullArray => "nil".to_owned(),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) | Reply::Several(items) => list(items),
        Reply::Map(pairs) => {
            let each = pairs.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        Reply::Double(value) => format!(",{value}"),
        Reply::Bool(value) => format!("#{value}"),
        Reply::Verbatim(text) => text.clone(),
    }
}
