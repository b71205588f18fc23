//! What an instance tells operators and is not so, or is nobody's business.

use std::sync::Arc;

use super::Described;
use super::host::Host;
use super::wrong::Wrong;
use crate::history::Topic;
use crate::subject::Start;

pub(super) const METRICS_SAY_NOTHING_OPENED: Described = Described {
    name: "metrics-say-nothing-opened",
    check: "expect.told[1]",
    wrong: "Its metrics never count an opening of the breaker.",
    known_from: "",
    needs: "an outage that opens the breaker",
    shown_in: "told/metrics-count-an-outage",
    plant: |_| Box::new(NothingOpened),
};

pub(super) const HEALTH_IS_ALWAYS_WELL: Described = Described {
    name: "health-is-always-well",
    check: "expect.told[1]",
    wrong: "Its health check says that all is well, whatever Redis does.",
    known_from: "",
    needs: "an outage of some seconds",
    shown_in: "told/health-tells-an-outage",
    plant: |_| Box::new(AlwaysWell),
};

pub(super) const USERS_WITHOUT_SESSIONS: Described = Described {
    name: "users-without-sessions",
    check: "expect.told[0]",
    wrong: "While Redis is away it says that nobody has any session, and not those that it knows.",
    known_from: "",
    needs: "an outage of some seconds, and a load through the store",
    shown_in: "told/sessions-of-a-user",
    plant: |_| Box::new(NobodyHasAny),
};

pub(super) const SETTINGS_SHOW_THE_PASSWORD: Described = Described {
    name: "settings-show-the-password",
    check: "expect.told[0]",
    wrong: "Who reads its settings reads the address of Redis with the password in it.",
    known_from: "",
    needs: "",
    shown_in: "told/no-secret-is-told",
    plant: |start| Box::new(Shows { of: Topic::Settings, url: url(start) }),
};

pub(super) const LOG_SHOWS_THE_PASSWORD: Described = Described {
    name: "log-shows-the-password",
    check: "expect.told[2]",
    wrong: "When a call fails, its log has the address of Redis with the password in it.",
    known_from: "",
    needs: "an outage that its log tells of",
    shown_in: "told/no-secret-is-told",
    plant: |start| Box::new(Shows { of: Topic::Log, url: url(start) }),
};

/// The address of Redis; where it has no password, with one that is made up.
fn url(start: &Start) -> String {
    let with_password = !start.route.secrets().is_empty();
    let url = start.route.url().filter(|_| with_password);
    url.unwrap_or_else(|| "redis://app:hunter2@redis:6379/0".to_owned())
}

struct NothingOpened;

impl Wrong for NothingOpened {
    fn tell(&self, _host: &Arc<Host>, of: Topic, text: String) -> String {
        let line = |line: &str| match line.strip_prefix("circuit_open_total ") {
            Some(_) if of == Topic::Metrics => "circuit_open_total 0\n".to_owned(),
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    }
}

struct AlwaysWell;

impl Wrong for AlwaysWell {
    fn tell(&self, _host: &Arc<Host>, of: Topic, text: String) -> String {
        match of {
            Topic::Health => text.replace("\"down\"", "\"healthy\"").replace("\"degraded\"", "\"healthy\""),
            _ => text,
        }
    }
}

struct NobodyHasAny;

impl Wrong for NobodyHasAny {
    fn tell(&self, host: &Arc<Host>, of: Topic, text: String) -> String {
        if of != Topic::Sessions || !host.away() {
            return text;
        }
        let line = |line: &str| match line.split_once("\": ") {
            Some((name, count)) if name.trim_start().starts_with("\"user-") => {
                let comma = if count.ends_with(',') { "," } else { "" };
                format!("{name}\": 0{comma}\n")
            }
            Some(_) | None => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    }
}

struct Shows {
    of: Topic,
    url: String,
}

impl Wrong for Shows {
    fn tell(&self, _host: &Arc<Host>, of: Topic, text: String) -> String {
        if of != self.of || text.is_empty() {
            return text;
        }
        format!("{text}\n{{\"redis\": \"{}\"}}\n", self.url)
    }
}
