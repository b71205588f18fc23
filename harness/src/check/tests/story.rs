//! Histories from a few lines of text, for tests. Times are seconds; a line is one of
//!
//! ```text
//! 1.0-1.1  i0 create s0 0-1 ttl=60 -> redis        write acknowledged (or local, unknown, failed, no-session, never)
//! 2.0-2.1  i0 get s0 -> redis 0-1                   value read (or none, or torn, or another session's: 0-1@s1)
//! 2.0-2.1  i0 ttl s0 -> local left=40               TTL read (or none)
//! 3.0      fault 0 refuse on i0,i1 total            a fault begins (total, loses, spares: what it does) or ends (off)
//! 3.0      fault 1 crash on i0 ends=killed           i0 is gone (or ends=orderly); `off` starts another
//! 4.0      breaker i0 closed open                   from, to
//! 4.0      mode i0 local                            or redis
//! 4.0      wire i0 c1 > GET session:s0              command; also: < value, < error X, opened, closed BY, garbled
//! 5.0      resync i0 started 3                      or finished, interrupted
//! 5.0      sample i0 connections=3 in_flight=1
//! 5.0      phase calm
//! 9.0      final redis s0 left=40                   or forever, none, a value, error; by redis, fresh, i0
//! ```

use std::str::FromStr;
use std::time::Duration;

use crate::check::Expect;
use crate::history::{
    BreakerRule, BreakerState, Capability, Effect, End, Entry, Event, FinalRead, Head, History, Left, Mode,
    Outcome, PhaseSpan, Reader, ReplyKind, Resync, RetryRule, Rules, SCHEMA, Sample, Saw, ServedBy,
    SessionId, ValueSeen, Wire,
};
use crate::load::Kind;

/// The history that `text` tells of: two instances, one session, R = 5 s, e = 50 ms, d = 500 ms.
pub(super) fn history(text: &str) -> History {
    let mut entries = Vec::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut faults = 0;
    for (id, line) in (0..).zip(lines) {
        let (times, rest) = line.split_once(' ').unwrap();
        let (from, to) = times.split_once('-').unwrap_or((times, times));
        let words: Vec<&str> = rest.split_whitespace().collect();
        if words[0] == "fault" && words[3] == "on" {
            faults += 1;
        }
        let mut add = |t: &str, e: Event| entries.push(Entry { t: nanos(t), e });
        match words.iter().position(|word| *word == "->") {
            Some(arrow) => {
                add(from, invoke(id, nanos(from), &words[..arrow]));
                if words[arrow + 1] != "never" {
                    let (session, outcome) = (words[2].parse().unwrap(), &words[arrow + 1..]);
                    let outcome = ending(kind(words[1]), session, outcome);
                    add(to, Event::Return { id, outcome });
                }
            }
            None => add(from, event(nanos(from), &words)),
        }
    }
    entries.sort_by_key(|entry: &Entry| entry.t);
    let first_look = entries.iter().position(|entry| matches!(entry.e, Event::Final { .. }));
    if let Some(place) = first_look {
        let phase = Event::Phase { name: "final".to_owned() };
        entries.insert(place, Entry { t: entries[place].t, e: phase });
    }
    History { head: Head { faults, ..head() }, entries }
}

/// The rules of these histories.
pub(super) fn head() -> Head {
    let phase = |name: &str, from: u64, to: u64| PhaseSpan {
        name: name.to_owned(),
        from: from * 1_000_000_000,
        to: to * 1_000_000_000,
    };
    Head {
        schema: SCHEMA,
        scenario: "test".to_owned(),
        proves: String::new(),
        origin: Vec::new(),
        seed: 1,
        world: "test".to_owned(),
        world_notes: Vec::new(),
        subject: "model".to_owned(),
        key: "session:{session}".to_owned(),
        ignored: Vec::new(),
        instances: 2,
        sessions: 1,
        faults: 0,
        phases: vec![phase("steady", 0, 10), phase("outage", 10, 20), phase("calm", 20, 40)],
        rules: rules(),
        expect: Expect::default(),
        allow: Vec::new(),
        canary: None,
    }
}

fn rules() -> Rules {
    use Capability::{Breaker, Fallback, Resync, Samples, Ttl};
    Rules {
        can: [Fallback, Breaker, Resync, Ttl, Samples].into(),
        resync_within: Duration::from_secs(5),
        resync_within_if_open: None,
        clock_slack: Duration::from_millis(50),
        ttl_slack: Duration::from_millis(500),
        response_within: Duration::from_secs(2),
        open_within: Duration::from_secs(3),
        close_within: Duration::from_secs(4),
        shards: 1,
        connections: 4,
        in_flight: 100,
        local_bytes: 1000,
        local_sessions: None,
        breaker: BreakerRule {
            failures: 3,
            failure_rate: 0.5,
            window: Duration::from_secs(10),
            min_calls: 20,
            cool_down: Duration::from_secs(2),
            cool_down_max: Duration::from_secs(8),
            jitter: 0.2,
            probes: 1,
            alone: true,
        },
        retry: Some(RetryRule {
            retries: 2,
            base: Duration::from_millis(100),
            cap: Duration::from_millis(500),
        }),
        encrypted: false,
    }
}

fn nanos(seconds: &str) -> u64 {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let part: u64 = format!("{part:0<9}").parse().unwrap();
    whole.parse::<u64>().unwrap() * 1_000_000_000 + part
}

fn millis(seconds: &str) -> u64 {
    nanos(seconds) / 1_000_000
}

fn kind(name: &str) -> Kind {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).unwrap()
}

fn number<T: FromStr<Err: std::fmt::Debug>>(word: &str) -> T {
    word.trim_start_matches(['i', 'c']).parse().unwrap()
}

