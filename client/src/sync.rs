//! The resync: brings to Redis what it lacks, as soon as it can be reached, and watches over whether it forgets or evicts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::connect::Asking;
use crate::core::class::Class;
use crate::core::push::Push;
use crate::core::resync::Pace;
use crate::core::time::Time;
use crate::error::CallError;
use crate::event::{Event, Resync};
use crate::store::Store;

/// What a batch brought.
#[derive(Default)]
struct Batch {
    arrived: u64,
    refused: u64,
    failed: u64,
}

/// Brings what waits whenever the breaker is closed, for ever.
pub(crate) async fn resync_whenever_due(store: Arc<Store>) {
    let mut next_look = store.clock.now();
    let mut refused_wait_until = store.clock.now();
    loop {
        // Before anything is looked at, so that no change is missed.
        let changed = store.script.gateway.changed();
        look_if_due(&store, &mut next_look).await;
        let now = store.clock.now();
        let refused_too = now >= refused_wait_until;
        if reachable(&store) && waiting(&store, refused_too) > 0 {
            let delay = store.settings.now().resync.start_delay_max.mul_f64(store.script.gateway.random());
            tokio::time::sleep(delay).await;
            store.resyncing.store(true, Ordering::Relaxed);
            let brought = resync(&store, refused_too, &mut next_look).await;
            store.resyncing.store(false, Ordering::Relaxed);
            if brought.refused > 0 {
                refused_wait_until = store.clock.now() + REFUSED_WAIT;
            }
            continue;
        }
        let next = if next_look > now { next_look } else { now + LOOK_EVERY };
        tokio::select! {
            biased;
            () = store.memory.waiting.notified() => {}
            () = changed => {}
            () = tokio::time::sleep_until(store.clock.instant(next)) => {}
        }
    }
}

/// Whether Redis still has what it was told.
async fn look(store: &Store, deadline: Time) -> Result<(), CallError> {
    store.check_generation(deadline).await?;
    store.check_evictions(deadline).await
}

/// Once a second: drops what is over, and asks Redis whether it has forgotten.
async fn look_if_due(store: &Arc<Store>, next_look: &mut Time) {
    let now = store.clock.now();
    // Who holds nothing any more asks too: what it is asked for next may be on its way from another instance, if Redis has just
    // forgotten, and when it has can be told only by who has looked.
    let used = || store.memory.generation.is_known() || !store.memory.lock().local().is_empty();
    if reachable(store) && now >= *next_look && used() {
        *next_look = now + LOOK_EVERY;
        store.memory.lock().sweep(now);
        store.tidy_disk();
        store.script.gateway.follow(Asking::One, store.deadline()).await;
        // If that fails, the breaker has been told, and the next look is soon.
        let _ = look(store, store.deadline()).await;
    }
}

/// Brings what can be brought by `deadline`, as fast as possible, before the client ends. A breaker that has not cooled down yet is
/// no reason to lose what waits, if Redis answers again; and what a primary took that was replaced meanwhile waits, too.
pub(crate) async fn bring_the_rest(store: &Arc<Store>, deadline: Time) {
    store.script.gateway.follow(Asking::All, deadline).await;
    if waiting(store, true) > 0 {
        store.script.gateway.ask_once_more(deadline).await;
    }
    while reachable(store) && store.clock.now() < deadline {
        let many = (store.settings.now().resync.batch as usize).min(places(store));
        let pushes = store.memory.lock().next_pushes(many, false);
        if pushes.is_empty() {
            return;
        }
        let batch = bring_batch(store, pushes, deadline).await;
        if batch.arrived + batch.refused == 0 {
            return;
        }
    }
}

