//! Reads what crosses the wire: bytes of one connection in, names of commands and kinds of replies out.
//!
//! No argument is read but the name and the first key, so no value and no password can reach a history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis_protocol::resp2::{decode::decode_range as decode2, types::RangeFrame as Frame2};
use redis_protocol::resp3::{decode::complete::decode_range as decode3, types::RangeFrame as Frame3};

use super::frames::{Cut, Cutter, NotResp};
use super::keys;
use crate::history::{ReplyKind, Wire};

/// The longest name of a command that is recorded.
const NAME: usize = 40;

/// The two readers of one connection: of what the subject sends, and of what Redis answers.
pub(super) fn readers() -> (Reader, Reader) {
    let dialect = Arc::<Dialect>::default();
    let reader =
        |upstream| Reader { upstream, cutter: Some(Cutter::new(upstream)), dialect: Arc::clone(&dialect) };
    (reader(true), reader(false))
}

/// Reads one direction of a connection. Memory is bounded whatever the bytes are.
#[derive(Debug)]
pub(super) struct Reader {
    upstream: bool,
    cutter: Option<Cutter>,
    dialect: Arc<Dialect>,
}

/// What was agreed on a connection.
#[derive(Debug, Default)]
struct Dialect {
    resp3: AtomicBool,
    /// The subject has asked for some replies not to be sent.
    silenced: AtomicBool,
}

impl Reader {
    /// Whether the next byte begins something new, as far as it can be known.
    pub(super) fn is_between(&self) -> bool {
        self.cutter.as_ref().is_some_and(Cutter::is_between)
    }

    /// Whether the subject has asked for some replies not to be sent.
    pub(super) fn silences_replies(&self) -> bool {
        self.dialect.silenced.load(Ordering::SeqCst)
    }

    /// Reads the next bytes and hands out what they complete, with how many of these bytes come after it. Bytes that are not
    /// RESP give one [`Wire::Garbled`], and from then on nothing.
    pub(super) fn read(&mut self, bytes: &[u8], mut each: impl FnMut(Wire, usize)) {
        let Some(cutter) = &mut self.cutter else { return };
        let (upstream, dialect) = (self.upstream, &*self.dialect);
        let read = cutter.feed(bytes, |cut, left| {
            let wire = match (cut, upstream) {
                (Cut::Frame(frame), true) => command(frame, dialect)?,
                (Cut::Inline(line), true) => inline(line, dialect),
                (Cut::Frame(frame), false) => reply(frame, &dialect.resp3)?,
                (Cut::Inline(_), false) => return Err(NotResp),
            };
            wire.into_iter().for_each(|wire| each(wire, left));
            Ok(())
        });
        if read.is_err() {
            self.cutter = None;
            each(Wire::Garbled { upstream }, 0);
        }
    }
}

fn command(frame: &[u8], dialect: &Dialect) -> Result<Option<Wire>, NotResp> {
    let Ok(Some((Frame2::Array(parts), _))) = decode2(frame) else { return Err(NotResp) };
    let parts = parts.iter().map(|part| match part {
        Frame2::BulkString(range) => at(frame, *range),
        Frame2::SimpleString(_) | Frame2::Error(_) | Frame2::Integer(_) | Frame2::Array(_) | Frame2::Null => {
            Err(NotResp)
        }
    });
    Ok(named(&parts.collect::<Result<Vec<_>, _>>()?, dialect))
}

fn inline(line: &[u8], dialect: &Dialect) -> Option<Wire> {
    let parts: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).collect();
    named(&parts, dialect)
}

/// The bytes of a frame that such a range means.
fn at(frame: &[u8], (start, end): (usize, usize)) -> Result<&[u8], NotResp> {
    frame.get(start..end).ok_or(NotResp)
}

/// An empty command is none: Redis answers nothing to it.
fn named(parts: &[&[u8]], dialect: &Dialect) -> Option<Wire> {
    let mut name = text(parts.first()?, NAME);
    name.make_ascii_uppercase();
    if name == "HELLO"
        && let Some(version) = parts.get(1)
    {
        dialect.resp3.store(*version == b"3", Ordering::SeqCst);
    }
    if name == "CLIENT" && parts.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"REPLY")) {
        dialect.silenced.store(true, Ordering::SeqCst);
    }
    let key = keys::first(&name, parts).map(|key| text(key, keys::LONGEST));
    Some(Wire::Command { name, key })
}

fn reply(frame: &[u8], resp3: &AtomicBool) -> Result<Option<Wire>, NotResp> {
    // A server that refuses HELLO 3 goes on in RESP2, so that is tried as well.
    let kind =
        if resp3.load(Ordering::SeqCst) { kind3(frame).or_else(|| kind2(frame)) } else { kind2(frame) };
    kind.map(|kind| Some(Wire::Reply { kind })).ok_or(NotResp)
}

fn kind2(frame: &[u8]) -> Option<ReplyKind> {
    let (parsed, _) = decode2(frame).ok()??;
    Some(match parsed {
        Frame2::Error(text) => error(at(frame, text).ok()?),
        Frame2::Null => ReplyKind::Null,
        Frame2::SimpleString(_) | Frame2::Integer(_) | Frame2::BulkString(_) | Frame2::Array(_) => {
            ReplyKind::Value
        }
    })
}

