//! How fast virtual time goes: virtual seconds a second of the wall clock, through redis-rs and the whole client.
//!
//! `thrpt` of one and of eight instances, each with 100 operations a second, reads as virtual seconds a second. `schedules` is
//! the time of one random schedule of 60 s, with as many threads as there are cores at work.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::RngExt as _;
use squall::history::History;
use squall::perform::{self, Setting};
use squall::plan::Plan;
use squall::scenario::Scenario;
use squall::seed::fork;
use squall::stop::Stop;
use squall::world::Kind;
use tokio::runtime::Builder;

/// What strikes in random schedules.
const FAULTS: [&str; 10] = [
    "inject = \"refuse\"",
    "inject = \"reset\"",
    "inject.latency = { delay = \"80ms\", jitter = \"40ms\" }",
    "inject = \"timeout\"",
    "inject = \"stall\"",
    "inject = \"pause\"",
    "inject = \"kill\"",
    "inject.restart = { data = \"kept\" }",
    "inject.error_reply = { error = \"LOADING\" }",
    "inject = \"drop_reply\"",
];

fn scenario(text: &str) -> Scenario {
    Scenario::parse("bench/sim", Path::new("bench.toml"), text.as_bytes())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn head(instances: u16) -> String {
    format!(
        "proves = \"virtual time is fast\"\n[client]\nprofile = \"chatbot\"\n[load]\ninstances = {instances}\nsessions = 100\n\
         rate = \"{}/s\"\n",
        100 * instances
    )
}

fn phase(name: &str, seconds: u64, faults: &str) -> String {
    format!("[[phase]]\nname = \"{name}\"\nfor = \"{seconds}s\"\n{faults}")
}

/// 60 s with two to five faults, one after the other.
fn random_schedule(seed: u64) -> Scenario {
    let mut chance = fork(seed, "schedule");
    let mut text = head(chance.random_range(1..=2)) + &phase("steady", 3, "");
    let count = chance.random_range(2..=5_u64);
    let each = 42 / count;
    for number in 0..count {
        let fault = FAULTS[chance.random_range(0..FAULTS.len())];
        let (at, lasts) = (chance.random_range(0..2), chance.random_range(1..each - 2));
        text += &phase(
            &format!("fault {number}"),
            each,
            &format!("faults = [{{ {fault}, at = \"{at}s\", for = \"{lasts}s\" }}]\n"),
        );
    }
    scenario(&(text + &phase("calm", 57 - each * count, "")))
}

fn run(plan: Arc<Plan>) -> History {
    let runtime = Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    let run = perform::perform(plan, Setting::of(Kind::Sim), Arc::new(|_| {}), Stop::new());
    runtime.block_on(run).unwrap_or_else(|trouble| panic!("{trouble}"))
}

fn instances(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sim");
    group.sample_size(10).measurement_time(Duration::from_secs(10)).throughput(Throughput::Elements(60));
    for instances in [1, 8] {
        let plan = Arc::new(Plan::new(&scenario(&(head(instances) + &phase("steady", 60, ""))), 1));
        group.bench_function(BenchmarkId::new("instances", instances), |bencher| {
            bencher.iter(|| black_box(run(Arc::clone(&plan))));
        });
    }
    group.finish();
}

fn schedules(criterion: &mut Criterion) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut group = criterion.benchmark_group("sim");
    group.sample_size(10).measurement_time(Duration::from_secs(10)).throughput(Throughput::Elements(60));
    let next = AtomicU64::new(0);
    group.bench_function("schedules", |bencher| {
        bencher.iter_custom(|iterations| {
            let end = next.load(Ordering::Relaxed) + iterations;
            let clock = squall_client::Clock::system();
            thread::scope(|scope| {
                for _ in 0..cores {
                    scope.spawn(|| {
                        loop {
                            let seed = next.fetch_add(1, Ordering::Relaxed);
                            if seed >= end {
                                return;
                            }
                            black_box(run(Arc::new(Plan::new(&random_schedule(seed), seed))));
                        }
                    });
                }
            });
            next.store(end, Ordering::Relaxed);
            Duration::from_nanos(clock.now().as_nanos())
        });
    });
    group.finish();
}

criterion_group!(benches, instances, schedules);
criterion_main!(benches);
