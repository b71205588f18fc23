//! `max_clients`: the server takes no more connections.

use proptest::strategy::{SBoxedStrategy, Strategy as _};
use serde::{Deserialize, Serialize};

use super::{Act, Inject, Problem, ServerAct};

/// While it lasts the server takes so many connections at most. Live ones stay; further ones are told
/// `-ERR max number of clients reached`, and end.
///
/// ```toml
/// faults = [{ inject.max_clients = { clients = 1 } }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxClients {
    /// How many, 1 to 10,000, of all instances together.
    pub clients: u32,
}

impl Inject for MaxClients {
    const EXAMPLE: &'static str = "inject.max_clients = { clients = 1 }";

    fn act(&self) -> Act {
        Act::Server(ServerAct::MaxClients { clients: self.clients })
    }

    fn drawn() -> SBoxedStrategy<Self> {
        (1_u32..10).prop_map(|clients| Self { clients }).sboxed()
    }

    fn problems(&self) -> Vec<Problem> {
        let wrong = !(1..=10_000).contains(&self.clients);
        let what = format!("clients is {}", self.clients);
        let cure = "it must be from 1 to 10000; `refuse` turns all away".to_owned();
        wrong.then_some(Problem { key: "clients", what, cure }).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_takes_none_is_another_fault() {
        assert_eq!(MaxClients { clients: 1 }.problems(), []);
        assert_eq!(MaxClients { clients: 0 }.problems().len(), 1);
    }
}
