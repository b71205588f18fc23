//! Whether a file that has the right types makes sense. Everything that does not is told at once.

use std::time::Duration;

use super::document::{self, Path, Tree, root};
use super::file::{File, Redis};
use super::problem::Found;
use super::{Scenario, canary, client, expectation, given, login, through, timeline, topology, variables};
use crate::check::{self, Check};
use crate::history::{MOST_INSTANCES, MOST_SESSIONS, Rules};
use crate::load::Load;
use crate::load::value::MIN_SIZE;
use crate::units::{Size, format_duration, is_image};

const MOST_OPERATIONS: f64 = 10_000_000.0;
/// Operations that a file names.
const MOST_GIVEN: usize = 10_000;
const MOST_VALUE: Size = Size(1024 * 1024);
const HOUR: Duration = Duration::from_secs(3600);
const MS: Duration = Duration::from_millis(1);

/// Collects what makes no sense, with its place.
pub(super) struct Sense<'a, 'i> {
    tree: &'a Tree<'i>,
    found: &'a mut Vec<Found>,
}

impl Sense<'_, '_> {
    /// Tells that what stands at `path` makes no sense.
    pub(super) fn wrong(&mut self, path: &Path, what: impl Into<String>, cure: impl Into<String>) {
        let span = document::span(self.tree, path);
        self.found.push(Found { key: path.to_string(), what: what.into(), cure: cure.into(), span });
    }

    /// Whether the file says something at `path`.
    pub(super) fn is_written(&self, path: &Path) -> bool {
        document::is_written(self.tree, path)
    }

    /// Tells of a text that is empty, long, or has control characters.
    pub(super) fn words(&mut self, path: &Path, text: &str, cure: &str) {
        if text.trim().is_empty() {
            self.wrong(path, "it is missing or empty", cure);
        } else if text.len() > 1000 || text.chars().any(char::is_control) {
            self.wrong(
                path,
                "the text is long or has control characters",
                "write one line of up to 1000 bytes",
            );
        }
    }
}

/// The scenario that `file` is, if it makes sense.
pub(super) fn scenario(
    name: &str,
    mut file: File,
    tree: &Tree<'_>,
    found: &mut Vec<Found>,
) -> Option<Scenario> {
    let asked = client::asked(&file.client, tree, found);
    let mut sense = Sense { tree, found };
    if let Some(ttl) = asked.as_ref().and_then(|asked| asked.session_ttl)
        && !sense.is_written(&root("load").key("ttl"))
    {
        file.load.ttl = ttl;
    }
    if !sense.counts(&file) {
        return None;
    }
    sense.head(&file);
    sense.redis(&file.redis);
    topology::check_file(&mut sense, &file);
    sense.load(&file.load);
    sense.judge(&file);
    timeline::check(&mut sense, &file);
    given::check(&mut sense, &file);
    through::check(&mut sense, &file);
    let phases: Vec<&str> = file.phase.iter().map(|phase| phase.name.as_str()).collect();
    expectation::check(&mut sense, &file.expect, &phases, file.load.instances);
    let encrypted = asked.as_ref().is_some_and(|asked| asked.encrypted);
    canary::check(&mut sense, &file, encrypted);
    let client::Asked { settings, disk, environment, .. } = asked?;
    variables::check(&mut sense, &file.redis, environment);
    let mut rules = Rules { encrypted, ..file.judge.rules(&settings, &file.load, &file.phase) };
    topology::divide(&mut rules, file.redis.topology);
    if sense.found.is_empty() {
        timeline::check_rest(&mut sense, &file, rules.resync_within);
    }
    Some(Scenario {
        name: name.to_owned(),
        proves: file.proves,
        origin: file.origin,
        settings,
        disk,
        environment,
        redis: file.redis,
        load: file.load,
        operations: file.operation,
        rules,
        phases: file.phase,
        expect: file.expect,
        allow: file.allow,
        canary: file.canary,
    })
}

impl Sense<'_, '_> {
    /// Tells of lists that no person wrote. Says whether the rest is worth a look.
    fn counts(&mut self, file: &File) -> bool {
        let phases = root("phase");
        let expect = root("expect");
        let mut fine = true;
        let mut most = |path: Path, count: usize, most: usize| {
            if count > most {
                self.wrong(&path, format!("{count} entries"), format!("write {most} at most"));
                fine = false;
            }
        };
        most(root("origin"), file.origin.len(), 100);
        most(root("allow"), file.allow.len(), check::all().len());
        most(root("operation"), file.operation.len(), MOST_GIVEN);
        most(expect.key("breaker"), file.expect.breaker.len(), 200);
        most(expect.key("metric"), file.expect.metric.len(), 200);
        most(expect.key("sometimes"), file.expect.sometimes.len(), 200);
        most(expect.key("told"), file.expect.told.len(), 200);
        most(phases.clone(), file.phase.len(), 200);
        for (index, phase) in file.phase.iter().enumerate().take(200) {
            most(phases.index(index).key("faults"), phase.faults.len(), 100);
            for (number, fault) in phase.faults.iter().enumerate().take(100) {
                let path = phases.index(index).key("faults").index(number);
                most(path.key("on"), fault.on.len(), MOST_INSTANCES.into());
            }
        }
        fine
    }

