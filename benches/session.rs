//! What the whole client costs over raw redis-rs: get and update on one connection, one call at a time and fifty at once; and
//! what a get costs while the breaker is open.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::measurement::{Measurement as _, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis::aio::MultiplexedConnection;
use squall_benches::{Server, id};
use squall_client::core::breaker::State;
use squall_client::{Lookup, ServedBy, SessionClient};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// The size of the values that the load of a scenario has, in the middle.
const VALUE: [u8; 350] = [b'v'; 350];

fn runtime() -> Runtime {
    Runtime::new().expect("a runtime starts")
}

/// How long `calls` take, with `at_once` of them running at a time.
async fn timed<F>(calls: u64, at_once: u64, call: impl Fn(u64) -> F + Send + Sync + 'static) -> Duration
where
    F: Future<Output = ()> + Send,
{
    let (clock, call) = (WallTime, Arc::new(call));
    let mut tasks = JoinSet::new();
    let start = clock.start();
    for first in 0..at_once.min(calls) {
        let call = Arc::clone(&call);
        tasks.spawn(async move {
            for number in (first..calls).step_by(usize::try_from(at_once).expect("a few")) {
                call(number).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no call panics");
    }
    clock.end(start)
}

/// One bench: raw redis-rs and the client side by side, at both concurrencies.
fn compare<R, C>(
    criterion: &mut Criterion,
    name: &str,
    raw: impl Fn(MultiplexedConnection, u64) -> R + Copy + Send + Sync + 'static,
    whole: impl Fn(SessionClient, u64) -> C + Copy + Send + Sync + 'static,
) where
    R: Future<Output = ()> + Send,
    C: Future<Output = ()> + Send,
{
    let runtime = runtime();
    let Some(server) = runtime.block_on(Server::start()) else { return };
    for at_once in [1, 50] {
        let mut group = criterion.benchmark_group(format!("session/{name}, {at_once} at once"));
        group.throughput(Throughput::Elements(1));
        let client = runtime.block_on(server.client(&VALUE));
        let connection = runtime.block_on(server.raw());
        group.bench_function("raw redis-rs", |bencher| {
            bencher.iter_custom(|calls| {
                let connection = connection.clone();
                runtime.block_on(timed(calls, at_once, move |number| raw(connection.clone(), number)))
            });
        });
        group.bench_function("client", |bencher| {
            bencher.iter_custom(|calls| {
                let client = client.clone();
                runtime.block_on(timed(calls, at_once, move |number| whole(client.clone(), number)))
            });
        });
        assert_eq!(client.stats().connections, 1, "it must not have had more connections than redis-rs");
        group.finish();
    }
}

fn get(criterion: &mut Criterion) {
    let raw = |mut connection: MultiplexedConnection, number| async move {
        let key = format!("session:{}", id(number));
        let value: Bytes = redis::cmd("GET").arg(key).query_async(&mut connection).await.expect("a reply");
        assert!(value.len() > VALUE.len(), "a record is the value and what the client knows of it");
    };
    compare(criterion, "get", raw, |client, number| async move {
        match client.get(&id(number)).await {
            Ok(Lookup::Found { served_by: ServedBy::Redis, .. }) => {}
            other => panic!("redis did not serve it: {other:?}"),
        }
    });
}

fn update(criterion: &mut Criterion) {
    let raw = |mut connection: MultiplexedConnection, number| async move {
        let key = format!("raw:{}", id(number));
        let mut command = redis::cmd("SET");
        command.arg(key).arg(&VALUE).arg("KEEPTTL");
        let _set: () = command.query_async(&mut connection).await.expect("a reply");
    };
    compare(criterion, "update", raw, |client, number| async move {
        let ack = client.update(&id(number), Bytes::from_static(&VALUE)).await.expect("it is accepted");
        assert_eq!(ack.served_by, ServedBy::Redis);
    });
}

fn open(criterion: &mut Criterion) {
    let runtime = runtime();
    let Some(server) = runtime.block_on(Server::start()) else { return };
    let client = runtime.block_on(server.client(&VALUE));
    drop(server);
    runtime.block_on(async {
        for number in 0..20 {
            let _opens_the_breaker = client.get(&id(number)).await;
        }
    });
    assert_eq!(client.stats().breaker, State::Open);
    criterion.bench_function("session/get while open", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let found = client.get("7").await;
            assert!(matches!(found, Ok(Lookup::Found { served_by: ServedBy::Local, .. })));
        });
    });
}

criterion_group!(benches, get, update, open);
criterion_main!(benches);
