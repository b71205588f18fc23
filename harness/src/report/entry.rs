//! Entries of a history as lines that a person can read.

use std::collections::BTreeMap;

use super::escape::one_line;
use crate::history::{
    BreakerState, Entry, Event, FinalRead, Left, Mode, Outcome, Reader, ReplyKind, Resync, Sample, Saw,
    ServedBy, SessionId, Telling, ValueSeen, Wire,
};
use crate::load::Kind;

/// A line for each of `entries`: time in seconds, who, what; the columns aligned.
pub(super) fn lines(entries: &[Entry]) -> Vec<String> {
    let asked: BTreeMap<u64, (u16, Kind, SessionId)> = entries.iter().filter_map(asked).collect();
    let rows: Vec<[String; 3]> = entries
        .iter()
        .map(|entry| {
            let (who, what) = describe(&entry.e, &asked);
            [seconds(entry.t), who, one_line(&what)]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (times, whos) = (width(0), width(1));
    rows.iter().map(|[time, who, what]| format!("{time:>times$}  {who:<whos$}  {what}")).collect()
}

/// `3.201 s`.
pub(super) fn seconds(nanos: u64) -> String {
    format!("{}.{:03} s", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
}

/// The state's name, as scenarios write it.
pub(super) fn state(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half-open",
    }
}

fn asked(entry: &Entry) -> Option<(u64, (u16, Kind, SessionId))> {
    match entry.e {
        Event::Invoke { id, instance, op, session, .. } => Some((id, (instance, op, session))),
        Event::Return { .. }
        | Event::Fault { .. }
        | Event::Phase { .. }
        | Event::Breaker { .. }
        | Event::Mode { .. }
        | Event::Resync { .. }
        | Event::Wire { .. }
        | Event::Sample { .. }
        | Event::Told { .. }
        | Event::Final { .. } => None,
    }
}

/// Who, and what.
fn describe(event: &Event, asked: &BTreeMap<u64, (u16, Kind, SessionId)>) -> (String, String) {
    let named = |instance: &u16| format!("instance-{instance}");
    match event {
        Event::Invoke { instance, op, session, write, ttl_ms, .. } => {
            let write = write.map_or_else(String::new, |write| format!(", writes {write}"));
            let ttl = ttl_ms.map_or_else(String::new, |ttl| format!(", TTL {ttl} ms"));
            (named(instance), format!("{} {session}{write}{ttl}", op.name()))
        }
        Event::Return { id, outcome } => match asked.get(id) {
            Some((instance, op, session)) => {
                (named(instance), format!("{} {session}: {}", op.name(), ended(outcome)))
            }
            None => (String::new(), format!("operation {id}: {}", ended(outcome))),
        },
        Event::Fault { fault, what, instances, on, asked: _, effect: _ } => {
            let verb = if *on { "begins" } else { "ends" };
            let struck = instances.iter().map(named).collect::<Vec<_>>().join(", ");
            (format!("fault {fault}"), format!("{what} {verb} ({struck})"))
        }
        Event::Phase { name } => (String::new(), format!("phase {name} begins")),
        Event::Breaker { instance, from, to } => {
            (named(instance), format!("breaker: {} -> {}", state(*from), state(*to)))
        }
        Event::Mode { instance, to: Mode::Redis } => {
            (named(instance), "served by redis from now on".to_owned())
        }
        Event::Mode { instance, to: Mode::Local } => {
            (named(instance), "served locally from now on".to_owned())
        }
        Event::Resync { instance, what } => (named(instance), resync(*what)),
        Event::Wire { instance, connection, what } => {
            (named(instance), format!("connection {connection}: {}", wire(what)))
        }
        Event::Sample { instance, what } => (named(instance), sample(what)),
        Event::Told { instance, of, phase, answer, asked: _ } => {
            (named(instance), format!("asked for its {of} at the end of {phase}: {}", told(answer)))
        }
        Event::Final { reader, session, found, plain } => {
            let who = match reader {
                Reader::Instance(instance) => named(instance),
                Reader::Fresh => "fresh".to_owned(),
                Reader::Redis => "redis".to_owned(),
            };
            let plain = if *plain == Some(true) { ", its value in plain" } else { "" };
            (who, format!("at the end, {session}: {}{plain}", found_at_end(found)))
        }
    }
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok { served_by, saw } => {
            let by = match served_by {
                ServedBy::Redis => "(redis)",
                ServedBy::Local => "(local)",
            };
            match saw {
                Saw::Done => format!("ok {by}"),
                Saw::Replicated => format!("ok {by}, and replicas have it"),
                Saw::Value(value) => format!("{} {by}", seen(value.as_ref())),
                Saw::Ttl(Some(left)) => format!("{left} ms left {by}"),
                Saw::Ttl(None) => format!("no such session {by}"),
            }
        }
        Outcome::Failed { code, text } => format!("failed, {code}: {text}"),
        Outcome::Unknown { code, text } => format!("unknown, {code}: {text}"),
    }
}

fn seen(value: Option<&ValueSeen>) -> String {
    let Some(ValueSeen { write, session, intact }) = value else { return "no such session".to_owned() };
    let write =
        write.map_or_else(|| "a value of no write".to_owned(), |write| format!("the value of {write}"));
    let session = session.map_or_else(String::new, |session| format!(" for {session}"));
    let damage = if *intact { "" } else { ", damaged" };
    format!("{write}{session}{damage}")
}

fn resync(what: Resync) -> String {
    match what {
        Resync::Started { sessions } => format!("resync starts, {sessions} sessions to bring"),
        Resync::Finished { sessions } => format!("resync finished, {sessions} sessions brought"),
        Resync::Interrupted { sessions } => format!("resync interrupted, {sessions} sessions left"),
    }
}

fn wire(what: &Wire) -> String {
    match what {
        Wire::Opened => "opened".to_owned(),
        Wire::Closed { by } => format!("closed by {by}"),
        Wire::Command { name, key: Some(key) } => format!("-> {name} {key}"),
        Wire::Command { name, key: None } => format!("-> {name}"),
        Wire::Reply { kind } => match kind {
            ReplyKind::Value => "<- a value".to_owned(),
            ReplyKind::Null => "<- null".to_owned(),
            ReplyKind::Error(word) => format!("<- error {word}"),
            ReplyKind::Push => "<- push".to_owned(),
        },
        Wire::Struck { fault, fate } => format!("fault {fault}: {fate}"),
        Wire::Garbled { upstream: true } => "-> bytes that are not RESP".to_owned(),
        Wire::Garbled { upstream: false } => "<- bytes that are not RESP".to_owned(),
    }
}

fn sample(what: &Sample) -> String {
    let Sample { connections, local_bytes, local_sessions, dirty, in_flight } = what;
    let parts = [
        ("connections", connections),
        ("bytes kept", local_bytes),
        ("sessions kept", local_sessions),
        ("to resync", dirty),
        ("in flight", in_flight),
    ];
    let told = parts.iter().filter_map(|(name, value)| value.map(|value| format!("{value} {name}")));
    format!("has {}", told.collect::<Vec<_>>().join(", "))
}

fn told(answer: &Telling) -> String {
    match answer {
        Telling::Ok { text, cut } => {
            let more = if *cut { ", and more" } else { "" };
            format!("{} lines{more}", text.lines().count())
        }
        Telling::Error { code, text } => format!("{code}: {text}"),
    }
}

fn found_at_end(found: &FinalRead) -> String {
    match found {
        FinalRead::Value(value) => seen(value.as_ref()),
        FinalRead::Key(Some(Left::Millis(left))) => format!("the key has {left} ms left"),
        FinalRead::Key(Some(Left::Forever)) => "the key has no TTL".to_owned(),
        FinalRead::Key(None) => "no such key".to_owned(),
        FinalRead::Error { code, text } => format!("{code}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn entries_read_like_a_story() {
        insta::assert_snapshot!(lines(&samples::history().entries).join("\n"), @"
         1.000 s              phase steady begins
         3.001 s  instance-0  update s17, writes 0-1
         3.003 s  instance-0  update s17: ok (redis)
         4.012 s  fault 0     kill begins (instance-0, instance-1)
         4.020 s  instance-0  connection 2: closed by redis: reset
         4.100 s  instance-0  update s17, writes 0-1
         5.100 s  instance-0  update s17: unknown, timeout: no answer within 1s
         5.101 s  instance-0  breaker: closed -> open
         5.101 s  instance-0  served locally from now on
         5.200 s  instance-0  get s17
         5.200 s  instance-0  get s17: the value of 0-1 for s17 (local)
         5.300 s  instance-0  get s17
         5.301 s  instance-0  get s17: failed, refused: connection refused
         5.400 s  instance-0  has 2 connections, 9 to resync
         8.012 s  fault 0     kill ends (instance-0, instance-1)
         8.200 s  instance-0  breaker: open -> half-open
         8.201 s  instance-0  breaker: half-open -> closed
        16.100 s  redis       at the end, s17: no such key
        16.110 s  redis       at the end, s17: the key has 599000 ms left
        16.120 s  instance-1  at the end, s17: no such session
        16.130 s  instance-0  resync finished, 9 sessions brought
        16.200 s  instance-0  get s17
        ");
    }

    #[test]
    fn the_words_of_a_subject_cannot_steer_the_terminal() {
        let outcome =
            Outcome::Unknown { code: "timeout".to_owned(), text: "boo\u{1b}[2J\nsecond line".to_owned() };
        let entry = Entry { t: 1, e: Event::Return { id: 9, outcome } };
        insta::assert_snapshot!(lines(&[entry])[0], @r"0.000 s    operation 9: unknown, timeout: boo\u{1b}[2J second line");
    }
}
