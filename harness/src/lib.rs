//! Squall finds out what Redis-backed session clients really do when the network resets, stalls or goes away.
//!
//! ```text
//! scenario (TOML) -> plan (timed steps) -> run: world + subject + load -> history -> checks -> report
//!  data               pure, hands out seeds      IO      IO       pure      data      pure      pure
//! ```
//!
//! Imports go one way: `testing` -> `cli` -> `run` -> `report` -> `world`, `subject` -> `plan` -> `scenario` -> `check` -> `coverage` ->
//! `fault`, `load` -> `history`. `fault`, `load`, `check`, `coverage`, `plan`, `report` and `history` name no socket, no runtime and no clock, so a saved
//! history can be judged and reported again without a run.

pub mod check;
pub mod cli;
pub mod conform;
pub mod coverage;
pub mod fault;
pub mod fuzz;
pub mod history;
pub mod link;
pub mod load;
pub mod pattern;
pub mod perform;
pub mod plan;
pub mod recorder;
pub mod report;
pub mod run;
pub mod scenario;
pub mod seed;
pub mod server;
pub mod stop;
pub mod subject;
pub mod suggest;
pub mod suite;
pub mod testing;
pub mod units;
pub mod world;
