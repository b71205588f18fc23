//! `ACL`: users and what they may do.

use super::super::acl::{DEFAULT, User};
use super::super::call::{Call, Outcome, SYNTAX};
use super::super::command::{self, Command, Keys, flag, row};
use super::super::reply::Reply;
use super::super::session::{Ending, Session};

const PLAIN: u32 = flag::NO_SCRIPT;
const ADMIN: u32 = PLAIN | flag::ADMIN | flag::DANGEROUS;

pub(crate) const COMMANDS: &[Command] = &[
    row("acl", -2, PLAIN | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("acl|cat", -2, PLAIN, Keys::None, cat),
    row("acl|deluser", -3, ADMIN, Keys::None, deluser),
    row("acl|getuser", 3, ADMIN, Keys::None, getuser),
    row("acl|list", 2, ADMIN, Keys::None, list),
    row("acl|setuser", -3, ADMIN, Keys::None, setuser),
    row("acl|users", 2, ADMIN, Keys::None, |call| Ok(Reply::bulks(call.state.users.0.keys()))),
    row("acl|whoami", 2, PLAIN, Keys::None, |call| Ok(Reply::bulk(&call.session.user))),
];

fn setuser(call: &mut Call<'_>) -> Outcome {
    let name = call.argv[2];
    let mut user = call.state.users.0.get(name).cloned().unwrap_or_else(User::new);
    // All of the rules, or none.
    for rule in call.rest(3) {
        user.apply(rule).map_err(|why| {
            let mut text = b"ERR Error in ACL SETUSER modifier '".to_vec();
            text.extend_from_slice(rule);
            text.extend_from_slice(format!("': {why}").as_bytes());
            text
        })?;
    }
    call.state.users.0.insert(name.to_vec(), user);
    Ok(Reply::OK)
}

fn deluser(call: &mut Call<'_>) -> Outcome {
    let names = call.rest(2);
    if names.contains(&DEFAULT) {
        return Err("ERR The 'default' user cannot be removed".into());
    }
    let gone: Vec<_> = names.iter().filter(|name| call.state.users.0.remove(**name).is_some()).collect();
    let was = |session: &Session| gone.iter().any(|name| session.user == **name);
    call.state.sessions().filter(|session| was(session)).for_each(|session| session.end(Ending::Now));
    if was(call.session) {
        call.session.end(Ending::AfterReplies);
    }
    Ok(Reply::count(gone.len()))
}

fn getuser(call: &mut Call<'_>) -> Outcome {
    let Some(user) = call.state.users.0.get(call.argv[2]) else { return Ok(Reply::Null) };
    let text = |text: &str| Reply::bulk(text.as_bytes());
    Ok(Reply::Map(vec![
        (text("flags"), Reply::Set(user.flags().into_iter().map(text).collect())),
        (text("passwords"), Reply::bulks(&user.passwords)),
        (text("commands"), text(&user.command_rules())),
        (text("keys"), text(&user.key_rules())),
        (text("channels"), text(&user.channel_rules())),
        (text("selectors"), Reply::Array(Vec::new())),
    ]))
}

fn list(call: &mut Call<'_>) -> Outcome {
    Ok(Reply::bulks(call.state.users.0.iter().map(|(name, user)| user.line(name))))
}

fn cat(call: &mut Call<'_>) -> Outcome {
    match call.rest(2) {
        [] => Ok(Reply::bulks(command::categories())),
        [category] => {
            let name = String::from_utf8_lossy(category).to_ascii_lowercase();
            if !command::is_category(&name) {
                return Err(format!("ERR Unknown category '{}'", String::from_utf8_lossy(category)).into());
            }
            let named = command::TABLE.iter().filter(|command| command.in_category(&name));
            Ok(Reply::bulks(named.map(|command| command.name)))
        }
        _ => Err(SYNTAX.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Client;

    #[test]
    fn a_user_may_do_what_the_rules_say_and_no_more() {
        let mut client = Client::new();
        client.check("ACL SETUSER u on >secret ~session:* +get +set &news", "+OK");
        client.check("AUTH u wrong", "-WRONGPASS invalid username-password pair or user is disabled.");
        client.check("AUTH u secret", "+OK");
        client.check("SET session:1 v", "+OK");
        let key = "-NOPERM this user has no permissions to access one of the keys used as arguments";
        client.check("GET other", key);
        client.check("DEL session:1", "-NOPERM this user has no permissions to run the 'del' command");
        client.check("ACL WHOAMI", "-NOPERM this user has no permissions to run the 'acl|whoami' command");
        client.check("AUTH default x", "+OK");
        client.check("ACL WHOAMI", "default");
        client.check("ACL DELUSER u nobody", ":1");
        client.check("ACL GETUSER u", "nil");
        client.check("ACL DELUSER default", "-ERR The 'default' user cannot be removed");
    }

    #[test]
    fn rules_are_told_as_redis_tells_them() {
        let mut client = Client::new();
        client.run("ACL SETUSER u on >p ~a* +get +set -@all +get");
        let digest = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";
        let user = format!("user u on #{digest} ~a* resetchannels -@all +get");
        client.check("ACL LIST", &format!("[user default on nopass ~* &* +@all, {user}]"));
        client.check("ACL SETUSER u foo", "-ERR Error in ACL SETUSER modifier 'foo': Syntax error");
        client.check("ACL CAT foo", "-ERR Unknown category 'foo'");
        client.check("ACL USERS", "[default, u]");
    }

    #[test]
    fn a_script_may_not_do_more_than_its_user() {
        let mut client = Client::new();
        client.run("ACL SETUSER u on nopass ~a +eval +get");
        client.run("AUTH u x");
        client.check("EVAL return_redis.pcall('get','a') 0", "nil");
        let key = "-ERR The user executing the script can't access at least one of the keys mentioned in the command \
                   arguments";
        client.check("EVAL return_redis.pcall('get','b') 0", key);
        let command = "-ERR The user executing the script can't run this command or subcommand";
        client.check("EVAL return_redis.pcall('set','a','b') 0", command);
    }
}
