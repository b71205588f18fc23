//! Faults: one file a kind, each with its parameters and what it does. Pure: a world carries out the [`Act`].
//!
//! A new kind is one new file and one line in the list below.

mod act;

use std::fmt;
use std::time::Duration;

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use act::{Act, Answer, Bend, Commands, Direction, Matching, ServerAct};
pub use evict::Eviction;

use crate::suggest;

/// What each kind of fault has in common.
pub trait Inject {
    /// A line of a scenario that injects it, for the reference and for tests.
    const EXAMPLE: &'static str;
    /// What it does.
    fn act(&self) -> Act;
    /// When it does it, within a window of that length: all the time, unless it comes and goes.
    fn stretches(&self, lasts: Duration) -> Vec<Stretch> {
        vec![(Duration::ZERO, lasts)]
    }
    /// Parameters that make no sense.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
    /// One of the kind, as fuzzing draws it: parameters that make a difference to runs of some seconds.
    fn drawn() -> SBoxedStrategy<Self>
    where
        Self: Sized;
}

/// From when to when, counted from a fault's start.
pub type Stretch = (Duration, Duration);

/// A parameter that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The parameter.
    pub key: &'static str,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub cure: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $file:ident: $kind:ident,)*) => {
        $(mod $file;)*
        $(pub use $file::$kind;)*

        /// A fault with its parameters.
        ///
        /// In a scenario it is the kind's name alone, `inject = "reset"`, or the name with parameters,
        /// `inject.latency = { delay = "200ms", jitter = "50ms" }`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Fault {
            $($(#[$doc])* $kind($kind),)*
        }

        impl Fault {
            /// Every kind's name in scenarios.
            pub const NAMES: &[&str] = &[$(stringify!($file)),*];
            /// A line of a scenario for every kind, in the order of [`NAMES`](Self::NAMES).
            pub const EXAMPLES: &[&str] = &[$($kind::EXAMPLE),*];

            /// The kind's name in scenarios.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$kind(_) => stringify!($file),)* }
            }

            /// What it does.
            pub fn act(&self) -> Act {
                match self { $(Self::$kind(fault) => fault.act(),)* }
            }

            /// When it does it, within a window of that length. Each stretch is a strike of its own.
            pub fn stretches(&self, lasts: Duration) -> Vec<Stretch> {
                match self { $(Self::$kind(fault) => fault.stretches(lasts),)* }
            }

            /// Parameters that make no sense.
            pub fn problems(&self) -> Vec<Problem> {
                match self { $(Self::$kind(fault) => fault.problems(),)* }
            }

            /// One of each kind, as fuzzing draws it, in the order of [`NAMES`](Self::NAMES).
            pub fn drawn() -> Vec<SBoxedStrategy<Self>> {
                vec![$($kind::drawn().prop_map(Self::$kind).sboxed()),*]
            }

            /// Its parameters, by name.
            pub fn parameters(&self) -> serde_json::Value {
                match self { $(Self::$kind(fault) => serde_json::to_value(fault).unwrap_or_default(),)* }
            }
        }

        /// Which kind, while its parameters are still to be read.
        #[derive(Clone, Copy)]
        enum Named { $($kind,)* }

        impl Named {
            fn find(name: &str) -> Result<Self, String> {
                match name {
                    $(stringify!($file) => Ok(Self::$kind),)*
                    _ => Err(suggest::unknown("fault", name, Fault::NAMES)),
                }
            }
        }

        impl<'de> de::DeserializeSeed<'de> for Named {
            type Value = Fault;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Fault, D::Error> {
                match self { $(Self::$kind => $kind::deserialize(deserializer).map(Fault::$kind),)* }
            }
        }
    };
}

kinds! {
    /// Closes the port.
    refuse: Refuse,
    /// Resets connections.
    reset: Reset,
    /// Delays every chunk.
    latency: Latency,
    /// Limits the bandwidth.
    bandwidth: Bandwidth,
    /// Chops bytes into small chunks.
    slicer: Slicer,
    /// Delays the end of connections.
    slow_close: SlowClose,
    /// Ends each connection after some bytes.
    limit_data: LimitData,
    /// Swallows every byte: a black hole.
    timeout: Timeout,
    /// Holds every byte, and delivers it in the end.
    stall: Stall,
    /// New connections are slow to start.
    slow_accept: SlowAccept,
    /// Connections go silent.
    half_open: HalfOpen,
    /// Loses replies.
    drop_reply: DropReply,
    /// Breaks replies off.
    partial_reply: PartialReply,
    /// Answers with errors.
    error_reply: ErrorReply,
    /// Changes values.
    corrupt_value: CorruptValue,
    /// Stops the server without ending it.
    pause: Pause,
    /// Ends the server at once.
    kill: Kill,
    /// Restarts the server.
    restart: Restart,
    /// The server ends its connections.
    client_kill: ClientKill,
    /// Removes everything.
    flush: Flush,
    /// Makes memory short.
    evict: Evict,
    /// Limits how many connections there may be.
    max_clients: MaxClients,
    /// A script keeps the server busy.
    slow_script: SlowScript,
    /// Cuts the network.
    unreachable: Unreachable,
    /// Closes the port and opens it in turn.
    flap: Flap,
    /// Sets the server's clock.
    clock_jump: ClockJump,
    /// Asks for another password.
    password_change: PasswordChange,
    /// Demotes the server.
    failover: Failover,
    /// Ends instances and starts others.
    crash: Crash,
}

