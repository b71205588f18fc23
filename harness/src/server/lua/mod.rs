//! Scripts: a Lua 5.1 that can call commands and reach nothing else.

mod bits;
mod convert;
mod engine;
mod json;
mod limit;
mod natives;
mod running;
#[cfg(test)]
mod tests;

pub(crate) use engine::Engine;
pub(crate) use running::Script;
