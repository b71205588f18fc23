//! `summary.csv`: one row a run, for spreadsheets and plots. Times are in milliseconds.

use serde::Serialize;
use thiserror::Error;

use super::escape::one_line;
use super::figures::{Latency, Operations};
use super::result::RunResult;
use crate::check::{Finding, Verdict};
use crate::load::Kind;

/// Why the summary could not be made.
#[derive(Debug, Error)]
#[error("failed to write the results as CSV: {0}")]
pub struct SummaryError(String);

/// A row; the columns are its fields, in this order.
#[derive(Serialize)]
struct Row {
    scenario: String,
    world: String,
    seed: u64,
    verdict: Verdict,
    /// The checks that decided the verdict, with a space between them.
    because: String,
    waived: String,
    /// The check that must fail, where the run is a canary.
    canary: String,
    trouble: String,
    subject: String,
    planned_ms: u64,
    took_ms: u64,
    operations: u64,
    ok_redis: u64,
    ok_local: u64,
    failed: u64,
    unknown: u64,
    unfinished: u64,
    breaker_openings: usize,
    get_p50_ms: Option<f64>,
    get_p99_ms: Option<f64>,
    get_max_ms: Option<f64>,
    update_p50_ms: Option<f64>,
    update_p99_ms: Option<f64>,
    update_max_ms: Option<f64>,
    replay: String,
}

/// Every run as CSV, with a line of headings.
pub fn summary_csv(results: &[RunResult]) -> Result<String, SummaryError> {
    let failed = |cause: String| SummaryError(cause);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for result in results {
        writer.serialize(row(result)).map_err(|cause| failed(cause.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|cause| failed(cause.to_string()))?;
    String::from_utf8(bytes).map_err(|cause| failed(cause.to_string()))
}

fn row(result: &RunResult) -> Row {
    let sum = |count: fn(&Operations) -> u64| result.operations.values().map(count).sum();
    let latency = |kind, of: fn(Latency) -> u64| {
        let latency = result.operations.get(&kind).and_then(|operations| operations.latency);
        latency.map(|latency| milliseconds(of(latency)))
    };
    let steps = result.breakers.values().flatten();
    Row {
        scenario: one_line(&result.scenario),
        world: one_line(&result.world),
        seed: result.seed,
        verdict: result.verdict,
        because: names(result.decisive()),
        waived: names(result.waived()),
        canary: result.canary.as_ref().map_or_else(String::new, |canary| one_line(&canary.to_string())),
        trouble: result.trouble.as_ref().map_or_else(String::new, |trouble| one_line(&trouble.to_string())),
        subject: one_line(&result.subject),
        planned_ms: result.planned_ms,
        took_ms: result.took_ms,
        operations: result.invoked(),
        ok_redis: sum(|operations| operations.ok_redis),
        ok_local: sum(|operations| operations.ok_local),
        failed: sum(Operations::failed_total),
        unknown: sum(Operations::unknown_total),
        unfinished: sum(|operations| operations.unfinished),
        breaker_openings: steps.filter(|step| step.state == crate::history::BreakerState::Open).count(),
        get_p50_ms: latency(Kind::Get, |latency| latency.p50_us),
        get_p99_ms: latency(Kind::Get, |latency| latency.p99_us),
        get_max_ms: latency(Kind::Get, |latency| latency.max_us),
        update_p50_ms: latency(Kind::Update, |latency| latency.p50_us),
        update_p99_ms: latency(Kind::Update, |latency| latency.p99_us),
        update_max_ms: latency(Kind::Update, |latency| latency.max_us),
        replay: one_line(&result.replay),
    }
}

fn names<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    one_line(&findings.map(|finding| finding.check.as_str()).collect::<Vec<_>>().join(" "))
}

/// Microseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit in 52 bits")]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn every_run_is_a_row() {
        let results = [samples::passed(), samples::failed(), samples::no_world()];
        insta::assert_snapshot!(summary_csv(&results).unwrap(), @r#"
        scenario,world,seed,verdict,because,waived,canary,trouble,subject,planned_ms,took_ms,operations,ok_redis,ok_local,failed,unknown,unfinished,breaker_openings,get_p50_ms,get_p99_ms,get_max_ms,update_p50_ms,update_p99_ms,update_max_ms,replay
        breaker/opens-and-closes,containers,7,pass,,,,,squall-client 0.1.0,16000,16200,5,1,1,1,1,1,1,0.0,1.0,1.0,3.0,1000.0,1000.0,squall run scenarios/breaker/opens-and-closes.toml --world containers --seed 7
        resync/redis-killed,containers,7,fail,I1,I8,,,squall-client 0.1.0,16000,16200,5,1,1,1,1,1,1,0.0,1.0,1.0,3.0,1000.0,1000.0,squall run scenarios/resync/redis-killed.toml --world containers --seed 7
        "ragged/cut <&\u{1b}"">",containers,8,invalid,,,,"the world did not start: Docker does not answer start it, or run scripts/docker-up",,16000,0,0,0,0,0,0,0,0,,,,,,,"squall run scenarios/ragged/cut <&\u{1b}"">.toml --world containers --seed 8"
        "#);
    }

    #[test]
    fn the_column_headings_stand_without_any_latency_too() {
        let rows = summary_csv(&[samples::skipped()]).unwrap();
        assert!(rows.starts_with("scenario,world,seed,verdict,"), "{rows}");
    }
}
