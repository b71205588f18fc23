//! What the server knows of one connection.

use std::collections::BTreeSet;
use std::task::Waker;

use super::reply::Reply;

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It does.
    #[default]
    No,
    /// It ends when its replies are written.
    AfterReplies,
    /// It ends at once.
    Now,
}

/// Which replies a client wants, as it said by `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replies {
    #[default]
    On,
    Off,
    /// None to the command after this one.
    SkipNext,
    /// None to this command.
    Skip,
}

/// A key that is watched, as it was.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) db: usize,
    pub(crate) key: Vec<u8>,
    pub(crate) version: u64,
}

/// What a transaction has gathered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) commands: Vec<Vec<Vec<u8>>>,
    pub(crate) bytes: usize,
    /// A command was refused: the transaction will be.
    pub(crate) refused: bool,
}

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) id: u64,
    /// Its place among the sessions.
    pub(crate) slot: usize,
    pub(crate) db: usize,
    pub(crate) resp3: bool,
    pub(crate) name: Vec<u8>,
    pub(crate) library: Vec<u8>,
    pub(crate) library_version: Vec<u8>,
    /// The ACL user that it acts as.
    pub(crate) user: Vec<u8>,
    pub(crate) authenticated: bool,
    pub(crate) queue: Option<Queue>,
    pub(crate) watching: Vec<Watch>,
    pub(crate) channels: BTreeSet<Vec<u8>>,
    pub(crate) patterns: BTreeSet<Vec<u8>>,
    pub(crate) replies: Replies,
    pub(crate) no_evict: bool,
    pub(crate) no_touch: bool,
    /// When it began and when it last sent a command, in microseconds since 1970.
    pub(crate) since: u64,
    pub(crate) last_active: u64,
    pub(crate) last_command: &'static str,
    /// Bytes for the client that no one has taken to write yet.
    pub(crate) output: Vec<u8>,
    pub(crate) ending: Ending,
    /// Whom to wake when something happens to it.
    pub(crate) waker: Option<Waker>,
}

/// What may be unread by a subscriber before it is cut off, as Redis's default is.
const PUSHES_MAX: usize = 32 << 20;

impl Session {
    /// How many channels and patterns it is subscribed to.
    pub(crate) fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Writes a reply, unless the client wants none.
    pub(crate) fn reply(&mut self, reply: &Reply) {
        match self.replies {
            Replies::On => reply.encode(self.resp3, &mut self.output),
            Replies::Off => {}
            Replies::Skip => self.replies = Replies::On,
            Replies::SkipNext => self.replies = Replies::Skip,
        }
    }

    /// Writes what the client did not ask for. One that does not read is cut off.
    pub(crate) fn push(&mut self, reply: &Reply) {
        if self.ending != Ending::No || self.replies == Replies::Off && !self.resp3 {
            return;
        }
        reply.encode(self.resp3, &mut self.output);
        if self.output.len() > PUSHES_MAX {
            self.end(Ending::Now);
        }
        self.wake();
    }

    /// Ends the connection.
    pub(crate) fn end(&mut self, ending: Ending) {
        if ending == Ending::Now || self.ending == Ending::No {
            self.ending = ending;
        }
        if ending == Ending::Now {
            self.output = Vec::new();
        }
        self.wake();
    }

    /// Lets the connection look at what happened.
    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
