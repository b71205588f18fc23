//! What the breaker costs a call: asking and recording, alone and with another thread at it.

use std::hint::black_box;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use criterion::measurement::{Measurement as _, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use squall_client::Time;
use squall_client::core::breaker::{Breaker, Outcome};
use squall_client::settings::BreakerSettings;

/// One call's share of the breaker, a microsecond after the last one's.
fn ask_and_record(breaker: &mut Breaker, call: u64, outcome: Outcome) {
    let now = Time::from_nanos(call * 1000);
    if let Ok(permit) = breaker.ask(black_box(now)) {
        breaker.record(now, permit, black_box(outcome), black_box(0.5));
    }
}

fn alone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaker/one thread");
    let mixed = [Outcome::Success, Outcome::Failure, Outcome::Success, Outcome::Success];
    for (name, outcomes) in [("successes", [Outcome::Success; 4]), ("a failure in four", mixed)] {
        group.bench_function(name, |bencher| {
            let (mut breaker, mut call) = (Breaker::new(BreakerSettings::default()), 0);
            bencher.iter(|| {
                call += 1;
                ask_and_record(&mut breaker, call, outcomes[(call % 4) as usize]);
            });
        });
    }
    group.bench_function("rejected", |bencher| {
        let mut breaker = Breaker::new(BreakerSettings::default());
        (0..3).for_each(|call| ask_and_record(&mut breaker, call, Outcome::Failure));
        bencher.iter(|| black_box(breaker.ask(black_box(Time::START))));
    });
    group.finish();
}

/// Behind the lock that the client keeps it behind: taken once to ask and once to record.
fn behind_the_lock(calls: u64, breaker: &Mutex<Breaker>) {
    let lock = || breaker.lock().unwrap_or_else(PoisonError::into_inner);
    for call in 0..calls {
        let now = Time::from_nanos(call * 1000);
        let asked = lock().ask(black_box(now));
        if let Ok(permit) = asked {
            lock().record(now, permit, black_box(Outcome::Success), black_box(0.5));
        }
    }
}

fn shared(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaker/locked");
    for threads in [1, 2] {
        group.bench_function(format!("threads: {threads}"), |bencher| {
            bencher.iter_custom(|calls| by_threads(threads, calls));
        });
    }
    group.finish();
}

/// How long it takes until each of the threads has made so many calls.
fn by_threads(threads: usize, calls: u64) -> Duration {
    let breaker = Mutex::new(Breaker::new(BreakerSettings::default()));
    let (ready, clock) = (Barrier::new(threads + 1), WallTime);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    behind_the_lock(calls, &breaker);
                })
            })
            .collect();
        ready.wait();
        let start = clock.start();
        workers.into_iter().for_each(|worker| worker.join().expect("no worker panics"));
        clock.end(start)
    })
}

criterion_group!(benches, alone, shared);
criterion_main!(benches);
