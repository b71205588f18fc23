//! Greeting, authenticating, leaving.

use super::super::acl::DEFAULT;
use super::super::call::{Call, NOT_INT, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::parse_int;
use super::super::reply::Reply;
use super::super::session::{Ending, Replies};

const FAST: u32 = flag::CONNECTION | flag::FAST;
const ENTRY: u32 = FAST | flag::NO_AUTH | flag::NO_SCRIPT | flag::ALLOW_BUSY;

pub(crate) const COMMANDS: &[Command] = &[
    row("auth", -2, ENTRY, Keys::None, auth),
    row("echo", 2, FAST, Keys::None, |call| Ok(Reply::bulk(call.argv[1]))),
    row("hello", -1, ENTRY, Keys::None, hello),
    row("ping", -1, FAST, Keys::None, ping),
    row("quit", -1, ENTRY, Keys::None, quit),
    row("reset", 1, ENTRY, Keys::None, reset),
    row("select", 2, FAST, Keys::None, select),
];

const WRONG_PASS: &str = "WRONGPASS invalid username-password pair or user is disabled.";

fn ping(call: &mut Call<'_>) -> Outcome {
    if call.argv.len() > 2 {
        return Err("ERR wrong number of arguments for 'ping' command".into());
    }
    let message = call.argv.get(1).copied();
    if call.session.subscriptions() > 0 && !call.session.resp3 {
        let message = message.unwrap_or_default();
        return Ok(Reply::Array(vec![Reply::bulk(b"pong"), Reply::bulk(message)]));
    }
    Ok(message.map_or(Reply::Status(b"PONG".into()), Reply::bulk))
}

fn auth(call: &mut Call<'_>) -> Outcome {
    let (name, password) = match call.rest(1) {
        [password] => {
            let open = call.state.users.0.get(DEFAULT).is_some_and(|user| user.no_password);
            if open {
                return Err(
                    "ERR AUTH <password> called without any password configured for the default user. Are \
                            you sure your configuration is correct?"
                        .into(),
                );
            }
            (DEFAULT, *password)
        }
        [name, password] => (*name, *password),
        _ => return Err(SYNTAX.into()),
    };
    authenticate(call, name, password)?;
    Ok(Reply::OK)
}

fn authenticate(call: &mut Call<'_>, name: &[u8], password: &[u8]) -> Result<(), Refusal> {
    if !call.state.users.authenticate(name, password) {
        return Err(WRONG_PASS.into());
    }
    call.session.authenticated = true;
    call.session.user = name.to_vec();
    Ok(())
}

fn hello(call: &mut Call<'_>) -> Outcome {
    let mut resp3 = call.session.resp3;
    if let Some(version) = call.argv.get(1) {
        resp3 = match parse_int(version) {
            Some(2) => false,
            Some(3) => true,
            Some(_) => return Err("NOPROTO unsupported protocol version".into()),
            None => return Err("ERR Protocol version is not an integer or out of range".into()),
        };
    }
    let (mut at, mut credentials, mut name) = (2, None, None);
    while at < call.argv.len() {
        match (&call.word(at)[..], call.argv.len() - at - 1) {
            ("AUTH", 2..) => {
                credentials = Some((call.argv[at + 1], call.argv[at + 2]));
                at += 2;
            }
            ("SETNAME", 1..) => {
                name = Some(super::client::clean(call.argv[at + 1], "Client names")?);
                at += 1;
            }
            _ => {
                let option = String::from_utf8_lossy(call.argv[at]);
                return Err(format!("ERR Syntax error in HELLO option '{option}'").into());
            }
        }
        at += 1;
    }
    if let Some((user, password)) = credentials {
        authenticate(call, user, password)?;
    }
    if !call.session.authenticated {
        return Err("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
                    AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
                    version at the same time"
            .into());
    }
    if let Some(name) = name {
        call.session.name = name;
    }
    call.session.resp3 = resp3;
    let text = |text: &str| Reply::bulk(text.as_bytes());
    Ok(Reply::Map(vec![
        (text("server"), text("redis")),
        (text("version"), text(&call.state.version)),
        (text("proto"), Reply::Int(if resp3 { 3 } else { 2 })),
        (text("id"), Reply::Int(i64::try_from(call.session.id).unwrap_or(i64::MAX))),
        (text("mode"), text("standalone")),
        (text("role"), text(if call.state.replica { "replica" } else { "master" })),
        (text("modules"), Reply::Array(Vec::new())),
    ]))
}

fn quit(call: &mut Call<'_>) -> Outcome {
    call.session.end(Ending::AfterReplies);
    Ok(Reply::OK)
}

fn reset(call: &mut Call<'_>) -> Outcome {
    call.state.forget_transaction(call.session);
    call.state.forget_subscriptions(call.session);
    let session = &mut *call.session;
    session.db = 0;
    session.resp3 = false;
    session.name.clear();
    session.replies = Replies::On;
    session.no_evict = false;
    session.no_touch = false;
    session.user = DEFAULT.to_vec();
    session.authenticated = call.state.users.open();
    Ok(Reply::Status(b"RESET".into()))
}

fn select(call: &mut Call<'_>) -> Outcome {
    call.session.db = database(call, 1, NOT_INT)?;
    Ok(Reply::OK)
}

/// The number of a database.
pub(super) fn database(call: &Call<'_>, at: usize, no_number: &'static str) -> Result<usize, Refusal> {
    let number = call.argv.get(at).and_then(|text| parse_int(text)).ok_or(no_number)?;
    let number = usize::try_from(number).ok().filter(|number| *number < call.state.dbs.len());
    number.ok_or_else(|| "ERR DB index is out of range".into())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn without_the_password_nothing_is_done() {
        let mut client = Client::new();
        client.check("CONFIG SET requirepass secret", "+OK");
        let session = client.new_session();
        client.switch(session);
        client.check("GET k", "-NOAUTH Authentication required.");
        client.check("PING", "-NOAUTH Authentication required.");
        client.check("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.");
        client.check("AUTH secret", "+OK");
        client.check("GET k", "nil");
        client.check("RESET", "+RESET");
        client.check("GET k", "-NOAUTH Authentication required.");
    }

    #[test]
    fn hello_switches_the_protocol() {
        let mut client = Client::new();
        assert!(!client.session.resp3);
        client.run("HELLO 3 SETNAME me");
        assert!(client.session.resp3);
        client.check("CLIENT GETNAME", "me");
        client.check("HELLO 4", "-NOPROTO unsupported protocol version");
        client.check("SELECT 16", "-ERR DB index is out of range");
        client.check("SELECT 15", "+OK");
        assert_eq!(client.session.db, 15);
    }
}
