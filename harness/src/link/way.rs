//! One direction of a connection through a link: reads, lets faults decide, writes.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use rand_chacha::ChaCha8Rng;
use squall_client::Time;
use tokio::io::ReadBuf;

use super::Shared;
use super::answers::Answers;
use super::conversation::{Conversation, Cut, Passage};
use super::pipe::{Next, Out, Pipe};
use super::rules::Bends;
use super::stream::Stream;
use super::tls::{Opened, Tls};
use crate::history::Wire;

const CHUNK: usize = 16 * 1024;

thread_local! {
    /// Where bytes are read to. They go on before anything else is read, so one is enough for all connections of a thread.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Subject,
    Redis,
}

/// Who reset the connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum ResetBy {
    Subject,
    Redis,
    Fault,
}

impl Side {
    fn is_subject(self) -> bool {
        matches!(self, Self::Subject)
    }

    pub(super) fn reset(self) -> ResetBy {
        match self {
            Self::Subject => ResetBy::Subject,
            Self::Redis => ResetBy::Redis,
        }
    }
}

/// One direction.
pub(super) struct Way {
    pub(super) source: Side,
    pub(super) pipe: Pipe,
    pub(super) bends: Bends,
    pub(super) chance: Option<ChaCha8Rng>,
    pub(super) source_ended: bool,
    /// Whether a fault ended it.
    pub(super) cut: bool,
    pub(super) done: bool,
}

/// What a step of one direction needs to know of its connection.
pub(super) struct Passing<'a> {
    pub(super) shared: &'a Shared,
    pub(super) number: u32,
    pub(super) now: Time,
    pub(super) answering: bool,
    /// The version of the rules that it follows.
    pub(super) version: Option<u64>,
    pub(super) conversation: &'a mut Conversation,
    pub(super) tls: Option<&'a mut Tls>,
}

impl Passing<'_> {
    /// What bends the way of what was just read from that side, if the rules have changed since they were followed: what was sent
    /// after a strike began must not pass as before it.
    fn changed(&mut self, source: Side) -> Option<Bends> {
        if self.version == Some(self.shared.version.load(Ordering::SeqCst)) {
            return None;
        }
        let (shared, number) = (self.shared, self.number);
        let rules = shared.rules();
        self.answering = !rules.answers.is_empty();
        Some(rules.bends(shared.chance, number, source.is_subject()))
    }

    /// What is to go on of bytes from that side.
    fn interpret(&mut self, source: Side, bytes: &[u8]) -> Passage {
        match source {
            Side::Subject if self.answering => {
                let mut rules = self.shared.rules();
                let mut answers = Answers { strikes: &mut rules.answers, chance: self.shared.chance };
                self.conversation.commands(bytes, Some(&mut answers))
            }
            Side::Subject => self.conversation.commands(bytes, None),
            Side::Redis => self.conversation.replies(bytes),
        }
    }

    fn record(&self, marks: Vec<Wire>) {
        marks.into_iter().for_each(|wire| self.shared.record(self.number, wire));
    }

    /// The end of TLS, where bytes from that side are to be decrypted, or encrypted.
    fn tls(&mut self, wanted: bool) -> Option<&mut Tls> {
        self.tls.as_deref_mut().filter(|_| wanted)
    }

    /// Lets bytes from that side out. Those of a handshake are ours.
    fn write(
        &mut self,
        source: Side,
        context: &mut Context<'_>,
        to: &mut impl Stream,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let ours = self.tls(source.is_subject()).and_then(|tls| tls.arrive(bytes.len()));
        ours.map_or_else(|| Pin::new(to).poll_write(context, bytes), |count| Poll::Ready(Ok(count)))
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    /// Whether anything went in or out, so that another step may do more.
    pub(super) went_on: bool,
    /// Whether bytes went in.
    pub(super) read: bool,
}

