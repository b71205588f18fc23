//! What may have made an instance doubt that Redis has all that it was brought: where there was no such thing, what it brings is
//! known.

use super::index::Index;
use super::wire::Command;

/// Errors after which a session is still to be brought, and those that scripts begin with. After others a session may be left for
/// later by a resync that finished.
const TO_BE_TRIED_AGAIN: [&str; 10] = [
    "NOSCRIPT",
    "LOADING",
    "BUSY",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MISCONF",
    "NOREPLICAS",
    "OOM",
];

/// What may have made an instance doubt, by its wire log and its own words.
#[derive(Default)]
pub(super) struct Doubts {
    instance: u16,
    /// When connections were opened, and when they ended.
    opened: Vec<u64>,
    closed: Vec<u64>,
    /// When Redis first refused something for good.
    refused: Option<u64>,
    breaker: Vec<u64>,
}

impl Doubts {
    /// Of this instance.
    pub(super) fn of(index: &Index<'_>, instance: u16) -> Self {
        let mut doubts = Self { instance, ..Self::default() };
        if let Some(wire) = index.wire().get(usize::from(instance)) {
            (doubts.opened, doubts.closed) = (wire.opened.clone(), wire.closed.clone());
            let refused = wire.commands.iter().filter(|command| refused_for_good(command));
            doubts.refused = refused.filter_map(|command| command.over).min();
        }
        doubts.breaker = index.changes(instance).iter().map(|change| change.t).collect();
        doubts
    }

    /// Whether nothing was in doubt from `from` to `to`.
    pub(super) fn none(&self, index: &Index<'_>, from: u64, to: u64) -> bool {
        let struck = index.faults.may_strike(self.instance, from, to);
        let quiet = |times: &[u64]| !any(times, from, to);
        self.same_redis(index, from, to) && !struck && quiet(&self.closed) && quiet(&self.breaker)
    }

    /// Whether Redis surely keeps from `from` to `to` what it has, as far as instances can know, and takes what it is brought.
    pub(super) fn same_redis(&self, index: &Index<'_>, from: u64, to: u64) -> bool {
        let faults = &index.faults;
        // How many keys Redis has evicted before the first fault nobody knows.
        let about_a_fault = faults.start().is_some_and(|start| start <= from);
        let notice = index.resync_within();
        let spares = faults.all.iter().filter(|fault| fault.asked <= to).all(|fault| {
            let over = fault.over().saturating_add(notice) < from;
            !fault.effect.loses_data && (fault.effect.spares_redis || over)
        });
        about_a_fault && spares && self.refused.is_none_or(|refused| refused > to)
    }

    /// Whether no connection was opened or ended from `from` to `to`.
    pub(super) fn same_connections(&self, from: u64, to: u64) -> bool {
        !any(&self.opened, from, to) && !any(&self.closed, from, to)
    }
}

/// Whether Redis refused it for good. `CLIENT` says how a connection calls itself, which old servers do not know, and nothing of
/// what Redis has.
fn refused_for_good(command: &Command) -> bool {
    let for_good = |word: &str| !TO_BE_TRIED_AGAIN.contains(&word);
    command.error.as_deref().is_some_and(for_good) && &*command.name != "CLIENT"
}

/// Whether one of these times, which are in order, lies from `from` to `to`.
fn any(times: &[u64], from: u64, to: u64) -> bool {
    times.get(times.partition_point(|t| *t < from)).is_some_and(|t| *t <= to)
}
