//! What is meant to bend a proxy, and what Toxiproxy says does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::{Direction, Toxic};

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

/// The toxics that a strike puts on a proxy. Their names carry the strike's number, so that strikes do not meet.
pub(super) fn meant_by(strike: u32, toxics: &[Toxic], direction: Direction, probability: f64) -> Vec<Meant> {
    let streams: &[&str] = match direction {
        Direction::Upstream => &["upstream"],
        Direction::Downstream => &["downstream"],
        Direction::Both => &["upstream", "downstream"],
    };
    let pairs = toxics.iter().flat_map(|toxic| streams.iter().map(move |stream| (toxic, *stream)));
    pairs
        .map(|(toxic, stream)| Meant {
            name: format!("strike-{strike}-{}-{stream}", toxic.kind),
            kind: toxic.kind.to_owned(),
            stream: stream.to_owned(),
            toxicity: probability,
            attributes: toxic.attributes.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        })
        .collect()
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
        let toxic = Toxic { kind: "latency", attributes: vec![("latency", delay)] };
        meant_by(3, &[toxic], Direction::Downstream, 0.3)
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
