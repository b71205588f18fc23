//! The faults of a history and their windows.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::lives::Lives;
use crate::history::{Effect, Event};

/// A fault as it struck.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) number: u32,
    pub(crate) what: String,
    pub(crate) instances: Vec<u16>,
    /// The lives that it strikes, in order; known when all faults were taken.
    lives: Vec<u16>,
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
    /// The places of those that have not ended, by number, in the order in which they began.
    open: HashMap<u32, VecDeque<usize>>,
    windows: Windows,
    losses: Windows,
    /// Those that what replicas have does not outlive either.
    losses_for_good: Windows,
    /// When Redis's clock may have been put off, and how far by then in all.
    clock_off: Vec<(u64, u64)>,
    /// By number, then by life.
    by_number: BTreeMap<u16, Windows>,
    by_instance: BTreeMap<u16, Windows>,
}

/// Windows in the order in which they may have begun; each with the latest end so far.
#[derive(Clone, Debug, Default)]
struct Windows(Vec<(u64, u64)>);

impl Fault {
    /// Whether it strikes this instance.
    pub(crate) fn strikes(&self, instance: u16) -> bool {
        self.lives.binary_search(&instance).is_ok()
    }

    /// Since when it surely no longer struck; never, if it never ended.
    pub(crate) fn over(&self) -> u64 {
        self.off.map_or(u64::MAX, |(t, _)| t)
    }
}

impl Windows {
    fn new<'a>(faults: impl Iterator<Item = &'a Fault>) -> Self {
        let mut windows: Vec<(u64, u64)> = faults.map(|fault| (fault.asked, fault.over())).collect();
        windows.sort_unstable();
        let mut latest = 0;
        for (_, over) in &mut windows {
            latest = latest.max(*over);
            *over = latest;
        }
        Self(windows)
    }

    /// The latest end of those that may have begun by `t`.
    fn over(&self, t: u64) -> Option<u64> {
        let begun = self.0.partition_point(|(asked, _)| *asked <= t);
        begun.checked_sub(1).map(|last| self.0[last].1)
    }

    /// The start of the last that may have begun by `t`.
    fn begun(&self, t: u64) -> Option<u64> {
        let begun = self.0.partition_point(|(asked, _)| *asked <= t);
        begun.checked_sub(1).map(|last| self.0[last].0)
    }

    /// The end of them all.
    fn end(&self) -> Option<u64> {
        self.0.last().map(|(_, over)| *over)
    }
}

impl Faults {
    /// Takes the next entry, if it is of a fault.
    pub(crate) fn take(&mut self, event: &Event, t: u64, entry: usize) {
        let Event::Fault { fault, what, instances, on, asked, effect } = event else { return };
        let asked = (*asked).min(t);
        if *on {
            self.open.entry(*fault).or_default().push_back(self.all.len());
            self.all.push(Fault {
                number: *fault,
                what: what.clone(),
                instances: instances.clone(),
                lives: Vec::new(),
                effect: *effect,
                asked,
                on: (t, entry),
                asked_off: None,
                off: None,
            });
        } else if let Some(begun) = self.open.get_mut(fault).and_then(VecDeque::pop_front) {
            self.all[begun].asked_off = Some(asked);
            self.all[begun].off = Some((t, entry));
        }
    }

    /// Arranges them, when all were taken.
    pub(crate) fn arrange(&mut self) {
        self.windows = Windows::new(self.all.iter());
        self.losses = Windows::new(self.all.iter().filter(|fault| fault.effect.loses_data));
        let for_good = |fault: &&Fault| fault.effect.loses_data && !fault.effect.spares_replicas;
        self.losses_for_good = Windows::new(self.all.iter().filter(for_good));
        let steps = self.all.iter().filter(|fault| fault.effect.clock_off_ms > 0);
        let steps = steps.map(|fault| (fault.asked, fault.effect.clock_off_ms.saturating_mul(1_000_000)));
        self.clock_off = steps.collect();
        self.clock_off.sort_unstable();
        let mut sum = 0_u64;
        for (_, off) in &mut self.clock_off {
            sum = sum.saturating_add(*off);
            *off = sum;
        }
        self.by_number = windows_of(&self.all, |fault| &fault.instances);
    }

    /// Finds whom each strikes.
    pub(crate) fn strike(&mut self, lives: &Lives) {
        for fault in &mut self.all {
            let (asked, over) = (fault.asked, fault.over());
            let struck = lives
                .all()
                .filter(|(_, life)| fault.instances.contains(&life.instance) && life.meets(asked, over));
            fault.lives = struck.map(|(life, _)| life).collect();
        }
        self.by_instance = windows_of(&self.all, |fault| &fault.lives);
    }

    /// The end of the last fault on the instances of this number that may have begun before `t`.
    pub(crate) fn over_before(&self, number: u16, t: u64) -> Option<u64> {
        self.by_number.get(&number)?.over(t.checked_sub(1)?)
    }

    /// H: the end of the last fault; 0 if there was none, and never if one did not end.
    pub(crate) fn end(&self) -> u64 {
        self.windows.end().unwrap_or(0)
    }

    /// The end of the last fault that strikes this instance, if any does.
    pub(crate) fn end_for(&self, instance: u16) -> Option<u64> {
        self.by_instance.get(&instance).and_then(Windows::end)
    }

    /// When the first fault may have begun to strike.
    pub(crate) fn start(&self) -> Option<u64> {
        self.windows.0.first().map(|(asked, _)| *asked)
    }

    /// What Redis had acknowledged before this may be forgotten at `t`: the end of the last fault that loses data and may have
    /// begun by then; 0 if there was none.
    pub(crate) fn forgotten_before(&self, t: u64) -> u64 {
        self.losses.over(t).unwrap_or(0)
    }

    /// The same of what replicas had, too.
    pub(crate) fn forgotten_by_replicas_before(&self, t: u64) -> u64 {
        self.losses_for_good.over(t).unwrap_or(0)
    }

    /// When the last fault that loses data and may have begun by `t` may have begun; 0 if there was none.
    pub(crate) fn forgetting_from(&self, t: u64) -> u64 {
        self.losses.begun(t).unwrap_or(0)
    }

    /// How far Redis's clock may have been off until `t`, in nanoseconds: an expiry that was set, kept or judged by it may be as
    /// much too early or too late for good.
    pub(crate) fn clock_off(&self, t: u64) -> u64 {
        let begun = self.clock_off.partition_point(|(asked, _)| *asked <= t);
        begun.checked_sub(1).map_or(0, |last| self.clock_off[last].1)
    }

    /// Whether a fault may have struck this instance at some time from `from` to `to`.
    pub(crate) fn may_strike(&self, instance: u16, from: u64, to: u64) -> bool {
        let windows = self.by_instance.get(&instance);
        windows.and_then(|windows| windows.over(to)).is_some_and(|over| from <= over)
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

/// The windows of those whom faults strike, by whom.
fn windows_of(faults: &[Fault], struck: impl Fn(&Fault) -> &[u16]) -> BTreeMap<u16, Windows> {
    let mut by: BTreeMap<u16, Vec<&Fault>> = BTreeMap::new();
    for fault in faults {
        for one in struck(fault) {
            by.entry(*one).or_default().push(fault);
        }
    }
    by.into_iter().map(|(one, faults)| (one, Windows::new(faults.into_iter()))).collect()
}
