//! Streams of operations, drawn from a seed: first every session of the pool once, then the mix.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::keys::Draw;
use super::{Drawn, Kind, Load, Many, Operation, Several, Step};
use crate::history::{SessionId, Write};
use crate::seed::fork;

/// Sessions that the setup creates a second.
const SETUP_PER_SECOND: u64 = 500;
/// The shortest setup, without its rest.
const SETUP_LEAST: Duration = Duration::from_secs(1);
/// How long nothing starts between the setup's last operation and the first phase.
const SETUP_REST: Duration = Duration::from_millis(500);
/// How long before the end the last operation starts, so that the final reads begin quiet.
pub const QUIET: Duration = Duration::from_millis(500);

impl Load {
    /// How long the setup lasts: 500 sessions a second, a second at least, and half a second of rest.
    pub fn setup(&self) -> Duration {
        let needed = nanos(Duration::from_secs(1)) * u64::from(self.sessions) / SETUP_PER_SECOND;
        SETUP_LEAST.max(Duration::from_nanos(needed)) + SETUP_REST
    }

    /// About how many operations a run of `length` (without the setup) has, each session of a request on several counted.
    pub fn operations(&self, length: Duration) -> f64 {
        let share = |many| f64::from(self.mix.weight_of(many)) / (self.mix.total().max(1) as f64);
        let more = |many: Many| share(many) * f64::from(many.sessions(self.sessions).saturating_sub(1));
        let each = 1.0 + Many::ALL.into_iter().map(more).sum::<f64>();
        f64::from(self.sessions) + self.rate.0 * each * length.as_secs_f64()
    }

    /// Every instance's operations in order of time, for phases that last `length` after the setup.
    ///
    /// Operations are evenly spaced, and chance moves each within its space. None starts in the last half second.
    pub fn streams(&self, length: Duration, seed: u64) -> Vec<Vec<Operation>> {
        let draw = Draw::new(&self.keys, self.sessions);
        (0..self.instances).map(|instance| self.stream(instance, length, &draw, seed)).collect()
    }

    /// Every instance's operations in order of time: the setup, then `steps`, those of an instance in their order.
    pub fn given(&self, steps: &[Step], seed: u64) -> Vec<Vec<Operation>> {
        let begin = nanos(self.setup());
        let mut streams: Vec<_> = (0..self.instances).map(|instance| self.set_up(instance, seed)).collect();
        for step in steps {
            let Some((stream, random)) = streams.get_mut(usize::from(step.instance)) else { continue };
            let due = begin.saturating_add(nanos(step.at));
            stream.push_with(due, step.kind, step.session, step.ttl.unwrap_or(self.ttl), random);
        }
        let sorted = |mut operations: Vec<Operation>| {
            operations.sort_by_key(|operation| operation.due);
            operations
        };
        streams.into_iter().map(|(stream, _)| sorted(stream.operations)).collect()
    }

    fn stream(&self, instance: u16, length: Duration, draw: &Draw, seed: u64) -> Vec<Operation> {
        let (mut stream, mut random) = self.set_up(instance, seed);
        let begin = nanos(self.setup());
        let end = begin.saturating_add(nanos(length.saturating_sub(QUIET)));
        // Never zero, so that the loop below ends.
        let space = ((f64::from(self.instances) / self.rate.0 * 1e9) as u64).max(1);
        let mut start = begin;
        while start < end {
            let due = start + within(&mut random, space);
            let drawn = self.mix.draw(random.random_range(0..self.mix.total().max(1)));
            let session = SessionId(draw.session(&mut random));
            match drawn {
                _ if due >= end => {}
                Drawn::One(kind) => stream.push(due, kind, session, &mut random),
                Drawn::Many(what) => stream.push_several(due, what, session),
            }
            start = start.saturating_add(space);
        }
        stream.operations
    }

