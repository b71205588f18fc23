//! Links between in-memory streams, in virtual time.

use std::io::ErrorKind;
use std::time::Duration;

use squall_client::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;
use crate::fault::{Answer, Direction, Matching};
use crate::history::ReplyKind;

const MS: Duration = Duration::from_millis(1);
const NOBODY: Duration = Duration::from_secs(3600);
pub(super) const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";

struct Bench {
    link: Link,
    recorder: Recorder,
}

pub(super) fn strike(act: Act) -> Strike {
    Strike {
        what: String::new(),
        act,
        instances: Vec::new(),
        of_several: false,
        direction: Direction::Both,
        probability: 1.0,
        matching: Matching::default(),
        from: 0,
        to: 0,
    }
}

impl Bench {
    fn new() -> Self {
        let recorder = Recorder::new(Clock::new(0));
        Self { link: Link::new(3, 7, recorder.clone()), recorder }
    }

    /// The subject's end of a connection, and Redis'.
    fn pair(&self) -> (Memory, Memory) {
        let (subject, near) = pair();
        let (far, redis) = pair();
        self.link.carry(near, async move { Ok(far) });
        (subject, redis)
    }

    /// Waits until no connection is left.
    async fn over(&self) {
        while !locked(&self.link.shared.wakers).is_empty() {
            tokio::task::yield_now().await;
        }
    }

    fn wire(&self) -> Vec<(u64, Wire)> {
        let entries = self.recorder.take().into_iter().map(|entry| match entry.e {
            Event::Wire { instance: 3, what, .. } => (entry.t / 1_000_000, what),
            other => panic!("{other:?}"),
        });
        entries.collect()
    }

    fn now(&self) -> u64 {
        self.recorder.now() / 1_000_000
    }
}

/// What comes next within an hour; `None` when nothing does.
async fn read(stream: &mut Memory) -> Option<Result<String, ErrorKind>> {
    let mut buffer = vec![0; 65536];
    let count = timeout(NOBODY, stream.read(&mut buffer)).await.ok()?;
    Some(match count {
        Ok(count) => Ok(String::from_utf8_lossy(&buffer[..count]).into_owned()),
        Err(error) => Err(error.kind()),
    })
}

fn some(text: &str) -> Option<Result<String, ErrorKind>> {
    Some(Ok(text.to_owned()))
}

const RESET: Option<Result<String, ErrorKind>> = Some(Err(ErrorKind::ConnectionReset));

#[tokio::test(start_paused = true)]
async fn without_strikes_nothing_takes_time() {
    let bench = Bench::new();
    let (mut subject, mut redis) = bench.pair();
    subject.write_all(GET).await.unwrap();
    assert_eq!(read(&mut redis).await, some("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"));
    redis.write_all(b"$-1\r\n").await.unwrap();
    assert_eq!(read(&mut subject).await, some("$-1\r\n"));
    drop(subject);
    assert_eq!(read(&mut redis).await, some(""));
    drop(redis);
    bench.over().await;
    let command = Wire::Command { name: "GET".to_owned(), key: Some("a".to_owned()) };
    let (reply, closed) =
        (Wire::Reply { kind: ReplyKind::Null }, Wire::Closed { by: "subject: end".to_owned() });
    assert_eq!(bench.wire(), [Wire::Opened, command, reply, closed].map(|wire| (0, wire)));
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_recorded_when_it_reaches_the_subject() {
    let bench = Bench::new();
    let (mut subject, mut redis) = bench.pair();
    let late = strike(Act::Bend(Bend::Latency { delay: 200 * MS, jitter: Duration::ZERO }));
    let late = Strike { direction: Direction::Downstream, ..late };
    bench.link.begin(0, &late).await;
    subject.write_all(GET).await.unwrap();
    read(&mut redis).await;
    redis.write_all(b"+OK\r\n").await.unwrap();
    assert_eq!((read(&mut subject).await, bench.now()), (some("+OK\r\n"), 200));
    let times: Vec<u64> = bench.wire().into_iter().map(|(t, _)| t).collect();
    assert_eq!(times, [0, 0, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_strike_bends_connections_that_live_and_lets_go_when_it_ends() {
    let bench = Bench::new();
    let (mut subject, mut redis) = bench.pair();
    subject.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut redis).await, some("PING\r\n"));
    let stall = strike(Act::Bend(Bend::Hold));
    bench.link.begin(4, &stall).await;
    subject.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut redis).await, None);
    bench.link.end(4, &stall).await;
    assert_eq!(read(&mut redis).await, some("PING\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_swallows_and_its_connections_end_with_it() {
    let bench = Bench::new();
    let (mut old, mut old_redis) = bench.pair();
    let hole = strike(Act::Bend(Bend::Drop));
    bench.link.begin(0, &hole).await;
    let (mut new, mut new_redis) = bench.pair();
    for (subject, redis) in [(&mut old, &mut old_redis), (&mut new, &mut new_redis)] {
        subject.write_all(b"PING\r\n").await.unwrap();
        assert_eq!(read(redis).await, None);
    }
    bench.link.end(0, &hole).await;
    for stream in [&mut old, &mut old_redis, &mut new, &mut new_redis] {
        assert_eq!(read(stream).await, RESET);
    }
    let (mut subject, mut redis) = bench.pair();
    subject.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut redis).await, some("PING\r\n"));
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_half_open_are_silent_and_new_ones_work() {
    let bench = Bench::new();
    let (mut old, mut old_redis) = bench.pair();
    tokio::task::yield_now().await;
    let half_open = strike(Act::HalfOpen);
    bench.link.begin(0, &half_open).await;
    let (mut new, mut new_redis) = bench.pair();
    old.write_all(b"PING\r\n").await.unwrap();
    new.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut old_redis).await, None);
    assert_eq!(read(&mut new_redis).await, some("PING\r\n"));
    bench.link.end(0, &half_open).await;
    assert_eq!(read(&mut old).await, RESET);
    new.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut new_redis).await, some("PING\r\n"));
}