/// One resync: ends when nothing waits, or when the breaker opens.
async fn resync(store: &Arc<Store>, refused_too: bool, next_look: &mut Time) -> Batch {
    let mut pace = Pace::new(&store.settings.now().resync);
    let mut total = Batch::default();
    let sessions = waiting(store, refused_too);
    if sessions == 0 || !reachable(store) {
        return total;
    }
    tell(store, Resync::Started { sessions });
    loop {
        if !reachable(store) {
            let sessions = waiting(store, true);
            tell(store, Resync::Interrupted { sessions, brought: total.arrived });
            return total;
        }
        // What Redis does not take may keep this busy for as long as it likes.
        look_if_due(store, next_look).await;
        let many = pace.batch().min(places(store));
        let pushes = store.memory.lock().next_pushes(many, refused_too && total.refused == 0);
        if pushes.is_empty() {
            tell(store, Resync::Finished { sessions: total.arrived });
            return total;
        }
        let earliest_end = store.clock.now() + pace.interval(pushes.len());
        let deadline = store.deadline();
        let batch = bring_batch(store, pushes, deadline).await;
        total.arrived += batch.arrived;
        total.refused += batch.refused;
        if batch.failed > 0 || store.foreground().suffers() {
            pace.bad()
        } else {
            pace.good()
        }
        // What comes last need not wait for others.
        if batch.failed > 0 || waiting(store, false) > 0 {
            tokio::time::sleep_until(store.clock.instant(earliest_end)).await;
        }
    }
}

async fn bring_batch(store: &Arc<Store>, pushes: Vec<Push>, deadline: Time) -> Batch {
    let mut tasks = JoinSet::new();
    for push in pushes {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut bringing = store.bringing(push);
            let brought = store.bring(&mut bringing, deadline).await;
            let refused = brought.as_ref().is_err_and(|error| refused(&store, error));
            if refused {
                bringing.refused();
            }
            (brought, refused)
        });
    }
    let mut batch = Batch::default();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok((Ok(_), _)) => batch.arrived += 1,
            Ok((Err(_), true)) => batch.refused += 1,
            // Others were quicker to take the places: it comes with the next batch.
            Ok((Err(CallError::Overloaded), _)) => {}
            Ok((Err(_), false)) | Err(_) => batch.failed += 1,
        }
    }
    batch
}

/// Whether Redis refuses just this session. In a cluster one that moves arrives as soon as it has moved.
fn refused(store: &Store, error: &CallError) -> bool {
    error.of_this_alone() && !(error.points_elsewhere() && store.script.gateway.is_cluster())
}

/// How many calls of its own a resync may have in flight: users' calls need places too.
fn places(store: &Store) -> usize {
    (store.settings.now().pool.in_flight as usize / 2).max(1)
}

fn reachable(store: &Store) -> bool {
    store.script.gateway.lets_through(Class::Writes)
}

fn waiting(store: &Store, refused_too: bool) -> u64 {
    store.memory.lock().waiting(refused_too)
}

fn tell(store: &Store, what: Resync) {
    (store.observer)(&Event::Resync { at: store.clock.now(), what });
}

/// How often Redis is asked whether it has forgotten. It also makes sure that an instance without load notices an outage.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long what Redis refused waits before it is tried again.
const REFUSED_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::SessionClient;
    use crate::clock::Clock;
    use crate::endpoint::Endpoint;
    use crate::environment::Environment;
    use crate::fake_redis::FakeRedis;
    use crate::settings::Settings;

    #[tokio::test(start_paused = true)]
    async fn who_holds_nothing_looks_too_once_it_was_asked_for_something() {
        let redis = FakeRedis::default();
        let environment = Environment { clock: Clock::new(0), seed: 7, ..Environment::new(1) };
        let endpoint = Endpoint::new(Arc::new(redis.clone()));
        let client = SessionClient::start(Settings::default(), endpoint, environment).unwrap();
        tokio::time::sleep(10 * LOOK_EVERY).await;
        assert_eq!(redis.connects(), 0, "who was never asked leaves Redis alone");
        let _no_session = client.get("s").await;
        assert!(client.store().memory.lock().local().is_empty());
        let before = redis.count("GET");
        tokio::time::sleep(10 * LOOK_EVERY).await;
        let looks = redis.count("GET") - before;
        assert!((9..=11).contains(&looks), "{looks} looks");
    }
}
