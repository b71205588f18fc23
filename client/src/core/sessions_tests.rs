//! Tests of an instance's sessions, on made-up time and with a made-up Redis.

use super::*;
use crate::core::record::{Expiry, Value};
use crate::core::version::Version;
use crate::settings::LocalSettings;

const TTL: Duration = Duration::from_secs(60);

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Sessions of an instance that knows Redis's clock: it says a million seconds at the start.
fn sessions_with(settings: &Settings, writer: u32) -> Sessions {
    let mut sessions = Sessions::new(settings, writer, ms(0), 1_000_000_000);
    sessions.synchronise(ms(0), ms(0), 1_000_000_000_000);
    sessions
}

fn sessions() -> Sessions {
    sessions_with(&Settings::default(), 1)
}

fn create(sessions: &mut Sessions, at: u64) -> Push {
    sessions.write(ms(at), "s", &Write::Create { payload: bytes("new"), ttl: TTL }).unwrap()
}

fn update(sessions: &mut Sessions, at: u64, text: &'static str) -> Push {
    sessions.write(ms(at), "s", &Write::Update { payload: bytes(text) }).unwrap()
}

/// What Redis answers when it knew `knew`.
fn answer(push: &Push, knew: &Record, fate: Fate, sent: u64) -> Answer {
    let mut known = push.record.clone();
    known.merge(knew);
    let received = ms(sent + 1);
    Answer {
        sent: ms(sent),
        received,
        repeated: false,
        server_us: Some(1_000_000_000_000 + (sent + 1) * 1000),
        fate,
        known,
        wrote: true,
    }
}

/// What Redis answers when another instance destroyed the session at `at`.
fn destroyed(push: &Push, at: u64, sent: u64) -> Answer {
    let known = Record { destruction: Version::new(1_000_000_000 + at, 0, 2), ..Record::default() };
    Answer { known, ..answer(push, &Record::default(), Fate::Destroyed, sent) }
}

/// A push that Redis takes without having known anything newer.
fn stored(sessions: &mut Sessions, push: &Push, sent: u64) -> Settled {
    let settled = sessions.settle(push, &answer(push, &Record::default(), Fate::Alive, sent));
    sessions.release(&push.id, false);
    settled
}

fn payload(sessions: &Sessions, at: u64) -> Option<Bytes> {
    match sessions.look(ms(at), "s") {
        Look::Alive { payload, .. } => Some(payload),
        Look::Destroyed | Look::Expired | Look::Unknown => None,
    }
}

#[test]
fn a_write_is_dirty_until_redis_has_it() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    assert_eq!((sessions.local().dirty(), sessions.waiting(true)), (1, 0));
    stored(&mut sessions, &push, 11);
    assert_eq!((sessions.local().dirty(), sessions.waiting(true)), (0, 0));
}

#[test]
fn a_write_whose_caller_went_away_waits_for_the_resync() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    sessions.release(&push.id, false);
    assert_eq!((sessions.local().dirty(), sessions.waiting(true)), (1, 1));
    let again = sessions.next_pushes(9, false);
    assert_eq!((again.len(), sessions.waiting(true)), (1, 0));
    stored(&mut sessions, &again[0], 20);
    assert_eq!(sessions.local().dirty(), 0);
}

#[test]
fn a_write_during_its_own_flush_stays_dirty_whichever_answer_comes_first() {
    for later_first in [false, true] {
        let mut sessions = sessions();
        let first = create(&mut sessions, 10);
        let second = update(&mut sessions, 11, "newer");
        let order = if later_first { [&second, &first] } else { [&first, &second] };
        stored(&mut sessions, order[0], 12);
        assert_eq!(sessions.local().dirty(), u64::from(!later_first));
        stored(&mut sessions, order[1], 12);
        assert_eq!(payload(&sessions, 15), Some(bytes("newer")));
        // When the older one was answered last, Redis is taken to lack the newer one: bringing it again does no harm.
        let left: Vec<_> = sessions.next_pushes(9, true);
        left.iter().for_each(|push| drop(stored(&mut sessions, push, 20)));
        assert_eq!(sessions.local().dirty(), 0);
    }
}

