//! The lines of a backup, there and back.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::RestoreProblem;
use crate::core::encoding::{decode_record, encode_record};
use crate::core::record::Record;
use crate::core::version::Version;
use crate::limits;

/// A line after the first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A session.
    Session { id: String, record: Record },
    /// The last one: how many sessions came before it.
    End { sessions: u64 },
}

/// The first line.
pub(super) fn head(prefix: &str, unix_ms: u64) -> String {
    checked(format!("{NAME} {FORM} {} {unix_ms}", escaped(prefix)))
}

/// The line of a session.
pub(super) fn session(id: &str, record: &Record) -> String {
    checked(format!("session {} {}", escaped(id), STANDARD.encode(encode_record(id, record))))
}

/// The last line.
pub(super) fn end(sessions: u64) -> String {
    checked(format!("end {sessions}"))
}

/// The prefix that the first line names.
pub(super) fn read_head(line: &[u8]) -> Result<String, RestoreProblem> {
    let text = String::from_utf8_lossy(line);
    let form = text.strip_prefix(NAME).and_then(|rest| rest.strip_prefix(' '));
    let form = form.and_then(|rest| rest.split(' ').next()).ok_or(RestoreProblem::NoBackup)?;
    if form != FORM {
        let digits = !form.is_empty() && form.len() < 10 && form.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if digits { RestoreProblem::Newer(form.to_owned()) } else { RestoreProblem::NoBackup });
    }
    let fields: Vec<&str> = unchecked(line).ok_or(RestoreProblem::NoBackup)?.split(' ').collect();
    match fields[..] {
        [_, _, prefix, _] => unescaped(prefix).ok_or(RestoreProblem::NoBackup),
        _ => Err(RestoreProblem::NoBackup),
    }
}

/// What a line after the first says, if it is whole. `prefix` is that of the first.
pub(super) fn read(prefix: &str, line: &[u8]) -> Option<Line> {
    let fields: Vec<&str> = unchecked(line)?.split(' ').collect();
    match fields[..] {
        ["session", id, record] => {
            let id = unescaped(id).filter(|id| limits::id(prefix, id).is_ok())?;
            let record = decode_record(&id, &Bytes::from(STANDARD.decode(record).ok()?)).ok()?;
            // No client writes such a record; and what is dated so far ahead no write could overrule or let end.
            let written = record.value.version != Version::NEVER && record.creation != Version::NEVER;
            let latest = record.newest().unix_ms().max(record.expiry.unix_ms);
            (written && latest < LATEST_UNIX_MS).then_some(Line::Session { id, record })
        }
        ["end", sessions] => Some(Line::End { sessions: sessions.parse().ok()? }),
        _ => None,
    }
}

/// A line with its check and its end.
fn checked(mut line: String) -> String {
    let check = crc32c::crc32c(line.as_bytes());
    // A string takes all that is written to it.
    let _written = writeln!(line, " {check:08x}");
    line
}

/// A line without its check, if that is right.
fn unchecked(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line)).ok()?;
    let (text, check) = line.rsplit_once(' ')?;
    (check == format!("{:08x}", crc32c::crc32c(text.as_bytes()))).then_some(text)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c == ' ' || c.is_ascii_control() {
            let _written = write!(escaped, "%{:02X}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut unescaped = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        unescaped.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        unescaped.push_str(rest);
    }
    Some(unescaped)
}

const NAME: &str = "squall-backup";
const FORM: &str = "1";
/// In the year 2248.
const LATEST_UNIX_MS: u64 = 1 << 43;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::record::Change;

    fn record(payload: &[u8]) -> Record {
        let mut record = Record::default();
        let payload = Bytes::copy_from_slice(payload);
        record.apply(&Change::Create { payload, expires_unix_ms: 1_795_000_000_000 }, Version::new(7, 1, 2));
        record
    }

    proptest! {
        #[test]
        fn a_session_is_read_as_it_was_written(id in ".{1,40}", payload: Vec<u8>) {
            let line = session(&id, &record(&payload));
            prop_assert_eq!(line.matches('\n').count(), 1);
            let allowed = limits::id("session:", &id).is_ok();
            let expected = allowed.then(|| Line::Session { id, record: record(&payload) });
            prop_assert_eq!(read("session:", line.as_bytes()), expected);
        }

        #[test]
        fn any_prefix_is_read_as_it_was_written(prefix: String) {
            prop_assert_eq!(read_head(head(&prefix, 5).as_bytes()).unwrap(), prefix);
        }

        #[test]
        fn arbitrary_bytes_are_never_a_panic(bytes: Vec<u8>) {
            prop_assert!(read_head(&bytes).is_err());
            prop_assert_eq!(read("", &bytes), None);
        }
    }

    #[test]
    fn the_form_is_the_one_that_is_documented() {
        assert_eq!(head("session:", 1_795_000_000_000), "squall-backup 1 session: 1795000000000 6030fe73\n");
        let line = session("a b%", &record(b"value"));
        assert!(line.starts_with("session a%20b%25 c3ExO"), "{line}");
        assert_eq!(read("", end(3).as_bytes()), Some(Line::End { sessions: 3 }));
    }

    #[test]
    fn what_no_client_can_have_written_is_damaged() {
        let read = |record: &Record| read("", session("s", record).as_bytes());
        assert!(read(&record(b"x")).is_some());
        let (mut unwritten, mut uncreated) = (record(b"x"), record(b"x"));
        unwritten.value.version = Version::NEVER;
        uncreated.creation = Version::NEVER;
        let ahead = |expires_unix_ms, version| {
            let mut record = record(b"x");
            record.apply(&Change::Create { payload: Bytes::new(), expires_unix_ms }, version);
            record
        };
        let (long, late) = (ahead(1 << 43, Version::new(8, 1, 2)), ahead(9, Version::new(1 << 43, 1, 2)));
        for record in [unwritten, uncreated, long, late] {
            assert_eq!(read(&record), None, "{record:?}");
        }
    }

    #[test]
    fn every_changed_or_missing_byte_of_a_line_is_noticed() {
        for line in [session("s", &record(b"value")), end(12)] {
            let whole = read("", line.as_bytes());
            assert!(whole.is_some());
            // The last byte is the line's end, which the next line's beginning tells as well.
            for at in 0..line.len() - 1 {
                let mut changed = line.clone().into_bytes();
                changed[at] ^= 1;
                assert_eq!(read("", &changed), None, "{at}");
                assert_eq!(read("", &line.as_bytes()[..at]), None, "{at}");
            }
        }
    }

    #[test]
    fn what_is_no_backup_or_a_later_one_is_told_apart() {
        let problem = |line: &str| read_head(line.as_bytes()).unwrap_err().to_string();
        for foreign in
            ["", "\n", "REDIS0011", "squall-backup", "squall-backup 1 s 5 00000000\n", "squall-backup x y"]
        {
            assert!(problem(foreign).starts_with("this is no backup"), "{foreign}");
        }
        assert!(problem("squall-backup 2 whatever\n").contains("form 2"));
    }
}