#[tokio::test(start_paused = true)]
async fn resets_strike_those_that_live_or_new_ones_at_their_first_byte() {
    let bench = Bench::new();
    let (mut live, _live_redis) = bench.pair();
    tokio::task::yield_now().await;
    let of_live = strike(Act::Reset { live: true, new: false });
    bench.link.begin(0, &of_live).await;
    assert_eq!(read(&mut live).await, RESET);
    let (mut live, mut live_redis) = bench.pair();
    tokio::task::yield_now().await;
    let of_new = strike(Act::Reset { live: false, new: true });
    bench.link.begin(1, &of_new).await;
    let (mut new, _new_redis) = bench.pair();
    assert_eq!(read(&mut new).await, None);
    new.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut new).await, RESET);
    live.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(read(&mut live_redis).await, some("PING\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_accept_keeps_new_connections_quiet_for_a_while() {
    let bench = Bench::new();
    bench.link.begin(0, &strike(Act::SlowAccept { delay: 300 * MS })).await;
    let (mut subject, mut redis) = bench.pair();
    subject.write_all(b"PING\r\n").await.unwrap();
    assert_eq!((read(&mut redis).await, bench.now()), (some("PING\r\n"), 300));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_resets_and_half_a_reply_ends() {
    let bench = Bench::new();
    for (answer, heard, by) in
        [(Answer::Drop, RESET, "world: reset"), (Answer::Partial, some("$4\r\nb"), "world: end")]
    {
        let lost = strike(Act::Answer(answer));
        bench.link.begin(0, &lost).await;
        let (mut subject, mut redis) = bench.pair();
        subject.write_all(GET).await.unwrap();
        read(&mut redis).await;
        redis.write_all(b"$4\r\nbcde\r\n").await.unwrap();
        assert_eq!(read(&mut subject).await, heard);
        drop(subject);
        drop(redis);
        bench.over().await;
        bench.link.end(0, &lost).await;
        assert_eq!(bench.wire().pop(), Some((0, Wire::Closed { by: by.to_owned() })));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_answers_and_the_history_tells_which_fault_it_was() {
    let bench = Bench::new();
    bench.link.begin(5, &strike(Act::Answer(Answer::Error("BUSY now".to_owned())))).await;
    let (mut subject, mut redis) = bench.pair();
    subject.write_all(GET).await.unwrap();
    assert_eq!(read(&mut subject).await, some("-BUSY now\r\n"));
    assert_eq!(read(&mut redis).await, None);
    let struck = Wire::Struck { fault: 5, fate: "answered BUSY".to_owned() };
    let reply = Wire::Reply { kind: ReplyKind::Error("BUSY".to_owned()) };
    let wire: Vec<Wire> = bench.wire().into_iter().map(|(_, wire)| wire).skip(2).collect();
    assert_eq!(wire, [struck, reply]);
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_connections_is_struck_and_the_same_seed_strikes_the_same() {
    let chosen = async || {
        let bench = Bench::new();
        let pairs: Vec<_> = (0..40).map(|_| bench.pair()).collect();
        tokio::task::yield_now().await;
        let reset = strike(Act::Reset { live: true, new: false });
        bench.link.begin(0, &Strike { probability: 0.5, ..reset }).await;
        let mut chosen = Vec::new();
        for (mut subject, _redis) in pairs {
            chosen.push(read(&mut subject).await == RESET);
        }
        chosen
    };
    let first = chosen().await;
    assert!((10..30).contains(&first.iter().filter(|struck| **struck).count()));
    assert_eq!(first, chosen().await);
}
