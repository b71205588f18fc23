//! A small run, by hand, for the tests of every format.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{RunResult, Trouble};
use crate::check::{Expect, Finding, Judgement, Verdict};
use crate::history::{
    BreakerRule, BreakerState, Effect, Entry, Event, FinalRead, Head, History, Left, Mode, Outcome,
    PhaseSpan, Reader, Resync, Rules, SCHEMA, Sample, Saw, ServedBy, SessionId, ValueSeen, Wire, Write,
};
use crate::load::Kind;
use crate::plan::Plan;

const MS: u64 = 1_000_000;

pub(crate) fn history() -> History {
    let head = Head {
        schema: SCHEMA,
        scenario: "resync/redis-killed".to_owned(),
        proves: "A Redis that is killed costs no acknowledged write".to_owned(),
        origin: vec!["chatbot: persistence across failures".to_owned()],
        seed: 7,
        world: "containers".to_owned(),
        world_notes: vec!["redis:7.0.15".to_owned(), "by the bridge address".to_owned()],
        subject: "squall-client 0.1.0".to_owned(),
        key: "session:{session}".to_owned(),
        ignored: Vec::new(),
        instances: 2,
        sessions: 80,
        phases: phases(),
        faults: 1,
        rules: rules(),
        expect: Expect::default(),
        allow: Vec::new(),
        canary: None,
    };
    History { head, entries: entries() }
}

/// A run of two failures, one of them waived, and one check that saw nothing.
pub(crate) fn failed() -> RunResult {
    let history = history();
    let e = &history.entries;
    let witness = vec![e[1].clone(), e[2].clone(), e[3].clone(), e[17].clone()];
    let mut lost = finding("I1", "no lost write", Verdict::Fail);
    lost.says =
        "The write 0-1 to s17 was acknowledged by Redis at 3.003 s. At the end Redis has no such key.".into();
    (lost.judged, lost.broken, lost.witness) = (812, 3, witness);
    let mut unseen = finding("I14", "breaker, live", Verdict::Unknown);
    unseen.says =
        "No instance lost Redis for long enough. An outage of three failed calls would show it.".into();
    let mut waived = finding("I8", "TTL, lower", Verdict::Fail);
    waived.says = "s3 was missing 2 s before its expiry.".into();
    (waived.judged, waived.broken) = (40, 1);
    waived.waived = Some("the server loses everything in this scenario".to_owned());
    let mut held = finding("I2", "integrity", Verdict::Pass);
    held.judged = 1200;
    let findings = vec![lost, held, waived, unseen];
    RunResult::new(&history, &Judgement { findings, verdict: Verdict::Fail })
}

/// A run in which all held.
pub(crate) fn passed() -> RunResult {
    let mut history = history();
    history.head.scenario = "breaker/opens-and-closes".to_owned();
    let mut held = finding("I2", "integrity", Verdict::Pass);
    held.judged = 1200;
    RunResult::new(&history, &Judgement { findings: vec![held], verdict: Verdict::Pass })
}

/// A run that the world cannot carry out.
pub(crate) fn skipped() -> RunResult {
    RunResult::without_history(
        &plan(),
        "containers",
        Trouble::Skipped("Toxiproxy has no drop_reply".to_owned()),
    )
}

/// A run whose world did not start.
pub(crate) fn no_world() -> RunResult {
    let why = "Docker does not answer\n  start it, or run scripts/docker-up".to_owned();
    RunResult::without_history(&plan(), "containers", Trouble::World(why))
}

pub(crate) fn plan() -> Plan {
    Plan {
        scenario: "ragged/cut <&\u{1b}\">".to_owned(),
        proves: "A cut in the middle of a reply harms no other reply".to_owned(),
        origin: Vec::new(),
        seed: 8,
        settings: serde_json::Value::Null,
        disk: false,
        environment: None,
        redis: crate::scenario::Redis::default(),
        instances: 2,
        sessions: 80,
        overlap: false,
        through: crate::load::Through::Sessions,
        phases: phases(),
        strikes: Vec::new(),
        operations: Vec::new(),
        rules: rules(),
        expect: Expect::default(),
        allow: Vec::new(),
        canary: None,
    }
}

fn finding(check: &str, title: &str, verdict: Verdict) -> Finding {
    Finding {
        check: check.to_owned(),
        title: title.to_owned(),
        verdict,
        says: String::new(),
        judged: 0,
        broken: 0,
        witness: Vec::new(),
        waived: None,
    }
}

