//! Whether a `canary` names a flaw and a check that there are.

use super::document::{Path, root};
use super::file::File;
use super::sense::Sense;
use crate::check::{self, Check};
use crate::subject::Flaw;
use crate::suggest;

/// Checks the canary of `file`, if it is one; `encrypted` says whether it asks for values that are.
pub(super) fn check(sense: &mut Sense<'_, '_>, file: &File, encrypted: bool) {
    let Some(canary) = &file.canary else { return };
    let path = root("canary");
    // Of flaws a scenario knows nothing but their names.
    if let Some(Err(told)) = canary.flaw.as_ref().map(|name| name.parse::<Flaw>()) {
        wrong(sense, &path.key("flaw"), &told);
    }
    let mut names: Vec<String> =
        check::all().map(Check::name).iter().map(|name| (*name).to_owned()).collect();
    names.extend((0..file.expect.breaker.len()).map(|place| format!("expect.breaker[{place}]")));
    names.extend((0..file.expect.metric.len()).map(|place| format!("expect.metric[{place}]")));
    names.extend((0..file.expect.told.len()).map(|place| format!("expect.told[{place}]")));
    names.extend(encrypted.then(|| check::ENCRYPTED.to_owned()));
    if !names.contains(&canary.fails) {
        wrong(sense, &path.key("fails"), &suggest::unknown("check", &canary.fails, &names));
    }
    if let Some(place) = file.allow.iter().position(|allow| allow.check == canary.fails) {
        let what = format!("{} must fail here, so it is not waived", canary.fails);
        sense.wrong(&root("allow").index(place).key("check"), what, "remove one of the two");
    }
}

fn wrong(sense: &mut Sense<'_, '_>, path: &Path, told: &str) {
    let (what, cure) = told.rsplit_once("; ").unwrap_or((told, "write it as docs/scenarios.md shows"));
    sense.wrong(path, what, cure);
}
