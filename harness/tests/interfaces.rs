//! A load through any interface of the client is judged as ever: flaws are caught, the same seed gives the same run, and a client
//! that lacks the interface is not judged at all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use squall::check::{self, Verdict};
use squall::history::{Capability, History};
use squall::perform::{self, Setting, Tested};
use squall::plan::Plan;
use squall::report::Trouble;
use squall::scenario;
use squall::stop::Stop;
use squall::subject::reference::Reference;
use squall::subject::{BoxFuture, Flaw, Start, Started, Subject};
use squall::world::Kind;

const CACHE: &str = "interfaces/cache-and-an-empty-redis";
const STORE: &str = "interfaces/store-and-an-outage";
const HTTP: &str = "interfaces/http-and-an-outage";
const ENCRYPTED: &str = "interfaces/encrypted-through-an-outage";
const ENVIRONMENT: &str = "settings/the-address-variables";

/// A flaw, the scenario that goes through an interface, and the check that must fail.
const CAUGHT: [(&str, &str, &str); 7] = [
    ("resync-off", CACHE, "I1"),
    ("own-write-not-in-own-cache", CACHE, "I3"),
    ("value-truncated", CACHE, "I2"),
    ("drops-every-fifth-update", STORE, "I1"),
    ("ttl-reset-on-update", STORE, "I9"),
    ("says-redis-served-it", HTTP, "I18"),
    ("destroyer-still-reads", HTTP, "I6"),
];

fn plan(scenario: &str, seed: u64) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(scenario);
    let files = scenario::find(&[path.with_extension("toml")]).unwrap();
    Plan::new(&files[0].load().unwrap(), seed)
}

fn outcome(plan: Plan, setting: Setting) -> Result<History, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(perform::perform(Arc::new(plan), setting, Arc::new(|_| {}), Stop::new()))
}

#[test]
fn a_flaw_is_caught_through_any_interface() {
    let mut missed = Vec::new();
    for (name, scenario, by) in CAUGHT {
        let flaw: Flaw = name.parse().unwrap();
        let setting = Setting { flaw: Some(flaw), ..Setting::of(Kind::Sim) };
        let judgement = check::judge(&outcome(plan(scenario, 1), setting).unwrap());
        let fails = |finding: &&check::Finding| finding.verdict == Verdict::Fail;
        let failed: Vec<_> = judgement.findings.iter().filter(fails).map(|finding| &finding.check).collect();
        if judgement.verdict != Verdict::Fail || !failed.iter().any(|check| *check == by) {
            missed
                .push(format!("{name} through {scenario}: {:?}, {failed:?} and not {by}", judgement.verdict));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_run_through_every_interface() {
    for scenario in [CACHE, STORE, HTTP, ENCRYPTED] {
        let run = || outcome(plan(scenario, 7), Setting::of(Kind::Sim)).unwrap();
        let (one, other) = (run(), run());
        assert!(one.entries.len() > 1000, "{scenario}: {} entries", one.entries.len());
        assert!(one == other, "{scenario}: two runs differ");
    }
}

#[test]
fn values_that_are_to_be_encrypted_show_in_redis_through_no_interface_unless_they_are_left_in_plain() {
    for scenario in [ENCRYPTED, CACHE, STORE, HTTP] {
        for flaw in [None, Some("stores-in-plain")] {
            let mut plan = plan(scenario, 3);
            plan.rules.encrypted = true;
            let flaw = flaw.map(|name| name.parse::<Flaw>().unwrap());
            let setting = Setting { flaw, ..Setting::of(Kind::Sim) };
            let judgement = check::judge(&outcome(plan, setting).unwrap());
            let found = judgement.findings.iter().find(|finding| finding.check == check::ENCRYPTED).unwrap();
            let expected = if flaw.is_some() { Verdict::Fail } else { Verdict::Pass };
            assert_eq!(
                (found.verdict, judgement.verdict),
                (expected, expected),
                "{scenario}: {}",
                found.says
            );
            assert!(found.judged > 20, "{scenario}: {}", found.judged);
        }
    }
}

#[test]
fn the_key_of_a_run_comes_from_its_seed_and_stands_nowhere() {
    let (plan, other) = (plan(ENCRYPTED, 7), plan(ENCRYPTED, 8));
    let key = plan.encryption().unwrap();
    assert_ne!(other.encryption().unwrap(), key);
    let shown = format!("{plan:?}");
    let history = outcome(plan, Setting::of(Kind::Sim)).unwrap();
    let mut text = Vec::new();
    squall::history::write(&history, &mut text).unwrap();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{key:?}").replace(' ', "");
    for text in [shown, String::from_utf8(text).unwrap()] {
        let text = text.replace(' ', "");
        assert!(!text.contains(&hex) && !text.contains(list.trim_matches(['[', ']'])));
    }
}

/// A client that has sessions alone.
struct Plain;

impl Subject for Plain {
    fn start(&self, start: Start) -> BoxFuture<'_, Started> {
        Box::pin(async move {
            let (instance, mut hello) = Reference.start(start).await?;
            let beside = [
                Capability::Store,
                Capability::Cache,
                Capability::Http,
                Capability::Encryption,
                Capability::Environment,
            ];
            hello.can.retain(|can| !beside.contains(can));
            Ok((instance, hello))
        })
    }
}

#[test]
fn a_client_that_lacks_the_interface_is_skipped_with_the_reason() {
    for (scenario, name) in [
        (CACHE, "cache"),
        (STORE, "store"),
        (HTTP, "http"),
        (ENCRYPTED, "encryption"),
        (ENVIRONMENT, "environment"),
    ] {
        let setting = Setting { tested: Tested::Own(Arc::new(Plain)), ..Setting::of(Kind::Sim) };
        let trouble = outcome(plan(scenario, 1), setting).unwrap_err();
        let Trouble::Skipped(why) = &trouble else { panic!("{trouble:?}") };
        assert!(why.contains(&format!("(capability `{name}`)")), "{why}");
    }
}