fn phases() -> Vec<PhaseSpan> {
    let spans = [("setup", 0, 1000), ("steady", 1000, 4000), ("killed", 4000, 8000), ("calm", 8000, 16000)];
    spans.map(|(name, from, to)| PhaseSpan { name: name.to_owned(), from: from * MS, to: to * MS }).into()
}

fn rules() -> Rules {
    let seconds = Duration::from_secs;
    Rules {
        can: BTreeSet::new(),
        resync_within: seconds(5),
        resync_within_if_open: None,
        clock_slack: Duration::from_millis(50),
        ttl_slack: seconds(1),
        response_within: seconds(3),
        open_within: seconds(3),
        close_within: seconds(4),
        shards: 1,
        connections: 4,
        in_flight: 256,
        local_bytes: 1 << 26,
        local_sessions: None,
        breaker: BreakerRule {
            failures: 3,
            failure_rate: 0.5,
            window: seconds(10),
            min_calls: 20,
            cool_down: seconds(1),
            cool_down_max: seconds(2),
            jitter: 0.2,
            probes: 1,
            alone: true,
        },
        retry: None,
        encrypted: false,
    }
}

fn entries() -> Vec<Entry> {
    let (s17, write) = (SessionId(17), Write { instance: 0, number: 1 });
    let asked = |id, op, due| {
        let (write, ttl_ms) = ((op == Kind::Update).then_some(write), None);
        Event::Invoke { id, instance: 0, op, session: s17, write, ttl_ms, due: due * MS }
    };
    let ok = |id, served_by, saw| Event::Return { id, outcome: Outcome::Ok { served_by, saw } };
    let value = ValueSeen { write: Some(write), session: Some(s17), intact: true };
    let breaker = |from, to| Event::Breaker { instance: 0, from, to };
    let effect = Effect { total: true, loses_data: true, ..Effect::default() };
    let killed = |on, asked| {
        let (what, instances) = ("kill".to_owned(), vec![0, 1]);
        Event::Fault { fault: 0, what, instances, on, asked: asked * MS, effect }
    };
    let wire = |what| Event::Wire { instance: 0, connection: 2, what };
    let refused = Outcome::Failed { code: "refused".to_owned(), text: "connection refused".to_owned() };
    let late = Outcome::Unknown { code: "timeout".to_owned(), text: "no answer within 1s".to_owned() };
    let sample = Sample { connections: Some(2), dirty: Some(9), ..Sample::default() };
    let at_end = |reader, found| Event::Final { reader, session: s17, found, plain: None };
    let events = [
        (1000, Event::Phase { name: "steady".to_owned() }),
        (3001, asked(4, Kind::Update, 3000)),
        (3003, ok(4, ServedBy::Redis, Saw::Done)),
        (4012, killed(true, 4000)),
        (4020, wire(Wire::Closed { by: "redis: reset".to_owned() })),
        (4100, asked(6, Kind::Update, 4100)),
        (5100, Event::Return { id: 6, outcome: late }),
        (5101, breaker(BreakerState::Closed, BreakerState::Open)),
        (5101, Event::Mode { instance: 0, to: Mode::Local }),
        (5200, asked(8, Kind::Get, 5200)),
        (5200, ok(8, ServedBy::Local, Saw::Value(Some(value)))),
        (5300, asked(10, Kind::Get, 5300)),
        (5301, Event::Return { id: 10, outcome: refused }),
        (5400, Event::Sample { instance: 0, what: sample }),
        (8012, killed(false, 8000)),
        (8200, breaker(BreakerState::Open, BreakerState::HalfOpen)),
        (8201, breaker(BreakerState::HalfOpen, BreakerState::Closed)),
        (16100, at_end(Reader::Redis, FinalRead::Key(None))),
        (16110, at_end(Reader::Redis, FinalRead::Key(Some(Left::Millis(599_000))))),
        (16120, at_end(Reader::Instance(1), FinalRead::Value(None))),
        (16130, Event::Resync { instance: 0, what: Resync::Finished { sessions: 9 } }),
        (16200, asked(12, Kind::Get, 15900)),
    ];
    events.into_iter().map(|(ms, e)| Entry { t: ms * MS, e }).collect()
}
