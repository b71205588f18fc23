//! Cuts a stream of bytes into RESP frames, in one pass and bounded memory.
//!
//! What it hands out is a shortened copy of each frame: of long strings only the beginning, of long lists only the first
//! elements, with their lengths rewritten to match. So a value of 512 MB costs a kilobyte, a reply of a million elements no
//! more, and no frame nests deeper than the recursive decoder bears.

/// How much of a string is kept.
const STRING_KEPT: u64 = 1024;
/// How many elements of each list are kept. Every command has its first key before that.
const ELEMENTS_KEPT: u64 = 16;
/// How deep frames may nest.
const DEPTH: usize = 16;
/// The longest line (a header, a simple string, an inline command), which is Redis's own bound.
const LINE: usize = 64 * 1024;
/// The most that is kept of a frame.
const FRAME: usize = 256 * 1024;
/// The longest string that Redis takes.
const STRING: u64 = 512 * 1024 * 1024;
/// The longest list that Redis takes.
const ELEMENTS: u64 = i32::MAX as u64;

/// The bytes are not RESP.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotResp;

/// Something that was cut out of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut<'a> {
    /// A frame, shortened.
    Frame(&'a [u8]),
    /// A line that is not a frame: an inline command, without its end.
    Inline(&'a [u8]),
}

/// Cuts one direction of a connection.
#[derive(Debug)]
pub(super) struct Cutter {
    inline: bool,
    expects: Expects,
    line: Vec<u8>,
    kept: Vec<u8>,
    open: Vec<List>,
    /// How much of what is fed just now comes after what was cut last.
    left: usize,
}

#[derive(Clone, Copy, Debug)]
enum Expects {
    Line,
    Body { left: u64, keep: u64 },
    BodyEnd { seen: usize },
}

/// A list whose elements are still to come.
#[derive(Clone, Copy, Debug)]
struct List {
    left: u64,
    keep: u64,
}

impl Cutter {
    /// Cuts frames; with `inline` also the inline commands that Redis takes from clients.
    pub(super) fn new(inline: bool) -> Self {
        let (line, kept, open) = Default::default();
        Self { inline, expects: Expects::Line, line, kept, open, left: 0 }
    }

    /// Whether the next byte begins something new.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.expects, Expects::Line) && self.line.is_empty() && self.open.is_empty()
    }

    /// Takes the next bytes and hands out what they complete, with how many of these bytes come after it. After an error
    /// nothing more can be cut.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Cut<'_>, usize) -> Result<(), NotResp>,
    ) -> Result<(), NotResp> {
        while !bytes.is_empty() {
            bytes = match self.expects {
                Expects::Line => self.line(bytes, &mut each)?,
                Expects::Body { left, keep } => self.body(bytes, left, keep),
                Expects::BodyEnd { seen } => self.body_end(bytes, seen, &mut each)?,
            };
        }
        Ok(())
    }

    fn line<'b>(
        &mut self,
        bytes: &'b [u8],
        each: &mut impl FnMut(Cut<'_>, usize) -> Result<(), NotResp>,
    ) -> Result<&'b [u8], NotResp> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.left = rest.len();
        self.line.extend_from_slice(part);
        if self.line.len() > LINE || !self.begins_well() {
            return Err(NotResp);
        }
        if end.is_none() {
            return Ok(rest);
        }
        let line = std::mem::take(&mut self.line);
        let content = line.strip_suffix(b"\r\n").ok_or(NotResp)?;
        match content.split_first() {
            Some((b'$' | b'=' | b'!', _)) => self.string(content, each)?,
            Some((b'*' | b'~' | b'>', _)) => self.list(content, 1, each)?,
            Some((b'%' | b'|', _)) => self.list(content, 2, each)?,
            Some((b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(', _)) => {
                self.keep(content)?;
                self.element_ends(each)?;
            }
            Some(_) => each(Cut::Inline(content), self.left)?,
            None if self.inline => {}
            None => return Err(NotResp),
        }
        self.line = line;
        self.line.clear();
        Ok(rest)
    }

    /// Whether the line that is being read can still become one, judged by its first byte.
    fn begins_well(&self) -> bool {
        match self.line.first() {
            Some(b'*') => true,
            Some(byte) if self.inline && self.open.is_empty() => byte.is_ascii_alphabetic() || *byte == b'\r',
            Some(byte) => b"$=!~>%|+-:_#,(".contains(byte),
            None => true,
        }
    }

    fn string(
        &mut self,
        header: &[u8],
        each: &mut impl FnMut(Cut<'_>, usize) -> Result<(), NotResp>,
    ) -> Result<(), NotResp> {
        let Some(length) = number(&header[1..], STRING)? else {
            self.keep(b"$-1")?;
            return self.element_ends(each);
        };
        let keep = if self.keeps() { length.min(STRING_KEPT) } else { 0 };
        self.header(header, length, keep)?;
        self.expects =
            if length == 0 { Expects::BodyEnd { seen: 0 } } else { Expects::Body { left: length, keep } };
        Ok(())
    }

    fn list(
        &mut self,
        header: &[u8],
        width: u64,
        each: &mut impl FnMut(Cut<'_>, usize) -> Result<(), NotResp>,
    ) -> Result<(), NotResp> {
        let Some(length) = number(&header[1..], ELEMENTS)? else {
            self.keep(b"*-1")?;
            return self.element_ends(each);
        };
        let keep = if self.keeps() { length.min(ELEMENTS_KEPT) } else { 0 };
        self.header(header, length, keep)?;
        // Attributes are followed by what they belong to: together they are one element.
        let follows = u64::from(header[0] == b'|');
        let list = List { left: length * width + follows, keep: keep * width + follows };
        if list.left == 0 {
            return self.element_ends(each);
        }
        if self.open.len() == DEPTH {
            return Err(NotResp);
        }
        self.open.push(list);
        Ok(())
    }

    fn body<'b>(&mut self, bytes: &'b [u8], left: u64, keep: u64) -> &'b [u8] {
        let take = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (part, rest) = bytes.split_at(take);
        let kept = usize::try_from(keep).map_or(take, |keep| keep.min(take));
        self.kept.extend_from_slice(&part[..kept]);
        let left = left - take as u64;
        self.expects = match left {
            0 => Expects::BodyEnd { seen: 0 },
            left => Expects::Body { left, keep: keep - kept as u64 },
        };
        rest
    }

    fn body_end<'b>(
        &mut self,
        bytes: &'b [u8],
        seen: usize,
        each: &mut impl FnMut(Cut<'_>, usize) -> Result<(), NotResp>,
    ) -> Result<&'b [u8], NotResp> {
        if bytes[0] != b"\r\n"[seen] {
            return Err(NotResp);
        }
        self.left = bytes.len() - 1;
        if seen == 0 {
            self.expects = Expects::BodyEnd { seen: 1 };
        } else {
            self.expects = Expects::Line;
            self.keep(b"")?;
            self.element_ends(each)?;
        }
        Ok(&bytes[1..])
    }

    /// Whether the element that begins or ends now is one that is kept.
    fn keeps(&self) -> bool {
        self.open.iter().all(|list| list.keep > 0)
    }

    /// Keeps a header, with the length that is kept.
    fn header(&mut self, header: &[u8], length: u64, keep: u64) -> Result<(), NotResp> {
        if length == keep {
            return self.keep(header);
        }
        let shortened = format!("{}{keep}", char::from(header[0]));
        self.keep(shortened.as_bytes())
    }

    fn keep(&mut self, line: &[u8]) -> Result<(), NotResp> {
        if self.keeps() {
            self.kept.extend_from_slice(line);
            self.kept.extend_from_slice(b"\r\n");
        }
        if self.kept.len() > FRAME { Err(NotResp) } else { Ok(()) }
    }

    fn element_ends(
        &mut self,
        each: &mut impl FnMut(Cut<'_>, usize) -> Result<(), NotResp>,
    ) -> Result<(), NotResp> {
        while let Some(list) = self.open.last_mut() {
            list.left -= 1;
            list.keep = list.keep.saturating_sub(1);
            if list.left > 0 {
                return Ok(());
            }
            self.open.pop();
        }
        each(Cut::Frame(&self.kept), self.left)?;
        self.kept.clear();
        Ok(())
    }
}