    fn head(&mut self, file: &File) {
        let cure = "say in one sentence what a pass proves: proves = \"After an outage nothing acknowledged is lost\"";
        self.words(&root("proves"), &file.proves, cure);
        for (index, origin) in file.origin.iter().enumerate() {
            self.words(&root("origin").index(index), origin, "name the promise, or remove it");
        }
        for (index, allow) in file.allow.iter().enumerate() {
            let path = root("allow").index(index);
            let checks = check::all().map(Check::name);
            if !checks.contains(&allow.check.as_str()) {
                let what = format!("unknown check {:?}", allow.check);
                self.wrong(&path.key("check"), what, format!("expected one of {}", checks.join(", ")));
            }
            if file.allow[..index].iter().any(|other| other.check == allow.check) {
                let what = format!("{} is waived twice", allow.check);
                self.wrong(&path.key("check"), what, "keep one of the two");
            }
            self.words(&path.key("because"), &allow.because, "say why a failure of this check is right here");
        }
    }

    fn redis(&mut self, redis: &Redis) {
        let path = root("redis");
        topology::check(self, redis);
        if let Some(image) = redis.image.as_ref().filter(|image| !is_image(image)) {
            let cure = "write it as Docker does, such as \"valkey/valkey:8.1.1\"";
            self.wrong(&path.key("image"), format!("{image:?} is no image"), cure);
        }
        login::check(self, redis);
    }

    fn load(&mut self, load: &Load) {
        let path = root("load");
        if load.instances == 0 || load.instances > MOST_INSTANCES {
            let cure = format!("it must be from 1 to {MOST_INSTANCES}");
            self.wrong(&path.key("instances"), format!("{} instances", load.instances), cure);
        }
        if load.sessions == 0 || load.sessions > MOST_SESSIONS {
            let cure = format!("it must be from 1 to {MOST_SESSIONS}");
            self.wrong(&path.key("sessions"), format!("{} sessions", load.sessions), cure);
        }
        // Written so that what is not a number is wrong too.
        if !(load.rate.0 >= 0.01 && load.rate.0 <= 1e6) {
            let what = format!("{} operations a second", load.rate.0);
            self.wrong(
                &path.key("rate"),
                what,
                "it must be from \"0.01/s\" to \"1000000/s\", such as \"400/s\"",
            );
        }
        if load.mix.total() == 0 {
            let cure = "give one kind of operation a weight, such as { get = 70, update = 30 }";
            self.wrong(&path.key("mix"), "every weight is zero", cure);
        }
        let whole = load.ttl.subsec_nanos().is_multiple_of(1_000_000);
        if load.ttl < MS || !whole {
            let what = format!("a TTL of {}", format_duration(load.ttl));
            self.wrong(&path.key("ttl"), what, "it must be whole milliseconds, 1ms at least");
        }
        let least = Size(MIN_SIZE.into());
        if load.value.least < least || load.value.most > MOST_VALUE {
            let cure = format!("it must be within {least} to {MOST_VALUE}, such as \"200-500 bytes\"");
            self.wrong(&path.key("value"), format!("values of {}", load.value), cure);
        } else if load.value.least > load.value.most {
            self.wrong(&path.key("value"), "the first size is the larger", "write the smaller size first");
        }
        if let crate::load::Keys::Zipf(exponent) = load.keys
            && !(exponent > 0.0 && exponent <= 10.0)
        {
            let cure = "it must be above 0 and at most 10, such as 1.1";
            self.wrong(&path.key("keys.zipf"), format!("an exponent of {exponent:?}"), cure);
        }
    }

    fn judge(&mut self, file: &File) {
        let judge = &file.judge;
        for (key, value, least) in [
            ("resync_within", judge.resync_within, MS),
            ("response_within", judge.response_within, MS),
            ("open_within", judge.open_within, MS),
            ("close_within", judge.close_within, MS),
            ("clock_slack", judge.clock_slack, Duration::ZERO),
            ("ttl_slack", judge.ttl_slack, Duration::ZERO),
        ] {
            if let Some(value) = value.filter(|value| *value < least || *value > HOUR) {
                let what = format!("{key} is {}", format_duration(value));
                let cure = format!("it must be from {} to 1h", format_duration(least));
                self.wrong(&root("judge").key(key), what, cure);
            }
        }
    }

    /// Tells of more operations than a run can hold.
    pub(super) fn operations(&mut self, load: &Load, length: Duration) {
        let count = load.operations(length);
        if count > MOST_OPERATIONS {
            let what = format!("{:.1} million operations in all", count / 1e6);
            let cure = "it must be 10 million at most; lower the rate, or shorten the phases";
            self.wrong(&root("load").key("rate"), what, cure);
        }
    }
}
