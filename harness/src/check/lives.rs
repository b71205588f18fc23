//! Lives: the instances that had a number of the run one after the other. One that follows another knows nothing of what that one
//! knew but what Redis tells it, and what lies on disk, so to the checks it is another instance: they count lives, and a run in
//! which nobody crashes has as many as instances.

use std::fmt;

use super::faults::Faults;
use super::index::{Index, Moment, OperationId};
use super::reads::Look;
use crate::history::{End, Reader, ServedBy};

/// How long Redis must have been well again before an instance is told to end in order, so that it can bring to it what waits.
const A_MOMENT: u64 = 1_000_000_000;

/// An instance from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Its number in the run.
    pub(crate) instance: u16,
    /// How many had that number before.
    before: u16,
    /// When the one before it was gone; 0 for the first.
    pub(crate) from: u64,
    pub(crate) gone: Option<Gone>,
    /// What it had accepted locally by then it must have brought to Redis, or have on disk, when it was gone.
    brought_until: u64,
}

/// The end of a life in the middle of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    /// When the world was told to end it.
    pub(crate) asked: u64,
    /// When it was gone, and the entry that says so.
    pub(crate) at: Moment,
    how: End,
}

/// All lives of a run, named by their places. The first are those of the instances that the run began with.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    all: Vec<Life>,
    /// Who has each number just now; in the end, who had it last.
    now: Vec<u16>,
}

/// What a life is called: `instance-1`, or `instance-1 (restarted)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    instance: u16,
    before: u16,
}

impl Lives {
    /// Of a run that begins with so many instances.
    pub(crate) fn new(instances: u16) -> Self {
        let first = |instance| Life { instance, before: 0, from: 0, gone: None, brought_until: u64::MAX };
        Self { all: (0..instances).map(first).collect(), now: (0..instances).collect() }
    }

    /// Who has that number now; nobody, if the run has no such number.
    pub(crate) fn now(&self, instance: u16) -> Option<u16> {
        self.now.get(usize::from(instance)).copied()
    }

    /// Who had that number last.
    pub(crate) fn last(&self, instance: u16) -> u16 {
        self.now(instance).unwrap_or(instance)
    }

    /// Those who had that number, in order.
    pub(crate) fn of(&self, instance: u16) -> impl Iterator<Item = u16> {
        (0..).zip(&self.all).filter(move |(_, life)| life.instance == instance).map(|(place, _)| place)
    }

    /// The instance of that number is gone, and another will have the number.
    pub(crate) fn end(&mut self, instance: u16, asked: u64, at: Moment, how: End) {
        let (Some(old), Ok(new)) = (self.now(instance), u16::try_from(self.all.len())) else { return };
        let old = &mut self.all[usize::from(old)];
        old.gone = Some(Gone { asked, at, how });
        let before = old.before.saturating_add(1);
        self.all.push(Life { instance, before, from: at.t, gone: None, brought_until: u64::MAX });
        self.now[usize::from(instance)] = new;
    }

    /// Finds what each must have brought before it was gone, when everything is known. `settles` is how long what was accepted
    /// locally may take.
    pub(crate) fn arrange(&mut self, faults: &Faults, durable: bool, settles: u64) {
        for life in self.all.iter_mut().filter(|_| !durable) {
            let Some(Gone { asked, how, .. }) = life.gone else { continue };
            let healed = faults.over_before(life.instance, asked).unwrap_or(0);
            // It could reach Redis, and had been able to for long enough: who is told to end must bring at once what waits.
            let well_for = |time| healed == 0 || healed.saturating_add(time) < asked;
            life.brought_until = match how {
                End::Orderly if well_for(settles.min(A_MOMENT)) => u64::MAX,
                End::Killed if well_for(settles) => asked.saturating_sub(settles),
                End::Orderly | End::Killed => 0,
            };
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.all.len()).unwrap_or(u16::MAX)
    }

    /// Every one, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u16, &Life)> {
        (0..).zip(&self.all)
    }

    /// The life of that name.
    pub(crate) fn get(&self, life: u16) -> Option<&Life> {
        self.all.get(usize::from(life))
    }

    /// How it ended in the middle of the run, if it did.
    pub(crate) fn gone(&self, life: u16) -> Option<Gone> {
        self.get(life)?.gone
    }

    /// What it is called.
    pub(crate) fn who(&self, life: u16) -> Who {
        self.get(life).map_or(Who { instance: life, before: 0 }, |life| Who {
            instance: life.instance,
            before: life.before,
        })
    }
}

impl Life {
    /// Whether it may have taken with it what it had accepted locally at `t`.
    pub(crate) fn may_take_along(&self, t: u64) -> bool {
        self.gone.is_some() && t >= self.brought_until
    }

    /// What it had accepted locally before this must have outlived it.
    pub(crate) fn brought_until(&self) -> u64 {
        self.brought_until
    }

    /// Whether it lasted into the time from `from` to `to`.
    pub(crate) fn meets(&self, from: u64, to: u64) -> bool {
        self.from <= to && self.gone.is_none_or(|gone| from <= gone.at.t)
    }
}

/// What the checks ask about lives.
impl Index<'_> {
    /// How many instances the run had, those that followed others counted.
    pub(crate) fn instances(&self) -> usize {
        usize::from(self.lives.count())
    }

    /// What this instance is called.
    pub(crate) fn who(&self, instance: impl TryInto<u16>) -> Who {
        self.lives.who(instance.try_into().unwrap_or(u16::MAX))
    }

    /// Who looked: of the instances that had the number one after the other, the last.
    pub(crate) fn reader(&self, look: &Look) -> Reader {
        match look.reader {
            Reader::Instance(number) => Reader::Instance(self.lives.last(number)),
            Reader::Fresh | Reader::Redis => look.reader,
        }
    }

    /// How this instance ended in the middle of the run, if it did.
    pub(crate) fn gone(&self, instance: u16) -> Option<Gone> {
        self.lives.gone(instance)
    }

    /// When the last entry was recorded that tells of this instance.
    pub(crate) fn over_of(&self, instance: u16) -> u64 {
        self.gone(instance).map_or(self.over, |gone| gone.asked)
    }

    /// What this instance had accepted locally before this must have outlived it.
    pub(crate) fn brought_until(&self, instance: u16) -> u64 {
        self.lives.get(instance).map_or(u64::MAX, Life::brought_until)
    }

    /// Whether what this operation wrote may have gone with the instance that had accepted it.
    pub(crate) fn may_be_taken_along(&self, id: OperationId) -> bool {
        let operation = self.operation(id);
        let life = self.lives.get(operation.instance);
        let kept_back = operation.served_by() == Some(ServedBy::Local);
        let end = operation.end.map_or(u64::MAX, |end| end.t);
        kept_back && life.is_some_and(|life| life.may_take_along(end))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instance-{}", self.instance)?;
        match self.before {
            0 => Ok(()),
            1 => f.write_str(" (restarted)"),
            times => write!(f, " (restarted {times} times)"),
        }
    }
}
