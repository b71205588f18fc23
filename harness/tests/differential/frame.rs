//! Replies as they came: cut out of the bytes without loss, and compared modulo what Redis leaves open.

use std::fmt;

/// One reply. Nothing is lost: two frames are equal exactly if their bytes are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Frame {
    /// A line of this kind: a status, an error, a number, a null.
    Line(u8, Vec<u8>),
    /// A string of this kind.
    Text(u8, Vec<u8>),
    /// A list of this kind.
    List(u8, Vec<Self>),
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(kind, line) => write!(f, "{}{}", char::from(*kind), line.escape_ascii()),
            Self::Text(kind, text) => write!(f, "{}\"{}\"", char::from(*kind), text.escape_ascii()),
            Self::List(kind, items) => {
                write!(f, "{}", char::from(*kind))?;
                f.debug_list().entries(items).finish()
            }
        }
    }
}

impl Frame {
    /// Cuts a frame off the front of the bytes; `None` if it is not whole.
    pub(crate) fn cut(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let (kind, line, rest) = (bytes[0], &bytes[1..end], &bytes[end + 2..]);
        let length = std::str::from_utf8(line).ok().and_then(|line| line.parse::<usize>().ok());
        match (kind, length) {
            (b'$' | b'=', Some(length)) => {
                let text = rest.get(..length)?.to_vec();
                Some((Self::Text(kind, text), rest.get(length + 2..)?))
            }
            (b'*' | b'~' | b'>' | b'%', Some(length)) => {
                let mut items = Vec::new();
                let mut rest = rest;
                for _ in 0..length * if kind == b'%' { 2 } else { 1 } {
                    let (item, after) = Self::cut(rest)?;
                    items.push(item);
                    rest = after;
                }
                Some((Self::List(kind, items), rest))
            }
            _ => Some((Self::Line(kind, line.to_vec()), rest)),
        }
    }

    /// Whether a transaction took the command.
    pub(crate) fn is_queued(&self) -> bool {
        *self == Self::Line(b'+', b"QUEUED".to_vec())
    }

    /// A number reply.
    fn number(&self) -> Option<i64> {
        match self {
            Self::Line(b':', digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// What two replies to a command may differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modulo {
    /// Nothing.
    Exact,
    /// The order of what is listed.
    Order,
    /// The order of pairs that are listed one after the other.
    PairOrder,
    /// The order within the second part: the first is a cursor.
    ScanOrder(usize),
    /// The server's own clock: some seconds.
    Time,
    /// Chance: only the kind and the length count.
    Shape,
}

/// How far clocks may be apart, in milliseconds or seconds as the reply counts.
const CLOCK: i64 = 10_000;

/// Whether two replies are the same as far as Redis says what they are. Error texts are those of Redis 7.0; others are compared
/// by their first word.
pub(crate) fn same(ours: &Frame, theirs: &Frame, modulo: Modulo, exact_errors: bool) -> bool {
    if let (Frame::Line(b'-', ours), Frame::Line(b'-', theirs), false) = (ours, theirs, exact_errors) {
        let code = |text: &[u8]| text.split(|byte| *byte == b' ').next().map(<[u8]>::to_vec);
        return code(ours) == code(theirs);
    }
    match modulo {
        Modulo::Exact => ours == theirs,
        Modulo::Order => sorted(ours, 1) == sorted(theirs, 1),
        Modulo::PairOrder => sorted(ours, 2) == sorted(theirs, 2),
        Modulo::ScanOrder(width) => scan_sorted(ours, width) == scan_sorted(theirs, width),
        Modulo::Time => match (ours.number(), theirs.number()) {
            (Some(ours), Some(theirs)) if ours >= 1000 => (ours - theirs).abs() <= CLOCK,
            _ => ours == theirs,
        },
        Modulo::Shape => shape(ours) == shape(theirs),
    }
}

/// Whether two replies to `EXEC` are the same, given what the replies in it are compared modulo.
pub(crate) fn same_transaction(ours: &Frame, theirs: &Frame, modulos: &[Modulo], exact_errors: bool) -> bool {
    match (ours, theirs) {
        (Frame::List(b'*', ours), Frame::List(b'*', theirs)) => {
            let pairs = ours.iter().zip(theirs).zip(modulos);
            ours.len() == theirs.len()
                && ours.len() == modulos.len()
                && pairs.into_iter().all(|((ours, theirs), modulo)| same(ours, theirs, *modulo, exact_errors))
        }
        _ => same(ours, theirs, Modulo::Exact, exact_errors),
    }
}

fn sorted(frame: &Frame, width: usize) -> Frame {
    let Frame::List(kind, items) = frame else { return frame.clone() };
    let width = if *kind == b'%' { 2 } else { width };
    let mut groups: Vec<_> = items.chunks(width).collect();
    groups.sort();
    Frame::List(*kind, groups.concat())
}

fn scan_sorted(frame: &Frame, width: usize) -> Frame {
    match frame {
        Frame::List(kind, parts) if parts.len() == 2 => {
            Frame::List(*kind, vec![parts[0].clone(), sorted(&parts[1], width)])
        }
        other => other.clone(),
    }
}

fn shape(frame: &Frame) -> (u8, usize) {
    match frame {
        Frame::Line(kind, _) | Frame::Text(kind, _) => (*kind, 0),
        Frame::List(kind, items) => (*kind, items.len()),
    }
}

#[test]
fn frames_are_cut_and_compared() {
    let bytes = b"*2\r\n$1\r\na\r\n:1\r\n%1\r\n+x\r\n_\r\n";
    let (first, rest) = Frame::cut(bytes).expect("whole");
    assert_eq!(
        first,
        Frame::List(b'*', vec![Frame::Text(b'$', b"a".to_vec()), Frame::Line(b':', b"1".to_vec())])
    );
    let (second, rest) = Frame::cut(rest).expect("whole");
    assert!(matches!(second, Frame::List(b'%', items) if items.len() == 2) && rest.is_empty());
    assert!(Frame::cut(b"$5\r\nabc").is_none() && Frame::cut(b"*2\r\n:1\r\n").is_none());
    let (turned, _) = Frame::cut(b"*2\r\n:1\r\n$1\r\na\r\n").expect("whole");
    assert!(same(&first, &turned, Modulo::Order, true) && !same(&first, &turned, Modulo::Exact, true));
}
