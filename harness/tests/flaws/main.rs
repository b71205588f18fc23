//! Every planted flaw is caught by the check that it is for, in the scenario that it names; and `docs/flaws.md` lists them.
//!
//! `cargo test -p squall --test flaws ttl` runs those whose name has `ttl`. A flaw whose check is not there yet shows as ignored.

mod judged;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use squall::check::{self, Judgement, Verdict};
use squall::perform::{self, Setting};
use squall::plan::Plan;
use squall::scenario::{self, Scenario};
use squall::stop::Stop;
use squall::subject::Flaw;
use squall::subject::flawed;
use squall::world::Kind;

use judged::{Judged, update};

/// Each flaw must show with every one of these.
const SEEDS: [u64; 2] = [1, 2];

fn main() -> Result<ExitCode, Failed> {
    let arguments = Arguments::from_args();
    let judged = Arc::new(Judged::read()?);
    let case = |flaw: &Flaw| {
        let (flaw, judged) = (*flaw, Arc::clone(&judged));
        Trial::ignorable_test(flaw.name(), move || is_caught(flaw, &judged))
    };
    // The others need several servers; `local_world` has them.
    let mut trials: Vec<Trial> = Flaw::ALL.iter().chain(Flaw::WHEN_ASKED).map(case).collect();
    trials.push(Trial::test("the_list_of_flaws_is_as_the_code_says", the_list));
    let code = libtest_mimic::run(&arguments, trials).exit_code();
    // Every trial has ended, so nobody else has it.
    Arc::into_inner(judged).map_or(Ok(()), Judged::write)?;
    Ok(code)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("..")).to_path_buf()
}

fn is_caught(flaw: Flaw, expected: &Judged) -> Result<Completion, Failed> {
    let of_scenario = Flaw::WHEN_ASKED.contains(&flaw);
    if !of_scenario && check::all().iter().all(|check| check.name() != flaw.check()) {
        return Ok(Completion::ignored_with(format!("there is no check {} yet", flaw.check())));
    }
    let path = root().join("scenarios").join(flaw.shown_in()).with_extension("toml");
    let files = scenario::find(&[path])?;
    let scenario = files.first().ok_or("there is no such scenario")?.load()?;
    for seed in SEEDS {
        let judgement = judged(&scenario, seed, flaw)?;
        let by_its_check = judgement.findings.iter().any(|finding| {
            finding.check == flaw.check() && finding.verdict == Verdict::Fail && finding.waived.is_none()
        });
        if judgement.verdict != Verdict::Fail || !by_its_check {
            return Err(missed(&judgement, seed, flaw).into());
        }
        if seed == SEEDS[0] {
            expected.compare(flaw.name(), &judgement)?;
        }
    }
    Ok(Completion::Completed)
}

fn judged(scenario: &Scenario, seed: u64, flaw: Flaw) -> Result<Judgement, Failed> {
    let setting = Setting { flaw: Some(flaw), ..Setting::of(Kind::Sim) };
    let plan = Arc::new(Plan::new(scenario, seed));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = perform::perform(plan, setting, Arc::new(|_| {}), Stop::new());
    let history = runtime.block_on(run).map_err(|trouble| format!("seed {seed}: {trouble}"))?;
    Ok(check::judge(&history))
}

fn missed(judgement: &Judgement, seed: u64, flaw: Flaw) -> String {
    let fails = |verdict| matches!(verdict, Verdict::Fail | Verdict::Invalid);
    let others = judgement.findings.iter().filter(|finding| fails(finding.verdict));
    let others: String = others
        .map(|finding| format!("  {:?} {}: {}\n", finding.verdict, finding.check, finding.says))
        .collect();
    let own = judgement.findings.iter().find(|finding| finding.check == flaw.check());
    format!(
        "{} did not catch it in {} with seed {seed}: {}\n{others}",
        flaw.check(),
        flaw.shown_in(),
        own.map_or("", |own| &own.says)
    )
}

fn the_list() -> Result<(), Failed> {
    let (path, text) = (root().join("docs/flaws.md"), flawed::document());
    if update() {
        std::fs::write(&path, &text)?;
    }
    let written = std::fs::read_to_string(&path)?;
    if written != text {
        return Err("docs/flaws.md is not what the code says; SQUALL_UPDATE=1 has this test write it".into());
    }
    Ok(())
}
