//! `MULTI`, `EXEC` and `WATCH`.

use super::super::call::{Call, Outcome};
use super::super::command::{Command, Keys, flag, row};
use super::super::exec;
use super::super::reply::Reply;
use super::super::session::{Ending, Queue, Watch};

const PLAIN: u32 = flag::TRANSACTION | flag::FAST | flag::NO_SCRIPT | flag::ALLOW_BUSY;

pub(crate) const COMMANDS: &[Command] = &[
    row("discard", 1, PLAIN, Keys::None, discard),
    row("exec", 1, flag::TRANSACTION | flag::NO_SCRIPT, Keys::None, run_all),
    row("multi", 1, PLAIN, Keys::None, multi),
    row("unwatch", 1, PLAIN, Keys::None, unwatch),
    row("watch", -2, PLAIN, Keys::ALL, watch),
];

fn multi(call: &mut Call<'_>) -> Outcome {
    if call.session.queue.is_some() {
        return Err("ERR MULTI calls can not be nested".into());
    }
    call.session.queue = Some(Queue::default());
    Ok(Reply::OK)
}

fn discard(call: &mut Call<'_>) -> Outcome {
    if call.session.queue.is_none() {
        return Err("ERR DISCARD without MULTI".into());
    }
    call.state.forget_transaction(call.session);
    Ok(Reply::OK)
}

fn watch(call: &mut Call<'_>) -> Outcome {
    if call.session.queue.is_some() {
        return Err("ERR WATCH inside MULTI is not allowed".into());
    }
    let db = call.session.db;
    for key in call.rest(1) {
        if call.session.watching.iter().any(|watch| watch.db == db && watch.key == *key) {
            continue;
        }
        let version = call.db().watch(key);
        call.session.watching.push(Watch { db, key: key.to_vec(), version });
    }
    Ok(Reply::OK)
}

fn unwatch(call: &mut Call<'_>) -> Outcome {
    let queue = call.session.queue.take();
    call.state.forget_transaction(call.session);
    call.session.queue = queue;
    Ok(Reply::OK)
}

fn run_all(call: &mut Call<'_>) -> Outcome {
    let Some(queue) = call.session.queue.take() else { return Err("ERR EXEC without MULTI".into()) };
    call.state.purge_all(call.now);
    let changed = |watch: &Watch| call.state.dbs[watch.db].version(&watch.key) != watch.version;
    let changed = call.session.watching.iter().any(changed);
    call.state.forget_transaction(call.session);
    if queue.refused {
        return Err("EXECABORT Transaction discarded because of previous errors.".into());
    }
    if changed {
        return Ok(Reply::NullArray);
    }
    let mut replies = Vec::with_capacity(queue.commands.len());
    for argv in &queue.commands {
        let argv: Vec<&[u8]> = argv.iter().map(|argument| &argument[..]).collect();
        replies.push(exec::exec_queued(call.state, call.session, call.now, &argv));
        if call.session.ending == Ending::Now {
            break;
        }
    }
    Ok(Reply::Array(replies))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn a_transaction_is_done_as_one() {
        let mut client = Client::new();
        client.check("MULTI", "+OK");
        client.check("SET k 1", "+QUEUED");
        client.check("INCR k", "+QUEUED");
        client.check("LPUSH k x", "+QUEUED");
        client.check("EXISTS k", "+QUEUED");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        client.check("EXEC", &format!("[+OK, :2, {wrong}, :1]"));
        client.check("EXEC", "-ERR EXEC without MULTI");
    }

    #[test]
    fn a_refused_command_spoils_the_transaction() {
        let mut client = Client::new();
        client.run("MULTI");
        client.check("GET", "-ERR wrong number of arguments for 'get' command");
        client.check("EXEC", "-EXECABORT Transaction discarded because of previous errors.");
        client.check("DISCARD", "-ERR DISCARD without MULTI");
    }

    #[test]
    fn a_watched_key_that_changed_or_expired_stops_the_transaction() {
        let mut client = Client::new();
        for change in ["SET k 2", "DEL k", "EXPIRE k 100", "FLUSHALL"] {
            client.run("SET k 1");
            client.run("WATCH k");
            let other = client.new_session();
            let own = client.switch(other);
            client.run(change);
            client.switch(own);
            client.run("MULTI");
            client.run("PING");
            client.check("EXEC", "nil");
        }
        client.run("SET k 1 PX 5");
        client.run("WATCH k");
        client.wait_ms(6);
        client.run("MULTI");
        client.check("EXEC", "nil");
        client.run("WATCH k");
        client.run("UNWATCH");
        client.run("SET k 3");
        client.run("MULTI");
        client.check("EXEC", "[]");
    }
}
