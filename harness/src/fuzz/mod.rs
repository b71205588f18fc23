//! Fuzzing: draws schedules that nobody would write, and makes the smallest scenario file of one that fails.
//!
//! A [`Case`] is a schedule in full: settings, faults with their windows, and every operation by name. [`Cases`] draws them
//! swarm-style, as a proptest strategy: each draw decides first which kinds of faults and operations exist at all (Groce et al.,
//! "Swarm Testing", ISSTA 2012). [`CaseTree`] shrinks one over all its parts. [`hunt()`] runs them and keeps what it finds.

mod case;
mod caught;
mod draw;
mod found;
mod hunt;
mod kept;
mod plainer;
mod ranges;
mod shrink;
mod tree;

pub use case::{Case, Line, Op};
pub use caught::{Caught, Sought, again, seek};
pub use draw::Cases;
pub use found::{Found, found_text, wrong_text};
pub use hunt::{Examined, Hunter, Span, hunt};
pub use kept::{Kept, KeptError, Notes};
pub use shrink::{MOST_RUNS, Shrunk, shrink};
pub use tree::CaseTree;
