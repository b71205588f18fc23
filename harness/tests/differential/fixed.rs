//! What is not left to chance: malformed requests, subscriptions, short expiries, and counters of several clients.

use super::embedded::Embedded;
use super::frame::{Frame, Modulo, same};
use super::real::{self, Real};

/// Bytes that end a connection, and some that do not.
const REQUESTS: &[&[u8]] = &[
    b"*x\r\n",
    b"*1\r\nx\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$600000000\r\n",
    b"*2147483648\r\n",
    b"*1\n$4\r\nPING\r\n",
    b"*-5\r\n*0\r\n\r\nPING\r\nRESET\r\n",
    b"SET 'a\r\n",
    b"ECHO \"a\"b\r\n",
    b"ECHO \"\\x41\\n\\q\" \r\nECHO 'it\\'s'\r\nECHO \"\"\r\nRESET\r\n",
    b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\nRESET\r\n",
    b"PING\nQUIT\r\nPING\r\n",
    b"get\r\nclient\r\nclient foo\r\nclient setname\r\nscript exists\r\nfoo bar baz\r\nRESET\r\n",
    b"HELLO 4\r\nHELLO x\r\nHELLO 3 foo\r\nHELLO 2 AUTH a\r\nRESET\r\n",
];

#[test]
fn malformed_requests_are_refused_alike() {
    let Some(real) = Real::start() else { return };
    let embedded = Embedded::start(&real.version);
    let long = [vec![b'a'; 70_000], [b"*1".repeat(40_000), b"\r\n".to_vec()].concat()];
    let long_bulk = [b"*1\r\n$".to_vec(), vec![b'1'; 70_000]].concat();
    for request in REQUESTS.iter().copied().chain([&long[0][..], &long[1], &long_bulk]) {
        let theirs = real::exchange(&mut real.connect(), request);
        assert_eq!(embedded.exchange(request), theirs, "{:.60}", String::from_utf8_lossy(request));
    }
}

#[test]
fn subscriptions_are_answered_alike() {
    let Some(real) = Real::start() else { return };
    let embedded = Embedded::start(&real.version);
    let lines = "UNSUBSCRIBE\r\nPUNSUBSCRIBE a b\r\nSUBSCRIBE a b a\r\nPSUBSCRIBE a* b*\r\nPING\r\nPING x\r\nGET k\r\n\
                 UNSUBSCRIBE a c\r\nPUNSUBSCRIBE\r\nUNSUBSCRIBE\r\nGET k\r\nPUBSUB CHANNELS\r\nPUBSUB NUMSUB a b\r\n\
                 PUBSUB NUMPAT\r\nMULTI\r\nPUBLISH a b\r\nSUBSCRIBE c\r\nEXEC\r\nRESET\r\n";
    for hello in ["HELLO 2\r\n", "HELLO 3\r\n"] {
        let sent = format!("{hello}{lines}");
        let theirs = real::exchange(&mut real.connect(), sent.as_bytes());
        let ours = embedded.exchange(sent.as_bytes());
        for (ours, theirs) in ours.iter().zip(&theirs).skip(1) {
            let random_order = |frame: &Frame| matches!(frame, Frame::List(_, parts) if parts.len() == 3);
            assert!(ours == theirs || random_order(ours) && random_order(theirs), "{ours:?}\n{theirs:?}");
        }
        assert_eq!(ours.len(), theirs.len());
    }
}

