//! Cuts what a client sends into commands: lists of strings, or inline commands, within Redis's own limits.
//!
//! Memory grows with the bytes that came, never with a length that was announced.

use std::ops::Range;

/// The longest string.
const BULK_MAX: i64 = 512 << 20;
/// The most elements of one command.
const ELEMENTS_MAX: i64 = 1 << 20;
/// The longest line: an inline command, or the head of a list or string.
const LINE_MAX: usize = 64 << 10;
/// The longest command in all; a client that sends more is cut off.
const QUERY_MAX: usize = 1 << 30;
/// What someone may send who has not authenticated: elements, and bytes of a string.
const UNAUTHENTICATED: (i64, i64) = (10, 16_384);

/// Why the connection must end, as Redis puts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

/// What is in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A command; [`Parser::argument`] gives its parts until the next call.
    Command,
    /// More bytes are needed.
    Incomplete,
}

/// The bytes that came and how far they are understood.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// What was received. Bytes may be appended at any time.
    pub(crate) buffer: Vec<u8>,
    /// What was taken as commands already.
    at: usize,
    /// Elements still to come of the list that is being read.
    missing: i64,
    /// The length of the string whose bytes are awaited.
    bulk: Option<usize>,
    arguments: Vec<Range<usize>>,
    /// The parts of an inline command, whose quotes are resolved.
    inline: Vec<Vec<u8>>,
    /// How far the current line was searched for its end.
    searched: usize,
}

impl Parser {
    /// Takes the next command out of the buffer.
    pub(crate) fn next(&mut self, authenticated: bool) -> Result<Next, Malformed> {
        if self.missing == 0 && self.bulk.is_none() {
            self.arguments.clear();
            self.inline.clear();
            self.compact();
        }
        loop {
            let found = if self.missing > 0 {
                self.element(authenticated)?
            } else {
                match self.buffer.get(self.at) {
                    None => None,
                    Some(b'*') => self.list(authenticated)?,
                    Some(_) => self.line_command()?,
                }
            };
            match found {
                None if self.buffer.len() - self.at > QUERY_MAX => return Err(Malformed(String::new())),
                None => return Ok(Next::Incomplete),
                Some(true) => return Ok(Next::Command),
                Some(false) => {}
            }
        }
    }

    /// The command that was found last.
    pub(crate) fn arguments<'a>(&'a self, into: &mut Vec<&'a [u8]>) {
        into.extend(self.arguments.iter().map(|range| &self.buffer[range.clone()]));
        into.extend(self.inline.iter().map(|part| &part[..]));
    }

    /// Whether nothing is begun, so that the buffer can go.
    pub(crate) fn is_idle(&self) -> bool {
        self.missing == 0 && self.bulk.is_none() && self.at == self.buffer.len()
    }

    /// Gives back the memory of a connection that is idle.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    /// Moves what is left to the front once the part taken is large; amortised, each byte moves once.
    fn compact(&mut self) {
        if self.at == self.buffer.len() {
            self.buffer.clear();
        } else if self.at >= 4096 && self.at * 2 >= self.buffer.len() {
            self.buffer.drain(..self.at);
        } else {
            return;
        }
        self.at = 0;
        self.searched = 0;
    }

    /// The head of a list. `Some(false)`: go on reading.
    fn list(&mut self, authenticated: bool) -> Result<Option<bool>, Malformed> {
        let Some(count) = self.head("too big mbulk count string")? else { return Ok(None) };
        let count = count.filter(|count| *count <= ELEMENTS_MAX);
        let count = count.ok_or_else(|| malformed("invalid multibulk length"))?;
        if count > UNAUTHENTICATED.0 && !authenticated {
            return Err(malformed("unauthenticated multibulk length"));
        }
        self.missing = count.max(0);
        Ok(Some(false))
    }

    /// One string of a list. `Some(true)`: it was the last.
    fn element(&mut self, authenticated: bool) -> Result<Option<bool>, Malformed> {
        let length = match self.bulk {
            Some(length) => length,
            None => {
                match self.buffer.get(self.at) {
                    None => return Ok(None),
                    Some(b'$') => {}
                    // A wrong kind shows only once its line is whole, as in Redis.
                    Some(other) => {
                        let other = char::from(*other);
                        let whole = self.line_end("too big bulk count string", b'\r')?;
                        return match whole {
                            Some(_) => Err(malformed(&format!("expected '$', got '{other}'"))),
                            None => Ok(None),
                        };
                    }
                }
                let Some(length) = self.head("too big bulk count string")? else { return Ok(None) };
                let length = length.filter(|length| (0..=BULK_MAX).contains(length));
                let length = length.ok_or_else(|| malformed("invalid bulk length"))?;
                if length > UNAUTHENTICATED.1 && !authenticated {
                    return Err(malformed("unauthenticated bulk length"));
                }
                let length = usize::try_from(length).unwrap_or(0);
                self.bulk = Some(length);
                length
            }
        };
        // The two bytes after a string are skipped unread, as Redis does.
        if self.buffer.len() - self.at < length + 2 {
            return Ok(None);
        }
        self.arguments.push(self.at..self.at + length);
        self.at += length + 2;
        self.searched = self.at;
        self.bulk = None;
        self.missing -= 1;
        Ok(Some(self.missing == 0))
    }

    /// A line such as `*3` or `$5`, taken: its number, if it is one.
    fn head(&mut self, too_long: &str) -> Result<Option<Option<i64>>, Malformed> {
        let Some(end) = self.line_end(too_long, b'\r')? else { return Ok(None) };
        let number = super::number::parse_int(&self.buffer[self.at + 1..end]);
        self.at = end + 2;
        self.searched = self.at;
        Ok(Some(number))
    }

    /// Where the current line ends, if it does; one byte follows if the end is a carriage return.
    fn line_end(&mut self, too_long: &str, ending: u8) -> Result<Option<usize>, Malformed> {
        let from = self.searched.max(self.at);
        let found = self.buffer[from..].iter().position(|byte| *byte == ending).map(|found| from + found);
        match found {
            Some(end) if ending == b'\n' || end + 1 < self.buffer.len() => Ok(Some(end)),
            Some(_) => Ok(None),
            None if self.buffer.len() - self.at > LINE_MAX => Err(malformed(too_long)),
            None => {
                self.searched = self.buffer.len();
                Ok(None)
            }
        }
    }

    fn line_command(&mut self) -> Result<Option<bool>, Malformed> {
        let Some(end) = self.line_end("too big inline request", b'\n')? else { return Ok(None) };
        let line = &self.buffer[self.at..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.inline = split_words(line).ok_or_else(|| malformed("unbalanced quotes in request"))?;
        self.at = end + 1;
        self.searched = self.at;
        Ok(Some(!self.inline.is_empty()))
    }
}

