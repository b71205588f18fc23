//! What is meant to bend a proxy, and what Toxiproxy says does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Bend, Direction};

/// Both directions, by Toxiproxy's names.
pub(super) const RESET_STREAMS: [&str; 2] = ["upstream", "downstream"];

/// A toxic that is meant to be on a proxy; also what Toxiproxy's API takes and gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Meant {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) stream: String,
    pub(super) toxicity: f64,
    pub(super) attributes: BTreeMap<String, u64>,
}

/// A proxy as Toxiproxy tells of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Found {
    enabled: bool,
    toxics: Vec<Meant>,
}

/// A bend in Toxiproxy's words: the toxic's kind and its attributes.
fn toxic(bend: Bend) -> (&'static str, Vec<(&'static str, u64)>) {
    let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    match bend {
        Bend::Latency { delay, jitter } => {
            ("latency", vec![("latency", millis(delay)), ("jitter", millis(jitter))])
        }
        // It counts in kilobytes.
        Bend::Bandwidth { rate } => ("bandwidth", vec![("rate", ((rate + 500) / 1000).max(1))]),
        // Without the average size it crashes.
        Bend::Slicer { average_size, size_variation, delay } => {
            let delay = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
            let sizes = [("average_size", average_size), ("size_variation", size_variation)];
            ("slicer", sizes.into_iter().chain([("delay", delay)]).collect())
        }
        Bend::SlowClose { delay } => ("slow_close", vec![("delay", millis(delay))]),
        Bend::LimitData { bytes } => ("limit_data", vec![("bytes", bytes)]),
        // Zero: until the toxic is removed.
        Bend::Drop => ("timeout", vec![("timeout", 0)]),
        // A bandwidth of zero is how it holds bytes without dropping them.
        Bend::Hold => ("bandwidth", vec![("rate", 0)]),
    }
}

/// The toxics that a strike puts on a proxy. Their names carry the strike's number, so that strikes do not meet.
pub(super) fn meant_by(strike: u32, bend: Bend, direction: Direction, probability: f64) -> Vec<Meant> {
    let streams: &[&str] = match direction {
        Direction::Upstream => &["upstream"],
        Direction::Downstream => &["downstream"],
        Direction::Both => &["upstream", "downstream"],
    };
    let (kind, attributes) = toxic(bend);
    let meant = |stream: &&str| Meant {
        name: format!("strike-{strike}-{kind}-{stream}"),
        kind: kind.to_owned(),
        stream: (*stream).to_owned(),
        toxicity: probability,
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
    };
    streams.iter().map(meant).collect()
}

/// The toxic that makes a direction end with RST, and resets with this probability.
pub(super) fn reset_toxic(stream: &str, toxicity: f64) -> Meant {
    Meant {
        name: reset_name(stream),
        kind: "reset_peer".to_owned(),
        stream: stream.to_owned(),
        toxicity,
        attributes: BTreeMap::from([("timeout".to_owned(), 0)]),
    }
}

/// The name of a direction's reset toxic.
pub(super) fn reset_name(stream: &str) -> String {
    format!("reset-{stream}")
}

impl Found {
    /// How the proxy differs from what is meant, if it does.
    pub(super) fn difference(&self, enabled: bool, meant: &[Meant]) -> Option<String> {
        if self.enabled != enabled {
            return Some(format!("enabled is {}, meant was {enabled}", self.enabled));
        }
        let lacks = meant.iter().find(|toxic| !self.toxics.iter().any(|found| same(found, toxic)));
        if let Some(toxic) = lacks {
            let instead = self.toxics.iter().find(|found| found.name == toxic.name);
            return Some(match instead {
                Some(found) => format!("the toxic {} is {found:?}, meant was {toxic:?}", toxic.name),
                None => format!("the toxic {} is not there", toxic.name),
            });
        }
        let extra = self.toxics.iter().find(|found| !meant.iter().any(|toxic| toxic.name == found.name));
        extra.map(|found| format!("there is a toxic {} that nobody meant", found.name))
    }
}

/// Toxiproxy holds toxicity in single precision, and attributes that were not given as zero.
fn same(found: &Meant, meant: &Meant) -> bool {
    let attributes = meant.attributes.iter().all(|(name, value)| found.attributes.get(name) == Some(value));
    let others =
        found.attributes.iter().all(|(name, value)| *value == 0 || meant.attributes.contains_key(name));
    found.name == meant.name
        && found.kind == meant.kind
        && found.stream == meant.stream
        && (found.toxicity - meant.toxicity).abs() < 1e-6
        && attributes
        && others
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(delay: u64) -> Vec<Meant> {
        let bend = Bend::Latency { delay: Duration::from_millis(delay), jitter: Duration::ZERO };
        meant_by(3, bend, Direction::Downstream, 0.3)
    }

    #[test]
    fn every_bend_has_toxiproxys_words() {
        let delay = Duration::from_micros(1500);
        assert_eq!(toxic(Bend::Bandwidth { rate: 64 * 1024 }), ("bandwidth", vec![("rate", 66)]));
        assert_eq!(toxic(Bend::SlowClose { delay }), ("slow_close", vec![("delay", 1)]));
        assert_eq!(
            toxic(Bend::Slicer { average_size: 32, size_variation: 16, delay }),
            ("slicer", vec![("average_size", 32), ("size_variation", 16), ("delay", 1500)])
        );
        assert_eq!(toxic(Bend::Hold), ("bandwidth", vec![("rate", 0)]));
        assert_eq!(toxic(Bend::Drop), ("timeout", vec![("timeout", 0)]));
    }

    #[test]
    fn a_proxy_as_meant_does_not_differ() {
        let mut toxics = latency(200);
        toxics[0].toxicity = f64::from(0.3_f32);
        toxics[0].attributes.insert("jitter".to_owned(), 0);
        assert_eq!(Found { enabled: true, toxics }.difference(true, &latency(200)), None);
    }

    #[test]
    fn every_difference_is_named() {
        let found = |toxics| Found { enabled: true, toxics };
        let told = |found: Found, meant: &[Meant]| found.difference(true, meant).unwrap();
        assert!(found(vec![]).difference(false, &[]).unwrap().contains("enabled is true"));
        assert!(told(found(vec![]), &latency(1)).contains("strike-3-latency-downstream is not there"));
        assert!(told(found(latency(2)), &latency(1)).contains("meant was"));
        assert!(told(found(latency(1)), &[]).contains("nobody meant"));
    }
}