/// Lines that depend on more than chance could draw, each list on a connection of its own.
const LINES: &[&[&str]] = &[
    &[
        "ACL SETUSER u on >p ~a* +get +set -@all +get",
        "ACL LIST",
        "ACL GETUSER u",
        "ACL SETUSER u +subscribe +eval",
        "ACL GETUSER nobody",
        "ACL CAT nothing",
        "ACL SETUSER u foo",
        "ACL SETUSER u +nothing",
        "ACL SETUSER u <wrong",
        "AUTH u x",
        "AUTH u p",
        "ACL WHOAMI",
        "GET a",
        "GET b",
        "SET a b",
        "PING",
        "SUBSCRIBE x",
        "EVAL \"return redis.pcall('get','b')\" 0",
        "EVAL \"return redis.call('set','a','b')\" 0",
        "EVAL \"return 1\" 1 b",
        "AUTH default x",
        "ACL WHOAMI",
        "ACL DELUSER default",
        "ACL DELUSER u nobody",
    ],
    &["CONFIG SET requirepass secret", "CONFIG GET requirepass", "ACL LIST", "RESET"],
    &["GET k", "PING", "HELLO 3", "AUTH wrong", "AUTH secret", "CONFIG SET requirepass \"\"", "GET k"],
    &[
        "CONFIG SET maxmemory 1",
        "SET k v",
        "GET k",
        "MULTI",
        "GET k",
        "EXEC",
        "EVAL \"return redis.call('set',KEYS[1],'v')\" 1 k",
        "EVAL \"redis.call('del',KEYS[1]) return redis.call('set',KEYS[1],'v')\" 1 k",
        "DEL k",
        "CONFIG SET maxmemory 0",
        "EXISTS k",
    ],
    &[
        "HELLO 3",
        "HSET h a 1",
        "ZADD z 1.5 m",
        "EVAL \"redis.setresp(3) return redis.call('hgetall','h')\" 0",
        "EVAL \"redis.setresp(3) return redis.call('zscore','z','m')\" 0",
        "EVAL \"redis.setresp(3) return redis.call('zscore','z','m').double * 2 == 3\" 0",
        "EVAL \"redis.setresp(3) return redis.call('get','none') == nil\" 0",
        "EVAL \"return redis.call('hgetall','h')\" 0",
        "EVAL \"return {double=2.5}\" 0",
        "EVAL \"return {map={a=1}}\" 0",
        "EVAL \"return {set={a=true}}\" 0",
        "EVAL \"redis.setresp(4)\" 0",
        "EVAL \"redis.setresp(3) return {true,false}\" 0",
    ],
    &[
        "EVAL \"return rawset(_G,'x',1)\" 0",
        "EVAL \"string.x = 1\" 0",
        "EVAL \"redis.call = nil\" 0",
        "EVAL \"return type(os)\" 0",
        "EVAL \"return {type(dofile)}\" 0",
        "EVAL \"return redis.call('set','a',{})\" 0",
        "EVAL \"return redis.call()\" 0",
        "EVAL \"return ('x'):rep(3)\" 0",
        "EVAL \"return {tostring(1e15),tostring(0.1),1e15,2^53}\" 0",
        "EVAL \"return redis.call('set','a',0.1)\" 0",
        "GET a",
        "EVAL \"return redis.call('incrby','n',3.0)\" 0",
        "EVAL \"return {pcall(error,{err='x'})}\" 0",
        "EVAL \"return {pcall(error,'x')}\" 0",
        "EVAL \"return {xpcall(function() error('x') end, function(e) return 'seen ' .. e end)}\" 0",
    ],
];

#[test]
fn lines_are_answered_alike() {
    let Some(real) = Real::start() else { return };
    let embedded = Embedded::start(&real.version);
    let mut differ = Vec::new();
    for lines in LINES {
        let sent = format!("{}\r\nRESET\r\n", lines.join("\r\n"));
        let theirs = real::exchange(&mut real.connect(), sent.as_bytes());
        let ours = embedded.exchange(sent.as_bytes());
        for ((line, ours), theirs) in lines.iter().zip(&ours).zip(&theirs) {
            // A greeting tells its own id.
            if !line.starts_with("HELLO") && !same(ours, theirs, Modulo::Exact, real.has_our_texts()) {
                differ.push(format!("{line}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
            }
        }
        assert_eq!(ours.len(), theirs.len(), "{lines:?}");
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn sums_are_rounded_alike() {
    let Some(real) = Real::start() else { return };
    let embedded = Embedded::start(&real.version);
    let mut lines = Vec::new();
    for (bits, offset) in (50..66u32).flat_map(|bits| (-3..=3i128).map(move |offset| (bits, offset))) {
        for first in [(1i128 << bits) + offset, -(1i128 << bits) + offset] {
            for by in ["0.5", "-0.5", "0.25", "-1.25", "10.75", "1.5", "3", "-3", "1e2", "0"] {
                lines.extend([format!("SET k {first}"), format!("INCRBYFLOAT k {by}")]);
                lines.push("INCRBYFLOAT k 0.5".to_owned());
            }
        }
    }
    let sent = format!("{}\r\nRESET\r\n", lines.join("\r\n"));
    let theirs = real::exchange(&mut real.connect(), sent.as_bytes());
    let ours = embedded.exchange(sent.as_bytes());
    assert_eq!((ours.len(), theirs.len()), (lines.len() + 1, lines.len() + 1));
    let pairs = lines.windows(2).zip(ours.windows(2).zip(theirs.windows(2)));
    let differ: Vec<_> = pairs.filter(|(_, (ours, theirs))| ours[1] != theirs[1]).take(5).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn short_expiries_end_alike() {
    let Some(real) = Real::start() else { return };
    let embedded = Embedded::start(&real.version);
    let mut stream = real.connect();
    embedded.set_time(super::time(&mut stream));
    let set: String = (0..20).map(|key| format!("SET k{key} v PX {}\r\n", 1 + key % 2 * 500_000)).collect();
    let set = format!("{set}SETEX s 1000 v\r\nPEXPIRE k1 1\r\nRESET\r\n");
    assert_eq!(embedded.exchange(set.as_bytes()), real::exchange(&mut stream, set.as_bytes()));
    let ended = |frames: &[Frame]| frames.first() == Some(&Frame::Line(b':', b"0".to_vec()));
    // Waits for the last to expire there, then moves the clock here.
    while !ended(&real::exchange(&mut stream, b"EXISTS k0 k1\r\nRESET\r\n")) {}
    embedded.set_time(super::time(&mut stream));
    let ask: String = (0..20).map(|key| format!("GET k{key}\r\n")).collect();
    let ask = format!("{ask}TTL s\r\nTTL k2\r\nTTL k3\r\nDEL k4\r\nRESET\r\n");
    assert_eq!(embedded.exchange(ask.as_bytes()), real::exchange(&mut stream, ask.as_bytes()));
}