#[test]
fn an_answer_from_before_redis_forgot_cleans_nothing() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    sessions.bring_all(ms(12));
    stored(&mut sessions, &push, 11);
    assert_eq!((sessions.local().dirty(), sessions.waiting(true)), (1, 1));
}

#[test]
fn an_answer_whose_time_was_damaged_counts_for_all_else() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    let answer = Answer { server_us: None, ..answer(&push, &Record::default(), Fate::Alive, 11) };
    assert!(matches!(sessions.settle(&push, &answer), Settled::Stored));
    sessions.release(&push.id, false);
    assert_eq!((sessions.local().dirty(), sessions.unix_ms(ms(20))), (0, 1_000_000_020));
}

#[test]
fn who_writes_later_wins_over_a_clock_that_is_ahead() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    stored(&mut sessions, &push, 11);
    let value = Value { version: Version::new(1_000_000_500, 0, 2), payload: bytes("ahead") };
    let ahead = Record { value, ..Record::default() };
    let push = update(&mut sessions, 20, "later");
    let Settled::Again(again) = sessions.settle(&push, &answer(&push, &ahead, Fate::Alive, 21)) else {
        panic!("it has to be brought again")
    };
    assert!(again.record.value.version > ahead.value.version);
    assert!(matches!(stored(&mut sessions, &again, 23), Settled::Stored));
    assert_eq!((payload(&sessions, 25), sessions.local().dirty()), (Some(bytes("later")), 0));
}

#[test]
fn who_has_the_number_of_a_process_before_it_whose_clock_was_ahead_wins_over_that_too() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    let destruction = Version::new(1_000_000_500, 0, 1);
    let known = Record { destruction, ..Record::default() };
    let before = Answer { known, ..answer(&push, &Record::default(), Fate::Destroyed, 11) };
    let Settled::Again(again) = sessions.settle(&push, &before) else { panic!("it is to be brought again") };
    assert!(again.record.creation > destruction);
    assert!(matches!(stored(&mut sessions, &again, 13), Settled::Stored));
    assert_eq!((payload(&sessions, 15), sessions.local().dirty()), (Some(bytes("new")), 0));
}

#[test]
fn what_was_written_over_an_attempt_without_a_reply_stays() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    stored(&mut sessions, &push, 11);
    let push = update(&mut sessions, 20, "first");
    let value = Value { version: Version::new(1_000_000_300, 0, 2), payload: bytes("over it") };
    let over_it = Record { value, ..Record::default() };
    let answer = Answer { repeated: true, ..answer(&push, &over_it, Fate::Alive, 400) };
    assert!(matches!(sessions.settle(&push, &answer), Settled::Stored));
    sessions.release(&push.id, false);
    assert_eq!((payload(&sessions, 402), sessions.local().dirty()), (Some(bytes("over it")), 0));
}

#[test]
fn a_write_without_a_reply_to_a_session_that_has_ended_since_may_have_happened() {
    for repeated in [false, true] {
        let mut sessions = sessions();
        let push = create(&mut sessions, 10);
        stored(&mut sessions, &push, 11);
        let push = update(&mut sessions, 20, "late");
        let answer = Answer { repeated, ..destroyed(&push, 19, 21) };
        let settled = sessions.settle(&push, &answer);
        assert!(matches!(settled, Settled::Gone { perhaps_written } if perhaps_written == repeated));
    }
}

#[test]
fn a_write_that_redis_refuses_because_the_session_is_gone_leaves_no_trace() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    stored(&mut sessions, &push, 11);
    let push = update(&mut sessions, 20, "late");
    let settled = sessions.settle(&push, &destroyed(&push, 19, 21));
    sessions.release(&push.id, false);
    assert!(matches!(settled, Settled::Gone { perhaps_written: false }));
    assert_eq!((sessions.look(ms(25), "s"), sessions.local().dirty()), (Look::Destroyed, 0));
    // Somebody creates it again, with a clock that is behind: the refused value must not win over that.
    let again = Version::new(1_000_000_019, 1, 2);
    let created = Record {
        creation: again,
        expiry: Expiry { version: again, unix_ms: 1_000_060_000 },
        value: Value { version: again, payload: bytes("again") },
        ..Record::default()
    };
    sessions.learn(ms(30), ms(29), "s", &created);
    assert_eq!((payload(&sessions, 31), sessions.local().dirty()), (Some(bytes("again")), 0));
}

