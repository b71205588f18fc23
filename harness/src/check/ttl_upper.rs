//! I7: nothing is read after its expiry.

use super::index::Index;
use super::reads::Seen;
use super::tally::{Tally, Words};
use super::{Check, Finding, words};

/// I7.
pub(super) struct TtlUpper;

impl Check for TtlUpper {
    fn name(&self) -> &'static str {
        "I7"
    }

    fn title(&self) -> &'static str {
        "TTL, upper bound: nothing is read after its expiry"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            for read in log.reads(index).filter(|read| !log.surely_may_live(read)) {
                let Some((latest, setter)) = log.expiry(index, &read).latest else { continue };
                if read.from.t <= latest.saturating_add(index.slack()) {
                    continue;
                }
                match read.seen {
                    Seen::Absent => tally.judged(),
                    Seen::Value(_) | Seen::There(_) | Seen::Alive => tally.broken(read.to.entry, || {
                        let says = format!(
                            "{} expired at {} at the latest ({}), yet it was there for {}",
                            log.id,
                            words::seconds(latest),
                            words::operation(index, setter),
                            words::reader(index, &read),
                        );
                        let entries = index.operation(setter).entries();
                        (says, entries.chain(read.entries()).collect())
                    }),
                }
            }
        }
        let held = format!("{} reads after an expiry found nothing", tally.count());
        let unseen = "no session was read after its expiry; a `ttl` shorter than the run, and a load without much `touch` and `create`, \
                      would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}
