//! Whether the run says anything about the subject at all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::faults::Fault;
use super::gather::Twice;
use super::index::{Ending, Index, nanos};
use super::reads::Look;
use super::tally::not_judged;
use super::{Finding, Verdict, words};
use crate::history::{FinalRead, Reader, ServedBy};

/// The share of operations before the first fault that may be served locally: more, and Redis was not there.
const MOST_LOCAL: f64 = 0.1;

/// How long a world may take to begin or end a fault: a server that starts again takes a second, on a busy machine a few.
const LATE: Duration = Duration::from_secs(5);

/// Finds out whether the run is valid: its faults struck, it was clean before them, and everyone looked at the end.
pub(super) fn judge(index: &Index<'_>) -> Finding {
    let trouble = [faults, steady, twice, cut_short, finals].iter().find_map(|find| find(index));
    let title = "the run says something about the subject";
    let Some((says, entries)) = trouble else {
        if let Some(says) = struck_nothing(index) {
            return not_judged("run", title, Verdict::Unknown, says);
        }
        let says = "every fault struck, all was well before the first, and everyone looked at the end";
        let mut finding = not_judged("run", title, Verdict::Pass, says.to_owned());
        finding.judged = 1;
        return finding;
    };
    let witness = index.entries(entries);
    let finding = not_judged("run", title, Verdict::Invalid, says);
    Finding { judged: 1, broken: 1, witness, ..finding }
}

/// A fault on commands that met none: what the run is to show, it does not show.
fn struck_nothing(index: &Index<'_>) -> Option<String> {
    let idle = index
        .faults
        .all
        .iter()
        .find(|fault| fault.effect.strikes_commands && !index.struck.contains(&fault.number))?;
    Some(format!(
        "fault {} ({}) struck no command: this client sends none that its `match` means, or chance spared them all",
        idle.number, idle.what
    ))
}

type Trouble = Option<(String, Vec<usize>)>;

/// Every fault of the plan began and ended.
fn faults(index: &Index<'_>) -> Trouble {
    let begun: BTreeSet<u32> = index.faults.all.iter().map(|fault| fault.number).collect();
    if let Some(number) = (0..index.head.faults).find(|number| !begun.contains(number)) {
        return Some((
            format!("fault {number} of the plan never began, so the run does not show what it does"),
            Vec::new(),
        ));
    }
    if let Some(endless) = index.faults.all.iter().find(|fault| fault.off.is_none()) {
        let says = format!(
            "fault {} ({}) never ended, so nothing can be said of the recovery",
            endless.number, endless.what
        );
        return Some((says, vec![endless.on.1]));
    }
    index.faults.all.iter().find_map(late)
}

/// A fault that the world began or ended long after it was told to: the run is not the one that was planned.
fn late(fault: &Fault) -> Trouble {
    let (asked_off, off) = (fault.asked_off?, fault.off?);
    let began_after_its_end = fault.on.0 >= asked_off;
    if began_after_its_end || fault.on.0 - fault.asked > nanos(LATE) {
        let says = format!(
            "fault {} ({}) was to begin at {} and to end at {}, and began at {}: the world was too slow for the run to show \
             what the fault does",
            fault.number,
            fault.what,
            words::seconds(fault.asked),
            words::seconds(asked_off),
            words::seconds(fault.on.0),
        );
        return Some((says, vec![fault.on.1, off.1]));
    }
    (off.0 - asked_off > nanos(LATE)).then(|| {
        let says = format!(
            "fault {} ({}) was to end at {}, and ended at {}: the world was too slow for the run to show the recovery",
            fault.number,
            fault.what,
            words::seconds(asked_off),
            words::seconds(off.0),
        );
        (says, vec![fault.on.1, off.1])
    })
}

/// An operation that was invoked or returned more than once: which counts?
fn twice(index: &Index<'_>) -> Trouble {
    let Twice { id, what, entries } = index.twice.as_ref()?;
    Some((format!("operation {id} {what} twice"), entries.to_vec()))
}

