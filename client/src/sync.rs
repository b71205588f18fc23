//! The resync: brings to Redis what was accepted locally, as soon as Redis is back.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::core::breaker::State;
use crate::core::resync::Pace;
use crate::error::CallError;
use crate::event::{Event, Resync};
use crate::store::Store;

/// Brings dirty sessions to Redis whenever there are some and the breaker is closed, for ever.
pub(crate) async fn resync_whenever_due(store: Arc<Store>) {
    loop {
        until_due(&store).await;
        let delay = store.settings.resync.start_delay_max.mul_f64(store.gateway.random());
        tokio::time::sleep(delay).await;
        if due(&store) {
            resync(&store).await;
        }
    }
}

fn due(store: &Store) -> bool {
    store.gateway.state() == State::Closed && waiting(store) > 0
}

fn waiting(store: &Store) -> usize {
    store.memory.lock().local.dirty().waiting()
}

async fn until_due(store: &Store) {
    loop {
        let dirtied = store.memory.dirtied.notified();
        let changed = store.gateway.changed();
        if due(store) {
            return;
        }
        tokio::select! {
            biased;
            () = dirtied => {}
            () = changed => {}
        }
    }
}

/// One resync: ends when nothing waits, or when the breaker opens.
async fn resync(store: &Arc<Store>) {
    let mut pace = Pace::new(store.settings.resync.clone());
    let mut brought = 0;
    tell(store, Resync::Started { sessions: waiting(store) as u64 });
    loop {
        let left = waiting(store);
        if left == 0 {
            return tell(store, Resync::Finished { sessions: brought });
        }
        if store.gateway.state() != State::Closed {
            return tell(store, Resync::Interrupted { sessions: left as u64 });
        }
        let (count, takes) = pace.next(left);
        let earliest_end = store.clock.now() + takes;
        let good = bring_batch(store, count).await;
        brought += good;
        pace.brought(good == count as u64);
        tokio::time::sleep_until(store.clock.instant(earliest_end)).await;
    }
}

/// Brings the most urgent sessions, at most `count`; returns how many Redis took.
async fn bring_batch(store: &Arc<Store>, count: usize) -> u64 {
    let ids = store.memory.lock().local.dirty().most_urgent(count);
    let mut batch = JoinSet::new();
    for id in ids {
        let store = Arc::clone(store);
        batch.spawn(async move {
            let deadline = store.clock.now() + store.settings.deadline;
            match store.push(&id, deadline).await {
                Some(Ok(_)) | None => true,
                Some(Err(CallError::Refused(_))) => {
                    // Redis will never take it: a value of another type lies under its key, say.
                    store.memory.lock().local.forget(&id);
                    true
                }
                Some(Err(_)) => false,
            }
        });
    }
    let mut good = 0;
    while let Some(ended) = batch.join_next().await {
        good += u64::from(ended.unwrap_or(false));
    }
    good
}

fn tell(store: &Store, what: Resync) {
    (store.observer)(&Event::Resync { at: store.clock.now(), what });
}
