//! One direction of one connection: what goes in, and what comes out when. Pure: time and chance are arguments.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use squall_client::Time;

use super::rules::Bends;
use crate::history::Wire;

/// How much may wait inside; beyond it the source is not read, as with a full socket buffer.
const ROOM: usize = 256 * 1024;

/// A thin link passes pieces of what it carries in this time, so that it trickles.
const PIECES_A_SECOND: u64 = 10;

/// A direction that bytes go.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    queue: VecDeque<Item>,
    queued: usize,
    /// Nothing comes out before what went in earlier.
    last: Time,
    /// Until when a thin link is busy with what it has.
    busy_until: Time,
    /// What has passed since the strike of that number limits it.
    passed: BTreeMap<u32, u64>,
    cut: bool,
}

#[derive(Debug)]
struct Item {
    due: Time,
    what: Out,
    /// What to record when it has come out.
    marks: Vec<Wire>,
}

/// Something that comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// Bytes.
    Bytes(Bytes),
    /// The end of the direction.
    End,
    /// A reset of the connection.
    Reset,
}

/// What comes out next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// This, now.
    Due(&'a Out),
    /// Something, at that time.
    Later(Time),
    /// Nothing, as it stands.
    Nothing,
}

impl Pipe {
    /// Takes bytes, and what to record when the last of them has come out. What a black hole swallows is gone.
    pub(super) fn push(
        &mut self,
        now: Time,
        bytes: &[u8],
        marks: Vec<Wire>,
        bends: &Bends,
        chance: &mut ChaCha8Rng,
    ) {
        if bends.drop || self.cut {
            return;
        }
        self.passed.retain(|strike, _| bends.limits.iter().any(|(limiting, _)| limiting == strike));
        let (allowed, cut) = self.within_limits(bytes, bends);
        let late: Duration = bends.delays.iter().map(|(delay, jitter)| drawn(*delay, *jitter, chance)).sum();
        let mut due = now + late;
        let mut rest = allowed;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(piece(rest.len(), bends, chance));
            if let Some(rate) = bends.rate {
                let takes = Duration::from_nanos((piece.len() as u64).saturating_mul(1_000_000_000) / rate);
                due = due.max(self.busy_until) + takes;
                self.busy_until = due;
            }
            self.enqueue(due, Out::Bytes(Bytes::copy_from_slice(piece)));
            if let Some((_, _, pause)) = bends.slices {
                due = due + pause;
            }
            rest = after;
        }
        match self.queue.back_mut() {
            Some(last) if allowed.len() == bytes.len() => last.marks = marks,
            Some(_) | None => {}
        }
        if cut {
            self.cut = true;
            self.enqueue(due, Out::Reset);
        }
    }

    /// Takes the end of the direction.
    pub(super) fn end(&mut self, now: Time, bends: &Bends) {
        self.enqueue(now + bends.slow_close, Out::End);
    }

    /// Takes a reset of the connection, to come out after everything else.
    pub(super) fn reset(&mut self, now: Time) {
        self.cut = true;
        self.enqueue(now, Out::Reset);
    }

    /// Takes nothing more.
    pub(super) fn cut(&mut self) {
        self.cut = true;
    }

    /// What comes out next.
    pub(super) fn next(&self, now: Time, bends: &Bends) -> Next<'_> {
        match self.queue.front() {
            Some(_) if bends.hold => Next::Nothing,
            Some(item) if item.due <= now => Next::Due(&item.what),
            Some(item) => Next::Later(item.due),
            None => Next::Nothing,
        }
    }

    /// Takes so many bytes of what is next out of it; of what is no bytes, all. Returns what is to be recorded now.
    pub(super) fn advance(&mut self, count: usize) -> Vec<Wire> {
        let Some(item) = self.queue.front_mut() else { return Vec::new() };
        if let Out::Bytes(bytes) = &mut item.what {
            bytes.advance(count);
            self.queued -= count;
            if !bytes.is_empty() {
                return Vec::new();
            }
        }
        let out = self.queue.pop_front();
        // Ten thousand idle connections must not remember what they once carried.
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        out.map(|item| item.marks).unwrap_or_default()
    }

    /// Whether nothing waits inside.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether more may go in.
    pub(super) fn has_room(&self) -> bool {
        self.queued < ROOM
    }

    fn enqueue(&mut self, due: Time, what: Out) {
        self.last = due.max(self.last);
        if let Out::Bytes(bytes) = &what {
            self.queued += bytes.len();
        }
        self.queue.push_back(Item { due: self.last, what, marks: Vec::new() });
    }

    /// What may still pass, and whether the connection ends with it.
    fn within_limits<'b>(&mut self, bytes: &'b [u8], bends: &Bends) -> (&'b [u8], bool) {
        let mut allowed = bytes.len();
        for (strike, limit) in &bends.limits {
            let left = limit - self.passed.get(strike).copied().unwrap_or_default().min(*limit);
            allowed = allowed.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        let mut cut = false;
        for (strike, limit) in &bends.limits {
            let passed = self.passed.entry(*strike).or_default();
            *passed += allowed as u64;
            cut |= *passed >= *limit;
        }
        (&bytes[..allowed], cut)
    }
}

