//! One connection through a link: joins two streams, and obeys what bends the link just now.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use squall_client::Time;
use tokio::time::Sleep;

use super::Shared;
use super::conversation::Conversation;
use super::pipe::{Next, Pipe};
use super::rules::Bends;
use super::stream::Stream;
use super::tls::Tls;
use super::way::{Passing, ResetBy, Side, Way};
use super::wire::readers;
use crate::history::{Event, Wire};

/// A live connection. However it comes to an end, its end is recorded, and unless both sides ended it in order, both are reset.
pub(super) struct Connection<C: Stream, U: Stream> {
    shared: Arc<Shared>,
    number: u32,
    client: C,
    upstream: Option<U>,
    up: Way,
    down: Way,
    /// The version of the rules that it follows.
    version: Option<u64>,
    conversation: Conversation,
    /// Where the subject speaks TLS, its end.
    tls: Option<Box<Tls>>,
    /// Whether a strike answers commands just now.
    answering: bool,
    opened: Time,
    /// Until when it carries nothing.
    quiet_until: Option<Time>,
    /// Whether a strike resets it at its first byte.
    resets: bool,
    spoke: bool,
    /// Whether it counts as open: until the subject has ended it, whatever Redis does.
    counts: bool,
    ended_first: Option<Side>,
    timer: Option<Pin<Box<Sleep>>>,
    closed: Option<&'static str>,
    in_order: bool,
}

impl<C: Stream, U: Stream> Connection<C, U> {
    /// A connection of the subject's. It is counted, if it `counts`, and recorded now, not when its task first runs.
    pub(super) fn open(client: C, tls: Option<Tls>, shared: Arc<Shared>, counts: bool) -> Self {
        let number = shared.opened.fetch_add(1, Ordering::SeqCst);
        shared.open.fetch_add(u64::from(counts), Ordering::SeqCst);
        let way = |source| Way {
            source,
            pipe: Pipe::default(),
            bends: Bends::default(),
            chance: None,
            source_ended: false,
            cut: false,
            done: false,
        };
        let connection = Self {
            number,
            client,
            upstream: None,
            up: way(Side::Subject),
            down: way(Side::Redis),
            version: None,
            conversation: Conversation::new(readers()),
            tls: tls.map(Box::new),
            answering: false,
            opened: shared.recorder.clock().now(),
            quiet_until: None,
            resets: false,
            spoke: false,
            counts,
            ended_first: None,
            timer: None,
            closed: None,
            in_order: false,
            shared,
        };
        connection.shared.record(number, Wire::Opened);
        connection
    }

    /// The how-many-eth it is.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Passes on until both sides have ended, or one is reset.
    pub(super) async fn run(mut self, upstream: impl Future<Output = io::Result<U>>) {
        match upstream.await {
            Ok(upstream) => self.upstream = Some(upstream),
            Err(error) => {
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                self.closed = Some(if refused { "redis: refused" } else { "redis: reset" });
                return;
            }
        }
        let outcome = std::future::poll_fn(|context| self.poll(context)).await;
        self.in_order = outcome.is_ok();
        self.closed = Some(match (outcome, self.ended_first) {
            (Ok(()), _) if self.down.cut => "world: end",
            (Ok(()), Some(Side::Redis)) => "redis: end",
            (Ok(()), Some(Side::Subject) | None) => "subject: end",
            (Err(ResetBy::Subject), _) => "subject: reset",
            (Err(ResetBy::Redis), _) => "redis: reset",
            (Err(ResetBy::Fault), _) => "world: reset",
        });
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ResetBy>> {
        // Before the rules are read, so that no change is missed.
        self.shared.wake_on_change(self.number, context.waker());
        self.follow_rules();
        let now = self.shared.recorder.clock().now();
        if self.quiet_until.is_some_and(|until| now < until) {
            self.wait(context, now);
            return Poll::Pending;
        }
        let Some(upstream) = &mut self.upstream else { return Poll::Ready(Err(ResetBy::Redis)) };
        let (shared, number, answering) = (&*self.shared, self.number, self.answering);
        let (conversation, tls) = (&mut self.conversation, self.tls.as_deref_mut());
        let version = self.version;
        let mut link = Passing { shared, number, now, answering, version, conversation, tls };
        loop {
            let reset = self.resets && !self.spoke;
            let up = self.up.step(context, &mut self.client, upstream, &mut link)?;
            self.spoke |= up.read;
            if reset && up.read {
                return Poll::Ready(Err(ResetBy::Fault));
            }
            if self.up.source_ended && std::mem::take(&mut self.counts) {
                shared.open.fetch_sub(1, Ordering::SeqCst);
            }
            while let Some(answer) = link.tls.as_mut().and_then(|tls| tls.answer()) {
                self.down.send(context, &answer, Vec::new(), &mut self.client, &mut link)?;
            }
            if let Some(answers) = link.conversation.own_answers() {
                self.down.pass(context, &[], answers, &mut self.client, &mut link)?;
            }
            let down = self.down.step(context, upstream, &mut self.client, &mut link)?;
            if self.ended_first.is_none() {
                let ended = [&self.up, &self.down].into_iter().find(|way| way.source_ended);
                self.ended_first = ended.map(|way| way.source);
            }
            if self.up.done && self.down.done {
                return Poll::Ready(Ok(()));
            }
            if !up.went_on && !down.went_on {
                break;
            }
        }
        self.wait(context, now);
        Poll::Pending
    }

    /// Waits for what comes out later.
    fn wait(&mut self, context: &mut Context<'_>, now: Time) {
        let due = [&self.up, &self.down].into_iter().filter_map(|way| match way.pipe.next(now, &way.bends) {
            Next::Later(time) => Some(time),
            Next::Due(_) | Next::Nothing => None,
        });
        let Some(due) = self.quiet_until.filter(|until| now < *until).or(due.min()) else {
            self.timer = None;
            return;
        };
        let instant = self.shared.recorder.clock().instant(due);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(instant)));
        if timer.deadline() != instant {
            timer.as_mut().reset(instant);
        }
        // Its time may have come since `now` was read; then the next poll, which is asked for at once, finds it due.
        if timer.as_mut().poll(context).is_ready() {
            self.timer = None;
            context.waker().wake_by_ref();
        }
    }

    fn follow_rules(&mut self) {
        let version = self.shared.version.load(Ordering::SeqCst);
        if self.version == Some(version) {
            return;
        }
        let rules = self.shared.rules();
        let chance = self.shared.chance;
        self.up.bends = rules.bends(chance, self.number, true);
        self.down.bends = rules.bends(chance, self.number, false);
        self.resets = rules.resets(chance, self.number);
        self.answering = !rules.answers.is_empty();
        self.quiet_until.get_or_insert(self.opened + rules.slow_accept(self.number));
        self.version = Some(rules.version);
    }
}

impl<C: Stream, U: Stream> Drop for Connection<C, U> {
    fn drop(&mut self) {
        if !self.in_order {
            self.client.reset_on_drop();
            if let Some(upstream) = &mut self.upstream {
                upstream.reset_on_drop();
            }
        }
        if self.counts {
            self.shared.open.fetch_sub(1, Ordering::SeqCst);
        }
        self.shared.forget(self.number);
        let failure = self.tls.as_ref().and_then(|tls| tls.failure());
        let by = failure.or(self.closed).unwrap_or("world: reset").to_owned();
        self.shared.recorder.record(Event::Wire {
            instance: self.shared.chance.instance,
            connection: self.number,
            what: Wire::Closed { by },
        });
    }
}
