//! One scenario in one world as a test case.

use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Completion, Failed, Trial};

use super::{Shared, in_nextest, replay};
use crate::check::{self, Verdict};
use crate::history::History;
use crate::perform::{self, Setting};
use crate::plan::Plan;
use crate::report::{Colour, Folder, RunResult, Trouble, details, line};
use crate::scenario::ScenarioFile;
use crate::world::Kind;

/// A world, and why no case can run there, if so.
#[derive(Clone)]
pub(super) struct Place {
    world: Kind,
    why_not: Option<WhyNot>,
}

#[derive(Clone)]
enum WhyNot {
    /// The machine lacks what the world needs. Under CI that is a failure.
    Missing(String),
    /// The subject cannot work there, wherever that is.
    Refused(String),
}

impl Place {
    /// The world.
    pub(super) fn world(&self) -> Kind {
        self.world
    }

    pub(super) async fn of(world: Kind, setting: &Setting) -> Self {
        let why_not = match setting.subject().unsupported(world) {
            Some(why) => Some(WhyNot::Refused(why)),
            None => perform::missing(setting).await.map(WhyNot::Missing),
        };
        Self { world, why_not }
    }

    /// Why no case can run there, if so.
    pub(super) fn why_not(&self) -> Option<&str> {
        match &self.why_not {
            Some(WhyNot::Missing(why) | WhyNot::Refused(why)) => Some(why),
            None => None,
        }
    }

    fn must_run(&self) -> bool {
        let refused = matches!(self.why_not, Some(WhyNot::Refused(_)));
        !refused && std::env::var("CI").as_deref() == Ok("true")
    }
}

/// The case of `file` in `place`.
pub(super) fn trial(file: &ScenarioFile, place: &Place, shared: &Shared) -> Trial {
    let (file, place, shared) = (file.clone(), place.clone(), shared.clone());
    let name = format!("{}::{}", place.world.name(), file.name.replace('/', "::"));
    // nextest only knows cases that say beforehand that they are ignored; elsewhere they can give the reason.
    let ignored = place.why_not.is_some() && !place.must_run() && in_nextest();
    let case = name.clone();
    let run = move || match place.why_not() {
        None => run(&file, place.world, &case, &shared),
        Some(why) if place.must_run() => Err(Failed::from(why)),
        Some(why) => Ok(ignored_with(why)),
    };
    Trial::ignorable_test(name, run).with_ignored_flag(ignored)
}

fn run(file: &ScenarioFile, world: Kind, case: &str, shared: &Shared) -> Result<Completion, Failed> {
    let scenario = file.load().map_err(|error| Failed::from(error.to_string()))?;
    let plan = Arc::new(Plan::new(&scenario, shared.seed));
    let setting = shared.options.setting(world);
    if let Some(why) = perform::unsupported(&setting, &plan) {
        return Ok(ignored_with(&why));
    }
    let run = perform::perform(Arc::clone(&plan), setting, Arc::new(|_| {}), shared.stop.clone());
    let (mut result, history) = match shared.handle.block_on(run) {
        Ok(history) => (judge(&history), Some(history)),
        Err(Trouble::Skipped(why)) => return Ok(ignored_with(&why)),
        Err(trouble) => (RunResult::without_history(&plan, world.name(), trouble), None),
    };
    if shared.options.subject.is_some() {
        result.replay = replay::command(shared.seed, case);
    }
    shared.results.lock().unwrap_or_else(PoisonError::into_inner).push(result.clone());
    judged(&result, history.as_ref(), shared)
}

/// What a history comes to. One is judged at a time: the others need the cores for what they do in real time.
fn judge(history: &History) -> RunResult {
    static JUDGING: Mutex<()> = Mutex::new(());
    let _alone = JUDGING.lock().unwrap_or_else(PoisonError::into_inner);
    RunResult::new(history, &check::judge(history))
}

/// What a result means for its case: it passes when the verdict is as expected.
fn judged(result: &RunResult, history: Option<&History>, shared: &Shared) -> Result<Completion, Failed> {
    let difference = match shared.expected.as_ref() {
        Some(expected) => expected.difference(&result.scenario, &result.world, result.verdict),
        None => (result.verdict != Verdict::Pass).then(String::new),
    };
    if result.verdict == Verdict::Pass && difference.is_none() {
        return Ok(Completion::Completed);
    }
    let written = history.map(|history| {
        let folder = Folder::open(&shared.options.reports)?;
        folder.write_run(result, Some(history))
    });
    let Some(difference) = difference else { return Ok(Completion::Completed) };
    let written = match written {
        Some(Ok(folder)) => format!("  history  {}\n", folder.display()),
        Some(Err(error)) => format!("  {error}\n"),
        None => String::new(),
    };
    let mut says = details(result, Colour::Off);
    if result.verdict == Verdict::Pass {
        says = format!("{}\n  replay   {}\n", line(result, 0, Colour::Off), result.replay);
    }
    Err(Failed::from(format!("\n{says}{written}{difference}")))
}

fn ignored_with(why: &str) -> Completion {
    Completion::ignored_with(why.lines().next().unwrap_or_default())
}
