//! Reads along on the wire: RESP2, and RESP3 from the moment the subject asks for it. Decoding is the redis-protocol crate's.

use redis_protocol::resp2::decode::decode_range as decode_resp2;
use redis_protocol::resp2::types::RangeFrame;
use redis_protocol::resp3::decode::complete::decode_range as decode_resp3;
use redis_protocol::resp3::types::RangeFrame as Resp3;

use crate::history::{ReplyKind, Wire};

/// An unfinished message larger than this is not read along any more.
const MAX_UNFINISHED: usize = 8 * 1024 * 1024;

/// More nested or listed arrays than this in what is unfinished, and it is not read along: the decoder is recursive.
const MAX_ARRAYS: usize = 512;

/// The longest key that is recorded, in characters.
const MAX_KEY: usize = 200;

/// Decodes one direction of one connection.
pub(super) struct Decoder {
    upstream: bool,
    unfinished: Vec<u8>,
    garbled: bool,
}

impl Decoder {
    /// Of what the subject sends.
    pub(super) fn upstream() -> Self {
        Self { upstream: true, unfinished: Vec::new(), garbled: false }
    }

    /// Of what Redis sends.
    pub(super) fn downstream() -> Self {
        Self { upstream: false, ..Self::upstream() }
    }

    /// Takes what came, and records every message that is whole now.
    pub(super) fn take(&mut self, bytes: &[u8], record: &mut impl FnMut(Wire)) {
        if self.garbled {
            return;
        }
        self.unfinished.extend_from_slice(bytes);
        if arrays(&self.unfinished) > MAX_ARRAYS {
            return self.give_up(record);
        }
        let mut read = 0;
        loop {
            let rest = &self.unfinished[read..];
            let decoded = if rest.is_empty() { Ok(None) } else { self.decode(rest) };
            match decoded {
                Ok(Some((what, length))) => {
                    record(what);
                    read += length;
                }
                Ok(None) => break,
                Err(Garbled) => return self.give_up(record),
            }
        }
        self.unfinished.drain(..read);
        if self.unfinished.len() > MAX_UNFINISHED {
            self.give_up(record);
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<Option<(Wire, usize)>, Garbled> {
        if self.upstream { command(bytes) } else { reply(bytes) }
    }

    fn give_up(&mut self, record: &mut impl FnMut(Wire)) {
        self.garbled = true;
        self.unfinished = Vec::new();
        record(Wire::Garbled { upstream: self.upstream });
    }
}

struct Garbled;

/// How many array headers there are until the first byte that can be none, at most.
fn arrays(bytes: &[u8]) -> usize {
    let headers = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| matches!(line.first(), Some(b'*' | b'%' | b'~' | b'>' | b'|')));
    headers.take(MAX_ARRAYS + 1).count()
}

fn command(bytes: &[u8]) -> Result<Option<(Wire, usize)>, Garbled> {
    let Some((frame, length)) = decode_resp2(bytes).map_err(|_| Garbled)? else { return Ok(None) };
    let RangeFrame::Array(fields) = frame else { return Err(Garbled) };
    let fields: Vec<&[u8]> = fields
        .iter()
        .map(|field| match field {
            RangeFrame::BulkString((from, to)) => bytes.get(*from..*to).ok_or(Garbled),
            _ => Err(Garbled),
        })
        .collect::<Result<_, _>>()?;
    let name = text(fields.first().copied().ok_or(Garbled)?).to_ascii_uppercase();
    let key = key(&name, &fields).map(text);
    Ok(Some((Wire::Command { name, key }, length)))
}

/// The first key of a command. What else a command carries, a password say, is never recorded.
fn key<'a>(name: &str, fields: &[&'a [u8]]) -> Option<&'a [u8]> {
    match name {
        "EVAL" | "EVALSHA" | "FCALL" | "EVAL_RO" | "EVALSHA_RO" | "FCALL_RO" if fields.get(2)? != b"0" => {
            fields.get(3).copied()
        }
        "GET" | "SET" | "SETEX" | "PSETEX" | "SETNX" | "GETSET" | "GETDEL" | "GETEX" | "DEL" | "UNLINK"
        | "EXISTS" | "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" | "TTL" | "PTTL" | "PERSIST"
        | "INCR" | "INCRBY" | "DECR" | "DECRBY" | "MGET" | "MSET" | "HGET" | "HSET" | "HMGET" | "HMSET"
        | "HGETALL" | "HDEL" | "ZADD" | "ZREM" | "ZRANGE" | "ZRANGEBYSCORE" | "SADD" | "SREM"
        | "SMEMBERS" | "WATCH" | "TYPE" | "APPEND" | "STRLEN" => fields.get(1).copied(),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(MAX_KEY).collect()
}

