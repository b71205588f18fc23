//! I8: nothing is missing before its expiry.

use super::index::Index;
use super::reads::Seen;
use super::tally::{Tally, Words};
use super::{Check, Finding, words};

/// I8.
pub(super) struct TtlLower;

impl Check for TtlLower {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn title(&self) -> &'static str {
        "TTL, lower bound: nothing is missing before its expiry"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let mut tally = Tally::default();
        for log in index.sessions.values() {
            // The final looks are judged as I1.
            for read in log.reads(index).filter(|read| !read.is_final()) {
                if !log.must_be_there(index, &read) {
                    continue;
                }
                if read.seen != Seen::Absent {
                    tally.judged();
                    continue;
                }
                let Some(must) = log.because(index, &read) else { continue };
                tally.broken(read.to.entry, || {
                    let setter = must.earliest.map(|(_, setter)| setter);
                    let until = must.earliest.map(|(t, setter)| {
                        format!(
                            ", and it lives until {} at least ({})",
                            words::seconds(t),
                            words::name(index, index.operation(setter))
                        )
                    });
                    let says = format!(
                        "{} was alive: {}; nothing ended it since{}; yet it is not there for {}",
                        log.id,
                        words::operation(index, must.because),
                        until.unwrap_or_default(),
                        words::reader(index, &read),
                    );
                    let mut entries = read.entries();
                    entries.extend(index.operation(must.because).entries());
                    entries.extend(setter.map(|setter| index.operation(setter).invoke.entry));
                    (says, entries)
                });
            }
        }
        let held = format!("{} reads found a session that had to be there", tally.count());
        let unseen = "no read was sure to find its session; a load with `get` on sessions that live long enough would make it known";
        tally.finding(self, index, Words { held, unseen: unseen.to_owned() })
    }
}