/// A delay that chance moves up or down.
fn drawn(delay: Duration, jitter: Duration, chance: &mut ChaCha8Rng) -> Duration {
    if jitter.is_zero() {
        return delay;
    }
    let most = u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX / 2);
    (delay + Duration::from_nanos(chance.random_range(0..=2 * most))).saturating_sub(jitter)
}

/// How much of so many bytes goes on as one piece.
fn piece(length: usize, bends: &Bends, chance: &mut ChaCha8Rng) -> usize {
    let mut most = length as u64;
    if let Some((average, variation, _)) = bends.slices {
        let size = (average + chance.random_range(0..=2 * variation)).saturating_sub(variation);
        most = most.min(size.max(1));
    }
    if let Some(rate) = bends.rate {
        most = most.min((rate / PIECES_A_SECOND).max(1));
    }
    usize::try_from(most).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;

    use super::*;

    fn chance() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(1)
    }

    fn ms(milliseconds: u64) -> Time {
        Time::from_nanos(milliseconds * 1_000_000)
    }

    const MS: Duration = Duration::from_millis(1);

    /// Everything that comes out by `now`.
    fn out(pipe: &mut Pipe, now: Time, bends: &Bends) -> String {
        let mut text = String::new();
        while let Next::Due(what) = pipe.next(now, bends) {
            let what = what.clone();
            match &what {
                Out::Bytes(bytes) => text.push_str(&format!("{} ", String::from_utf8_lossy(bytes))),
                Out::End => text.push_str("end "),
                Out::Reset => text.push_str("reset "),
            }
            pipe.advance(if let Out::Bytes(bytes) = what { bytes.len() } else { 0 });
        }
        text
    }

    #[test]
    fn what_is_late_comes_in_order_and_on_time() {
        let late = Bends { delays: vec![(200 * MS, Duration::ZERO)], ..Bends::default() };
        let (mut pipe, straight) = (Pipe::default(), Bends::default());
        pipe.push(ms(0), b"a", Vec::new(), &late, &mut chance());
        pipe.push(ms(10), b"b", Vec::new(), &straight, &mut chance());
        assert_eq!(pipe.next(ms(10), &straight), Next::Later(ms(200)));
        assert_eq!(out(&mut pipe, ms(199), &straight), "");
        assert_eq!(out(&mut pipe, ms(200), &straight), "a b ");
        assert!(pipe.is_empty() && pipe.has_room());
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        let mut chance = chance();
        let drawn: Vec<_> = (0..500).map(|_| drawn(100 * MS, 40 * MS, &mut chance)).collect();
        assert!(drawn.iter().all(|delay| (60 * MS..=140 * MS).contains(delay)));
        assert!(drawn.iter().any(|delay| *delay < 70 * MS) && drawn.iter().any(|delay| *delay > 130 * MS));
    }

    #[test]
    fn a_thin_link_trickles() {
        let thin = Bends { rate: Some(100), ..Bends::default() };
        let mut pipe = Pipe::default();
        pipe.push(ms(0), &[b'x'; 50], Vec::new(), &thin, &mut chance());
        pipe.push(ms(0), &[b'y'; 10], Vec::new(), &thin, &mut chance());
        assert_eq!(out(&mut pipe, ms(250), &thin), "xxxxxxxxxx xxxxxxxxxx ");
        assert_eq!(out(&mut pipe, ms(500), &thin).len(), 33);
        assert_eq!(out(&mut pipe, ms(600), &thin), "yyyyyyyyyy ");
    }

    #[test]
    fn a_slicer_cuts_and_pauses() {
        let slicer = Bends { slices: Some((2, 0, MS)), ..Bends::default() };
        let mut pipe = Pipe::default();
        pipe.push(ms(0), b"abcde", Vec::new(), &slicer, &mut chance());
        assert_eq!(out(&mut pipe, ms(1), &slicer), "ab cd ");
        assert_eq!(out(&mut pipe, ms(2), &slicer), "e ");
    }

    #[test]
    fn what_is_held_is_delivered_and_what_is_dropped_is_gone() {
        let (hold, drop) =
            (Bends { hold: true, ..Bends::default() }, Bends { drop: true, ..Bends::default() });
        let mut pipe = Pipe::default();
        pipe.push(ms(0), b"a", Vec::new(), &hold, &mut chance());
        pipe.push(ms(1), b"b", Vec::new(), &drop, &mut chance());
        pipe.end(ms(2), &hold);
        assert_eq!(pipe.next(ms(9), &hold), Next::Nothing);
        assert_eq!(out(&mut pipe, ms(9), &Bends::default()), "a end ");
    }

    #[test]
    fn a_limit_lets_that_much_through_and_then_cuts() {
        let limit = Bends { limits: vec![(4, 5)], ..Bends::default() };
        let mut pipe = Pipe::default();
        pipe.push(ms(0), b"abc", Vec::new(), &limit, &mut chance());
        pipe.push(ms(0), b"defgh", Vec::new(), &limit, &mut chance());
        pipe.push(ms(0), b"ijk", Vec::new(), &limit, &mut chance());
        assert_eq!(out(&mut pipe, ms(0), &limit), "abc de reset ");
    }

    #[test]
    fn a_slow_end_comes_after_everything() {
        let slow = Bends { slow_close: 30 * MS, ..Bends::default() };
        let mut pipe = Pipe::default();
        pipe.push(ms(0), b"a", Vec::new(), &slow, &mut chance());
        pipe.end(ms(0), &slow);
        assert_eq!(out(&mut pipe, ms(29), &slow), "a ");
        assert_eq!(out(&mut pipe, ms(30), &slow), "end ");
    }

    proptest! {
        #[test]
        fn without_drop_or_limit_every_byte_comes_out_in_order(
            chunks in prop::collection::vec((0_u64..50, prop::collection::vec(any::<u8>(), 1..300)), 1..20),
            rate in prop::option::of(1_000_u64..100_000),
            slices in prop::option::of((1_u64..50, 0_u64..20)),
            delay in 0_u64..100,
        ) {
            let bends = Bends {
                rate,
                slices: slices.map(|(size, variation)| (size, variation.min(size - 1), MS)),
                delays: vec![(Duration::from_millis(delay), Duration::from_millis(delay / 2))],
                ..Bends::default()
            };
            let (mut pipe, mut chance, mut now) = (Pipe::default(), chance(), 0);
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            for (wait, chunk) in &chunks {
                now += wait;
                sent.extend_from_slice(chunk);
                pipe.push(ms(now), chunk, Vec::new(), &bends, &mut chance);
            }
            while !pipe.is_empty() {
                let what = match pipe.next(ms(now), &bends) {
                    Next::Due(Out::Bytes(bytes)) => bytes.clone(),
                    Next::Later(time) => { now = time.as_nanos().div_ceil(1_000_000); continue }
                    other => panic!("{other:?}"),
                };
                got.extend_from_slice(&what);
                pipe.advance(what.len());
            }
            prop_assert_eq!(sent, got);
        }
    }
}
