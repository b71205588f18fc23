//! One load at a time for each key, whoever asks and whoever goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::sync::Mutex;

use crate::flights::{Flights, LoadError};
use crate::orders::in_many_orders;

/// What is in the cache, and what was loaded.
#[derive(Default)]
struct Shelf {
    flights: Arc<Flights>,
    value: Mutex<Option<Bytes>>,
    under_way: AtomicU64,
    loads: AtomicU64,
}

impl Shelf {
    /// Asks as `Cache::get_or_set` does. The first `fail` loads fail.
    async fn ask(self: Arc<Self>, fail: u64) -> Result<Bytes, LoadError> {
        if let Some(value) = self.value() {
            return Ok(value);
        }
        let flights = Arc::clone(&self.flights);
        let flight = async move {
            match self.value() {
                Some(value) => Ok(value),
                None => self.load(fail).await,
            }
        };
        flights.board("key", flight).await
    }

    async fn load(&self, fail: u64) -> Result<Bytes, LoadError> {
        assert_eq!(self.under_way.fetch_add(1, Ordering::SeqCst), 0, "two loads at once");
        let number = self.loads.fetch_add(1, Ordering::SeqCst);
        yield_now().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if number < fail {
            return Err(LoadError::Gone);
        }
        let value = Bytes::from_static(b"loaded");
        *self.value.lock().unwrap() = Some(value.clone());
        Ok(value)
    }

    fn value(&self) -> Option<Bytes> {
        self.value.lock().unwrap().clone()
    }

    fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }
}

/// So many ask at once, and each gets it.
fn ask_at_once(callers: usize) {
    let shelf = Arc::new(Shelf::default());
    block_on(async {
        let asking: Vec<_> = (0..callers).map(|_| spawn(Arc::clone(&shelf).ask(0))).collect();
        for caller in asking {
            assert_eq!(caller.await.unwrap().unwrap(), "loaded");
        }
    });
    assert_eq!(shelf.loads(), 1);
}

/// Without the cache, one that comes when the load has ended loads again, but never beside another load.
#[test]
fn of_two_loads_the_second_begins_when_the_first_has_ended() {
    in_many_orders(|| {
        let shelf = Arc::new(Shelf::default());
        let load = |shelf: &Arc<Shelf>| {
            let shelf = Arc::clone(shelf);
            async move { shelf.load(0).await }
        };
        block_on(async {
            let first = spawn({
                let (shelf, load) = (Arc::clone(&shelf), load(&shelf));
                async move { shelf.flights.board("key", load).await.unwrap() }
            });
            shelf.flights.board("key", load(&shelf)).await.unwrap();
            first.await.unwrap();
        });
        assert!((1..=2).contains(&shelf.loads()));
    });
}

#[test]
fn many_that_ask_are_brought_it_by_one_load() {
    in_many_orders(|| ask_at_once(6));
}

#[test]
fn whoever_goes_away_the_others_get_it_and_one_load_is_enough() {
    in_many_orders(|| {
        let shelf = Arc::new(Shelf::default());
        block_on(async {
            let mut asking: Vec<_> = (0..4).map(|_| spawn(Arc::clone(&shelf).ask(0))).collect();
            yield_now().await;
            // The first is often the one that began the load.
            asking.remove(0).abort();
            for caller in asking {
                assert_eq!(caller.await.unwrap().unwrap(), "loaded");
            }
        });
        assert_eq!(shelf.loads(), 1);
    });
}

#[test]
fn a_load_that_fails_is_told_to_all_who_waited_and_the_next_to_ask_loads_again() {
    in_many_orders(|| {
        let shelf = Arc::new(Shelf::default());
        block_on(async {
            let asking: Vec<_> = (0..4).map(|_| spawn(Arc::clone(&shelf).ask(1))).collect();
            let mut failed = 0;
            for caller in asking {
                match caller.await.unwrap() {
                    Ok(value) => assert_eq!(value, "loaded"),
                    Err(LoadError::Gone) => failed += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            assert!(failed >= 1, "the first load failed");
            assert_eq!(Arc::clone(&shelf).ask(1).await.unwrap(), "loaded");
        });
        assert_eq!(shelf.loads(), 2);
    });
}
