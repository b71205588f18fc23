//! The values that writes carry: no two writes carry the same, and a read can tell whose it sees, byte for byte.
//!
//! A value is JSON, `{"w":"0-17","s":"s17","pad":"..."}`: the write, the session that it was written for, and as many letters as
//! make it the wanted size. The letters follow from write and session, so none can be swapped unseen.

use std::collections::HashSet;

use bytes::Bytes;

use crate::history::{SessionId, ValueSeen, Write};
use crate::seed::mix;

/// The smallest size of a value in bytes: names of any length fit.
pub const MIN_SIZE: u32 = 64;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The value of `write` for `session`, `size` bytes of it, or [`MIN_SIZE`] where that is more.
pub fn value(write: Write, session: SessionId, size: u32) -> Bytes {
    let size = usize::try_from(size.max(MIN_SIZE)).unwrap_or(usize::MAX);
    build(write, session, size).into()
}

/// What a read brought back. `intact` says that every byte is as the write that it names wrote it.
pub fn seen(bytes: &[u8]) -> ValueSeen {
    let write = field(bytes, b"\"w\"").and_then(|text| text.parse().ok());
    let session = field(bytes, b"\"s\"").and_then(|text| text.parse().ok());
    let intact = match (write, session) {
        (Some(write), Some(session)) => {
            bytes.len() >= MIN_SIZE as usize && build(write, session, bytes.len()) == bytes
        }
        _ => false,
    };
    ValueSeen { write, session, intact }
}

/// The first of the letters that make a value its size: whatever form of data a value is put in, they stand there as they are.
pub type Mark = [u8; 10];

/// The mark of the value of `write` for `session`.
pub fn mark(write: Write, session: SessionId) -> Mark {
    ten(mix(first_word(write, session)))
}

/// Whether one of these values can be read somewhere in `bytes`.
pub fn shows(bytes: &[u8], marks: &HashSet<Mark>) -> bool {
    bytes.windows(size_of::<Mark>()).any(|window| marks.contains(window))
}

fn build(write: Write, session: SessionId, size: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(size);
    value.extend_from_slice(format!("{{\"w\":\"{write}\",\"s\":\"{session}\",\"pad\":\"").as_bytes());
    let letters = size.saturating_sub(value.len() + 2);
    let mut word = first_word(write, session);
    let mut left = letters;
    while left > 0 {
        word = mix(word);
        let ten = ten(word);
        let taken = left.min(ten.len());
        value.extend_from_slice(&ten[..taken]);
        left -= taken;
    }
    value.extend_from_slice(b"\"}");
    value
}

/// Where the letters begin.
fn first_word(write: Write, session: SessionId) -> u64 {
    mix(mix(u64::from(write.instance) ^ write.number) ^ u64::from(session.0))
}

/// Ten letters, of six bits of the word each.
fn ten(word: u64) -> [u8; 10] {
    std::array::from_fn(|index| LETTERS[((word >> (6 * index)) & 63) as usize])
}

/// The string that follows `name` and a colon, with blanks or without: a client may write JSON in its own way.
fn field<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let start = bytes.windows(name.len()).position(|window| window == name)? + name.len();
    let rest = bytes.get(start..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = rest.iter().take(64).position(|byte| *byte == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WRITE: Write = Write { instance: 3, number: 17 };

    #[test]
    fn the_longest_names_fit_into_the_smallest_value() {
        let write = Write { instance: u16::MAX, number: u64::MAX };
        let value = value(write, SessionId(u32::MAX), 0);
        assert_eq!(value.len(), MIN_SIZE as usize);
        assert!(seen(&value).intact);
    }

    #[test]
    fn a_cut_value_still_says_whose_it_was() {
        let whole = value(WRITE, SessionId(5), 200);
        let cut = seen(&whole[..100]);
        assert_eq!(cut, ValueSeen { write: Some(WRITE), session: Some(SessionId(5)), intact: false });
        assert_eq!(seen(&whole[..9]).write, None);
    }

    #[test]
    fn bytes_from_elsewhere_are_nobodys() {
        for bytes in [&b""[..], b"{}", b"\"w\"", b"{\"w\":17}", b"\xff\xfe\"w\":\"\xff\"", b"null"] {
            assert_eq!(seen(bytes), ValueSeen { write: None, session: None, intact: false });
        }
    }

    #[test]
    fn json_written_with_blanks_names_the_write_but_is_not_what_was_written() {
        let spaced = seen(b"{\"w\": \"3-17\", \"s\": \"s5\", \"pad\": \"\"}");
        assert_eq!(spaced, ValueSeen { write: Some(WRITE), session: Some(SessionId(5)), intact: false });
    }

    #[test]
    fn a_value_shows_itself_in_any_form_of_data_and_another_does_not() {
        let marks = HashSet::from([mark(WRITE, SessionId(5)), mark(WRITE, SessionId(6))]);
        let plain = value(WRITE, SessionId(5), 200);
        let quoted = serde_json::to_vec(std::str::from_utf8(&plain).unwrap()).unwrap();
        let parts: serde_json::Value = serde_json::from_slice(&plain).unwrap();
        let letters = parts["pad"].as_str().unwrap().as_bytes();
        let (long, among) = (&[b"head", &plain[..], b"tail"].concat(), &[b"\xa3pad\xd9", letters].concat());
        for bytes in [&plain[..], &quoted, letters, long, among] {
            assert!(shows(bytes, &marks), "{}", String::from_utf8_lossy(bytes));
        }
        let other = value(WRITE, SessionId(7), 200);
        for bytes in [&other[..], &plain[..30], b"", b"{}"] {
            assert!(!shows(bytes, &marks), "{}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn a_value_has_its_size_is_json_and_is_recognised(
            instance: u16, number: u64, session: u32, size in 0u32..5000,
        ) {
            let write = Write { instance, number };
            let value = value(write, SessionId(session), size);
            prop_assert_eq!(value.len(), size.max(MIN_SIZE) as usize);
            let json: serde_json::Value = serde_json::from_slice(&value).unwrap();
            prop_assert_eq!(&json["w"], &write.to_string());
            let expected = ValueSeen { write: Some(write), session: Some(SessionId(session)), intact: true };
            prop_assert_eq!(seen(&value), expected);
        }

        #[test]
        fn one_changed_byte_is_noticed(size in 64u32..600, at: prop::sample::Index, by in 1u8..) {
            let mut value = value(WRITE, SessionId(5), size).to_vec();
            let at = at.index(value.len());
            value[at] = value[at].wrapping_add(by);
            prop_assert!(!seen(&value).intact);
        }

        #[test]
        fn any_bytes_are_looked_at_without_harm(bytes: Vec<u8>) {
            seen(&bytes);
        }
    }
}
