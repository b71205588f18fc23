//! The dispatcher: from the words of a command to its reply, by way of everything that can refuse it.

use super::acl::User;
use super::call::{Call, Outcome, Refusal};
use super::command::{self, Command, flag};
use super::evict;
use super::reply::Reply;
use super::session::{Ending, Session};
use super::state::State;

/// What a transaction may gather, in bytes.
const QUEUE_MAX: usize = 512 << 20;

pub(crate) const BUSY: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
pub(crate) const READ_ONLY: &str = "READONLY You can't write against a read only replica.";
pub(crate) const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// Runs one command of a client.
pub(crate) fn exec(state: &mut State, session: &mut Session, now: u64, argv: &[&[u8]]) -> Reply {
    if argv.is_empty() {
        return Reply::Several(Vec::new());
    }
    session.last_active = now;
    state.stats.commands += 1;
    state.stats.pace.count(now);
    let found = find(argv);
    let admitted = found.and_then(|command| {
        session.last_command = command.name;
        admit(state, session, now, command, argv).map(|()| command)
    });
    let outcome = match admitted {
        Ok(command) if queues(session, command) => queue(session, argv),
        Ok(command) => run(state, session, now, command, argv),
        Err(refusal) => {
            if let Some(queue) = &mut session.queue {
                queue.refused = true;
            }
            let exec = argv[0].eq_ignore_ascii_case(b"exec");
            if exec && session.queue.is_some() { Err(abort(state, session, &refusal)) } else { Err(refusal) }
        }
    };
    outcome.unwrap_or_else(|refusal| {
        state.stats.errors += 1;
        refusal.into()
    })
}

/// Runs a command that was admitted.
pub(crate) fn run(
    state: &mut State,
    session: &mut Session,
    now: u64,
    command: &Command,
    argv: &[&[u8]],
) -> Outcome {
    if command.has(flag::ALL_DBS) {
        state.purge_all(now);
    } else {
        state.purge(session.db, now);
    }
    (command.run)(&mut Call { now, state, session, argv })
}

/// Runs a command that a transaction had gathered.
pub(crate) fn exec_queued(state: &mut State, session: &mut Session, now: u64, argv: &[&[u8]]) -> Reply {
    let outcome = find(argv).and_then(|command| {
        permit(state, session, command, argv)?;
        run(state, session, now, command, argv)
    });
    outcome.unwrap_or_else(|refusal| {
        state.stats.errors += 1;
        refusal.into()
    })
}

/// The row of a command, if the number of its arguments is right.
pub(crate) fn find(argv: &[&[u8]]) -> Result<&'static Command, Refusal> {
    let command = command::find(argv[0]).ok_or_else(|| unknown(argv))?;
    let command = match argv.get(1) {
        Some(sub) if command.has(flag::CONTAINER) => {
            command::find_sub(command, sub).ok_or_else(|| unknown_sub(command, sub))?
        }
        _ => command,
    };
    if !command.accepts(argv.len()) {
        return Err(format!("ERR wrong number of arguments for '{}' command", command.name).into());
    }
    Ok(command)
}

/// Whether the session may run this command now.
fn admit(
    state: &mut State,
    session: &Session,
    now: u64,
    command: &Command,
    argv: &[&[u8]],
) -> Result<(), Refusal> {
    if !session.authenticated && !command.has(flag::NO_AUTH) {
        return Err("NOAUTH Authentication required.".into());
    }
    if session.queue.is_some() && command.has(flag::NO_MULTI) {
        return Err("ERR Command not allowed inside a transaction".into());
    }
    permit(state, session, command, argv)?;
    state.full = evict::make_room(state, now).is_err();
    if state.full {
        let in_queue = session.queue.as_ref().is_some_and(|queue| {
            let queued = queue.commands.iter().filter_map(|argv| command::find(&argv[0]));
            match command.name {
                "exec" => queued.into_iter().any(|command| command.has(flag::DENY_OOM)),
                "discard" | "multi" | "watch" | "quit" | "reset" => false,
                _ => true,
            }
        });
        if command.has(flag::DENY_OOM) || in_queue {
            return Err(OUT_OF_MEMORY.into());
        }
    }
    if state.replica && writes(session, command) {
        return Err(READ_ONLY.into());
    }
    if session.subscriptions() > 0 && !session.resp3 {
        let names = ["subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ping", "quit", "reset"];
        if !names.contains(&command.name) {
            return Err(format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
                 in this context",
                command.name
            )
            .into());
        }
    }
    if state.busy && !command.has(flag::ALLOW_BUSY) {
        return Err(BUSY.into());
    }
    Ok(())
}

