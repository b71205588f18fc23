//! Scripts: running them, and the cache by SHA-1.

use std::sync::Arc;

use super::super::call::{Call, NOT_INT, Outcome, Refusal, SYNTAX};
use super::super::command::{Command, Keys, flag, row};
use super::super::lua::{Engine, Script};
use super::super::number::parse_int;
use super::super::reply::Reply;
use super::super::script::{Scripts, sha1_hex};

const SCRIPT: u32 = flag::SCRIPTING | flag::NO_SCRIPT;

pub(crate) const COMMANDS: &[Command] = &[
    row("eval", -3, SCRIPT, Keys::Counted(2), |call| eval(call, false)),
    row("eval_ro", -3, SCRIPT | flag::READ, Keys::Counted(2), |call| eval(call, true)),
    row("evalsha", -3, SCRIPT, Keys::Counted(2), |call| evalsha(call, false)),
    row("evalsha_ro", -3, SCRIPT | flag::READ, Keys::Counted(2), |call| evalsha(call, true)),
    row("script", -2, SCRIPT | flag::CONTAINER, Keys::None, |_| Err(SYNTAX.into())),
    row("script|exists", -3, SCRIPT, Keys::None, exists),
    row("script|flush", -2, SCRIPT | flag::WRITE, Keys::None, flush),
    row("script|kill", 2, SCRIPT | flag::ALLOW_BUSY, Keys::None, kill),
    row("script|load", 3, SCRIPT, Keys::None, load),
];

const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";

fn eval(call: &mut Call<'_>, read_only: bool) -> Outcome {
    let count = keys(call)?;
    let sha = sha1_hex(call.argv[1]);
    let body: Arc<[u8]> = match call.state.scripts.body(&sha) {
        Some(body) => Arc::clone(body),
        None => {
            let body: Arc<[u8]> = call.argv[1].into();
            compile(call, &sha, &body)?;
            body
        }
    };
    run(call, sha, body, count, read_only)
}

fn evalsha(call: &mut Call<'_>, read_only: bool) -> Outcome {
    let count = keys(call)?;
    let sha = std::str::from_utf8(call.argv[1]).map_err(|_| NO_SCRIPT)?.to_ascii_lowercase();
    let body = Arc::clone(call.state.scripts.body(&sha).ok_or(NO_SCRIPT)?);
    run(call, sha, body, count, read_only)
}

/// How many keys are passed.
fn keys(call: &Call<'_>) -> Result<usize, Refusal> {
    let count = parse_int(call.argv[2]).ok_or(NOT_INT)?;
    let passed = i64::try_from(call.argv.len() - 3).unwrap_or(i64::MAX);
    if count > passed {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    usize::try_from(count).map_err(|_| "ERR Number of keys can't be negative".into())
}

fn run(call: &mut Call<'_>, sha: String, body: Arc<[u8]>, count: usize, read_only: bool) -> Outcome {
    let owned = |arguments: &[&[u8]]| arguments.iter().map(|argument| argument.to_vec()).collect();
    let (keys, arguments) = call.rest(3).split_at(count);
    let script = Script { sha, body, keys: owned(keys), arguments: owned(arguments), read_only };
    let mut engine = engine(call)?;
    let outcome = engine.run(call, &script);
    call.state.scripts.put_engine(engine);
    outcome
}

/// The engine, to be put back.
fn engine(call: &mut Call<'_>) -> Result<Engine, Refusal> {
    call.state.scripts.take_engine().map_or_else(|| Engine::new(&call.state.version), Ok)
}

/// Finds out whether a script is one, and keeps it.
fn compile(call: &mut Call<'_>, sha: &str, body: &Arc<[u8]>) -> Result<(), Refusal> {
    let mut engine = engine(call)?;
    let compiled = engine.compile(sha, body);
    call.state.scripts.put_engine(engine);
    compiled?;
    call.state.scripts.insert(sha.to_owned(), Arc::clone(body));
    Ok(())
}

fn load(call: &mut Call<'_>) -> Outcome {
    let sha = sha1_hex(call.argv[2]);
    if call.state.scripts.body(&sha).is_none() {
        compile(call, &sha, &call.argv[2].into())?;
    }
    Ok(Reply::Bulk(sha.into_bytes()))
}

fn exists(call: &mut Call<'_>) -> Outcome {
    let known = |sha: &&[u8]| {
        let sha = String::from_utf8_lossy(sha).to_ascii_lowercase();
        Reply::flag(call.state.scripts.body(&sha).is_some())
    };
    Ok(Reply::Array(call.rest(2).iter().map(known).collect()))
}

fn flush(call: &mut Call<'_>) -> Outcome {
    let fine = match call.argv.len() {
        2 => true,
        3 => call.is(2, "SYNC") || call.is(2, "ASYNC"),
        _ => false,
    };
    if !fine {
        return Err("ERR SCRIPT FLUSH only support SYNC|ASYNC option".into());
    }
    call.state.scripts = Scripts::default();
    Ok(Reply::OK)
}

fn kill(call: &mut Call<'_>) -> Outcome {
    if !call.state.busy {
        return Err("NOTBUSY No scripts in execution right now.".into());
    }
    call.state.busy = false;
    Ok(Reply::OK)
}
