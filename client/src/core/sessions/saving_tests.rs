//! Tests of what goes to disk and what a restarted instance makes of it.

use std::time::Duration;

use crate::core::push::{Answer, Fate, Push};
use crate::core::sessions::{Look, Write};
use crate::core::time::Time;
use crate::settings::Settings;

use super::*;

const TTL: Duration = Duration::from_secs(60);
/// What the local clock says at the start, and Redis's, which is 5 s ahead.
const LOCAL_MS: u64 = 1_000_000_000;
const AHEAD_MS: u64 = 5_000;

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn sessions(writer: u32) -> Sessions {
    Sessions::new(&Settings::default(), writer, ms(0), LOCAL_MS)
}

/// Redis says what time it is.
fn hear_redis(sessions: &mut Sessions, at: u64) {
    sessions.synchronise(ms(at), ms(at), (LOCAL_MS + AHEAD_MS + at) * 1000);
}

/// A write that Redis does not take.
fn write(sessions: &mut Sessions, at: u64, write: &Write) -> Push {
    let push = sessions.write(ms(at), "s", write).unwrap();
    sessions.release(&push.id, false);
    push
}

fn create(text: &'static str) -> Write {
    Write::Create { payload: Bytes::from_static(text.as_bytes()), ttl: TTL }
}

fn update(text: &'static str) -> Write {
    Write::Update { payload: Bytes::from_static(text.as_bytes()) }
}

fn saved(sessions: &mut Sessions) -> Bytes {
    match sessions.save("s") {
        Some((id, DiskChange::Put(bytes))) if &*id == "s" => bytes,
        other => panic!("{other:?}"),
    }
}

/// Another process, which has nothing but the disk.
fn restarted(bytes: &Bytes) -> Sessions {
    let mut sessions = sessions(1);
    sessions.load(ms(0), "s", bytes).unwrap();
    sessions
}

fn alive(sessions: &Sessions, at: u64) -> (Bytes, Duration) {
    match sessions.look(ms(at), "s") {
        Look::Alive { payload, left } => (payload, left),
        other => panic!("{other:?}"),
    }
}

fn took(push: &Push, at: u64) -> Answer {
    Answer {
        sent: ms(at),
        received: ms(at + 1),
        repeated: false,
        server_us: Some((LOCAL_MS + AHEAD_MS + at + 1) * 1000),
        fate: Fate::Alive,
        known: push.record.clone(),
        wrote: true,
    }
}

#[test]
fn what_was_saved_is_there_after_a_restart_and_waits_for_redis() {
    let mut before = sessions(1);
    hear_redis(&mut before, 10);
    write(&mut before, 10, &create("new"));
    let mut after = restarted(&saved(&mut before));
    hear_redis(&mut after, 0);
    assert_eq!(alive(&after, 0), (Bytes::from_static(b"new"), TTL + Duration::from_millis(10)));
    assert_eq!((after.waiting(false), after.local().dirty()), (1, 1));
}

#[test]
fn times_that_were_rediss_stay_and_those_of_the_local_clock_are_put_right() {
    for heard_before in [false, true] {
        let mut before = sessions(1);
        if heard_before {
            hear_redis(&mut before, 10);
        }
        write(&mut before, 10, &create("new"));
        let expiry = before.local().entry("s").unwrap().record.expiry.unix_ms;
        assert_eq!(expiry, LOCAL_MS + 60_010 + if heard_before { AHEAD_MS } else { 0 });
        let mut after = restarted(&saved(&mut before));
        hear_redis(&mut after, 20);
        let record = &after.local().entry("s").unwrap().record;
        assert_eq!(record.expiry.unix_ms, LOCAL_MS + AHEAD_MS + 60_010, "heard before: {heard_before}");
        assert_eq!(record.creation.unix_ms(), LOCAL_MS + AHEAD_MS + 10);
    }
}

#[test]
fn what_is_written_after_a_restart_is_newer_whichever_clock_is_ahead() {
    let mut before = sessions(1);
    hear_redis(&mut before, 0);
    write(&mut before, 10, &create("old"));
    let mut after = restarted(&saved(&mut before));
    // Redis's clock, and so all that was saved, is 5 s ahead of the local one.
    write(&mut after, 20, &update("new"));
    hear_redis(&mut after, 30);
    assert_eq!(alive(&after, 30).0, Bytes::from_static(b"new"));
    let record = after.local().entry("s").unwrap().record.clone();
    assert!(record.value.version > record.creation);

    // A local clock that was set back by an hour meanwhile.
    let mut later = Sessions::new(&Settings::default(), 1, ms(0), LOCAL_MS - 3_600_000);
    let mut by_local = sessions(1);
    write(&mut by_local, 10, &create("old"));
    later.load(ms(0), "s", &saved(&mut by_local)).unwrap();
    write(&mut later, 20, &Write::Destroy);
    later.synchronise(ms(30), ms(30), (LOCAL_MS + AHEAD_MS) * 1000);
    assert_eq!(later.look(ms(30), "s"), Look::Destroyed);
}

#[test]
fn a_destroyed_session_stays_destroyed_after_a_restart() {
    let mut before = sessions(1);
    hear_redis(&mut before, 0);
    write(&mut before, 10, &create("new"));
    write(&mut before, 20, &Write::Destroy);
    let after = restarted(&saved(&mut before));
    assert_eq!(after.look(ms(0), "s"), Look::Destroyed);
    assert_eq!(after.waiting(false), 1);
}

#[test]
fn it_leaves_the_disk_once_redis_has_it_and_not_before() {
    let mut sessions = sessions(1);
    hear_redis(&mut sessions, 0);
    let first = write(&mut sessions, 10, &create("new"));
    saved(&mut sessions);
    write(&mut sessions, 20, &update("newer"));
    // Redis has the first, but not the second.
    sessions.settle(&first, &took(&first, 30));
    assert_eq!(sessions.take_arrived(), []);
    let second = sessions.push("s");
    sessions.settle(&second, &took(&second, 40));
    sessions.release(&second.id, false);
    assert_eq!(sessions.take_arrived(), [(Arc::from("s"), DiskChange::Remove)]);
    assert_eq!((sessions.take_arrived(), sessions.save("s")), (vec![], None));
}

#[test]
fn what_is_written_again_before_the_disk_was_tidied_stays_there() {
    let mut sessions = sessions(1);
    hear_redis(&mut sessions, 0);
    let first = write(&mut sessions, 10, &create("new"));
    saved(&mut sessions);
    sessions.settle(&first, &took(&first, 20));
    // Redis has gone again, and nobody has tidied up.
    write(&mut sessions, 30, &update("newer"));
    saved(&mut sessions);
    assert_eq!(sessions.take_arrived(), []);
    let second = sessions.push("s");
    sessions.settle(&second, &took(&second, 40));
    sessions.release(&second.id, false);
    assert_eq!(sessions.take_arrived(), [(Arc::from("s"), DiskChange::Remove)]);
}

#[test]
fn damaged_bytes_are_refused_and_change_nothing() {
    let mut before = sessions(1);
    write(&mut before, 10, &create("new"));
    let bytes = saved(&mut before);
    let mut after = sessions(1);
    assert_eq!(after.load(ms(0), "other", &bytes), Err(Damage::Changed));
    assert_eq!(after.load(ms(0), "s", &bytes.slice(1..)), Err(Damage::Foreign));
    assert_eq!((after.local().len(), after.waiting(false)), (0, 0));
}
