//! The table: one row for each fault and client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The rows so far, of all cases or of one.
#[derive(Clone, Default)]
pub(crate) struct Table {
    rows: Arc<Mutex<Vec<(Row, &'static str)>>>,
    /// The case whose rows are added.
    case: &'static str,
}

/// What was measured. What a fault is not about is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Its number in the table of `docs/field.md`.
    pub(crate) fault: &'static str,
    /// The client, and the settings that matter.
    pub(crate) client: String,
    /// From the beginning of the fault, or from its end if nothing could pass before, to the first answer by Redis; of each try.
    pub(crate) recovery: Vec<Duration>,
    /// How many calls were made while the fault lasted, and how many of them ended with an error.
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// How many the local copy answered.
    pub(crate) local: u64,
    /// How many took longer than their deadline.
    pub(crate) late: u64,
    /// How many were counted, or carried out, more often than asked for.
    pub(crate) doubles: u64,
    /// How many replies belonged to something else, or to the past.
    pub(crate) wrong: u64,
    /// How many connections were opened since the fault began.
    pub(crate) reconnects: u64,
    /// What else there is to say.
    pub(crate) note: String,
}

impl Table {
    /// The same table, for that case to add to.
    pub(crate) fn of(&self, case: &'static str) -> Self {
        Self { rows: Arc::clone(&self.rows), case }
    }

    /// Adds a row.
    pub(crate) fn add(&self, row: Row) {
        self.rows.lock().unwrap().push((row, self.case));
    }

    /// Prints all rows as Markdown.
    #[expect(clippy::print_stdout, reason = "the table is what the run is for")]
    pub(crate) fn print(&self) {
        let mut rows = self.rows.lock().unwrap().clone();
        if rows.is_empty() {
            return;
        }
        rows.sort_by_key(|(row, case)| (row.fault[1..].parse::<u32>().unwrap_or_default(), *case));
        println!(
            "\n| | client and settings | recovery | calls | failed | from the local copy | past the deadline | counted twice | wrong replies | reconnects | | case |"
        );
        println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |");
        for (row, case) in rows {
            let Row { fault, client, recovery, calls, failed, local, late, doubles, wrong, reconnects, note } =
                row;
            let recovery = range(&recovery);
            println!(
                "| {fault} | {client} | {recovery} | {calls} | {failed} | {local} | {late} | {doubles} | {wrong} | {reconnects} | {note} | `{case}` |"
            );
        }
    }
}

/// The shortest and the longest.
fn range(times: &[Duration]) -> String {
    let seconds = |time: Option<&Duration>| format!("{:.2}", time.copied().unwrap_or_default().as_secs_f64());
    match times {
        [] => "-".to_owned(),
        [one] => format!("{} s", seconds(Some(one))),
        many => format!("{} to {} s", seconds(many.iter().min()), seconds(many.iter().max())),
    }
}