    /// The operations that create an instance's share of the pool.
    fn set_up(&self, instance: u16, seed: u64) -> (Stream<'_>, impl Rng + use<>) {
        let mut random = fork(seed, &format!("load {instance}"));
        let mut stream = Stream { load: self, instance, operations: Vec::new() };
        let mine = (u32::from(instance)..self.sessions).step_by(self.instances.max(1).into());
        let setup = nanos(self.setup() - SETUP_REST);
        let space = setup / u64::try_from(mine.len()).unwrap_or(u64::MAX).max(1);
        for (start, session) in (0..).map(|index| index * space).zip(mine) {
            stream.push(start + within(&mut random, space), Kind::Create, SessionId(session), &mut random);
        }
        (stream, random)
    }
}

struct Stream<'a> {
    load: &'a Load,
    instance: u16,
    operations: Vec<Operation>,
}

impl Stream<'_> {
    fn push(&mut self, due: u64, kind: Kind, session: SessionId, random: &mut impl Rng) {
        self.push_with(due, kind, session, self.load.ttl, random);
    }

    fn push_with(&mut self, due: u64, kind: Kind, session: SessionId, ttl: Duration, random: &mut impl Rng) {
        let load = self.load;
        let ttl_ms = || u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        // The number counts the instance's operations, so no two of its writes have the same.
        let number = u64::try_from(self.operations.len()).unwrap_or(u64::MAX);
        let value = |random: &mut _| {
            let size = within_range(random, load.value.least.0, load.value.most.0);
            Some((Write { instance: self.instance, number }, u32::try_from(size).unwrap_or(u32::MAX)))
        };
        let (value, ttl_ms) = match kind {
            Kind::Create => (value(random), Some(ttl_ms())),
            Kind::Update => (value(random), None),
            Kind::Touch => (None, Some(ttl_ms())),
            Kind::Get | Kind::Destroy | Kind::Ttl => (None, None),
        };
        self.operations.push(Operation { due, kind, session, value, ttl_ms, several: None });
    }

    /// A request on several sessions: this one, and those that follow it in the pool.
    fn push_several(&mut self, due: u64, what: Many, session: SessionId) {
        let pool = self.load.sessions.max(1);
        let sessions = (0..what.sessions(pool)).map(|place| SessionId((session.0 + place) % pool));
        let several = Several { what, sessions: sessions.collect() };
        self.operations.push(Operation {
            due,
            kind: what.kind(),
            session,
            value: None,
            ttl_ms: None,
            several: Some(several),
        });
    }
}

fn within(random: &mut impl Rng, space: u64) -> u64 {
    random.random_range(0..space.max(1))
}

