//! One scenario in one world as a test case.

use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Completion, Failed, Trial};

use super::breakers::{self, Behaviour};
use super::{Shared, in_nextest, replay};
use crate::check::{self, Verdict};
use crate::cli;
use crate::history::History;
use crate::perform::{self, Setting};
use crate::plan::Plan;
use crate::report::{Colour, Folder, RunResult, Trouble, details, line};
use crate::scenario::{Scenario, ScenarioFile};
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

fn run(file: &ScenarioFile, world: Kind, name: &str, shared: &Shared) -> Result<Completion, Failed> {
    let scenario = file.load().map_err(|error| Failed::from(error.to_string()))?;
    let case = Case { scenario: &scenario, world, name, shared };
    let tried = if world == Kind::Sim { case.in_virtual_time() } else { case.in_real_time() };
    match tried {
        Ok(ran) => ran.told(shared),
        Err(Skipped(why)) => Ok(ignored_with(&why)),
    }
}

/// A case that is being run.
struct Case<'a> {
    scenario: &'a Scenario,
    world: Kind,
    name: &'a str,
    shared: &'a Shared,
}

/// Why a scenario is not run.
struct Skipped(String);

/// One run, and what is not as expected.
struct Ran {
    result: RunResult,
    history: Option<History>,
    wrong: Option<String>,
}

impl Case<'_> {
    /// With the seed of the run, and keeps what breakers did.
    fn in_virtual_time(&self) -> Result<Ran, Skipped> {
        let ran = self.once(self.shared.seed);
        if self.shared.options.breakers_as_in_sim {
            let behaviour = ran.as_ref().ok().map(Ran::behaviour);
            self.shared.shown.keep(&self.scenario.name, behaviour);
        }
        ran
    }

    /// With others beside it; what is not as expected then is run again by itself, once the others are done, where that is
    /// asked for.
    fn in_real_time(&self) -> Result<Ran, Skipped> {
        let beside_others = self.shared.turns.beside_others();
        let first = self.compared(self.once(self.shared.seed)?);
        drop(beside_others);
        if first.wrong.is_none() || !self.shared.options.again_alone {
            return Ok(first);
        }
        let _alone = self.shared.turns.alone();
        cli::say(&format!("again, alone: {}{}", self.name, first.text("")));
        Ok(self.compared(self.once(self.shared.seed)?))
    }

    fn once(&self, seed: u64) -> Result<Ran, Skipped> {
        let shared = self.shared;
        let plan = Arc::new(Plan::new(self.scenario, seed));
        let setting = shared.options.setting(self.world);
        if let Some(why) = perform::unsupported(&setting, &plan) {
            return Err(Skipped(why));
        }
        let run = perform::perform(Arc::clone(&plan), setting, Arc::new(|_| {}), shared.stop.clone());
        let (mut result, history) = match shared.handle.block_on(run) {
            Ok(history) => (judge(&history), Some(history)),
            Err(Trouble::Skipped(why)) => return Err(Skipped(why)),
            Err(trouble) => (RunResult::without_history(&plan, self.world.name(), trouble), None),
        };
        if shared.options.subject.is_some() {
            result.replay = replay::command(seed, self.name);
        }
        let wrong = match shared.expected.as_ref() {
            Some(expected) => expected.difference(&result.scenario, &result.world, result.verdict),
            None => (result.verdict != Verdict::Pass).then(String::new),
        };
        Ok(Ran { result, history, wrong })
    }

    /// Holds what breakers did against what they do in virtual time.
    fn compared(&self, mut ran: Ran) -> Ran {
        if self.shared.options.breakers_as_in_sim && ran.wrong.is_none() {
            ran.wrong = self.unheard(&ran.behaviour()).map(|how| format!("  {how}\n"));
        }
        ran
    }

    /// What breakers did in real time and in no run of virtual time, which is tried with one seed after another; nothing where it
    /// cannot run the scenario.
    fn unheard(&self, real: &Behaviour) -> Option<String> {
        let (name, kept) = (&self.scenario.name, &self.shared.shown);
        let mut shown = kept.of(name).unwrap_or_else(|| Some(Behaviour::new()))?;
        let sim = Case { world: Kind::Sim, ..*self };
        for seed in breakers::SEEDS.chain([self.shared.seed]) {
            breakers::difference(real, &shown)?;
            let ran = sim.once(seed).ok();
            let more = ran.map(|ran| &shown | &ran.behaviour());
            kept.keep(name, more.clone());
            shown = more?;
        }
        breakers::difference(real, &shown)
    }
}

/// What a history comes to. One is judged at a time: the others need the cores for what they do in real time.
fn judge(history: &History) -> RunResult {
    static JUDGING: Mutex<()> = Mutex::new(());
    let _alone = JUDGING.lock().unwrap_or_else(PoisonError::into_inner);
    RunResult::new(history, &check::judge(history))
}

impl Ran {
    fn behaviour(&self) -> Behaviour {
        self.history.as_ref().map(breakers::of).unwrap_or_default()
    }

    /// The verdict, with what explains it or runs it again.
    fn text(&self, written: &str) -> String {
        let says = match self.result.verdict {
            Verdict::Pass => {
                format!("{}\n  replay   {}\n", line(&self.result, 0, Colour::Off), self.result.replay)
            }
            _ => details(&self.result, Colour::Off),
        };
        format!("\n{says}{written}{}", self.wrong.as_deref().unwrap_or_default())
    }

    /// Leaves what is worth a look in the reports, and says what it means for the case.
    fn told(self, shared: &Shared) -> Result<Completion, Failed> {
        shared.results.lock().unwrap_or_else(PoisonError::into_inner).push(self.result.clone());
        if self.result.verdict == Verdict::Pass && self.wrong.is_none() {
            return Ok(Completion::Completed);
        }
        let written = self.history.as_ref().map(|history| {
            let folder = Folder::open(&shared.options.reports)?;
            folder.write_run(&self.result, Some(history))
        });
        if self.wrong.is_none() {
            return Ok(Completion::Completed);
        }
        let written = match written {
            Some(Ok(folder)) => format!("  history  {}\n", folder.display()),
            Some(Err(error)) => format!("  {error}\n"),
            None => String::new(),
        };
        Err(Failed::from(self.text(&written)))
    }
}

fn ignored_with(why: &str) -> Completion {
    Completion::ignored_with(why.lines().next().unwrap_or_default())
}