fn malformed(text: &str) -> Malformed {
    Malformed(format!("ERR Protocol error: {text}"))
}

/// The words of an inline command; `None` if a quote is not closed, or something follows it directly.
fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut rest) = (Vec::new(), line);
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        loop {
            match rest {
                [] => break,
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0 => break,
                [quote @ (b'"' | b'\''), after @ ..] => {
                    rest = quoted(after, *quote, &mut word)?;
                    if rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                        return None;
                    }
                    break;
                }
                [byte, after @ ..] => {
                    word.push(*byte);
                    rest = after;
                }
            }
        }
        words.push(word);
        if rest.first() == Some(&0) {
            return Some(words);
        }
    }
}

/// Reads up to the closing quote; gives what follows it.
fn quoted<'a>(mut rest: &'a [u8], quote: u8, word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match (quote, rest) {
            (_, []) => return None,
            (b'"', [b'\\', b'x', high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                word.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            (b'"', [b'\\', escaped, after @ ..]) => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest = after;
            }
            (b'\'', [b'\\', b'\'', after @ ..]) => {
                word.push(b'\'');
                rest = after;
            }
            (_, [byte, after @ ..]) if *byte == quote => return Some(after),
            (_, [byte, after @ ..]) => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(pieces: &[&[u8]]) -> Result<Vec<Vec<String>>, Malformed> {
        let (mut parser, mut found) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.buffer.extend_from_slice(piece);
            while parser.next(true)? == Next::Command {
                let mut arguments = Vec::new();
                parser.arguments(&mut arguments);
                found.push(arguments.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect());
            }
        }
        Ok(found)
    }

    #[test]
    fn commands_come_out_however_the_bytes_are_split() {
        let stream = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\nPING\r\n*0\r\n*-1\r\nSET a \"b \\x41\\n\" ''\n*1\r\n$0\r\n\r\n";
        let whole = commands(&[stream]).unwrap();
        assert_eq!(whole, [vec!["GET", "k"], vec!["PING"], vec!["SET", "a", "b A\n", ""], vec![""]]);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(commands(&single).unwrap(), whole);
    }

    #[test]
    fn what_is_malformed_is_refused_in_the_words_of_redis() {
        let long = "a".repeat(70_000);
        let cases = [
            ("*x\r\n", "invalid multibulk length"),
            ("*1048577\r\n", "invalid multibulk length"),
            ("*1\n$4\r\nPING\r\n", "invalid multibulk length"),
            ("*1\r\nx\r\n", "expected '$', got 'x'"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$536870913\r\n", "invalid bulk length"),
            ("get 'a\r\n", "unbalanced quotes in request"),
            ("get \"a\"b\r\n", "unbalanced quotes in request"),
            (&long, "too big inline request"),
        ];
        for (text, why) in cases {
            assert_eq!(commands(&[text.as_bytes()]), Err(malformed(why)), "{text:.20}");
        }
        let long = format!("*{long}");
        assert_eq!(commands(&[long.as_bytes()]), Err(malformed("too big mbulk count string")));
    }

    #[test]
    fn an_announced_length_takes_no_memory() {
        let mut parser = Parser::default();
        parser.buffer.extend_from_slice(b"*1048576\r\n$536870912\r\nabc");
        assert_eq!(parser.next(true), Ok(Next::Incomplete));
        assert!(parser.buffer.capacity() < 1000 && parser.arguments.capacity() < 100);
    }

    #[test]
    fn strangers_may_send_little() {
        for text in ["*11\r\n", "*1\r\n$16385\r\n"] {
            let mut parser = Parser::default();
            parser.buffer.extend_from_slice(text.as_bytes());
            assert!(parser.next(false).is_err_and(|error| error.0.contains("unauthenticated")));
        }
    }
}
