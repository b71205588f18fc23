//! The commands, a file a family. Each file holds its rows of the table and the functions that they name.

mod client;
mod config;
mod connection;
mod expiry;
mod info;
mod keys;
mod scripting;
mod set_command;
mod strings;

use super::command::Command;

/// The rows of every family.
pub(crate) const FAMILIES: &[&[Command]] = &[
    client::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    expiry::COMMANDS,
    info::COMMANDS,
    keys::COMMANDS,
    scripting::COMMANDS,
    set_command::COMMANDS,
    strings::COMMANDS,
];