fn setting<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn invoke(id: u64, due: u64, words: &[&str]) -> Event {
    let write = words.get(3).and_then(|word| word.parse().ok());
    Event::Invoke {
        id,
        instance: number(words[0]),
        op: kind(words[1]),
        session: words[2].parse().unwrap(),
        write,
        ttl_ms: setting(words, "ttl").map(millis),
        due,
    }
}

fn ending(kind: Kind, session: SessionId, words: &[&str]) -> Outcome {
    let text = String::new();
    let served_by = match words[0] {
        "redis" => ServedBy::Redis,
        "local" => ServedBy::Local,
        "unknown" => return Outcome::Unknown { code: "timeout".to_owned(), text },
        "failed" => return Outcome::Failed { code: "unavailable".to_owned(), text },
        code => return Outcome::Failed { code: code.to_owned(), text },
    };
    let saw = match kind {
        Kind::Get => Saw::Value(value(words[1], session)),
        Kind::Ttl => Saw::Ttl(setting(words, "left").map(millis)),
        Kind::Create | Kind::Update | Kind::Touch | Kind::Destroy => match words.get(1) {
            Some(&"replicas") => Saw::Replicated,
            _ => Saw::Done,
        },
    };
    Outcome::Ok { served_by, saw }
}

fn value(word: &str, session: SessionId) -> Option<ValueSeen> {
    if word == "none" {
        return None;
    }
    let (write, session) = match word.split_once('@') {
        Some((write, session)) => (write, session.parse().unwrap()),
        None => (word, session),
    };
    let write = write.parse().ok();
    Some(ValueSeen { write, session: Some(session), intact: write.is_some() })
}

fn event(t: u64, words: &[&str]) -> Event {
    match words[0] {
        "fault" => fault(t, words),
        "phase" => Event::Phase { name: words[1].to_owned() },
        "breaker" => {
            Event::Breaker { instance: number(words[1]), from: state(words[2]), to: state(words[3]) }
        }
        "wire" => {
            Event::Wire { instance: number(words[1]), connection: number(words[2]), what: wire(&words[3..]) }
        }
        "mode" => {
            let to = if words[2] == "local" { Mode::Local } else { Mode::Redis };
            Event::Mode { instance: number(words[1]), to }
        }
        "resync" => {
            let sessions = number(words[3]);
            let what = match words[2] {
                "started" => Resync::Started { sessions },
                "finished" => Resync::Finished { sessions },
                _ => Resync::Interrupted { sessions },
            };
            Event::Resync { instance: number(words[1]), what }
        }
        "sample" => {
            let figure = |name| setting(words, name).map(number);
            let what = Sample {
                connections: figure("connections"),
                local_bytes: figure("local_bytes"),
                local_sessions: figure("local_sessions"),
                dirty: figure("dirty"),
                in_flight: figure("in_flight"),
            };
            Event::Sample { instance: number(words[1]), what }
        }
        "final" => look(words),
        other => panic!("what is {other:?}?"),
    }
}

fn fault(t: u64, words: &[&str]) -> Event {
    let effect = Effect {
        total: words.contains(&"total"),
        loses_data: words.contains(&"loses"),
        spares_replicas: words.contains(&"spares-replicas"),
        strikes_commands: words.contains(&"commands"),
        spares_redis: words.contains(&"spares"),
        clock_off_ms: setting(words, "off_ms").map_or(0, number),
        ends_instances: match words.iter().find_map(|word| word.strip_prefix("ends=")) {
            Some("orderly") => Some(End::Orderly),
            Some(_) => Some(End::Killed),
            None => None,
        },
    };
    let on = words[3] == "on";
    let instances = words.get(4).map_or(vec![0, 1], |list| list.split(',').map(number).collect());
    Event::Fault { fault: number(words[1]), what: words[2].to_owned(), instances, on, asked: t, effect }
}

fn state(word: &str) -> BreakerState {
    match word {
        "closed" => BreakerState::Closed,
        "open" => BreakerState::Open,
        _ => BreakerState::HalfOpen,
    }
}

fn wire(words: &[&str]) -> Wire {
    match words[0] {
        "opened" => Wire::Opened,
        "closed" => Wire::Closed { by: words[1..].join(" ") },
        "garbled" => Wire::Garbled { upstream: true },
        ">" => Wire::Command { name: words[1].to_owned(), key: words.get(2).map(|key| (*key).to_owned()) },
        _ if words[1] == "error" => Wire::Reply { kind: ReplyKind::Error(words[2].to_owned()) },
        _ => Wire::Reply { kind: ReplyKind::Value },
    }
}

fn look(words: &[&str]) -> Event {
    let session = words[2].parse().unwrap();
    let (reader, word) = (words[1], words[3]);
    let reader = match reader {
        "redis" => Reader::Redis,
        "fresh" => Reader::Fresh,
        instance => Reader::Instance(number(instance)),
    };
    let found = match (reader, word) {
        (_, "error") => FinalRead::Error { code: "timeout".to_owned(), text: String::new() },
        (Reader::Redis, "none") => FinalRead::Key(None),
        (Reader::Redis, "forever") => FinalRead::Key(Some(Left::Forever)),
        (Reader::Redis, _) => FinalRead::Key(setting(words, "left").map(|left| Left::Millis(millis(left)))),
        (Reader::Fresh | Reader::Instance(_), word) => FinalRead::Value(value(word, session)),
    };
    let plain = match words.last() {
        Some(&"plain") => Some(true),
        Some(&"sealed") => Some(false),
        _ => None,
    };
    Event::Final { reader, session, found, plain }
}
