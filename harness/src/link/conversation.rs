//! The commands and replies of one connection: which reply belongs to which command, and what faults make of them. Pure.
//!
//! Replies come in the order of their commands. So a command that a fault answers itself is answered when everything before it
//! has been; and once a reply is lost, the connection must end: bytes are never missing on one that lives.

use std::collections::VecDeque;

use super::answers::{Answers, Decision};
use super::wire::Reader;
use crate::fault::Answer;
use crate::history::{ReplyKind, Wire};

/// The most that is kept of a command, or of a reply, to decide on it as a whole.
const KEPT: usize = 1024 * 1024;

/// Commands whose replies are expected at once at most; beyond it replies are no longer told apart.
const EXPECTED: usize = 65_536;

/// Commands that have several replies, or none.
const UNEVEN: [&str; 9] = [
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
    "MONITOR",
    "SYNC",
    "PSYNC",
];

/// What goes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passage {
    /// Bytes to pass on; `None` stands for those that came, unchanged.
    pub(super) bytes: Option<Vec<u8>>,
    /// What to record when they have arrived; of commands, at once.
    pub(super) marks: Vec<Wire>,
    /// How the connection is to end after them, if it is.
    pub(super) cut: Option<Cut>,
}

/// How a fault ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// In order, so that what went before arrives.
    End,
    /// By a reset.
    Reset,
}

/// A reply that is awaited.
#[derive(Debug)]
enum Expected {
    /// So many in a row, as Redis gives them.
    Plain(usize),
    /// One of Redis', to which a fault does something.
    Struck(Answer),
    /// One that a fault gives.
    Ours(String),
}

/// Follows both directions of one connection.
#[derive(Debug)]
pub(super) struct Conversation {
    commands: Reader,
    replies: Reader,
    expected: VecDeque<Expected>,
    count: usize,
    /// The beginning of a command that is not whole yet, kept back.
    command: Vec<u8>,
    /// The beginning of a reply that is not whole yet, kept back.
    reply: Vec<u8>,
    /// Whether the command that is coming in has been passed on in part, so that nothing can be decided on it.
    begun: bool,
    /// Whether replies can be told apart.
    even: bool,
}

impl Conversation {
    pub(super) fn new((commands, replies): (Reader, Reader)) -> Self {
        let (expected, command, reply) = Default::default();
        Self { commands, replies, expected, count: 0, command, reply, begun: false, even: true }
    }

    /// Takes bytes of the subject's. `answers` decides on each command that is whole.
    pub(super) fn commands(&mut self, bytes: &[u8], answers: Option<&mut Answers<'_>>) -> Passage {
        match answers {
            Some(answers) if self.even => self.decide(bytes, answers),
            Some(_) | None => self.pass_commands(bytes),
        }
    }

    fn pass_commands(&mut self, bytes: &[u8]) -> Passage {
        let mut marks = Vec::new();
        self.commands.read(bytes, |wire, _| marks.push(wire));
        let count = marks.iter().filter(|wire| matches!(wire, Wire::Command { .. })).count();
        self.follow(&marks);
        self.expect_plain(count);
        self.begun = !self.commands.is_between();
        let kept = std::mem::take(&mut self.command);
        let bytes = (!kept.is_empty()).then(|| [&kept, bytes].concat());
        Passage { bytes, marks, cut: None }
    }

    fn decide(&mut self, bytes: &[u8], answers: &mut Answers<'_>) -> Passage {
        let mut whole = Vec::new();
        self.commands.read(bytes, |wire, left| whole.push((wire, bytes.len() - left)));
        let (mut passage, mut out, mut from) = (Passage::default(), Vec::new(), 0);
        for (wire, to) in whole {
            self.command.extend_from_slice(&bytes[from..to]);
            from = to;
            let decision = match &wire {
                Wire::Command { name, key } if !self.begun => answers.decide(name, key.as_deref()),
                _ => None,
            };
            self.begun = false;
            let is_command = matches!(wire, Wire::Command { .. });
            self.follow(std::slice::from_ref(&wire));
            passage.marks.push(wire);
            let command = std::mem::take(&mut self.command);
            match decision {
                Some(Decision { mark, answer: Answer::Error(words) }) if self.even => {
                    passage.marks.push(mark);
                    self.expect(Expected::Ours(words));
                }
                Some(Decision { mark, answer }) if self.even => {
                    passage.marks.push(mark);
                    self.expect(Expected::Struck(answer));
                    out.extend_from_slice(&command);
                }
                Some(_) | None => {
                    self.expect_plain(usize::from(is_command));
                    out.extend_from_slice(&command);
                }
            }
        }
        self.command.extend_from_slice(&bytes[from..]);
        if self.begun || self.command.len() > KEPT || !self.even {
            self.begun = !self.commands.is_between();
            out.append(&mut self.command);
        }
        passage.bytes = Some(out);
        passage
    }

    /// Takes bytes of Redis'.
    pub(super) fn replies(&mut self, bytes: &[u8]) -> Passage {
        if self.even && self.expected.iter().any(|expected| !matches!(expected, Expected::Plain(_))) {
            return self.alter(bytes);
        }
        let mut marks = Vec::new();
        self.replies.read(bytes, |wire, _| marks.push(wire));
        for wire in &marks {
            self.arrived(wire);
        }
        Passage { bytes: None, marks, cut: None }
    }