/// The length of a string or list; `None` for a null.
fn number(digits: &[u8], most: u64) -> Result<Option<u64>, NotResp> {
    if digits == b"-1" {
        return Ok(None);
    }
    let text = std::str::from_utf8(digits).map_err(|_| NotResp)?;
    let value: u64 = text.parse().map_err(|_| NotResp)?;
    if value > most { Err(NotResp) } else { Ok(Some(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_in(pieces: &[&[u8]], inline: bool) -> Result<Vec<String>, NotResp> {
        let (mut cutter, mut found) = (Cutter::new(inline), Vec::new());
        for piece in pieces {
            cutter.feed(piece, |cut, _| {
                found.push(match cut {
                    Cut::Frame(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Cut::Inline(bytes) => format!("inline {}", String::from_utf8_lossy(bytes)),
                });
                Ok(())
            })?;
        }
        Ok(found)
    }

    fn cut(bytes: &[u8]) -> Result<Vec<String>, NotResp> {
        cut_in(&[bytes], false)
    }

    const FRAMES: &[&str] = &[
        "+OK\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "$0\r\n\r\n",
        "*0\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n",
        "%1\r\n+a\r\n*2\r\n:1\r\n_\r\n",
        ">2\r\n+message\r\n$2\r\nhi\r\n",
        "|1\r\n+ttl\r\n:3\r\n$2\r\nhi\r\n",
    ];

    #[test]
    fn frames_come_out_as_they_were_however_the_bytes_are_split() {
        let stream = FRAMES.concat();
        assert_eq!(cut(stream.as_bytes()).unwrap(), FRAMES);
        let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(cut_in(&single, false).unwrap(), FRAMES);
    }

    #[test]
    fn each_cut_says_where_it_ends() {
        let (mut cutter, mut left) = (Cutter::new(true), Vec::new());
        let mut feed = |bytes: &[u8]| {
            cutter
                .feed(bytes, |_, after| {
                    left.push(after);
                    Ok(())
                })
                .unwrap();
            cutter.is_between()
        };
        assert!(!feed(b"PING\r\n*1\r\n$4\r\nPING\r\n*1\r\n"));
        assert!(feed(b"$2\r\nhi\r\nPING\r\n"));
        assert_eq!(left, [18, 4, 6, 0]);
    }

    #[test]
    fn a_long_string_costs_little_and_what_follows_it_is_found() {
        let mut stream = format!("*2\r\n$3\r\nGET\r\n${}\r\n", 5_000_000).into_bytes();
        stream.extend(std::iter::repeat_n(b'x', 5_000_000));
        stream.extend_from_slice(b"\r\n+OK\r\n");
        let mut cutter = Cutter::new(false);
        let mut sizes = Vec::new();
        for piece in stream.chunks(1000) {
            cutter
                .feed(piece, |frame, _| {
                    if let Cut::Frame(bytes) = frame {
                        sizes.push(bytes.len());
                        Ok(())
                    } else {
                        Err(NotResp)
                    }
                })
                .unwrap();
            assert!(cutter.kept.capacity() < 4096);
        }
        assert_eq!(sizes, [4 + 9 + 7 + 1024 + 2, 5]);
    }

    #[test]
    fn of_long_lists_the_first_elements_are_kept() {
        let list = format!("*1000\r\n{}+OK\r\n", "$1\r\nx\r\n".repeat(1000));
        let short = format!("*16\r\n{}", "$1\r\nx\r\n".repeat(16));
        assert_eq!(cut(list.as_bytes()).unwrap(), [short.as_str(), "+OK\r\n"]);
        let nested = format!("*20\r\n{}", "*2\r\n:1\r\n$1\r\nx\r\n".repeat(20));
        let short = format!("*16\r\n{}", "*2\r\n:1\r\n$1\r\nx\r\n".repeat(16));
        assert_eq!(cut(nested.as_bytes()).unwrap(), [short]);
    }

    #[test]
    fn what_is_no_resp_is_refused_at_once() {
        for text in [
            "HTTP/1.1 200 OK\r\n",
            "\x16\x03\x01",
            "$x\r\n",
            "$536870913\r\n",
            "*99999999999\r\n",
            "$1\r\nxyz",
            "*?\r\n",
            "+a\n",
        ] {
            assert_eq!(cut(text.as_bytes()), Err(NotResp), "{text}");
        }
        assert_eq!(cut("*1\r\n".repeat(100_000).as_bytes()), Err(NotResp));
        assert_eq!(cut(&[b'+'; LINE + 1]), Err(NotResp));
    }

    #[test]
    fn inline_commands_are_taken_from_clients_only() {
        assert_eq!(
            cut_in(&[b"PING\r\n\r\n*1\r\n$4\r\nPING\r\n"], true).unwrap(),
            ["inline PING", "*1\r\n$4\r\nPING\r\n"]
        );
        assert_eq!(cut(b"PING\r\n"), Err(NotResp));
        assert_eq!(cut_in(&[b"*1\r\nPING\r\n"], true), Err(NotResp));
    }
}
