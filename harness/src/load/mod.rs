//! The load: operations to run, drawn from a seed before the run begins.

mod keys;
mod many;
mod stream;
mod through;
mod users;
pub mod value;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use keys::Keys;
pub use many::{Many, Several};
pub use stream::QUIET;
pub use through::Through;
pub use users::{user_of, users};

use crate::history::{SessionId, Write};
use crate::units::{Rate, Size, SizeRange, length};

/// `[load]`: what the instances are asked to do. It is an open loop: operations start on schedule, late or not, so that a stall
/// is not hidden.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// How many instances share the load, 1 to 64.
    pub instances: u16,
    /// How many sessions the pool has, 1 to 1,000,000.
    pub sessions: u32,
    /// Operations of the whole load; each instance has an equal share.
    pub rate: Rate,
    /// How often each kind of operation comes.
    pub mix: Mix,
    /// The TTL that `create` and `touch` set.
    #[serde(with = "length")]
    pub ttl: Duration,
    /// The size of a value; chance picks within the range.
    pub value: SizeRange,
    /// How sessions are drawn.
    pub keys: Keys,
    /// Whether operations of one instance on one session may overlap.
    pub overlap: bool,
    /// The interface of the client through which the operations are made.
    pub through: Through,
}

/// Weights of the kinds of operation, and of requests on several sessions. They need not add up to anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the weight of the kind of its name")]
pub struct Mix {
    pub create: u32,
    pub get: u32,
    pub update: u32,
    pub touch: u32,
    pub destroy: u32,
    pub ttl: u32,
    pub read_many: u32,
    pub clear: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            instances: 2,
            sessions: 100,
            rate: Rate(100.0),
            mix: Mix { get: 70, update: 20, create: 5, touch: 3, destroy: 2, ..Mix::default() },
            ttl: Duration::from_secs(600),
            value: SizeRange { least: Size(200), most: Size(500) },
            keys: Keys::Uniform,
            overlap: false,
            through: Through::Sessions,
        }
    }
}

impl Mix {
    /// The weight of a kind.
    pub fn weight(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Create => self.create,
            Kind::Get => self.get,
            Kind::Update => self.update,
            Kind::Touch => self.touch,
            Kind::Destroy => self.destroy,
            Kind::Ttl => self.ttl,
        }
    }

    /// The weight of a request on several sessions.
    pub fn weight_of(&self, many: Many) -> u32 {
        match many {
            Many::Read => self.read_many,
            Many::Clear => self.clear,
        }
    }

    /// All weights together.
    pub fn total(&self) -> u64 {
        self.weights().map(|(_, weight)| u64::from(weight)).sum()
    }

    /// The one whose stretch of the weights `point` falls into; `point` is below [`total`](Self::total).
    fn draw(&self, mut point: u64) -> Drawn {
        for (drawn, weight) in self.weights() {
            let weight = u64::from(weight);
            if point < weight {
                return drawn;
            }
            point -= weight;
        }
        Drawn::One(Kind::Get)
    }

    fn weights(&self) -> impl Iterator<Item = (Drawn, u32)> {
        let one = Kind::ALL.into_iter().map(|kind| (Drawn::One(kind), self.weight(kind)));
        let many = Many::ALL.into_iter().map(|many| (Drawn::Many(many), self.weight_of(many)));
        one.chain(many)
    }
}

/// What chance has drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drawn {
    One(Kind),
    Many(Many),
}

/// The kinds of operation on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Makes the session, replacing one that exists.
    Create,
    /// Reads its value; never changes the TTL.
    Get,
    /// Writes its value and keeps its TTL.
    Update,
    /// Sets a new TTL.
    Touch,
    /// Ends it.
    Destroy,
    /// Reads what is left of its TTL.
    Ttl,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Create, Self::Get, Self::Update, Self::Touch, Self::Destroy, Self::Ttl];

    /// Whether it can be told that there is no such session. `create` makes one, and `destroy` is content without.
    pub fn needs_session(self) -> bool {
        match self {
            Self::Get | Self::Update | Self::Touch | Self::Ttl => true,
            Self::Create | Self::Destroy => false,
        }
    }

    /// The kind's name in scenarios, histories and the subject protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Touch => "touch",
            Self::Destroy => "destroy",
            Self::Ttl => "ttl",
        }
    }
}

/// An operation that is named, not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it starts, from the end of the setup.
    pub at: Duration,
    /// Who carries it out.
    pub instance: u16,
    /// What it does.
    pub kind: Kind,
    /// The session it is about.
    pub session: SessionId,
    /// The TTL it sets (create, touch); the load's when absent.
    pub ttl: Option<Duration>,
}

/// One operation of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it starts, in nanoseconds since the start of the run.
    pub due: u64,
    /// What it does.
    pub kind: Kind,
    /// The session it is about.
    pub session: SessionId,
    /// The write that its value carries and the value's size in bytes (create, update).
    pub value: Option<(Write, u32)>,
    /// The TTL it sets, in milliseconds (create, touch).
    pub ttl_ms: Option<u64>,
    /// The request that it is a part of, if that is about several sessions, this one first.
    pub several: Option<Several>,
}

impl Operation {
    /// Every session that it is about.
    pub fn sessions(&self) -> &[SessionId] {
        match &self.several {
            Some(several) => &several.sessions,
            None => std::slice::from_ref(&self.session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_drawn_as_often_as_it_weighs() {
        let mix = Load::default().mix;
        let count = |wanted| (0..mix.total()).filter(|point| mix.draw(*point) == Drawn::One(wanted)).count();
        assert_eq!(mix.total(), 100);
        assert_eq!((count(Kind::Get), count(Kind::Update), count(Kind::Create)), (70, 20, 5));
        assert_eq!((count(Kind::Touch), count(Kind::Destroy), count(Kind::Ttl)), (3, 2, 0));
        let mix = Mix { get: 1, read_many: 2, clear: 1, ..Mix::default() };
        let drawn: Vec<Drawn> = (0..mix.total()).map(|point| mix.draw(point)).collect();
        let many = Drawn::Many;
        assert_eq!(drawn, [Drawn::One(Kind::Get), many(Many::Read), many(Many::Read), many(Many::Clear)]);
    }
}
