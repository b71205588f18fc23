//! The commands, a file a family. Each file holds its rows of the table and the functions that they name.

mod access;
mod bounds;
mod client;
mod config;
mod connection;
mod expiry;
mod hashes;
mod info;
mod introspection;
mod keys;
mod lists;
mod pubsub;
mod scans;
mod scripting;
mod set_command;
mod sets;
mod strings;
mod transactions;
mod zranges;
mod zsets;

use super::command::Command;

/// The rows of every family.
pub(crate) const FAMILIES: &[&[Command]] = &[
    access::COMMANDS,
    client::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    expiry::COMMANDS,
    hashes::COMMANDS,
    info::COMMANDS,
    introspection::COMMANDS,
    keys::COMMANDS,
    lists::COMMANDS,
    pubsub::COMMANDS,
    scans::COMMANDS,
    scripting::COMMANDS,
    set_command::COMMANDS,
    sets::COMMANDS,
    strings::COMMANDS,
    transactions::COMMANDS,
    zranges::COMMANDS,
    zsets::COMMANDS,
];
