//! Long histories that are made up, and true: a store that is right by construction, used by eight instances, with an outage
//! every quarter of a minute that they bridge from memory, and a resync after each. Every check must pass them. They come entry
//! by entry, so that one of any length can be written without being held.

use std::collections::BTreeMap;

use rand::{Rng, RngExt as _};
use squall::history::{
    BreakerState, Effect, Entry, Event, FinalRead, Left, Mode, Outcome, Reader, ReplyKind, Resync, Sample,
    Saw, ServedBy, SessionId, ValueSeen, Wire, Write,
};
use squall::load::Kind;
use squall::seed::fork;

mod head;

pub use head::head;

/// Instances of the run.
pub const INSTANCES: u16 = 8;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

/// From one operation to the next.
const APART: u64 = MILLI / 4;
/// From the invocation to the moment at which the store does it, the command and the reply that bring it about.
const SENT: u64 = 30_000;
const DONE: u64 = 50_000;
const REPLIED: u64 = 80_000;

/// An outage begins so often, and lasts so long.
const OUTAGE_EVERY: u64 = 15 * SECOND;
const OUTAGE: u64 = 5 * SECOND;
/// After the start of an outage: when breakers open, and when they find Redis again.
const OPENS: u64 = 20 * MILLI;
const FOUND: u64 = 6_200 * MILLI;
/// From when to when only its own instance is asked for a session, for the others know nothing of what it accepts.
const ALONE: (u64, u64) = (10 * MILLI, 6_400 * MILLI);

const SAMPLED_EVERY: u64 = 250 * MILLI;

/// How often each kind comes, in hundredths.
const MIX: [(Kind, u32); 6] = [
    (Kind::Get, 70),
    (Kind::Update, 20),
    (Kind::Create, 4),
    (Kind::Touch, 3),
    (Kind::Ttl, 2),
    (Kind::Destroy, 1),
];

/// What is set for a TTL, in milliseconds: some sessions expire before they are touched again.
const TTLS: [u64; 3] = [2_000, 90_000, 600_000];

/// A session in the store.
#[derive(Clone, Copy)]
struct Stored {
    write: Write,
    expires: u64,
}

/// The entries of a made-up history, in order.
pub struct MadeUp<R> {
    random: R,
    operations: u64,
    made: u64,
    store: Vec<Option<Stored>>,
    /// Sessions that were written while Redis was away.
    dirty: Vec<bool>,
    /// What is still to come, in order.
    pending: BTreeMap<(u64, u64), Event>,
    recorded: u64,
    sampled: u64,
    outage: Option<u64>,
    outages: u32,
    finals: bool,
}

/// The entries of a history of so many operations on so many sessions, the first of which create them all.
pub fn entries(operations: u64, sessions: u32) -> MadeUp<impl Rng> {
    MadeUp {
        random: fork(1, "made up"),
        operations: operations.max(u64::from(sessions)),
        made: 0,
        store: vec![None; sessions as usize],
        dirty: vec![false; sessions as usize],
        pending: BTreeMap::new(),
        recorded: 0,
        sampled: 0,
        outage: None,
        outages: 0,
        finals: false,
    }
}

/// When the last operation begins.
pub fn length(operations: u64) -> u64 {
    SECOND + operations * APART
}

/// How many outages there are in so many operations.
pub fn outages(operations: u64) -> u32 {
    // One that began has time to end.
    let last = length(operations).saturating_sub(10 * SECOND) / OUTAGE_EVERY;
    u32::try_from(last).expect("a run of some hours")
}

impl<R: Rng> Iterator for MadeUp<R> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let due = SECOND + self.made * APART;
            let next = self.pending.first_key_value().map(|((t, _), _)| *t);
            if next.is_some_and(|t| t <= due || self.finals) {
                let ((t, _), e) = self.pending.pop_first()?;
                return Some(Entry { t, e });
            }
            match (self.made < self.operations, self.finals) {
                (true, _) => self.step(due),
                (false, false) => self.look(due + 10 * SECOND),
                (false, true) => return None,
            }
        }
    }
}

impl<R: Rng> MadeUp<R> {
    fn record(&mut self, t: u64, event: Event) {
        self.pending.insert((t, self.recorded), event);
        self.recorded += 1;
    }

    fn wire(&mut self, t: u64, instance: u16, what: Wire) {
        self.record(t, Event::Wire { instance, connection: self.outages, what });
    }

