//! `CLIENT` and its subcommands.

use super::super::call::{Call, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::number::parse_int;
use super::super::reply::Reply;
use super::super::session::{Ending, Replies, Session};

const PLAIN: u32 = flag::CONNECTION | flag::NO_SCRIPT;
const ADMIN: u32 = PLAIN | flag::ADMIN | flag::DANGEROUS;

pub(crate) const COMMANDS: &[Command] = &[
    row("client", -2, PLAIN | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("client|getname", 2, PLAIN, Keys::None, getname),
    row("client|id", 2, PLAIN, Keys::None, id),
    row("client|info", 2, PLAIN, Keys::None, info),
    row("client|kill", -3, ADMIN, Keys::None, kill),
    row("client|list", -2, ADMIN, Keys::None, list),
    row("client|no-evict", 3, ADMIN, Keys::None, no_evict),
    row("client|no-touch", 3, PLAIN, Keys::None, no_touch),
    row("client|reply", 3, PLAIN, Keys::None, reply),
    row("client|setinfo", 4, PLAIN, Keys::None, setinfo),
    row("client|setname", 3, PLAIN, Keys::None, setname),
    row("client|unpause", 2, ADMIN, Keys::None, |_| Ok(Reply::OK)),
];

fn id(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::Int(i64::try_from(call.session.id).unwrap_or(i64::MAX)))
}

fn getname(call: &mut Call<'_>) -> Outcome {
    let name = &call.session.name;
    Ok(Reply::maybe((!name.is_empty()).then_some(&name[..])))
}

fn setname(call: &mut Call<'_>) -> Outcome {
    call.session.name = clean(call.argv[2], "Client names")?;
    Ok(Reply::OK)
}

fn setinfo(call: &mut Call<'_>) -> Outcome {
    let word = call.word(2);
    let value = |what: &str| clean(call.argv[3], what);
    match &word[..] {
        "LIB-NAME" => call.session.library = value("lib-name")?,
        "LIB-VER" => call.session.library_version = value("lib-ver")?,
        _ => {
            let option = String::from_utf8_lossy(call.argv[2]);
            return Err(format!("ERR Unrecognized option '{option}'").into());
        }
    }
    Ok(Reply::OK)
}

/// A name without spaces, as `CLIENT LIST` needs it.
pub(super) fn clean(name: &[u8], what: &str) -> Result<Vec<u8>, Refusal> {
    if name.iter().all(u8::is_ascii_graphic) {
        Ok(name.to_vec())
    } else {
        Err(format!("ERR {what} cannot contain spaces, newlines or special characters.").into())
    }
}

fn reply(call: &mut Call<'_>) -> Outcome {
    let silent = Ok(Reply::Several(Vec::new()));
    match &call.word(2)[..] {
        "ON" => {
            call.session.replies = Replies::On;
            Ok(Reply::OK)
        }
        "OFF" => {
            call.session.replies = Replies::Off;
            silent
        }
        "SKIP" => {
            if call.session.replies == Replies::On {
                call.session.replies = Replies::SkipNext;
            }
            silent
        }
        _ => Err(SYNTAX.into()),
    }
}

fn on_off(call: &Call<'_>) -> Result<bool, Refusal> {
    match &call.word(2)[..] {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        _ => Err(SYNTAX.into()),
    }
}

fn no_evict(call: &mut Call<'_>) -> Outcome {
    call.session.no_evict = on_off(call)?;
    Ok(Reply::OK)
}

fn no_touch(call: &mut Call<'_>) -> Outcome {
    call.session.no_touch = on_off(call)?;
    Ok(Reply::OK)
}

fn info(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::Verbatim(line(call.session, call.now)))
}

fn list(call: &mut Call<'_>) -> Outcome {
    let mut ids = None;
    match call.argv.len() {
        2 => {}
        4.. if call.is(2, "TYPE") && call.argv.len() == 4 => {
            if !["NORMAL", "MASTER", "REPLICA", "SLAVE", "PUBSUB"].contains(&&call.word(3)[..]) {
                let name = String::from_utf8_lossy(call.argv[3]);
                return Err(format!("ERR Unknown client type '{name}'").into());
            }
        }
        4.. if call.is(2, "ID") => {
            let read = |text: &&[u8]| parse_int(text).filter(|id| *id > 0).ok_or("ERR Invalid client ID");
            ids = Some(call.rest(3).iter().map(read).collect::<Result<Vec<_>, _>>()?);
        }
        _ => return Err(SYNTAX.into()),
    }
    let (of_type, now) = (if call.is(2, "TYPE") { call.word(3) } else { String::new() }, call.now);
    let chosen = |session: &Session| {
        let pubsub = session.subscriptions() > 0;
        let typed = match &of_type[..] {
            "" => true,
            "NORMAL" => !pubsub,
            "PUBSUB" => pubsub,
            _ => false,
        };
        typed && ids.as_ref().is_none_or(|ids| ids.contains(&i64::try_from(session.id).unwrap_or(0)))
    };
    let mut lines: Vec<(u64, String)> = call
        .state
        .sessions()
        .map(|session| &*session)
        .chain([&*call.session])
        .filter(|session| chosen(session))
        .map(|session| (session.id, line(session, now)))
        .collect();
    lines.sort();
    Ok(Reply::Verbatim(lines.into_iter().map(|(_, line)| line).collect()))
}