impl Way {
    pub(super) fn step(
        &mut self,
        context: &mut Context<'_>,
        from: &mut impl Stream,
        to: &mut impl Stream,
        link: &mut Passing<'_>,
    ) -> Result<Step, ResetBy> {
        let mut step = Step { went_on: self.deliver(context, to, link)?, read: false };
        if self.source_ended {
            return Ok(step);
        }
        let waits = link.tls(!self.source.is_subject()).is_some_and(|tls| tls.waits());
        if waits || !self.pipe.has_room() {
            // Without this a reset would go unnoticed while the target takes nothing.
            return match from.poll_broken(context) {
                Poll::Ready(()) => Err(self.source.reset()),
                Poll::Pending => Ok(step),
            };
        }
        let read = SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(from).poll_read(context, &mut buffer) {
                Poll::Pending => Ok(None),
                Poll::Ready(Err(_)) => Err(self.source.reset()),
                Poll::Ready(Ok(())) => self.take(context, buffer.filled(), to, link).map(Some),
            }
        })?;
        step.went_on |= read.is_some();
        step.read = read.is_some_and(|count| count > 0);
        Ok(step)
    }

    /// Takes what was read; nothing at all is the end.
    fn take(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        to: &mut impl Stream,
        link: &mut Passing<'_>,
    ) -> Result<usize, ResetBy> {
        if let Some(bends) = link.changed(self.source) {
            self.bends = bends;
        }
        if bytes.is_empty() {
            self.end(context, to, link)?;
        } else if let Some(tls) = link.tls(self.source.is_subject()) {
            let Opened { handshake, plain, ended } = tls.open(bytes);
            self.send(context, &bytes[..handshake], Vec::new(), to, link)?;
            if !plain.is_empty() {
                let passage = link.interpret(self.source, &plain);
                self.pass(context, &plain, passage, to, link)?;
            }
            if ended {
                self.end(context, to, link)?;
            }
        } else {
            let passage = link.interpret(self.source, bytes);
            self.pass(context, bytes, passage, to, link)?;
        }
        Ok(bytes.len())
    }

    /// Takes the end.
    fn end(
        &mut self,
        context: &mut Context<'_>,
        to: &mut impl Stream,
        link: &mut Passing<'_>,
    ) -> Result<(), ResetBy> {
        self.source_ended = true;
        if let Some(tls) = link.tls(self.source.is_subject()) {
            tls.end();
        }
        if let Some(goodbye) = link.tls(!self.source.is_subject()).map(Tls::goodbye) {
            self.send(context, &goodbye, Vec::new(), to, link)?;
        }
        self.pipe.end(link.now, &self.bends);
        Ok(())
    }

    /// Passes on what is to go on of `bytes`.
    pub(super) fn pass(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        passage: Passage,
        to: &mut impl Stream,
        link: &mut Passing<'_>,
    ) -> Result<(), ResetBy> {
        let Passage { bytes: others, mut marks, cut } = passage;
        // A command is recorded when it has left the subject, before anything that it causes; a reply when it reaches it.
        if self.source.is_subject() {
            link.record(std::mem::take(&mut marks));
        }
        let bytes = others.as_deref().unwrap_or(bytes);
        let sealed = link.tls(!self.source.is_subject()).map(|tls| tls.seal(bytes));
        self.send(context, sealed.as_deref().unwrap_or(bytes), marks, to, link)?;
        match cut {
            Some(Cut::Reset) => self.pipe.reset(link.now),
            Some(Cut::End) => {
                self.pipe.end(link.now, &Bends::default());
                self.pipe.cut();
                self.cut = true;
            }
            None => {}
        }
        Ok(())
    }

    /// Lets bytes out as they are, or has them wait for what is before them, and for what bends the way.
    pub(super) fn send(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        marks: Vec<Wire>,
        to: &mut impl Stream,
        link: &mut Passing<'_>,
    ) -> Result<(), ResetBy> {
        let mut rest = bytes;
        if self.pipe.is_empty() && self.bends.is_straight() && !bytes.is_empty() {
            match link.write(self.source, context, to, bytes) {
                Poll::Ready(Ok(count)) => rest = &bytes[count..],
                Poll::Ready(Err(_)) => return Err(self.target().reset()),
                Poll::Pending => {}
            }
        }
        if rest.is_empty() {
            link.record(marks);
        } else {
            let (chance, upstream) = (link.shared.chance, self.source.is_subject());
            let chance = self.chance.get_or_insert_with(|| chance.direction(link.number, upstream));
            self.pipe.push(link.now, rest, marks, &self.bends, chance);
        }
        Ok(())
    }

    /// Lets out what is due, as far as the target takes it. Returns whether anything came out.
    fn deliver(
        &mut self,
        context: &mut Context<'_>,
        to: &mut impl Stream,
        link: &mut Passing<'_>,
    ) -> Result<bool, ResetBy> {
        let mut any = false;
        while let Next::Due(what) = self.pipe.next(link.now, &self.bends) {
            let written = match what {
                Out::Bytes(bytes) => link.write(self.source, context, to, bytes),
                Out::End => Pin::new(&mut *to).poll_shutdown(context).map_ok(|()| 0),
                Out::Reset => return Err(ResetBy::Fault),
            };
            match written {
                Poll::Ready(Ok(count)) => {
                    self.done |= matches!(what, Out::End);
                    link.record(self.pipe.advance(count));
                    any = true;
                }
                Poll::Ready(Err(_)) => return Err(self.target().reset()),
                Poll::Pending => break,
            }
        }
        Ok(any)
    }

    fn target(&self) -> Side {
        match self.source {
            Side::Subject => Side::Redis,
            Side::Redis => Side::Subject,
        }
    }
}