fn kind3(frame: &[u8]) -> Option<ReplyKind> {
    let (parsed, _) = decode3(frame).ok()??;
    Some(match parsed {
        Frame3::SimpleError { data, .. } | Frame3::BlobError { data, .. } => error(at(frame, data).ok()?),
        Frame3::Null => ReplyKind::Null,
        Frame3::Push { .. } => ReplyKind::Push,
        _ => ReplyKind::Value,
    })
}

fn error(message: &[u8]) -> ReplyKind {
    let word = message.trim_ascii_start().split(u8::is_ascii_whitespace).next().unwrap_or_default();
    ReplyKind::Error(text(word, NAME))
}

/// The first `most` characters.
fn text(bytes: &[u8], most: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(reader: &mut Reader, bytes: &[u8]) -> Vec<Wire> {
        let mut found = Vec::new();
        reader.read(bytes, |wire, _| found.push(wire));
        found
    }

    fn encoded(parts: &[&str]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", parts.len());
        parts.iter().for_each(|part| bytes.push_str(&format!("${}\r\n{part}\r\n", part.len())));
        bytes.into_bytes()
    }

    fn said(name: &str, key: Option<&str>) -> Wire {
        Wire::Command { name: name.to_owned(), key: key.map(str::to_owned) }
    }

    fn replied(kind: ReplyKind) -> Wire {
        Wire::Reply { kind }
    }

    #[test]
    fn commands_are_named_with_their_first_key() {
        let (mut up, _) = readers();
        let long = "k".repeat(500);
        for (parts, name, key) in [
            (vec!["get", "session:s1"], "GET", Some("session:s1")),
            (vec!["SET", "k", "v", "PX", "5"], "SET", Some("k")),
            (vec!["EVALSHA", "abc", "2", "k1", "k2", "arg"], "EVALSHA", Some("k1")),
            (vec!["EVAL", "return 1", "0", "arg"], "EVAL", None),
            (vec!["PING"], "PING", None),
            (vec!["GET", &long], "GET", Some(&long[..200])),
        ] {
            assert_eq!(read(&mut up, &encoded(&parts)), [said(name, key)]);
        }
        assert_eq!(read(&mut up, b"GET  session:s2\r\n"), [said("GET", Some("session:s2"))]);
    }

    #[test]
    fn no_password_is_ever_read() {
        let (mut up, _) = readers();
        for parts in [
            vec!["AUTH", "secret"],
            vec!["AUTH", "user", "secret"],
            vec!["HELLO", "3", "AUTH", "user", "secret"],
            vec!["CONFIG", "SET", "requirepass", "secret"],
        ] {
            let found = read(&mut up, &encoded(&parts));
            assert_eq!(found, [said(parts[0], None)]);
        }
        assert_eq!(read(&mut up, b"AUTH secret\r\n"), [said("AUTH", None)]);
    }

    #[test]
    fn replies_are_told_apart() {
        let (_, mut down) = readers();
        let found =
            read(&mut down, b"+OK\r\n$-1\r\n-LOADING Redis is loading\r\n:5\r\n*-1\r\n*1\r\n$1\r\nx\r\n");
        let loading = ReplyKind::Error("LOADING".to_owned());
        let kinds =
            [ReplyKind::Value, ReplyKind::Null, loading, ReplyKind::Value, ReplyKind::Null, ReplyKind::Value];
        assert_eq!(found, kinds.map(replied));
    }

    #[test]
    fn resp3_is_read_once_hello_asks_for_it() {
        let (mut up, mut down) = readers();
        read(&mut up, &encoded(&["HELLO", "3"]));
        let found = read(
            &mut down,
            b"%1\r\n$5\r\nproto\r\n:3\r\n_\r\n>2\r\n+invalidate\r\n_\r\n!3\r\nERR\r\n$-1\r\n",
        );
        let error = ReplyKind::Error("ERR".to_owned());
        assert_eq!(
            found,
            [ReplyKind::Value, ReplyKind::Null, ReplyKind::Push, error, ReplyKind::Null].map(replied)
        );
    }

    #[test]
    fn garbage_is_said_once_and_read_no_further() {
        let (mut up, mut down) = readers();
        assert_eq!(read(&mut up, b"\x16\x03\x01garbage"), [Wire::Garbled { upstream: true }]);
        assert_eq!(read(&mut up, &encoded(&["PING"])), []);
        assert_eq!(read(&mut down, b"HTTP/1.1 400 Bad Request\r\n"), [Wire::Garbled { upstream: false }]);
        let (mut up, _) = readers();
        assert_eq!(read(&mut up, b"*1\r\n:1\r\n"), [Wire::Garbled { upstream: true }]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20), text in "[*$%>~|+:_0-9a-z\r\n-]{0,200}") {
            let (mut up, mut down) = readers();
            for reader in [&mut up, &mut down] {
                read(reader, text.as_bytes());
                pieces.iter().for_each(|piece| { read(reader, piece); });
            }
        }
    }
}