    /// A command that Redis answers.
    fn call(&mut self, t: u64, instance: u16, name: &str, key: Option<String>) {
        self.wire(t, instance, Wire::Command { name: name.to_owned(), key });
        self.wire(t + REPLIED - SENT, instance, Wire::Reply { kind: ReplyKind::Value });
    }

    /// The next operation, and what happens before it.
    fn step(&mut self, t: u64) {
        if self.made == 0 {
            self.record(0, Event::Phase { name: "setup".to_owned() });
            (0..INSTANCES).for_each(|instance| self.wire(t, instance, Wire::Opened));
        }
        self.sample(t);
        let begun = u64::from(self.outages + 1) * OUTAGE_EVERY;
        if self.outage.is_none() && t >= begun && self.outages < outages(self.operations) {
            self.begin_outage(t);
        }
        if let Some(begun) = self.outage.filter(|begun| t >= begun + FOUND) {
            self.end_outage(begun, t);
        }
        self.operate(t);
        self.made += 1;
    }

    fn sample(&mut self, t: u64) {
        if t < self.sampled + SAMPLED_EVERY {
            return;
        }
        self.sampled = t;
        for instance in 0..INSTANCES {
            let what =
                Sample { connections: Some(1), in_flight: Some(1), dirty: Some(0), ..Sample::default() };
            self.record(t, Event::Sample { instance, what });
        }
    }

    fn begin_outage(&mut self, t: u64) {
        self.outage = Some(t);
        self.fault(true, t);
        self.fault(false, t + OUTAGE);
        for instance in 0..INSTANCES {
            self.wire(t, instance, Wire::Closed { by: "redis: reset".to_owned() });
            let opens = [t + OPENS, t + OPENS + 2_001 * MILLI, t + OPENS + 4_002 * MILLI];
            let mut from = BreakerState::Closed;
            for t in opens {
                if from == BreakerState::HalfOpen {
                    self.breaker(t - MILLI, instance, BreakerState::Open, from);
                }
                self.breaker(t, instance, from, BreakerState::Open);
                from = BreakerState::HalfOpen;
            }
            self.record(t + OPENS, Event::Mode { instance, to: Mode::Local });
        }
    }

    fn fault(&mut self, on: bool, t: u64) {
        let (what, instances) = ("refuse".to_owned(), (0..INSTANCES).collect());
        let effect = Effect { total: true, ..Effect::default() };
        self.record(t, Event::Fault { fault: self.outages, what, instances, on, asked: t, effect });
    }

    fn breaker(&mut self, t: u64, instance: u16, from: BreakerState, to: BreakerState) {
        self.record(t, Event::Breaker { instance, from, to });
    }

    /// Every instance finds Redis again and brings what it has kept.
    fn end_outage(&mut self, begun: u64, t: u64) {
        self.outages += u32::from(self.outage.take() == Some(begun));
        for instance in 0..INSTANCES {
            self.wire(t, instance, Wire::Opened);
            self.breaker(t, instance, BreakerState::Open, BreakerState::HalfOpen);
            self.wire(t, instance, Wire::Command { name: "PING".to_owned(), key: None });
            self.wire(t + 1, instance, Wire::Reply { kind: ReplyKind::Value });
            self.breaker(t + 2, instance, BreakerState::HalfOpen, BreakerState::Closed);
            self.record(t + 3, Event::Mode { instance, to: Mode::Redis });
            let all = (u32::from(instance)..).step_by(usize::from(INSTANCES));
            let mine: Vec<u32> = all.take_while(|session| (*session as usize) < self.dirty.len()).collect();
            let mine: Vec<u32> = mine
                .into_iter()
                .filter(|session| std::mem::take(&mut self.dirty[*session as usize]))
                .collect();
            let sessions = mine.len() as u64;
            self.record(t + 4, Event::Resync { instance, what: Resync::Started { sessions } });
            for session in mine {
                self.call(t + 5, instance, "EVALSHA", Some(format!("session:s{session}")));
            }
            self.record(t + REPLIED, Event::Resync { instance, what: Resync::Finished { sessions } });
        }
    }