/// Before any fault the subject must itself be well, or what comes later proves nothing.
fn steady(index: &Index<'_>) -> Trouble {
    let start = index.faults.start().unwrap_or(u64::MAX);
    let before = index.operations.iter().enumerate().take_while(|(_, operation)| operation.invoke.t < start);
    let (mut ended, mut local) = (0_u32, 0_u32);
    for (id, operation) in before {
        if operation.end.is_none_or(|end| end.t >= start) {
            continue;
        }
        ended += 1;
        match operation.ending {
            Ending::Acknowledged { by, .. } => local += u32::from(by == ServedBy::Local),
            Ending::NoSession => {}
            Ending::Failed | Ending::Unknown | Ending::Missing => {
                let says = format!(
                    "the subject was not well before the first fault: {}; what it does later proves nothing",
                    words::operation(index, id)
                );
                return Some((says, operation.entries().collect()));
            }
        }
    }
    let too_many = f64::from(local) > MOST_LOCAL * f64::from(ended);
    too_many.then(|| {
        let says = format!(
            "{local} of {ended} operations before the first fault were served locally: the subject did not reach Redis, so no fault \
             could change anything"
        );
        (says, Vec::new())
    })
}

/// An operation without a return, though the history ends before its budget is over: the history was cut.
fn cut_short(index: &Index<'_>) -> Trouble {
    let over = index.over;
    let budget = nanos(index.rules().response_within).saturating_add(index.slack());
    let (id, operation) = index.operations.iter().enumerate().find(|(_, operation)| {
        operation.end.is_none() && over.saturating_sub(operation.invoke.t) <= budget
    })?;
    let says = format!("the history ends while an operation is under way: {}", words::operation(index, id));
    Some((says, vec![operation.invoke.entry]))
}

/// Every reader looked at every session, and a fresh instance could read.
fn finals(index: &Index<'_>) -> Trouble {
    let head = &index.head;
    if index.looks.is_empty() {
        return Some(("nobody looked at the sessions after the run".to_owned(), Vec::new()));
    }
    let mut looked: BTreeMap<Reader, BTreeSet<u32>> = BTreeMap::new();
    for look in index.looks.iter().filter(|look| look.session.0 < head.sessions) {
        looked.entry(look.reader).or_default().insert(look.session.0);
    }
    let readers = [Reader::Redis, Reader::Fresh].into_iter().chain((0..head.instances).map(Reader::Instance));
    for reader in readers {
        let missing = head.sessions as usize - looked.get(&reader).map_or(0, BTreeSet::len);
        if missing > 0 {
            let who = match reader {
                Reader::Redis => "Redis itself".to_owned(),
                Reader::Fresh => "a fresh instance".to_owned(),
                Reader::Instance(number) => format!("instance-{number}"),
            };
            let says = format!(
                "{missing} of {} sessions were not looked at through {who} after the run",
                head.sessions
            );
            return Some((says, Vec::new()));
        }
    }
    most_failed(index, Reader::Redis, "Redis itself")
        .or_else(|| most_failed(index, Reader::Fresh, "a fresh instance"))
}

/// Most looks of a reader that no fault strikes failed.
fn most_failed(index: &Index<'_>, reader: Reader, who: &str) -> Trouble {
    let looks = || index.looks.iter().filter(|look| look.reader == reader);
    let error = |look: &Look| match &look.found {
        FinalRead::Error { code, text } => Some((format!("{code}: {text}"), look.to.entry)),
        FinalRead::Value(_) | FinalRead::Key(_) => None,
    };
    let failed = looks().filter_map(error).count();
    let (error, entry) = looks().find_map(error).filter(|_| failed * 2 > looks().count())?;
    let says = format!(
        "{failed} of {} sessions could not be read through {who} after the run: {error}",
        looks().count()
    );
    Some((says, vec![entry]))
}
