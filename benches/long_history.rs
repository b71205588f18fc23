//! How long the checks take on a long history, and how much memory: makes one up, or takes one that is saved, and prints a line
//! for reading it, for each check, and for the peak of the memory.
//!
//! ```text
//! cargo run -p squall-benches --release --example long-history -- 1000000 [SESSIONS]
//! cargo run -p squall-benches --release --example long-history -- history.jsonl
//! ```

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::time::Duration;

use squall::check::{Finding, Gather, Judgement, Verdict, all, judge_index};
use squall::history::{EntryReader, write_entries};
use squall_benches::made_up;
use squall_client::Clock;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "1000000".to_owned());
    match what.parse::<u64>() {
        Ok(operations) => {
            let sessions =
                arguments.next().map_or(1000, |count| count.parse().expect("a number of sessions"));
            let findings = judge(make_up(operations, sessions));
            for Finding { check, verdict, says, .. } in findings {
                assert_eq!(verdict, Verdict::Pass, "{check} of a history that is right: {says}");
            }
        }
        Err(_) => _ = judge(File::open(&what).expect("a number of operations, or a history that is there")),
    }
}

/// Writes one to a file that nobody else sees, without holding it.
fn make_up(operations: u64, sessions: u32) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    let entries = made_up::entries(operations, sessions);
    write_entries(&made_up::head(operations, sessions), entries, &mut file).expect("it can be written");
    file.rewind().expect("a file can be read again");
    file
}

fn judge(mut file: File) -> Vec<Finding> {
    let bytes = file.metadata().expect("its size").len();
    let (merely_read, entries) = timed(|| open(&mut file).filter(Result::is_ok).count());
    println!("{} MB, {entries} entries", bytes / 1_000_000);
    println!("{merely_read}  merely reading");

    let mut reader = open(&mut file);
    let head = reader.head().clone();
    let mut gather = Gather::new(&head);
    let (reading, read) =
        timed(|| reader.each(|entries, _| entries.iter().for_each(|entry| gather.take(entry))));
    read.expect("entries");
    println!("{reading}  reading and gathering, on all cores");
    let gathered = peak();

    let saved = reader.into_saved();
    let (arranging, index) = timed(|| gather.finish(&saved));
    println!("{arranging}  arranging");
    for check in all() {
        let (took, finding) = timed(|| check.judge(&index));
        println!("{took}  {} {:?}: {}", finding.check, finding.verdict, finding.says);
    }
    let (judging, Judgement { findings, verdict }) = timed(|| judge_index(&index));
    println!("{judging}  all checks, on all cores: {verdict:?}");
    let judged = (arranging.wall + judging.wall).as_secs_f64();
    let operations = f64::from(u32::try_from(index.count()).expect("a count"));
    println!(
        "{judged:8.3} s             arranging and all checks: {:.0} operations a second, {:.2} of merely reading",
        operations / judged,
        judged / merely_read.wall.as_secs_f64()
    );
    let whole = (reading.wall + arranging.wall + judging.wall).as_secs_f64();
    println!("{whole:8.3} s             in all, from the file to the verdict");
    println!("{gathered} when all was read, {} at the end, at most", peak());
    findings
}

fn open(file: &mut File) -> EntryReader<BufReader<File>> {
    file.rewind().expect("a file can be read again");
    let again = file.try_clone().expect("a file can be read twice");
    EntryReader::new(BufReader::with_capacity(1 << 16, again)).expect("a head")
}

/// How long it took, with the time that it had a core in brackets: on a busy machine the first says little.
fn timed<T>(what: impl FnOnce() -> T) -> (Took, T) {
    let (clock, before) = (Clock::system(), on_cores());
    let start = clock.now();
    let made = what();
    (Took { wall: clock.now().since(start), on_cores: on_cores().saturating_sub(before) }, made)
}

/// The time that all threads of this process had a core, as Linux counts it; nothing elsewhere.
fn on_cores() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name of the program, which is in brackets: user and system time are the twelfth and thirteenth field, in
    // hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>())
}

struct Took {
    wall: Duration,
    on_cores: Duration,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.3} s ({:6.2} s)", self.wall.as_secs_f64(), self.on_cores.as_secs_f64())
    }
}

/// The most memory that this process ever had, as Linux counts it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "an unknown amount".to_owned(), |kilobytes| kilobytes.trim().to_owned())
}
