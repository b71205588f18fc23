//! How fast a history is read and judged, in operations a second: `merely read` is the yardstick, which parses every entry and
//! keeps none; `gather` keeps what checks use; `arrange and judge` is all that comes after it. Each check is measured by itself too.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use squall::check::{Gather, Index, Verdict, all, judge_index};
use squall::history::{EntryReader, History, read, write_entries};
use squall_benches::made_up;

const OPERATIONS: u64 = 100_000;
const SESSIONS: u32 = 1_000;

fn text() -> Vec<u8> {
    let mut text = Vec::new();
    let entries = made_up::entries(OPERATIONS, SESSIONS);
    write_entries(&made_up::head(OPERATIONS, SESSIONS), entries, &mut text).expect("memory can be written");
    text
}

fn reader(text: &[u8]) -> EntryReader<&[u8]> {
    EntryReader::new(text).expect("a head")
}

fn checks(criterion: &mut Criterion) {
    let text = text();
    let history: History = read(&text[..]).expect("what was written can be read");
    let index = Index::new(&history);
    let judgement = judge_index(&index);
    let passes = judgement.findings.iter().all(|finding| finding.verdict == Verdict::Pass);
    assert!(passes, "every check finds something to judge, and passes: {judgement:#?}");
    assert_eq!(index.count() as u64, OPERATIONS);

    let mut group = criterion.benchmark_group("checks");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5))
        .throughput(Throughput::Elements(OPERATIONS));
    group.bench_function("merely read", |bencher| {
        bencher.iter(|| {
            reader(&text).map(|entry| entry.expect("an entry")).for_each(|entry| drop(black_box(entry)))
        });
    });
    group.bench_function("gather", |bencher| {
        bencher.iter(|| {
            let mut gather = Gather::new(&history.head);
            history.entries.iter().for_each(|entry| gather.take(entry));
            black_box(gather)
        });
    });
    group.bench_function("gather, arrange and judge", |bencher| {
        bencher.iter(|| black_box(judge_index(&Index::new(&history))));
    });
    for check in all() {
        group.bench_function(check.name(), |bencher| bencher.iter(|| black_box(check.judge(&index))));
    }
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