/// Whether the command changes data, by itself or by what its transaction has gathered.
fn writes(session: &Session, command: &Command) -> bool {
    let is_write = |argv: &Vec<Vec<u8>>| command::find(&argv[0]).is_some_and(|found| found.has(flag::WRITE));
    let gathered = session.queue.iter().flat_map(|queue| &queue.commands);
    command.has(flag::WRITE) || command.name == "exec" && gathered.into_iter().any(is_write)
}

/// Why the ACL forbids a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The command itself.
    Command,
    /// One of its keys.
    Key,
    /// One of its channels.
    Channel,
}

/// Whether the session's user may run this command on these keys.
pub(crate) fn denied(user: Option<&User>, command: &Command, argv: &[&[u8]]) -> Option<Denied> {
    let Some(user) = user else { return Some(Denied::Command) };
    if !user.may_run(command) && !command.has(flag::NO_AUTH) {
        return Some(Denied::Command);
    }
    if !user.may_touch_all() && command.keys.of(argv).iter().any(|key| !user.may_touch(key)) {
        return Some(Denied::Key);
    }
    let (channels, pattern) = match command.name {
        "subscribe" => (&argv[1..], false),
        "psubscribe" => (&argv[1..], true),
        "publish" => (&argv[1..2], false),
        _ => return None,
    };
    let denied = channels.iter().any(|channel| !user.may_use_channel(channel, pattern));
    denied.then_some(Denied::Channel)
}

fn permit(state: &State, session: &Session, command: &Command, argv: &[&[u8]]) -> Result<(), Refusal> {
    let what = match denied(state.users.0.get(&session.user), command, argv) {
        None => return Ok(()),
        Some(Denied::Command) => format!("run the '{}' command", command.name),
        Some(Denied::Key) => "access one of the keys used as arguments".to_owned(),
        Some(Denied::Channel) => "access one of the channels used as arguments".to_owned(),
    };
    Err(format!("NOPERM this user has no permissions to {what}").into())
}

/// Whether the command waits for `EXEC`.
fn queues(session: &Session, command: &Command) -> bool {
    session.queue.is_some()
        && !matches!(command.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

fn queue(session: &mut Session, argv: &[&[u8]]) -> Outcome {
    if let Some(queue) = &mut session.queue {
        queue.bytes += argv.iter().map(|argument| argument.len() + 32).sum::<usize>();
        queue.commands.push(argv.iter().map(|argument| argument.to_vec()).collect());
        if queue.bytes > QUEUE_MAX {
            session.end(Ending::Now);
        }
    }
    Ok(Reply::Status(b"QUEUED".into()))
}

/// `EXEC` was refused: the transaction is over.
fn abort(state: &mut State, session: &mut Session, why: &Refusal) -> Refusal {
    state.forget_transaction(session);
    let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
    text.extend_from_slice(&why.0);
    text.into()
}

/// At most so many bytes of what was sent are quoted.
const QUOTED_MAX: usize = 128;

/// Bytes as an error quotes them: cut, and ending at a zero as text in C does.
fn quotable(bytes: &[u8], most: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(most)];
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn unknown(argv: &[&[u8]]) -> Refusal {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(quotable(argv[0], QUOTED_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut quoted = 0;
    for argument in &argv[1..] {
        if quoted >= QUOTED_MAX {
            break;
        }
        let part = quotable(argument, QUOTED_MAX - quoted);
        text.push(b'\'');
        text.extend_from_slice(part);
        text.extend_from_slice(b"' ");
        quoted += part.len() + 3;
    }
    text.into()
}

fn unknown_sub(command: &Command, sub: &[u8]) -> Refusal {
    let mut text = b"ERR unknown subcommand '".to_vec();
    text.extend_from_slice(quotable(sub, QUOTED_MAX));
    text.extend_from_slice(format!("'. Try {} HELP.", command.name.to_ascii_uppercase()).as_bytes());
    text.into()
}
