//! Where replies end in a stream of bytes, in RESP2 and RESP3.
//!
//! Nobody tells when the reply to a call is there whose caller has gone away, so the bytes themselves must.

/// A stream's replies, as far as they came.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
    /// Bytes of a string that are to come, the end of its line included.
    string: u64,
    /// How many parts those lack that have some, from the outside in.
    lack: Vec<u64>,
    /// This is no reply, so nothing ends any more.
    lost: bool,
}

impl Replies {
    /// Takes what came. If a reply ended within: how many bytes came after the last that did.
    pub(crate) fn came(&mut self, mut bytes: &[u8]) -> Option<usize> {
        let mut after = None;
        while !bytes.is_empty() && !self.lost {
            let (taken, ended) = if self.string > 0 { self.go_on(bytes) } else { self.read_line(bytes) };
            bytes = &bytes[taken..];
            if ended {
                after = Some(bytes.len());
            }
        }
        after
    }

    /// Goes on with a string. How many bytes are of it, and whether a reply ended with them.
    fn go_on(&mut self, bytes: &[u8]) -> (usize, bool) {
        let taken = usize::try_from(self.string).unwrap_or(usize::MAX).min(bytes.len());
        self.string -= taken as u64;
        (taken, self.string == 0 && self.part_ended())
    }

    /// Goes on with a line, as above.
    fn read_line(&mut self, bytes: &[u8]) -> (usize, bool) {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        let room = HEAD.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..taken.min(room)]);
        (taken, end.is_some() && self.line_ended())
    }

    fn line_ended(&mut self) -> bool {
        let number = self.line.get(1..).and_then(|text| std::str::from_utf8(text).ok());
        let number = number.and_then(|text| text.trim_end().parse::<i64>().ok());
        let kind = self.line[0];
        self.line.clear();
        // Less than 0 is null.
        let length = number.map(|number| u64::try_from(number).ok());
        match (kind, length) {
            (b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(', _) => self.part_ended(),
            (b'$' | b'!' | b'=', Some(Some(length))) => {
                self.string = length.saturating_add(2);
                false
            }
            (b'*' | b'~' | b'>', Some(Some(parts))) => self.parts(parts),
            (b'%', Some(Some(pairs))) => self.parts(pairs.saturating_mul(2)),
            // Attributes stand before what they are about.
            (b'|', Some(Some(pairs))) => self.parts(pairs.saturating_mul(2).saturating_add(1)),
            (b'$' | b'*', Some(None)) => self.part_ended(),
            _ => self.lose(),
        }
    }

    fn parts(&mut self, parts: u64) -> bool {
        if parts == 0 {
            return self.part_ended();
        }
        if self.lack.len() >= DEPTH {
            return self.lose();
        }
        self.lack.push(parts);
        false
    }

    /// A part has ended, and with it perhaps what it is the last part of. Whether that is the reply.
    fn part_ended(&mut self) -> bool {
        while let Some(lack) = self.lack.last_mut() {
            *lack -= 1;
            if *lack > 0 {
                return false;
            }
            self.lack.pop();
        }
        true
    }

    fn lose(&mut self) -> bool {
        self.lost = true;
        false
    }
}

/// What is kept of a line: room for its kind, and for the longest number.
const HEAD: usize = 32;
/// Deeper than any reply.
const DEPTH: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: [&str; 14] = [
        "+OK\r\n",
        "-ERR what\r\n",
        ":7\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "_\r\n",
        "$0\r\n\r\n",
        "$5\r\na\r\nb*\r\n",
        "*0\r\n",
        "*2\r\n*1\r\n$1\r\na\r\n:1\r\n",
        "%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n",
        "|1\r\n+a\r\n:1\r\n~1\r\n#t\r\n",
        ">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n",
        "=7\r\ntxt:abc\r\n",
    ];

    #[test]
    fn every_kind_of_reply_ends_where_it_ends_however_it_comes() {
        for size in [1, 2, 3, 7, 1000] {
            let mut replies = Replies::default();
            for text in EACH {
                let parts: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
                let (last, before) = parts.split_last().unwrap();
                assert!(before.iter().all(|part| replies.came(part).is_none()), "{text:?} by {size}");
                assert_eq!(replies.came(last), Some(0), "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn what_comes_after_the_last_end_is_counted() {
        let mut replies = Replies::default();
        let all = EACH.concat();
        assert_eq!(replies.came(format!("{all}$9\r\nabc").as_bytes()), Some(7));
        assert_eq!(replies.came(b"defghi\r\n+O"), Some(2));
        assert_eq!(replies.came(b"K"), None);
    }

    #[test]
    fn in_what_is_no_reply_nothing_ends() {
        let long = format!("${}\r\n", "9".repeat(100));
        let deep = "*1\r\n".repeat(200);
        for text in ["HTTP/1.1 400\r\n", "\r\n", "$\r\n", "$?\r\n", "*x\r\n", "%-1\r\n", &long, &deep] {
            let mut replies = Replies::default();
            assert_eq!(replies.came(text.as_bytes()), None, "{text:?}");
            assert_eq!(replies.came(b"+OK\r\n+OK\r\n"), None, "{text:?}");
        }
    }
}
