//! What goes when memory is full.

use super::key::Key;
use super::settings::Policy;
use super::state::State;

/// Memory is full and nothing may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// How many keys are looked at to find one that was not used for long, as Redis does by default.
const SAMPLES: usize = 5;

/// Evicts by the policy until memory is below the limit.
pub(crate) fn make_room(state: &mut State, now: u64) -> Result<(), Full> {
    let limit = state.settings.max_memory;
    if limit == 0 || state.used_memory() <= limit {
        return Ok(());
    }
    state.purge_all(now);
    while state.used_memory() > limit {
        evict_one(state)?;
    }
    Ok(())
}

/// Evicts up to so many keys, whether memory is full or not, by the policy or else any. How many went.
pub(crate) fn evict(state: &mut State, count: usize) -> usize {
    let policy = match state.settings.policy {
        Policy::NoEviction => Policy::AllkeysRandom,
        other => other,
    };
    (0..count).take_while(|_| evict_by(state, policy).is_ok()).count()
}

fn evict_one(state: &mut State) -> Result<(), Full> {
    evict_by(state, state.settings.policy)
}

fn evict_by(state: &mut State, policy: Policy) -> Result<(), Full> {
    let (db, key) = match policy {
        Policy::NoEviction => return Err(Full),
        Policy::AllkeysLru => coldest(state, false),
        Policy::VolatileLru => coldest(state, true),
        Policy::AllkeysRandom => any(state, false),
        Policy::VolatileRandom => any(state, true),
        Policy::VolatileTtl => first_to_expire(state),
    }
    .ok_or(Full)?;
    state.dbs[db].remove(key.bytes());
    state.stats.evicted += 1;
    Ok(())
}

/// Of some keys taken by chance, the one that was not used for longest.
fn coldest(state: &mut State, expiring: bool) -> Option<(usize, Key)> {
    let mut found: Option<(u64, usize, Key)> = None;
    for db in 0..state.dbs.len() {
        for _ in 0..SAMPLES {
            let Some((_, key)) = sample(state, db, expiring) else { break };
            let accessed = state.dbs[db].entry(key.bytes())?.accessed();
            if found.as_ref().is_none_or(|(oldest, ..)| accessed < *oldest) {
                found = Some((accessed, db, key));
            }
        }
    }
    found.map(|(_, db, key)| (db, key))
}

fn any(state: &mut State, expiring: bool) -> Option<(usize, Key)> {
    let count = |state: &State, db: usize| {
        if expiring { state.dbs[db].expiring() } else { state.dbs[db].len() }
    };
    let all: usize = (0..state.dbs.len()).map(|db| count(state, db)).sum();
    let mut drawn = state.random.below(all);
    let db = (0..state.dbs.len()).find(|db| {
        let here = count(state, *db);
        let found = drawn < here;
        drawn = drawn.saturating_sub(here);
        found
    })?;
    sample(state, db, expiring)
}

fn sample(state: &mut State, db: usize, expiring: bool) -> Option<(usize, Key)> {
    let State { dbs, random, .. } = state;
    let key = if expiring { dbs[db].random_expiring(random) } else { dbs[db].random(random) };
    key.cloned().map(|key| (db, key))
}

fn first_to_expire(state: &State) -> Option<(usize, Key)> {
    let soonest = |db: usize| {
        let key = state.dbs[db].next_to_expire()?;
        Some((state.dbs[db].entry(key.bytes())?.expires(), db, key))
    };
    let (_, db, key) = (0..state.dbs.len()).filter_map(soonest).min()?;
    Some((db, key.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    fn full(policy: Policy) -> State {
        let mut state = State::new("7.0.15".to_owned(), 1, 0);
        for number in 0..100u64 {
            let expires = (number % 2 == 0).then_some(1000 + number);
            let key = format!("k{number}");
            state.dbs[0].set(key.as_bytes(), Value::Text(vec![0; 1000]), expires, number);
        }
        state.settings.policy = policy;
        state.settings.max_memory = state.used_memory() - 20_000;
        state
    }

    #[test]
    fn without_a_policy_nothing_goes() {
        let mut state = full(Policy::NoEviction);
        assert_eq!(make_room(&mut state, 0), Err(Full));
        assert_eq!(state.dbs[0].len(), 100);
    }

    #[test]
    fn each_policy_makes_room_among_the_keys_that_it_may_take() {
        for policy in [Policy::AllkeysLru, Policy::AllkeysRandom, Policy::VolatileTtl, Policy::VolatileLru] {
            let mut state = full(policy);
            assert_eq!(make_room(&mut state, 0), Ok(()));
            assert!(state.used_memory() <= state.settings.max_memory && state.stats.evicted > 10);
            let volatile = matches!(policy, Policy::VolatileTtl | Policy::VolatileLru);
            assert!(!volatile || state.dbs[0].len() - state.dbs[0].expiring() == 50, "{policy:?}");
        }
        let mut state = full(Policy::VolatileTtl);
        make_room(&mut state, 0).unwrap();
        assert!(state.dbs[0].entry(b"k0").is_none() && state.dbs[0].entry(b"k98").is_some());
    }

    #[test]
    fn when_only_keys_that_stay_are_left_memory_is_full() {
        let mut state = full(Policy::VolatileTtl);
        state.settings.max_memory = 1;
        assert_eq!(make_room(&mut state, 0), Err(Full));
        assert_eq!((state.dbs[0].len(), state.dbs[0].expiring()), (50, 0));
    }
}