/// RESP3's replies include those of RESP2, but for its two ways of writing a null.
fn reply(bytes: &[u8]) -> Result<Option<(Wire, usize)>, Garbled> {
    if let Some((RangeFrame::Null, length)) = decode_resp2(bytes).unwrap_or(None) {
        return Ok(Some((Wire::Reply { kind: ReplyKind::Null }, length)));
    }
    if let Some((frame, length)) = decode_resp2(bytes).unwrap_or(None) {
        let kind = match frame {
            RangeFrame::Error((from, to)) => error(bytes.get(from..to)),
            RangeFrame::Null => ReplyKind::Null,
            _ => ReplyKind::Value,
        };
        return Ok(Some((Wire::Reply { kind }, length)));
    }
    let Some((frame, length)) = decode_resp3(bytes).map_err(|_| Garbled)? else { return Ok(None) };
    let kind = match frame {
        Resp3::SimpleError { data: (from, to), .. } | Resp3::BlobError { data: (from, to), .. } => {
            error(bytes.get(from..to))
        }
        Resp3::Null => ReplyKind::Null,
        Resp3::Push { .. } => ReplyKind::Push,
        _ => ReplyKind::Value,
    };
    Ok(Some((Wire::Reply { kind }, length)))
}

/// An error's first word.
fn error(bytes: Option<&[u8]>) -> ReplyKind {
    let words = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    ReplyKind::Error(words.split_whitespace().next().unwrap_or_default().chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(mut decoder: Decoder, chunks: &[&[u8]]) -> Vec<Wire> {
        let mut seen = Vec::new();
        for chunk in chunks {
            decoder.take(chunk, &mut |what| seen.push(what));
        }
        seen
    }

    fn command(name: &str, key: Option<&str>) -> Wire {
        Wire::Command { name: name.to_owned(), key: key.map(str::to_owned) }
    }

    #[test]
    fn commands_are_named_with_their_first_key_however_they_are_cut() {
        let whole: &[u8] = b"*2\r\n$3\r\nget\r\n$2\r\ns1\r\n*5\r\n$7\r\nEVALSHA\r\n$3\r\nabc\r\n$1\r\n1\r\n$2\r\ns2\r\n$1\r\nx\r\n";
        let expected = [command("GET", Some("s1")), command("EVALSHA", Some("s2"))];
        assert_eq!(decode(Decoder::upstream(), &[whole]), expected);
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(decode(Decoder::upstream(), &bytes), expected);
    }

    #[test]
    fn a_password_is_not_recorded() {
        let auth: &[u8] = b"*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$6\r\nsecret\r\n";
        assert_eq!(decode(Decoder::upstream(), &[auth]), [command("AUTH", None)]);
    }

    #[test]
    fn replies_are_told_apart() {
        let replies: &[u8] = b"+OK\r\n$-1\r\n_\r\n-LOADING wait\r\n:1\r\n*1\r\n$1\r\na\r\n>2\r\n+a\r\n+b\r\n%1\r\n+k\r\n:1\r\n";
        let kinds = decode(Decoder::downstream(), &[replies]).into_iter().map(|what| match what {
            Wire::Reply { kind } => kind,
            other => panic!("{other:?}"),
        });
        let (value, null) = (ReplyKind::Value, ReplyKind::Null);
        let loading = ReplyKind::Error("LOADING".to_owned());
        let expected = [
            value.clone(),
            null.clone(),
            null,
            loading,
            value.clone(),
            value.clone(),
            ReplyKind::Push,
            value,
        ];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn garbage_huge_lengths_and_deep_nesting_end_the_reading_and_nothing_else() {
        assert_eq!(decode(Decoder::upstream(), &[b"hello\r\n", b"more"]), [Wire::Garbled { upstream: true }]);
        let (huge, filler) = (b"*1\r\n$536870912\r\n".as_slice(), vec![0; 1024 * 1024]);
        let chunks: Vec<&[u8]> = std::iter::once(huge).chain(std::iter::repeat_n(&filler[..], 9)).collect();
        assert_eq!(decode(Decoder::upstream(), &chunks), [Wire::Garbled { upstream: true }]);
        let deep = b"*1\r\n".repeat(100_000);
        assert_eq!(decode(Decoder::downstream(), &[&deep]), [Wire::Garbled { upstream: false }]);
        let just_allowed = b"*1\r\n".repeat(MAX_ARRAYS);
        assert_eq!(decode(Decoder::downstream(), &[&just_allowed]), []);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), upstream: bool) {
            let decoder = if upstream { Decoder::upstream() } else { Decoder::downstream() };
            decode(decoder, &[&bytes]);
        }
    }
}
