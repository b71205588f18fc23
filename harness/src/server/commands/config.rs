//! `CONFIG`.

use std::collections::BTreeSet;

use squall_client::core::glob;

use super::super::call::{Call, Outcome, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::reply::Reply;
use super::super::settings::Settings;
use super::super::state::Stats;

const ADMIN: u32 = flag::ADMIN | flag::DANGEROUS | flag::NO_SCRIPT;

pub(crate) const COMMANDS: &[Command] = &[
    row("config", -2, ADMIN | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("config|get", -3, ADMIN, Keys::None, get),
    row("config|resetstat", 2, ADMIN, Keys::None, resetstat),
    row("config|rewrite", 2, ADMIN, Keys::None, |_| {
        Err("ERR The server is running without a config file".into())
    }),
    row("config|set", -4, ADMIN, Keys::None, set),
];

fn get(call: &mut Call<'_>) -> Outcome {
    let patterns: Vec<Vec<u8>> = call.rest(2).iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    let asked = |name: &str| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes()));
    let settings = call.state.settings.all().iter().filter(|(name, _)| asked(name));
    let pair =
        |(name, value): (&&str, &String)| (Reply::bulk(name.as_bytes()), Reply::bulk(value.as_bytes()));
    Ok(Reply::Map(settings.map(pair).collect()))
}

fn set(call: &mut Call<'_>) -> Outcome {
    let arguments = call.rest(2);
    if !arguments.len().is_multiple_of(2) {
        return Err("ERR wrong number of arguments for 'config|set' command".into());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs: Vec<(String, String)> =
        arguments.chunks_exact(2).map(|pair| (text(pair[0]).to_ascii_lowercase(), text(pair[1]))).collect();
    let mut seen = BTreeSet::new();
    // All of them, or none.
    for (name, value) in &pairs {
        if let Some(problem) = Settings::problem(name, value) {
            return Err(format!("ERR {problem}").into());
        }
        if !seen.insert(name) {
            return Err(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - duplicate parameter"
            )
            .into());
        }
    }
    for (name, value) in &pairs {
        if name == "requirepass" {
            call.state.require_password(value.as_bytes());
        } else {
            call.state.settings.set(name, value);
        }
    }
    Ok(Reply::OK)
}

fn resetstat(call: &mut Call<'_>) -> Outcome {
    call.state.stats = Stats::default();
    Ok(Reply::OK)
}

#[cfg(test)]
mod tests {
    use super::super::super::script::sha1_hex;
    use super::super::super::testing::Client;

    #[test]
    fn parameters_are_set_together_or_not_at_all() {
        let mut client = Client::new();
        client.check("CONFIG SET hz 20 maxmemory 1mb", "+OK");
        client.check("CONFIG GET maxmemory h?", "{hz: 20, maxmemory: 1048576}");
        let refused = "-ERR Unknown option or number of arguments for CONFIG SET - 'nothing'";
        client.check("CONFIG SET hz 30 nothing 1", refused);
        client.check("CONFIG GET hz", "{hz: 20}");
        client.check("CONFIG GET nothing", "{}");
    }

    #[test]
    fn a_full_server_refuses_what_needs_memory() {
        let mut client = Client::new();
        client.run("SET k v");
        client.run("CONFIG SET maxmemory 1");
        let refused = "-OOM command not allowed when used memory > 'maxmemory'.";
        client.check("SET k w", refused);
        client.check("GET k", "v");
        let sha = sha1_hex(b"redis.call('set',KEYS[1],'x')");
        let blamed = format!("{refused} script: {sha}, on @user_script:1.");
        client.check("EVAL redis.call('set',KEYS[1],'x') 1 k", &blamed);
        client.check("EVAL redis.call('del',KEYS[1])redis.call('set',KEYS[1],'x')return_1 1 k", ":1");
        client.run("CONFIG SET maxmemory-policy allkeys-lru");
        client.check("DBSIZE", ":0");
    }
}
