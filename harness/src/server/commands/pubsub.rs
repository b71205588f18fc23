//! Publishing and subscribing.

use squall_client::core::glob;

use super::super::call::{Call, Outcome, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::reply::Reply;
use super::super::session::Session;
use super::super::state::{State, remove_listener};

const PUBSUB: u32 = flag::PUBSUB;
const LISTEN: u32 = PUBSUB | flag::NO_SCRIPT;

pub(crate) const COMMANDS: &[Command] = &[
    row("psubscribe", -2, LISTEN, Keys::None, |call| subscribe(call, true)),
    row("publish", 3, PUBSUB | flag::FAST, Keys::None, publish),
    row("pubsub", -2, PUBSUB | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("pubsub|channels", -2, PUBSUB, Keys::None, channels),
    row("pubsub|numpat", 2, PUBSUB, Keys::None, |call| Ok(Reply::count(call.state.patterns.len()))),
    row("pubsub|numsub", -2, PUBSUB, Keys::None, numsub),
    row("punsubscribe", -1, LISTEN, Keys::None, |call| unsubscribe(call, true)),
    row("subscribe", -2, LISTEN, Keys::None, |call| subscribe(call, false)),
    row("unsubscribe", -1, LISTEN, Keys::None, |call| unsubscribe(call, false)),
];

fn publish(call: &mut Call<'_>) -> Outcome {
    let receivers = call.state.publish(call.session, call.argv[1], call.argv[2]);
    Ok(Reply::count(receivers))
}

fn confirm(what: &str, name: Option<&[u8]>, session: &Session) -> Reply {
    let subscriptions = Reply::count(session.subscriptions());
    Reply::Push(vec![Reply::bulk(what.as_bytes()), Reply::maybe(name), subscriptions])
}

fn subscribe(call: &mut Call<'_>, to_pattern: bool) -> Outcome {
    let mut replies = Vec::new();
    for name in call.rest(1) {
        let (State { channels, patterns, .. }, session) = (&mut *call.state, &mut *call.session);
        let (listeners, own, what) = if to_pattern {
            (patterns, &mut session.patterns, "psubscribe")
        } else {
            (channels, &mut session.channels, "subscribe")
        };
        if own.insert(name.to_vec()) {
            listeners.entry(name.to_vec()).or_default().insert(session.slot);
        }
        replies.push(confirm(what, Some(name), session));
    }
    Ok(Reply::Several(replies))
}

fn unsubscribe(call: &mut Call<'_>, from_pattern: bool) -> Outcome {
    let (State { channels, patterns, .. }, session) = (&mut *call.state, &mut *call.session);
    let (listeners, what) = if from_pattern { (patterns, "punsubscribe") } else { (channels, "unsubscribe") };
    let mut names: Vec<Vec<u8>> = call.argv[1..].iter().map(|name| name.to_vec()).collect();
    if names.is_empty() {
        let own = if from_pattern { &session.patterns } else { &session.channels };
        names = own.iter().cloned().collect();
        if names.is_empty() {
            return Ok(confirm(what, None, session));
        }
    }
    let mut replies = Vec::new();
    for name in names {
        let own = if from_pattern { &mut session.patterns } else { &mut session.channels };
        if own.remove(&name) {
            remove_listener(listeners, &name, session.slot);
        }
        replies.push(confirm(what, Some(&name), session));
    }
    Ok(Reply::Several(replies))
}

fn channels(call: &mut Call<'_>) -> Outcome {
    let pattern = call.argv.get(2).copied().unwrap_or(b"*");
    Ok(Reply::bulks(call.state.channels.keys().filter(|name| glob::matches(pattern, name))))
}

fn numsub(call: &mut Call<'_>) -> Outcome {
    let mut replies = Vec::new();
    for name in call.rest(2) {
        let listeners = call.state.channels.get(*name).map_or(0, |slots| slots.len());
        replies.extend([Reply::bulk(name), Reply::count(listeners)]);
    }
    Ok(Reply::Array(replies))
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn a_message_reaches_who_listens() {
        let mut client = Client::new();
        client.check("SUBSCRIBE a b", "[[subscribe, a, :1], [subscribe, b, :2]]");
        client.check("PSUBSCRIBE a*", "[[psubscribe, a*, :3]]");
        let refused = "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                       allowed in this context";
        client.check("GET k", refused);
        client.check("PING", "[pong, ]");
        let other = client.new_session();
        let listening = client.switch(other);
        let slot = listening.slot;
        client.state.put_back(Box::new(listening));
        client.check("PUBLISH a hello", ":2");
        client.check("PUBLISH c hello", ":0");
        client.check("PUBSUB CHANNELS", "[a, b]");
        client.check("PUBSUB NUMSUB a c", "[a, :1, c, :0]");
        client.check("PUBSUB NUMPAT", ":1");
        let output = String::from_utf8(client.state.session(slot).unwrap().output.clone()).unwrap();
        let pushed = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhello\r\n*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$5\r\nhello\r\n";
        assert_eq!(output, pushed);
        client.state.close(slot);
        client.check("PUBLISH a hello", ":0");
    }

    #[test]
    fn unsubscribing_from_nothing_is_answered_too() {
        let mut client = Client::new();
        client.check("UNSUBSCRIBE", "[unsubscribe, nil, :0]");
        client.run("SUBSCRIBE a b");
        client.check("UNSUBSCRIBE a c", "[[unsubscribe, a, :1], [unsubscribe, c, :1]]");
        client.check("UNSUBSCRIBE", "[[unsubscribe, b, :0]]");
    }
}
