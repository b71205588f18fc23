//! Classes of calls: what they do to Redis's data. Thresholds of breakers and retries may differ between them.

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Reads one value.
    Reads,
    /// Changes one.
    Writes,
    /// Everything else: scans, indexes, questions about health.
    Upkeep,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Reads, Self::Writes, Self::Upkeep];

    /// The class of a command, by its name.
    pub fn of(command: &[u8]) -> Self {
        match command {
            b"GET" | b"PTTL" | b"PING" => Self::Reads,
            // Sessions and counters are written by scripts only.
            b"EVALSHA" | b"EVAL" | b"SET" => Self::Writes,
            _ => Self::Upkeep,
        }
    }

    /// Its name in settings, logs and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Upkeep => "upkeep",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_of_the_class_of_what_it_does() {
        assert_eq!(Class::of(b"GET"), Class::Reads);
        assert_eq!(Class::of(b"EVALSHA"), Class::Writes);
        assert_eq!(Class::of(b"SCAN"), Class::Upkeep);
        assert_eq!(Class::of(b""), Class::Upkeep);
    }
}