    fn operate(&mut self, t: u64) {
        let sessions = self.store.len() as u64;
        let (session, kind) = if self.made < sessions {
            (u32::try_from(self.made).expect("fewer than all sessions"), Kind::Create)
        } else {
            (self.random.random_range(0..self.store.len() as u32), self.kind())
        };
        let own = u16::try_from(session % u32::from(INSTANCES)).expect("a few instances");
        let phase = t % OUTAGE_EVERY;
        let near_outage = t >= OUTAGE_EVERY - ALONE.0 && (phase >= OUTAGE_EVERY - ALONE.0 || phase < ALONE.1);
        let any = self.random.random_range(0..INSTANCES);
        let instance = if near_outage { own } else { any };
        let id = self.made;
        let write = matches!(kind, Kind::Create | Kind::Update).then_some(Write { instance, number: id });
        let ttl = TTLS[self.random.random_range(0..TTLS.len())];
        let ttl_ms = matches!(kind, Kind::Create | Kind::Touch).then_some(ttl);
        let op = kind;
        let asked = Event::Invoke { id, instance, op, session: SessionId(session), write, ttl_ms, due: t };
        self.record(t, asked);
        let took = self.random.random_range(100_000..900_000);
        let outcome = self.outcome(kind, session, write, ttl_ms, t);
        // The reply to what was done just before an outage is lost.
        let cut = (u64::from(self.outages + 1)) * OUTAGE_EVERY;
        let lost =
            self.outage.is_none() && self.outages < outages(self.operations) && t < cut && t + took > cut;
        let outcome = match lost {
            true => Outcome::Unknown { code: "reset".to_owned(), text: "connection reset".to_owned() },
            false => outcome,
        };
        self.record(t + took, Event::Return { id, outcome });
        if self.outage.is_some() {
            self.dirty[session as usize] |= !matches!(kind, Kind::Get | Kind::Ttl);
        } else {
            let name = match kind {
                Kind::Get => "GET",
                Kind::Ttl => "PTTL",
                Kind::Create | Kind::Update | Kind::Touch | Kind::Destroy => "EVALSHA",
            };
            self.call(t + SENT, instance, name, Some(format!("session:s{session}")));
        }
    }

    fn kind(&mut self) -> Kind {
        let mut point = self.random.random_range(0..100);
        for (kind, weight) in MIX {
            if point < weight {
                return kind;
            }
            point -= weight;
        }
        Kind::Get
    }

    /// What the store makes of an operation.
    fn outcome(
        &mut self,
        kind: Kind,
        session: u32,
        write: Option<Write>,
        ttl_ms: Option<u64>,
        t: u64,
    ) -> Outcome {
        let served_by = if self.outage.is_some() { ServedBy::Local } else { ServedBy::Redis };
        let (place, now) = (session as usize, t + DONE);
        let there = self.store[place].filter(|stored| stored.expires > now);
        let expires = ttl_ms.map(|ms| now + ms * MILLI);
        let (saw, after) = match (kind, there) {
            (Kind::Create, _) => {
                (Saw::Done, write.zip(expires).map(|(write, expires)| Stored { write, expires }))
            }
            (Kind::Destroy, _) => (Saw::Done, None),
            (Kind::Get, there) => (Saw::Value(there.map(|stored| seen(stored, session))), there),
            (Kind::Ttl, there) => (Saw::Ttl(there.map(|stored| (stored.expires - now) / MILLI)), there),
            (Kind::Update | Kind::Touch, Some(stored)) => {
                let (write, expires) = (write.unwrap_or(stored.write), expires.unwrap_or(stored.expires));
                (Saw::Done, Some(Stored { write, expires }))
            }
            (Kind::Update | Kind::Touch, None) => {
                return Outcome::Failed { code: "no-session".to_owned(), text: String::new() };
            }
        };
        self.store[place] = after;
        Outcome::Ok { served_by, saw }
    }

    /// Everyone looks at every session.
    fn look(&mut self, t: u64) {
        self.finals = true;
        self.record(t, Event::Phase { name: "final".to_owned() });
        for instance in 0..INSTANCES {
            let what = Sample { connections: Some(1), in_flight: Some(0), ..Sample::default() };
            self.record(t, Event::Sample { instance, what });
        }
        for (place, stored) in self.store.clone().into_iter().enumerate() {
            let session = u32::try_from(place).expect("fewer than all sessions");
            let t = t + u64::from(session) * MILLI / 100;
            let there = stored.filter(|stored| stored.expires > t);
            let left = there.map(|stored| Left::Millis((stored.expires - t) / MILLI));
            let mut add =
                |reader, found| self.record(t, Event::Final { reader, session: SessionId(session), found });
            add(Reader::Redis, FinalRead::Key(left));
            let found = there.map(|stored| seen(stored, session));
            let readers = (0..INSTANCES).map(Reader::Instance).chain([Reader::Fresh]);
            readers.for_each(|reader| add(reader, FinalRead::Value(found)));
        }
    }
}

fn seen(stored: Stored, session: u32) -> ValueSeen {
    ValueSeen { write: Some(stored.write), session: Some(SessionId(session)), intact: true }
}