impl fmt::Display for Fault {
    /// For people: `latency (delay 200ms, jitter 50ms)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let parameters = self.parameters();
        let words: Vec<String> = parameters
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| match value.as_str() {
                Some(text) => format!("{key} {text}"),
                None => format!("{key} {value}"),
            })
            .collect();
        if words.is_empty() { Ok(()) } else { write!(f, " ({})", words.join(", ")) }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.name(), self.parameters())])
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FaultVisitor)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::units::read(deserializer, "the name of a fault", Self::find)
    }
}

struct FaultVisitor;

impl<'de> de::Visitor<'de> for FaultVisitor {
    type Value = Fault;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault, such as inject = \"refuse\" or inject.latency = { delay = \"200ms\" }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Fault, E> {
        let kind = Named::find(name).map_err(E::custom)?;
        let no_parameters = MapDeserializer::new(std::iter::empty::<(&str, &str)>());
        de::DeserializeSeed::deserialize(kind, no_parameters).map_err(|error: ValueError| {
            let examples = Fault::NAMES.iter().zip(Fault::EXAMPLES);
            let example = examples.filter(|(one, _)| **one == name).map(|(_, example)| *example).next();
            E::custom(format!("{name} needs parameters: {error}; write {}", example.unwrap_or_default()))
        })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fault, A::Error> {
        let one = "one fault at a time; add another entry to `faults` for the other";
        let kind: Named = map.next_key()?.ok_or_else(|| {
            de::Error::custom("no fault; expected one such as inject.latency = { delay = \"200ms\" }")
        })?;
        let fault = map.next_value_seed(kind)?;
        match map.next_key::<String>()? {
            None => Ok(fault),
            Some(_) => Err(de::Error::custom(one)),
        }
    }
}

/// What parameters are drawn from.
mod draw {
    use std::ops::Range;
    use std::time::Duration;

    use proptest::strategy::Strategy;

    /// So many milliseconds.
    pub(super) fn ms(range: Range<u64>) -> impl Strategy<Value = Duration> {
        range.prop_map(Duration::from_millis)
    }
}

/// The checks that parameters have in common.
mod range {
    use std::time::Duration;

    use super::Problem;
    use crate::units::{Size, format_duration};

    /// Toxiproxy counts in whole milliseconds.
    pub(super) fn whole_ms(key: &'static str, length: Duration, least: Duration) -> Option<Problem> {
        let most = Duration::from_secs(3600);
        let whole = length.subsec_nanos().is_multiple_of(1_000_000);
        (!whole || length < least || length > most).then(|| Problem {
            key,
            what: format!("{key} is {}", format_duration(length)),
            cure: format!("it must be whole milliseconds, from {} to 1h", format_duration(least)),
        })
    }

    pub(super) fn size(key: &'static str, size: Size, least: u64, most: u64) -> Option<Problem> {
        (size.0 < least || size.0 > most).then(|| Problem {
            key,
            what: format!("{key} is {size}"),
            cure: format!("it must be from {} to {}", Size(least), Size(most)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Entry {
        inject: Fault,
    }

    fn parse(text: &str) -> Result<Fault, String> {
        toml::from_str::<Entry>(text).map(|entry| entry.inject).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn every_kind_has_an_example_that_works() {
        for (name, example) in Fault::NAMES.iter().zip(Fault::EXAMPLES) {
            let fault = parse(example).unwrap();
            assert_eq!(fault.name(), *name);
            assert_eq!(fault.problems(), [], "{example}");
            fault.act();
        }
    }

    #[test]
    fn whatever_is_drawn_makes_sense_and_can_be_written_and_read() {
        let strategies = Fault::drawn();
        assert_eq!(strategies.len(), Fault::NAMES.len());
        let mut runner = TestRunner::deterministic();
        for (name, strategy) in Fault::NAMES.iter().zip(strategies) {
            for _ in 0..50 {
                let fault = strategy.new_tree(&mut runner).unwrap().current();
                assert_eq!((fault.name(), fault.problems()), (*name, Vec::new()), "{fault:?}");
                let text = toml::to_string(&std::collections::BTreeMap::from([("inject", &fault)])).unwrap();
                assert_eq!(parse(&text), Ok(fault));
            }
        }
    }

    #[test]
    fn a_fault_says_what_it_is() {
        let fault = parse("inject.latency = { delay = \"200ms\", jitter = \"50ms\" }").unwrap();
        assert_eq!(fault.to_string(), "latency (delay 200ms, jitter 50ms)");
        assert_eq!(parse("inject = \"refuse\"").unwrap().to_string(), "refuse");
        let json = serde_json::to_string(&fault).unwrap();
        assert_eq!(json, r#"{"latency":{"delay":"200ms","jitter":"50ms"}}"#);
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault);
    }

    #[test]
    fn what_is_no_fault_is_refused_with_a_cure() {
        let errors = [
            "inject = \"rest\"",
            "inject = \"latency\"",
            "inject.latency = { dely = \"1ms\" }",
            "inject = {}",
            "inject = { refuse = {}, pause = {} }",
            "inject = 5",
            "inject.refuse = 5",
        ];
        let told: Vec<String> = errors.iter().map(|text| parse(text).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"), @r###"
        unknown fault "rest"; did you mean "reset"?
        latency needs parameters: missing field `delay`; write inject.latency = { delay = "200ms", jitter = "50ms" }
        unknown field `dely`, expected `delay` or `jitter`
        no fault; expected one such as inject.latency = { delay = "200ms" }
        one fault at a time; add another entry to `faults` for the other
        invalid type: integer `5`, expected a fault, such as inject = "refuse" or inject.latency = { delay = "200ms" }
        invalid type: integer `5`, expected struct Refuse
        "###);
    }
}
