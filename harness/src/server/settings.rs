//! What `CONFIG GET` and `CONFIG SET` know.

use std::collections::BTreeMap;

use super::number::parse_int;

/// What happens to keys when memory is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: commands that need memory are refused.
    #[default]
    NoEviction,
    /// The key that was not used for longest goes.
    AllkeysLru,
    /// The same, among keys that expire.
    VolatileLru,
    /// Any key goes.
    AllkeysRandom,
    /// Any key that expires goes.
    VolatileRandom,
    /// The key that expires first goes.
    VolatileTtl,
}

impl Policy {
    /// Every policy with its name. Those by frequency are taken for those by last use.
    const NAMES: [(&'static str, Self); 8] = [
        ("noeviction", Self::NoEviction),
        ("allkeys-lru", Self::AllkeysLru),
        ("volatile-lru", Self::VolatileLru),
        ("allkeys-lfu", Self::AllkeysLru),
        ("volatile-lfu", Self::VolatileLru),
        ("allkeys-random", Self::AllkeysRandom),
        ("volatile-random", Self::VolatileRandom),
        ("volatile-ttl", Self::VolatileTtl),
    ];

    /// The policy of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, policy)| *policy)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, policy)| *policy == self).map_or("noeviction", |(name, _)| name)
    }
}

/// How a parameter's value is read.
#[derive(Clone, Copy)]
enum Form {
    Number,
    Memory,
    YesNo,
    OneOf(&'static [&'static str]),
    Text,
    Fixed,
}

/// Parameters with their form and default. Most are kept and given back, but change nothing here.
const PARAMETERS: &[(&str, Form, &str)] = &[
    ("active-expire-effort", Form::Number, "1"),
    ("appendfsync", Form::OneOf(&["everysec", "always", "no"]), "everysec"),
    ("appendonly", Form::YesNo, "no"),
    ("bind", Form::Text, "* -::*"),
    ("busy-reply-threshold", Form::Number, "5000"),
    (
        "client-output-buffer-limit",
        Form::Text,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    ("databases", Form::Fixed, "16"),
    ("dir", Form::Text, "/data"),
    ("hash-max-listpack-entries", Form::Number, "512"),
    ("hash-max-listpack-value", Form::Memory, "64"),
    ("hz", Form::Number, "10"),
    ("lazyfree-lazy-eviction", Form::YesNo, "no"),
    ("lazyfree-lazy-expire", Form::YesNo, "no"),
    ("lua-time-limit", Form::Number, "5000"),
    ("maxclients", Form::Number, "10000"),
    ("maxmemory", Form::Memory, "0"),
    ("maxmemory-policy", Form::Text, "noeviction"),
    ("maxmemory-samples", Form::Number, "5"),
    ("notify-keyspace-events", Form::Text, ""),
    ("port", Form::Number, "6379"),
    ("proto-max-bulk-len", Form::Memory, "536870912"),
    ("protected-mode", Form::YesNo, "no"),
    ("requirepass", Form::Text, ""),
    ("save", Form::Text, ""),
    ("set-max-intset-entries", Form::Number, "512"),
    ("slowlog-log-slower-than", Form::Number, "10000"),
    ("slowlog-max-len", Form::Number, "128"),
    ("tcp-backlog", Form::Fixed, "511"),
    ("tcp-keepalive", Form::Number, "300"),
    ("timeout", Form::Number, "0"),
    ("zset-max-listpack-entries", Form::Number, "128"),
    ("zset-max-listpack-value", Form::Memory, "64"),
];

/// The parameters with their values; those that matter are also kept as what they mean.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, String>,
    pub(crate) max_memory: usize,
    pub(crate) policy: Policy,
    pub(crate) max_clients: usize,
}

impl Settings {
    /// The defaults.
    pub(crate) fn new() -> Self {
        let values = PARAMETERS.iter().map(|(name, _, value)| (*name, (*value).to_owned())).collect();
        Self { values, max_memory: 0, policy: Policy::NoEviction, max_clients: 10_000 }
    }

    /// Parameters with their values, by name.
    pub(crate) fn all(&self) -> &BTreeMap<&'static str, String> {
        &self.values
    }

    /// What is wrong with a new value, if anything.
    pub(crate) fn problem(name: &str, value: &str) -> Option<String> {
        let Some((_, form, _)) = PARAMETERS.iter().find(|(known, ..)| *known == name) else {
            return Some(format!("Unknown option or number of arguments for CONFIG SET - '{name}'"));
        };
        let why = match form {
            Form::Number if parse_int(value.as_bytes()).is_none() => {
                "argument couldn't be parsed into an integer"
            }
            Form::Memory if memory(value).is_none() => "argument must be a memory value",
            Form::YesNo if !["yes", "no"].contains(&value) => "argument must be 'yes' or 'no'",
            Form::OneOf(names) if !names.contains(&value) => "argument(s) must be one of the following",
            Form::Fixed => "can't set immutable config",
            Form::Text if name == "maxmemory-policy" && Policy::named(value).is_none() => {
                "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, \
                 volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"
            }
            _ => return None,
        };
        Some(format!("CONFIG SET failed (possibly related to argument '{name}') - {why}"))
    }

    /// Takes a value that has no [`problem`](Self::problem).
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let Some((name, form, _)) = PARAMETERS.iter().find(|(known, ..)| *known == name) else { return };
        let kept = match form {
            Form::Memory => memory(value).unwrap_or(0).to_string(),
            _ => value.to_owned(),
        };
        match *name {
            "maxmemory" => self.max_memory = memory(value).unwrap_or(0),
            "maxmemory-policy" => self.policy = Policy::named(value).unwrap_or_default(),
            "maxclients" => self.max_clients = value.parse().unwrap_or(10_000),
            _ => {}
        }
        self.values.insert(name, kept);
    }
}

/// A memory size with an optional unit, as in `100mb`.
fn memory(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|byte: char| byte.is_ascii_alphabetic());
    let unit: usize = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_takes_effect_and_is_given_back() {
        let mut settings = Settings::new();
        assert_eq!(Settings::problem("maxmemory", "2mb"), None);
        settings.set("maxmemory", "2mb");
        settings.set("maxmemory-policy", "volatile-ttl");
        assert_eq!((settings.max_memory, settings.policy), (2 << 20, Policy::VolatileTtl));
        assert_eq!(settings.all()["maxmemory"], "2097152");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for (name, value) in [
            ("maxmemory", "lots"),
            ("appendonly", "maybe"),
            ("maxmemory-policy", "x"),
            ("hz", "x"),
            ("x", "1"),
        ] {
            assert!(Settings::problem(name, value).is_some(), "{name} {value}");
        }
    }

    #[test]
    fn every_policy_is_found_by_its_name() {
        for (name, policy) in Policy::NAMES {
            assert_eq!(Policy::named(name), Some(policy));
        }
        assert_eq!(Policy::named(Policy::VolatileTtl.name()), Some(Policy::VolatileTtl));
    }
}
