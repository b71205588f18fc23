//! Which commands the strikes of a link are to answer otherwise than Redis does.

use std::collections::BTreeMap;

use super::rules::Chance;
use crate::fault::{Answer, Matching};
use crate::history::Wire;

/// A strike that answers commands.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    pub(super) answer: Answer,
    pub(super) matching: Matching,
    /// The share of the commands meant that it hits.
    pub(super) share: f64,
    /// How many commands it has meant so far, hit or not.
    pub(super) met: u32,
}

/// The strikes that answer commands just now, by their numbers.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    pub(super) strikes: &'a mut BTreeMap<u32, Answering>,
    pub(super) chance: Chance,
}

/// What a strike has decided on a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// For the history.
    pub(super) mark: Wire,
    pub(super) answer: Answer,
}

impl Answers<'_> {
    /// Decides on a command. The strike with the lowest number that hits it counts.
    pub(super) fn decide(&mut self, name: &str, key: Option<&str>) -> Option<Decision> {
        let mut decision = None;
        for (number, strike) in self.strikes.iter_mut() {
            if !strike.matching.means(name, key) {
                continue;
            }
            strike.met = strike.met.saturating_add(1);
            let counts = strike.matching.nth.is_none_or(|nth| nth == strike.met);
            if counts && decision.is_none() && self.chance.chooses_command(strike.share, *number, strike.met)
            {
                let mark = Wire::Struck { fault: *number, fate: fate(&strike.answer) };
                decision = Some(Decision { mark, answer: strike.answer.clone() });
            }
        }
        decision
    }
}

fn fate(answer: &Answer) -> String {
    match answer {
        Answer::Drop => "reply dropped".to_owned(),
        Answer::Partial => "reply cut in half".to_owned(),
        Answer::Corrupt => "value corrupted".to_owned(),
        Answer::Error(words) => format!("answered {}", words.split(' ').next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Commands;

    fn hits(matching: Matching, share: f64, commands: &[(&str, Option<&str>)]) -> Vec<bool> {
        let strike = Answering { answer: Answer::Drop, matching, share, met: 0 };
        let mut strikes = BTreeMap::from([(0, strike)]);
        let mut answers = Answers { strikes: &mut strikes, chance: Chance { seed: 1, instance: 0 } };
        commands.iter().map(|(name, key)| answers.decide(name, *key).is_some()).collect()
    }

    #[test]
    fn commands_are_meant_by_name_key_and_number() {
        let commands =
            [("GET", Some("session:a")), ("SET", Some("session:b")), ("GET", None), ("GET", Some("x"))];
        let matching = |command: Option<&str>, key: Option<&str>, nth| Matching {
            command: command.map(|name| Commands(vec![name.to_owned()])),
            key: key.map(str::to_owned),
            nth,
        };
        assert_eq!(hits(matching(None, None, None), 1.0, &commands), [true; 4]);
        assert_eq!(hits(matching(Some("get"), None, None), 1.0, &commands), [true, false, true, true]);
        assert_eq!(hits(matching(None, Some("session:*"), None), 1.0, &commands), [true, true, false, false]);
        assert_eq!(hits(matching(Some("GET"), None, Some(2)), 1.0, &commands), [false, false, true, false]);
    }

    #[test]
    fn a_share_of_the_commands_is_hit() {
        let commands = vec![("GET", None); 1000];
        let hit = hits(Matching::default(), 0.2, &commands).into_iter().filter(|hit| *hit).count();
        assert!((150..250).contains(&hit), "{hit}");
    }
}
