//! The scripts that are known by their SHA-1, and the engine that runs them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::lua::Engine;

/// The most scripts kept; the oldest goes.
const SCRIPTS_MAX: usize = 10_000;
/// The most bytes of scripts kept.
const BYTES_MAX: usize = 64 << 20;

/// The scripts. The engine comes with the first one.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    bodies: BTreeMap<String, Arc<[u8]>>,
    order: VecDeque<String>,
    bytes: usize,
    engine: Option<Engine>,
}

/// The SHA-1 of a script, by which `EVALSHA` calls it.
pub(crate) fn sha1_hex(body: &[u8]) -> String {
    sha1_smol::Sha1::from(body).digest().to_string()
}

impl Scripts {
    /// The script of this SHA-1, in letters of any case.
    pub(crate) fn body(&self, sha: &str) -> Option<&Arc<[u8]>> {
        self.bodies.get(sha)
    }

    pub(crate) fn insert(&mut self, sha: String, body: Arc<[u8]>) {
        self.bytes += body.len();
        if let Some(old) = self.bodies.insert(sha.clone(), body) {
            self.bytes -= old.len();
            return;
        }
        self.order.push_back(sha);
        while self.order.len() > SCRIPTS_MAX || self.bytes > BYTES_MAX && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.bodies.remove(&oldest).map_or(0, |body| body.len());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bodies.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the engine out while it runs; `None` if there is none yet, or one runs.
    pub(crate) fn take_engine(&mut self) -> Option<Engine> {
        self.engine.take()
    }

    pub(crate) fn put_engine(&mut self, engine: Engine) {
        self.engine = Some(engine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_scripts_the_oldest_go() {
        let mut scripts = Scripts::default();
        for number in 0..=SCRIPTS_MAX {
            let body = format!("return {number}");
            scripts.insert(sha1_hex(body.as_bytes()), body.as_bytes().into());
        }
        assert_eq!(scripts.len(), SCRIPTS_MAX);
        assert!(scripts.body(&sha1_hex(b"return 0")).is_none());
        assert_eq!(sha1_hex(b"return 1"), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
