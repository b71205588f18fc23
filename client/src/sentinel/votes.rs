//! How often each server was named as the primary.

use std::collections::BTreeMap;

use crate::address::Host;

/// The votes that were cast.
#[derive(Debug, Default)]
pub(crate) struct Votes(BTreeMap<Host, usize>);

impl Votes {
    /// One more for this server: how many it has now.
    pub(crate) fn cast(&mut self, server: &Host) -> usize {
        let count = self.0.entry(server.clone()).or_default();
        *count += 1;
        *count
    }

    /// The server with the most votes. Where several have as many, each has its turn: the wrong one is found out when it is spoken
    /// to, and must not be tried for ever.
    pub(crate) fn most(&self, turn: usize) -> Option<Host> {
        let most = self.0.values().max()?;
        let first: Vec<&Host> =
            self.0.iter().filter(|(_, count)| *count == most).map(|(server, _)| server).collect();
        first.get(turn % first.len()).map(|server| (*server).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(ports: &[u16]) -> Votes {
        let mut votes = Votes::default();
        for port in ports {
            votes.cast(&server(*port));
        }
        votes
    }

    fn server(port: u16) -> Host {
        ("h".to_owned(), port)
    }

    #[test]
    fn the_server_with_the_most_votes_is_named_at_every_turn() {
        let votes = votes(&[1, 2, 2, 3]);
        for turn in 0..4 {
            assert_eq!(votes.most(turn), Some(server(2)));
        }
    }

    #[test]
    fn servers_with_as_many_votes_have_their_turns() {
        let votes = votes(&[1, 2, 3, 2, 1]);
        let named: Vec<_> = (0..4).map(|turn| votes.most(turn)).collect();
        assert_eq!(named, [1, 2, 1, 2].map(|port| Some(server(port))));
    }

    #[test]
    fn without_a_vote_there_is_none() {
        assert_eq!(Votes::default().most(0), None);
    }
}
