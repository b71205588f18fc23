//! How long the checks take on a long history, and how much memory: makes one up, or takes one that is saved, and prints a line
//! for reading it, for each check, and for the peak of the memory.
//!
//! ```text
//! cargo run --release -p squall-benches --example long-history -- 1000000 [SESSIONS]
//! cargo run --release -p squall-benches --example long-history -- history.jsonl
//! ```

#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::time::Duration;

use squall::check::{Gather, Judgement, all, judge_index};
use squall::history::{EntryReader, write_entries};
use squall_benches::made_up;
use squall_client::Clock;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "1000000".to_owned());
    let file = match what.parse::<u64>() {
        Ok(operations) => {
            let sessions =
                arguments.next().map_or(1000, |count| count.parse().expect("a number of sessions"));
            make_up(operations, sessions)
        }
        Err(_) => File::open(&what).expect("a number of operations, or a history that is there"),
    };
    judge(file);
}

/// Writes one to a file that nobody else sees, without holding it.
fn make_up(operations: u64, sessions: u32) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    let entries = made_up::entries(operations, sessions);
    write_entries(&made_up::head(operations, sessions), entries, &mut file).expect("it can be written");
    file.rewind().expect("a file can be read again");
    file
}

fn judge(mut file: File) {
    let bytes = file.metadata().expect("its size").len();
    let (merely_read, entries) = timed(|| open(&mut file).map(|entry| entry.expect("an entry")).count());
    println!("{} MB, {entries} entries", bytes / 1_000_000);
    println!("{:10.3} s  merely reading", merely_read.as_secs_f64());

    let mut reader = open(&mut file);
    let head = reader.head().clone();
    let mut gather = Gather::new(&head);
    let (reading, ()) = timed(|| reader.by_ref().for_each(|entry| gather.take(&entry.expect("an entry"))));
    println!("{:10.3} s  reading and gathering", reading.as_secs_f64());
    let gathered = peak();

    let saved = reader.into_saved();
    let (arranging, index) = timed(|| gather.finish(&saved));
    println!("{:10.3} s  arranging", arranging.as_secs_f64());
    for check in all() {
        let (took, finding) = timed(|| check.judge(&index));
        println!("{:10.3} s  {} {:?}: {}", took.as_secs_f64(), finding.check, finding.verdict, finding.says);
    }
    let (judging, Judgement { verdict, .. }) = timed(|| judge_index(&index));
    let judged = arranging + judging;
    println!("{:10.3} s  all checks: {verdict:?}", judging.as_secs_f64());
    println!(
        "{:10.3} s  arranging and all checks: {:.0} operations a second, {:.2} of merely reading",
        judged.as_secs_f64(),
        f64::from(u32::try_from(index.count()).expect("a count")) / judged.as_secs_f64(),
        judged.as_secs_f64() / merely_read.as_secs_f64()
    );
    println!("{gathered} when all was read, {} at the end, at most", peak());
}

fn open(file: &mut File) -> EntryReader<BufReader<File>> {
    file.rewind().expect("a file can be read again");
    let again = file.try_clone().expect("a file can be read twice");
    EntryReader::new(BufReader::with_capacity(1 << 16, again)).expect("a head")
}

fn timed<T>(what: impl FnOnce() -> T) -> (Duration, T) {
    let clock = Clock::system();
    let start = clock.now();
    let made = what();
    (clock.now().since(start), made)
}

/// The most memory that this process ever had, as Linux counts it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "an unknown amount".to_owned(), |kilobytes| kilobytes.trim().to_owned())
}
