//! I15: each operation ends within its budget.

use super::index::{Index, nanos};
use super::tally::{Tally, Words};
use super::{Check, Finding, words};

/// I15.
pub(super) struct BoundedResponse;

impl Check for BoundedResponse {
    fn name(&self) -> &'static str {
        "I15"
    }

    fn title(&self) -> &'static str {
        "bounded response"
    }

    fn judge(&self, index: &Index<'_>) -> Finding {
        let budget = nanos(index.rules().response_within);
        let allowed = budget.saturating_add(index.slack());
        let over = index.over;
        let mut tally = Tally::default();
        let mut longest = 0;
        for (id, operation) in index.operations.iter().enumerate() {
            let took = operation.end.map_or(over, |end| end.t).saturating_sub(operation.invoke.t);
            if took <= allowed {
                if operation.end.is_some() {
                    tally.judged();
                    longest = took.max(longest);
                }
                continue;
            }
            tally.broken(operation.end.map_or(operation.invoke.entry, |end| end.entry), || {
                let how = match operation.end {
                    Some(_) => format!("took {}", words::seconds(took)),
                    None => format!("did not end in the {} until the end of the run", words::seconds(took)),
                };
                let says = format!(
                    "every operation was to end within {}; {} {how}",
                    words::seconds(budget),
                    words::operation(index, id)
                );
                (says, operation.entries().collect())
            });
        }
        let held = format!(
            "each of {} operations ended within {}; the longest took {}",
            tally.count(),
            words::seconds(budget),
            words::seconds(longest)
        );
        tally.finding(self, index, Words { held, unseen: "there was no operation".to_owned() })
    }
}