#[test]
fn what_redis_says_is_over_is_over() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    stored(&mut sessions, &push, 11);
    let push = sessions.push("s");
    let shortened = Expiry { version: Version::new(1_000_000_015, 0, 2), unix_ms: 1_000_000_018 };
    let known = Record { expiry: shortened, ..Record::default() };
    sessions.settle(&push, &Answer { known, ..answer(&push, &Record::default(), Fate::Expired, 20) });
    sessions.release(&push.id, false);
    assert_eq!((sessions.look(ms(21), "s"), sessions.local().dirty()), (Look::Expired, 0));
}

#[test]
fn a_read_that_was_overtaken_by_a_write_cleans_and_dirties_nothing() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    let old = push.record.clone();
    stored(&mut sessions, &push, 11);
    // Asked at 12, answered with what was there before the update that ended at 16.
    let push = update(&mut sessions, 14, "newer");
    stored(&mut sessions, &push, 15);
    sessions.learn(ms(17), ms(12), "s", &old);
    assert_eq!((payload(&sessions, 18), sessions.local().dirty()), (Some(bytes("newer")), 0));
    // Asked after that, the same answer means that Redis has lost the update.
    sessions.learn(ms(30), ms(20), "s", &old);
    assert_eq!((sessions.local().dirty(), sessions.waiting(true)), (1, 1));
    // And when it has it, it is clean, whoever brought it.
    let whole = sessions.push("s").record;
    sessions.release(&Arc::from("s"), false);
    sessions.learn(ms(40), ms(35), "s", &whole);
    assert_eq!((sessions.local().dirty(), sessions.waiting(true)), (0, 0));
}

#[test]
fn what_was_written_by_the_local_clock_is_put_right_when_rediss_is_known() {
    let mut sessions = Sessions::new(&Settings::default(), 1, ms(0), 1_000_000_000);
    let push = create(&mut sessions, 10);
    sessions.release(&push.id, false);
    // Redis is an hour behind.
    sessions.synchronise(ms(20), ms(20), 996_400_020_000);
    let push = sessions.push("s");
    assert_eq!(push.record.expiry.unix_ms, 996_460_010);
    assert_eq!(push.record.creation.unix_ms(), 996_400_010);
    let Look::Alive { left, .. } = sessions.look(ms(20), "s") else { panic!("it lives") };
    assert_eq!(left, TTL - Duration::from_millis(10));
}

#[test]
fn a_session_ends_at_the_early_end_of_what_is_known_of_rediss_clock() {
    let mut sessions = Sessions::new(&Settings::default(), 1, ms(0), 1_000_000_000);
    let before = create(&mut sessions, 10);
    sessions.release(&before.id, false);
    // Redis, an hour behind, said so at some moment of those four milliseconds: its clock is known to two.
    sessions.synchronise(ms(20), ms(24), 996_400_022_000);
    assert_eq!(sessions.push("s").record.expiry.unix_ms, 996_460_010 - 2);
    let after = create(&mut sessions, 24);
    assert_eq!(
        (after.record.expiry.unix_ms, after.record.creation.unix_ms()),
        (996_460_024 - 2, 996_400_024)
    );
    let short = Write::Touch { ttl: Duration::from_millis(3) };
    let short = sessions.write(ms(24), "s", &short).unwrap();
    assert_eq!(short.record.expiry.unix_ms, 996_400_024 + 2, "no more than half of it is taken");
}

#[test]
fn without_a_fallback_a_write_stands_only_once_redis_has_it() {
    let mut sessions = sessions_with(&Settings { fallback: Fallback::None, ..Settings::default() }, 1);
    let push = create(&mut sessions, 10);
    assert_eq!((sessions.look(ms(11), "s"), sessions.local().dirty()), (Look::Unknown, 0));
    stored(&mut sessions, &push, 11);
    assert_eq!((payload(&sessions, 13), sessions.local().dirty()), (Some(bytes("new")), 0));
}

