//! What clients of the field do wrong under faults, and what the reference client does: each fault on a real redis-server, in real
//! time, measured. `docs/field.md` has the table beside what others do.
//!
//! `cargo test -p squall --test field -- --nocapture` prints the table. Every case asserts bounds that follow from the settings
//! it names; the figures are measured. Without redis-server the cases are ignored; with `CI` set that is a failure.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bare;
mod calls;
mod counters;
mod demoted;
mod expiry;
mod full;
mod half_open;
mod silent;
mod stage;
mod stale;
mod table;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use squall::world::local::Redis;

use table::Table;

/// Cases mostly wait, so more of them run side by side than there are cores.
const SIDE_BY_SIDE: usize = 3;

/// A case, by its name.
macro_rules! cases {
    ($table:expr, [$($part:ident :: $case:ident),* $(,)?]) => {
        vec![$(trial(concat!(stringify!($part), "::", stringify!($case)), $table, |table| $part::$case(table))),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let table = Table::default();
    let trials = cases!(
        &table,
        [
            silent::one_caller_is_served_again,
            silent::one_caller_is_served_again_in_resp3_too,
            silent::one_caller_with_default_settings_is_served_again,
            silent::many_callers_are_served_again_after_the_cool_down,
            silent::a_pool_that_has_gone_silent_is_replaced_as_a_whole,
            silent::nobody_waits_longer_than_the_deadline_while_nothing_passes,
            demoted::writes_reach_the_new_primary_on_a_new_connection,
            demoted::a_name_that_stays_on_the_demoted_node_brings_no_storm,
            stale::keys_that_look_alike_share_nothing,
            stale::what_another_instance_wrote_is_never_read_stale,
            counters::a_count_whose_reply_was_lost_counts_once,
            counters::without_a_fallback_a_lost_reply_is_told_as_unknown,
            full::who_finds_no_place_is_told_so_at_once,
            half_open::of_many_callers_none_reaches_redis_at_half_open,
            half_open::a_probe_that_hangs_is_followed_by_others,
            expiry::no_key_lives_for_ever_and_nothing_is_revived,
            bare::a_silent_connection_is_never_given_up,
            bare::a_demoted_primary_is_never_left,
            bare::keepttl_on_a_missing_key_makes_it_immortal,
        ]
    );
    let conclusion = libtest_mimic::run(&arguments, trials);
    table.print();
    if conclusion.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn trial<F>(name: &'static str, table: &Table, case: impl FnOnce(Table) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()> + Send + 'static,
{
    let table = table.of(name);
    let run = move || match (Redis::Own { program: None }).missing() {
        None => {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(case(table));
            Ok(Completion::Completed)
        }
        Some(why) if std::env::var_os("CI").is_some() => Err(Failed::from(why.to_string())),
        Some(_) => Ok(Completion::ignored_with("no redis-server")),
    };
    Trial::ignorable_test(name, run)
}
