//! Whether the embedded server answers as a real one does: the same commands to both, and replies compared byte by byte.
//!
//! Without a redis-server in `PATH` it is skipped, unless `CI` is set. `SQUALL_DIFFERENTIAL_CASES` sets the number of cases of up to
//! 800 commands each. What a comparison leaves open is said at the templates and at `Modulo`.

#![expect(clippy::print_stderr, reason = "a test says what it skipped and how much it compared")]

mod draw;
mod embedded;
mod fixed;
mod frame;
mod real;
mod templates;

use std::cell::Cell;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use draw::{Command, Drawn};
use embedded::Embedded;
use frame::Frame;
use real::Real;

/// The most commands of a case.
const COMMANDS: usize = 800;

/// Cuts whole frames off the bytes; whether the last is what `RESET` gives.
fn cut_all(bytes: &mut Vec<u8>, frames: &mut Vec<Frame>) -> bool {
    let mut rest = &bytes[..];
    while let Some((frame, after)) = Frame::cut(rest) {
        frames.push(frame);
        rest = after;
    }
    let left = rest.len();
    bytes.drain(..bytes.len() - left);
    frames.last() == Some(&Frame::Line(b'+', b"RESET".to_vec()))
}

/// Words as a command without anything left open.
fn plain(text: &str) -> Command {
    let words = text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    Command { words, modulo: frame::Modulo::Exact }
}

/// The real server's clock, in microseconds since 1970.
fn time(stream: &mut std::os::unix::net::UnixStream) -> u64 {
    let frames = real::exchange(stream, b"TIME\r\nRESET\r\n");
    let Some(Frame::List(_, parts)) = frames.first() else { panic!("no time: {frames:?}") };
    let number = |part: &Frame| match part {
        Frame::Text(_, digits) => String::from_utf8_lossy(digits).parse::<u64>().expect("a number"),
        other => panic!("no number: {other:?}"),
    };
    number(&parts[0]) * 1_000_000 + number(&parts[1])
}

/// Sends a case to both; where they differ, if they do.
fn compare(real: &Real, embedded: &Embedded, drawn: &[Drawn], resp3: bool) -> Result<(), String> {
    let mut stream = real.connect();
    embedded.set_time(time(&mut stream));
    let begin = ["FLUSHALL", "SCRIPT FLUSH", if resp3 { "HELLO 3" } else { "HELLO 2" }];
    let mut commands: Vec<Command> = begin.map(plain).into();
    commands.extend(drawn.iter().map(Drawn::command));
    commands.extend(["DISCARD", "SELECT 0"].map(plain));
    // A scan makes Redis forget what has expired, so that it is not counted.
    commands.push(Command { modulo: frame::Modulo::ScanOrder(1), ..plain("SCAN 0 COUNT 10000") });
    commands.extend(["DBSIZE", "RESET"].map(plain));
    let mut sent = Vec::new();
    commands.iter().for_each(|command| command.encode(&mut sent));
    let (theirs, ours) = (real::exchange(&mut stream, &sent), embedded.exchange(&sent));
    let exact_errors = real.has_our_texts();
    let mut queued = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let (Some(ours), Some(theirs)) = (ours.get(index), theirs.get(index)) else {
            return Err(format!("{}: {} replies, not {}", command.shown(), ours.len(), theirs.len()));
        };
        let is_same = match &command.words[0][..] {
            // It tells its own id and version.
            b"HELLO" => true,
            b"EXEC" => {
                let modulos = std::mem::take(&mut queued);
                frame::same_transaction(ours, theirs, &modulos, exact_errors)
            }
            _ => frame::same(ours, theirs, command.modulo, exact_errors),
        };
        if ours.is_queued() {
            queued.push(command.modulo);
        } else if command.words[0] == b"DISCARD" {
            queued.clear();
        }
        if !is_same {
            return Err(format!("{}\n  ours:   {ours:?}\n  theirs: {theirs:?}", command.shown()));
        }
    }
    if ours.len() == theirs.len() { Ok(()) } else { Err("more replies than commands".to_owned()) }
}

#[test]
fn drawn_commands_are_answered_as_redis_answers_them() {
    let Some(real) = Real::start() else { return };
    let embedded = Embedded::start(&real.version);
    let cases = std::env::var("SQUALL_DIFFERENTIAL_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config { failure_persistence: None, cases: cases.unwrap_or(300), ..Config::default() };
    let compared = Cell::new(0);
    let strategy = (draw::commands(COMMANDS), proptest::bool::ANY);
    let run = TestRunner::new(config).run(&strategy, |(drawn, resp3)| {
        compared.set(compared.get() + drawn.len());
        compare(&real, &embedded, &drawn, resp3).map_err(TestCaseError::fail)
    });
    eprintln!("compared {} commands with redis-server {}", compared.get(), real.version);
    if let Err(proptest::test_runner::TestError::Fail(why, (drawn, resp3))) = &run {
        let shown: Vec<_> = drawn.iter().map(|drawn| drawn.command().shown()).collect();
        panic!("RESP{}: {why}\nafter\n{}", if *resp3 { 3 } else { 2 }, shown.join("\n"));
    }
    run.expect("nothing else goes wrong");
}
