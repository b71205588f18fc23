//! Which situations no operation can begin in, and why.
//!
//! The reason is the design of the reference client: `client/src/mode.rs` takes "local" from the same event that says that the
//! breaker has left closed, and gives it back only once the breaker is closed and a call has succeeded. So "open" and
//! "half-open" go with "local" alone.
//!
//! No kind of fault keeps a breaker from any state. One that stops nothing (`slow_close`, a short `latency`) does not open a
//! breaker, but it may strike while one is open, since another fault strikes with it or did before. One that ends every
//! connection at once (`refuse`, `kill`) leaves half-open only the time of one attempt to connect; that is short, and not
//! nothing: an operation may begin in it. And whatever strikes, the first operations begin before the client has noticed, so
//! "closed" with "redis" is there as well. What this claims to be reachable the scenarios of `scenarios/coverage` reach;
//! `harness/tests/coverage.rs` holds both sides against what runs really do.

use super::Cell;
use crate::history::{BreakerState, Mode};

/// Why no operation can begin in this situation; `None` if one can.
pub fn unreachable(cell: Cell) -> Option<&'static str> {
    if cell.fault.name() == "crash" {
        return Some(NOBODY_THERE);
    }
    match (cell.breaker, cell.mode) {
        (BreakerState::Open | BreakerState::HalfOpen, Mode::Redis) => Some(NOT_CLOSED),
        (BreakerState::Closed, Mode::Redis | Mode::Local)
        | (BreakerState::Open | BreakerState::HalfOpen, Mode::Local) => None,
    }
}

const NOT_CLOSED: &str =
    "a client that can go on from memory does so from the moment its breaker leaves closed";

const NOBODY_THERE: &str = "nobody is asked while the instance is gone";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_serves_only_while_the_breaker_is_closed() {
        for cell in Cell::all() {
            let closed_or_local = cell.breaker == BreakerState::Closed || cell.mode == Mode::Local;
            let there = cell.fault.name() != "crash";
            assert_eq!(unreachable(cell).is_none(), closed_or_local && there, "{cell}");
        }
    }
}
