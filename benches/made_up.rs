//! Long histories that are made up, and true: a store that is right by construction, used by eight instances, with an outage
//! every quarter of a minute that they bridge from memory, and resyncs after each; now and then a call is refused for the moment
//! and made again. Every check must find something to judge in them, and pass. They come entry by entry, so that one of any
//! length can be written without being held.

use std::collections::BTreeMap;

use rand::{Rng, RngExt as _};
use squall::history::{
    Entry, Event, FinalRead, Left, Outcome, Reader, ReplyKind, Sample, Saw, ServedBy, SessionId, ValueSeen,
    Wire, Write,
};
use squall::load::Kind;
use squall::seed::fork;

mod head;
mod outage;

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
/// One call in so many is refused for the moment and made again so much later: still before the next operation.
const REFUSED_IN: u64 = 150;
const AGAIN: u64 = 70_000;

/// An outage begins so often; breakers find Redis again so long after its start, and look once more for what is left to bring.
const OUTAGE_EVERY: u64 = 15 * SECOND;
const FOUND: u64 = 6_200 * MILLI;
const LOOKS_AGAIN: u64 = 10 * SECOND;
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
    /// When everyone looks once more for what is left to bring.
    looks_again: Option<u64>,
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
        looks_again: None,
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

    /// A command on a session, and what Redis answers, if that arrives.
    fn call(&mut self, t: u64, instance: u16, name: &str, session: u32, reply: Option<ReplyKind>) {
        let key = Some(format!("session:s{session}"));
        self.wire(t, instance, Wire::Command { name: name.to_owned(), key });
        if let Some(kind) = reply {
            self.wire(t + REPLIED - SENT, instance, Wire::Reply { kind });
        }
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
        if self.looks_again.is_some_and(|due| t >= due) {
            self.look_again(t);
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
            let dirty = Some(self.waiting(instance).count() as u64);
            let connections = Some(u64::from(self.outage.is_none()));
            let what = Sample { connections, in_flight: Some(1), dirty, ..Sample::default() };
            self.record(t, Event::Sample { instance, what });
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
        let refused = self.made.is_multiple_of(REFUSED_IN);
        let took = self.random.random_range(REPLIED + AGAIN..900_000);
        let outcome = self.outcome(kind, session, write, ttl_ms, t);
        // The reply to what was done just before an outage is lost.
        let cut = (u64::from(self.outages + 1)) * OUTAGE_EVERY;
        let before = self.outage.is_none() && self.outages < outages(self.operations) && t < cut;
        let outcome = match before && t + took > cut {
            true => Outcome::Unknown { code: "reset".to_owned(), text: "connection reset".to_owned() },
            false => outcome,
        };
        let changes = !matches!(kind, Kind::Get | Kind::Ttl) && matches!(outcome, Outcome::Ok { .. });
        self.record(t + took, Event::Return { id, outcome });
        if self.outage.is_some() {
            self.dirty[session as usize] |= changes;
            return;
        }
        let name = match kind {
            Kind::Get => "GET",
            Kind::Ttl => "PTTL",
            Kind::Create | Kind::Update | Kind::Touch | Kind::Destroy => "EVALSHA",
        };
        let arrives = |sent: u64| !before || sent + REPLIED - SENT < cut;
        let mut sent = t + SENT;
        if refused && arrives(sent + AGAIN) {
            let busy = ReplyKind::Error("BUSY".to_owned());
            self.call(sent, instance, name, session, Some(busy));
            sent += AGAIN;
        }
        let reply = arrives(sent).then_some(ReplyKind::Value);
        self.call(sent, instance, name, session, reply);
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
            let what =
                Sample { connections: Some(1), in_flight: Some(0), dirty: Some(0), ..Sample::default() };
            self.record(t, Event::Sample { instance, what });
        }
        for (place, stored) in self.store.clone().into_iter().enumerate() {
            let session = u32::try_from(place).expect("fewer than all sessions");
            let t = t + u64::from(session) * MILLI / 100;
            let there = stored.filter(|stored| stored.expires > t);
            let left = there.map(|stored| Left::Millis((stored.expires - t) / MILLI));
            let mut add = |reader, found| {
                self.record(t, Event::Final { reader, session: SessionId(session), found, plain: None })
            };
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
