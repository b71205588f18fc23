//! What a fault does, in terms that a world can carry out.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::Eviction;
use crate::pattern;

/// What a fault does, in terms that a world can carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Bends the link between an instance and Redis while it lasts.
    Bend(Bend),
    /// Closes the port: live connections are reset, new ones refused.
    Refuse,
    /// Resets connections, truly (RST).
    Reset {
        /// Every connection that is live when it begins, idle or not.
        live: bool,
        /// Every connection opened while it lasts, at its first byte.
        new: bool,
    },
    /// Answers commands otherwise than Redis does.
    Answer(Answer),
    /// Connections that are opened while it lasts carry nothing for so long.
    SlowAccept {
        /// How long.
        delay: Duration,
    },
    /// Connections that are open when it begins go silent: what they carry is lost, and they end with it.
    HalfOpen,
    /// Cuts the network: what live connections carry is held and delivered in the end, and opening one hangs until then.
    Unreachable,
    /// Strikes the server itself.
    Server(ServerAct),
    /// Instances end, and others take their places when it ends. No world has a part in it.
    Crash {
        /// Whether they are told to end, and have the time for it.
        orderly: bool,
    },
}

/// What becomes of a command or of its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Redis carries the command out; the reply is lost and the connection reset.
    Drop,
    /// Redis carries the command out; half of the reply arrives, then the connection ends.
    Partial,
    /// The command does not reach Redis; this error answers it.
    Error(String),
    /// Redis carries the command out; a byte of the value in its reply is another one.
    Corrupt,
}

/// Which commands a fault strikes. What is absent strikes all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matching {
    /// The command's name, such as `GET`, in whatever case; several in a list.
    pub command: Option<Commands>,
    /// A pattern of its first key, with `*` and `?`.
    pub key: Option<String>,
    /// Only the how-many-eth that matches, of each instance, counted from 1 since the fault began.
    pub nth: Option<u32>,
}

/// Names of commands: one, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commands(pub Vec<String>);

impl<'de> Deserialize<'de> for Commands {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CommandsVisitor)
    }
}

struct CommandsVisitor;

impl<'de> de::Visitor<'de> for CommandsVisitor {
    type Value = Commands;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a command, such as \"GET\", or a list of names")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Commands, E> {
        Ok(Commands(vec![name.to_owned()]))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<Commands, A::Error> {
        let mut found = Vec::new();
        while let Some(name) = names.next_element()? {
            found.push(name);
        }
        if found.is_empty() { Err(de::Error::custom("the list is empty")) } else { Ok(Commands(found)) }
    }
}

impl Matching {
    /// Whether a command of that name and first key is meant, whatever its number.
    pub fn means(&self, name: &str, key: Option<&str>) -> bool {
        self.command.as_ref().is_none_or(|wanted| wanted.0.iter().any(|one| one.eq_ignore_ascii_case(name)))
            && self.key.as_ref().is_none_or(|wanted| key.is_some_and(|key| pattern::fits(key, wanted)))
    }
}

/// What can be done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAct {
    /// Stops it without ending it: connections stay, nothing answers (SIGSTOP).
    Pause,
    /// Ends it at once (SIGKILL); it starts again, empty, when the fault ends.
    Kill,
    /// Stops it in order; it starts again when the fault ends.
    Restart {
        /// Whether it has its data again.
        keep_data: bool,
    },
    /// It ends every connection, once.
    KillClients,
    /// It removes every key, once.
    Flush,
    /// Its data may take so much memory and no more.
    Evict {
        /// How much, beyond what it takes without any data.
        bytes: u64,
        /// Which keys go.
        policy: Eviction,
    },
    /// It takes so many connections and no more; live ones stay.
    MaxClients {
        /// How many.
        clients: u32,
    },
    /// A script keeps it busy: it is silent first, then it answers `-BUSY`.
    Script {
        /// How long it is silent.
        busy_after: Duration,
    },
    /// Its clock is off.
    ClockJump {
        /// How far.
        by: Duration,
        /// Whether it shows the past; the future otherwise.
        backward: bool,
    },
    /// It asks the instances' user for another password, and ends that user's connections once.
    PasswordChange,
    /// It is a replica: it answers reads, and no writes.
    Demote,
}

impl ServerAct {
    /// Whether the server can be told nothing while this lasts: it is no more, or does not listen.
    pub fn deafens(self) -> bool {
        match self {
            Self::Pause | Self::Kill | Self::Restart { .. } | Self::Script { .. } => true,
            Self::KillClients
            | Self::Flush
            | Self::Evict { .. }
            | Self::MaxClients { .. }
            | Self::ClockJump { .. }
            | Self::PasswordChange
            | Self::Demote => false,
        }
    }

    /// Whether the server is no more while this lasts.
    pub fn ends_it(self) -> bool {
        match self {
            Self::Kill | Self::Restart { .. } => true,
            Self::Pause
            | Self::KillClients
            | Self::Flush
            | Self::Evict { .. }
            | Self::MaxClients { .. }
            | Self::Script { .. }
            | Self::ClockJump { .. }
            | Self::PasswordChange
            | Self::Demote => false,
        }
    }

    /// Whether both are of one kind, whatever their parameters.
    pub fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// How a link between an instance and Redis is bent while a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bend {
    /// Every chunk comes late.
    Latency {
        /// By how much.
        delay: Duration,
        /// How far chance moves each delay up or down.
        jitter: Duration,
    },
    /// No more than so many bytes a second pass; not zero.
    Bandwidth {
        /// Bytes a second.
        rate: u64,
    },
    /// Chunks are chopped into small pieces.
    Slicer {
        /// The average size of a piece in bytes; not zero.
        average_size: u64,
        /// How far chance moves the size up or down; less than `average_size`.
        size_variation: u64,
        /// The pause after each piece.
        delay: Duration,
    },
    /// The end of a connection comes late.
    SlowClose {
        /// By how much.
        delay: Duration,
    },
    /// A connection ends after so many bytes.
    LimitData {
        /// How many.
        bytes: u64,
    },
    /// Every byte is lost; the connections that it struck end with it.
    Drop,
    /// Every byte is held, and delivered in the end.
    Hold,
}

impl Bend {
    /// Whether no byte passes while it lasts.
    pub fn lets_nothing_through(self) -> bool {
        matches!(self, Self::Drop | Self::Hold)
    }
}

/// Which way a fault bends a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the subject to Redis.
    Upstream,
    /// From Redis to the subject.
    Downstream,
    /// Both.
    #[default]
    Both,
}

impl Direction {
    /// Whether both bend the same way somewhere.
    pub fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Upstream, Self::Downstream) | (Self::Downstream, Self::Upstream) => false,
            (Self::Upstream | Self::Downstream | Self::Both, _) => true,
        }
    }
}