fn line(session: &Session, now: u64) -> String {
    let seconds = |since: u64| now.saturating_sub(since) / 1_000_000;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let queued = session.queue.as_ref().map_or(-1, |queue| i64::try_from(queue.commands.len()).unwrap_or(0));
    format!(
        "id={} addr=memory:{} laddr=memory:0 fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub=0 multi={} \
         qbuf=0 qbuf-free=0 argv-mem=0 multi-mem={} rbs=0 rbp=0 obl=0 oll=0 omem={} tot-mem=0 events=r cmd={} user={} \
         redir=-1 resp={} lib-name={} lib-ver={}\n",
        session.id,
        session.id,
        session.slot + 8,
        text(&session.name),
        seconds(session.since),
        seconds(session.last_active),
        if session.subscriptions() > 0 { "P" } else { "N" },
        session.db,
        session.channels.len(),
        session.patterns.len(),
        queued,
        session.queue.as_ref().map_or(0, |queue| queue.bytes),
        session.output.len(),
        session.last_command,
        text(&session.user),
        if session.resp3 { 3 } else { 2 },
        text(&session.library),
        text(&session.library_version),
    )
}

/// Which sessions `CLIENT KILL` means.
#[derive(Default)]
struct Chosen {
    id: Option<u64>,
    user: Option<Vec<u8>>,
    pubsub: Option<bool>,
    nobody: bool,
    spare_me: bool,
}

fn chosen(call: &Call<'_>) -> Result<Chosen, Refusal> {
    let mut chosen = Chosen { spare_me: true, ..Chosen::default() };
    let pairs = call.rest(2).chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(SYNTAX.into());
    }
    for (index, pair) in pairs.enumerate() {
        match &call.word(2 + 2 * index)[..] {
            "ID" => {
                let id = parse_int(pair[1]).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
                chosen.id = Some(id.ok_or("ERR client-id should be greater than 0")?);
            }
            "TYPE" => match &call.word(3 + 2 * index)[..] {
                "NORMAL" => chosen.pubsub = Some(false),
                "PUBSUB" => chosen.pubsub = Some(true),
                "MASTER" | "REPLICA" | "SLAVE" => chosen.nobody = true,
                _ => {
                    let name = String::from_utf8_lossy(pair[1]);
                    return Err(format!("ERR Unknown client type '{name}'").into());
                }
            },
            "USER" => {
                if !call.state.users.0.contains_key(pair[1]) {
                    let name = String::from_utf8_lossy(pair[1]);
                    return Err(format!("ERR No such user '{name}'").into());
                }
                chosen.user = Some(pair[1].to_vec());
            }
            "ADDR" | "LADDR" => chosen.nobody = true,
            "SKIPME" => chosen.spare_me = !pair[1].eq_ignore_ascii_case(b"no"),
            _ => return Err(SYNTAX.into()),
        }
    }
    Ok(chosen)
}

fn kill(call: &mut Call<'_>) -> Outcome {
    // Connections have no address here: the old form finds none.
    if call.argv.len() == 3 {
        return Err("ERR No such client".into());
    }
    let chosen = chosen(call)?;
    let meant = |session: &Session| {
        !chosen.nobody
            && chosen.id.is_none_or(|id| id == session.id)
            && chosen.user.as_ref().is_none_or(|user| *user == session.user)
            && chosen.pubsub.is_none_or(|pubsub| pubsub == (session.subscriptions() > 0))
    };
    let mut killed = 0;
    for session in call.state.sessions().filter(|session| meant(session)) {
        session.end(Ending::Now);
        killed += 1;
    }
    if !chosen.spare_me && meant(call.session) {
        call.session.end(Ending::AfterReplies);
        killed += 1;
    }
    Ok(Reply::count(killed))
}

#[cfg(test)]
mod tests {
    use super::super::super::session::Ending;
    use super::super::super::testing::Client;

    #[test]
    fn a_client_is_killed_by_its_id() {
        let mut client = Client::new();
        let other = client.new_session();
        let (id, slot) = (other.id, other.slot);
        client.state.put_back(Box::new(other));
        client.check("CLIENT KILL ID 99", ":0");
        client.check(&format!("CLIENT KILL ID {id}"), ":1");
        assert_eq!(client.state.session(slot).unwrap().ending, Ending::Now);
        client.check("CLIENT KILL foo bar", "-ERR syntax error");
    }

    #[test]
    fn names_have_no_spaces() {
        let mut client = Client::new();
        client.check("CLIENT GETNAME", "nil");
        let refused = "-ERR Client names cannot contain spaces, newlines or special characters.";
        client.check("CLIENT SETNAME a_b", refused);
        client.check("CLIENT SETINFO LIB-NAME me", "+OK");
        client.check("CLIENT foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.");
        let list = super::super::super::testing::shown(&client.run("CLIENT LIST"));
        assert!(list.contains("lib-name=me") && list.starts_with("id=1 "), "{list}");
    }
}