fn within_range(random: &mut impl Rng, least: u64, most: u64) -> u64 {
    if least >= most { least } else { random.random_range(least..=most) }
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::load::{Keys, Mix};
    use crate::units::{Rate, Size, SizeRange};

    fn load() -> Load {
        Load { instances: 3, sessions: 100, rate: Rate(300.0), ..Load::default() }
    }

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn the_setup_creates_every_session_once_on_the_instance_of_its_number() {
        let load = load();
        let mut created = BTreeSet::new();
        for (instance, stream) in load.streams(TEN, 1).iter().enumerate() {
            for operation in stream.iter().filter(|operation| operation.due < nanos(load.setup())) {
                assert_eq!(operation.kind, Kind::Create);
                assert_eq!(operation.session.0 as usize % 3, instance);
                assert!(operation.due < nanos(load.setup() - SETUP_REST));
                assert!(created.insert(operation.session));
            }
        }
        assert_eq!(created.len(), 100);
    }

    #[test]
    fn the_rate_is_for_the_whole_load_and_the_end_is_quiet() {
        let load = load();
        let streams = load.streams(TEN, 1);
        let count: usize = streams.iter().map(Vec::len).sum();
        assert!((2940..=2960).contains(&count), "{count}: 100 creates and 9.5 s of 300/s");
        let last = streams.iter().flatten().map(|operation| operation.due).max();
        assert!(last < Some(nanos(load.setup() + TEN - QUIET)));
    }

    #[test]
    fn streams_are_in_order_and_every_write_is_unique() {
        for stream in load().streams(TEN, 7) {
            assert!(stream.is_sorted_by_key(|operation| operation.due));
            let writes: Vec<_> = stream.iter().filter_map(|operation| operation.value).collect();
            let unique: BTreeSet<_> = writes.iter().map(|(write, _)| write).collect();
            assert_eq!(unique.len(), writes.len());
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_streams_and_another_gives_others() {
        let load = load();
        assert_eq!(load.streams(TEN, 7), load.streams(TEN, 7));
        assert_ne!(load.streams(TEN, 7), load.streams(TEN, 8));
    }

    #[test]
    fn another_instance_leaves_the_draws_of_the_first_as_they_are() {
        let sessions = |instances: u16| {
            let load = Load { instances, sessions: 12, rate: Rate(f64::from(instances) * 10.0), ..load() };
            let begin = nanos(load.setup());
            let stream = load.streams(TEN, 7).swap_remove(0);
            stream.into_iter().filter(|operation| operation.due >= begin).count()
        };
        assert_eq!(sessions(1), sessions(2));
    }

    #[test]
    fn given_operations_come_after_the_setup_in_the_order_of_time() {
        let load = Load { instances: 2, sessions: 2, ..Load::default() };
        let second = |n| Duration::from_secs(n);
        let step = |at, instance, kind, ttl| Step { at, instance, kind, session: SessionId(0), ttl };
        let steps = [
            step(second(2), 1, Kind::Touch, Some(second(9))),
            step(second(1), 1, Kind::Create, None),
            step(second(1), 0, Kind::Update, None),
        ];
        let streams = load.given(&steps, 1);
        assert_eq!(streams, load.given(&steps, 1));
        let kinds =
            |stream: &Vec<Operation>| stream.iter().map(|operation| operation.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&streams[0]), [Kind::Create, Kind::Update]);
        assert_eq!(kinds(&streams[1]), [Kind::Create, Kind::Create, Kind::Touch]);
        let begin = nanos(load.setup());
        assert_eq!(streams[1][1].due, begin + 1_000_000_000);
        assert_eq!((streams[1][1].ttl_ms, streams[1][2].ttl_ms), (Some(600_000), Some(9000)));
        let writes: BTreeSet<_> =
            streams.iter().flatten().filter_map(|one| one.value).map(|value| value.0).collect();
        assert_eq!(writes.len(), 4, "each write is its own");
    }

    #[test]
    fn a_request_on_several_sessions_is_about_each_of_them_once() {
        let mix = Mix { create: 1, read_many: 1, clear: 1, ..Mix::default() };
        for sessions in [1, 5, 100] {
            let load = Load { mix, sessions, ..load() };
            let streams = load.streams(TEN, 3);
            let several = || streams.iter().flatten().filter_map(|one| Some((one, one.several.as_ref()?)));
            for (operation, several) in several() {
                let unique: BTreeSet<_> = several.sessions.iter().collect();
                let expected = if several.what == Many::Clear { sessions } else { sessions.min(8) };
                assert_eq!((unique.len(), several.sessions.len()), (expected as usize, expected as usize));
                assert_eq!((operation.kind, operation.session), (several.what.kind(), several.sessions[0]));
                assert!(several.sessions.iter().all(|session| session.0 < sessions));
            }
            let all = streams.iter().flatten().map(|operation| operation.sessions().len());
            let (all, planned) = (all.sum::<usize>() as f64, load.operations(TEN));
            assert!((planned * 0.85..planned * 1.15).contains(&all), "{all} of about {planned}");
            assert!(several().count() > 1500);
        }
    }

    #[test]
    fn values_have_the_sizes_that_the_load_names() {
        let value = SizeRange { least: Size(100), most: Size(120) };
        let load = Load { value, keys: Keys::Zipf(1.1), ..load() };
        for (_, size) in load.streams(TEN, 1).iter().flatten().filter_map(|operation| operation.value) {
            assert!((100..=120).contains(&size));
        }
    }

    #[test]
    fn a_run_shorter_than_its_quiet_end_has_only_the_setup() {
        let streams = load().streams(Duration::from_millis(400), 1);
        assert_eq!(streams.iter().map(Vec::len).sum::<usize>(), 100);
    }
}
