//! Flaws that are nothing but settings: what a client does whose authors chose so, or forgot to choose.

use serde_json::{Value, json};

use super::Described;
use super::wrong::{Elsewhere, Wrong};
use crate::check::ENCRYPTED;
use crate::subject::Start;

pub(super) const RESYNC_OFF: Described = Described {
    name: "resync-off",
    check: "I1",
    wrong: "What is accepted locally never gets to Redis.",
    known_from: "",
    needs: "an outage with writes",
    shown_in: "breaker/opens-and-closes",
    plant: |start| patched(start, "resync", &[("enabled", json!(false))]),
};

pub(super) const STORES_IN_PLAIN: Described = Described {
    name: "stores-in-plain",
    check: ENCRYPTED,
    wrong: "Says that it encrypts values, and writes them as they are.",
    known_from: "",
    needs: "a scenario whose values are to be encrypted",
    shown_in: "interfaces/encrypted-through-an-outage",
    plant: |start| {
        start.encryption = None;
        Box::new(Elsewhere)
    },
};

pub(super) const BREAKER_NEVER_OPENS: Described = Described {
    name: "breaker-never-opens",
    check: "I14",
    wrong: "There is no breaker: every call goes out, however many have failed.",
    known_from: "",
    needs: "a total outage of some seconds",
    shown_in: "breaker/opens-and-closes",
    plant: |start| patched(start, "breaker", &[("enabled", json!(false))]),
};

pub(super) const BREAKER_OPENS_TOO_LATE: Described = Described {
    name: "breaker-opens-too-late",
    check: "I14",
    wrong: "The breaker opens at the thousandth failure, so at a usual rate it never does.",
    known_from: "Jedis, Lettuce and redis-py by default",
    needs: "a total outage of some seconds",
    shown_in: "breaker/opens-and-closes",
    plant: |start| {
        let never = [("failures", json!(1000)), ("min_calls", json!(1000)), ("slow_calls", json!(false))];
        patched(start, "breaker", &never)
    },
};

pub(super) const BREAKER_STUCK_OPEN: Described = Described {
    name: "breaker-stuck-open",
    check: "I14",
    wrong: "Once open the breaker does not try Redis again for an hour.",
    known_from: "resilience4j#935, Polly#1979",
    needs: "an outage that opens the breaker",
    shown_in: "breaker/opens-and-closes",
    plant: |start| patched(start, "breaker", &[("cool_down", json!("1h")), ("cool_down_max", json!("1h"))]),
};

pub(super) const COOL_DOWN_CUT_SHORT: Described = Described {
    name: "cool-down-cut-short",
    check: "I13",
    wrong: "The breaker tries Redis again after 20 ms, whatever its cool-down should be.",
    known_from: "",
    needs: "an outage that opens the breaker",
    shown_in: "breaker/probe-fails-once",
    plant: |start| {
        patched(start, "breaker", &[("cool_down", json!("20ms")), ("cool_down_max", json!("20ms"))])
    },
};

pub(super) const NO_TIMEOUTS: Described = Described {
    name: "no-timeouts",
    check: "I15",
    wrong: "No connect, reply or operation has a time limit worth the name.",
    known_from: "StackExchange.Redis#1848, ioredis#1318",
    needs: "connections that stay up and carry nothing for seconds",
    shown_in: "blackhole/dropped",
    plant: |start| {
        for limit in ["connect_timeout", "operation_timeout", "deadline"] {
            start.settings[limit] = json!("1h");
        }
        Box::new(Elsewhere)
    },
};

fn patched(start: &mut Start, table: &str, keys: &[(&str, Value)]) -> Box<dyn Wrong> {
    for (key, value) in keys {
        start.settings[table][*key] = value.clone();
    }
    Box::new(Elsewhere)
}
