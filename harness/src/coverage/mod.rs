//! Coverage: in which situations the operations of a run began, and which situations no run has met yet.
//!
//! A situation is a kind of fault that strikes, the state of the breaker, who serves, and the kind of operation. Which there are
//! is a pure function of a history; those of several runs, and of several machines, are added up.

mod cell;
mod fault_kind;
mod met;
mod reach;
mod total;

pub use cell::Cell;
pub use fault_kind::FaultKind;
pub use met::{Met, Walk, each};
pub use reach::unreachable;
pub use total::Coverage;

use crate::history::{BreakerState, Mode};

/// Every state of a breaker.
pub const STATES: [BreakerState; 3] = [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen];

/// Everyone who may serve.
pub const MODES: [Mode; 2] = [Mode::Redis, Mode::Local];

/// The state's name, as scenarios write it.
pub fn state_name(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half-open",
    }
}

/// The mode's name, as scenarios write it.
pub fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Redis => "redis",
        Mode::Local => "local",
    }
}