#[test]
fn a_refused_write_is_taken_back_and_others_are_not() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    stored(&mut sessions, &push, 11);
    let refused = update(&mut sessions, 20, "refused");
    sessions.undo(&refused);
    sessions.release(&refused.id, false);
    assert_eq!((payload(&sessions, 21), sessions.local().dirty()), (Some(bytes("new")), 0));
    let refused = update(&mut sessions, 30, "refused");
    let newer = update(&mut sessions, 31, "newer");
    sessions.undo(&refused);
    assert_eq!((payload(&sessions, 32), sessions.local().dirty()), (Some(bytes("newer")), 1));
    stored(&mut sessions, &newer, 33);
    assert_eq!(sessions.local().dirty(), 0);
}

#[test]
fn what_redis_refuses_lets_others_go_first() {
    let mut sessions = sessions();
    let push = create(&mut sessions, 10);
    sessions.release(&push.id, true);
    assert_eq!((sessions.waiting(false), sessions.waiting(true)), (0, 1));
    assert!(sessions.next_pushes(9, false).is_empty());
    assert_eq!(sessions.next_pushes(9, true).len(), 1);
}

#[test]
fn a_full_copy_refuses_new_sessions_but_takes_writes_to_those_it_has() {
    let mut settings = Settings::default();
    settings.local.sessions = 1;
    let mut sessions = sessions_with(&settings, 1);
    create(&mut sessions, 10);
    let other = Write::Create { payload: bytes("x"), ttl: TTL };
    assert_eq!(sessions.write(ms(11), "other", &other).unwrap_err(), Refusal::Full);
    update(&mut sessions, 12, "fits");
    assert_eq!(sessions.write(ms(13), "nobody's", &Write::Touch { ttl: TTL }).unwrap_err(), Refusal::Missing);
}

#[test]
fn a_full_copy_takes_new_sessions_while_all_are_brought_again() {
    let local = LocalSettings { sessions: 2, ..Settings::default().local };
    let mut sessions = sessions_with(&Settings { local, ..Settings::default() }, 1);
    let write = |sessions: &mut Sessions, at, id: &str| {
        sessions.write(ms(at), id, &Write::Create { payload: bytes("x"), ttl: TTL })
    };
    for id in ["a", "b"] {
        let push = write(&mut sessions, 1, id).unwrap();
        stored(&mut sessions, &push, 2);
    }
    sessions.bring_all(ms(10));
    assert_eq!((sessions.waiting(false), sessions.local().dirty()), (2, 2));
    let new = write(&mut sessions, 20, "c").expect("a session that redis once took makes room");
    sessions.release(&new.id, false);
    assert_eq!(sessions.look(ms(21), "a"), Look::Unknown);
    let rest: Vec<String> = sessions.next_pushes(9, false).iter().map(|push| push.id.to_string()).collect();
    assert_eq!(rest, ["c", "b"]);
    assert_eq!(write(&mut sessions, 30, "d").unwrap_err(), Refusal::Full, "what is being brought stays");
}

#[test]
fn what_others_let_grow_keeps_to_the_bound_too() {
    let settings = Settings { local: LocalSettings { sessions: 100, bytes: 4096 }, ..Settings::default() };
    let mut sessions = sessions_with(&settings, 1);
    let large = |length: usize, at: u64| {
        let (creation, payload) = (Version::new(1_000_000_000 + at, 0, 2), vec![b'x'; length].into());
        let expiry = Expiry { version: creation, unix_ms: 2_000_000_000 };
        Record { creation, expiry, value: Value { version: creation, payload }, ..Record::default() }
    };
    for id in ["a", "b", "c", "d"] {
        sessions.learn(ms(10), ms(9), id, &large(1, 5));
    }
    for (id, at) in [("a", 20), ("b", 30), ("c", 40)] {
        let look = sessions.learn(ms(at), ms(at - 1), id, &large(2000, at - 2));
        assert!(matches!(look, Look::Alive { payload, .. } if payload.len() == 2000), "{id}");
        assert!(sessions.local().bytes() <= 4096, "{}", sessions.local().bytes());
    }
    // One that is larger than the whole copy is served, and leaves the others alone.
    let before = sessions.local().len();
    let look = sessions.learn(ms(50), ms(49), "c", &large(5000, 48));
    assert!(matches!(look, Look::Alive { payload, .. } if payload.len() == 5000));
    assert_eq!(sessions.local().len(), before - 1);
}
