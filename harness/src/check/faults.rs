//! The faults of a history and their windows.

use crate::history::{Effect, Event, History};

/// A fault as it struck.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) number: u32,
    pub(crate) what: String,
    pub(crate) instances: Vec<u16>,
    pub(crate) effect: Effect,
    /// When the world was told to begin it.
    pub(crate) asked: u64,
    /// Since when it surely struck, and the entry that says so.
    pub(crate) on: (u64, usize),
    /// When the world was told to end it.
    pub(crate) asked_off: Option<u64>,
    /// Since when it surely no longer struck, and the entry that says so.
    pub(crate) off: Option<(u64, usize)>,
}

/// All faults of a history, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) all: Vec<Fault>,
    end: u64,
}

impl Fault {
    /// Whether it strikes this instance.
    pub(crate) fn strikes(&self, instance: u16) -> bool {
        self.instances.contains(&instance)
    }

    /// Since when it surely no longer struck; never, if it never ended.
    pub(crate) fn over(&self) -> u64 {
        self.off.map_or(u64::MAX, |(t, _)| t)
    }
}

impl Faults {
    pub(crate) fn new(history: &History) -> Self {
        let mut all: Vec<Fault> = Vec::new();
        for (entry, line) in history.entries.iter().enumerate() {
            let Event::Fault { fault, what, instances, on, asked, effect } = &line.e else { continue };
            if *on {
                all.push(Fault {
                    number: *fault,
                    what: what.clone(),
                    instances: instances.clone(),
                    effect: *effect,
                    asked: (*asked).min(line.t),
                    on: (line.t, entry),
                    asked_off: None,
                    off: None,
                });
            } else if let Some(begun) =
                all.iter_mut().find(|begun| begun.number == *fault && begun.off.is_none())
            {
                begun.asked_off = Some((*asked).min(line.t));
                begun.off = Some((line.t, entry));
            }
        }
        let end = all.iter().map(Fault::over).max().unwrap_or(0);
        Self { all, end }
    }

    /// H: the end of the last fault; 0 if there was none, and never if one did not end.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The end of the last fault that strikes this instance, if any does.
    pub(crate) fn end_for(&self, instance: u16) -> Option<u64> {
        self.all.iter().filter(|fault| fault.strikes(instance)).map(Fault::over).max()
    }

    /// When the first fault may have begun to strike.
    pub(crate) fn start(&self) -> Option<u64> {
        self.all.iter().map(|fault| fault.asked).min()
    }

    /// What Redis had acknowledged before this may be forgotten at `t`: the end of the last fault that loses data and may have
    /// begun by then; 0 if there was none.
    pub(crate) fn forgotten_before(&self, t: u64) -> u64 {
        let losses = self.all.iter().filter(|fault| fault.effect.loses_data && fault.asked <= t);
        losses.map(Fault::over).max().unwrap_or(0)
    }

    /// How far Redis's clock may have been off until `t`, in nanoseconds: an expiry that was set, kept or judged by it may be as
    /// much too early or too late for good.
    pub(crate) fn clock_off(&self, t: u64) -> u64 {
        let begun = self.all.iter().filter(|fault| fault.asked <= t);
        begun.fold(0, |sum, fault| sum.saturating_add(fault.effect.clock_off_ms.saturating_mul(1_000_000)))
    }

    /// Whether a fault may have struck this instance at some time from `from` to `to`.
    pub(crate) fn may_strike(&self, instance: u16, from: u64, to: u64) -> bool {
        self.all.iter().any(|fault| fault.strikes(instance) && fault.asked <= to && from <= fault.over())
    }

    /// The faults whose entries belong beside a witness that spans these entries.
    pub(crate) fn around(&self, from: usize, to: usize) -> Vec<&Fault> {
        let meanwhile = self
            .all
            .iter()
            .filter(|fault| fault.on.1 <= to && fault.off.is_none_or(|(_, entry)| entry >= from));
        let mut around: Vec<&Fault> = meanwhile.take(2).collect();
        if around.is_empty() {
            around.extend(self.all.iter().filter(|fault| fault.on.1 <= to).max_by_key(|fault| fault.off));
        }
        around
    }
}