    fn alter(&mut self, bytes: &[u8]) -> Passage {
        let mut whole = Vec::new();
        self.replies.read(bytes, |wire, left| whole.push((wire, bytes.len() - left)));
        let (mut passage, mut out, mut from) = (Passage::default(), Vec::new(), 0);
        for (wire, to) in whole {
            let push = !matches!(wire, Wire::Reply { .. }) || wire == Wire::Reply { kind: ReplyKind::Push };
            let struck = match self.expected.front() {
                Some(Expected::Struck(answer)) if !push => Some(answer.clone()),
                Some(_) | None => None,
            };
            self.reply.extend_from_slice(&bytes[from..to]);
            from = to;
            let mut reply = std::mem::take(&mut self.reply);
            match struck {
                Some(Answer::Drop) => passage.cut = Some(Cut::Reset),
                Some(Answer::Partial) => {
                    out.extend_from_slice(&reply[..reply.len() / 2]);
                    passage.cut = Some(Cut::End);
                }
                Some(Answer::Corrupt | Answer::Error(_)) | None => {
                    if struck.is_some() {
                        corrupt(&mut reply);
                    }
                    out.append(&mut reply);
                    self.arrived(&wire);
                    passage.marks.push(wire);
                    self.answer(&mut out, &mut passage.marks);
                }
            }
            if passage.cut.is_some() {
                passage.bytes = Some(out);
                return passage;
            }
        }
        self.reply.extend_from_slice(&bytes[from..]);
        let plain = !matches!(self.expected.front(), Some(Expected::Struck(_)));
        if plain || self.reply.len() > KEPT {
            out.append(&mut self.reply);
        }
        passage.bytes = Some(out);
        passage
    }

    /// The answers of our own whose turn it is.
    pub(super) fn own_answers(&mut self) -> Option<Passage> {
        if !self.even || !matches!(self.expected.front(), Some(Expected::Ours(_))) || !self.reply.is_empty() {
            return None;
        }
        let (mut out, mut marks) = (Vec::new(), Vec::new());
        self.answer(&mut out, &mut marks);
        Some(Passage { bytes: Some(out), marks, cut: None })
    }

    fn answer(&mut self, out: &mut Vec<u8>, marks: &mut Vec<Wire>) {
        while let Some(Expected::Ours(words)) = self.expected.front() {
            out.extend_from_slice(format!("-{words}\r\n").as_bytes());
            let word = words.split(' ').next().unwrap_or_default().to_owned();
            marks.push(Wire::Reply { kind: ReplyKind::Error(word) });
            self.expected.pop_front();
            self.count -= 1;
        }
    }

    /// A reply, or a push, went on.
    fn arrived(&mut self, wire: &Wire) {
        if !matches!(wire, Wire::Reply { kind } if *kind != ReplyKind::Push) {
            self.even &= !matches!(wire, Wire::Garbled { .. });
            return;
        }
        match self.expected.front_mut() {
            Some(Expected::Plain(more)) if *more > 1 => *more -= 1,
            Some(_) => drop(self.expected.pop_front()),
            // More replies than commands: whatever this is, it is not told apart any further.
            None => return self.give_up(),
        }
        self.count -= 1;
    }

    fn expect_plain(&mut self, count: usize) {
        if count == 0 || !self.even {
            return;
        }
        match self.expected.back_mut() {
            Some(Expected::Plain(more)) => *more += count,
            Some(_) | None => self.expected.push_back(Expected::Plain(count)),
        }
        self.counted(count);
    }

    fn expect(&mut self, expected: Expected) {
        self.expected.push_back(expected);
        self.counted(1);
    }

    fn counted(&mut self, count: usize) {
        self.count += count;
        if self.expected.len() > EXPECTED {
            self.give_up();
        }
    }

    /// Notices what makes replies and commands uneven.
    fn follow(&mut self, marks: &[Wire]) {
        let uneven = |wire: &Wire| match wire {
            Wire::Command { name, .. } => UNEVEN.contains(&name.as_str()),
            Wire::Garbled { .. } => true,
            _ => false,
        };
        if marks.iter().any(uneven) || self.commands.silences_replies() {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.even = false;
        self.expected = VecDeque::new();
        self.count = 0;
    }
}

/// Changes a byte of the first string in a reply that has one.
fn corrupt(reply: &mut [u8]) {
    let mut at = 0;
    while let Some(end) = reply[at..].iter().position(|byte| *byte == b'\n').map(|end| at + end + 1) {
        let header = std::str::from_utf8(&reply[at..end]).unwrap_or_default().trim_end();
        let length = header.strip_prefix(['$', '=']).and_then(|length| length.parse::<usize>().ok());
        if let Some(length) = length.filter(|length| *length > 0) {
            if let Some(byte) = reply.get_mut(end + length / 2) {
                *byte ^= 1;
            }
            return;
        }
        at = end;
    }
}

#[cfg(test)]
mod tests;
