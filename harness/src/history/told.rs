//! What an instance tells of itself when the run asks it: as operators would see it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Capability;

/// The most bytes of a text that a history keeps; the rest is left out.
pub const LONGEST_TOLD: usize = 64 * 1024;

/// What an instance is asked to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Its metrics, as they stand.
    Metrics,
    /// The lines that its log got since it was last asked.
    Log,
    /// The answer of its health check.
    Health,
    /// Its settings.
    Settings,
    /// How many sessions it counts, in all and of each user.
    Sessions,
    /// How many sessions went into a backup that it makes when it is asked.
    Backup,
    /// How many sessions came back from the backup that it made last.
    Restore,
    /// What it says to settings that are wrong.
    Refusals,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Metrics,
        Self::Log,
        Self::Health,
        Self::Settings,
        Self::Sessions,
        Self::Backup,
        Self::Restore,
        Self::Refusals,
    ];

    /// Its name, as scenarios and the protocol write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Log => "log",
            Self::Health => "health",
            Self::Settings => "settings",
            Self::Sessions => "sessions",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Refusals => "refusals",
        }
    }

    /// What a subject must be able to do to be asked.
    pub fn capability(self) -> Capability {
        match self {
            Self::Metrics => Capability::Metrics,
            Self::Log => Capability::Log,
            Self::Health => Capability::Health,
            Self::Settings => Capability::Settings,
            Self::Sessions => Capability::Sessions,
            Self::Backup | Self::Restore => Capability::Backup,
            Self::Refusals => Capability::Refusals,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Telling {
    /// It told this.
    Ok {
        /// Whole lines, as they came.
        text: String,
        /// Whether there was more than a history keeps.
        #[serde(default)]
        cut: bool,
    },
    /// It told nothing.
    Error {
        /// The error code, such as `timeout`.
        code: String,
        /// The words.
        text: String,
    },
}

impl Telling {
    /// What was told, cut after the last whole line that fits.
    pub fn of(mut text: String) -> Self {
        let cut = text.len() > LONGEST_TOLD;
        if cut {
            let kept = text.as_bytes()[..LONGEST_TOLD].iter().rposition(|byte| *byte == b'\n');
            text.truncate(kept.map_or(0, |newline| newline + 1));
        }
        Self::Ok { text, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_after_a_whole_line_and_says_so() {
        let line = "ä line\n";
        let Telling::Ok { text, cut } = Telling::of(line.repeat(LONGEST_TOLD)) else { panic!("no text") };
        assert!(cut && text.len() <= LONGEST_TOLD && text.len() + line.len() > LONGEST_TOLD);
        assert!(text.ends_with(line) && text.len().is_multiple_of(line.len()));
        assert_eq!(Telling::of(line.to_owned()), Telling::Ok { text: line.to_owned(), cut: false });
        let endless = Telling::of("ä".repeat(LONGEST_TOLD));
        assert_eq!(endless, Telling::Ok { text: String::new(), cut: true });
    }

    #[test]
    fn a_topic_is_written_as_it_is_named() {
        for topic in Topic::ALL {
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.name());
        }
    }
}
