//! What is said of situations (fault, breaker, mode, operation) against what runs do: nearly all that can be reached is reached by
//! the scenarios that are there for it, and nothing is reached that cannot be.

use std::path::Path;
use std::sync::Arc;

use squall::check::{self, Verdict};
use squall::coverage::Coverage;
use squall::perform::{self, Setting};
use squall::plan::Plan;
use squall::report::{RunResult, details, sometimes};
use squall::scenario;
use squall::stop::Stop;
use squall::world::Kind;

/// In per mille, with one seed: that an operation of some kind does not begin in a short window is chance.
const AT_LEAST: usize = 950;

const SEED: u64 = 1;

/// What every scenario below this folder came to in the sim world.
async fn results(folder: &str) -> Vec<RunResult> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(folder);
    let files = scenario::find(&[shipped]).unwrap_or_else(|error| panic!("{error}"));
    let runs = files.into_iter().map(|file| {
        let scenario = file.load().unwrap_or_else(|error| panic!("{error}"));
        tokio::spawn(async move {
            let (plan, setting) = (Arc::new(Plan::new(&scenario, SEED)), Setting::of(Kind::Sim));
            let history = perform::perform(plan, setting, Arc::new(|_| {}), Stop::new()).await;
            let history = history.unwrap_or_else(|trouble| panic!("{}: {trouble}", scenario.name));
            RunResult::new(&history, &check::judge(&history))
        })
    });
    let mut results = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        results.push(run.await.unwrap_or_else(|error| panic!("{error}")));
    }
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn nearly_all_that_can_be_reached_is_and_nothing_that_cannot() {
    let results = results("coverage").await;
    for result in &results {
        assert_eq!(result.verdict, Verdict::Pass, "{}", details(result, squall::report::Colour::Off));
    }
    let coverage = Coverage::sum(results.iter().filter_map(|result| result.coverage.as_ref()));
    let empty = coverage.empty();
    assert!(coverage.thousandths() >= AT_LEAST, "{} are empty: {empty:?}", empty.len());
    assert_eq!(coverage.unexpected(), [], "the rules say that these cannot be");
    let unmet: Vec<_> = sometimes(&results).into_iter().filter(|one| !one.is_met()).collect();
    assert!(unmet.is_empty(), "{unmet:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_canary_fails_as_it_must_and_says_so() {
    let results = results("canary").await;
    assert!(results.len() >= 3);
    for result in &results {
        let canary = result.canary.as_ref().unwrap_or_else(|| panic!("{} is no canary", result.scenario));
        let named = result.findings.iter().find(|finding| finding.check == canary.fails);
        let failed =
            named.is_some_and(|finding| finding.verdict == Verdict::Fail && !finding.witness.is_empty());
        assert!(failed && result.verdict == Verdict::Pass, "{}: {named:#?}", result.scenario);
        assert_eq!(result.coverage, None, "a broken client covers nothing");
        let planted =
            canary.flaw.as_ref().is_none_or(|flaw| result.subject.ends_with(&format!(" with {flaw}")));
        assert!(planted, "{}", result.subject);
    }
}
