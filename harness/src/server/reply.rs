//! Replies, and their bytes in both versions of the protocol.

use std::borrow::Cow;

use super::number::{float_text, push_int};

/// What a command answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// `+OK` and the like.
    Status(Cow<'static, [u8]>),
    /// `-ERR ...`, without the dash.
    Error(Cow<'static, [u8]>),
    /// A number.
    Int(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// Nothing, where a string could be.
    Null,
    /// Nothing, where a list could be.
    NullArray,
    /// A list.
    Array(Vec<Self>),
    /// Pairs; in RESP2 a list of twice the length.
    Map(Vec<(Self, Self)>),
    /// Members without an order; in RESP2 a list.
    Set(Vec<Self>),
    /// What was not asked for, such as a published message; in RESP2 a list.
    Push(Vec<Self>),
    /// A floating-point number; in RESP2 a string.
    Double(f64),
    /// Yes or no; in RESP2 a number.
    Bool(bool),
    /// A text for people; in RESP2 a string.
    Verbatim(String),
    /// Several replies to one command, or none.
    Several(Vec<Self>),
}

impl Reply {
    /// `+OK`.
    pub(crate) const OK: Self = Self::Status(Cow::Borrowed(b"OK"));

    /// A string reply of these bytes.
    pub(crate) fn bulk(bytes: &[u8]) -> Self {
        Self::Bulk(bytes.to_vec())
    }

    /// A string, or nothing.
    pub(crate) fn maybe(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::Null, Self::bulk)
    }

    /// A list of strings.
    pub(crate) fn bulks<B: AsRef<[u8]>>(items: impl IntoIterator<Item = B>) -> Self {
        Self::Array(items.into_iter().map(|item| Self::bulk(item.as_ref())).collect())
    }

    /// A count.
    pub(crate) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// 1 or 0.
    pub(crate) fn flag(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }

    /// An error of this text, which may quote what was sent: it stays on one line.
    pub(crate) fn error(text: impl Into<Vec<u8>>) -> Self {
        let mut text = text.into();
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        Self::Error(Cow::Owned(text))
    }

    /// Writes the reply at the end of `out`.
    pub(crate) fn encode(&self, resp3: bool, out: &mut Vec<u8>) {
        match self {
            Self::Status(text) => line(out, b'+', text),
            Self::Error(text) => line(out, b'-', text),
            Self::Int(value) => head(out, b':', *value),
            Self::Bulk(bytes) => string(out, bytes),
            Self::Null if resp3 => out.extend_from_slice(b"_\r\n"),
            Self::Null => out.extend_from_slice(b"$-1\r\n"),
            Self::NullArray if resp3 => out.extend_from_slice(b"_\r\n"),
            Self::NullArray => out.extend_from_slice(b"*-1\r\n"),
            Self::Array(items) => list(out, b'*', items, resp3),
            Self::Set(items) => list(out, if resp3 { b'~' } else { b'*' }, items, resp3),
            Self::Push(items) => list(out, if resp3 { b'>' } else { b'*' }, items, resp3),
            Self::Map(pairs) => {
                let width = if resp3 { 1 } else { 2 };
                let length = i64::try_from(pairs.len() * width).unwrap_or(i64::MAX);
                head(out, if resp3 { b'%' } else { b'*' }, length);
                for (key, value) in pairs {
                    key.encode(resp3, out);
                    value.encode(resp3, out);
                }
            }
            Self::Double(value) if resp3 => line(out, b',', float_text(*value).as_bytes()),
            Self::Double(value) => string(out, float_text(*value).as_bytes()),
            Self::Bool(value) if resp3 => line(out, b'#', if *value { b"t" } else { b"f" }),
            Self::Bool(value) => head(out, b':', i64::from(*value)),
            Self::Verbatim(text) if resp3 => {
                head(out, b'=', i64::try_from(text.len() + 4).unwrap_or(i64::MAX));
                out.extend_from_slice(b"txt:");
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Self::Verbatim(text) => string(out, text.as_bytes()),
            Self::Several(replies) => replies.iter().for_each(|reply| reply.encode(resp3, out)),
        }
    }
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn head(out: &mut Vec<u8>, kind: u8, value: i64) {
    out.push(kind);
    push_int(out, value);
    out.extend_from_slice(b"\r\n");
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, b'$', i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn list(out: &mut Vec<u8>, kind: u8, items: &[Reply], resp3: bool) {
    head(out, kind, i64::try_from(items.len()).unwrap_or(i64::MAX));
    items.iter().for_each(|item| item.encode(resp3, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_the_bytes_of_their_protocol() {
        let reply = Reply::Array(vec![
            Reply::Map(vec![(Reply::bulk(b"a"), Reply::Double(1.5))]),
            Reply::Set(vec![Reply::Bool(true), Reply::Null, Reply::NullArray]),
            Reply::Verbatim("x".to_owned()),
            Reply::error("ERR a\r\nb"),
        ]);
        let encoded = |resp3| {
            let mut out = Vec::new();
            reply.encode(resp3, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            encoded(false),
            "*4\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n*3\r\n:1\r\n$-1\r\n*-1\r\n$1\r\nx\r\n-ERR a  b\r\n"
        );
        assert_eq!(
            encoded(true),
            "*4\r\n%1\r\n$1\r\na\r\n,1.5\r\n~3\r\n#t\r\n_\r\n_\r\n=5\r\ntxt:x\r\n-ERR a  b\r\n"
        );
    }
}
